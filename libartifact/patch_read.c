// SPDX-License-Identifier: Apache-2.0
/*
 * Reading a patch. As with artifacts, the layout of the file follows from what is signed, and each header is compared with the one that is
 * due at its place.
 */
#include <stdlib.h>
#include <string.h>

#include "libartifact/patch_index.h"
#include "libartifact/patch_read.h"
#include "libartifact/tar.h"

enum part { PART_INDEX, PART_RECORDS, PART_DATA, PARTS };

struct member {
	uint64_t header;
	uint64_t size;
};

struct art_patch {
	struct art_source *src;
	uint8_t *manifest_bytes;
	size_t manifest_len;
	uint8_t *sig_bytes;
	size_t sig_len;
	uint64_t first; /* file offset after patch.sig */
	bool trusted;
	struct art_patch_manifest *m;
	struct member *members; /* after artifact.zst: PARTS for each segment */
	uint64_t total;
	struct art_digest *sha256;
};

int art_patch_open(struct art_patch **out, struct art_source *src, struct art_err *err)
{
	struct art_patch *p = calloc(1, sizeof(*p));
	int code;

	if (!p)
		return art_fail_memory(err);
	p->src = src;
	code = art_sha256_new(&p->sha256, err);
	if (code == 0)
		code = art_read_first(src, ART_PATCH_MANIFEST, ART_MANIFEST_MAX, &p->first,
				      &p->manifest_bytes, &p->manifest_len, err);
	if (code == 0)
		code = art_read_first(src, ART_PATCH_SIG, ART_SIG_MEMBER_MAX, &p->first,
				      &p->sig_bytes, &p->sig_len, err);
	if (code < 0) {
		art_patch_free(p);
		return code;
	}
	*out = p;
	return 0;
}

void art_patch_free(struct art_patch *p)
{
	if (!p)
		return;
	art_patch_manifest_free(p->m);
	art_digest_free(p->sha256);
	free(p->members);
	free(p->manifest_bytes);
	free(p->sig_bytes);
	free(p);
}

const uint8_t *art_patch_manifest_bytes(const struct art_patch *p, size_t *len)
{
	*len = p->manifest_len;
	return p->manifest_bytes;
}

const uint8_t *art_patch_sig_bytes(const struct art_patch *p, size_t *len)
{
	*len = p->sig_len;
	return p->sig_bytes;
}

int art_patch_authenticate(struct art_patch *p, const struct art_trust *trust,
			   struct art_verdict *verdict, struct art_err *err)
{
	struct art_siglist list = { 0 };
	int code = art_siglist_parse(&list, p->sig_bytes, p->sig_len, err);

	if (code == 0)
		code = art_trust_judge(trust, ART_ROLE_PATCH, &list, p->manifest_bytes,
				       p->manifest_len, verdict, err);
	art_siglist_free(&list);
	p->trusted = code == 0;
	return code < 0 ? art_wrap(err, "the patch") : 0;
}

void art_patch_skip_trust(struct art_patch *p)
{
	p->trusted = true;
}

static void add_member(struct member *m, uint64_t *off, uint64_t size)
{
	m->header = *off;
	m->size = size;
	*off += ART_TAR_BLOCK + art_round_up(size, ART_TAR_BLOCK);
}

/* Sizes cannot overflow: each is at most 1 GiB, and there are at most 80000 segments. */
static int lay_out(struct art_patch *p, struct art_err *err)
{
	uint64_t off = p->first;
	struct member *m;
	size_t count = 1, i, s;

	for (i = 0; i < p->m->payload_count; i++)
		count += PARTS * p->m->payloads[i].segment_count;
	m = p->members = calloc(count, sizeof(*m));
	if (!m)
		return art_fail_memory(err);
	add_member(m++, &off, p->m->artifact.stored_size);
	for (i = 0; i < p->m->payload_count; i++) {
		for (s = 0; s < p->m->payloads[i].segment_count; s++) {
			const struct art_patch_segment *seg = &p->m->payloads[i].segments[s];

			add_member(m++, &off, seg->index_size);
			add_member(m++, &off, seg->records_size);
			add_member(m++, &off, seg->data_size);
		}
	}
	p->total = off + 2 * ART_TAR_BLOCK;
	return 0;
}

int art_patch_parse(struct art_patch *p, struct art_err *err)
{
	int code;

	if (!p->trusted)
		return art_fail(err, ART_E_FAILED, "patch.json has not been authenticated");
	if (p->m)
		return 0;
	code = art_patch_manifest_parse(&p->m, p->manifest_bytes, p->manifest_len, err);
	if (code == 0)
		code = lay_out(p, err);
	if (code < 0)
		return code;
	if (p->src->size < p->total)
		return art_fail(err, ART_E_TAR_TRUNCATED, "'%s' has %llu bytes of %llu",
				p->src->name, (unsigned long long)p->src->size,
				(unsigned long long)p->total);
	if (p->src->size != UINT64_MAX && p->src->size > p->total)
		return art_fail(err, ART_E_TAR_TRAILING, "'%s' has %llu bytes, %llu too many",
				p->src->name, (unsigned long long)p->src->size,
				(unsigned long long)(p->src->size - p->total));
	return 0;
}

const struct art_patch_manifest *art_patch_manifest(const struct art_patch *p)
{
	return p->m;
}

uint64_t art_patch_total_size(const struct art_patch *p)
{
	return p->total;
}

static const struct member *member_of(const struct art_patch *p, size_t payload, size_t segment,
				      enum part part)
{
	size_t before = 1, i;

	for (i = 0; i < payload; i++)
		before += PARTS * p->m->payloads[i].segment_count;
	return &p->members[before + PARTS * segment + part];
}

uint64_t art_patch_data_offset(const struct art_patch *p, size_t payload, size_t segment)
{
	return member_of(p, payload, segment, PART_DATA)->header + ART_TAR_BLOCK;
}

uint64_t art_patch_segment_offset(const struct art_patch *p, size_t payload, size_t segment)
{
	return member_of(p, payload, segment, PART_INDEX)->header;
}

static int check_header(struct art_patch *p, const struct member *m, const char *name,
			struct art_err *err)
{
	uint8_t block[ART_TAR_BLOCK];
	int code = art_source_read(p->src, m->header, block, sizeof(block), err);

	return code < 0 ? code : art_tar_expect(block, name, m->size, err);
}

static int check_padding(struct art_patch *p, const struct member *m, const char *name,
			 struct art_err *err)
{
	size_t len = (size_t)(art_round_up(m->size, ART_TAR_BLOCK) - m->size);
	uint8_t pad[ART_TAR_BLOCK];
	int code = len ? art_source_read(p->src, m->header + ART_TAR_BLOCK + m->size, pad, len,
					 err) : 0;

	if (code == 0 && len && !art_is_zero(pad, len))
		code = art_fail(err, ART_E_TAR_PADDING, "the padding after '%s' is not zero", name);
	return code;
}

/* A whole member of at most 4 MiB (patch.json says how many bytes it has), compared with its digest. */
static int read_member(struct art_patch *p, const struct member *m, const char *name,
		       const uint8_t sha256[ART_SHA256_LEN], uint8_t **out, struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	uint8_t digest[ART_SHA256_LEN];
	int code = check_header(p, m, name, err);

	if (code < 0)
		return code;
	bytes = malloc((size_t)m->size + 1);
	if (!bytes)
		return art_fail_memory(err);
	if (m->size)
		code = art_source_read(p->src, m->header + ART_TAR_BLOCK, bytes, (size_t)m->size,
				       err);
	if (code == 0)
		code = art_digest_once(p->sha256, bytes, (size_t)m->size, digest, err);
	if (code == 0 && memcmp(digest, sha256, ART_SHA256_LEN) != 0)
		code = art_fail(err, ART_E_PATCH_TABLE, "'%s' of the patch does not match its digest",
				name);
	if (code == 0)
		code = check_padding(p, m, name, err);
	if (code == 0)
		*out = steal_ptr(bytes);
	return code;
}

int art_patch_artifact(struct art_patch *p, const struct art_patch_decoding *dec,
		       uint8_t **manifest, uint8_t **sig, struct art_err *err)
{
	const struct art_patch_end *e = &p->m->artifact;
	size_t a = (size_t)e->manifest_size, b = (size_t)e->signatures_size;
	cleanup_free uint8_t *stored = NULL, *both = NULL;
	int code = read_member(p, &p->members[0], ART_PATCH_ARTIFACT, e->stored_sha256, &stored,
			       err);

	if (code < 0)
		return code;
	both = malloc(a + b);
	*sig = malloc(b);
	if (!both || !*sig)
		code = art_fail_memory(err);
	if (code == 0)
		code = dec->decode(dec->ctx, ART_PATCH_ZSTD, NULL, 0, stored,
				   (size_t)e->stored_size, both, a + b, err);
	if (code < 0) {
		free(*sig);
		*sig = NULL;
		return code;
	}
	memcpy(*sig, both + a, b);
	*manifest = steal_ptr(both);
	return 0;
}

static int match_fail(struct art_err *err, const char *what)
{
	return art_fail(err, ART_E_PATCH_ARTIFACT, "the patch is for another artifact: %s", what);
}

int art_patch_match_digest(const struct art_patch *p, const uint8_t *bytes, size_t len,
			   struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	int code = art_digest_once(p->sha256, bytes, len, digest, err);

	if (code == 0 && memcmp(digest, p->m->artifact.digest, ART_SHA256_LEN) != 0)
		code = match_fail(err, "its manifest has another digest");
	return code;
}

int art_patch_match(const struct art_patch *p, const struct art_manifest *manifest,
		    struct art_err *err)
{
	size_t i, k = 0;

	for (i = 0; i < p->m->payload_count; i++, k++) {
		const struct art_patch_payload *mine = &p->m->payloads[i];

		while (k < manifest->payload_count &&
		       strcmp(manifest->payloads[k].name, mine->name) != 0)
			k++;
		if (k == manifest->payload_count)
			return match_fail(err, "it has no such payload, or not in this order");
		if (manifest->payloads[k].size != mine->size ||
		    memcmp(manifest->payloads[k].sha256, mine->sha256, ART_SHA256_LEN) != 0)
			return match_fail(err, "the image of a payload is another one");
	}
	return 0;
}

size_t art_patch_find_payload(const struct art_patch *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->m->payload_count; i++)
		if (strcmp(p->m->payloads[i].name, name) == 0)
			return i;
	return SIZE_MAX;
}

/* Pieces of 1 MiB, the last one shorter: stored length, then the frame. */
static int decode_pieces(const uint8_t *p, size_t left, const struct art_patch_decoding *dec,
			 const uint8_t *old, size_t old_len, uint8_t *out, size_t len,
			 struct art_err *err)
{
	while (len > 0) {
		size_t n = len < ART_PATCH_PIECE ? len : ART_PATCH_PIECE;
		uint32_t stored;
		int code;

		if (!p || left < 4)
			return art_fail(err, ART_E_PATCH_TABLE, "the patch's index ends early");
		stored = art_get32(p);
		if (stored > left - 4 || stored > ART_PATCH_RECORD_MAX)
			return art_fail(err, ART_E_PATCH_TABLE, "an impossible piece of an index");
		code = dec->decode(dec->ctx, ART_PATCH_ZSTD, old, old_len, p + 4, stored, out, n,
				   err);
		if (code < 0)
			return code;
		p += 4 + stored;
		left -= 4 + stored;
		out += n;
		len -= n;
	}
	if (left > 0)
		return art_fail(err, ART_E_PATCH_TABLE, "bytes follow the patch's index");
	return 0;
}

int art_patch_index(struct art_patch *p, size_t payload, size_t segment,
		    const struct art_patch_decoding *dec, const uint8_t *old, uint64_t old_size,
		    const struct art_segment *seg, struct art_index **out, struct art_err *err)
{
	const struct art_patch_segment *mine = &p->m->payloads[payload].segments[segment];
	cleanup_free uint8_t *stored = NULL, *before = NULL, *columns = NULL;
	char name[ART_TAR_NAME_MAX + 1];
	size_t before_len = 0, len;
	uint32_t pages, rows;
	int code = art_index_shape(seg->index_size, &pages, &rows, err);

	art_tar_index_name(name, p->m->payloads[payload].name, segment);
	if (code == 0)
		code = read_member(p, member_of(p, payload, segment, PART_INDEX), name,
				   mine->index_sha256, &stored, err);
	if (code == 0 && mine->old_index_sha256 && !old)
		code = art_fail(err, ART_E_PATCH_OLD, "the patch needs the index of the old image");
	if (code == 0 && mine->old_index_sha256)
		code = art_patch_columns(old, old_size, &before, &before_len, err);
	if (code < 0)
		return code;
	len = (size_t)rows * ART_ROW_SIZE;
	columns = malloc(len);
	if (!columns)
		return art_fail_memory(err);
	code = decode_pieces(stored, (size_t)mine->index_size, dec, before, before_len, columns,
			     len, err);
	return code < 0 ? code : art_patch_index_open(out, columns, len, seg, err);
}

int art_patch_check_index(struct art_patch *p, size_t payload, size_t segment,
			  struct art_err *err)
{
	const struct art_patch_payload *mine = &p->m->payloads[payload];
	cleanup_free uint8_t *stored = NULL;
	char name[ART_TAR_NAME_MAX + 1];

	art_tar_index_name(name, mine->name, segment);
	return read_member(p, member_of(p, payload, segment, PART_INDEX), name,
			   mine->segments[segment].index_sha256, &stored, err);
}

int art_patch_records(struct art_patch *p, size_t payload, size_t segment,
		      struct art_patch_scope *scope, uint8_t **table, size_t *len,
		      size_t *count, struct art_err *err)
{
	const struct art_patch_payload *mine = &p->m->payloads[payload];
	const struct art_patch_segment *seg = &mine->segments[segment];
	cleanup_free uint8_t *bytes = NULL;
	char name[ART_TAR_NAME_MAX + 1];
	int code;

	art_tar_records_name(name, mine->name, segment);
	code = read_member(p, member_of(p, payload, segment, PART_RECORDS), name,
			   seg->records_sha256, &bytes, err);
	if (code < 0)
		return code;
	scope->old_size = mine->old_size;
	scope->data_size = seg->data_size;
	*len = (size_t)seg->records_size;
	code = art_patch_table_judge(scope, bytes, *len, count, err);
	art_tar_data_name(name, mine->name, segment);
	if (code == 0)
		code = check_header(p, member_of(p, payload, segment, PART_DATA), name, err);
	if (code == 0)
		*table = steal_ptr(bytes);
	return code;
}

int art_patch_stored(struct art_patch *p, size_t payload, size_t segment,
		     const struct art_patch_record *r, uint8_t *buf, struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	int code = art_source_read(p->src, art_patch_data_offset(p, payload, segment) + r->data_off,
				   buf, r->stored_len, err);

	if (code == 0)
		code = art_digest_once(p->sha256, buf, r->stored_len, digest, err);
	if (code == 0 && memcmp(digest, r->digest, ART_PATCH_DIGEST) != 0)
		code = art_fail(err, ART_E_PATCH_RECORD,
				"the bytes of a record of the patch do not match their digest");
	return code;
}

int art_patch_check_padding(struct art_patch *p, size_t payload, size_t segment,
			    struct art_err *err)
{
	char name[ART_TAR_NAME_MAX + 1];

	art_tar_data_name(name, p->m->payloads[payload].name, segment);
	return check_padding(p, member_of(p, payload, segment, PART_DATA), name, err);
}

int art_patch_check_end(struct art_patch *p, struct art_err *err)
{
	uint8_t end[2 * ART_TAR_BLOCK];
	int code = art_source_read(p->src, p->total - sizeof(end), end, sizeof(end), err);
	ssize_t n;

	if (code < 0)
		return code;
	if (!art_is_zero(end, sizeof(end)))
		return art_fail(err, ART_E_TAR_END, "the patch does not end with two zero blocks");
	n = p->src->ops->read_at(p->src, p->total, end, 1, err);
	if (n < 0)
		return (int)n;
	if (n > 0)
		return art_fail(err, ART_E_TAR_TRAILING, "bytes follow the end of '%s'", p->src->name);
	return 0;
}
