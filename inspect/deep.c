// SPDX-License-Identifier: Apache-2.0
/*
 * Decoding a whole payload in order. A copy row may name any earlier chunk of its
 * segment; the index says beforehand which ones will be named, and only these are kept,
 * in a sparse unlinked file, so that memory stays bounded and a pipe needs no going back.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/deep.h"
#include "inspect/inspect.h"
#include "libartifact/chunk.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define ROWS_MAX ((size_t)ART_PAGES_MAX * ART_PAGE_ROWS)
#define ZEROS ((size_t)64 * 1024)

struct deep {
	struct art_decoder *decoder;
	struct art_digest *chunk;
	struct art_digest *image;
	int fd;		       /* kept chunks at their plain offset; -1: none so far */
	bool copied[ROWS_MAX]; /* rows that a later row copies */
	uint32_t offset[ROWS_MAX]; /* their plain offset, once they are kept */
	uint8_t zeros[ZEROS];
	uint8_t buf[ART_CHUNK_MAX];
};

int deep_new(struct deep **out, const struct art_payload *payload, struct art_err *err)
{
	struct deep *d = calloc(1, sizeof(*d));
	int code;

	if (!d)
		return art_fail_memory(err);
	d->fd = -1;
	code = art_decoder_new(&d->decoder, payload->prefix, err);
	if (code == 0)
		code = art_sha256_new(&d->chunk, err);
	if (code == 0)
		code = art_sha256_new(&d->image, err);
	if (code < 0) {
		deep_free(d);
		return code;
	}
	*out = d;
	return 0;
}

void deep_free(struct deep *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		close(d->fd);
	art_digest_free(d->image);
	art_digest_free(d->chunk);
	art_decoder_free(d->decoder);
	free(d);
}

int deep_segment(struct deep *d, struct art_index *ix, struct art_err *err)
{
	uint32_t count = art_index_rows(ix), i;
	struct art_row row;
	bool any = false;

	memset(d->copied, 0, sizeof(d->copied));
	for (i = 0; i < count; i++) {
		art_index_row(ix, i, &row);
		if (row.type == ART_ROW_COPY)
			d->copied[row.ref] = any = true;
	}
	return any && d->fd < 0 ? inspect_temp_file(&d->fd, err) : 0;
}

static int add_zeros(struct deep *d, uint32_t len, struct art_err *err)
{
	int code = 0;

	while (code == 0 && len > 0) {
		uint32_t n = len < ZEROS ? len : (uint32_t)ZEROS;

		code = art_digest_update(d->image, d->zeros, n, err);
		len -= n;
	}
	return code;
}

static int add_copy(struct deep *d, const struct art_row *row, struct art_err *err)
{
	ssize_t n = art_pread_full(d->fd, d->buf, row->plain_len, d->offset[row->ref],
				   inspect_temp_name(), err);

	if (n < 0)
		return (int)n;
	if ((size_t)n < row->plain_len)
		return art_fail(err, ART_E_IO, "'%s' became shorter", inspect_temp_name());
	return art_digest_update(d->image, d->buf, row->plain_len, err);
}

int deep_row(struct deep *d, const struct art_row *row, const uint8_t *stored,
	     struct art_err *err)
{
	const uint8_t *plain;
	int code;

	if (row->type == ART_ROW_ZERO)
		return add_zeros(d, row->plain_len, err);
	if (row->type == ART_ROW_COPY)
		return add_copy(d, row, err);
	if (row->group_start)
		art_decoder_reset(d->decoder);
	code = art_decoder_chunk(d->decoder, row->type, stored, row->stored_len,
				 row->plain_len, &plain, err);
	if (code == 0)
		code = art_row_check_plain(row, plain, d->chunk, err);
	if (code == 0)
		code = art_digest_update(d->image, plain, row->plain_len, err);
	if (code < 0 || !d->copied[row->number])
		return code;
	d->offset[row->number] = (uint32_t)row->plain_off;
	return art_pwrite_full(d->fd, plain, row->plain_len, row->plain_off,
			       inspect_temp_name(), err);
}

int deep_end(struct deep *d, const struct art_payload *payload, struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	int code = art_digest_final(d->image, digest, err);

	if (code == 0 && memcmp(digest, payload->sha256, sizeof(digest)) != 0)
		code = art_fail(err, ART_E_IMAGE_DIGEST,
				"the image of payload '%s' does not match its digest",
				payload->name);
	return code;
}
