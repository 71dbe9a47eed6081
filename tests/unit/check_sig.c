// SPDX-License-Identifier: Apache-2.0
/* manifest.sig: the grammar, its limits, and the text that is signed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "libartifact/base64.h"
#include "libartifact/sig.h"
#include "libartifact/util.h"
#include "tests/unit/run.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static uint8_t member[ART_SIG_MEMBER_MAX + 4096];

/* A member of LEN bytes that begins with TEXT. */
static int parse(struct art_siglist *list, const char *text, size_t len)
{
	struct art_err err = { .code = 0 };
	int code;

	memset(member, '\n', sizeof(member));
	memcpy(member, text, strlen(text));
	code = art_siglist_parse(list, member, len, &err);
	ck_assert_int_eq(err.code, code);
	return code;
}

static int verdict(const char *text)
{
	struct art_siglist list;
	int code = parse(&list, text, 4096);

	art_siglist_free(&list);
	return code;
}

START_TEST(good_lines)
{
	struct art_siglist list;

	ck_assert_int_eq(parse(&list, "ed25519 " ID " QUJD\nx-1 " ID " QUI=\n", 4096), 0);
	ck_assert_uint_eq(list.count, 2);
	ck_assert_str_eq(list.sig[0].algorithm, "ed25519");
	ck_assert_str_eq(list.sig[0].key_id, ID);
	ck_assert_uint_eq(list.sig[0].len, 3);
	ck_assert_mem_eq(list.sig[0].bytes, "ABC", 3);
	ck_assert_uint_eq(list.sig[1].len, 2);
	art_siglist_free(&list);
	ck_assert_uint_eq(list.count, 0);
	ck_assert_int_eq(parse(&list, "", 65536), 0);
	ck_assert_uint_eq(list.count, 0);
	art_siglist_free(&list);
	art_siglist_free(NULL);
	ck_assert_int_eq(verdict("abcdefghijklmnopqrstuvwxyz012345 " ID " QQ==\n"), 0);
}
END_TEST

START_TEST(bad_lines)
{
	static const char *const bad[] = {
		"x\n",
		" \n",
		"ed25519\n",
		"ed25519 \n",
		"ed25519 " ID "\n",
		"ed25519 " ID " \n",
		"ed25519 " ID "\tQUJD\n",
		"ed25519  " ID " QUJD\n",
		"ed25519 " ID "  QUJD\n",
		" ed25519 " ID " QUJD\n",
		"ed25519 " ID " QUJD \n",
		"ed25519 " ID " QUJD\r\n",
		"Ed25519 " ID " QUJD\n",
		"ed_25519 " ID " QUJD\n",
		" " ID " QUJD\n",
		"abcdefghijklmnopqrstuvwxyz0123456 " ID " QUJD\n",
		"ed25519 0" ID " QUJD\n",
		"ed25519 123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef QUJD\n",
		"ed25519 0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef QUJD\n",
		"ed25519 g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef QUJD\n",
		"ed25519 " ID " QUJ\n",
		"ed25519 " ID " QUJ=\n",
		"ed25519 " ID " QR==\n",
		"ed25519 " ID " Q===\n",
		"ed25519 " ID " ====\n",
		"ed25519 " ID " QQ==QQ==\n",
		"ed25519 " ID " QU-D\n",
		"ed25519 " ID " QU_D\n",
		"ed25519 " ID " QUJD\n\ned25519 " ID " QUJD\n",
		"\ned25519 " ID " QUJD\n",
		"ed25519 " ID " QUJD\n\nx",
		"ed25519 " ID " QUJD\n ",
	};
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(bad); i++)
		ck_assert_msg(verdict(bad[i]) == ART_E_SIG_SYNTAX, "line %zu: %s", i, bad[i]);
}
END_TEST

/* NULs cannot hide in any field, and the last byte is judged as the first. */
START_TEST(every_byte_counts)
{
	static const char line[] = "ed25519 " ID " QUJD\n";
	struct art_siglist list;
	size_t i;

	for (i = 0; i < strlen(line) - 1; i++) {
		memset(member, '\n', 4096);
		memcpy(member, line, strlen(line));
		member[i] = '\0';
		ck_assert_int_eq(art_siglist_parse(&list, member, 4096, NULL), ART_E_SIG_SYNTAX);
		art_siglist_free(&list);
	}
	memset(member, '\n', 4096);
	member[4095] = '\0';
	ck_assert_int_eq(art_siglist_parse(&list, member, 4096, NULL), ART_E_SIG_SYNTAX);
	art_siglist_free(&list);
	memset(member, 'a', 4096);
	ck_assert_int_eq(art_siglist_parse(&list, member, 4096, NULL), ART_E_SIG_SYNTAX);
	art_siglist_free(&list);
}
END_TEST

START_TEST(sizes)
{
	static const size_t bad[] = { 0, 1, 4095, 4097, 6000, 65537, 65536 + 4096 };
	struct art_siglist list;
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(parse(&list, "", bad[i]), ART_E_SIG_SYNTAX);
		art_siglist_free(&list);
	}
}
END_TEST

static size_t add_line(char *out, size_t bytes)
{
	uint8_t *zero = calloc(1, bytes);
	size_t n = (size_t)sprintf(out, "ed25519 " ID " ");

	n += art_base64_encode(out + n, zero, bytes);
	free(zero);
	out[n++] = '\n';
	out[n] = '\0';
	return n;
}

START_TEST(limits)
{
	static char text[70000];
	struct art_siglist list;
	size_t n = 0, i;

	add_line(text, ART_SIG_MAX);
	ck_assert_int_eq(parse(&list, text, 12288), 0);
	ck_assert_uint_eq(list.sig[0].len, ART_SIG_MAX);
	art_siglist_free(&list);
	add_line(text, ART_SIG_MAX + 1);
	ck_assert_int_eq(parse(&list, text, 12288), ART_E_SIG_SYNTAX);
	art_siglist_free(&list);
	add_line(text, ART_SIG_MAX + 2); /* its text is longer, too */
	ck_assert_int_eq(parse(&list, text, 12288), ART_E_SIG_SYNTAX);
	art_siglist_free(&list);
	/* A line that fills the member to its last byte. */
	n = add_line(text, 3021);
	memmove(text + 1, text + strlen("ed25519"), n + 1 - strlen("ed25519"));
	text[0] = 'x';
	ck_assert_uint_eq(strlen(text), 4096);
	ck_assert_int_eq(parse(&list, text, 4096), 0);
	ck_assert_uint_eq(list.sig[0].len, 3021);
	art_siglist_free(&list);
	n = 0;
	for (i = 0; i < ART_SIG_LINES_MAX; i++)
		n += add_line(text + n, 64);
	ck_assert_int_eq(parse(&list, text, 8192), 0);
	ck_assert_uint_eq(list.count, ART_SIG_LINES_MAX);
	art_siglist_free(&list);
	add_line(text + n, 64);
	ck_assert_int_eq(parse(&list, text, 8192), ART_E_SIG_SYNTAX);
	art_siglist_free(&list);
}
END_TEST

START_TEST(adds_and_formats)
{
	struct art_siglist list = { .count = 0 }, back;
	uint8_t bytes[64] = { 1, 2, 3 };
	char id[ART_KEY_ID_TEXT] = ID;
	uint8_t out[4096];
	size_t i;

	ck_assert_int_eq(art_siglist_add(&list, "ed25519", ID, bytes, 64, NULL), 0);
	ck_assert_int_eq(art_siglist_add(&list, "x", ID, bytes, 3, NULL), 0);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_str_eq(list.sig[0].algorithm, "x");
	ck_assert_int_eq(art_siglist_add(&list, "X", ID, bytes, 3, NULL), ART_E_USAGE);
	ck_assert_int_eq(art_siglist_add(&list, "x", ID "0", bytes, 3, NULL), ART_E_USAGE);
	ck_assert_int_eq(art_siglist_add(&list, "x", ID, bytes, 0, NULL), ART_E_USAGE);
	ck_assert_int_eq(art_siglist_add(&list, "x", ID, bytes, ART_SIG_MAX + 1, NULL), ART_E_USAGE);
	for (i = 1; i < ART_SIG_LINES_MAX; i++) {
		id[0] = (char)("0123456789abcdef"[i % 16]);
		id[1] = (char)('0' + i / 16 + 4);
		ck_assert_int_eq(art_siglist_add(&list, "x", id, bytes, 3, NULL), 0);
	}
	ck_assert_uint_eq(list.count, ART_SIG_LINES_MAX);
	id[1] = '9';
	ck_assert_int_eq(art_siglist_add(&list, "x", id, bytes, 3, NULL), ART_E_USAGE);
	ck_assert_int_eq(art_siglist_add(&list, "x", ID, bytes, 2, NULL), 0);
	ck_assert_int_eq(art_siglist_format(&list, out, sizeof(out), NULL), 0);
	ck_assert_int_eq(art_siglist_parse(&back, out, sizeof(out), NULL), 0);
	ck_assert_uint_eq(back.count, list.count);
	for (i = 0; i < list.count; i++) {
		ck_assert_str_eq(back.sig[i].key_id, list.sig[i].key_id);
		ck_assert_str_eq(back.sig[i].algorithm, list.sig[i].algorithm);
		ck_assert_uint_eq(back.sig[i].len, list.sig[i].len);
		ck_assert_mem_eq(back.sig[i].bytes, list.sig[i].bytes, list.sig[i].len);
	}
	art_siglist_free(&back);
	art_siglist_free(&list);
}
END_TEST

/* The room to the byte: exactly full is fine, one byte less is not, and nothing is written beyond. */
START_TEST(room)
{
	struct art_siglist list = { .count = 0 };
	uint8_t bytes[64] = { 0 };
	uint8_t out[4096];
	size_t line = strlen("ed25519 " ID " ") + 88 + 1;

	ck_assert_int_eq(art_siglist_add(&list, "ed25519", ID, bytes, 64, NULL), 0);
	memset(out, 0xee, sizeof(out));
	ck_assert_int_eq(art_siglist_format(&list, out, line, NULL), 0);
	ck_assert_int_eq(out[line - 1], '\n');
	ck_assert_int_eq(out[line], 0xee);
	ck_assert_int_eq(art_siglist_format(&list, out, line - 1, NULL), ART_E_USAGE);
	ck_assert_int_eq(art_siglist_format(&list, out, 0, NULL), ART_E_USAGE);
	art_siglist_free(&list);
	ck_assert_int_eq(art_siglist_format(&list, out, 8, NULL), 0);
	ck_assert_mem_eq(out, "\n\n\n\n\n\n\n\n", 8);
}
END_TEST

START_TEST(sign_text)
{
	/* SHA-512 of "abc", FIPS 180-2. */
	static const char expected[] =
		"twinroot-artifact-v1\ned25519\n" ID "\n"
		"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f\n";
	char out[ART_SIGN_TEXT_MAX], preamble[ART_SIGN_TEXT_MAX] = "";
	size_t len = 0;

	ck_assert_int_eq(art_sign_text(out, ART_PREAMBLE_ARTIFACT, "ed25519", ID,
				       (const uint8_t *)"abc", 3, &len, NULL), 0);
	ck_assert_str_eq(out, expected);
	ck_assert_uint_eq(len, strlen(expected));
	ck_assert_int_eq(art_sign_text(out, ART_PREAMBLE_ARTIFACT, "abcdefghijklmnopqrstuvwxyz012345",
				       ID, (const uint8_t *)"abc", 3, &len, NULL), 0);
	ck_assert_int_lt(art_sign_text(out, ART_PREAMBLE_ARTIFACT, "a\nb", ID,
				       (const uint8_t *)"abc", 3, &len, NULL), 0);
	ck_assert_int_lt(art_sign_text(out, ART_PREAMBLE_ARTIFACT, "ed25519", "",
				       (const uint8_t *)"abc", 3, &len, NULL), 0);
	/* A text that was cut off must not be signed. */
	memset(preamble, 'p', sizeof(preamble) - 1);
	ck_assert_int_eq(art_sign_text(out, preamble, "ed25519", ID, (const uint8_t *)"abc", 3, &len, NULL),
			 ART_E_FAILED);
}
END_TEST

START_TEST(base64)
{
	static const char *const plain[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
	static const char *const coded[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=",
					     "Zm9vYmFy" };
	uint8_t all[256], back[260];
	char text[400];
	size_t i, n;

	for (i = 0; i < ART_ARRAY_SIZE(plain); i++) {
		ck_assert_uint_eq(art_base64_encode(text, (const uint8_t *)plain[i], strlen(plain[i])),
				  ART_BASE64_SIZE(strlen(plain[i])));
		ck_assert_str_eq(text, coded[i]);
		ck_assert_int_eq(art_base64_decode(back, &n, text, strlen(text)), 0);
		ck_assert_uint_eq(n, strlen(plain[i]));
		ck_assert_mem_eq(back, plain[i], n);
	}
	for (i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	n = art_base64_encode(text, all, 256);
	ck_assert_int_eq(art_base64_decode(back, &n, text, n), 0);
	ck_assert_mem_eq(all, back, 256);
	ck_assert_int_eq(art_base64_decode(back, &n, "Zh==", 4), -1);
	ck_assert_int_eq(art_base64_decode(back, &n, "Zm9=", 4), -1);
	ck_assert_int_eq(art_base64_decode(back, &n, "Zg==Zg==", 8), -1);
	ck_assert_int_eq(art_base64_decode(back, &n, "Z\0==", 4), -1);
	ck_assert_int_eq(art_base64_decode(back, &n, "Zg=", 3), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sig");
	TCase *tc = tcase_create("sig");

	tcase_add_test(tc, good_lines);
	tcase_add_test(tc, bad_lines);
	tcase_add_test(tc, every_byte_counts);
	tcase_add_test(tc, sizes);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, adds_and_formats);
	tcase_add_test(tc, room);
	tcase_add_test(tc, sign_text);
	tcase_add_test(tc, base64);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
