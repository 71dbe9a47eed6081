// SPDX-License-Identifier: Apache-2.0
/* All of a patch, judged. What a device does with far less memory and no temporary file, and in a sandbox. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libartifact/blob.h"
#include "libartifact/chunk.h"
#include "libartifact/io.h"
#include "libartifact/patch_check.h"
#include "libartifact/patch_codec.h"
#include "libartifact/patch_seed.h"

struct pass {
	struct art_patch_check *c;
	struct art_patch_decoder *decoder;
	struct art_patch_decoding dec;
	struct art_digest *sha256;
	size_t payload;                /* of the patch */
	const struct art_payload *now; /* of the artifact */
	size_t old_payload;
	struct art_patch_seed *seed;   /* the old image's rows by digest; NULL: not at hand */
	struct art_blob *old;
	int image;                     /* the new image */
	uint8_t *stored, *window, *plain;
};

static int decode(void *ctx, enum art_patch_codec codec, const uint8_t *window,
		  size_t window_len, const uint8_t *stored, size_t stored_len, uint8_t *out,
		  size_t len, struct art_err *err)
{
	return art_patch_decode(ctx, codec, window, window_len, stored, stored_len, out, len, err);
}

static const struct art_payload *find_payload(const struct art_manifest *m, const char *name,
					      size_t *n)
{
	for (*n = 0; *n < m->payload_count; ++*n)
		if (strcmp(m->payloads[*n].name, name) == 0)
			return &m->payloads[*n];
	return NULL;
}

static int match_old(const struct art_patch_check *c, struct art_err *err)
{
	const struct art_patch_manifest *m = art_patch_manifest(c->patch);
	size_t i, n;

	for (i = 0; i < m->payload_count; i++) {
		const struct art_patch_payload *mine = &m->payloads[i];
		const struct art_payload *old = find_payload(art_reader_manifest(c->old), mine->name,
							     &n);

		if (!old || old->size != mine->old_size ||
		    memcmp(old->sha256, mine->old_sha256, ART_SHA256_LEN) != 0)
			return art_fail(err, ART_E_PATCH_OLD,
					"payload '%s': the patch is not for this old image",
					mine->name);
	}
	return 0;
}

int art_patch_check_head(struct art_patch_check *c, struct art_err *err)
{
	struct art_patch_decoder *decoder = NULL;
	struct art_patch_decoding dec = { .decode = decode };
	const uint8_t *bytes;
	size_t len;
	int code = art_patch_decoder_new(&decoder, err);

	dec.ctx = decoder;
	if (code == 0)
		code = art_patch_source_open(&c->source, c->patch, &dec, err);
	art_patch_decoder_free(decoder);
	if (code == 0)
		code = art_reader_open(&c->reader, c->source, err);
	if (code < 0)
		return code;
	/* The digest first: a patch that carries something else is no reason to look at signatures. */
	bytes = art_reader_manifest_bytes(c->reader, &len);
	code = art_patch_match_digest(c->patch, bytes, len, err);
	if (code == 0 && c->trust)
		code = art_reader_authenticate(c->reader, c->trust, ART_ROLE_ARTIFACT, &c->verdict,
					       err);
	else
		art_reader_skip_trust(c->reader);
	if (code == 0)
		code = art_reader_parse(c->reader, err);
	if (code == 0)
		code = art_patch_match(c->patch, art_reader_manifest(c->reader), err);
	return code == 0 && c->old ? match_old(c, err) : code;
}

void art_patch_check_free(struct art_patch_check *c)
{
	art_reader_free(steal_ptr(c->reader));
	art_source_free(steal_ptr(c->source));
}

static int open_old(struct pass *p, struct art_err *err)
{
	const struct art_patch_payload *mine = &art_patch_manifest(p->c->patch)->payloads[p->payload];
	const struct art_payload *old = find_payload(art_reader_manifest(p->c->old), mine->name,
						     &p->old_payload);
	int code;

	/* Matched before: it is there. */
	code = old ? art_patch_seed_new(&p->seed, err) : art_fail(err, ART_E_PATCH_OLD, "no old image");
	if (code == 0)
		code = art_patch_seed_add_payload(p->seed, p->c->old, p->old_payload, err);
	if (code == 0)
		code = art_blob_open_payload(&p->old, p->c->old, p->old_payload, err);
	if (code == 0)
		code = p->c->temp(&p->image, err);
	return code;
}

/* The new segment's index out of the patch. */
static int open_index(struct pass *p, size_t segment, struct art_index **out,
		      struct art_err *err)
{
	const struct art_patch_segment *mine =
		&art_patch_manifest(p->c->patch)->payloads[p->payload].segments[segment];
	const struct art_payload *old = &art_reader_manifest(p->c->old)->payloads[p->old_payload];
	struct art_index *before = NULL;
	int code = 0;

	if (mine->old_index_sha256) {
		if (segment >= old->segment_count ||
		    memcmp(old->segments[segment].index_sha256, mine->old_index_sha256,
			   ART_SHA256_LEN) != 0)
			return art_fail(err, ART_E_PATCH_OLD, "the patch needs another old index");
		code = art_reader_open_index(p->c->old, p->old_payload, segment, &before, err);
	}
	if (code == 0)
		code = art_patch_index(p->c->patch, p->payload, segment, &p->dec,
				       before ? art_index_bytes(before) : NULL,
				       before ? old->segments[segment].index_size : 0,
				       &p->now->segments[segment], out, err);
	art_index_free(before);
	return code;
}

static int read_window(struct pass *p, const struct art_patch_record *r, struct art_err *err)
{
	uint8_t *to = p->window;
	uint32_t i;
	int code = 0;

	for (i = 0; i < r->extent_count && code == 0; i++) {
		const struct art_extent *e = &r->extents[i];

		if (e->source == ART_EXTENT_OLD) {
			code = art_blob_read(p->old, to, e->len, e->offset, err);
		} else {
			ssize_t n = art_pread_full(p->image, to, e->len, e->offset,
						   ART_TEMP_NAME, err);

			code = n < 0 ? (int)n : 0;
			/* What is not written yet reads as zeros. */
			if (n >= 0 && (size_t)n < e->len)
				memset(to + n, 0, e->len - (size_t)n);
		}
		to += e->len;
	}
	return code;
}

static int put_row(struct pass *p, const struct art_row *row, uint64_t base,
		   const uint8_t *plain, struct art_err *err)
{
	int code = art_row_check_plain(row, plain, p->sha256, err);

	return code < 0 ? code : art_pwrite_full(p->image, plain, row->plain_len,
						 base + row->plain_off, ART_TEMP_NAME, err);
}

/* A row that no record makes: copied, or missing. */
static int copy_row(struct pass *p, struct art_index *ix, const struct art_row *row,
		    uint64_t base, struct art_err *err)
{
	struct art_patch_check *c = p->c;
	struct art_row from;
	uint64_t off;
	int code;

	if (row->type == ART_ROW_ZERO)
		return 0;
	if (row->type == ART_ROW_COPY) {
		art_index_row(ix, row->ref, &from);
		if (art_pread_full(p->image, p->plain, row->plain_len, base + from.plain_off,
				   ART_TEMP_NAME, err) < 0)
			return err ? err->code : ART_E_FAILED;
		/* The row it copies may be missing itself. */
		if (art_row_check_plain(row, p->plain, p->sha256, NULL) < 0)
			c->missing += row->plain_len;
		else
			return put_row(p, row, base, p->plain, err);
		return 0;
	}
	if (!art_patch_seed_find(p->seed, row, &off)) {
		c->missing += row->plain_len;
		c->missing_stored += row->stored_len;
		return 0;
	}
	c->copied += row->plain_len;
	code = art_blob_read(p->old, p->plain, row->plain_len, off, err);
	return code < 0 ? code : put_row(p, row, base, p->plain, err);
}

static int copy_rows(struct pass *p, struct art_index *ix, uint32_t *next, uint32_t end,
		     uint64_t base, struct art_err *err)
{
	struct art_row row;
	int code = 0;

	for (; *next < end && code == 0; ++*next) {
		art_index_row(ix, *next, &row);
		code = copy_row(p, ix, &row, base, err);
	}
	return code;
}

static int put_record(struct pass *p, struct art_index *ix, const struct art_patch_record *r,
		      uint32_t *next, uint64_t base, struct art_err *err)
{
	const uint8_t *plain = p->window + ART_PATCH_WINDOW_MAX;
	uint32_t i, k;
	int code = 0;

	for (i = 0; i < r->run_count && code == 0; i++) {
		code = copy_rows(p, ix, next, r->runs[i].first, base, err);
		for (k = 0; k < r->runs[i].count && code == 0; k++) {
			struct art_row row;

			art_index_row(ix, r->runs[i].first + k, &row);
			code = put_row(p, &row, base, plain, err);
			plain += row.plain_len;
		}
		*next = r->runs[i].first + r->runs[i].count;
	}
	p->c->made += r->plain_len;
	return code;
}

/* Stored bytes always; what comes of them when the old image is there. */
static int check_record(struct pass *p, size_t segment, struct art_index *ix,
			const struct art_patch_record *r, uint32_t *next, struct art_err *err)
{
	uint64_t base = segment * ART_SEGMENT_SIZE;
	uint8_t *out = p->window + ART_PATCH_WINDOW_MAX;
	int code = art_patch_stored(p->c->patch, p->payload, segment, r, p->stored, err);

	p->c->records++;
	if (code < 0 || !ix)
		return code;
	/* Rows before it may be in its window. */
	code = copy_rows(p, ix, next, r->runs[0].first, base, err);
	if (code == 0)
		code = read_window(p, r, err);
	if (code == 0)
		code = art_patch_decode(p->decoder, r->codec, p->window, r->window_len, p->stored,
					r->stored_len, out, r->plain_len, err);
	return code < 0 ? code : put_record(p, ix, r, next, base, err);
}

static int check_segment(struct pass *p, size_t segment, struct art_err *err)
{
	struct art_patch_scope scope = { .base = segment * ART_SEGMENT_SIZE };
	cleanup_free struct art_patch_record *r = malloc(sizeof(*r));
	cleanup_free uint8_t *table = NULL;
	struct art_patch_cursor cursor;
	uint32_t next = 0;
	size_t len = 0, count;
	int code = r ? 0 : art_fail_memory(err);

	if (code == 0)
		code = p->seed ? open_index(p, segment, &scope.index, err) :
				 art_patch_check_index(p->c->patch, p->payload, segment, err);
	if (code == 0)
		code = art_patch_records(p->c->patch, p->payload, segment, &scope, &table, &len,
					 &count, err);
	if (code == 0) {
		art_patch_table_begin(&cursor, &scope, table, len);
		while ((code = art_patch_table_next(&cursor, r, err)) > 0) {
			code = check_record(p, segment, scope.index, r, &next, err);
			if (code < 0)
				break;
		}
	}
	if (code == 0 && scope.index)
		code = copy_rows(p, scope.index, &next, art_index_rows(scope.index), scope.base,
				 err);
	art_index_free(scope.index);
	return code < 0 ? code : art_patch_check_padding(p->c->patch, p->payload, segment, err);
}

/* Rows that are right make an image that is right, unless the artifact itself is at fault. */
static int check_image(struct pass *p, struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	uint64_t off = 0;
	int code = 0;

	if (ftruncate(p->image, (off_t)p->now->size) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot size %s", ART_TEMP_NAME);
	while (off < p->now->size && code == 0) {
		uint64_t left = p->now->size - off;
		size_t n = left < ART_CHUNK_MAX ? (size_t)left : ART_CHUNK_MAX;
		ssize_t got = art_pread_full(p->image, p->plain, n, off, ART_TEMP_NAME, err);

		code = got < 0 ? (int)got : art_digest_update(p->sha256, p->plain, n, err);
		off += n;
	}
	if (code == 0)
		code = art_digest_final(p->sha256, digest, err);
	if (code == 0 && memcmp(digest, p->now->sha256, ART_SHA256_LEN) != 0)
		code = art_fail(err, ART_E_IMAGE_DIGEST, "payload '%s' does not match its digest",
				p->now->name);
	return code;
}

static int check_payload(struct pass *p, struct art_err *err)
{
	uint64_t before = p->c->missing;
	size_t s;
	int code = p->c->old ? open_old(p, err) : 0;

	for (s = 0; s < p->now->segment_count && code == 0; s++)
		code = check_segment(p, s, err);
	if (code == 0 && p->seed && p->c->missing == before)
		code = check_image(p, err);
	return code;
}

int art_patch_check_payload(struct art_patch_check *c, size_t payload, struct art_err *err)
{
	struct pass p = { .c = c, .payload = payload, .image = -1 };
	size_t n;
	int code;

	/* Matched before: it is there. */
	p.now = find_payload(art_reader_manifest(c->reader),
			     art_patch_manifest(c->patch)->payloads[payload].name, &n);
	p.stored = malloc(ART_PATCH_RECORD_MAX);
	p.window = malloc(ART_PATCH_WINDOW_MAX + ART_PATCH_RECORD_MAX);
	p.plain = malloc(ART_CHUNK_MAX);
	code = p.now && p.stored && p.window && p.plain ? 0 : art_fail_memory(err);
	if (code == 0)
		code = art_sha256_new(&p.sha256, err);
	if (code == 0)
		code = art_patch_decoder_new(&p.decoder, err);
	p.dec = (struct art_patch_decoding){ decode, p.decoder };
	if (code == 0)
		code = check_payload(&p, err);
	art_patch_seed_free(p.seed);
	art_blob_free(p.old);
	art_patch_decoder_free(p.decoder);
	art_digest_free(p.sha256);
	if (p.image >= 0)
		close(p.image);
	free(p.stored);
	free(p.window);
	free(p.plain);
	return code;
}
