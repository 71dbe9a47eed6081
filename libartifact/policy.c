// SPDX-License-Identifier: Apache-2.0
/* Reading policy.json. It only ever makes a device stricter than its key files alone, so every doubt is a fault. */
#include <stdlib.h>
#include <string.h>

#include "libartifact/json.h"
#include "libartifact/policy.h"
#include "libartifact/util.h"

#define GROUPS_MAX 32
#define GROUP_KEYS_MAX 256
#define REVOKED_MAX 8192
#define GROUP_NAME_MAX 64

static const struct art_json_codes codes = {
	.syntax = ART_E_POLICY_BAD,
	.key = ART_E_POLICY_BAD,
	.missing = ART_E_POLICY_BAD,
	.value = ART_E_POLICY_BAD,
};

bool art_ids_has(const struct art_ids *ids, const char *id)
{
	size_t i;

	for (i = 0; i < ids->count; i++)
		if (strcmp(ids->id[i], id) == 0)
			return true;
	return false;
}

static int parse_format(const struct art_json *v, void *member, struct art_err *err)
{
	uint64_t format;

	(void)member;
	return art_json_uint(v, 1, 1, &format, err);
}

static int parse_ids(const struct art_json *v, struct art_ids *ids, size_t max,
		     struct art_err *err)
{
	size_t count, i;
	int code = art_json_array(v, 0, max, &count, err);

	if (code || count == 0)
		return code;
	ids->id = calloc(count, sizeof(*ids->id));
	if (!ids->id)
		return art_fail_memory(err);
	for (i = 0; i < count; i++) {
		struct art_json element = art_json_at(v, i);
		uint8_t id[ART_KEY_ID_LEN];
		const char *text;

		code = art_json_string(&element, ART_KEY_ID_TEXT - 1, ART_KEY_ID_TEXT - 1, &text, err);
		if (code)
			return code;
		if (art_hex_parse(id, sizeof(id), text) < 0)
			return art_json_fail(&element, ART_E_POLICY_BAD, err,
					     "is not 64 lowercase hex digits");
		memcpy(ids->id[i], text, ART_KEY_ID_TEXT);
		ids->count++;
	}
	return 0;
}

static int parse_revoked(const struct art_json *v, void *member, struct art_err *err)
{
	return parse_ids(v, member, REVOKED_MAX, err);
}

static int parse_group_name(const struct art_json *v, void *member, struct art_err *err)
{
	const char *text;
	int code = art_json_string(v, 1, GROUP_NAME_MAX, &text, err);

	if (code)
		return code;
	*(char **)member = strdup(text);
	return *(char **)member ? 0 : art_fail_memory(err);
}

static int parse_threshold(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_uint(v, 1, GROUP_KEYS_MAX, member, err);
}

static int parse_group_keys(const struct art_json *v, void *member, struct art_err *err)
{
	struct art_ids *ids = member;
	size_t i, k;
	int code = parse_ids(v, ids, GROUP_KEYS_MAX, err);

	for (i = 0; code == 0 && i < ids->count; i++)
		for (k = 0; k < i; k++)
			if (strcmp(ids->id[i], ids->id[k]) == 0)
				return art_json_fail(v, ART_E_POLICY_BAD, err,
						     "lists key '%s' twice", ids->id[i]);
	return code;
}

static const struct art_json_field group_fields[] = {
	{ "group", true, offsetof(struct art_group, name), parse_group_name },
	{ "threshold", true, offsetof(struct art_group, threshold), parse_threshold },
	{ "keys", true, offsetof(struct art_group, keys), parse_group_keys },
};

static int parse_role(const struct art_json *v, void *member, struct art_err *err)
{
	struct art_groups *groups = member;
	size_t count, i;
	int code = art_json_array(v, 0, GROUPS_MAX, &count, err);

	if (code || count == 0)
		return code;
	groups->group = calloc(count, sizeof(*groups->group));
	if (!groups->group)
		return art_fail_memory(err);
	for (i = 0; i < count; i++) {
		struct art_json element = art_json_at(v, i);
		struct art_group *g = &groups->group[groups->count++];

		code = art_json_object(&element, group_fields, ART_ARRAY_SIZE(group_fields), g, err);
		if (code)
			return code;
		if (g->threshold > g->keys.count)
			return art_json_fail(&element, ART_E_POLICY_BAD, err,
					     "has a threshold above its number of keys");
	}
	return 0;
}

#define ROLE(name, required, role) \
	{ name, required, (role) * sizeof(struct art_groups), parse_role }

static const struct art_json_field role_fields[] = {
	ROLE("artifact", true, ART_ROLE_ARTIFACT),
	ROLE("patch", false, ART_ROLE_PATCH),
	ROLE("downgrade-permit", false, ART_ROLE_DOWNGRADE),
	ROLE("test", false, ART_ROLE_TEST),
};

static int parse_roles(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_object(v, role_fields, ART_ARRAY_SIZE(role_fields), member, err);
}

static const struct art_json_field policy_fields[] = {
	{ "format", true, 0, parse_format },
	{ "roles", true, offsetof(struct art_policy, role), parse_roles },
	{ "revoked-keys", false, offsetof(struct art_policy, revoked_keys), parse_revoked },
	{ "revoked-artifacts", false, offsetof(struct art_policy, revoked_artifacts), parse_revoked },
};

int art_policy_parse(struct art_policy *policy, const uint8_t *bytes, size_t len,
		     struct art_err *err)
{
	struct art_json top;
	json_t *root = NULL;
	int code;

	memset(policy, 0, sizeof(*policy));
	code = art_json_parse(&root, bytes, len, &codes, err);
	if (code)
		return code;
	top = art_json_top(root, &codes);
	code = art_json_object(&top, policy_fields, ART_ARRAY_SIZE(policy_fields), policy, err);
	json_decref(root);
	return code;
}

void art_policy_free(struct art_policy *policy)
{
	size_t r, i;

	for (r = 0; r < ART_ARRAY_SIZE(policy->role); r++) {
		for (i = 0; i < policy->role[r].count; i++) {
			free(policy->role[r].group[i].name);
			free(policy->role[r].group[i].keys.id);
		}
		free(policy->role[r].group);
	}
	free(policy->revoked_keys.id);
	free(policy->revoked_artifacts.id);
	memset(policy, 0, sizeof(*policy));
}
