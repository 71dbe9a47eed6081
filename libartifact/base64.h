/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 of RFC 4648 section 4 in its one canonical form: padded, unused bits zero, nothing ignored. */
#ifndef ART_BASE64_H
#define ART_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that LEN bytes take when encoded, without the NUL. LEN must be far from SIZE_MAX. */
#define ART_BASE64_SIZE(len) (((len) + 2) / 3 * 4)

/* Encode into OUT (ART_BASE64_SIZE(len) + 1 bytes), terminated; returns the length. */
size_t art_base64_encode(char *out, const uint8_t *bytes, size_t len);

/* Decode LEN characters into OUT (len / 4 * 3 bytes). 0, or -1 when TEXT is not canonical. */
int art_base64_decode(uint8_t *out, size_t *out_len, const char *text, size_t len);

#endif
