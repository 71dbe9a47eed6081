// SPDX-License-Identifier: Apache-2.0
/* Cutting where runs of earlier images begin and end. Images are written as words: a letter is a page of its noise. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <check.h>

#include "libartifact/io.h"
#include "libartifact/plan_earlier.h"
#include "tests/unit/run.h"

#define PAGE 4096

static int fd;
static struct art_view view;
static struct art_plan plan;
static uint8_t buf[PAGE];

static void setup(void)
{
	fd = memfd_create("image", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	memset(&plan, 0, sizeof(plan));
}

static void teardown(void)
{
	art_plan_clear(&plan);
	close(fd);
}

static void make_page(char letter)
{
	uint64_t seed = (uint64_t)letter;
	size_t i;

	for (i = 0; i < PAGE; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		buf[i] = letter == '.' ? 0 : (uint8_t)(seed >> 40) | 1;
	}
}

/* Pages of noise, one for each letter, the same at each call; '.' is a page of zeros. */
static void put_pages(int to, uint64_t off, const char *letters)
{
	struct art_err err;

	for (; *letters; letters++, off += PAGE) {
		make_page(*letters);
		ck_assert_int_eq(art_pwrite_full(to, buf, PAGE, off, "image", &err), 0);
	}
}

/* Learn an image of these pages. */
static void learn(struct art_earlier *e, const char *letters)
{
	int old = memfd_create("old", MFD_CLOEXEC);
	struct art_blob *blob = NULL;
	struct art_err err;

	ck_assert_int_ge(old, 0);
	put_pages(old, 0, letters);
	ck_assert_int_eq(art_blob_open_fd(&blob, old, "old", &err), 0);
	ck_assert_int_eq(art_earlier_add(e, blob, NULL, &err), 0);
	art_blob_free(blob);
	close(old);
}

/* How the image of these pages, a chunk from each space to the next, is cut, so written too. */
static const char *cut_by(struct art_earlier *e, const char *letters)
{
	static char text[64];
	struct art_plan finer = { .count = 0 };
	char pages[64] = "";
	size_t at = 0, i, n = 0;
	struct art_err err;

	art_plan_clear(&plan);
	plan.cuts = calloc(sizeof(text), sizeof(*plan.cuts));
	ck_assert_ptr_nonnull(plan.cuts);
	plan.cuts[0].group = true;
	plan.count = 1;
	for (i = 0; letters[i]; i++) {
		if (letters[i] == ' ') {
			plan.count++;
			continue;
		}
		plan.cuts[plan.count - 1].len += PAGE;
		pages[n++] = letters[i];
	}
	put_pages(fd, 0, pages);
	view = (struct art_view){ fd, "image", n * PAGE, NULL, 0 };
	ck_assert_int_eq(art_earlier_cut(e, &plan, &view, &finer, &err), 0);
	for (i = n = 0; i < finer.count; i++) {
		ck_assert_uint_eq(finer.cuts[i].len % PAGE, 0);
		ck_assert(finer.cuts[i].group == (i == 0));
		ck_assert(!finer.cuts[i].zero);
		if (i > 0)
			text[n++] = ' ';
		memcpy(text + n, pages + at, finer.cuts[i].len / PAGE);
		n += finer.cuts[i].len / PAGE;
		at += finer.cuts[i].len / PAGE;
	}
	text[n] = '\0';
	art_plan_clear(&finer);
	return text;
}

START_TEST(cut_by_earlier)
{
	struct art_earlier *e = NULL;
	struct art_err err;

	ck_assert_int_eq(art_earlier_new(&e, &err), 0);
	learn(e, "ABCDEFGHIJ");
	ck_assert_str_eq(cut_by(e, "ABCDEFGHIJ"), "ABCDEFGHIJ");
	ck_assert_str_eq(cut_by(e, "ABC DEFG HIJ"), "ABC DEFG HIJ");
	ck_assert_str_eq(cut_by(e, "xyz"), "xyz");
	ck_assert_str_eq(cut_by(e, "ABxDEF"), "AB x DEF");
	ck_assert_str_eq(cut_by(e, "xAByDEz w"), "x AB y DE z w");
	/* What has moved is found; what has not stayed together is cut there. */
	ck_assert_str_eq(cut_by(e, "FGHABC"), "FGH ABC");
	ck_assert_str_eq(cut_by(e, "xB"), "x B");
	art_earlier_free(e);
}
END_TEST

START_TEST(cut_by_earlier_zeros)
{
	struct art_earlier *e = NULL;
	struct art_err err;

	ck_assert_int_eq(art_earlier_new(&e, &err), 0);
	learn(e, "AB..CD..........EF");
	/* A few zeros are part of a run; many part what lies on both sides, and alone they are nothing to find. */
	ck_assert_str_eq(cut_by(e, "AB..CD"), "AB..CD");
	ck_assert_str_eq(cut_by(e, "AB..xD"), "AB.. x D");
	ck_assert_str_eq(cut_by(e, "D..........E"), "D........ .. E");
	ck_assert_str_eq(cut_by(e, "x..y"), "x..y");
	art_earlier_free(e);
}
END_TEST

START_TEST(cut_by_many_earlier)
{
	struct art_earlier *e = NULL;
	struct art_err err;

	ck_assert_int_eq(art_earlier_new(&e, &err), 0);
	learn(e, "ABCD");
	ck_assert_str_eq(cut_by(e, "ABCDEF"), "ABCD EF");
	/* The longest run of all images; the end of one and the start of the next are no run. */
	learn(e, "EFABCDE");
	ck_assert_str_eq(cut_by(e, "ABCDEF"), "ABCDE F");
	learn(e, "XY");
	ck_assert_str_eq(cut_by(e, "EXY"), "E XY");
	learn(e, "");
	ck_assert_str_eq(cut_by(e, "EXY"), "E XY");
	art_earlier_free(e);
}
END_TEST

/* Zero runs, and chunks that do not lie on pages, stay; groups begin where they began, programs are told; a file that is shorter now is an error. */
START_TEST(cut_by_earlier_keeps)
{
	const struct art_cut cuts[] = { { 2 * PAGE, false, true, true }, { 4 * PAGE, true, false, false },
					{ 3 * PAGE, false, true, false }, { 100, false, false, true },
					{ PAGE + 100, false, false, false }, { 2 * PAGE, false, false, false } };
	const struct art_cut want[] = { { PAGE, false, true, true }, { PAGE, false, false, true },
					{ 4 * PAGE, true, false, false }, { 2 * PAGE, false, true, false },
					{ PAGE, false, false, false }, { 100, false, false, true },
					{ PAGE + 100, false, false, false }, { 2 * PAGE, false, false, false } };
	struct art_plan finer = { .count = 0 };
	struct art_earlier *e = NULL;
	struct art_err err;
	size_t i;

	ck_assert_int_eq(art_earlier_new(&e, &err), 0);
	learn(e, "ABCD");
	put_pages(fd, 0, "Ax....CDyABCD");
	plan.cuts = malloc(sizeof(cuts));
	ck_assert_ptr_nonnull(plan.cuts);
	memcpy(plan.cuts, cuts, sizeof(cuts));
	plan.count = sizeof(cuts) / sizeof(*cuts);
	view = (struct art_view){ fd, "image", 13 * PAGE, NULL, 0 };
	ck_assert_int_eq(art_earlier_cut(e, &plan, &view, &finer, &err), 0);
	ck_assert_uint_eq(finer.count, sizeof(want) / sizeof(*want));
	for (i = 0; i < finer.count; i++) {
		ck_assert_uint_eq(finer.cuts[i].len, want[i].len);
		ck_assert(finer.cuts[i].zero == want[i].zero);
		ck_assert(finer.cuts[i].group == want[i].group);
		ck_assert(finer.cuts[i].program == want[i].program);
	}
	art_plan_clear(&finer);
	ck_assert_int_eq(ftruncate(fd, PAGE), 0);
	ck_assert_int_eq(art_earlier_cut(e, &plan, &view, &finer, &err), ART_E_SOURCE_CHANGED);
	art_plan_clear(&finer);
	art_earlier_free(e);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan_earlier");
	TCase *t = tcase_create("plan_earlier");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, cut_by_earlier);
	tcase_add_test(t, cut_by_earlier_zeros);
	tcase_add_test(t, cut_by_many_earlier);
	tcase_add_test(t, cut_by_earlier_keeps);
	suite_add_tcase(s, t);
	return run_suite(s);
}
