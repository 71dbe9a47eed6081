// SPDX-License-Identifier: Apache-2.0
/*
 * An index member. Its digests and sums are made right here, so that the rules for rows are reached; what is
 * accepted is walked by every function that reads it.
 */
#include <string.h>

#include "fuzz.h"
#include "libartifact/index.h"

/* Digests of the pages into the table; the segment gets what its rows add up to. */
static void make_right(uint8_t *bytes, uint32_t pages, uint32_t rows, struct art_segment *seg)
{
	struct art_err err;
	uint32_t page, i;

	for (page = 0; page < pages; page++) {
		uint8_t *p = bytes + (size_t)pages * ART_SHA256_LEN + (size_t)page * ART_PAGE_SIZE;
		uint32_t n = page + 1 < pages ? ART_PAGE_ROWS : rows - page * ART_PAGE_ROWS;

		/* Page headers are a function of the rows; one in eight is left as it came. */
		if (p[16] % 8) {
			art_put64(p, seg->size);
			art_put64(p + 8, seg->data_size);
			art_put32(p + 16, page * ART_PAGE_ROWS);
			art_put16(p + 20, (uint16_t)n);
			art_put16(p + 22, 0);
		}
		for (i = 0; i < n; i++) {
			const uint8_t *row = p + ART_PAGE_HEADER + (size_t)i * ART_ROW_SIZE;
			uint32_t word = art_get32(row);

			seg->size += word & ART_ZERO_MAX;
			if ((word >> 28 & 3) <= ART_ROW_RAW)
				seg->data_size += art_get32(row + 4);
		}
		MUST(art_sha256(p, ART_PAGE_HEADER + (size_t)n * ART_ROW_SIZE,
				bytes + (size_t)page * ART_SHA256_LEN, &err) == 0);
	}
	MUST(art_sha256(bytes, (size_t)pages * ART_SHA256_LEN, seg->index_sha256, &err) == 0);
}

static void walk(struct art_index *ix, const struct art_segment *seg)
{
	uint32_t count = art_index_rows(ix);
	uint64_t plain = 0, data = 0;
	struct art_row row, again;
	uint32_t i;

	for (i = 0; i < count; i++) {
		art_index_row(ix, i, &row);
		MUST(row.number == i && row.plain_off == plain && row.data_off == data);
		MUST(row.plain_len > 0 && row.ref <= i);
		MUST(art_row_is_stored(&row) || row.stored_len == 0);
		plain += row.plain_len;
		data += row.stored_len;
		if (i % 97)
			continue;
		MUST(art_index_find(ix, row.plain_off) == i);
		MUST(art_index_find(ix, row.plain_off + row.plain_len - 1) == i);
		if (art_row_is_stored(&row)) {
			art_index_row(ix, art_index_group(ix, i), &again);
			MUST(again.group_start && again.number <= i);
		}
	}
	MUST(plain == seg->size && data == seg->data_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct art_segment seg = { .index_size = len };
	struct art_index *ix = NULL;
	struct art_err err;
	uint32_t pages, rows;
	uint8_t *copy;

	if (art_index_shape(len, &pages, &rows, &err) < 0)
		return 0;
	copy = malloc(len);
	if (!copy)
		return 0;
	memcpy(copy, bytes, len);
	make_right(copy, pages, rows, &seg);
	if (art_index_open(&ix, copy, &seg, &err) == 0)
		walk(ix, &seg);
	art_index_free(ix);
	return 0;
}
