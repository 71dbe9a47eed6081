// SPDX-License-Identifier: Apache-2.0
/* The index: packing and opening agree, every rule of format.md section 7 is enforced. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "libartifact/index.h"
#include "tests/unit/run.h"

#define ROWS 1000

static struct art_row rows[ROWS];
static struct art_segment seg;

/* Rows of every type; groups of ten stored rows. */
static void make_rows(uint32_t count)
{
	uint32_t i, stored = 0, last = 0;

	memset(rows, 0, sizeof(rows));
	memset(&seg, 0, sizeof(seg));
	for (i = 0; i < count; i++) {
		struct art_row *r = &rows[i];

		r->plain_len = 4096 + i;
		if (i % 7 == 3) {
			r->type = ART_ROW_ZERO;
		} else if (i % 7 == 5) {
			*r = rows[last];
			r->type = ART_ROW_COPY;
			r->ref = last;
			r->group_start = false;
			r->stored_len = 0;
			memset(r->stored_digest, 0, sizeof(r->stored_digest));
		} else {
			r->type = i % 2 ? ART_ROW_RAW : ART_ROW_ZSTD;
			r->stored_len = r->type == ART_ROW_RAW ? r->plain_len : 100;
			r->group_start = stored++ % 10 == 0;
			memset(r->plain_digest, (int)i, sizeof(r->plain_digest));
			memset(r->stored_digest, (int)i + 1, sizeof(r->stored_digest));
			last = i;
		}
		seg.size += r->plain_len;
		seg.data_size += r->stored_len;
	}
}

static uint64_t missing; /* bytes that the manifest does not know of */

static int open_rows(struct art_index **ix, uint32_t count)
{
	struct art_err err;
	uint8_t *bytes;

	ck_assert_int_eq(art_index_pack(rows, count, &bytes, &seg.index_size,
					seg.index_sha256, &err), 0);
	seg.index_size -= missing;
	return art_index_open(ix, bytes, &seg, &err);
}

static void expect_rows(struct art_index *ix, uint32_t count)
{
	uint64_t plain = 0, data = 0;
	struct art_row row;
	uint32_t i;

	ck_assert_uint_eq(art_index_rows(ix), count);
	for (i = 0; i < count; i++) {
		art_index_row(ix, i, &row);
		ck_assert_uint_eq(row.number, i);
		ck_assert_uint_eq(row.type, rows[i].type);
		ck_assert_uint_eq(row.plain_off, plain);
		ck_assert_uint_eq(row.data_off, data);
		ck_assert_uint_eq(row.ref, rows[i].ref);
		ck_assert_mem_eq(row.plain_digest, rows[i].plain_digest, 16);
		ck_assert_uint_eq(art_index_find(ix, plain), i);
		ck_assert_uint_eq(art_index_find(ix, plain + row.plain_len - 1), i);
		plain += row.plain_len;
		data += row.stored_len;
	}
	/* Out of order as well. */
	for (i = count; i-- > 0;) {
		art_index_row(ix, i, &row);
		plain -= row.plain_len;
		ck_assert_uint_eq(row.plain_off, plain);
	}
}

START_TEST(round_trip)
{
	static const uint32_t counts[] = { 1, 2, 408, 409, 410, 818, 819, ROWS };
	struct art_index *ix;

	make_rows(counts[_i]);
	ck_assert_int_eq(open_rows(&ix, counts[_i]), 0);
	expect_rows(ix, counts[_i]);
	art_index_free(ix);
}
END_TEST

START_TEST(groups)
{
	struct art_index *ix;
	uint32_t i, first = 0;

	make_rows(ROWS);
	ck_assert_int_eq(open_rows(&ix, ROWS), 0);
	for (i = 0; i < ROWS; i++) {
		if (rows[i].group_start)
			first = i;
		ck_assert_uint_eq(art_index_group(ix, i), first);
	}
	art_index_free(ix);
}
END_TEST

START_TEST(shapes)
{
	struct art_err err;
	uint32_t pages, n, count;

	for (count = 1; count < 3 * ART_PAGE_ROWS; count++) {
		ck_assert_int_eq(art_index_shape(art_index_size(count), &pages, &n, &err), 0);
		ck_assert_uint_eq(n, count);
		ck_assert_int_eq(art_index_shape(art_index_size(count) + 1, &pages, &n, &err),
				 ART_E_INDEX_SIZE);
	}
	ck_assert_int_eq(art_index_shape(0, &pages, &n, &err), ART_E_INDEX_SIZE);
	ck_assert_int_eq(art_index_shape(56, &pages, &n, &err), ART_E_INDEX_SIZE);
	ck_assert_int_eq(art_index_shape(31, &pages, &n, &err), ART_E_INDEX_SIZE); /* less than the table */
	ck_assert_int_eq(art_index_shape(ART_INDEX_MAX, &pages, &n, &err), 0);
	ck_assert_uint_eq(n, ART_PAGES_MAX * ART_PAGE_ROWS);
	ck_assert_int_eq(art_index_shape(ART_INDEX_MAX + 1, &pages, &n, &err),
			 ART_E_INDEX_SIZE);
	/* One page's table entry more than there are bytes for. */
	ck_assert_int_eq(art_index_shape(32 + 16384 + 1, &pages, &n, &err), ART_E_INDEX_SIZE);
	ck_assert_int_eq(art_index_shape(UINT64_MAX, &pages, &n, &err), ART_E_INDEX_SIZE);
}
END_TEST

/* One fault in row 8 (zstd), 3 (zero), 5 (copy) or the sums; each is an index-row error. */
static void spoil(int fault)
{
	switch (fault) {
	case 0: rows[8].plain_len = 0; break;
	case 1: rows[8].stored_len = rows[8].plain_len; break;
	case 2: rows[8].stored_len = 0; break;
	case 3: rows[1].stored_len--; break;
	case 4: rows[8].plain_len = ART_CHUNK_MAX + 1; break;
	case 5: rows[3].group_start = true; break;
	case 6: rows[3].stored_len = 1; rows[3].head[0] = 1; break;
	case 7: rows[3].plain_digest[15] = 1; break;
	case 8: rows[5].ref = 5; break;
	case 9: rows[5].ref = 900; break;
	case 10: rows[5].ref = 3; break;
	case 11: rows[5].plain_len++; break;
	case 12: rows[5].head[3] ^= 1; break;
	case 13: rows[5].plain_digest[0] ^= 1; break;
	case 14: rows[5].group_start = true; break;
	case 15: rows[5].stored_digest[0] = 1; break;
	case 16: rows[0].group_start = false; break;
	case 17: rows[ROWS - 1].plain_len++; break;
	case 18: seg.data_size++; break;
	case 19: seg.size--; break;
	case 20: rows[12].type = ART_ROW_COPY; rows[12].ref = 5; break;
	case 21: rows[8].plain_len |= 1u << 31; break;
	}
}

START_TEST(rules)
{
	struct art_index *ix;

	make_rows(ROWS);
	spoil(_i);
	ck_assert_int_eq(open_rows(&ix, ROWS), ART_E_INDEX_ROW);
}
END_TEST

START_TEST(group_limit)
{
	struct art_index *ix;
	uint32_t i;

	make_rows(0);
	for (i = 0; i < 5; i++) {
		rows[i].type = ART_ROW_RAW;
		rows[i].plain_len = rows[i].stored_len = ART_CHUNK_MAX;
		rows[i].group_start = i == 0;
	}
	seg.size = seg.data_size = 4 * ART_CHUNK_MAX;
	ck_assert_int_eq(open_rows(&ix, 4), 0);
	art_index_free(ix);
	seg.size = seg.data_size = 5 * ART_CHUNK_MAX;
	ck_assert_int_eq(open_rows(&ix, 5), ART_E_INDEX_ROW);
	rows[4].group_start = true;
	ck_assert_int_eq(open_rows(&ix, 5), 0);
	art_index_free(ix);
}
END_TEST

/* Every single bit of a packed index is covered by a digest. */
START_TEST(every_bit)
{
	struct art_index *ix;
	struct art_err err;
	uint8_t *good;
	uint64_t size, bit;

	make_rows(ART_PAGE_ROWS + 2);
	ck_assert_int_eq(art_index_pack(rows, ART_PAGE_ROWS + 2, &good, &size,
					seg.index_sha256, &err), 0);
	seg.index_size = size;
	for (bit = 0; bit < 8 * size; bit += 13) {
		uint8_t *copy = malloc(size);
		int code;

		memcpy(copy, good, size);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		code = art_index_open(&ix, copy, &seg, &err);
		ck_assert_int_eq(code, bit / 8 < 64 ? ART_E_INDEX_TABLE : ART_E_INDEX_PAGE);
	}
	free(good);
}
END_TEST

/* A size that no index has is refused before anything is looked up in it. */
START_TEST(impossible_size)
{
	struct art_index *ix = NULL;

	make_rows(ROWS);
	missing = 1;
	ck_assert_int_eq(open_rows(&ix, ROWS), ART_E_INDEX_SIZE);
	ck_assert_ptr_null(ix);
	missing = 0;
}
END_TEST

/* In any order: on the same page forward and back, over a page's border, the same row again. */
START_TEST(rows_in_any_order)
{
	static const uint32_t order[] = { 0, 5, 3, 3, 408, 409, 410, 409, 408, 900, 818, 817, 2, 999, 0, 409 };
	struct art_index *ix;
	struct art_row row;
	uint64_t plain;
	size_t i, k;

	make_rows(ROWS);
	ck_assert_int_eq(open_rows(&ix, ROWS), 0);
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		for (plain = 0, k = 0; k < order[i]; k++)
			plain += rows[k].plain_len;
		art_index_row(ix, order[i], &row);
		ck_assert_uint_eq(row.number, order[i]);
		ck_assert_uint_eq(row.plain_off, plain);
		ck_assert_uint_eq(art_index_find(ix, plain), order[i]);
	}
	art_index_free(ix);
}
END_TEST

START_TEST(packing_limits)
{
	struct art_err err;
	uint8_t *bytes;
	uint64_t size;

	ck_assert_int_eq(art_index_pack(rows, 0, &bytes, &size, seg.index_sha256, &err),
			 ART_E_INDEX_SIZE);
	ck_assert_int_eq(art_index_pack(rows, ART_PAGES_MAX * ART_PAGE_ROWS + 1, &bytes, &size,
					seg.index_sha256, &err), ART_E_INDEX_SIZE);
	art_index_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("index");
	TCase *t = tcase_create("index");

	tcase_add_loop_test(t, round_trip, 0, 8);
	tcase_add_test(t, groups);
	tcase_add_test(t, shapes);
	tcase_add_loop_test(t, rules, 0, 22);
	tcase_add_test(t, group_limit);
	tcase_add_test(t, every_bit);
	tcase_add_test(t, packing_limits);
	tcase_add_test(t, impossible_size);
	tcase_add_test(t, rows_in_any_order);
	suite_add_tcase(s, t);
	return run_suite(s);
}
