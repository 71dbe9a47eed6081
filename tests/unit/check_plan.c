// SPDX-License-Identifier: Apache-2.0
/* Cutting: what format.md demands of any row of rows, and what makes updates small. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <check.h>

#include "libartifact/index.h"
#include "libartifact/io.h"
#include "libartifact/plan.h"
#include "libartifact/util.h"
#include "tests/unit/run.h"

#define CHUNK (32 * 1024)
#define PAGE 4096

static int fd;
static struct art_view view;
static struct art_plan plan;
static uint64_t seed;
static uint8_t buf[8 * 1024 * 1024];

static void setup(void)
{
	fd = memfd_create("image", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	memset(&plan, 0, sizeof(plan));
	seed = 1;
}

static void teardown(void)
{
	art_plan_clear(&plan);
	art_plan_clear(&plan);
	close(fd);
}

static void noise(size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		buf[i] = (uint8_t)(seed >> 40) | 1;
	}
}

static void put(uint64_t off, size_t len)
{
	struct art_err err;

	ck_assert_int_eq(art_pwrite_full(fd, buf, len, off, "image", &err), 0);
}

static void put_noise(uint64_t off, size_t len)
{
	noise(len);
	put(off, len);
}

static int make(uint64_t size, const struct art_regions *regions, uint32_t chunk)
{
	struct art_err err;

	art_plan_clear(&plan);
	view = (struct art_view){ fd, "image", size, regions, 0 };
	return art_plan_make(&plan, &view, chunk, &err);
}

/* The rules that hold for every plan. */
static void make_good(uint64_t size, const struct art_regions *regions, uint32_t chunk)
{
	uint64_t off = 0, group = 0;
	bool first = true;
	size_t i;

	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	ck_assert_int_eq(make(size, regions, chunk), 0);
	for (i = 0; i < plan.count; i++) {
		const struct art_cut *c = &plan.cuts[i];

		ck_assert_uint_gt(c->len, 0);
		ck_assert_uint_le(c->len, c->zero ? ART_ZERO_MAX : ART_CHUNK_MAX);
		ck_assert_uint_eq(off / ART_SEGMENT_SIZE, (off + c->len - 1) / ART_SEGMENT_SIZE);
		first = first || off % ART_SEGMENT_SIZE == 0;
		if (c->zero) {
			ck_assert(!c->group);
		} else {
			ck_assert(c->group || !first);
			first = false;
			group = c->group ? c->len : group + c->len;
			ck_assert_uint_le(group, ART_GROUP_MAX);
		}
		off += c->len;
	}
	ck_assert_uint_eq(off, size);
}

/* The cut that begins at OFF; the test fails if there is none. */
static const struct art_cut *cut_at(uint64_t off)
{
	uint64_t at = 0;
	size_t i;

	for (i = 0; i < plan.count && at < off; i++)
		at += plan.cuts[i].len;
	ck_assert_msg(at == off && i < plan.count, "no cut at %llu", (unsigned long long)off);
	return &plan.cuts[i];
}

static bool is_cut(uint64_t off)
{
	uint64_t at = 0;
	size_t i;

	for (i = 0; i < plan.count && at < off; i++)
		at += plan.cuts[i].len;
	return at == off;
}

START_TEST(unknown_content)
{
	uint64_t chunks = 0;
	size_t i;

	put_noise(0, sizeof(buf));
	make_good(sizeof(buf), NULL, CHUNK);
	for (i = 0; i < plan.count; i++) {
		ck_assert(!plan.cuts[i].zero);
		ck_assert_uint_le(plan.cuts[i].len, 2 * CHUNK);
		ck_assert_uint_eq(plan.cuts[i].len % PAGE, 0);
		ck_assert(i + 1 == plan.count || plan.cuts[i].len >= CHUNK / 2);
		chunks++;
	}
	ck_assert_uint_gt(chunks, sizeof(buf) / CHUNK / 2);
	ck_assert_uint_lt(chunks, sizeof(buf) / CHUNK * 2);
}
END_TEST

/* Content that has moved is cut where it was cut before: what layer 1 lives from. */
START_TEST(cuts_move_with_content)
{
	uint64_t at = 0;
	struct art_plan before;
	size_t found = 0, i;

	put_noise(0, sizeof(buf));
	make_good(sizeof(buf), NULL, CHUNK);
	before = plan;
	memset(&plan, 0, sizeof(plan));
	put(5 * PAGE, sizeof(buf));
	put_noise(0, 5 * PAGE);
	make_good(sizeof(buf) + 5 * PAGE, NULL, CHUNK);
	for (i = 0; i < before.count; i++) {
		at += before.cuts[i].len;
		found += is_cut(at + 5 * PAGE);
	}
	ck_assert_uint_ge(found, before.count * 9 / 10);
	art_plan_clear(&before);
}
END_TEST

START_TEST(zero_runs)
{
	put_noise(0, 1024 * 1024);
	memset(buf, 0, sizeof(buf));
	put(100 * PAGE, 7 * PAGE);
	put(150 * PAGE, 8 * PAGE);
	make_good(1024 * 1024, NULL, CHUNK);
	ck_assert(cut_at(150 * PAGE)->zero);
	ck_assert_uint_eq(cut_at(150 * PAGE)->len, 8 * PAGE);
	ck_assert(!cut_at(158 * PAGE)->zero);
	ck_assert(!is_cut(100 * PAGE) || !cut_at(100 * PAGE)->zero);
	/* At the end too. */
	make_good(2 * 1024 * 1024, NULL, CHUNK);
	ck_assert(cut_at(1024 * 1024)->zero);
}
END_TEST

START_TEST(small_images)
{
	static const uint64_t sizes[] = { 512, 4096, 4608, 32768 + 512, 65536 + 1024 };
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(sizes); i++) {
		ck_assert_int_eq(ftruncate(fd, 0), 0);
		make_good(sizes[i], NULL, CHUNK);
		ck_assert_uint_eq(plan.count, 1);
		ck_assert(plan.cuts[0].zero == (sizes[i] >= CHUNK));
		put_noise(0, (size_t)sizes[i]);
		make_good(sizes[i], NULL, CHUNK);
		ck_assert(!plan.cuts[0].zero);
	}
}
END_TEST

/* 64 GiB with data in three places: nothing between them is read, or this would take minutes. */
START_TEST(holes_are_not_read)
{
	uint64_t size = 64 * ART_GIB;
	size_t i, zero = 0, data = 0;

	put_noise(0, 64 * 1024);
	put(size / 2 - 8192, 64 * 1024);
	put(size - 40 * ART_MIB, 64 * 1024);
	make_good(size, NULL, CHUNK);
	for (i = 0; i < plan.count; i++) {
		zero += plan.cuts[i].zero;
		data += !plan.cuts[i].zero;
	}
	ck_assert_uint_le(data, 15);
	ck_assert_uint_le(zero, 64 * 5 + 8);
	ck_assert_uint_eq(art_view_hole(&view, size - ART_MIB, size), size);
	ck_assert_uint_eq(art_view_hole(&view, 4096, size), 4096);
	ck_assert_uint_eq(art_view_hole(&view, ART_MIB, 2 * ART_MIB), 2 * ART_MIB);
}
END_TEST

/* Where the holes are must not show: a copy of the image without holes is cut alike. */
START_TEST(sparse_or_not)
{
	struct art_plan sparse;
	size_t i;

	memset(buf, 0, sizeof(buf));
	put_noise(3 * PAGE + 100, 10000);
	put(2 * ART_MIB, 70000);
	put(5 * ART_MIB + 512, 2048);
	make_good(sizeof(buf), NULL, CHUNK);
	sparse = plan;
	memset(&plan, 0, sizeof(plan));
	ck_assert_int_eq(pread(fd, buf, sizeof(buf), 0), sizeof(buf));
	put(0, sizeof(buf));
	make_good(sizeof(buf), NULL, CHUNK);
	ck_assert_uint_eq(plan.count, sparse.count);
	for (i = 0; i < plan.count; i++) {
		ck_assert_uint_eq(plan.cuts[i].len, sparse.cuts[i].len);
		ck_assert_int_eq(plan.cuts[i].zero, sparse.cuts[i].zero);
		ck_assert_int_eq(plan.cuts[i].group, sparse.cuts[i].group);
	}
	art_plan_clear(&sparse);
}
END_TEST

START_TEST(regions)
{
	struct art_region list[] = {
		{ 0, 300 * 1024, ART_REGION_META },
		{ 300 * 1024, 100 * 1024, ART_REGION_FILE },
		{ 400 * 1024, 20 * 1024, ART_REGION_FILE },
		{ 420 * 1024, 8 * 1024, ART_REGION_SMALL },
		{ 428 * 1024, 4 * 1024, ART_REGION_SMALL },
		{ 432 * 1024, 4 * 1024, ART_REGION_META },
		{ 436 * 1024, 12 * 1024, ART_REGION_FILE },
		{ 448 * 1024, 64 * 1024, ART_REGION_FREE },
		{ 512 * 1024, 1500 * 1024, ART_REGION_BLOCK },
		{ 2012 * 1024, 3, ART_REGION_BLOCK },
		{ 2012 * 1024 + 3, 36 * 1024 - 3, ART_REGION_DATA },
	};
	const struct art_regions r = { ART_ARRAY_SIZE(list), list };
	uint64_t at;

	put_noise(0, 2048 * 1024);
	make_good(2048 * 1024, &r, CHUNK);
	/* Metadata is alone in its group. */
	for (at = 0; at < 300 * 1024; at += cut_at(at)->len)
		ck_assert_uint_le(cut_at(at)->len, CHUNK);
	ck_assert(cut_at(300 * 1024)->group);
	/* Every file starts a chunk, with a page alone; its other pieces are of one size. */
	ck_assert_uint_eq(cut_at(300 * 1024)->len, 4 * 1024);
	ck_assert_uint_eq(cut_at(304 * 1024)->len, CHUNK);
	ck_assert_uint_eq(cut_at(368 * 1024)->len, CHUNK);
	ck_assert_uint_eq(cut_at(400 * 1024)->len, 4 * 1024);
	ck_assert_uint_eq(cut_at(404 * 1024)->len, 16 * 1024);
	/* Small files may share one; others do not join it. */
	ck_assert(is_cut(420 * 1024));
	ck_assert_uint_eq(cut_at(432 * 1024)->len, 4 * 1024);
	ck_assert_uint_eq(cut_at(440 * 1024)->len, 8 * 1024);
	/* Free is zero, whatever is there. */
	ck_assert(cut_at(448 * 1024)->zero);
	ck_assert_uint_eq(cut_at(448 * 1024)->len, 64 * 1024);
	/* Blocks as they are, up to what a chunk can hold. */
	ck_assert_uint_eq(cut_at(512 * 1024)->len, 1024 * 1024);
	ck_assert_uint_eq(cut_at(1536 * 1024)->len, 476 * 1024);
	ck_assert_uint_eq(cut_at(2012 * 1024)->len, 3);
	ck_assert(is_cut(2012 * 1024 + 3));
}
END_TEST

/* Chunks of ELF files are told, up to where the file ends. */
START_TEST(programs)
{
	struct art_region list[] = {
		{ 0, 16 * 1024, ART_REGION_META },
		{ 16 * 1024, 100 * 1024, ART_REGION_FILE },
		{ 116 * 1024, 8 * 1024, ART_REGION_SMALL },
		{ 124 * 1024, 100 * 1024, ART_REGION_FILE },
		{ 224 * 1024, 32 * 1024, ART_REGION_DATA },
	};
	const struct art_regions r = { ART_ARRAY_SIZE(list), list };
	static const struct {
		uint64_t off;
		const char *head;
		bool first, second;
	} cases[] = {
		{ 16 * 1024, "\177ELF", true, false },
		{ 124 * 1024, "\177ELF", false, true },
		/* Neither a file's start nor the whole word. */
		{ 20 * 1024, "\177ELF", false, false },
		{ 116 * 1024, "\177ELF", false, false },
		{ 224 * 1024, "\177ELF", false, false },
		{ 16 * 1024, "\177ELX", false, false },
	};
	uint64_t at;

	put_noise(0, 256 * 1024);
	ck_assert_int_eq(pwrite(fd, cases[_i].head, 4, (off_t)cases[_i].off), 4);
	make_good(256 * 1024, &r, CHUNK);
	for (at = 0; at < 256 * 1024; at += cut_at(at)->len)
		ck_assert_int_eq(cut_at(at)->program, (cases[_i].first && at >= 16 * 1024 && at < 116 * 1024) ||
						      (cases[_i].second && at >= 124 * 1024 && at < 224 * 1024));
}
END_TEST

/* A few free bytes between files are part of the chunk before them, and zero there too. */
START_TEST(small_gaps)
{
	struct art_region list[] = {
		{ 0, 64 * 1024, ART_REGION_FILE },
		{ 64 * 1024, 8 * 1024, ART_REGION_FREE },
		{ 72 * 1024, 56 * 1024, ART_REGION_FILE },
	};
	const struct art_regions r = { ART_ARRAY_SIZE(list), list };
	size_t i;

	put_noise(0, 128 * 1024);
	make_good(128 * 1024, &r, CHUNK);
	ck_assert_uint_eq(cut_at(36 * 1024)->len, 28 * 1024 + 4 * 1024);
	ck_assert_uint_eq(cut_at(68 * 1024)->len, 4 * 1024);
	ck_assert_uint_eq(cut_at(72 * 1024)->len, 4 * 1024);
	for (i = 0; i < plan.count; i++)
		ck_assert(!plan.cuts[i].zero);
	/* Flat: no region's border is a place to cut. */
	make_good(128 * 1024, &r, ART_CHUNK_MAX);
	ck_assert_uint_eq(plan.count, 1);
}
END_TEST

/* A file goes on in the next segment, where it does not begin; zeros join up to what a row can hold. */
START_TEST(across_segments)
{
	struct art_region list[] = {
		{ 0, ART_SEGMENT_SIZE - 512 * ART_MIB, ART_REGION_FREE },
		{ ART_SEGMENT_SIZE - 512 * ART_MIB, 100 * ART_MIB, ART_REGION_FREE },
		{ ART_SEGMENT_SIZE - 412 * ART_MIB, 200 * ART_MIB, ART_REGION_FREE },
		{ ART_SEGMENT_SIZE - 212 * ART_MIB, 213 * ART_MIB, ART_REGION_FILE },
	};
	const struct art_regions r = { ART_ARRAY_SIZE(list), list };

	put_noise(ART_SEGMENT_SIZE - 64 * 1024, 128 * 1024);
	make_good(ART_SEGMENT_SIZE + ART_MIB, &r, CHUNK);
	/* Two rows of the most pages that fit, and 8 KiB, which the 100 MiB join. */
	ck_assert_uint_eq(cut_at(0)->len, 256 * ART_MIB - PAGE);
	ck_assert_uint_eq(cut_at(256 * ART_MIB - PAGE)->len, 256 * ART_MIB - PAGE);
	ck_assert_uint_eq(cut_at(512 * ART_MIB - 2 * PAGE)->len, 100 * ART_MIB + 2 * PAGE);
	ck_assert_uint_eq(cut_at(612 * ART_MIB)->len, 200 * ART_MIB);
	ck_assert(!cut_at(ART_SEGMENT_SIZE - 64 * 1024)->zero);
	ck_assert_uint_eq(cut_at(ART_SEGMENT_SIZE)->len, CHUNK);
	ck_assert(cut_at(ART_SEGMENT_SIZE)->group);
}
END_TEST

START_TEST(reading_a_view)
{
	struct art_region list[] = {
		{ 0, 1000, ART_REGION_FILE },
		{ 1000, 1000, ART_REGION_FREE },
		{ 2000, 2096, ART_REGION_DATA },
	};
	const struct art_regions r = { ART_ARRAY_SIZE(list), list };
	struct art_view v = { fd, "image", 4096, &r, 0 };
	struct art_err err;
	uint8_t got[4096];

	put_noise(0, 4096);
	ck_assert_int_eq(art_view_read(&v, got, 4096, 0, &err), 0);
	ck_assert_mem_eq(got, buf, 1000);
	ck_assert(art_is_zero(got + 1000, 1000));
	ck_assert_mem_eq(got + 2000, buf + 2000, 2096);
	/* Backwards too. */
	ck_assert_int_eq(art_view_read(&v, got, 10, 995, &err), 0);
	ck_assert_mem_eq(got, buf + 995, 5);
	ck_assert(art_is_zero(got + 5, 5));
	v.hint = 7; /* of a longer list */
	ck_assert_int_eq(art_view_read(&v, got, 10, 2000, &err), 0);
	ck_assert_mem_eq(got, buf + 2000, 10);
	ck_assert_int_eq(ftruncate(fd, 3000), 0);
	ck_assert_int_eq(art_view_read(&v, got, 4096, 0, &err), ART_E_SOURCE_CHANGED);
}
END_TEST

START_TEST(bad_input)
{
	struct art_region list[] = { { 0, 4096, ART_REGION_FILE }, { 4096, 512 * 1024, ART_REGION_META },
				     { 516 * 1024, 4096, ART_REGION_DATA } };
	struct art_region unknown[] = { { 0, 8192, (enum art_region_type)99 } };
	const struct art_regions r = { 1, list }, three = { 3, list }, none = { 1, unknown };
	int ends[2];

	put_noise(0, 8192);
	/* Regions that do not cover the image; a file that is shorter than was said. */
	ck_assert_int_eq(make(8192, &r, CHUNK), ART_E_FAILED);
	ck_assert_int_eq(make(65536, NULL, CHUNK), ART_E_SOURCE_CHANGED);
	ck_assert_int_eq(make(520 * 1024, &three, CHUNK), ART_E_SOURCE_CHANGED);
	ck_assert_int_eq(make(8192, &none, CHUNK), ART_E_FAILED);
	/* Where nobody can say where data are, there may be some. */
	ck_assert_int_eq(pipe(ends), 0);
	view = (struct art_view){ ends[0], "pipe", 8192, NULL, 0 };
	ck_assert_uint_eq(art_view_hole(&view, 4096, 8192), 4096);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* Data and zeros in turn, as small as rows get: only the coarse way keeps the rows in an index. */
START_TEST(fewest_rows)
{
	uint64_t off;

	noise(PAGE);
	for (off = 0; off < ART_SEGMENT_SIZE; off += 36 * 1024)
		put(off, PAGE);
	make_good(ART_SEGMENT_SIZE, NULL, CHUNK);
	ck_assert_uint_gt(plan.count, ART_PAGES_MAX * ART_PAGE_ROWS);
	make_good(ART_SEGMENT_SIZE, NULL, ART_CHUNK_MAX);
	ck_assert_uint_eq(plan.count, 1024);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	for (off = 0; off < ART_SEGMENT_SIZE; off += 1024 * 1024 + PAGE)
		put(off, PAGE);
	make_good(ART_SEGMENT_SIZE, NULL, ART_CHUNK_MAX);
	ck_assert_uint_le(plan.count, 2048);
	ck_assert(cut_at(PAGE)->zero);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan");
	TCase *t = tcase_create("plan");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, unknown_content);
	tcase_add_test(t, cuts_move_with_content);
	tcase_add_test(t, zero_runs);
	tcase_add_test(t, small_images);
	tcase_add_test(t, holes_are_not_read);
	tcase_add_test(t, sparse_or_not);
	tcase_add_test(t, regions);
	tcase_add_loop_test(t, programs, 0, 6);
	tcase_add_test(t, small_gaps);
	tcase_add_test(t, across_segments);
	tcase_add_test(t, reading_a_view);
	tcase_add_test(t, bad_input);
	tcase_add_test(t, fewest_rows);
	suite_add_tcase(s, t);
	return run_suite(s);
}
