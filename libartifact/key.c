// SPDX-License-Identifier: Apache-2.0
/*
 * Public keys. A key has exactly one encoding and so one id; whatever could give one key two ids (other
 * point forms, explicit curves, other RSA identifiers) is refused, so that it cannot count twice.
 * Every function here says yes only when libcrypto answered 1.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "libartifact/base64.h"
#include "libartifact/crypto.h"
#include "libartifact/digest.h"
#include "libartifact/io.h"
#include "libartifact/key.h"
#include "libartifact/util.h"

#define PEM_MAX (64 * 1024)
#define RSA_BITS_MIN 3072
#define RSA_BITS_MAX 8192
#define EC_COORD_MAX 48
#define ED25519_LEN 32

/* The registry of section 12.1. Key types go by name, so that a libcrypto newer than the headers
 * brings its algorithms along. */
struct algorithm {
	const char *name;
	const char *type;  /* libcrypto's name of the key type */
	const char *group; /* EC: the curve */
	const char *md;    /* NULL: the algorithm hashes for itself */
	/* EC: everything of the SubjectPublicKeyInfo before the coordinates. */
	uint8_t spki[27];
	size_t spki_len;
	size_t coord_len;
};

static const struct algorithm algorithms[] = {
	{ .name = "ed25519", .type = "ED25519" },
	{ .name = "ecdsa-p256-sha256", .type = "EC", .group = "prime256v1", .md = "SHA2-256",
	  .spki = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
		    0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04 },
	  .spki_len = 27, .coord_len = 32 },
	{ .name = "ecdsa-p384-sha384", .type = "EC", .group = "secp384r1", .md = "SHA2-384",
	  .spki = { 0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
		    0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04 },
	  .spki_len = 24, .coord_len = 48 },
	{ .name = "rsa-pss-sha256", .type = "RSA", .md = "SHA2-256" },
	{ .name = "ml-dsa-65", .type = "ML-DSA-65" },
	{ .name = "ml-dsa-87", .type = "ML-DSA-87" },
};

struct art_key {
	EVP_PKEY *pkey;
	const struct algorithm *algorithm;
	char id[ART_KEY_ID_TEXT];
};

static bool is_rsa(const struct algorithm *a)
{
	return strcmp(a->type, "RSA") == 0;
}

static bool is_ed25519(const struct algorithm *a)
{
	return strcmp(a->type, "ED25519") == 0;
}

static const struct algorithm *find_algorithm(EVP_PKEY *pkey)
{
	char group[64];
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(algorithms); i++) {
		const struct algorithm *a = &algorithms[i];

		if (EVP_PKEY_is_a(pkey, a->type) != 1)
			continue;
		if (a->group && (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1 ||
				 strcmp(group, a->group) != 0))
			continue;
		return a;
	}
	return NULL;
}

const char *art_algorithm_of(EVP_PKEY *pkey)
{
	const struct algorithm *a = pkey ? find_algorithm(pkey) : NULL;

	ERR_clear_error();
	return a ? a->name : NULL;
}

/* Write one coordinate of an EC point. */
static int put_coordinate(EVP_PKEY *pkey, const char *param, uint8_t *out, size_t len)
{
	BIGNUM *v = NULL;
	int ok;

	if (EVP_PKEY_get_bn_param(pkey, param, &v) != 1)
		return -1;
	ok = BN_bn2binpad(v, out, (int)len) == (int)len;
	BN_free(v);
	return ok ? 0 : -1;
}

/* Our own lack of memory, where libcrypto's is looked for. */
static int no_memory(void)
{
	ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
	return -1;
}

/* The one encoding of an EC key: named curve, uncompressed point, whatever form it was read in. */
static int encode_ec(EVP_PKEY *pkey, const struct algorithm *a, uint8_t **out, size_t *len)
{
	size_t total = a->spki_len + 2 * a->coord_len;
	cleanup_free uint8_t *der = malloc(total);
	char form[32];

	if (!der)
		return no_memory();
	/* A curve written out in numbers may only look like the one whose name libcrypto gives it. */
	if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_ENCODING, form, sizeof(form),
					   NULL) != 1 || strcmp(form, "named_curve") != 0)
		return -1;
	memcpy(der, a->spki, a->spki_len);
	if (put_coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_X, der + a->spki_len, a->coord_len) < 0 ||
	    put_coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, der + a->spki_len + a->coord_len,
			   a->coord_len) < 0)
		return -1;
	*out = steal_ptr(der);
	*len = total;
	return 0;
}

/* The canonical SubjectPublicKeyInfo; the caller frees. */
static int encode(EVP_PKEY *pkey, const struct algorithm *a, uint8_t **out, size_t *len)
{
	unsigned char *der = NULL;
	int n;

	if (a->group)
		return encode_ec(pkey, a, out, len);
	n = i2d_PUBKEY(pkey, &der);
	if (n <= 0)
		return -1;
	*out = malloc((size_t)n);
	if (*out)
		memcpy(*out, der, (size_t)n);
	OPENSSL_free(der);
	*len = (size_t)n;
	return *out ? 0 : no_memory();
}

/*
 * Points of small order: under such a key anybody can make signatures that verify. And y >= p: a second
 * spelling of another key. The sign bit is masked before comparing.
 */
static bool is_weak_ed25519(const uint8_t y_in[ED25519_LEN])
{
	static const uint8_t order8[2][ED25519_LEN] = {
		{ 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
		  0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
		  0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
		{ 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
		  0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
		  0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
	};
	uint8_t y[ED25519_LEN];
	size_t i;

	memcpy(y, y_in, sizeof(y));
	y[31] &= 0x7f;
	if (memcmp(y, order8[0], sizeof(y)) == 0 || memcmp(y, order8[1], sizeof(y)) == 0)
		return true;
	if (y[0] <= 1 && art_is_zero(y + 1, sizeof(y) - 1))
		return true;
	/* p - 1 = 0xec ff .. ff 7f has order 2; everything above is not reduced. */
	for (i = 1; i < 31; i++)
		if (y[i] != 0xff)
			return false;
	return y[31] == 0x7f && y[0] >= 0xec;
}

static int check_ed25519(EVP_PKEY *pkey, const char *name, struct art_err *err)
{
	uint8_t y[ED25519_LEN];
	size_t len = sizeof(y);

	if (EVP_PKEY_get_raw_public_key(pkey, y, &len) != 1 || len != sizeof(y))
		return art_fail(err, ART_E_KEY_BAD, "cannot read the Ed25519 key in '%s'", name);
	if (is_weak_ed25519(y))
		return art_fail(err, ART_E_KEY_BAD,
				"weak Ed25519 key in '%s': its point has a small order or is not reduced",
				name);
	return 0;
}

/* EC: the point lies on the curve. RSA: no even or prime modulus, no exponent up to 2^16. */
static int check_numbers(EVP_PKEY *pkey, const char *name, struct art_err *err)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	int ok = ctx && EVP_PKEY_public_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : art_fail(err, ART_E_KEY_BAD, "the numbers of the key in '%s' are not valid",
				 name);
}

static int check_strength(EVP_PKEY *pkey, const struct algorithm *a, const char *name,
			  struct art_err *err)
{
	int bits = EVP_PKEY_get_bits(pkey);

	if (is_ed25519(a))
		return check_ed25519(pkey, name, err);
	if (is_rsa(a) && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX))
		return art_fail(err, ART_E_KEY_BAD,
				"RSA key of %d bits in '%s': %d to %d bits are needed", bits, name,
				RSA_BITS_MIN, RSA_BITS_MAX);
	if (is_rsa(a) || a->group)
		return check_numbers(pkey, name, err);
	return 0;
}

/* The key's own faults, in this order; whether libcrypto was able to judge is the caller's question. */
static int judge_key(struct art_key *key, const uint8_t *der, size_t len, const char *name,
		     struct art_err *err)
{
	cleanup_free uint8_t *canonical = NULL;
	const unsigned char *p = der;
	size_t canonical_len = 0;

	key->pkey = d2i_PUBKEY(NULL, &p, (long)len);
	if (!key->pkey || p != der + len)
		return art_fail(err, ART_E_KEY_BAD, "'%s' is not a public key that libcrypto knows",
				name);
	key->algorithm = find_algorithm(key->pkey);
	if (!key->algorithm)
		return art_fail(err, ART_E_KEY_BAD, "key type '%s' in '%s' is not one of the format's",
				EVP_PKEY_get0_type_name(key->pkey) ?: "unknown", name);
	if (encode(key->pkey, key->algorithm, &canonical, &canonical_len) < 0 ||
	    canonical_len != len || memcmp(canonical, der, len) != 0)
		return art_fail(err, ART_E_KEY_BAD, "the key in '%s' is not in its canonical encoding",
				name);
	return check_strength(key->pkey, key->algorithm, name, err);
}

/* The only way in: every key, also a signer's own, passes here as DER. */
static int key_from_der(struct art_key **out, const uint8_t *der, size_t len, const char *name,
			struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	struct art_key *key;
	int code = art_crypto_begin(err);

	if (code)
		return code;
	key = calloc(1, sizeof(*key));
	if (!key)
		return art_fail_memory(err);
	code = judge_key(key, der, len, name, err);
	if (code == ART_E_KEY_BAD && art_crypto_lacked_memory())
		code = art_fail_memory(err);
	if (!code)
		code = art_sha256(der, len, digest, err);
	ERR_clear_error();
	if (code) {
		art_key_free(key);
		return code;
	}
	art_hex_format(key->id, digest, sizeof(digest));
	*out = key;
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Strip what MARK says from the front (or, with END, from the back) of [*TEXT, *LEN). */
static int take_mark(const char **text, size_t *len, const char *mark, bool end)
{
	size_t n = strlen(mark);

	if (*len < n || memcmp(end ? *text + *len - n : *text, mark, n) != 0)
		return -1;
	if (!end)
		*text += n;
	*len -= n;
	return 0;
}

/* Is there a private key in this text? Worth words of its own: it is the likeliest mistake, and a bad one. */
static bool has_private(const char *pem, size_t len)
{
	return memmem(pem, len, "PRIVATE KEY-----", strlen("PRIVATE KEY-----")) != NULL;
}

int art_key_parse(struct art_key **out, const char *pem, size_t len, const char *name,
		  struct art_err *err)
{
	cleanup_free char *b64 = NULL;
	cleanup_free uint8_t *der = NULL;
	const char *text = pem;
	size_t left = len, used = 0, der_len = 0, i;

	while (left > 0 && is_space(*text)) {
		text++;
		left--;
	}
	while (left > 0 && is_space(text[left - 1]))
		left--;
	if (has_private(pem, len))
		return art_fail(err, ART_E_KEY_BAD,
				"'%s' holds a private key where a public one belongs", name);
	if (take_mark(&text, &left, "-----BEGIN PUBLIC KEY-----", false) < 0 ||
	    take_mark(&text, &left, "-----END PUBLIC KEY-----", true) < 0 || left > PEM_MAX)
		return art_fail(err, ART_E_KEY_BAD, "'%s' is not exactly one PEM public key", name);
	b64 = malloc(left + 1);
	der = malloc(left + 1);
	if (!b64 || !der)
		return art_fail_memory(err);
	for (i = 0; i < left; i++)
		if (!is_space(text[i]))
			b64[used++] = text[i];
	if (used == 0 || art_base64_decode(der, &der_len, b64, used) < 0)
		return art_fail(err, ART_E_KEY_BAD, "'%s' is not exactly one PEM public key", name);
	return key_from_der(out, der, der_len, name, err);
}

int art_key_load(struct art_key **out, const char *path, struct art_err *err)
{
	struct art_err why = { .code = 0 };
	cleanup_free uint8_t *pem = NULL;
	size_t len;
	int code = art_read_file(path, PEM_MAX, &pem, &len, &why);

	/* Too large is a fault of the content, not of the disk. */
	if (code == ART_E_IO && why.sys_errno == 0)
		return art_fail(err, ART_E_KEY_BAD, "'%s' is too large for a public key", path);
	if (code < 0) {
		if (err)
			*err = why;
		return code;
	}
	return art_key_parse(out, (const char *)pem, len, path, err);
}

int art_key_from_pkey(struct art_key **out, EVP_PKEY *pkey, const char *name, struct art_err *err)
{
	const struct algorithm *a;
	cleanup_free uint8_t *der = NULL;
	size_t len = 0;
	int code = art_crypto_begin(err);

	if (code)
		return code;
	a = pkey ? find_algorithm(pkey) : NULL;
	if (!a || encode(pkey, a, &der, &len) < 0)
		code = art_crypto_lacked_memory() ?
			       art_fail_memory(err) :
			       art_fail(err, ART_E_KEY_BAD,
					"the key type of '%s' is not one of the format's", name);
	else
		code = key_from_der(out, der, len, name, err);
	ERR_clear_error();
	return code;
}

void art_key_free(struct art_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

const char *art_key_id(const struct art_key *key)
{
	return key->id;
}

const char *art_key_algorithm(const struct art_key *key)
{
	return key->algorithm->name;
}

static int set_pss(EVP_PKEY_CTX *ctx)
{
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, "SHA2-256", NULL) == 1;
}

int art_key_verify(const struct art_key *key, const void *text, size_t len, const uint8_t *sig,
		   size_t sig_len, struct art_err *err)
{
	const struct algorithm *a = key ? key->algorithm : NULL;
	EVP_PKEY_CTX *pctx = NULL;
	EVP_MD_CTX *ctx;
	int ready, code, answer = 0;
	bool lacked;

	if (!key)
		return art_fail(err, ART_E_KEY_NONE, "no key to verify a signature with");
	if (!text || !sig || sig_len == 0 || sig_len > ART_SIG_MAX)
		return art_fail(err, ART_E_SIG_INVALID, "no signature of a possible length by key '%s'",
				key->id);
	/* It has worked once, when the key was made. */
	code = art_crypto_begin(err);
	if (code != 0)
		return code;
	ctx = EVP_MD_CTX_new();
	ready = ctx && EVP_DigestVerifyInit_ex(ctx, &pctx, a->md, NULL, NULL, key->pkey, NULL) == 1 &&
		(!is_rsa(a) || set_pss(pctx));
	if (ready)
		answer = EVP_DigestVerify(ctx, sig, sig_len, text, len);
	EVP_MD_CTX_free(ctx);
	lacked = answer != 1 && art_crypto_lacked_memory();
	ERR_clear_error();
	if (lacked)
		return art_fail_memory(err);
	if (!ready)
		return art_fail(err, ART_E_FAILED, "libcrypto cannot verify with '%s'", a->name);
	/* Negative answers are malformed signatures: only 1 is a yes. */
	if (answer != 1)
		return art_fail(err, ART_E_SIG_INVALID, "the signature by key '%s' is wrong", key->id);
	return 0;
}

int art_key_sign(EVP_PKEY *private_key, const void *text, size_t len, uint8_t **sig,
		 size_t *sig_len, struct art_err *err)
{
	const struct algorithm *a;
	cleanup_free uint8_t *buf = NULL;
	EVP_PKEY_CTX *pctx = NULL;
	EVP_MD_CTX *ctx;
	size_t n = 0;
	bool ok;
	int code = art_crypto_begin(err);

	if (code)
		return code;
	a = private_key ? find_algorithm(private_key) : NULL;
	if (!a)
		return art_crypto_lacked_memory() ?
			       art_fail_memory(err) :
			       art_fail(err, ART_E_KEY_BAD, "no private key of a type that the format knows");
	ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_DigestSignInit_ex(ctx, &pctx, a->md, NULL, NULL, private_key, NULL) == 1 &&
	     (!is_rsa(a) || set_pss(pctx)) && EVP_DigestSign(ctx, NULL, &n, text, len) == 1 &&
	     n > 0 && n <= ART_SIG_MAX && (buf = malloc(n)) != NULL &&
	     EVP_DigestSign(ctx, buf, &n, text, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	if (!ok)
		return art_fail(err, ART_E_FAILED, "libcrypto cannot sign with '%s'", a->name);
	*sig = steal_ptr(buf);
	*sig_len = n;
	return 0;
}
