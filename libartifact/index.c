// SPDX-License-Identifier: Apache-2.0
/*
 * The chunk index of a segment. art_index_open judges everything at once: after it every row can be
 * used without a further check.
 */
#include <stdlib.h>
#include <string.h>

#include "libartifact/index.h"
#include "libartifact/util.h"

#define PAGE_COST (ART_SHA256_LEN + ART_PAGE_SIZE)
#define LENGTH_BITS 0x0fffffffu
#define TYPE_SHIFT 28
#define GROUP_BIT (1u << 30)
#define RESERVED_BIT (1u << 31)

struct art_index {
	uint8_t *bytes; /* table, then pages */
	const uint8_t *pages;
	uint32_t page_count;
	uint32_t row_count;
	/* The place after the row that was read last: rows in order cost constant time. */
	uint32_t next;
	uint64_t next_plain;
	uint64_t next_data;
};

int art_index_shape(uint64_t index_size, uint32_t *pages, uint32_t *rows,
		    struct art_err *err)
{
	uint64_t count = (index_size + PAGE_COST - 1) / PAGE_COST;
	uint64_t rest;

	if (index_size == 0 || index_size > ART_INDEX_MAX)
		return art_fail(err, ART_E_INDEX_SIZE, "an index of %llu bytes is impossible",
				(unsigned long long)index_size);
	rest = index_size - count * ART_SHA256_LEN;
	rest = index_size < count * ART_SHA256_LEN ? 0 : rest - (count - 1) * ART_PAGE_SIZE;
	if (rest <= ART_PAGE_HEADER || rest > ART_PAGE_SIZE ||
	    (rest - ART_PAGE_HEADER) % ART_ROW_SIZE != 0)
		return art_fail(err, ART_E_INDEX_SIZE,
				"an index of %llu bytes has no whole number of rows",
				(unsigned long long)index_size);
	*pages = (uint32_t)count;
	*rows = (uint32_t)((count - 1) * ART_PAGE_ROWS + (rest - ART_PAGE_HEADER) / ART_ROW_SIZE);
	return 0;
}

uint64_t art_index_size(uint32_t rows)
{
	uint64_t pages = ((uint64_t)rows + ART_PAGE_ROWS - 1) / ART_PAGE_ROWS;

	return pages * (ART_SHA256_LEN + ART_PAGE_HEADER) + (uint64_t)rows * ART_ROW_SIZE;
}

static const uint8_t *page_of(const struct art_index *ix, uint32_t page)
{
	return ix->pages + (size_t)page * ART_PAGE_SIZE;
}

static uint32_t rows_in_page(const struct art_index *ix, uint32_t page)
{
	uint32_t first = page * ART_PAGE_ROWS;
	uint32_t left = ix->row_count - first;

	return left < ART_PAGE_ROWS ? left : ART_PAGE_ROWS;
}

static const uint8_t *row_bytes(const struct art_index *ix, uint32_t i)
{
	return page_of(ix, i / ART_PAGE_ROWS) + ART_PAGE_HEADER +
	       (size_t)(i % ART_PAGE_ROWS) * ART_ROW_SIZE;
}

void art_row_decode(const uint8_t *p, struct art_row *row)
{
	uint32_t word = art_get32(p);
	uint32_t second = art_get32(p + 4);

	row->plain_len = word & LENGTH_BITS;
	row->type = (enum art_row_type)(word >> TYPE_SHIFT & 3);
	row->group_start = (word & GROUP_BIT) != 0;
	row->stored_len = art_row_is_stored(row) ? second : 0;
	row->ref = row->type == ART_ROW_COPY ? second : 0;
	memcpy(row->head, p + 8, sizeof(row->head));
	memcpy(row->stored_digest, p + 12, ART_STORED_DIGEST);
	memcpy(row->plain_digest, p + 24, ART_PLAIN_DIGEST);
}

static int row_fail(struct art_err *err, uint32_t i, const char *what)
{
	return art_fail(err, ART_E_INDEX_ROW, "index row %u: %s", i, what);
}

/* The rules that a copy row and the row it names must keep together. */
static int check_copy(const struct art_index *ix, const struct art_row *row, uint32_t i,
		      struct art_err *err)
{
	struct art_row other;

	if (row->ref >= i)
		return row_fail(err, i, "copies a row that does not come before it");
	art_row_decode(row_bytes(ix, row->ref), &other);
	if (!art_row_is_stored(&other))
		return row_fail(err, i, "copies a row that stores nothing");
	if (other.plain_len != row->plain_len ||
	    memcmp(other.head, row->head, sizeof(row->head)) != 0 ||
	    memcmp(other.plain_digest, row->plain_digest, ART_PLAIN_DIGEST) != 0)
		return row_fail(err, i, "differs from the row that it copies");
	return 0;
}

static int check_row(const struct art_index *ix, const struct art_row *row, uint32_t i,
		     struct art_err *err)
{
	const uint8_t *p = row_bytes(ix, i);

	if (art_get32(p) & RESERVED_BIT)
		return row_fail(err, i, "the reserved bit is set");
	if (row->plain_len == 0)
		return row_fail(err, i, "no plain bytes");
	if (row->type == ART_ROW_ZERO) {
		if (row->group_start || !art_is_zero(p + 4, ART_ROW_SIZE - 4))
			return row_fail(err, i, "a zero row has fields that must be zero");
		return 0;
	}
	if (row->plain_len > ART_CHUNK_MAX)
		return row_fail(err, i, "the chunk is larger than the format allows");
	if (row->type == ART_ROW_COPY) {
		if (row->group_start || !art_is_zero(row->stored_digest, ART_STORED_DIGEST))
			return row_fail(err, i, "a copy row has fields that must be zero");
		return check_copy(ix, row, i, err);
	}
	if (row->stored_len == 0)
		return row_fail(err, i, "no stored bytes");
	if (row->type == ART_ROW_RAW && row->stored_len != row->plain_len)
		return row_fail(err, i, "a raw row whose stored and plain lengths differ");
	if (row->type == ART_ROW_ZSTD && row->stored_len >= row->plain_len)
		return row_fail(err, i, "a compressed row that is not smaller");
	return 0;
}

static int check_page_header(const struct art_index *ix, uint32_t page, uint64_t plain,
			     uint64_t data, struct art_err *err)
{
	const uint8_t *p = page_of(ix, page);

	if (art_get64(p) != plain || art_get64(p + 8) != data ||
	    art_get32(p + 16) != page * ART_PAGE_ROWS ||
	    art_get16(p + 20) != rows_in_page(ix, page) || art_get16(p + 22) != 0)
		return art_fail(err, ART_E_INDEX_ROW, "the header of index page %u is wrong", page);
	return 0;
}

/* Every row in order, with running sums and the rules for groups. Sums cannot overflow: at most
 * 2^16 rows of less than 2^32 bytes. */
static int check_rows(struct art_index *ix, const struct art_segment *seg,
		      struct art_err *err)
{
	uint64_t plain = 0, data = 0, group = 0;
	bool in_group = false;
	struct art_row row;
	uint32_t i;
	int code;

	for (i = 0; i < ix->row_count; i++) {
		if (i % ART_PAGE_ROWS == 0) {
			code = check_page_header(ix, i / ART_PAGE_ROWS, plain, data, err);
			if (code < 0)
				return code;
		}
		art_row_decode(row_bytes(ix, i), &row);
		code = check_row(ix, &row, i, err);
		if (code < 0)
			return code;
		plain += row.plain_len;
		data += row.stored_len;
		if (!art_row_is_stored(&row))
			continue;
		if (!in_group && !row.group_start)
			return row_fail(err, i, "the first stored row does not start a group");
		in_group = true;
		group = (row.group_start ? 0 : group) + row.plain_len;
		if (group > ART_GROUP_MAX)
			return row_fail(err, i, "its group is larger than the format allows");
	}
	if (plain != seg->size)
		return art_fail(err, ART_E_INDEX_ROW, "the rows give %llu plain bytes, %llu are due",
				(unsigned long long)plain, (unsigned long long)seg->size);
	if (data != seg->data_size)
		return art_fail(err, ART_E_INDEX_ROW, "the rows give %llu stored bytes, %llu are due",
				(unsigned long long)data, (unsigned long long)seg->data_size);
	return 0;
}

static int check_digests(const struct art_index *ix, const struct art_segment *seg,
			 struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	struct art_digest *sha = NULL;
	uint32_t page;
	int code = art_sha256_new(&sha, err);

	if (code < 0)
		return code;
	code = art_digest_once(sha, ix->bytes, (size_t)ix->page_count * ART_SHA256_LEN, digest,
			       err);
	if (code == 0 && memcmp(digest, seg->index_sha256, ART_SHA256_LEN) != 0)
		code = art_fail(err, ART_E_INDEX_TABLE,
				"the index's page table is not the one that was signed");
	for (page = 0; code == 0 && page < ix->page_count; page++) {
		size_t len = ART_PAGE_HEADER + (size_t)rows_in_page(ix, page) * ART_ROW_SIZE;

		code = art_digest_once(sha, page_of(ix, page), len, digest, err);
		if (code == 0 && memcmp(digest, ix->bytes + (size_t)page * ART_SHA256_LEN,
					ART_SHA256_LEN) != 0)
			code = art_fail(err, ART_E_INDEX_PAGE, "index page %u does not match its digest",
					page);
	}
	art_digest_free(sha);
	return code;
}

int art_index_open(struct art_index **out, uint8_t *bytes, const struct art_segment *seg,
		   struct art_err *err)
{
	struct art_index *ix = calloc(1, sizeof(*ix));
	int code;

	if (!ix) {
		free(bytes);
		return art_fail_memory(err);
	}
	ix->bytes = bytes;
	code = art_index_shape(seg->index_size, &ix->page_count, &ix->row_count, err);
	ix->pages = bytes + (size_t)ix->page_count * ART_SHA256_LEN;
	if (code == 0)
		code = check_digests(ix, seg, err);
	if (code == 0)
		code = check_rows(ix, seg, err);
	if (code < 0) {
		art_index_free(ix);
		return code;
	}
	*out = ix;
	return 0;
}

void art_index_free(struct art_index *ix)
{
	if (!ix)
		return;
	free(ix->bytes);
	free(ix);
}

const uint8_t *art_index_bytes(const struct art_index *ix)
{
	return ix->bytes;
}

uint32_t art_index_rows(const struct art_index *ix)
{
	return ix->row_count;
}

/* Move the running place to the first row of the page that row I is in, unless it is between. */
static void seek_row(struct art_index *ix, uint32_t i)
{
	const uint8_t *page = page_of(ix, i / ART_PAGE_ROWS);
	uint32_t first = i - i % ART_PAGE_ROWS;

	if (ix->next < first || ix->next > i || ix->next % ART_PAGE_ROWS == 0) {
		ix->next = first;
		ix->next_plain = art_get64(page);
		ix->next_data = art_get64(page + 8);
	}
}

void art_index_row(struct art_index *ix, uint32_t i, struct art_row *row)
{
	seek_row(ix, i);
	do {
		art_row_decode(row_bytes(ix, ix->next), row);
		row->number = ix->next;
		row->plain_off = ix->next_plain;
		row->data_off = ix->next_data;
		ix->next++;
		ix->next_plain += row->plain_len;
		ix->next_data += row->stored_len;
	} while (row->number != i);
}

uint32_t art_index_find(struct art_index *ix, uint64_t off)
{
	uint32_t low = 0, high = ix->page_count - 1;
	struct art_row row;
	uint32_t i;

	while (low < high) {
		uint32_t mid = high - (high - low) / 2;

		if (art_get64(page_of(ix, mid)) <= off)
			low = mid;
		else
			high = mid - 1;
	}
	for (i = low * ART_PAGE_ROWS; i + 1 < ix->row_count; i++) {
		art_index_row(ix, i, &row);
		if (off < row.plain_off + row.plain_len)
			break;
	}
	return i;
}

uint32_t art_index_group(struct art_index *ix, uint32_t i)
{
	while (i > 0 && !(art_get32(row_bytes(ix, i)) & GROUP_BIT))
		i--;
	return i;
}

void art_index_peek(const struct art_index *ix, uint32_t i, struct art_row *row)
{
	art_row_decode(row_bytes(ix, i), row);
	row->number = i;
}

static void encode_row(uint8_t *p, const struct art_row *row)
{
	uint32_t word = row->plain_len | (uint32_t)row->type << TYPE_SHIFT;

	art_put32(p, row->group_start ? word | GROUP_BIT : word);
	art_put32(p + 4, row->type == ART_ROW_COPY ? row->ref : row->stored_len);
	memcpy(p + 8, row->head, sizeof(row->head));
	memcpy(p + 12, row->stored_digest, ART_STORED_DIGEST);
	memcpy(p + 24, row->plain_digest, ART_PLAIN_DIGEST);
}

static int pack_page(uint8_t *page, const struct art_row *rows, uint32_t first,
		     uint32_t count, uint64_t *plain, uint64_t *data, uint8_t *digest,
		     struct art_err *err)
{
	uint32_t i;

	art_put64(page, *plain);
	art_put64(page + 8, *data);
	art_put32(page + 16, first);
	art_put16(page + 20, (uint16_t)count);
	art_put16(page + 22, 0);
	for (i = 0; i < count; i++) {
		encode_row(page + ART_PAGE_HEADER + (size_t)i * ART_ROW_SIZE, &rows[first + i]);
		*plain += rows[first + i].plain_len;
		*data += rows[first + i].stored_len;
	}
	return art_sha256(page, ART_PAGE_HEADER + (size_t)count * ART_ROW_SIZE, digest, err);
}

int art_index_pack(const struct art_row *rows, uint32_t count, uint8_t **bytes,
		   uint64_t *size, uint8_t sha256[ART_SHA256_LEN], struct art_err *err)
{
	uint32_t pages = (count + ART_PAGE_ROWS - 1) / ART_PAGE_ROWS;
	cleanup_free uint8_t *out = NULL;
	uint64_t plain = 0, data = 0;
	uint32_t page;
	int code;

	if (count == 0 || pages > ART_PAGES_MAX)
		return art_fail(err, ART_E_INDEX_SIZE, "an index of %u rows is impossible", count);
	*size = art_index_size(count);
	out = malloc((size_t)*size);
	if (!out)
		return art_fail_memory(err);
	for (page = 0; page < pages; page++) {
		uint32_t first = page * ART_PAGE_ROWS;
		uint32_t n = count - first < ART_PAGE_ROWS ? count - first : ART_PAGE_ROWS;

		code = pack_page(out + (size_t)pages * ART_SHA256_LEN + (size_t)page * ART_PAGE_SIZE,
				 rows, first, n, &plain, &data,
				 out + (size_t)page * ART_SHA256_LEN, err);
		if (code < 0)
			return code;
	}
	code = art_sha256(out, (size_t)pages * ART_SHA256_LEN, sha256, err);
	if (code < 0)
		return code;
	*bytes = steal_ptr(out);
	return 0;
}
