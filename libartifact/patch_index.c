// SPDX-License-Identifier: Apache-2.0
/* Rows to columns and back. What comes back is an index like any other: art_index_open judges it. */
#include <stdlib.h>
#include <string.h>

#include "libartifact/patch_index.h"

static const struct {
	size_t at, len; /* in the row */
} fields[] = { { 0, 4 }, { 4, 4 }, { 8, 4 }, { 12, 12 }, { 24, 16 } };

/* Where row I lies in an index member of PAGES pages. */
static size_t row_at(uint32_t pages, uint32_t i)
{
	return (size_t)pages * ART_SHA256_LEN + (size_t)(i / ART_PAGE_ROWS) * ART_PAGE_SIZE +
	       ART_PAGE_HEADER + (size_t)(i % ART_PAGE_ROWS) * ART_ROW_SIZE;
}

int art_patch_columns(const uint8_t *bytes, uint64_t size, uint8_t **out, size_t *len,
		      struct art_err *err)
{
	uint32_t pages, rows, i;
	size_t f;
	uint8_t *p;
	int code = art_index_shape(size, &pages, &rows, err);

	if (code < 0)
		return code;
	*len = (size_t)rows * ART_ROW_SIZE;
	p = *out = malloc(*len);
	if (!p)
		return art_fail_memory(err);
	for (f = 0; f < ART_ARRAY_SIZE(fields); f++)
		for (i = 0; i < rows; i++, p += fields[f].len)
			memcpy(p, bytes + row_at(pages, i) + fields[f].at, fields[f].len);
	return 0;
}

/* The rows as they are, so that a fault in them is found by the one who judges rows. */
static void put_page_header(uint8_t *page, uint32_t first, uint32_t count, uint64_t plain,
			    uint64_t data)
{
	art_put64(page, plain);
	art_put64(page + 8, data);
	art_put32(page + 16, first);
	art_put16(page + 20, (uint16_t)count);
	art_put16(page + 22, 0);
}

static int finish_pages(uint8_t *bytes, uint32_t pages, uint32_t rows, struct art_err *err)
{
	uint64_t plain = 0, data = 0;
	uint32_t page, i;
	int code = 0;

	for (page = 0; page < pages && code == 0; page++) {
		uint32_t first = page * ART_PAGE_ROWS;
		uint32_t count = rows - first < ART_PAGE_ROWS ? rows - first : ART_PAGE_ROWS;
		uint8_t *head = bytes + row_at(pages, first) - ART_PAGE_HEADER;

		put_page_header(head, first, count, plain, data);
		for (i = 0; i < count; i++) {
			const uint8_t *row = head + ART_PAGE_HEADER + (size_t)i * ART_ROW_SIZE;
			uint32_t word = art_get32(row);

			plain += word & ART_ZERO_MAX;
			/* Types 0 and 1 store something. */
			if ((word >> 28 & 3) < ART_ROW_ZERO)
				data += art_get32(row + 4);
		}
		code = art_sha256(head, ART_PAGE_HEADER + (size_t)count * ART_ROW_SIZE,
				  bytes + (size_t)page * ART_SHA256_LEN, err);
	}
	return code;
}

int art_patch_index_open(struct art_index **out, const uint8_t *columns, size_t len,
			 const struct art_segment *seg, struct art_err *err)
{
	uint32_t pages, rows, i;
	uint8_t *bytes;
	size_t f;
	int code = art_index_shape(seg->index_size, &pages, &rows, err);

	if (code < 0)
		return code;
	if (len != (size_t)rows * ART_ROW_SIZE)
		return art_fail(err, ART_E_PATCH_TABLE, "the patch's index has %zu bytes, %zu are due",
				len, (size_t)rows * ART_ROW_SIZE);
	bytes = calloc(1, (size_t)seg->index_size);
	if (!bytes)
		return art_fail_memory(err);
	for (f = 0; f < ART_ARRAY_SIZE(fields); f++)
		for (i = 0; i < rows; i++, columns += fields[f].len)
			memcpy(bytes + row_at(pages, i) + fields[f].at, columns, fields[f].len);
	code = finish_pages(bytes, pages, rows, err);
	if (code < 0) {
		free(bytes);
		return code;
	}
	return art_index_open(out, bytes, seg, err);
}
