/* SPDX-License-Identifier: Apache-2.0 */
/* Keys made on the spot: no private key is ever kept in the tree. */
#ifndef TEST_KEYS_H
#define TEST_KEYS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "libartifact/base64.h"
#include "libartifact/key.h"

static inline EVP_PKEY *make_ed25519(void)
{
	EVP_PKEY *p = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	ck_assert_ptr_nonnull(p);
	return p;
}

static inline EVP_PKEY *make_ec(const char *group)
{
	EVP_PKEY *p = EVP_PKEY_Q_keygen(NULL, NULL, "EC", group);

	ck_assert_ptr_nonnull(p);
	return p;
}

static inline EVP_PKEY *make_rsa(size_t bits)
{
	EVP_PKEY *p = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits);

	ck_assert_ptr_nonnull(p);
	return p;
}

/* The same key at every call in one process: to make one takes half a minute under valgrind. The caller frees. */
static inline EVP_PKEY *some_rsa3072(void)
{
	static EVP_PKEY *kept;

	if (!kept)
		kept = make_rsa(3072);
	ck_assert_int_eq(EVP_PKEY_up_ref(kept), 1);
	return kept;
}

/* The PEM text of any DER bytes; the caller frees. */
static inline char *pem_of_der(const uint8_t *der, size_t len)
{
	char *b64 = malloc(ART_BASE64_SIZE(len) + 1);
	char *pem;

	art_base64_encode(b64, der, len);
	ck_assert_int_gt(asprintf(&pem, "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n", b64),
			 0);
	free(b64);
	return pem;
}

/* SubjectPublicKeyInfo as libcrypto writes it; returns its length. */
static inline size_t der_of(EVP_PKEY *pkey, uint8_t **der)
{
	int n;

	*der = NULL;
	n = i2d_PUBKEY(pkey, der);
	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

static inline char *pem_of(EVP_PKEY *pkey)
{
	uint8_t *der;
	size_t len = der_of(pkey, &der);
	char *pem = pem_of_der(der, len);

	OPENSSL_free(der);
	return pem;
}

static inline void write_text(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

#endif
