/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers without policy: scope cleanup, ownership hand-over, bytes, hex. */
#ifndef ART_UTIL_H
#define ART_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ART_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ART_KIB ((uint64_t)1024)
#define ART_MIB (ART_KIB * 1024)
#define ART_GIB (ART_MIB * 1024)

/*
 * `cleanup_free char *p = NULL;` frees p when the scope ends. cleanup_close is for
 * descriptors that were only read: a written one is closed by hand and checked.
 */
#define cleanup_free __attribute__((cleanup(art_cleanup_free)))
#define cleanup_close __attribute__((cleanup(art_cleanup_close)))
void art_cleanup_free(void *pointer_to_pointer);
void art_cleanup_close(int *fd); /* closes when >= 0; keeps errno */

/* Hand a pointer out of a scope that would free it. */
#define steal_ptr(p)                        \
	__extension__({                     \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

static inline int art_steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Little-endian and unaligned. */
static inline uint16_t art_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t art_get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}
static inline uint64_t art_get64(const uint8_t *p)
{
	return art_get32(p) | (uint64_t)art_get32(p + 4) << 32;
}
static inline void art_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}
static inline void art_put32(uint8_t *p, uint32_t v)
{
	art_put16(p, (uint16_t)v);
	art_put16(p + 2, (uint16_t)(v >> 16));
}
static inline void art_put64(uint8_t *p, uint64_t v)
{
	art_put32(p, (uint32_t)v);
	art_put32(p + 4, (uint32_t)(v >> 32));
}

/* Round up to a multiple of UNIT; V + UNIT must not overflow. */
static inline uint64_t art_round_up(uint64_t v, uint64_t unit)
{
	return (v + unit - 1) / unit * unit;
}

/* Lowercase hex with a final NUL: OUT holds 2 * len + 1 bytes. */
void art_hex_format(char *out, const uint8_t *bytes, size_t len);

/* Parse exactly 2 * LEN lowercase hex digits, then NUL. 0, or -1. */
int art_hex_parse(uint8_t *out, size_t len, const char *text);

/* True when all LEN bytes are zero. */
bool art_is_zero(const void *bytes, size_t len);

/* 1 .. max characters of SET; FIRST limits the first one (NULL: as SET). */
bool art_is_name(const char *text, size_t max, const char *first, const char *set);
#define ART_LOWER "abcdefghijklmnopqrstuvwxyz"
#define ART_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ART_DIGIT "0123456789"

#endif
