// SPDX-License-Identifier: Apache-2.0
/* Scope cleanup, hex, names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libartifact/util.h"

void art_cleanup_free(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

void art_cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

void art_hex_format(char *out, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * len] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int art_hex_parse(uint8_t *out, size_t len, const char *text)
{
	size_t i;

	for (i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]);
		int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (low < 0)
			return -1;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * len] == '\0' ? 0 : -1;
}

bool art_is_zero(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	/* The first byte is zero and every byte equals the one before it: memcmp does the rest fast. */
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

bool art_is_name(const char *text, size_t max, const char *first, const char *set)
{
	size_t len = strnlen(text, max + 1);

	if (len == 0 || len > max)
		return false;
	if (first && !strchr(first, text[0]))
		return false;
	return strspn(text, set) == len;
}
