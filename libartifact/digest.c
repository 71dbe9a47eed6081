// SPDX-License-Identifier: Apache-2.0
/* SHA-2 through EVP. The algorithm is fetched once for each object, not once for each message. */
#include <stdlib.h>

#include <openssl/evp.h>

#include "libartifact/crypto.h"
#include "libartifact/digest.h"

struct art_digest {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
};

static int digest_fail(struct art_err *err)
{
	return art_fail(err, ART_E_FAILED, "libcrypto cannot compute a digest");
}

static int digest_new(struct art_digest **out, const char *name, struct art_err *err)
{
	struct art_digest *d;
	int code = art_crypto_begin(err);

	if (code)
		return code;
	d = calloc(1, sizeof(*d));
	if (!d)
		return art_fail_memory(err);
	d->md = EVP_MD_fetch(NULL, name, NULL);
	d->ctx = EVP_MD_CTX_new();
	if (!d->md || !d->ctx || EVP_DigestInit_ex2(d->ctx, d->md, NULL) != 1) {
		art_digest_free(d);
		return digest_fail(err);
	}
	*out = d;
	return 0;
}

int art_sha256_new(struct art_digest **out, struct art_err *err)
{
	return digest_new(out, "SHA2-256", err);
}

int art_sha512_new(struct art_digest **out, struct art_err *err)
{
	return digest_new(out, "SHA2-512", err);
}

int art_digest_update(struct art_digest *d, const void *bytes, size_t len,
		      struct art_err *err)
{
	return EVP_DigestUpdate(d->ctx, bytes, len) == 1 ? 0 : digest_fail(err);
}

int art_digest_final(struct art_digest *d, uint8_t *out, struct art_err *err)
{
	if (EVP_DigestFinal_ex(d->ctx, out, NULL) != 1 ||
	    EVP_DigestInit_ex2(d->ctx, NULL, NULL) != 1)
		return digest_fail(err);
	return 0;
}

void art_digest_free(struct art_digest *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->ctx);
	EVP_MD_free(d->md);
	free(d);
}

int art_digest_once(struct art_digest *d, const void *bytes, size_t len, uint8_t *out,
		    struct art_err *err)
{
	int code = art_digest_update(d, bytes, len, err);

	return code < 0 ? code : art_digest_final(d, out, err);
}

static int one_shot(const char *name, const void *bytes, size_t len, uint8_t *out,
		    struct art_err *err)
{
	struct art_digest *d = NULL;
	int code = digest_new(&d, name, err);

	if (code == 0)
		code = art_digest_once(d, bytes, len, out, err);
	art_digest_free(d);
	return code;
}

int art_sha256(const void *bytes, size_t len, uint8_t out[ART_SHA256_LEN],
	       struct art_err *err)
{
	return one_shot("SHA2-256", bytes, len, out, err);
}

int art_sha512(const void *bytes, size_t len, uint8_t out[ART_SHA512_LEN],
	       struct art_err *err)
{
	return one_shot("SHA2-512", bytes, len, out, err);
}
