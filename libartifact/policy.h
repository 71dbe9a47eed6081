/* SPDX-License-Identifier: Apache-2.0 */
/* policy.json as a structure (format.md section 5). What it means is judged in trust.c. */
#ifndef ART_POLICY_H
#define ART_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"
#include "libartifact/key.h"
#include "libartifact/trust.h"

#define ART_POLICY_MAX (1024 * 1024) /* bytes of policy.json */

struct art_ids {
	size_t count;
	char (*id)[ART_KEY_ID_TEXT]; /* key ids and artifact digests have the same shape */
};

struct art_group {
	char *name;
	uint64_t threshold; /* 1 .. keys.count */
	struct art_ids keys;
};

struct art_groups {
	size_t count; /* 0: the role is never met */
	struct art_group *group;
};

struct art_policy {
	struct art_groups role[ART_ROLE_TEST + 1];
	struct art_ids revoked_keys;
	struct art_ids revoked_artifacts;
};

/* ART_E_POLICY_BAD. Whether the listed keys are there is the caller's to check. art_policy_free also after
 * a failure. */
int art_policy_parse(struct art_policy *policy, const uint8_t *bytes, size_t len,
		     struct art_err *err);
void art_policy_free(struct art_policy *policy);

bool art_ids_has(const struct art_ids *ids, const char *id);

#endif
