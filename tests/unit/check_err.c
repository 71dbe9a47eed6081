// SPDX-License-Identifier: Apache-2.0
/* The table of errors against format-spec/errors.tsv, and the rules of reporting. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/err.h"
#include "tests/unit/run.h"

static FILE *open_table(void)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/format-spec/errors.tsv", srcdir ? srcdir : ".");
	file = fopen(path, "r");
	ck_assert_msg(file, "%s", path);
	return file;
}

START_TEST(table_is_the_specs)
{
	FILE *file = open_table();
	char line[512], name[64], when[400];
	int status, i = 0;

	while (fgets(line, sizeof(line), file)) {
		ck_assert_msg(sscanf(line, "%63[^\t]\t%d\t%399[^\n]", name, &status, when) == 3,
			      "%s", line);
		ck_assert_int_lt(i, ART_I_COUNT);
		ck_assert_str_eq(art_code_name(-1 - i), name);
		ck_assert_int_eq(art_code_exit(-1 - i), status);
		i++;
	}
	ck_assert_int_eq(i, ART_I_COUNT);
	fclose(file);
}
END_TEST

START_TEST(names_differ)
{
	int i, j;

	for (i = 0; i < ART_I_COUNT; i++) {
		ck_assert_int_ge(art_code_exit(-1 - i), 1);
		ck_assert_int_le(art_code_exit(-1 - i), 8);
		for (j = 0; j < i; j++)
			ck_assert_str_ne(art_code_name(-1 - i), art_code_name(-1 - j));
	}
}
END_TEST

/* A code that nobody defined is a failure, never a success. */
START_TEST(codes_outside)
{
	ck_assert_str_eq(art_code_name(0), "ok");
	ck_assert_int_eq(art_code_exit(0), 0);
	ck_assert_str_eq(art_code_name(1), "failed");
	ck_assert_int_eq(art_code_exit(1), 1);
	ck_assert_str_eq(art_code_name(-1 - ART_I_COUNT), "failed");
	ck_assert_int_eq(art_code_exit(-1 - ART_I_COUNT), 1);
	ck_assert_int_eq(art_code_exit(-2147483647 - 1), 1);
}
END_TEST

START_TEST(reporting)
{
	struct art_err err = { 0 };

	ck_assert_int_eq(art_fail(&err, ART_E_TAR_NAME, "bad '%s'", "x"), ART_E_TAR_NAME);
	ck_assert_str_eq(err.text, "bad 'x'");
	ck_assert_int_eq(art_wrap(&err, "slot %c", 'B'), ART_E_TAR_NAME);
	ck_assert_str_eq(err.text, "slot B: bad 'x'");
	ck_assert_int_eq(err.sys_errno, 0);
	ck_assert_int_eq(art_fail(NULL, ART_E_TAR_NAME, "x"), ART_E_TAR_NAME);
	ck_assert_int_eq(art_wrap(NULL, "x"), ART_E_FAILED);
	ck_assert_int_eq(art_fail_memory(&err), ART_E_NO_MEMORY);
	ck_assert_int_eq(art_fail_memory(NULL), ART_E_NO_MEMORY);
}
END_TEST

START_TEST(system_errors)
{
	static const struct {
		int number;
		int code;
	} rows[] = { { EIO, ART_E_TAR_NAME },     { ENOSPC, ART_E_SPACE },
		     { EDQUOT, ART_E_SPACE },     { ENOMEM, ART_E_NO_MEMORY } };
	struct art_err err;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		errno = rows[i].number;
		ck_assert_int_eq(art_fail_errno(&err, ART_E_TAR_NAME, "reading '%s'", "x"),
				 rows[i].code);
		ck_assert_int_eq(err.code, rows[i].code);
		ck_assert_int_eq(err.sys_errno, rows[i].number);
		ck_assert_int_eq(errno, rows[i].number);
		ck_assert_int_eq(strncmp(err.text, "reading 'x': ", 13), 0);
		ck_assert_int_eq(art_fail_errno(NULL, ART_E_TAR_NAME, "x"), rows[i].code);
	}
}
END_TEST

/* Texts that do not fit are cut, and terminated. */
START_TEST(long_texts)
{
	char big[2000];
	struct art_err err;

	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	errno = EIO;
	art_fail_errno(&err, ART_E_IO, "%s", big);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	art_wrap(&err, "y");
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	ck_assert_int_eq(strncmp(err.text, "y: xxx", 6), 0);
	art_wrap(&err, "%s", big);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("err");
	TCase *tc = tcase_create("err");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, table_is_the_specs);
	tcase_add_test(tc, names_differ);
	tcase_add_test(tc, codes_outside);
	tcase_add_test(tc, reporting);
	tcase_add_test(tc, system_errors);
	tcase_add_test(tc, long_texts);
	return run_suite(suite);
}
