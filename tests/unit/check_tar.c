// SPDX-License-Identifier: Apache-2.0
/* The tar profile: what the formatter makes is accepted, and nothing else is. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "libartifact/tar.h"
#include "tests/unit/run.h"

static uint8_t block[ART_TAR_BLOCK];

static void fix_checksum(void)
{
	unsigned int sum = 0, i;
	char text[8];

	memset(block + 148, ' ', 8);
	for (i = 0; i < ART_TAR_BLOCK; i++)
		sum += block[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(block + 148, text, 7);
}

static int parse(void)
{
	struct art_err err;
	uint64_t size;

	return art_tar_parse(block, "manifest.json", &size, &err);
}

START_TEST(round_trip)
{
	static const uint64_t sizes[] = { 0, 1, 511, 512, UINT64_C(1) << 31, UINT64_C(1) << 32,
					  (UINT64_C(1) << 33) - 1 };
	struct art_err err;
	uint64_t size = 7;

	art_tar_format(block, "payload/rootfs/0000.data", sizes[_i]);
	ck_assert_int_eq(art_tar_parse(block, "payload/rootfs/0000.data", &size, &err), 0);
	ck_assert_uint_eq(size, sizes[_i]);
	ck_assert_int_eq(
		art_tar_expect(block, "payload/rootfs/0000.data", sizes[_i] ^ 1, &err),
		ART_E_TAR_SIZE);
}
END_TEST

/* Every single bit: without a new checksum, and with one. */
START_TEST(every_bit)
{
	unsigned int bit;

	for (bit = 0; bit < 8 * ART_TAR_BLOCK; bit++) {
		struct art_err err;
		uint64_t size;
		int code;

		art_tar_format(block, "manifest.json", 4096);
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(parse(), ART_E_TAR_CHECKSUM);
		if (bit / 8 >= 148 && bit / 8 < 156)
			continue;
		fix_checksum();
		code = art_tar_parse(block, "manifest.json", &size, &err);
		/* A digit that became another octal digit is another size; all else is refused. */
		if (code == 0) {
			ck_assert_uint_ge(bit / 8, 124);
			ck_assert_uint_lt(bit / 8, 135);
			ck_assert_uint_ne(size, 4096);
		} else {
			bool in_size = bit / 8 >= 124 && bit / 8 < 136;

			ck_assert_int_eq(code == ART_E_TAR_SIZE, in_size);
			ck_assert(in_size || code == ART_E_TAR_HEADER || code == ART_E_TAR_NAME);
		}
	}
}
END_TEST

START_TEST(name_rules)
{
	art_tar_format(block, "manifest.jsox", 4096);
	ck_assert_int_eq(parse(), ART_E_TAR_NAME);
	art_tar_format(block, "./manifest.json", 4096);
	ck_assert_int_eq(parse(), ART_E_TAR_NAME);
	/* Something hidden behind the name's NUL. */
	art_tar_format(block, "manifest.json", 4096);
	block[50] = 'x';
	fix_checksum();
	ck_assert_int_eq(parse(), ART_E_TAR_NAME);
	/* A name that fills the whole field has no NUL. */
	art_tar_format(block, "manifest.json", 4096);
	memset(block, 'a', 100);
	fix_checksum();
	ck_assert_int_eq(parse(), ART_E_TAR_NAME);
}
END_TEST

START_TEST(zero_block_is_end)
{
	memset(block, 0, sizeof(block));
	ck_assert_int_eq(parse(), ART_E_TAR_END);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tar");
	TCase *t = tcase_create("tar");

	tcase_add_loop_test(t, round_trip, 0, 7);
	tcase_add_test(t, every_bit);
	tcase_add_test(t, name_rules);
	tcase_add_test(t, zero_block_is_end);
	suite_add_tcase(s, t);
	return run_suite(s);
}
