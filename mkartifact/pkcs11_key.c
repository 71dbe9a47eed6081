// SPDX-License-Identifier: Apache-2.0
/*
 * The public half of a key on a token. Tokens differ in where they keep it: in the private key object (RSA), in a public key
 * object beside it (EC), or in a certificate only (many cards). All are asked in this order.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "libartifact/util.h"
#include "mkartifact/pkcs11.h"

#define ATTRIBUTE_MAX 8192

uint8_t *mk_p11_get(const struct mk_p11 *p, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
		    size_t *len)
{
	CK_ATTRIBUTE a = { type, NULL, 0 };
	uint8_t *bytes;

	if (p->module->C_GetAttributeValue(p->session, object, &a, 1) != CKR_OK ||
	    a.ulValueLen == CK_UNAVAILABLE_INFORMATION || a.ulValueLen == 0 ||
	    a.ulValueLen > ATTRIBUTE_MAX)
		return NULL;
	bytes = malloc(a.ulValueLen);
	a.pValue = bytes;
	if (!bytes || p->module->C_GetAttributeValue(p->session, object, &a, 1) != CKR_OK ||
	    a.ulValueLen == CK_UNAVAILABLE_INFORMATION) {
		free(bytes);
		return NULL;
	}
	*len = a.ulValueLen;
	return bytes;
}

int mk_p11_find(const struct mk_p11 *p, CK_ATTRIBUTE *template, CK_ULONG count,
		CK_OBJECT_HANDLE *found, CK_ULONG max, CK_ULONG *found_count, struct art_err *err)
{
	CK_RV rv = p->module->C_FindObjectsInit(p->session, template, count);

	*found_count = 0;
	if (rv == CKR_OK) {
		rv = p->module->C_FindObjects(p->session, found, max, found_count);
		p->module->C_FindObjectsFinal(p->session);
	}
	if (rv != CKR_OK)
		return art_fail(err, ART_E_FAILED, "cannot search the token: %s", p11_kit_strerror(rv));
	return 0;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

static EVP_PKEY *read_rsa(const struct mk_p11 *p, CK_OBJECT_HANDLE object)
{
	size_t n_len = 0, e_len = 0;
	cleanup_free uint8_t *n = mk_p11_get(p, object, CKA_MODULUS, &n_len);
	cleanup_free uint8_t *e = mk_p11_get(p, object, CKA_PUBLIC_EXPONENT, &e_len);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *bn = n ? BN_bin2bn(n, (int)n_len, NULL) : NULL;
	BIGNUM *be = e ? BN_bin2bn(e, (int)e_len, NULL) : NULL;
	EVP_PKEY *pkey = NULL;

	if (build && bn && be && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		pkey = from_params("RSA", build);
	BN_free(bn);
	BN_free(be);
	OSSL_PARAM_BLD_free(build);
	return pkey;
}

/* The curves of the registry, as CKA_EC_PARAMS may spell them. */
static const struct curve {
	uint8_t params[16];
	size_t params_len;
	const char *group;  /* NULL: Ed25519 */
	size_t point_len;
} curves[] = {
	{ { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 }, 10, "prime256v1", 65 },
	{ { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 }, 7, "secp384r1", 97 },
	{ { 0x06, 0x03, 0x2b, 0x65, 0x70 }, 5, NULL, 32 },
	{ { 0x13, 0x0c, 'e', 'd', 'w', 'a', 'r', 'd', 's', '2', '5', '5', '1', '9' }, 14, NULL, 32 },
};

static const struct curve *find_curve(const uint8_t *params, size_t len)
{
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(curves); i++)
		if (len == curves[i].params_len && memcmp(params, curves[i].params, len) == 0)
			return &curves[i];
	return NULL;
}

/* CKA_EC_POINT is the point in a DER OCTET STRING by the standard, and bare on some tokens. All points here are
 * shorter than 128 bytes, so that the wrapping is two bytes. */
static const uint8_t *unwrap(const uint8_t *point, size_t len, size_t want)
{
	if (len == want)
		return point;
	if (len == want + 2 && point[0] == 0x04 && point[1] == want)
		return point + 2;
	return NULL;
}

static EVP_PKEY *ec_pkey(const struct curve *c, const uint8_t *point)
{
	OSSL_PARAM_BLD *build;
	EVP_PKEY *pkey = NULL;

	if (!c->group)
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point, c->point_len);
	build = OSSL_PARAM_BLD_new();
	if (build &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, c->point_len) == 1)
		pkey = from_params("EC", build);
	OSSL_PARAM_BLD_free(build);
	return pkey;
}

static EVP_PKEY *read_ec(const struct mk_p11 *p, CK_OBJECT_HANDLE object)
{
	size_t params_len = 0, len = 0;
	cleanup_free uint8_t *params = mk_p11_get(p, object, CKA_EC_PARAMS, &params_len);
	cleanup_free uint8_t *point = mk_p11_get(p, object, CKA_EC_POINT, &len);
	const struct curve *c = params && point ? find_curve(params, params_len) : NULL;
	const uint8_t *bare = c ? unwrap(point, len, c->point_len) : NULL;

	return bare ? ec_pkey(c, bare) : NULL;
}

static EVP_PKEY *read_certificate(const struct mk_p11 *p, CK_OBJECT_HANDLE object)
{
	size_t len = 0;
	cleanup_free uint8_t *der = mk_p11_get(p, object, CKA_VALUE, &len);
	const unsigned char *at = der;
	X509 *cert = der ? d2i_X509(NULL, &at, (long)len) : NULL;
	EVP_PKEY *pkey = cert ? X509_get_pubkey(cert) : NULL;

	X509_free(cert);
	return pkey;
}

static EVP_PKEY *read_public(const struct mk_p11 *p, CK_OBJECT_HANDLE object)
{
	EVP_PKEY *pkey = read_rsa(p, object);

	return pkey ? pkey : read_ec(p, object);
}

/* The object of CLASS that belongs to the private key; by CKA_ID, which the standard has for this. */
static bool find_sibling(const struct mk_p11 *p, CK_OBJECT_HANDLE private, CK_OBJECT_CLASS class,
			 CK_OBJECT_HANDLE *out)
{
	size_t len = 0;
	cleanup_free uint8_t *id = mk_p11_get(p, private, CKA_ID, &len);
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_ID, id, len },
	};
	CK_ULONG count;

	return id && mk_p11_find(p, template, 2, out, 1, &count, NULL) == 0 && count == 1;
}

int mk_p11_public_key(const struct mk_p11 *p, CK_OBJECT_HANDLE object, const char *name,
		      struct art_key **out, struct art_err *err)
{
	EVP_PKEY *pkey = read_public(p, object);
	CK_OBJECT_HANDLE other;
	int code;

	if (!pkey && find_sibling(p, object, CKO_PUBLIC_KEY, &other))
		pkey = read_public(p, other);
	if (!pkey && find_sibling(p, object, CKO_CERTIFICATE, &other))
		pkey = read_certificate(p, other);
	ERR_clear_error();
	if (!pkey)
		return art_fail(err, ART_E_KEY_BAD,
				"no public key of a known type with the id of '%s' on the token", name);
	code = art_key_from_pkey(out, pkey, name, err);
	EVP_PKEY_free(pkey);
	return code;
}
