// SPDX-License-Identifier: Apache-2.0
/* policy.json. What is accepted keeps the rules that judging relies on. */
#include <string.h>

#include "fuzz.h"
#include "libartifact/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct art_policy policy;
	struct art_err err;
	size_t role, i;
	int code;

	memset(&policy, 0, sizeof(policy));
	code = art_policy_parse(&policy, bytes, len, &err);
	MUST(code == 0 || code == ART_E_POLICY_BAD || code == ART_E_NO_MEMORY);
	for (role = 0; code == 0 && role <= ART_ROLE_TEST; role++) {
		const struct art_groups *groups = &policy.role[role];

		for (i = 0; i < groups->count; i++)
			MUST(groups->group[i].threshold >= 1 &&
			     groups->group[i].threshold <= groups->group[i].keys.count);
	}
	art_policy_free(&policy);
	return 0;
}
