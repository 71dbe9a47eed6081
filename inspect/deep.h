/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding a whole payload in order: every plain chunk and the image against their
 * digests, one pass, nothing kept but the chunks that are copied later. */
#ifndef INSPECT_DEEP_H
#define INSPECT_DEEP_H

#include "libartifact/index.h"

struct deep;

int deep_new(struct deep **out, const struct art_payload *payload, struct art_err *err);
void deep_free(struct deep *d);

/* A segment begins; looks through IX for the chunks that will be copied. */
int deep_segment(struct deep *d, struct art_index *ix, struct art_err *err);

/* The next row; STORED are its stored bytes, compared with their digest. */
int deep_row(struct deep *d, const struct art_row *row, const uint8_t *stored,
	     struct art_err *err);

/* After the last row: the digest of the image. */
int deep_end(struct deep *d, const struct art_payload *payload, struct art_err *err);

#endif
