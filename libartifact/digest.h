/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and SHA-512 through EVP, fetched once. Failure inside libcrypto is an error, never a digest. */
#ifndef ART_DIGEST_H
#define ART_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"

#define ART_SHA256_LEN 32
#define ART_SHA512_LEN 64

struct art_digest; /* a running digest; not shared between threads */

int art_sha256_new(struct art_digest **out, struct art_err *err);
int art_sha512_new(struct art_digest **out, struct art_err *err);
int art_digest_update(struct art_digest *d, const void *bytes, size_t len,
		      struct art_err *err);

/* Write the digest (32 or 64 bytes) and make D ready for a new message. */
int art_digest_final(struct art_digest *d, uint8_t *out, struct art_err *err);
void art_digest_free(struct art_digest *d);

/* One message at once with a running digest object that is between messages. */
int art_digest_once(struct art_digest *d, const void *bytes, size_t len, uint8_t *out,
		    struct art_err *err);

/* One-shot without an object (fetches; not for inner loops). */
int art_sha256(const void *bytes, size_t len, uint8_t out[ART_SHA256_LEN],
	       struct art_err *err);
int art_sha512(const void *bytes, size_t len, uint8_t out[ART_SHA512_LEN],
	       struct art_err *err);

#endif
