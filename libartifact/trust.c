// SPDX-License-Identifier: Apache-2.0
/*
 * Whom a device trusts, and whether that is met. Everything here starts from "no": a role is met only when it
 * has a group, every group has a threshold of at least one, and that many different keys counted.
 */
#include <config.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "libartifact/digest.h"
#include "libartifact/io.h"
#include "libartifact/key.h"
#include "libartifact/policy.h"
#include "libartifact/trust.h"
#include "libartifact/util.h"

#define KEYS_MAX 256

#ifdef WITH_TEST_KEYS
static const bool test_keys_count = true;
#else
static const bool test_keys_count = false;
#endif

struct art_trust {
	size_t count;
	struct art_key **keys;
	struct art_policy policy;
};

static const struct art_key *find_key(const struct art_trust *trust, const char *id)
{
	size_t i;

	for (i = 0; i < trust->count; i++)
		if (strcmp(art_key_id(trust->keys[i]), id) == 0)
			return trust->keys[i];
	return NULL;
}

static int add_key(struct art_trust *trust, const char *path, struct art_err *err)
{
	struct art_key *key = NULL;
	struct art_key **more;
	int code = art_key_load(&key, path, err);

	if (code)
		return code;
	/* The same key in two files is one key. */
	if (find_key(trust, art_key_id(key))) {
		art_key_free(key);
		return 0;
	}
	more = trust->count < KEYS_MAX ?
		realloc(trust->keys, (trust->count + 1) * sizeof(struct art_key *)) : NULL;
	if (!more) {
		art_key_free(key);
		if (trust->count == KEYS_MAX)
			return art_fail(err, ART_E_KEY_BAD, "more than %d keys", KEYS_MAX);
		return art_fail_memory(err);
	}
	trust->keys = more;
	trust->keys[trust->count++] = key;
	return 0;
}

/* As a shell's *.pem would choose: a hidden file is not a key. */
static int is_pem(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".pem") == 0;
}

/* A FIFO would keep its reader waiting for ever, and a device has no end. */
static int check_regular(const char *path, struct art_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", path);
	return S_ISREG(st.st_mode) ? 0 : art_fail(err, ART_E_IO, "'%s' is not a regular file", path);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_keys(struct art_trust *trust, const char *dir, struct art_err *err)
{
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, is_pem, by_name), i, code = 0;

	if (n < 0)
		return art_fail_errno(err, ART_E_IO, "cannot read the key directory '%s'", dir);
	for (i = 0; i < n; i++) {
		cleanup_free char *path = NULL;

		if (code == 0 && asprintf(&path, "%s/%s", dir, entries[i]->d_name) < 0) {
			path = NULL;
			code = art_fail_memory(err);
		}
		if (code == 0)
			code = check_regular(path, err);
		if (code == 0)
			code = add_key(trust, path, err);
		free(entries[i]);
	}
	free(entries);
	return code;
}

/* Without policy.json: any key is enough, for artifacts and patches. */
static int default_role(const struct art_trust *trust, struct art_groups *role,
			struct art_err *err)
{
	struct art_group *g = calloc(1, sizeof(*g));
	size_t i;

	if (!g)
		return art_fail_memory(err);
	role->group = g;
	role->count = 1;
	g->threshold = 1;
	g->name = strdup("any");
	g->keys.id = calloc(trust->count, sizeof(*g->keys.id));
	if (!g->name || !g->keys.id)
		return art_fail_memory(err);
	for (i = 0; i < trust->count; i++)
		memcpy(g->keys.id[i], art_key_id(trust->keys[i]), ART_KEY_ID_TEXT);
	g->keys.count = trust->count;
	return 0;
}

static int default_policy(struct art_trust *trust, struct art_err *err)
{
	int code = default_role(trust, &trust->policy.role[ART_ROLE_ARTIFACT], err);

	return code ? code : default_role(trust, &trust->policy.role[ART_ROLE_PATCH], err);
}

static int check_listed_keys(const struct art_trust *trust, struct art_err *err)
{
	const struct art_policy *p = &trust->policy;
	size_t r, i, k;

	for (r = 0; r < ART_ARRAY_SIZE(p->role); r++)
		for (i = 0; i < p->role[r].count; i++) {
			const struct art_group *g = &p->role[r].group[i];

			for (k = 0; k < g->keys.count; k++)
				if (!find_key(trust, g->keys.id[k]) &&
				    !art_ids_has(&p->revoked_keys, g->keys.id[k]))
					return art_fail(err, ART_E_POLICY_BAD,
							"group '%s' lists key '%s', which is not there",
							g->name, g->keys.id[k]);
		}
	return 0;
}

static int load_policy(struct art_trust *trust, const char *dir, struct art_err *err)
{
	struct art_err why = { .code = 0 };
	cleanup_free char *path = NULL;
	cleanup_free uint8_t *bytes = NULL;
	struct stat st;
	size_t len;
	int code;

	if (asprintf(&path, "%s/policy.json", dir) < 0) {
		path = NULL;
		return art_fail_memory(err);
	}
	/* Only a name that is not there means "no policy". A dangling link, or a file that cannot be read, must
	 * not turn a strict device into one that takes any key. */
	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return default_policy(trust, err);
		return art_fail_errno(err, ART_E_IO, "cannot look for '%s'", path);
	}
	code = check_regular(path, err);
	if (code)
		return code;
	code = art_read_file(path, ART_POLICY_MAX, &bytes, &len, &why);
	if (code == ART_E_IO && why.sys_errno == 0)
		code = art_fail(&why, ART_E_POLICY_BAD, "'%s' is larger than %d bytes", path,
				ART_POLICY_MAX);
	if (code) {
		if (err)
			*err = why;
		return code;
	}
	code = art_policy_parse(&trust->policy, bytes, len, err);
	if (!code)
		code = check_listed_keys(trust, err);
	if (code)
		art_wrap(err, "'%s'", path);
	return code;
}

int art_trust_load(struct art_trust **out, const char *path, struct art_err *err)
{
	struct art_trust *trust;
	struct stat st;
	int code;

	if (stat(path, &st) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open the keys '%s'", path);
	trust = calloc(1, sizeof(*trust));
	if (!trust)
		return art_fail_memory(err);
	if (S_ISDIR(st.st_mode)) {
		code = load_keys(trust, path, err);
		if (!code && trust->count == 0)
			code = art_fail(err, ART_E_KEY_NONE, "no key (*.pem) in '%s'", path);
		if (!code)
			code = load_policy(trust, path, err);
	} else {
		code = add_key(trust, path, err);
		if (!code)
			code = default_policy(trust, err);
	}
	if (code) {
		art_trust_free(trust);
		return code;
	}
	*out = trust;
	return 0;
}

void art_trust_free(struct art_trust *trust)
{
	size_t i;

	if (!trust)
		return;
	for (i = 0; i < trust->count; i++)
		art_key_free(trust->keys[i]);
	free(trust->keys);
	art_policy_free(&trust->policy);
	free(trust);
}

size_t art_trust_count(const struct art_trust *trust)
{
	return trust->count;
}

const struct art_key *art_trust_key(const struct art_trust *trust, size_t i)
{
	return trust->keys[i];
}

const char *art_sig_state_name(enum art_sig_state state)
{
	switch (state) {
	case ART_SIG_VALID:
		return "valid";
	case ART_SIG_INVALID:
		return "invalid";
	case ART_SIG_UNKNOWN_KEY:
		return "unknown-key";
	case ART_SIG_WRONG_ALGORITHM:
		return "wrong-algorithm";
	case ART_SIG_REVOKED:
		return "revoked";
	case ART_SIG_REPEATED:
		return "repeated";
	}
	return "not-judged";
}

/* Has one of the first COUNT lines already counted for this key? */
static bool has_counted(const struct art_verdict *v, const struct art_siglist *list, size_t count,
			const char *id)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (v->state[i] == ART_SIG_VALID && strcmp(list->sig[i].key_id, id) == 0)
			return true;
	return false;
}

struct message {
	const char *preamble;
	const uint8_t *manifest;
	size_t len;
};

static int judge_line(const struct art_trust *trust, const struct message *m,
		      const struct art_siglist *list, size_t i, struct art_verdict *v,
		      struct art_err *err)
{
	const struct art_sig *sig = &list->sig[i];
	const struct art_key *key = find_key(trust, sig->key_id);
	char text[ART_SIGN_TEXT_MAX];
	size_t len;
	int code;

	if (art_ids_has(&trust->policy.revoked_keys, sig->key_id)) {
		v->state[i] = ART_SIG_REVOKED;
	} else if (!key) {
		v->state[i] = ART_SIG_UNKNOWN_KEY;
	} else if (strcmp(art_key_algorithm(key), sig->algorithm) != 0) {
		v->state[i] = ART_SIG_WRONG_ALGORITHM;
	} else if (has_counted(v, list, i, sig->key_id)) {
		v->state[i] = ART_SIG_REPEATED;
	} else {
		/* The text takes algorithm and id from the trusted key, not from the line. */
		code = art_sign_text(text, m->preamble, art_key_algorithm(key), art_key_id(key),
				     m->manifest, m->len, &len, err);
		if (code)
			return code;
		code = art_key_verify(key, text, len, sig->bytes, sig->len, err);
		if (code != 0 && code != ART_E_SIG_INVALID)
			return code;
		v->state[i] = code == 0 ? ART_SIG_VALID : ART_SIG_INVALID;
	}
	v->count = i + 1;
	return 0;
}

static size_t count_group(const struct art_group *g, const struct art_siglist *list,
			  const struct art_verdict *v)
{
	size_t k, n = 0;

	/* By key, not by line: a key counts once however often it signed. */
	for (k = 0; k < g->keys.count; k++)
		if (has_counted(v, list, v->count, g->keys.id[k]))
			n++;
	return n;
}

/* The first group that is not met, or NULL. A role without groups is never met. */
static bool is_met(const struct art_groups *role, const struct art_siglist *list,
		   const struct art_verdict *v, const struct art_group **unmet)
{
	size_t i;

	*unmet = NULL;
	for (i = 0; i < role->count; i++) {
		const struct art_group *g = &role->group[i];

		if (g->threshold < 1 || count_group(g, list, v) < g->threshold) {
			*unmet = g;
			return false;
		}
	}
	return role->count > 0;
}

static bool has_state(const struct art_verdict *v, enum art_sig_state state)
{
	size_t i;

	for (i = 0; i < v->count; i++)
		if (v->state[i] == state)
			return true;
	return false;
}

/* Why a role is not met (section 5). */
static int fail_unmet(const struct art_siglist *list, const struct art_verdict *v,
		      const struct art_group *unmet, struct art_err *err)
{
	if (has_state(v, ART_SIG_VALID)) {
		if (!unmet)
			return art_fail(err, ART_E_SIG_THRESHOLD,
					"the trust policy gives no key this role");
		return art_fail(err, ART_E_SIG_THRESHOLD,
				"%zu of %llu signatures needed from group '%s'",
				count_group(unmet, list, v), (unsigned long long)unmet->threshold,
				unmet->name);
	}
	if (has_state(v, ART_SIG_INVALID) || has_state(v, ART_SIG_WRONG_ALGORITHM))
		return art_fail(err, ART_E_SIG_INVALID,
				"no signature of a trusted key verifies: the manifest or the signature was changed");
	if (has_state(v, ART_SIG_REVOKED))
		return art_fail(err, ART_E_SIG_UNTRUSTED, "signed by a revoked key only");
	return art_fail(err, ART_E_SIG_UNTRUSTED, "not signed by a trusted key (signed by '%s')",
			list->sig[0].key_id);
}

/* The verdict on the role, once every line has its state. */
static int judge_role(const struct art_trust *trust, enum art_role role,
		      const struct art_siglist *list, struct art_verdict *v, struct art_err *err)
{
	const struct art_groups *roles = trust->policy.role;
	const struct art_group *unmet, *ignored;
	bool met = is_met(&roles[role], list, v, &unmet);

	v->by_test_role = false;
	if (role == ART_ROLE_TEST)
		v->by_test_role = met;
	else if (!met && (role == ART_ROLE_ARTIFACT || role == ART_ROLE_PATCH))
		v->by_test_role = is_met(&roles[ART_ROLE_TEST], list, v, &ignored);
	if (v->by_test_role && !test_keys_count)
		return art_fail(err, ART_E_KEY_TEST,
				"signed by a test key only, which this build does not accept");
	if (!met && !v->by_test_role)
		return fail_unmet(list, v, unmet, err);
	return 0;
}

int art_trust_judge(const struct art_trust *trust, enum art_role role,
		    const struct art_siglist *list, const uint8_t *manifest, size_t manifest_len,
		    struct art_verdict *verdict, struct art_err *err)
{
	struct message m = { .manifest = manifest, .len = manifest_len };
	struct art_verdict own;
	struct art_verdict *v = verdict ? verdict : &own;
	uint8_t digest[ART_SHA256_LEN];
	size_t i;
	int code;

	memset(v, 0, sizeof(*v));
	if (!trust || trust->count == 0)
		return art_fail(err, ART_E_KEY_NONE, "no trusted key is configured");
	if (role < ART_ROLE_ARTIFACT || role > ART_ROLE_TEST)
		return art_fail(err, ART_E_FAILED, "no such role: %d", (int)role);
	code = art_sha256(manifest, manifest_len, digest, err);
	if (code)
		return code;
	art_hex_format(v->digest, digest, sizeof(digest));
	if (list->count == 0)
		return art_fail(err, ART_E_SIG_NONE, "not signed");
	/* Whoever signed it. */
	if (art_ids_has(&trust->policy.revoked_artifacts, v->digest))
		return art_fail(err, ART_E_ARTIFACT_REVOKED, "the trust policy revokes artifact '%s'",
				v->digest);
	m.preamble = role == ART_ROLE_PATCH ? ART_PREAMBLE_PATCH : ART_PREAMBLE_ARTIFACT;
	for (i = 0; i < list->count; i++) {
		code = judge_line(trust, &m, list, i, v, err);
		if (code)
			return code;
	}
	return judge_role(trust, role, list, v, err);
}
