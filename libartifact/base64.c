// SPDX-License-Identifier: Apache-2.0
/* Canonical base64. libcrypto's decoder skips white space and reads padding as zero bits, so it is not used. */
#include <string.h>

#include "libartifact/base64.h"

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t art_base64_encode(char *out, const uint8_t *bytes, size_t len)
{
	char *p = out;
	size_t i;

	for (i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)bytes[i] << 16;

		if (left > 1)
			v |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			v |= bytes[i + 2];
		*p++ = alphabet[v >> 18];
		*p++ = alphabet[v >> 12 & 63];
		*p++ = left > 1 ? alphabet[v >> 6 & 63] : '=';
		*p++ = left > 2 ? alphabet[v & 63] : '=';
	}
	*p = '\0';
	return (size_t)(p - out);
}

static int value_of(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

int art_base64_decode(uint8_t *out, size_t *out_len, const char *text, size_t len)
{
	size_t pad = 0, used = 0, i, k;

	if (len % 4 != 0)
		return -1;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	for (i = 0; i < len; i += 4) {
		size_t chars = i + 4 == len ? 4 - pad : 4;
		uint32_t v = 0;

		for (k = 0; k < 4; k++) {
			int digit = k < chars ? value_of(text[i + k]) : 0;

			if (digit < 0)
				return -1;
			v = v << 6 | (uint32_t)digit;
		}
		/* Bits that no byte takes must be zero, or one signature has many spellings. */
		if (v & (chars == 2 ? 0xffff : chars == 3 ? 0xff : 0))
			return -1;
		for (k = 0; k + 1 < chars; k++)
			out[used++] = (uint8_t)(v >> (16 - 8 * k));
	}
	*out_len = used;
	return 0;
}
