// SPDX-License-Identifier: Apache-2.0
/* The plainest user of the reader: no threads, no reordering, one row after the other. */
#include <stdlib.h>
#include <string.h>

#include "libartifact/blob.h"
#include "libartifact/chunk.h"
#include "libartifact/reader.h"
#include "libartifact/util.h"
#include "tests/vectors/judge.h"

struct walk {
	struct art_reader *reader;
	size_t payload;
	size_t segment;
	uint64_t start;            /* of the segment in the image */
	struct art_index *ix;
	struct art_decoder *decoder;
	struct art_digest *image;
	struct art_digest *chunk;
	struct art_blob *blob;     /* copy rows look back through it */
	uint8_t stored[ART_CHUNK_MAX];
	uint8_t plain[ART_CHUNK_MAX];
};

static const uint8_t zeros[65536];

static int walk_zero(struct walk *w, const struct art_row *row, struct art_err *err)
{
	uint32_t left = row->plain_len;
	int code = 0;

	while (code == 0 && left > 0) {
		uint32_t n = left < sizeof(zeros) ? left : (uint32_t)sizeof(zeros);

		code = art_digest_update(w->image, zeros, n, err);
		left -= n;
	}
	return code;
}

static int walk_copy(struct walk *w, const struct art_row *row, struct art_err *err)
{
	struct art_row source;
	int code;

	art_index_row(w->ix, row->ref, &source);
	code = art_blob_read(w->blob, w->plain, row->plain_len, w->start + source.plain_off, err);
	if (code == 0)
		code = art_digest_update(w->image, w->plain, row->plain_len, err);
	return code;
}

static int walk_row(struct walk *w, const struct art_row *row, struct art_err *err)
{
	const uint8_t *plain;
	int code;

	if (row->type == ART_ROW_ZERO)
		return walk_zero(w, row, err);
	if (row->type == ART_ROW_COPY)
		return walk_copy(w, row, err);
	if (row->group_start)
		art_decoder_reset(w->decoder);
	code = art_reader_stored(w->reader, w->payload, w->segment, row, w->stored, err);
	if (code == 0)
		code = art_decoder_chunk(w->decoder, row->type, w->stored, row->stored_len,
					 row->plain_len, &plain, err);
	if (code == 0)
		code = art_row_check_plain(row, plain, w->chunk, err);
	if (code == 0)
		code = art_digest_update(w->image, plain, row->plain_len, err);
	return code;
}

static int walk_segment(struct walk *w, struct art_err *err)
{
	struct art_row row;
	uint32_t i;
	int code = art_reader_open_index(w->reader, w->payload, w->segment, &w->ix, err);

	for (i = 0; code == 0 && i < art_index_rows(w->ix); i++) {
		art_index_row(w->ix, i, &row);
		code = walk_row(w, &row, err);
	}
	art_index_free(w->ix);
	w->ix = NULL;
	return code;
}

static int check_image(struct walk *w, const struct art_payload *p, struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	int code = art_digest_final(w->image, digest, err);

	if (code == 0 && memcmp(digest, p->sha256, sizeof(digest)) != 0)
		code = art_fail(err, ART_E_IMAGE_DIGEST, "payload '%s' is not what was signed", p->name);
	return code;
}

static int walk_segments(struct walk *w, const struct art_payload *p, struct art_err *err)
{
	int code = 0;

	for (w->segment = 0; code == 0 && w->segment < p->segment_count; w->segment++) {
		w->start = p->segments[w->segment].offset;
		code = walk_segment(w, err);
		if (code == 0 && w->segment + 1 == p->segment_count)
			code = check_image(w, p, err);
		if (code == 0)
			code = art_reader_check_padding(
				w->reader,
				art_reader_index_member(w->reader, w->payload, w->segment) + 1, err);
	}
	return code;
}

static int walk_payload(struct walk *w, struct art_err *err)
{
	const struct art_payload *p = &art_reader_manifest(w->reader)->payloads[w->payload];
	int code = art_sha256_new(&w->image, err);

	if (code == 0)
		code = art_sha256_new(&w->chunk, err);
	if (code == 0)
		code = art_decoder_new(&w->decoder, p->prefix, err);
	if (code == 0)
		code = art_blob_open_payload(&w->blob, w->reader, w->payload, err);
	if (code == 0)
		code = walk_segments(w, p, err);
	art_blob_free(w->blob);
	art_decoder_free(w->decoder);
	art_digest_free(w->chunk);
	art_digest_free(w->image);
	w->blob = NULL;
	w->decoder = NULL;
	w->chunk = w->image = NULL;
	return code;
}

static int walk_members(struct art_reader *r, struct art_err *err)
{
	const struct art_manifest *m = art_reader_manifest(r);
	static struct walk w;
	size_t i, len;
	int code = 0;

	w.reader = r;
	for (w.payload = 0; code == 0 && w.payload < m->payload_count; w.payload++)
		code = walk_payload(&w, err);
	for (i = 0; code == 0 && i < m->doc_count; i++) {
		uint8_t *doc = NULL;

		code = art_reader_doc(r, i, &doc, &len, err);
		free(doc);
	}
	return code < 0 ? code : art_reader_check_end(r, err);
}

int judge_artifact(struct art_source *src, const struct art_trust *trust,
		   const struct art_device *device, struct art_err *err)
{
	struct art_reader *r = NULL;
	int code = art_reader_open(&r, src, err);

	if (code == 0)
		code = art_reader_authenticate(r, trust, ART_ROLE_ARTIFACT, NULL, err);
	if (code == 0)
		code = art_reader_parse(r, err);
	if (code == 0 && device)
		code = art_compat_check(art_reader_manifest(r), device, err);
	if (code == 0)
		code = walk_members(r, err);
	art_reader_free(r);
	return code;
}
