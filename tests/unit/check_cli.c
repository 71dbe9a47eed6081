// SPDX-License-Identifier: Apache-2.0
/* What the programs share: text made harmless, sizes, error texts, progress lines. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>
#include <jansson.h>

#include "common/cli.h"
#include "common/progress.h"
#include "common/text.h"
#include "tests/unit/run.h"

/* Runs FN with stdout and stderr in files and gives back what it wrote. */
static int captured(int (*fn)(void), char *out, char *err, size_t room)
{
	FILE *files[2] = { tmpfile(), tmpfile() };
	int saved[2], status;
	char *text[2] = { out, err };

	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		ck_assert_ptr_nonnull(files[i]);
		saved[i] = dup(i + 1);
		ck_assert_int_eq(dup2(fileno(files[i]), i + 1), i + 1);
	}
	status = fn();
	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 2; i++) {
		size_t n;

		dup2(saved[i], i + 1);
		close(saved[i]);
		rewind(files[i]);
		n = fread(text[i], 1, room - 1, files[i]);
		text[i][n] = '\0';
		fclose(files[i]);
	}
	return status;
}

START_TEST(sizes)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} want[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1024 * 1024 - 1, "1023.9 KiB" },
		{ 12 * 1048576 + 307 * 1024, "12.2 MiB" },
		{ 12 * 1048576 + 308 * 1024, "12.3 MiB" },
		{ UINT64_C(1) << 46, "64.0 TiB" },
		{ UINT64_MAX, "15.9 EiB" },
	};
	char out[TEXT_SIZE_MAX];

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		ck_assert_str_eq(text_size(out, want[i].bytes), want[i].text);
	ck_assert_str_eq(text_duration(out, 7), "0:07");
	ck_assert_str_eq(text_duration(out, 754), "12:34");
	ck_assert_str_eq(text_duration(out, 11045), "3:04:05");
	ck_assert_str_eq(text_duration(out, UINT64_MAX), "9999:00:00");
}
END_TEST

START_TEST(escapes)
{
	static const struct {
		const char *in, *out;
	} want[] = {
		{ "plain", "plain" },
		{ "\033[2J", "\\x1b[2J" },
		{ "a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f" },
		{ "back\\slash", "back\\\\slash" },
		{ "gr\303\274n \342\202\254 \360\237\220\247", "gr\303\274n \342\202\254 \360\237\220\247" },
		{ "\302\233c1", "\\xc2\\x9bc1" },
		{ "\342\200\256rtl", "\\xe2\\x80\\xaertl" },
		{ "\300\200", "\\xc0\\x80" },
		{ "\355\240\200", "\\xed\\xa0\\x80" },
		{ "\364\220\200\200", "\\xf4\\x90\\x80\\x80" },
		{ "cut\342\202", "cut\\xe2\\x82" },
	};
	char out[128];

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		size_t n = text_escape(out, sizeof(out), want[i].in, strlen(want[i].in));

		ck_assert_str_eq(out, want[i].out);
		ck_assert_uint_eq(n, strlen(want[i].out));
	}
	/* Never half an escape, never beyond the room. */
	memset(out, 'X', sizeof(out));
	ck_assert_uint_eq(text_escape(out, 6, "ab\033c", 4), 2);
	ck_assert_str_eq(out, "ab");
	ck_assert_int_eq(out[6], 'X');
}
END_TEST

/* Long text is printed in pieces; no character may be torn at a seam. */
static int print_long(void)
{
	text_print(stdout,
		   "0123456789012345678901234567890123456789012345678901234567890123456789"
		   "01234567890123456789012345678\342\202\254\342\202\254end");
	putchar('\n');
	text_print_lines(stdout, "one\n\033two\n", "  ");
	return 0;
}

START_TEST(seams)
{
	char out[512], err[512];

	captured(print_long, out, err, sizeof(out));
	ck_assert_ptr_nonnull(strstr(out, "678\342\202\254\342\202\254end\n"));
	ck_assert_ptr_nonnull(strstr(out, "end\none\n  \\x1btwo\n"));
}
END_TEST

static int fail_untrusted(void)
{
	struct art_err err;

	art_fail(&err, ART_E_SIG_UNTRUSTED, "no signature of '\033[1mx' is trusted");
	return cli_fail(&err);
}

START_TEST(failing)
{
	char out[512], err[512];

	cli_init("artifact-test");
	ck_assert_int_eq(captured(fail_untrusted, out, err, sizeof(out)), 4);
	ck_assert_str_eq(err, "artifact-test: no signature of '\\x1b[1mx' is trusted\n");
	ck_assert_str_eq(out, "");
	cli_set_level(CLI_INFO);
	cli_set_json(true);
	ck_assert_int_eq(captured(fail_untrusted, out, err, sizeof(out)), 4);
	ck_assert_str_eq(err, "artifact-test: no signature of '\\x1b[1mx' is trusted [sig-untrusted]\n");
	ck_assert_str_eq(out, "{\n  \"error\": {\n    \"name\": \"sig-untrusted\",\n    \"exit\": 4,\n"
			      "    \"text\": \"no signature of '\\u001B[1mx' is trusted\"\n  }\n}\n");
	cli_set_level(CLI_WARN);
	cli_set_json(false);
}
END_TEST

static int fail_silently(void)
{
	struct art_err err = { 0 };

	return cli_fail(&err);
}

/* An error record that nobody filled must not become exit status 0. */
START_TEST(failing_without_reason)
{
	char out[512], err[512];

	ck_assert_int_eq(captured(fail_silently, out, err, sizeof(out)), 1);
}
END_TEST

/* Any bytes make a JSON string. */
START_TEST(json_text)
{
	struct json_t *good = cli_json_text("gr\303\274n\n"), *bad = cli_json_text("a\377\n");

	ck_assert_str_eq(json_string_value(good), "gr\303\274n\n");
	ck_assert_str_eq(json_string_value(bad), "a\\xff\\x0a");
	json_decref(good);
	json_decref(bad);
}
END_TEST

static int talk(void)
{
	cli_error("e");
	cli_warn("w");
	cli_info("i");
	cli_debug("d");
	cli_hint("h");
	return 0;
}

START_TEST(levels)
{
	static const char *const want[] = {
		[CLI_ERROR] = "artifact-test: e\n",
		[CLI_WARN] = "artifact-test: e\nartifact-test: w\ntry: h\n",
		[CLI_INFO] = "artifact-test: e\nartifact-test: w\nartifact-test: i\ntry: h\n",
		[CLI_DEBUG] = "artifact-test: e\nartifact-test: w\nartifact-test: i\n"
			      "artifact-test: d\ntry: h\n",
	};
	char out[512], err[512];

	cli_init("artifact-test");
	for (int i = CLI_ERROR; i <= CLI_DEBUG; i++) {
		cli_set_level((enum cli_level)i);
		captured(talk, out, err, sizeof(out));
		ck_assert_str_eq(err, want[i]);
		ck_assert_str_eq(out, "");
	}
	cli_set_level(CLI_WARN);
}
END_TEST

static int run_progress(void)
{
	progress_begin("testing", 1000);
	progress_update(NULL, 10, 1000);
	progress_update(NULL, 1000, 1000);
	progress_end();
	progress_end();
	return 0;
}

START_TEST(progress_modes)
{
	char out[1024], err[1024];

	/* stderr is a file here: nothing by default. */
	captured(run_progress, out, err, sizeof(out));
	ck_assert_str_eq(err, "");
	ck_assert_int_eq(progress_set_mode("loud"), -1);
	ck_assert_int_eq(progress_set_mode("json"), 0);
	captured(run_progress, out, err, sizeof(out));
	ck_assert_ptr_nonnull(strstr(err, "{\"event\":\"progress\",\"phase\":\"testing\",\"done\":0,"
					  "\"total\":1000}\n"));
	ck_assert_ptr_nonnull(strstr(err, "\"done\":1000,\"total\":1000}\n"));
	ck_assert_str_eq(out, "");
	ck_assert_int_eq(progress_set_mode("none"), 0);
	captured(run_progress, out, err, sizeof(out));
	ck_assert_str_eq(err, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli");
	TCase *t = tcase_create("all");

	tcase_add_test(t, sizes);
	tcase_add_test(t, escapes);
	tcase_add_test(t, seams);
	tcase_add_test(t, failing);
	tcase_add_test(t, failing_without_reason);
	tcase_add_test(t, json_text);
	tcase_add_test(t, levels);
	tcase_add_test(t, progress_modes);
	suite_add_tcase(s, t);
	return run_suite(s);
}
