// SPDX-License-Identifier: Apache-2.0
/* Comparing bytes of two artifacts by their indexes. */
#include <string.h>

#include "libartifact/blob.h"

/* A and B cover the same N bytes of what is compared, of which LEFT remain. */
static enum art_same compare(const struct art_blob_piece *a, const struct art_blob_piece *b, uint64_t left)
{
	if (a->zero || b->zero)
		return a->zero && b->zero ? ART_SAME_YES : ART_SAME_UNKNOWN;
	/* Pieces that are cut in different places say nothing of each other. */
	if (a->skip != b->skip || a->left != b->left)
		return ART_SAME_UNKNOWN;
	if (memcmp(a->digest, b->digest, sizeof(a->digest)) == 0)
		return ART_SAME_YES;
	/* The difference may lie outside, unless all of the piece is compared. */
	return a->skip == 0 && a->left <= left ? ART_SAME_NO : ART_SAME_UNKNOWN;
}

int art_blob_same(struct art_blob *a, uint64_t a_off, struct art_blob *b, uint64_t b_off, uint64_t len,
		  enum art_same *out, struct art_err *err)
{
	struct art_blob_piece p, q;
	uint64_t done, n;
	int code;

	*out = a->piece && b->piece ? ART_SAME_YES : ART_SAME_UNKNOWN;
	if (a_off > a->size || len > a->size - a_off || b_off > b->size || len > b->size - b_off)
		return art_fail(err, ART_E_IO, "comparing '%s' beyond its end", a->name);
	for (done = 0; *out != ART_SAME_NO && a->piece && b->piece && done < len; done += n) {
		enum art_same now;

		code = a->piece(a, a_off + done, &p, err);
		if (code == 0)
			code = b->piece(b, b_off + done, &q, err);
		if (code < 0)
			return code;
		now = compare(&p, &q, len - done);
		/* One piece that differs settles it, whatever is known of the others. */
		if (now != ART_SAME_YES)
			*out = now;
		n = p.left < q.left ? p.left : q.left;
	}
	return 0;
}
