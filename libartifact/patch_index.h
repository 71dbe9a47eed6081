/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chunk index by columns (format.md section 16.3): all words, then all stored lengths, heads, stored digests and plain digests. Without pages and
 * their table, which follow from the rows, and with like beside like it compresses against the old one's.
 */
#ifndef ART_PATCH_INDEX_H
#define ART_PATCH_INDEX_H

#include "libartifact/index.h"

/* The columns of an index member of SIZE bytes: ART_ROW_SIZE bytes for each row, which is *LEN. BYTES is only read; its shape has been
 * judged. The caller frees. */
int art_patch_columns(const uint8_t *bytes, uint64_t size, uint8_t **out, size_t *len,
		      struct art_err *err);

/* Back: the index member that SEG's index must be, opened and judged against SEG. */
int art_patch_index_open(struct art_index **out, const uint8_t *columns, size_t len,
			 const struct art_segment *seg, struct art_err *err);

#endif
