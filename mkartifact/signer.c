// SPDX-License-Identifier: Apache-2.0
/* Private keys behind --key. No signature leaves this file that the public key has not accepted. */
#include <config.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/cli.h"
#include "libartifact/io.h"
#include "libartifact/key.h"
#include "libartifact/util.h"
#include "mkartifact/secret.h"
#include "mkartifact/signer.h"
#include "mkartifact/token.h"

#define PEM_MAX ((size_t)64 * 1024)

struct mk_signer {
	struct art_key *key;   /* public half; the token's own for a token */
	EVP_PKEY *pkey;        /* NULL: on a token */
	struct mk_token *token;
};

/* What libcrypto's passphrase callback needs, and what came of it. */
struct asking {
	const char *key_path;
	const char *file;
	bool asked;
	int code;
	struct art_err *err;
};

static int passphrase_cb(char *buf, int size, int rwflag, void *ctx)
{
	struct asking *a = ctx;
	struct mk_secret secret;
	char prompt[256];
	int len;

	(void)rwflag;
	/* libcrypto may try several decoders; a person is asked once. */
	if (a->code)
		return -1;
	a->asked = true;
	snprintf(prompt, sizeof(prompt), "passphrase of %s", a->key_path);
	a->code = mk_secret_read(&secret, a->file, prompt, a->err);
	if (a->code)
		return -1;
	len = (int)secret.len;
	if (len > size) {
		a->code = art_fail(a->err, ART_E_USAGE, "the passphrase is longer than %d bytes", size);
		len = -1;
	} else {
		memcpy(buf, secret.text, secret.len);
	}
	mk_secret_wipe(&secret);
	return len;
}

/* The file's bytes into a buffer of PEM_MAX + 1 that the caller wipes. */
static int read_pem(const char *path, char *buf, size_t *len, struct art_err *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open the key '%s'", path);
	n = art_read_full(fd, buf, PEM_MAX + 1, path, err);
	if (n < 0)
		return (int)n;
	if ((size_t)n > PEM_MAX)
		return art_fail(err, ART_E_KEY_BAD, "'%s' is too large for a private key", path);
	if (S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
		cli_warn("the private key '%s' can be read by others (mode %04o)", path,
			 (unsigned int)(st.st_mode & 07777));
	*len = (size_t)n;
	return 0;
}

static int explain(const struct asking *a, const char *pem, size_t len, struct art_err *err)
{
	if (a->code)
		return a->code;
	if (a->asked)
		return art_fail(err, ART_E_KEY_BAD, "wrong passphrase for '%s', or the file is damaged",
				a->key_path);
	if (memmem(pem, len, "PUBLIC KEY-----", strlen("PUBLIC KEY-----")))
		return art_fail(err, ART_E_KEY_BAD,
				"'%s' holds a public key; signing needs the private one", a->key_path);
	return art_fail(err, ART_E_KEY_BAD, "no private key in PEM form in '%s'", a->key_path);
}

static int load_pem(struct mk_signer *s, const char *path, const char *passphrase_file,
		    struct art_err *err)
{
	struct asking a = { .key_path = path, .file = passphrase_file, .err = err };
	char *pem = OPENSSL_malloc(PEM_MAX + 1);
	BIO *bio = NULL;
	size_t len = 0;
	int code;

	if (!pem)
		return art_fail_memory(err);
	code = read_pem(path, pem, &len, err);
	if (!code) {
		bio = BIO_new_mem_buf(pem, (int)len);
		s->pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, passphrase_cb, &a) : NULL;
		if (!s->pkey)
			code = bio ? explain(&a, pem, len, err) : art_fail_memory(err);
	}
	BIO_free(bio);
	OPENSSL_clear_free(pem, PEM_MAX + 1);
	ERR_clear_error();
	return code ? code : art_key_from_pkey(&s->key, s->pkey, path, err);
}

static int load_token(struct mk_signer *s, const char *uri, const char *pin_file,
		      struct art_err *err)
{
#ifdef WITH_PKCS11
	return mk_token_open(&s->token, uri, pin_file, err);
#else
	(void)s;
	(void)pin_file;
	return art_fail(err, ART_E_USAGE, "'%s': this build knows no security modules (p11-kit)", uri);
#endif
}

int mk_signer_open(struct mk_signer **out, const char *key_spec, const char *passphrase_file,
		   struct art_err *err)
{
	struct mk_signer *s = calloc(1, sizeof(*s));
	int code;

	if (!s)
		return art_fail_memory(err);
	if (strncmp(key_spec, "pkcs11:", strlen("pkcs11:")) == 0)
		code = load_token(s, key_spec, passphrase_file, err);
	else
		code = load_pem(s, key_spec, passphrase_file, err);
	if (code) {
		mk_signer_free(s);
		return code;
	}
	*out = s;
	return 0;
}

static const struct art_key *public_key(const struct mk_signer *s)
{
#ifdef WITH_PKCS11
	if (s->token)
		return mk_token_key(s->token);
#endif
	return s->key;
}

static int make(struct mk_signer *s, const void *text, size_t len, uint8_t **sig, size_t *sig_len,
		struct art_err *err)
{
#ifdef WITH_PKCS11
	if (s->token)
		return mk_token_sign(s->token, text, len, sig, sig_len, err);
#endif
	return art_key_sign(s->pkey, text, len, sig, sig_len, err);
}

int mk_signer_sign(struct mk_signer *signer, const uint8_t *manifest, size_t len,
		   const char *preamble, struct art_siglist *list, struct art_err *err)
{
	const struct art_key *key = public_key(signer);
	char text[ART_SIGN_TEXT_MAX];
	cleanup_free uint8_t *sig = NULL;
	size_t text_len, sig_len = 0;
	int code;

	code = art_sign_text(text, preamble, art_key_algorithm(key), art_key_id(key), manifest, len,
			     &text_len, err);
	if (!code)
		code = make(signer, text, text_len, &sig, &sig_len, err);
	if (code)
		return code;
	/* A token that answers nonsense, or a file whose halves do not belong together, is found here and not on
	 * ten thousand devices. */
	code = art_key_verify(key, text, text_len, sig, sig_len, err);
	if (code)
		return art_wrap(err, "the key made a signature that its public half refuses");
	return art_siglist_add(list, art_key_algorithm(key), art_key_id(key), sig, sig_len, err);
}

void mk_signer_free(struct mk_signer *signer)
{
	if (!signer)
		return;
#ifdef WITH_PKCS11
	mk_token_free(signer->token);
#endif
	EVP_PKEY_free(signer->pkey);
	art_key_free(signer->key);
	free(signer);
}
