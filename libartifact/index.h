/* SPDX-License-Identifier: Apache-2.0 */
/* The chunk index of one segment (format.md sections 6 and 7). */
#ifndef ART_INDEX_H
#define ART_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"
#include "libartifact/manifest.h"

#define ART_PAGE_SIZE 16384
#define ART_PAGE_HEADER 24
#define ART_ROW_SIZE 40
#define ART_PAGE_ROWS 409
#define ART_PAGES_MAX 127
#define ART_INDEX_MAX (ART_PAGES_MAX * (ART_SHA256_LEN + ART_PAGE_SIZE))
#define ART_CHUNK_MAX (1024 * 1024)
#define ART_GROUP_MAX (4 * 1024 * 1024)
#define ART_ZERO_MAX ((UINT32_C(1) << 28) - 1)
#define ART_STORED_DIGEST 12
#define ART_PLAIN_DIGEST 16
#define ART_HEAD_SPAN 4096 /* plain bytes that the head of a row covers */
#define ART_HEAD_LEN 4
/* Many rows may begin alike, and many places of a seed: so often a row is compared for nothing, then it is given up. */
#define ART_HEAD_TRIES 16

enum art_row_type { ART_ROW_ZSTD, ART_ROW_RAW, ART_ROW_ZERO, ART_ROW_COPY };

struct art_row {
	enum art_row_type type;
	bool group_start;
	uint32_t number;    /* in the segment */
	uint32_t plain_len;
	uint32_t stored_len; /* 0 for zero and copy rows */
	uint32_t ref;       /* copy rows: the row it copies */
	uint8_t head[ART_HEAD_LEN];
	uint8_t stored_digest[ART_STORED_DIGEST];
	uint8_t plain_digest[ART_PLAIN_DIGEST];
	uint64_t plain_off; /* in the segment */
	uint64_t data_off;  /* in the data member */
};

/* Stored rows make up groups and histories; zero and copy rows stand beside them. */
static inline bool art_row_is_stored(const struct art_row *row)
{
	return row->type == ART_ROW_ZSTD || row->type == ART_ROW_RAW;
}

/* What has changed lies about where it lay: whether a device looks for the rows of the segment at BASE of the new payload at the pages of
 * the row at OFF of the old one. */
static inline bool art_head_is_near(uint64_t off, uint64_t base)
{
	const uint64_t near = UINT64_C(64) * 1024 * 1024;

	return off + near >= base && off <= base + ART_SEGMENT_SIZE + near;
}

/* The fields of ART_ROW_SIZE bytes at P, as they stand there and unjudged: of an index that is not opened as a whole. Sets neither number
 * nor offsets. */
void art_row_decode(const uint8_t *p, struct art_row *row);

/* Number of pages and rows that an index member of this size has; ART_E_INDEX_SIZE. */
int art_index_shape(uint64_t index_size, uint32_t *pages, uint32_t *rows,
		    struct art_err *err);

/* The size of an index with this many rows (>= 1). */
uint64_t art_index_size(uint32_t rows);

struct art_index;

/* Take over BYTES (malloc'ed, seg->index_size of them), check table, pages and every rule of
 * section 7. BYTES is freed on failure too. */
int art_index_open(struct art_index **out, uint8_t *bytes, const struct art_segment *seg,
		   struct art_err *err);
void art_index_free(struct art_index *ix);
uint32_t art_index_rows(const struct art_index *ix);

/* The index member as it was opened (the segment's index_size bytes); belongs to the index. */
const uint8_t *art_index_bytes(const struct art_index *ix);

/* Row I < art_index_rows(). Constant time for rows in order, a page scan otherwise. */
void art_index_row(struct art_index *ix, uint32_t i, struct art_row *row);

/* The same without the offsets, in constant time in any order. */
void art_index_peek(const struct art_index *ix, uint32_t i, struct art_row *row);

/* The row that holds plain offset OFF (< the segment's size). */
uint32_t art_index_find(struct art_index *ix, uint64_t off);

/* The first row of the group that row I (a stored row) belongs to. */
uint32_t art_index_group(struct art_index *ix, uint32_t i);

/* Writing: pack rows (in order; plain_off and data_off are computed) into a new index member and
 * give the table's digest. The caller frees *BYTES. */
int art_index_pack(const struct art_row *rows, uint32_t count, uint8_t **bytes,
		   uint64_t *size, uint8_t sha256[ART_SHA256_LEN], struct art_err *err);

#endif
