// SPDX-License-Identifier: Apache-2.0
/*
 * Signing with a key that never leaves its token, by PKCS#11 itself: the libcrypto engine for it fails on every key once one
 * Ed25519 key is on the token. A PIN is tried once and never again, because tokens lock.
 */
#include <config.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/uri.h>

#include "common/cli.h"
#include "libartifact/digest.h"
#include "libartifact/util.h"
#include "mkartifact/ecdsa.h"
#include "mkartifact/pkcs11.h"
#include "mkartifact/secret.h"
#include "mkartifact/token.h"

#include <openssl/evp.h>

#define SLOTS_MAX 64
#define OBJECT_TEMPLATE_MAX 8

struct mk_token {
	P11KitUri *uri;
	CK_FUNCTION_LIST **modules; /* all configured ones, or NULL */
	CK_FUNCTION_LIST *own;      /* the one of module-path, or NULL */
	struct mk_p11 p;
	CK_TOKEN_INFO info;
	CK_OBJECT_HANDLE object;
	const char *pin_file;       /* borrowed from the URI or a copy below */
	char *pin_file_copy;
	char label[33];             /* of the token, for messages */
	bool has_session;
	bool always_login;          /* the key wants the PIN for every signature */
	struct art_key *key;
};

static int fail_rv(struct art_err *err, const char *what, CK_RV rv)
{
	int code = ART_E_FAILED;

	if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED || rv == CKR_PIN_INVALID ||
	    rv == CKR_PIN_LEN_RANGE || rv == CKR_PIN_EXPIRED || rv == CKR_USER_PIN_NOT_INITIALIZED)
		code = ART_E_KEY_BAD;
	else if (rv == CKR_HOST_MEMORY)
		code = ART_E_NO_MEMORY;
	else if (rv == CKR_DEVICE_ERROR || rv == CKR_DEVICE_REMOVED || rv == CKR_TOKEN_NOT_PRESENT)
		code = ART_E_IO;
	return art_fail(err, code, "%s: %s", what, p11_kit_strerror(rv));
}

/* The file that pin-source names; RFC 7512 also has commands there, which are not run. */
static int parse_pin_source(struct mk_token *t, const char *source, struct art_err *err)
{
	const char *path = source;

	if (strncmp(path, "file:", 5) == 0)
		path += 5;
	if (strncmp(path, "//", 2) == 0)
		path += 2;
	if (*path == '|' || *path == '\0')
		return art_fail(err, ART_E_USAGE, "pin-source must be 'file:' and a path");
	t->pin_file_copy = strdup(path);
	t->pin_file = t->pin_file_copy;
	return t->pin_file ? 0 : art_fail_memory(err);
}

static int parse_uri(struct mk_token *t, const char *text, const char *pin_file,
		     struct art_err *err)
{
	CK_ATTRIBUTE *class;
	const char *source;
	int r;

	t->uri = p11_kit_uri_new();
	if (!t->uri)
		return art_fail_memory(err);
	r = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, t->uri);
	if (r != P11_KIT_URI_OK)
		return art_fail(err, ART_E_USAGE, "faulty pkcs11: URI: %s", p11_kit_uri_message(r));
	if (p11_kit_uri_any_unrecognized(t->uri))
		return art_fail(err, ART_E_USAGE, "the pkcs11: URI has an attribute that is not known");
	/* Already seen by whoever lists processes; do not teach the habit by making it work. */
	if (p11_kit_uri_get_pin_value(t->uri))
		return art_fail(err, ART_E_USAGE,
				"a PIN on the command line (pin-value) can be read by every process of this machine: use pin-source=file:... or --passphrase-file");
	class = p11_kit_uri_get_attribute(t->uri, CKA_CLASS);
	if (class && *(CK_OBJECT_CLASS *)class->pValue != CKO_PRIVATE_KEY)
		return art_fail(err, ART_E_USAGE, "the pkcs11: URI names no private key (type=private)");
	t->pin_file = pin_file;
	source = p11_kit_uri_get_pin_source(t->uri);
	return source ? parse_pin_source(t, source, err) : 0;
}

static int load_modules(struct mk_token *t, struct art_err *err)
{
	const char *path = p11_kit_uri_get_module_path(t->uri);
	CK_RV rv;

	if (!path) {
		t->modules = p11_kit_modules_load_and_initialize(0);
		if (!t->modules)
			return art_fail(err, ART_E_FAILED, "cannot load the PKCS#11 modules: %s",
					p11_kit_message() ?: "unknown");
		return 0;
	}
	t->own = p11_kit_module_load(path, P11_KIT_MODULE_CRITICAL);
	if (!t->own)
		return art_fail(err, ART_E_IO, "cannot load the PKCS#11 module '%s'", path);
	rv = p11_kit_module_initialize(t->own);
	if (rv != CKR_OK) {
		p11_kit_module_release(t->own);
		t->own = NULL;
		return art_fail(err, ART_E_FAILED, "cannot start the PKCS#11 module '%s': %s", path,
				p11_kit_strerror(rv));
	}
	return 0;
}

struct place {
	CK_FUNCTION_LIST *module;
	CK_SLOT_ID slot;
	CK_TOKEN_INFO info;
	size_t count; /* tokens that the URI fits */
};

static void match_slot(const struct mk_token *t, CK_FUNCTION_LIST *module, CK_SLOT_ID slot,
		       struct place *place)
{
	CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(t->uri);
	CK_SLOT_INFO slot_info;
	CK_TOKEN_INFO info;

	if (wanted != (CK_SLOT_ID)-1 && wanted != slot)
		return;
	if (module->C_GetSlotInfo(slot, &slot_info) != CKR_OK ||
	    p11_kit_uri_match_slot_info(t->uri, &slot_info) != 1 ||
	    module->C_GetTokenInfo(slot, &info) != CKR_OK ||
	    !(info.flags & CKF_TOKEN_INITIALIZED) ||
	    p11_kit_uri_match_token_info(t->uri, &info) != 1)
		return;
	place->module = module;
	place->slot = slot;
	place->info = info;
	place->count++;
}

static void match_module(const struct mk_token *t, CK_FUNCTION_LIST *module, struct place *place)
{
	const char *wanted = p11_kit_uri_get_module_name(t->uri);
	cleanup_free char *name = p11_kit_module_get_name(module);
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG count = SLOTS_MAX, i;
	CK_INFO info;

	if (wanted && (!name || strcmp(wanted, name) != 0))
		return;
	if (module->C_GetInfo(&info) != CKR_OK ||
	    p11_kit_uri_match_module_info(t->uri, &info) != 1 ||
	    module->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
		return;
	for (i = 0; i < count; i++)
		match_slot(t, module, slots[i], place);
}

static int find_token(struct mk_token *t, CK_SLOT_ID *slot, struct art_err *err)
{
	struct place place = { .count = 0 };
	size_t len = sizeof(t->info.label);
	CK_FUNCTION_LIST **m;

	if (t->own)
		match_module(t, t->own, &place);
	for (m = t->modules; m && *m; m++)
		match_module(t, *m, &place);
	if (place.count == 0)
		return art_fail(err, ART_E_KEY_BAD, "no token that the pkcs11: URI fits is present");
	if (place.count > 1)
		return art_fail(err, ART_E_KEY_BAD,
				"the pkcs11: URI fits %zu tokens: name one with token= or serial=",
				place.count);
	t->p.module = place.module;
	t->info = place.info;
	while (len > 0 && t->info.label[len - 1] == ' ')
		len--;
	memcpy(t->label, t->info.label, len);
	*slot = place.slot;
	return 0;
}

/* Give the PIN once, for the session or (context-specific) for the next signature. */
static int give_pin(struct mk_token *t, CK_USER_TYPE user, struct art_err *err)
{
	struct mk_secret pin = { .len = 0 };
	char text[96];
	CK_RV rv;
	int code;

	if (t->info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) {
		cli_warn("type the PIN of token '%s' on the token or its reader", t->label);
		rv = t->p.module->C_Login(t->p.session, user, NULL, 0);
	} else {
		snprintf(text, sizeof(text), "PIN of token %s", t->label);
		code = mk_secret_read(&pin, t->pin_file, text, err);
		if (code)
			return code;
		rv = t->p.module->C_Login(t->p.session, user, (CK_UTF8CHAR *)pin.text, pin.len);
		mk_secret_wipe(&pin);
	}
	if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
		return 0;
	snprintf(text, sizeof(text), "cannot log in to token '%s'", t->label);
	return fail_rv(err, text, rv);
}

static int login(struct mk_token *t, struct art_err *err)
{
	CK_SESSION_INFO session;

	if (!(t->info.flags & CKF_LOGIN_REQUIRED))
		return 0;
	/* Another --key on the same token has done it. */
	if (t->p.module->C_GetSessionInfo(t->p.session, &session) == CKR_OK &&
	    (session.state == CKS_RO_USER_FUNCTIONS || session.state == CKS_RW_USER_FUNCTIONS))
		return 0;
	if (t->info.flags & CKF_USER_PIN_LOCKED)
		return art_fail(err, ART_E_KEY_BAD, "the PIN of token '%s' is locked", t->label);
	if (t->info.flags & CKF_USER_PIN_FINAL_TRY)
		cli_warn("one more wrong PIN will lock token '%s'", t->label);
	return give_pin(t, CKU_USER, err);
}

static int find_key(struct mk_token *t, struct art_err *err)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template[OBJECT_TEMPLATE_MAX] = { { CKA_CLASS, &class, sizeof(class) } };
	static const CK_ATTRIBUTE_TYPE types[] = { CKA_LABEL, CKA_ID };
	CK_OBJECT_HANDLE found[2];
	CK_ULONG n = 1, count;
	size_t i;
	int code;

	for (i = 0; i < ART_ARRAY_SIZE(types); i++) {
		CK_ATTRIBUTE *a = p11_kit_uri_get_attribute(t->uri, types[i]);

		if (a)
			template[n++] = *a;
	}
	code = mk_p11_find(&t->p, template, n, found, 2, &count, err);
	if (code)
		return code;
	if (count == 0)
		return art_fail(err, ART_E_KEY_BAD, "no such private key on token '%s'", t->label);
	if (count > 1)
		return art_fail(err, ART_E_KEY_BAD,
				"the pkcs11: URI fits several keys on token '%s': name one with object= or id=",
				t->label);
	t->object = found[0];
	return 0;
}

static int read_key(struct mk_token *t, struct art_err *err)
{
	char name[64];
	uint8_t *always;
	size_t len = 0;

	snprintf(name, sizeof(name), "the key on token %s", t->label);
	always = mk_p11_get(&t->p, t->object, CKA_ALWAYS_AUTHENTICATE, &len);
	t->always_login = always && len == sizeof(CK_BBOOL) && *always;
	free(always);
	return mk_p11_public_key(&t->p, t->object, name, &t->key, err);
}

static int open_session(struct mk_token *t, struct art_err *err)
{
	CK_SLOT_ID slot;
	CK_RV rv;
	int code = find_token(t, &slot, err);

	if (code)
		return code;
	rv = t->p.module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &t->p.session);
	if (rv != CKR_OK)
		return fail_rv(err, "cannot open a session on the token", rv);
	t->has_session = true;
	return 0;
}

int mk_token_open(struct mk_token **out, const char *uri, const char *pin_file,
		  struct art_err *err)
{
	struct mk_token *t = calloc(1, sizeof(*t));
	int code;

	if (!t)
		return art_fail_memory(err);
	code = parse_uri(t, uri, pin_file, err);
	if (!code)
		code = load_modules(t, err);
	if (!code)
		code = open_session(t, err);
	if (!code)
		code = login(t, err);
	if (!code)
		code = find_key(t, err);
	if (!code)
		code = read_key(t, err);
	if (code) {
		mk_token_free(t);
		return code;
	}
	*out = t;
	return 0;
}

const struct art_key *mk_token_key(const struct mk_token *token)
{
	return token->key;
}

static CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 32 };

/* How each algorithm is asked for: over a hash made here, or, where a token has only that, over the text. */
static const struct way {
	const char *algorithm;
	const char *md; /* NULL: the token hashes */
	CK_MECHANISM mechanism;
} ways[] = {
	{ "ed25519", NULL, { CKM_EDDSA, NULL, 0 } },
	{ "ecdsa-p256-sha256", "SHA2-256", { CKM_ECDSA, NULL, 0 } },
	{ "ecdsa-p256-sha256", NULL, { CKM_ECDSA_SHA256, NULL, 0 } },
	{ "ecdsa-p384-sha384", "SHA2-384", { CKM_ECDSA, NULL, 0 } },
	{ "ecdsa-p384-sha384", NULL, { CKM_ECDSA_SHA384, NULL, 0 } },
	{ "rsa-pss-sha256", "SHA2-256", { CKM_RSA_PKCS_PSS, &pss, sizeof(pss) } },
	{ "rsa-pss-sha256", NULL, { CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof(pss) } },
};

/* CKR_MECHANISM_INVALID: try another way. */
static CK_RV sign_by(struct mk_token *t, const struct way *way, const void *text, size_t len,
		     uint8_t *sig, size_t *sig_len, struct art_err *err, int *code)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t digest_len = 0;
	CK_MECHANISM mechanism = way->mechanism;
	CK_ULONG n = ART_SIG_MAX;
	CK_RV rv;

	if (way->md && EVP_Q_digest(NULL, way->md, NULL, text, len, digest, &digest_len) != 1) {
		*code = art_fail(err, ART_E_FAILED, "libcrypto cannot compute a digest");
		return CKR_OK;
	}
	rv = t->p.module->C_SignInit(t->p.session, &mechanism, t->object);
	if (rv != CKR_OK)
		return rv;
	if (t->always_login) {
		*code = give_pin(t, CKU_CONTEXT_SPECIFIC, err);
		if (*code)
			return CKR_OK;
	}
	/* The interface of PKCS#11 knows no const; the bytes are not changed. */
	rv = t->p.module->C_Sign(t->p.session, way->md ? digest : (CK_BYTE *)(uintptr_t)text,
				 way->md ? digest_len : len, sig, &n);
	*sig_len = n;
	return rv;
}

int mk_token_sign(struct mk_token *token, const void *text, size_t len, uint8_t **sig,
		  size_t *sig_len, struct art_err *err)
{
	const char *algorithm = art_key_algorithm(token->key);
	cleanup_free uint8_t *buf = malloc(ART_SIG_MAX);
	CK_RV rv = CKR_MECHANISM_INVALID;
	int code = 0;
	size_t i;

	if (!buf)
		return art_fail_memory(err);
	for (i = 0; i < ART_ARRAY_SIZE(ways) && rv == CKR_MECHANISM_INVALID; i++)
		if (strcmp(ways[i].algorithm, algorithm) == 0)
			rv = sign_by(token, &ways[i], text, len, buf, sig_len, err, &code);
	if (!code && rv != CKR_OK)
		code = fail_rv(err, "the token cannot sign", rv);
	if (!code)
		code = mk_ecdsa_from_raw(algorithm, &buf, sig_len, err);
	if (!code)
		*sig = steal_ptr(buf);
	return code;
}

void mk_token_free(struct mk_token *t)
{
	if (!t)
		return;
	/* The session's end is the logout, unless another key on the token still has one. */
	if (t->has_session)
		t->p.module->C_CloseSession(t->p.session);
	if (t->modules)
		p11_kit_modules_finalize_and_release(t->modules);
	if (t->own) {
		p11_kit_module_finalize(t->own);
		p11_kit_module_release(t->own);
	}
	p11_kit_uri_free(t->uri);
	art_key_free(t->key);
	free(t->pin_file_copy);
	free(t);
}
