// SPDX-License-Identifier: Apache-2.0
/* Versions against Debian's own rules: a table, and dpkg itself where it is installed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/util.h"
#include "libartifact/version.h"
#include "tests/unit/run.h"

static const struct pair {
	const char *a;
	char relation; /* a < b, a = b, a > b */
	const char *b;
} pairs[] = {
	{ "1", '=', "1" },
	{ "1", '<', "2" },
	{ "9", '<', "10" },
	{ "1.0", '<', "1.0.1" },
	{ "1.9", '<', "1.10" },
	{ "1.01", '=', "1.1" },
	{ "1.001", '<', "1.2" },
	{ "00", '=', "0" },
	{ "1", '=', "1-0" },
	{ "1-", '=', "1" },
	{ "1-0", '=', "1-00" },
	{ "1-1", '<', "1-2" },
	{ "1-1", '>', "1" },
	{ "1-1-1", '>', "1-1" },
	{ "1-2-1", '>', "1-1-9" },
	{ "1.0~rc1", '<', "1.0" },
	{ "1.0~rc1", '<', "1.0~rc2" },
	{ "1.0~~", '<', "1.0~" },
	{ "1.0~~a", '<', "1.0~" },
	{ "1.0~", '<', "1.0" },
	{ "1.0~1", '<', "1.0-1" },
	{ "1.0-1~bpo1", '<', "1.0-1" },
	{ "1.0+b1", '>', "1.0" },
	{ "1.0+", '>', "1.0" },
	{ "1.0+b1", '>', "1.0b1" },
	{ "1.0a", '>', "1.0" },
	{ "1.0a", '<', "1.0b" },
	{ "1.0A", '<', "1.0a" },
	{ "1.0Z", '<', "1.0a" },
	{ "1.0a", '<', "1.0+" },
	{ "1.0.", '>', "1.0a" },
	{ "1.0a1", '<', "1.0a2" },
	{ "1.0a9", '<', "1.0a10" },
	{ "1.0a", '=', "1.0a0" },
	{ "1a2b", '<', "1a2c" },
	{ "1+deb12u1", '<', "1+deb12u2" },
	{ "1.2.3-4+deb12u1", '>', "1.2.3-4" },
	{ "20261123", '>', "2026112" },
	{ "123456789012345678901234567890", '<', "123456789012345678901234567891" },
	{ "123456789012345678901234567890", '>', "99999999999999999999999999999" },
	{ "1.0-a", '>', "1.0" },
	{ "1.0-~", '<', "1.0" },
	{ "1.0.0", '>', "1.0" },
	{ "0", '<', "0a" },
	{ "1~", '<', "1" },
	{ "1~", '<', "1~0a" },
	{ "1~", '=', "1~0" },
};

static char sign(int n)
{
	return n < 0 ? '<' : n > 0 ? '>' : '=';
}

START_TEST(comparisons)
{
	const struct pair *p = &pairs[_i];
	char back = p->relation == '<' ? '>' : p->relation == '>' ? '<' : '=';

	ck_assert_msg(sign(art_version_compare(p->a, p->b)) == p->relation, "%s %c %s", p->a,
		      p->relation, p->b);
	ck_assert_msg(sign(art_version_compare(p->b, p->a)) == back, "%s %c %s", p->b, back, p->a);
	ck_assert_int_eq(art_version_compare(p->a, p->a), 0);
}
END_TEST

/* The table is right: dpkg says the same. An empty revision it refuses, so it is not asked. */
START_TEST(dpkg_agrees)
{
	char command[300];
	const char *op;
	size_t i;

	if (system("dpkg --compare-versions 1 lt 2 2>/dev/null") != 0)
		return;
	for (i = 0; i < ART_ARRAY_SIZE(pairs); i++) {
		if (pairs[i].a[strlen(pairs[i].a) - 1] == '-')
			continue;
		op = pairs[i].relation == '<' ? "lt" : pairs[i].relation == '>' ? "gt" : "eq";
		snprintf(command, sizeof(command), "dpkg --compare-versions '%s' %s '%s'",
			 pairs[i].a, op, pairs[i].b);
		ck_assert_msg(system(command) == 0, "%s", command);
	}
}
END_TEST

/* All short texts over what matters: an order is total, and dpkg orders a sample the same way. */
START_TEST(order_is_total)
{
	static const char chars[] = "01a~+.-";
	char texts[7 * 7 * 2][5];
	size_t count = 0, i, j, k;

	for (i = 0; chars[i]; i++)
		for (j = 0; chars[j]; j++) {
			snprintf(texts[count], sizeof(texts[0]), "1%c%c", chars[i], chars[j]);
			if (art_version_is_valid(texts[count]))
				count++;
		}
	ck_assert_uint_gt(count, 30);
	for (i = 0; i < count; i++)
		for (j = 0; j < count; j++)
			for (k = 0; k < count; k++) {
				int ab = art_version_compare(texts[i], texts[j]);
				int bc = art_version_compare(texts[j], texts[k]);

				ck_assert(sign(ab) != sign(art_version_compare(texts[j], texts[i])) ||
					  ab == 0);
				if (ab <= 0 && bc <= 0)
					ck_assert_int_le(art_version_compare(texts[i], texts[k]), 0);
			}
}
END_TEST

START_TEST(grammar)
{
	static const char *const good[] = { "1", "a", "Z9", "1.2+3~4-5", "1-", "1~" };
	static const char *const bad[] = { "",     ".1",  "-1", "~1",   "+1",   "1..2", "1.",
					   "1:2",  "1 2", "1/2", "1_2", "1\n", "\xc3\xa4" };
	char text[ART_VERSION_MAX + 2];
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(good); i++)
		ck_assert_msg(art_version_is_valid(good[i]), "%s", good[i]);
	for (i = 0; i < ART_ARRAY_SIZE(bad); i++)
		ck_assert_msg(!art_version_is_valid(bad[i]), "%s", bad[i]);
	memset(text, '1', sizeof(text));
	text[ART_VERSION_MAX + 1] = '\0';
	ck_assert(!art_version_is_valid(text));
	text[ART_VERSION_MAX] = '\0';
	ck_assert(art_version_is_valid(text));
}
END_TEST

START_TEST(range_grammar)
{
	static const char *const good[] = { "1", "1..", "..1", "1..2", "1..1", "1..1-0",
					    "1.0~..1.0", "1.2.3..1.2.4" };
	static const char *const bad[] = { "",      "..",    "2..1", "1...2", "1..2..3", "1....",
					   "...",   "...1",  "1. .2", "1..-2", "x y",     "1...",
					   "-1..2", "1..2.", "1.0..1.0~" };
	char text[ART_RANGE_MAX + 2];
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(good); i++)
		ck_assert_msg(art_range_is_valid(good[i]), "%s", good[i]);
	for (i = 0; i < ART_ARRAY_SIZE(bad); i++)
		ck_assert_msg(!art_range_is_valid(bad[i]), "%s", bad[i]);
	memset(text, '1', sizeof(text));
	memcpy(text + ART_VERSION_MAX, "..", 2);
	text[ART_RANGE_MAX + 1] = '\0';
	ck_assert(!art_range_is_valid(text));
	text[ART_RANGE_MAX] = '\0';
	ck_assert(art_range_is_valid(text));
	memcpy(text + ART_VERSION_MAX - 1, "1..", 3);
	text[ART_VERSION_MAX + 2] = '\0';
	ck_assert(art_range_is_valid(text));
	memcpy(text + ART_VERSION_MAX, "1..", 4);
	ck_assert(!art_range_is_valid(text));
}
END_TEST

START_TEST(range_members)
{
	static const struct {
		const char *range;
		const char *version;
		bool has;
	} rows[] = {
		{ "1.2", "1.2", true },       { "1.2", "1.2-0", true },  { "1.2", "1.2.1", false },
		{ "1.2", "1.1", false },      { "1.2..", "1.2", true },  { "1.2..", "9", true },
		{ "1.2..", "1.2~rc1", false }, { "..2", "2", true },      { "..2", "0", true },
		{ "..2", "2.0", false },      { "1..3", "1", true },     { "1..3", "3", true },
		{ "1..3", "2-9", true },      { "1..3", "3-1", false },  { "1..3", "1~", false },
	};
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(rows); i++)
		ck_assert_msg(art_range_has(rows[i].range, rows[i].version) == rows[i].has,
			      "%s in %s", rows[i].version, rows[i].range);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("version");
	TCase *tc = tcase_create("version");

	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, comparisons, 0, ART_ARRAY_SIZE(pairs));
	tcase_add_test(tc, dpkg_agrees);
	tcase_add_test(tc, order_is_total);
	tcase_add_test(tc, grammar);
	tcase_add_test(tc, range_grammar);
	tcase_add_test(tc, range_members);
	return run_suite(suite);
}
