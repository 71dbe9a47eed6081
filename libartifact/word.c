// SPDX-License-Identifier: Apache-2.0
/* The grammar of the manifest's words. */
#include <string.h>

#include "libartifact/util.h"
#include "libartifact/word.h"

#define NAME_FIRST ART_UPPER ART_LOWER ART_DIGIT
#define NAME_CHARS NAME_FIRST "._-"

static const char *const arch_names[] = {
	"x86_64",  "i386", "aarch64", "armhf",  "armel",    "riscv64", "riscv32",     "ppc64le", "ppc64",
	"mips",    "mipsel", "mips64", "mips64el", "s390x", "loongarch64", "any",     NULL,
};
static const char *const kind_names[] = { "rootfs-image", "boot-image", NULL };
static const char *const filesystem_names[] = { "ext4", "squashfs", "erofs", "vfat", "raw", NULL };

bool art_word_is_one_of(const char *text, const char *const *names)
{
	while (*names && strcmp(*names, text) != 0)
		names++;
	return *names;
}

bool art_word_is_name(const char *text)
{
	return art_is_name(text, 64, NAME_FIRST, NAME_CHARS);
}

bool art_word_is_device_type(const char *text)
{
	return art_is_name(text, 64, NULL, NAME_FIRST "._,+-");
}

bool art_word_is_feature(const char *text)
{
	return art_is_name(text, 32, NULL, ART_LOWER ART_DIGIT "-");
}

bool art_word_is_attribute(const char *text)
{
	return art_is_name(text, 64, NULL, ART_LOWER ART_DIGIT "._-");
}

bool art_word_is_payload_name(const char *text)
{
	return art_is_name(text, 32, ART_LOWER, ART_LOWER ART_DIGIT "-");
}

bool art_word_is_arch(const char *text)
{
	return art_word_is_one_of(text, arch_names);
}

bool art_word_is_kind(const char *text)
{
	return art_word_is_one_of(text, kind_names);
}

bool art_word_is_filesystem(const char *text)
{
	return art_word_is_one_of(text, filesystem_names);
}

bool art_word_is_advisory_id(const char *text)
{
	return text[0] != '\0' && strlen(text) <= 64;
}

/* TEXT has the shape of MODEL: '0' stands for a digit, all else for itself. */
static bool has_shape(const char *text, const char *model)
{
	for (; *model; model++, text++) {
		if (*model == '0' ? *text < '0' || *text > '9' : *text != *model)
			return false;
	}
	return *text == '\0';
}

static unsigned int two_digits(const char *p)
{
	return (unsigned int)(p[0] - '0') * 10 + (unsigned int)(p[1] - '0');
}

/* A day of the calendar, in "YYYY-MM-DD" that has its shape. */
static bool is_day(const char *text)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned int year = two_digits(text) * 100 + two_digits(text + 2);
	unsigned int month = two_digits(text + 5);
	unsigned int day = two_digits(text + 8);
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	if (year == 0 || month < 1 || month > 12 || day < 1)
		return false;
	return day <= days[month - 1] + (month == 2 && leap ? 1U : 0U);
}

bool art_word_is_date(const char *text)
{
	return has_shape(text, "0000-00-00") && is_day(text);
}

bool art_word_is_time(const char *text)
{
	return has_shape(text, "0000-00-00T00:00:00Z") && is_day(text) &&
	       two_digits(text + 11) < 24 && two_digits(text + 14) < 60 &&
	       two_digits(text + 17) < 60;
}
