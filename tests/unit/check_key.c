// SPDX-License-Identifier: Apache-2.0
/* Keys: one encoding each, weak ones refused, and a verdict of yes only for the right signature. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "libartifact/crypto.h"
#include "libartifact/digest.h"
#include "libartifact/util.h"
#include "tests/unit/keys.h"
#include "tests/unit/run.h"

static const char text[] = "some text to sign\n";

static int parse(const char *pem, size_t len)
{
	struct art_err err = { .code = 0 };
	struct art_key *key = NULL;
	int code = art_key_parse(&key, pem, len, "test", &err);

	ck_assert((code == 0) == (key != NULL));
	if (code)
		ck_assert_int_eq(err.code, code);
	art_key_free(key);
	return code;
}

static int parse_der(const uint8_t *der, size_t len)
{
	char *pem = pem_of_der(der, len);
	int code = parse(pem, strlen(pem));

	free(pem);
	return code;
}

static EVP_PKEY *make(size_t i)
{
	switch (i) {
	case 0:
		return make_ed25519();
	case 1:
		return make_ec("P-256");
	case 2:
		return make_ec("P-384");
	default:
		return some_rsa3072();
	}
}

static const char *const names[] = {
	"ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha256",
};

START_TEST(signs_and_verifies)
{
	EVP_PKEY *pkey = make((size_t)_i);
	EVP_PKEY *other = _i == 3 ? make_rsa(3072) : make((size_t)_i);
	struct art_key *key = NULL, *wrong = NULL;
	uint8_t *sig = NULL, *der;
	uint8_t digest[32];
	char id[65];
	size_t len = 0, i, n;

	ck_assert_str_eq(art_algorithm_of(pkey), names[_i]);
	ck_assert_int_eq(art_key_from_pkey(&key, pkey, "key", NULL), 0);
	ck_assert_int_eq(art_key_from_pkey(&wrong, other, "other", NULL), 0);
	ck_assert_str_eq(art_key_algorithm(key), names[_i]);
	n = der_of(pkey, &der);
	ck_assert_int_eq(art_sha256(der, n, digest, NULL), 0);
	art_hex_format(id, digest, sizeof(digest));
	ck_assert_str_eq(art_key_id(key), id);
	ck_assert_int_eq(art_key_sign(pkey, text, strlen(text), &sig, &len, NULL), 0);
	ck_assert_int_eq(art_key_verify(key, text, strlen(text), sig, len, NULL), 0);
	ck_assert_int_eq(art_key_verify(wrong, text, strlen(text), sig, len, NULL), ART_E_SIG_INVALID);
	ck_assert_int_eq(art_key_verify(key, text, strlen(text) - 1, sig, len, NULL),
			 ART_E_SIG_INVALID);
	ck_assert_int_eq(art_key_verify(key, text, strlen(text), sig, len - 1, NULL),
			 ART_E_SIG_INVALID);
	/* One bit of each byte; every byte of every kind of signature counts. */
	for (i = 0; i < len; i++) {
		sig[i] ^= 1;
		ck_assert_int_eq(art_key_verify(key, text, strlen(text), sig, len, NULL),
				 ART_E_SIG_INVALID);
		sig[i] ^= 1;
	}
	ck_assert_int_eq(art_key_verify(key, text, strlen(text), sig, len, NULL), 0);
	free(sig);
	OPENSSL_free(der);
	art_key_free(key);
	art_key_free(wrong);
	EVP_PKEY_free(pkey);
	EVP_PKEY_free(other);
}
END_TEST

START_TEST(absent_is_never_valid)
{
	EVP_PKEY *pkey = make_ed25519();
	struct art_key *key = NULL;
	uint8_t sig[64] = { 0 };
	uint8_t *out = NULL;
	size_t len;

	ck_assert_int_eq(art_key_from_pkey(&key, pkey, "key", NULL), 0);
	ck_assert_int_eq(art_key_verify(NULL, text, 3, sig, 64, NULL), ART_E_KEY_NONE);
	ck_assert_int_eq(art_key_verify(key, text, 3, sig, 0, NULL), ART_E_SIG_INVALID);
	ck_assert_int_eq(art_key_verify(key, text, 3, NULL, 64, NULL), ART_E_SIG_INVALID);
	ck_assert_int_eq(art_key_verify(key, NULL, 0, sig, 64, NULL), ART_E_SIG_INVALID);
	ck_assert_int_eq(art_key_verify(key, text, 3, sig, ART_SIG_MAX + 1, NULL), ART_E_SIG_INVALID);
	ck_assert_int_eq(art_key_verify(key, text, 3, sig, 64, NULL), ART_E_SIG_INVALID);
	ck_assert_int_eq(art_key_sign(NULL, text, 3, &out, &len, NULL), ART_E_KEY_BAD);
	ck_assert_int_eq(art_key_from_pkey(&key, NULL, "none", NULL), ART_E_KEY_BAD);
	ck_assert_ptr_null(art_algorithm_of(NULL));
	art_key_free(key);
	art_key_free(NULL);
	EVP_PKEY_free(pkey);
}
END_TEST

/* libcrypto's memory comes through libartifact, if libartifact was first: all of the allocator's contract. */
START_TEST(memory_of_libcrypto)
{
	char *p;

	ck_assert_int_eq(art_crypto_begin(NULL), 0);
	p = OPENSSL_malloc(8);
	ck_assert_ptr_nonnull(p);
	memcpy(p, "content", 8);
	p = OPENSSL_realloc(p, 100000);
	ck_assert_str_eq(p, "content");
	ck_assert_ptr_null(OPENSSL_realloc(p, 0));
	ck_assert(!art_crypto_lacked_memory());
}
END_TEST

static EVP_PKEY *rsa3072;

/* Sign with parameters of our own choosing, as an attacker or a careless tool would. */
static size_t sign_rsa(int padding, int salt, const char *md, const char *mgf, uint8_t *sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	size_t len = 1024;

	ck_assert_int_eq(EVP_DigestSignInit_ex(ctx, &pctx, md, NULL, NULL, rsa3072, NULL), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(pctx, padding), 1);
	if (padding == RSA_PKCS1_PSS_PADDING) {
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_mgf1_md_name(pctx, mgf, NULL), 1);
	}
	ck_assert_int_eq(EVP_DigestSign(ctx, sig, &len, (const uint8_t *)text, strlen(text)), 1);
	EVP_MD_CTX_free(ctx);
	return len;
}

START_TEST(pss_parameters_are_fixed)
{
	static const struct {
		int padding, salt;
		const char *md, *mgf;
		int expected;
	} cases[] = {
		{ RSA_PKCS1_PSS_PADDING, 32, "SHA256", "SHA256", 0 },
		{ RSA_PKCS1_PSS_PADDING, 0, "SHA256", "SHA256", ART_E_SIG_INVALID },
		{ RSA_PKCS1_PSS_PADDING, 20, "SHA256", "SHA256", ART_E_SIG_INVALID },
		{ RSA_PKCS1_PSS_PADDING, 31, "SHA256", "SHA256", ART_E_SIG_INVALID },
		{ RSA_PKCS1_PSS_PADDING, 33, "SHA256", "SHA256", ART_E_SIG_INVALID },
		{ RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_MAX, "SHA256", "SHA256", ART_E_SIG_INVALID },
		{ RSA_PKCS1_PSS_PADDING, 32, "SHA256", "SHA1", ART_E_SIG_INVALID },
		{ RSA_PKCS1_PSS_PADDING, 32, "SHA512", "SHA512", ART_E_SIG_INVALID },
		{ RSA_PKCS1_PADDING, 0, "SHA256", NULL, ART_E_SIG_INVALID },
	};
	struct art_key *key = NULL;
	uint8_t sig[1024];
	size_t i, len;

	rsa3072 = some_rsa3072();
	ck_assert_int_eq(art_key_from_pkey(&key, rsa3072, "rsa", NULL), 0);
	for (i = 0; i < ART_ARRAY_SIZE(cases); i++) {
		len = sign_rsa(cases[i].padding, cases[i].salt, cases[i].md, cases[i].mgf, sig);
		ck_assert_msg(art_key_verify(key, text, strlen(text), sig, len, NULL) ==
			      cases[i].expected, "case %zu", i);
	}
	art_key_free(key);
	EVP_PKEY_free(rsa3072);
}
END_TEST

START_TEST(pem_is_strict)
{
	static const char private[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
	EVP_PKEY *pkey = make_ec("P-256");
	struct art_err err;
	struct art_key *key = NULL;
	char *pem = pem_of(pkey), *b;
	size_t len = strlen(pem), i;

	ck_assert_int_eq(parse(pem, len), 0);
	ck_assert_int_gt(asprintf(&b, " \r\n\t%s\n\n ", pem), 0);
	ck_assert_int_eq(parse(b, strlen(b)), 0);
	free(b);
	ck_assert_int_gt(asprintf(&b, "# my key\n%s", pem), 0);
	ck_assert_int_eq(parse(b, strlen(b)), ART_E_KEY_BAD);
	free(b);
	ck_assert_int_gt(asprintf(&b, "%s%s", pem, pem), 0);
	ck_assert_int_eq(parse(b, strlen(b)), ART_E_KEY_BAD);
	free(b);
	ck_assert_int_gt(asprintf(&b, "%sx", pem), 0);
	ck_assert_int_eq(parse(b, strlen(b)), ART_E_KEY_BAD);
	free(b);
	ck_assert_int_eq(parse(pem, len + 1), ART_E_KEY_BAD); /* the NUL */
	ck_assert_int_eq(parse("", 0), ART_E_KEY_BAD);
	ck_assert_int_eq(parse("\n", 1), ART_E_KEY_BAD);
	ck_assert_int_eq(art_key_parse(&key, private, strlen(private), "p", &err), ART_E_KEY_BAD);
	ck_assert_ptr_nonnull(strstr(err.text, "private"));
	/* Every shorter text, and every changed byte that is not white space, is refused or is the same key. */
	for (i = 0; i < len - 1; i++)
		ck_assert_int_eq(parse(pem, i), ART_E_KEY_BAD);
	b = malloc(70000);
	memset(b, 'A', 70000);
	memcpy(b, pem, strlen("-----BEGIN PUBLIC KEY-----\n"));
	memcpy(b + 70000 - 25, "-----END PUBLIC KEY-----\n", 25);
	ck_assert_int_eq(parse(b, 70000), ART_E_KEY_BAD);
	free(b);
	b = strdup("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n");
	ck_assert_int_eq(parse(b, strlen(b)), ART_E_KEY_BAD);
	free(b);
	free(pem);
	EVP_PKEY_free(pkey);
}
END_TEST

/* The same key in the encodings that libcrypto would take: only one may pass. */
START_TEST(ec_encodings)
{
	static const char *const groups[] = { "P-256", "P-384" };
	static const char *const forms[] = { "compressed", "hybrid" };
	EVP_PKEY *pkey = make_ec(groups[_i]);
	struct art_key *key = NULL, *again = NULL;
	uint8_t *der;
	size_t len, i;

	ck_assert_int_eq(art_key_from_pkey(&key, pkey, "key", NULL), 0);
	for (i = 0; i < ART_ARRAY_SIZE(forms); i++) {
		ck_assert_int_eq(EVP_PKEY_set_utf8_string_param(pkey,
				 OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, forms[i]), 1);
		len = der_of(pkey, &der);
		ck_assert_int_eq(parse_der(der, len), ART_E_KEY_BAD);
		OPENSSL_free(der);
		/* A signer's own key in such a form is the same key under the same id. */
		ck_assert_int_eq(art_key_from_pkey(&again, pkey, "key", NULL), 0);
		ck_assert_str_eq(art_key_id(key), art_key_id(again));
		art_key_free(again);
	}
	ck_assert_int_eq(EVP_PKEY_set_utf8_string_param(pkey,
			 OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed"), 1);
	ck_assert_int_eq(EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_ENCODING,
							"explicit"), 1);
	len = der_of(pkey, &der);
	ck_assert_uint_gt(len, 150);
	ck_assert_int_eq(parse_der(der, len), ART_E_KEY_BAD);
	ck_assert_int_eq(art_key_from_pkey(&again, pkey, "key", NULL), ART_E_KEY_BAD);
	OPENSSL_free(der);
	art_key_free(key);
	EVP_PKEY_free(pkey);
}
END_TEST

START_TEST(damaged_der)
{
	EVP_PKEY *pkey = make((size_t)_i);
	struct art_key *key;
	uint8_t *der, *longer;
	size_t len = der_of(pkey, &der), i, head = len < 120 ? len : 40;
	char id[65], *pem;

	ck_assert_int_eq(art_key_from_pkey(&key, pkey, "k", NULL), 0);
	strcpy(id, art_key_id(key));
	art_key_free(key);
	longer = malloc(len + 1);
	memcpy(longer, der, len);
	longer[len] = 0;
	ck_assert_int_eq(parse_der(longer, len + 1), ART_E_KEY_BAD);
	ck_assert_int_eq(parse_der(der, len - 1), ART_E_KEY_BAD);
	/* A changed byte never gives the same key again. */
	for (i = 0; i < head; i++) {
		der[i] ^= 1;
		pem = pem_of_der(der, len);
		if (art_key_parse(&key, pem, strlen(pem), "x", NULL) == 0) {
			ck_assert_str_ne(art_key_id(key), id);
			art_key_free(key);
		}
		free(pem);
		der[i] ^= 1;
	}
	free(longer);
	OPENSSL_free(der);
	EVP_PKEY_free(pkey);
}
END_TEST

START_TEST(refused_types)
{
	static const char *const types[] = { "X25519", "ED448", "RSA-PSS" };
	EVP_PKEY *pkey;
	char *pem;
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(types); i++) {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, types[i], NULL);

		pkey = NULL;
		ck_assert_int_eq(EVP_PKEY_keygen_init(ctx), 1);
		if (strcmp(types[i], "RSA-PSS") == 0)
			ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 3072), 1);
		ck_assert_int_eq(EVP_PKEY_generate(ctx, &pkey), 1);
		pem = pem_of(pkey);
		ck_assert_msg(parse(pem, strlen(pem)) == ART_E_KEY_BAD, "%s", types[i]);
		ck_assert_ptr_null(art_algorithm_of(pkey));
		free(pem);
		EVP_PKEY_free(pkey);
		EVP_PKEY_CTX_free(ctx);
	}
	pkey = make_ec("secp256k1");
	pem = pem_of(pkey);
	ck_assert_int_eq(parse(pem, strlen(pem)), ART_E_KEY_BAD);
	free(pem);
	EVP_PKEY_free(pkey);
	pkey = make_ec("P-521");
	pem = pem_of(pkey);
	ck_assert_int_eq(parse(pem, strlen(pem)), ART_E_KEY_BAD);
	free(pem);
	EVP_PKEY_free(pkey);
}
END_TEST

START_TEST(weak_rsa)
{
	EVP_PKEY *pkey = make_rsa(2048);
	char *pem = pem_of(pkey);
	uint8_t *der;
	size_t len;

	ck_assert_int_eq(parse(pem, strlen(pem)), ART_E_KEY_BAD);
	free(pem);
	EVP_PKEY_free(pkey);
	/* With the exponent 1 every text is its own signature. Exponents up to 2^16 and even ones are refused. */
	pkey = some_rsa3072();
	len = der_of(pkey, &der);
	ck_assert_int_eq(parse_der(der, len), 0);
	ck_assert_int_eq(der[len - 3], 1);
	der[len - 1] = 0; /* 65536: even */
	ck_assert_int_eq(parse_der(der, len), ART_E_KEY_BAD);
	der[len - 1] = 1;
	der[len - 6] ^= 1; /* an even modulus */
	ck_assert_int_eq(parse_der(der, len), ART_E_KEY_BAD);
	OPENSSL_free(der);
	EVP_PKEY_free(pkey);
}
END_TEST

/* Checking a modulus costs time that grows with its length: it is bounded before it is looked at. */
START_TEST(huge_rsa)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *n = BN_new(), *e = BN_new();
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM *params;
	struct art_key *key = NULL;
	struct art_err err;

	ck_assert_int_eq(BN_rand(n, 8193, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
	ck_assert_int_eq(BN_set_word(e, 65537), 1);
	ck_assert_int_eq(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n), 1);
	ck_assert_int_eq(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e), 1);
	params = OSSL_PARAM_BLD_to_param(build);
	ck_assert_int_eq(EVP_PKEY_fromdata_init(ctx), 1);
	ck_assert_int_eq(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params), 1);
	ck_assert_int_eq(art_key_from_pkey(&key, pkey, "huge", &err), ART_E_KEY_BAD);
	ck_assert_ptr_nonnull(strstr(err.text, "8193 bits"));
	EVP_PKEY_free(pkey);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(n);
	BN_free(e);
}
END_TEST

/* y coordinates whose points have order 1, 2, 4, 8, or that are not below p. */
START_TEST(weak_ed25519)
{
	static const char *const weak[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	static const char *const fine[] = {
		"ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7e",
		"ecfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe7f",
		"0200000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000001",
	};
	uint8_t der[44] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(weak); i++) {
		ck_assert_int_eq(art_hex_parse(der + 12, 32, weak[i]), 0);
		ck_assert_msg(parse_der(der, sizeof(der)) == ART_E_KEY_BAD, "%s", weak[i]);
	}
	/* Neighbours of the refused ones, and the base point, are keys like others. */
	for (i = 0; i < ART_ARRAY_SIZE(fine); i++) {
		ck_assert_int_eq(art_hex_parse(der + 12, 32, fine[i]), 0);
		ck_assert_msg(parse_der(der, sizeof(der)) == 0, "%s", fine[i]);
	}
	memset(der + 12, 0x66, 32);
	der[12] = 0x58;
	ck_assert_int_eq(parse_der(der, sizeof(der)), 0);
}
END_TEST

/* RFC 8032 section 7.1, test 2: an answer that libcrypto did not give itself. */
START_TEST(known_answer)
{
	uint8_t der[44] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
	struct art_key *key = NULL;
	uint8_t sig[64];
	char *pem;

	ck_assert_int_eq(art_hex_parse(der + 12, 32,
		"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), 0);
	ck_assert_int_eq(art_hex_parse(sig, 64,
		"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"), 0);
	pem = pem_of_der(der, sizeof(der));
	ck_assert_int_eq(art_key_parse(&key, pem, strlen(pem), "rfc8032", NULL), 0);
	ck_assert_int_eq(art_key_verify(key, "\x72", 1, sig, 64, NULL), 0);
	ck_assert_int_eq(art_key_verify(key, "\x73", 1, sig, 64, NULL), ART_E_SIG_INVALID);
	free(pem);
	art_key_free(key);
}
END_TEST

START_TEST(loads_files)
{
	EVP_PKEY *pkey = make_ed25519();
	char *pem = pem_of(pkey), *big = malloc(70000);
	struct art_key *key = NULL;
	struct art_err err;

	write_text("check_key.tmp.pem", pem, strlen(pem));
	ck_assert_int_eq(art_key_load(&key, "check_key.tmp.pem", &err), 0);
	art_key_free(key);
	memset(big, '\n', 70000);
	memcpy(big, pem, strlen(pem));
	write_text("check_key.tmp.pem", big, 70000);
	ck_assert_int_eq(art_key_load(&key, "check_key.tmp.pem", &err), ART_E_KEY_BAD);
	remove("check_key.tmp.pem");
	ck_assert_int_eq(art_key_load(&key, "check_key.tmp.pem", &err), ART_E_IO);
	ck_assert_int_eq(art_key_load(&key, "check_key.tmp.pem", NULL), ART_E_IO);
	free(big);
	free(pem);
	EVP_PKEY_free(pkey);
}
END_TEST

/* Runs where libcrypto has ML-DSA (3.5); elsewhere it proves that such a key is refused, not misread. */
START_TEST(ml_dsa_when_there)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ML-DSA-65");
	/* SubjectPublicKeyInfo of ML-DSA-65: OID 2.16.840.1.101.3.4.3.18, 1952 bytes. */
	static const uint8_t head[] = { 0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
					0x01, 0x65, 0x03, 0x04, 0x03, 0x12, 0x03, 0x82, 0x07, 0xa1, 0x00 };
	uint8_t der[sizeof(head) + 1952] = { 0 };
	struct art_key *key = NULL;
	uint8_t *sig = NULL;
	size_t len;

	memcpy(der, head, sizeof(head));
	if (!pkey) {
		ck_assert_int_eq(parse_der(der, sizeof(der)), ART_E_KEY_BAD);
		return;
	}
	ck_assert_int_eq(art_key_from_pkey(&key, pkey, "pq", NULL), 0);
	ck_assert_str_eq(art_key_algorithm(key), "ml-dsa-65");
	ck_assert_int_eq(art_key_sign(pkey, text, 5, &sig, &len, NULL), 0);
	ck_assert_int_eq(art_key_verify(key, text, 5, sig, len, NULL), 0);
	ck_assert_int_eq(art_key_verify(key, text, 6, sig, len, NULL), ART_E_SIG_INVALID);
	free(sig);
	art_key_free(key);
	EVP_PKEY_free(pkey);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("key");
	TCase *tc = tcase_create("key");

	tcase_set_timeout(tc, 120);
	/* First: keys made before it would settle the allocator. */
	tcase_add_test(tc, memory_of_libcrypto);
	tcase_add_loop_test(tc, signs_and_verifies, 0, 4);
	tcase_add_test(tc, absent_is_never_valid);
	tcase_add_test(tc, pss_parameters_are_fixed);
	tcase_add_test(tc, pem_is_strict);
	tcase_add_loop_test(tc, ec_encodings, 0, 2);
	tcase_add_loop_test(tc, damaged_der, 0, 4);
	tcase_add_test(tc, refused_types);
	tcase_add_test(tc, weak_rsa);
	tcase_add_test(tc, huge_rsa);
	tcase_add_test(tc, weak_ed25519);
	tcase_add_test(tc, known_answer);
	tcase_add_test(tc, loads_files);
	tcase_add_test(tc, ml_dsa_when_there);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
