/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of keys, a policy beside them, and signatures to be judged by it; made for each test and removed after it. */
#ifndef TEST_TRUST_DIR_H
#define TEST_TRUST_DIR_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "libartifact/digest.h"
#include "libartifact/trust.h"
#include "libartifact/util.h"
#include "tests/unit/keys.h"

#define KEYS 4

static const uint8_t manifest[] = "{ this is what is signed }\n";
static EVP_PKEY *pkey[KEYS];
static struct art_key *key[KEYS];
static char dir[] = "trust_dir.XXXXXX";
static char digest[65]; /* of manifest */
static const char *id[KEYS];

static inline void path_of(char *out, const char *name)
{
	snprintf(out, 200, "%s/%s", dir, name);
}

static inline void put(const char *name, const char *text)
{
	char path[200];

	path_of(path, name);
	write_text(path, text, strlen(text));
}

static inline void put_key(size_t i)
{
	char *pem = pem_of(pkey[i]), name[20];

	snprintf(name, sizeof(name), "k%zu.pem", i);
	put(name, pem);
	free(pem);
}

static inline void drop(const char *name)
{
	char path[200];

	path_of(path, name);
	remove(path);
}

static inline void setup(void)
{
	uint8_t raw[32];
	size_t i;

	strcpy(dir, "trust_dir.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (i = 0; i < KEYS; i++) {
		pkey[i] = i == 3 ? make_ec("P-256") : make_ed25519();
		ck_assert_int_eq(art_key_from_pkey(&key[i], pkey[i], "k", NULL), 0);
		id[i] = art_key_id(key[i]);
		put_key(i);
	}
	ck_assert_int_eq(art_sha256(manifest, sizeof(manifest), raw, NULL), 0);
	art_hex_format(digest, raw, sizeof(raw));
}

static inline void teardown(void)
{
	static const char *const names[] = { "k0.pem", "k1.pem", "k2.pem", "k3.pem", "policy.json",
					     "other.pem", ".hidden.pem", "README", "pem" };
	size_t i;

	for (i = 0; i < KEYS; i++) {
		art_key_free(key[i]);
		EVP_PKEY_free(pkey[i]);
	}
	for (i = 0; i < ART_ARRAY_SIZE(names); i++)
		drop(names[i]);
	ck_assert_int_eq(rmdir(dir), 0);
}

static inline void policy(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void policy(const char *fmt, ...)
{
	static char text[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put("policy.json", text);
}

static inline struct art_trust *load(void)
{
	struct art_trust *trust = NULL;
	struct art_err err = { .code = 0 };
	int code = art_trust_load(&trust, dir, &err);

	ck_assert_msg(code == 0, "%s", err.text);
	return trust;
}

static inline int load_code(void)
{
	struct art_trust *trust = NULL;
	struct art_err err = { .code = 0 };
	int code = art_trust_load(&trust, dir, &err);

	ck_assert_int_eq(err.code, code);
	ck_assert((code == 0) == (trust != NULL));
	art_trust_free(trust);
	return code;
}

/* Append key I's signature, with the right preamble or another. */
static inline void sign_as(struct art_siglist *list, size_t i, const char *preamble)
{
	char text[ART_SIGN_TEXT_MAX];
	struct art_sig *s = &list->sig[list->count++];
	size_t len;

	ck_assert_int_eq(art_sign_text(text, preamble, art_key_algorithm(key[i]), id[i], manifest,
				       sizeof(manifest), &len, NULL), 0);
	ck_assert_int_eq(art_key_sign(pkey[i], text, len, &s->bytes, &s->len, NULL), 0);
	strcpy(s->algorithm, art_key_algorithm(key[i]));
	strcpy(s->key_id, id[i]);
}

static inline void sign(struct art_siglist *list, size_t i)
{
	sign_as(list, i, ART_PREAMBLE_ARTIFACT);
}

static struct art_verdict verdict;
static struct art_err why;

static inline int judge_role(const struct art_trust *trust, enum art_role role,
			     const struct art_siglist *list)
{
	int code = art_trust_judge(trust, role, list, manifest, sizeof(manifest), &verdict, &why);

	/* The answer does not depend on whether anybody listens. */
	ck_assert_int_eq(art_trust_judge(trust, role, list, manifest, sizeof(manifest), NULL, NULL),
			 code);
	return code;
}

static inline int judge(const struct art_trust *trust, const struct art_siglist *list)
{
	return judge_role(trust, ART_ROLE_ARTIFACT, list);
}

/* Load, judge one list, free both. */
static inline int judged(struct art_siglist *list)
{
	struct art_trust *trust = load();
	int code = judge(trust, list);

	art_trust_free(trust);
	art_siglist_free(list);
	return code;
}

#endif
