// SPDX-License-Identifier: Apache-2.0
/* mkartifact keygen: a private key that nobody else can read, and its public half beside it. */
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "common/cli.h"
#include "libartifact/io.h"
#include "libartifact/key.h"
#include "libartifact/util.h"
#include "mkartifact/commands.h"
#include "mkartifact/secret.h"

/* What a guess of the passphrase costs; OpenSSL's own 2048 is worth little today. */
#define KDF_ROUNDS 600000

enum { OPT_PASSPHRASE = 0x100, OPT_ENCRYPT, OPT_TYPE };

static const char *const help[] = {
	"usage: mkartifact keygen -o KEY.pem [--type TYPE] [--encrypt] [--passphrase-file FILE]",
	"",
	"Make a key pair: KEY.pem (mode 0600) and KEY.pub.pem. Files that exist are never overwritten.",
	"",
	"  -o, --output KEY.pem       the private key",
	"      --type TYPE            ed25519 (default), ecdsa-p256, ecdsa-p384, rsa-3072, rsa-4096, and where",
	"                             the cryptographic library has them ml-dsa-65, ml-dsa-87",
	"      --encrypt              with a passphrase, asked for on the terminal",
	"      --passphrase-file FILE with the passphrase in FILE",
	"  -h, --help                 this text",
	"  -q, --quiet                errors only",
	"  -v, --verbose              say more",
	NULL,
};

static EVP_PKEY *generate(const char *type)
{
	if (strcmp(type, "ed25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (strcmp(type, "ecdsa-p256") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	if (strcmp(type, "ecdsa-p384") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	if (strcmp(type, "rsa-3072") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)3072);
	if (strcmp(type, "rsa-4096") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096);
	if (strcmp(type, "ml-dsa-65") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ML-DSA-65");
	return EVP_PKEY_Q_keygen(NULL, NULL, "ML-DSA-87");
}

static bool is_type(const char *type)
{
	static const char *const types[] = { "ed25519",	 "ecdsa-p256", "ecdsa-p384", "rsa-3072",
					     "rsa-4096", "ml-dsa-65",  "ml-dsa-87" };
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* PKCS#8 with PBES2 (PBKDF2-HMAC-SHA-256, AES-256-CBC): what the openssl program reads. */
static bool write_encrypted(BIO *bio, EVP_PKEY *pkey, const struct mk_secret *pass)
{
	PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(pkey);
	X509_ALGOR *pbe = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), KDF_ROUNDS, NULL, 0, NULL,
					    NID_hmacWithSHA256);
	X509_SIG *sealed = NULL;
	bool ok;

	if (plain && pbe)
		sealed = PKCS8_set0_pbe(pass->text, (int)pass->len, plain, pbe);
	if (sealed)
		pbe = NULL; /* SEALED's now */
	ok = sealed && PEM_write_bio_PKCS8(bio, sealed) == 1;
	X509_SIG_free(sealed);
	X509_ALGOR_free(pbe);
	PKCS8_PRIV_KEY_INFO_free(plain);
	return ok;
}

static int write_new(int fd, BIO *bio, const char *path, struct art_err *err)
{
	char *text;
	long len = BIO_get_mem_data(bio, &text);
	int code = art_write_full(fd, text, (size_t)len, path, err);

	if (!code && fsync(fd) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot write '%s'", path);
	if (close(fd) < 0 && !code)
		code = art_fail_errno(err, ART_E_IO, "cannot write '%s'", path);
	return code;
}

static int create(const char *path, BIO *bio, mode_t mode, struct art_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	int code;

	if (fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot create '%s'", path);
	code = write_new(fd, bio, path, err);
	if (code)
		unlink(path);
	return code;
}

/* k.pem -> k.pub.pem */
static char *public_path(const char *path)
{
	size_t len = strlen(path);
	char *out;

	if (len > 4 && strcmp(path + len - 4, ".pem") == 0)
		len -= 4;
	return asprintf(&out, "%.*s.pub.pem", (int)len, path) < 0 ? NULL : out;
}

static int write_pair(EVP_PKEY *pkey, const char *path, const char *pub_path,
		      const struct mk_secret *pass, struct art_err *err)
{
	BIO *private = BIO_new(BIO_s_mem()), *public = BIO_new(BIO_s_mem());
	bool ok = private && public && PEM_write_bio_PUBKEY(public, pkey) == 1 &&
		  (pass->len ? write_encrypted(private, pkey, pass) :
			       PEM_write_bio_PKCS8PrivateKey(private, pkey, NULL, NULL, 0, NULL, NULL) == 1);
	int code = ok ? 0 : art_fail(err, ART_E_FAILED, "libcrypto cannot write the key");

	if (!code)
		code = create(path, private, 0600, err);
	if (!code) {
		code = create(pub_path, public, 0644, err);
		if (code)
			unlink(path);
	}
	BIO_free(private); /* wipes */
	BIO_free(public);
	return code;
}

static int make_key(const char *path, const char *type, const struct mk_secret *pass,
		    struct art_err *err)
{
	cleanup_free char *pub_path = public_path(path);
	struct art_key *key = NULL;
	EVP_PKEY *pkey;
	int code;

	if (!pub_path)
		return art_fail_memory(err);
	/* Before the work, for a clear word; O_EXCL decides. */
	if (access(path, F_OK) == 0 || access(pub_path, F_OK) == 0)
		return art_fail(err, ART_E_USAGE, "'%s' exists: a key is never overwritten",
				access(path, F_OK) == 0 ? path : pub_path);
	pkey = generate(type);
	if (!pkey)
		code = art_fail(err, ART_E_FAILED, "this libcrypto cannot make a key of type '%s'", type);
	else
		code = art_key_from_pkey(&key, pkey, path, err);
	if (!code)
		code = write_pair(pkey, path, pub_path, pass, err);
	if (!code)
		printf("%s %s %s\n", art_key_algorithm(key), art_key_id(key), pub_path);
	ERR_clear_error();
	art_key_free(key);
	EVP_PKEY_free(pkey);
	return code;
}

static int keygen(const char *path, const char *type, bool encrypt, const char *passphrase_file,
		  struct art_err *err)
{
	struct mk_secret pass = { .len = 0 };
	int code = 0;

	if (encrypt)
		code = mk_secret_read_new(&pass, passphrase_file, "new passphrase", err);
	if (!code)
		code = make_key(path, type, &pass, err);
	mk_secret_wipe(&pass);
	return code;
}

static const struct option options[] = {
	CLI_LONG_BASE,
	{ "output", required_argument, NULL, 'o' },
	{ "type", required_argument, NULL, OPT_TYPE },
	{ "encrypt", no_argument, NULL, OPT_ENCRYPT },
	{ "passphrase-file", required_argument, NULL, OPT_PASSPHRASE },
	{ 0 },
};

int mk_keygen(int argc, char **argv)
{
	const char *path = NULL, *type = "ed25519", *passphrase_file = NULL;
	struct art_err err = { .code = 0 };
	bool encrypt = false;
	int c, status;

	while ((c = getopt_long(argc, argv, CLI_SHORT "o:", options, NULL)) != -1) {
		switch (c) {
		case CLI_OPT_HELP:
			cli_help(help);
			return 0;
		case 'o':
			path = optarg;
			break;
		case OPT_TYPE:
			type = optarg;
			break;
		case OPT_ENCRYPT:
			encrypt = true;
			break;
		case OPT_PASSPHRASE:
			passphrase_file = optarg;
			encrypt = true;
			break;
		default:
			status = cli_option(c);
			if (status)
				return status;
		}
	}
	if (!path)
		return cli_usage_error("keygen: no -o KEY.pem given");
	if (optind != argc)
		return cli_usage_error("keygen: '%s' is one argument too many", argv[optind]);
	if (!is_type(type))
		return cli_usage_error("keygen: '%s' is not a type of key", type);
	if (strcmp(path, "-") == 0)
		return cli_usage_error("keygen: a private key is not written to standard output");
	return keygen(path, type, encrypt, passphrase_file, &err) ? cli_fail(&err) : 0;
}
