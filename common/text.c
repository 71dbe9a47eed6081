// SPDX-License-Identifier: Apache-2.0
/* Text for people. What comes out of an artifact may be hostile even when it is only
 * shown. */
#include <stdbool.h>
#include <string.h>

#include "common/text.h"

const char *text_size(char out[TEXT_SIZE_MAX], uint64_t bytes)
{
	static const char *const unit[] = {
		"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
	};
	uint64_t tenths = 0;
	unsigned int u = 0;

	if (bytes < 1024) {
		snprintf(out, TEXT_SIZE_MAX, "%u B", (unsigned int)bytes);
		return out;
	}
	while (bytes >= UINT64_C(1024) * 1024) {
		bytes >>= 10;
		u++;
	}
	u++;
	/* Rounded down, so that what is shown is never more than what is there. */
	tenths = bytes % 1024 * 10 / 1024;
	snprintf(out, TEXT_SIZE_MAX, "%u.%u %s", (unsigned int)(bytes / 1024) % 10000,
		 (unsigned int)tenths, unit[u]);
	return out;
}

const char *text_plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

const char *text_duration(char out[TEXT_SIZE_MAX], uint64_t seconds)
{
	unsigned int hours;

	if (seconds > UINT64_C(9999) * 3600)
		seconds = UINT64_C(9999) * 3600;
	hours = (unsigned int)(seconds / 3600);
	if (hours)
		snprintf(out, TEXT_SIZE_MAX, "%u:%02u:%02u", hours % 10000,
			 (unsigned int)(seconds / 60 % 60), (unsigned int)(seconds % 60));
	else
		snprintf(out, TEXT_SIZE_MAX, "%u:%02u", (unsigned int)(seconds / 60 % 60),
			 (unsigned int)(seconds % 60));
	return out;
}

/* Length of the UTF-8 character at P and its value; 0 when these bytes are none. */
static size_t utf8_char(const unsigned char *p, size_t len, uint32_t *value)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t v;
	size_t n;

	if (p[0] < 0x80) {
		*value = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (len < n)
		return 0;
	v = p[0] & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*value = v;
	return n;
}

/* Characters that move the cursor or turn the reading direction around. */
static bool is_harmless(uint32_t v)
{
	if (v < 0x20 || (v >= 0x7f && v <= 0x9f))
		return false;
	if (v == 0x61c || v == 0x200e || v == 0x200f || v == 0xfeff)
		return false;
	return !((v >= 0x2028 && v <= 0x202e) || (v >= 0x2066 && v <= 0x2069));
}

size_t text_escape(char *out, size_t room, const char *in, size_t len)
{
	const unsigned char *p = (const unsigned char *)in;
	size_t used = 0;

	while (len > 0) {
		char piece[20];
		uint32_t v = 0;
		size_t n = utf8_char(p, len, &v), w = 0;

		if (n > 0 && is_harmless(v) && v != '\\') {
			memcpy(piece, p, n);
			w = n;
		} else if (n == 1 && v == '\\') {
			memcpy(piece, "\\\\", 2);
			w = 2;
		} else {
			n = n ? n : 1;
			for (size_t i = 0; i < n; i++)
				w += (size_t)snprintf(piece + w, sizeof(piece) - w,
						      "\\x%02x", p[i]);
		}
		if (room - used <= w)
			break;
		memcpy(out + used, piece, w);
		used += w;
		p += n;
		len -= n;
	}
	out[used] = '\0';
	return used;
}

static void print_len(FILE *f, const char *in, size_t len)
{
	char piece[512];

	while (len > 0) {
		/* A character that straddles two rounds would be taken for broken: cut
		 * before one. */
		size_t n = len < 100 ? len : 100;

		while (n > 1 && n < len && ((unsigned char)in[n] & 0xc0) == 0x80)
			n--;
		text_escape(piece, sizeof(piece), in, n);
		fputs(piece, f);
		in += n;
		len -= n;
	}
}

void text_print(FILE *f, const char *in)
{
	print_len(f, in, strlen(in));
}

void text_print_lines(FILE *f, const char *in, const char *indent)
{
	for (;;) {
		size_t n = strcspn(in, "\n");

		print_len(f, in, n);
		fputc('\n', f);
		in += n;
		if (*in == '\n')
			in++;
		if (!*in)
			return;
		fputs(indent, f);
	}
}
