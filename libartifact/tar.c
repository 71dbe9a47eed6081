// SPDX-License-Identifier: Apache-2.0
/*
 * The strict tar profile. The parser's whole knowledge is the formatter: a header is right when
 * it equals, byte for byte, the header that its name and size have.
 */
#include <stdio.h>
#include <string.h>

#include "libartifact/tar.h"
#include "libartifact/util.h"

#define NAME_LEN 100
#define SIZE_AT 124
#define SIZE_DIGITS 11
#define SUM_AT 148
#define SUM_LEN 8

static unsigned int checksum(const uint8_t block[ART_TAR_BLOCK])
{
	unsigned int sum = 0;
	size_t i;

	for (i = 0; i < ART_TAR_BLOCK; i++)
		sum += i >= SUM_AT && i < SUM_AT + SUM_LEN ? ' ' : block[i];
	return sum;
}

static void put_checksum(uint8_t block[ART_TAR_BLOCK])
{
	char text[SUM_LEN];

	/* At most 512 * 255, which is 6 octal digits. */
	snprintf(text, sizeof(text), "%06o", checksum(block) & 0777777u);
	memcpy(block + SUM_AT, text, SUM_LEN - 1);
	block[SUM_AT + SUM_LEN - 1] = ' ';
}

void art_tar_format(uint8_t block[ART_TAR_BLOCK], const char *name, uint64_t size)
{
	size_t i;

	memset(block, 0, ART_TAR_BLOCK);
	memcpy(block, name, strnlen(name, ART_TAR_NAME_MAX));
	memcpy(block + 100, "0000644", 8);
	memcpy(block + 108, "0000000", 8);
	memcpy(block + 116, "0000000", 8);
	for (i = 0; i < SIZE_DIGITS; i++)
		block[SIZE_AT + i] = (uint8_t)('0' + (size >> 3 * (SIZE_DIGITS - 1 - i) & 7));
	memcpy(block + 136, "00000000000", 12);
	block[156] = '0';
	memcpy(block + 257, "ustar\00000", 8);
	memcpy(block + 329, "0000000", 8);
	memcpy(block + 337, "0000000", 8);
	put_checksum(block);
}

static bool checksum_is_right(const uint8_t block[ART_TAR_BLOCK])
{
	uint8_t copy[ART_TAR_BLOCK];

	memcpy(copy, block, sizeof(copy));
	put_checksum(copy);
	return memcmp(copy + SUM_AT, block + SUM_AT, SUM_LEN) == 0;
}

/* 11 octal digits and NUL, nothing else. -1: not so. */
static int parse_size(const uint8_t block[ART_TAR_BLOCK], uint64_t *size)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < SIZE_DIGITS; i++) {
		uint8_t c = block[SIZE_AT + i];

		if (c < '0' || c > '7')
			return -1;
		value = value << 3 | (uint64_t)(c - '0');
	}
	*size = value;
	return block[SIZE_AT + SIZE_DIGITS] == 0 ? 0 : -1;
}

int art_tar_parse(const uint8_t block[ART_TAR_BLOCK], const char *name, uint64_t *size,
		  struct art_err *err)
{
	uint8_t due[ART_TAR_BLOCK];
	char found[NAME_LEN + 1];
	bool plain;

	if (art_is_zero(block, ART_TAR_BLOCK))
		return art_fail(err, ART_E_TAR_END, "the archive ends where '%s' is due", name);
	if (!checksum_is_right(block))
		return art_fail(err, ART_E_TAR_CHECKSUM,
				"the header where '%s' is due has a wrong checksum", name);
	memcpy(found, block, NAME_LEN);
	found[NAME_LEN] = '\0';
	plain = parse_size(block, size) == 0;
	art_tar_format(due, found, plain ? *size : 0);
	if (!plain) /* judged last, so that here it is the only difference */
		memcpy(due + SIZE_AT, block + SIZE_AT, SIZE_DIGITS + 1);
	if (memcmp(due + NAME_LEN, block + NAME_LEN, SUM_AT - NAME_LEN) != 0 ||
	    memcmp(due + SUM_AT + SUM_LEN, block + SUM_AT + SUM_LEN,
		   ART_TAR_BLOCK - SUM_AT - SUM_LEN) != 0)
		return art_fail(err, ART_E_TAR_HEADER,
				"the header where '%s' is due is outside the tar profile", name);
	/* Bytes after the name's NUL would make two names of one. */
	if (memcmp(due, block, NAME_LEN) != 0 || strcmp(found, name) != 0)
		return art_fail(err, ART_E_TAR_NAME, "a member of another name where '%s' is due",
				name);
	if (!plain)
		return art_fail(err, ART_E_TAR_SIZE,
				"the header of '%s' has a size field that is not plain octal", name);
	return 0;
}

int art_tar_expect(const uint8_t block[ART_TAR_BLOCK], const char *name, uint64_t size,
		   struct art_err *err)
{
	uint64_t found;
	int code = art_tar_parse(block, name, &found, err);

	if (code < 0)
		return code;
	if (found != size)
		return art_fail(err, ART_E_TAR_SIZE, "'%s' has %llu bytes, %llu are due", name,
				(unsigned long long)found, (unsigned long long)size);
	return 0;
}

void art_tar_index_name(char out[ART_TAR_NAME_MAX + 1], const char *name, size_t segment)
{
	snprintf(out, ART_TAR_NAME_MAX + 1, "payload/%.32s/%04u.index", name,
		 (unsigned int)segment);
}

void art_tar_data_name(char out[ART_TAR_NAME_MAX + 1], const char *name, size_t segment)
{
	snprintf(out, ART_TAR_NAME_MAX + 1, "payload/%.32s/%04u.data", name,
		 (unsigned int)segment);
}

void art_tar_records_name(char out[ART_TAR_NAME_MAX + 1], const char *name, size_t segment)
{
	snprintf(out, ART_TAR_NAME_MAX + 1, "payload/%.32s/%04u.records", name,
		 (unsigned int)segment);
}

void art_tar_doc_name(char out[ART_TAR_NAME_MAX + 1], const char *name)
{
	snprintf(out, ART_TAR_NAME_MAX + 1, "doc/%.64s", name);
}
