// SPDX-License-Identifier: Apache-2.0
/* r || s to DER. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>

#include "libartifact/util.h"
#include "mkartifact/ecdsa.h"

static size_t number_len(const char *algorithm)
{
	if (strcmp(algorithm, "ecdsa-p256-sha256") == 0)
		return 32;
	if (strcmp(algorithm, "ecdsa-p384-sha384") == 0)
		return 48;
	return 0;
}

static int encode(const uint8_t *raw, size_t n, uint8_t **der)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, (int)n, NULL), *s = BN_bin2bn(raw + n, (int)n, NULL);
	unsigned char *out = NULL;
	int len = -1;

	if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = NULL; /* SIG's now */
		s = NULL;
		len = i2d_ECDSA_SIG(sig, &out);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	if (len > 0) {
		*der = malloc((size_t)len);
		if (*der)
			memcpy(*der, out, (size_t)len);
		else
			len = -1;
	}
	OPENSSL_free(out);
	return len;
}

/* A short DER signature can have the length of a raw one: this is one when it parses to its end. */
static bool is_der(const uint8_t *sig, size_t len)
{
	const unsigned char *p = sig;
	ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &p, (long)len);
	bool whole = parsed && p == sig + len;

	ECDSA_SIG_free(parsed);
	ERR_clear_error();
	return whole;
}

int mk_ecdsa_from_raw(const char *algorithm, uint8_t **sig, size_t *len, struct art_err *err)
{
	size_t n = number_len(algorithm);
	uint8_t *der = NULL;
	int der_len;

	if (n == 0)
		return 0;
	if (*len != 2 * n)
		return art_fail(err, ART_E_SIG_INVALID, "an ECDSA signature of %zu bytes", *len);
	der_len = encode(*sig, n, &der);
	if (der_len < 0)
		return art_fail_memory(err);
	free(*sig);
	*sig = der;
	*len = (size_t)der_len;
	return 0;
}

int mk_ecdsa_to_der(const char *algorithm, uint8_t **sig, size_t *len, struct art_err *err)
{
	size_t n = number_len(algorithm);

	if (n == 0 || *len != 2 * n || is_der(*sig, *len))
		return 0;
	return mk_ecdsa_from_raw(algorithm, sig, len, err);
}
