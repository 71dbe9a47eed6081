/* SPDX-License-Identifier: Apache-2.0 */
/* The trust policy of a device, and the verdict on a set of signatures (format.md section 5). */
#ifndef ART_TRUST_H
#define ART_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"
#include "libartifact/sig.h"

struct art_trust;

/* Roles skip 0, so that a stray false or NULL can never select one. */
enum art_role {
	ART_ROLE_ARTIFACT = 1,
	ART_ROLE_PATCH,
	ART_ROLE_DOWNGRADE,
	ART_ROLE_TEST,
};

/* Load a directory of *.pem and, if it is there, policy.json. ART_E_KEY_NONE, _KEY_BAD,
 * _POLICY_BAD, _IO. A path to a single .pem file is a policy of that one key. */
int art_trust_load(struct art_trust **out, const char *path, struct art_err *err);
void art_trust_free(struct art_trust *trust);

/* For listing: number of loaded keys, and the key. */
size_t art_trust_count(const struct art_trust *trust);
const struct art_key *art_trust_key(const struct art_trust *trust, size_t i);

enum art_sig_state {
	ART_SIG_VALID = 1,
	ART_SIG_INVALID,           /* known key, wrong signature */
	ART_SIG_UNKNOWN_KEY,
	ART_SIG_WRONG_ALGORITHM,   /* known key, but not its algorithm */
	ART_SIG_REVOKED,           /* valid or not: the key is revoked */
	ART_SIG_REPEATED,          /* the key has counted already */
};

struct art_verdict {
	size_t count;
	enum art_sig_state state[ART_SIG_LINES_MAX]; /* of list->sig[i] */
	char digest[2 * 32 + 1];                     /* artifact digest, format.md section 3 */
	bool by_test_role;
};

const char *art_sig_state_name(enum art_sig_state state);

/*
 * Judge the signatures LIST over MANIFEST for ROLE with the preamble that belongs to it
 * (patch: ART_PREAMBLE_PATCH, else ART_PREAMBLE_ARTIFACT). 0 only when every group of the role
 * is met and nothing is revoked. TRUST NULL: ART_E_KEY_NONE. VERDICT may be NULL; it is
 * filled as far as judged on failure too.
 */
int art_trust_judge(const struct art_trust *trust, enum art_role role,
		    const struct art_siglist *list, const uint8_t *manifest,
		    size_t manifest_len, struct art_verdict *verdict, struct art_err *err);

#endif
