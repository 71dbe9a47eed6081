/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of variable length: seven bits a byte, the low ones first, bit 7 set in all but the last. One form for each number. */
#ifndef ART_VARINT_H
#define ART_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#define ART_VARINT_MAX 9 /* bytes: 63 bits */

/* Reads the number at *P, which moves behind it. False: it does not end before END, is too large, or not in its shortest form. */
static inline bool art_varint_get(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
	uint64_t n = 0;
	unsigned int shift;

	for (shift = 0; shift < 7 * ART_VARINT_MAX && *p < end; shift += 7) {
		uint8_t byte = *(*p)++;

		n |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*out = n;
			return byte != 0 || shift == 0;
		}
	}
	return false;
}

/* Writes N (below 2^63) at P, at most ART_VARINT_MAX bytes; returns what follows it. */
static inline uint8_t *art_varint_put(uint8_t *p, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		*p++ = (uint8_t)(n | 0x80);
	*p++ = (uint8_t)n;
	return p;
}

#endif
