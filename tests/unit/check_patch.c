// SPDX-License-Identifier: Apache-2.0
/* Patches piece by piece: codecs, diff programs, record tables, windows, indexes by columns. Whole files are the vectors' matter. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "libartifact/patch_codec.h"
#include "libartifact/patch_diff.h"
#include "libartifact/patch_index.h"
#include "libartifact/patch_map.h"
#include "libartifact/patch_name.h"
#include "libartifact/varint.h"

#define OLD_LEN ((size_t)700000)
#define NEW_LEN ((size_t)260000)

static uint8_t old[OLD_LEN];
static uint8_t now[NEW_LEN + 4096];
static uint8_t out[ART_PATCH_RECORD_MAX];
static uint64_t seed;
static struct art_err err;

static uint32_t noise(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(seed >> 33);
}

/* NOW is a part of OLD with an insertion, a stretch moved, and every 90th byte higher. */
static void setup(void)
{
	size_t i;

	seed = 1;
	for (i = 0; i < OLD_LEN; i++)
		old[i] = (uint8_t)noise();
	memcpy(now, old + 300000, 100000);
	for (i = 0; i < 500; i++)
		now[100000 + i] = (uint8_t)noise();
	memcpy(now + 100500, old + 50000, NEW_LEN - 100500);
	for (i = 45; i < NEW_LEN; i += 90)
		now[i] = (uint8_t)(now[i] + 3);
}

static const uint8_t *encode(struct art_patch_encoder *e, size_t window, size_t len,
			     struct art_patch_record *r)
{
	const uint8_t *stored = NULL;

	ck_assert_int_eq(art_patch_encode(e, old, window, now, len, r, &stored, &err), 0);
	return stored;
}

START_TEST(codes_give_again_what_went_in)
{
	static const struct {
		size_t window, len;
		enum art_patch_codec codec;
	} cases[] = {
		{ OLD_LEN, NEW_LEN, ART_PATCH_DIFF }, { 0, NEW_LEN, ART_PATCH_ZSTD },
		{ 0, 1, ART_PATCH_ZSTD }, { OLD_LEN, 1, ART_PATCH_ZSTD },
		{ 7, 100, ART_PATCH_ZSTD }, { 1, 3000, ART_PATCH_ZSTD },
	};
	struct art_patch_decoder *d;
	struct art_patch_encoder *e;
	size_t i;

	ck_assert_int_eq(art_patch_decoder_new(&d, &err), 0);
	ck_assert_int_eq(art_patch_encoder_new(&e, &err), 0);
	for (i = 0; i < ART_ARRAY_SIZE(cases); i++) {
		static struct art_patch_record r;
		const uint8_t *stored = encode(e, cases[i].window, cases[i].len, &r);

		ck_assert_int_eq(r.codec, cases[i].codec);
		memset(out, 0, sizeof(out));
		ck_assert_int_eq(art_patch_decode(d, r.codec, old, cases[i].window, stored,
						  r.stored_len, out, cases[i].len, &err), 0);
		ck_assert_mem_eq(out, now, cases[i].len);
		ck_assert_int_eq(art_patch_decode(d, r.codec, old, cases[i].window, stored,
						  r.stored_len, out, cases[i].len + 1, &err),
				 ART_E_PATCH_DECODE);
		ck_assert_int_eq(art_patch_decode(d, r.codec, old, cases[i].window, stored,
						  r.stored_len - 1, out, cases[i].len, &err),
				 ART_E_PATCH_DECODE);
	}
	ck_assert_int_eq(art_patch_decode(d, ART_PATCH_CODECS, old, 0, old, 5, out, 5, &err),
			 ART_E_PATCH_DECODE);
	art_patch_decoder_free(d);
	art_patch_encoder_free(e);
}
END_TEST

/* Noise that is not in the window: 1900 differences of 260000 bytes cost little, and nothing compresses otherwise. */
START_TEST(differences_cost_little)
{
	static struct art_patch_record r;
	struct art_patch_encoder *e;

	ck_assert_int_eq(art_patch_encoder_new(&e, &err), 0);
	encode(e, OLD_LEN, NEW_LEN, &r);
	ck_assert_uint_lt(r.stored_len, 2500);
	encode(e, 0, NEW_LEN, &r);
	ck_assert_uint_gt(r.stored_len, NEW_LEN);
	art_patch_encoder_free(e);
}
END_TEST

/* Bytes of a program changed at random: an error or other bytes, never a step outside (the sanitizers watch). */
START_TEST(bent_programs_stay_inside)
{
	struct art_differ *d;
	const uint8_t *program;
	uint8_t *bent, *window = malloc(5000), *room = malloc(6000);
	size_t len, refused = 0;
	int round;

	memcpy(window, old, 5000);
	memcpy(now, old, 3000);
	memcpy(now + 3000, old + 200, 3000);
	now[77]++;
	now[5000] ^= 9;
	ck_assert_int_eq(art_differ_new(&d, 5000, 6000, &err), 0);
	len = art_differ_run(d, window, 5000, now, 6000, &program);
	ck_assert_uint_gt(len, ART_DIFF_HEADER);
	bent = malloc(len);
	for (round = 0; round < 20000; round++) {
		int n = 1 + (int)(noise() % 3);

		memcpy(bent, program, len);
		while (n-- > 0)
			bent[noise() % (len < 60 ? len : 60)] ^= (uint8_t)(1 << noise() % 8);
		if (art_diff_apply(bent, noise() % 9 ? len : noise() % len, window, 5000, room, 6000,
				   &err) < 0) {
			ck_assert_int_eq(err.code, ART_E_PATCH_DECODE);
			refused++;
		}
	}
	ck_assert_uint_gt(refused, 10000);
	ck_assert_int_eq(art_diff_apply(program, len, window, 5000, room, 6000, &err), 0);
	ck_assert_mem_eq(room, now, 6000);
	free(bent);
	free(window);
	free(room);
	art_differ_free(d);
}
END_TEST

START_TEST(numbers_have_one_form)
{
	static const uint64_t values[] = { 0, 1, 127, 128, 16383, 16384, UINT32_MAX,
					   (UINT64_C(1) << 63) - 1 };
	uint8_t buf[16];
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(values); i++) {
		const uint8_t *p = buf, *end = art_varint_put(buf, values[i]);
		uint64_t n = 99;

		ck_assert(art_varint_get(&p, end, &n));
		ck_assert_uint_eq(n, values[i]);
		ck_assert_ptr_eq(p, end);
		p = buf;
		ck_assert(!art_varint_get(&p, end - 1, &n));
	}
	memcpy(buf, "\x80\x00", 2);
	{
		const uint8_t *p = buf;
		uint64_t n;

		ck_assert(!art_varint_get(&p, buf + 2, &n));
		memset(buf, 0xff, sizeof(buf));
		p = buf;
		ck_assert(!art_varint_get(&p, buf + sizeof(buf), &n));
	}
}
END_TEST

/* An index of ROWS raw rows of 1000 bytes; row 3 is zeros, row 5 a copy of row 2. */
static struct art_index *make_index(uint32_t rows, struct art_segment *seg, uint8_t **columns,
				    size_t *columns_len)
{
	struct art_row *list = calloc(rows, sizeof(*list));
	struct art_index *ix = NULL;
	uint8_t *bytes;
	uint32_t i;

	memset(seg, 0, sizeof(*seg));
	for (i = 0; i < rows; i++) {
		struct art_row *row = &list[i];

		row->type = i == 3 ? ART_ROW_ZERO : i == 5 ? ART_ROW_COPY : ART_ROW_RAW;
		row->group_start = row->type == ART_ROW_RAW && i % 4 == 0;
		row->plain_len = 1000;
		row->ref = 2;
		row->plain_digest[0] = (uint8_t)(row->type == ART_ROW_COPY ? 2 : i);
		if (row->type == ART_ROW_ZERO)
			row->plain_digest[0] = 0;
		if (row->type == ART_ROW_RAW)
			row->stored_len = 1000;
		seg->size += 1000;
		seg->data_size += row->stored_len;
	}
	ck_assert_int_eq(art_index_pack(list, rows, &bytes, &seg->index_size, seg->index_sha256,
					&err), 0);
	if (columns)
		ck_assert_int_eq(art_patch_columns(bytes, seg->index_size, columns, columns_len,
						   &err), 0);
	ck_assert_int_eq(art_index_open(&ix, bytes, seg, &err), 0);
	free(list);
	return ix;
}

START_TEST(columns_and_back)
{
	static const uint32_t sizes[] = { 6, 409, 410, 1000 };
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(sizes); i++) {
		struct art_segment seg;
		struct art_index *ix, *again = NULL;
		uint8_t *columns;
		size_t len;

		ix = make_index(sizes[i], &seg, &columns, &len);
		ck_assert_uint_eq(len, sizes[i] * ART_ROW_SIZE);
		ck_assert_int_eq(art_patch_index_open(&again, columns, len, &seg, &err), 0);
		ck_assert_mem_eq(art_index_bytes(again), art_index_bytes(ix), seg.index_size);
		art_index_free(again);
		again = NULL;
		ck_assert_int_eq(art_patch_index_open(&again, columns, len - 40, &seg, &err),
				 ART_E_PATCH_TABLE);
		columns[len - 1] ^= 1;
		ck_assert_int_eq(art_patch_index_open(&again, columns, len, &seg, &err),
				 ART_E_INDEX_TABLE);
		free(columns);
		art_index_free(ix);
	}
}
END_TEST

static const struct art_patch_record two[2] = {
	{ .codec = ART_PATCH_DIFF, .run_count = 2, .runs = { { 1, 2 }, { 4, 1 } }, .extent_count = 2,
	  .extents = { { ART_EXTENT_OLD, 8192, 4096 }, { ART_EXTENT_OLD, 0, 4096 } },
	  .stored_len = 300, .digest = { 1, 2, 3 } },
	{ .codec = ART_PATCH_ZSTD, .run_count = 1, .runs = { { 6, 4 } }, .extent_count = 2,
	  .extents = { { ART_EXTENT_NEW, 0, 4096 }, { ART_EXTENT_OLD, 12288, 1000 } },
	  .stored_len = 40, .digest = { 4 } },
};

START_TEST(tables_and_back)
{
	struct art_patch_table t = { 0 };
	struct art_segment seg;
	struct art_patch_scope scope = { .old_size = 13288, .data_size = 340 };
	static struct art_patch_record r;
	struct art_patch_cursor c;
	size_t count, i;

	scope.index = make_index(20, &seg, NULL, NULL);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(art_patch_table_add(&t, &two[i], &err), 0);
	ck_assert_int_eq(art_patch_table_judge(&scope, t.bytes, t.len, &count, &err), 0);
	ck_assert_uint_eq(count, 2);
	art_patch_table_begin(&c, &scope, t.bytes, t.len);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(art_patch_table_next(&c, &r, &err), 1);
		ck_assert_int_eq(r.codec, two[i].codec);
		ck_assert_uint_eq(r.run_count, two[i].run_count);
		ck_assert_mem_eq(r.runs, two[i].runs, r.run_count * sizeof(r.runs[0]));
		ck_assert_uint_eq(r.extent_count, 2);
		ck_assert_uint_eq(r.extents[1].offset, two[i].extents[1].offset);
		ck_assert_uint_eq(r.extents[1].len, two[i].extents[1].len);
		ck_assert_int_eq(r.extents[0].source, two[i].extents[0].source);
		ck_assert_uint_eq(r.data_off, i ? 300 : 0);
		ck_assert_mem_eq(r.digest, two[i].digest, ART_PATCH_DIGEST);
	}
	ck_assert_uint_eq(r.plain_len, 4000);
	ck_assert_uint_eq(r.window_len, 5096);
	ck_assert_int_eq(art_patch_table_next(&c, &r, &err), 0);
	/* Every shorter table is refused, but at the end of a record, where the data does not add up. */
	for (i = 0; i < t.len; i++)
		ck_assert_int_eq(art_patch_table_judge(&scope, t.bytes, i, &count, &err),
				 ART_E_PATCH_TABLE);
	scope.old_size = 12288;
	ck_assert_int_eq(art_patch_table_judge(&scope, t.bytes, t.len, &count, &err),
			 ART_E_PATCH_TABLE);
	art_patch_table_clear(&t);
	art_index_free(scope.index);
}
END_TEST

START_TEST(windows_follow_the_content)
{
	struct art_extent list[ART_PATCH_EXTENTS], again[ART_PATCH_EXTENTS];
	struct art_patch_map *map;
	uint64_t sum = 0;
	size_t n, i;
	bool first = false, second = false;

	ck_assert_int_eq(art_patch_map_new(&map, OLD_LEN, &err), 0);
	art_patch_map_add(map, old, OLD_LEN, ART_EXTENT_OLD, 1 << 20);
	n = art_patch_map_choose(map, now, NEW_LEN, 1 << 20, list);
	ck_assert_uint_gt(n, 1);
	for (i = 0; i < n; i++) {
		uint64_t end = list[i].offset + list[i].len;

		ck_assert_int_eq(list[i].source, ART_EXTENT_OLD);
		ck_assert_uint_eq(list[i].offset % ART_PATCH_BLOCK, 0);
		ck_assert(i == 0 || list[i].offset >= list[i - 1].offset + list[i - 1].len);
		first |= list[i].offset <= (1 << 20) + 310000 && end >= (1 << 20) + 390000;
		second |= list[i].offset <= (1 << 20) + 60000 && end >= (1 << 20) + 200000;
		sum += list[i].len;
	}
	ck_assert(first && second);
	ck_assert_uint_le(sum, 1 << 20);
	ck_assert_uint_eq(art_patch_map_choose(map, now, NEW_LEN, 1 << 20, again), n);
	for (i = 0; i < n; i++)
		ck_assert_uint_eq(list[i].offset, again[i].offset);
	/* A window that is too small for all of it, and content that is nowhere. */
	n = art_patch_map_choose(map, now, NEW_LEN, 65536, list);
	for (sum = 0, i = 0; i < n; i++)
		sum += list[i].len;
	ck_assert_uint_le(sum, 65536);
	memset(now, 'x', NEW_LEN);
	ck_assert_uint_eq(art_patch_map_choose(map, now, NEW_LEN, 1 << 20, list), 0);
	art_patch_map_free(map);
}
END_TEST

START_TEST(names)
{
	struct art_payload now[] = { { .name = "boot", .sha256 = { 0x10 } },
				     { .name = "rootfs", .sha256 = { 0xab, 1 } } };
	struct art_payload old[] = { { .name = "rootfs", .sha256 = { 0x20 } },
				     { .name = "boot", .sha256 = { 0x10 } } };
	struct art_manifest a = { .payloads = now, .payload_count = 2 };
	struct art_manifest b = { .payloads = old, .payload_count = 2 };
	char name[ART_PATCH_NAME_LEN + 1];

	/* The first that differs. */
	ck_assert(art_patch_name(name, &a, &b));
	ck_assert_str_eq(name, "ab010000000000000000000000000000-20000000000000000000000000000000.patch");
	now[0].sha256[0] = 0x30;
	ck_assert(art_patch_name(name, &a, &b));
	ck_assert_str_eq(name, "30000000000000000000000000000000-10000000000000000000000000000000.patch");
	/* None does. */
	ck_assert(art_patch_name(name, &a, &a));
	ck_assert_str_eq(name, "30000000000000000000000000000000-30000000000000000000000000000000.patch");
	ck_assert_str_eq(name + ART_PATCH_NAME_OLD, "30000000000000000000000000000000.patch");
	/* There is none. */
	old[0].name = "data";
	old[1].name = "more";
	ck_assert(!art_patch_name(name, &a, &b));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("patch");
	TCase *t = tcase_create("patch");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 300);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, codes_give_again_what_went_in);
	tcase_add_test(t, differences_cost_little);
	tcase_add_test(t, bent_programs_stay_inside);
	tcase_add_test(t, numbers_have_one_form);
	tcase_add_test(t, columns_and_back);
	tcase_add_test(t, tables_and_back);
	tcase_add_test(t, windows_follow_the_content);
	tcase_add_test(t, names);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
