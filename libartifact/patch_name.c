// SPDX-License-Identifier: Apache-2.0
/* Names of patches. */
#include <stdio.h>
#include <string.h>

#include "libartifact/patch_name.h"
#include "libartifact/util.h"

/* The payload of OLD with the name of NOW's payload; NULL: none. */
static const struct art_payload *counterpart(const struct art_manifest *old,
					     const struct art_payload *now)
{
	size_t i;

	for (i = 0; i < old->payload_count; i++)
		if (strcmp(old->payloads[i].name, now->name) == 0)
			return &old->payloads[i];
	return NULL;
}

bool art_patch_name(char out[ART_PATCH_NAME_LEN + 1], const struct art_manifest *now,
		    const struct art_manifest *old)
{
	const struct art_payload *a = NULL, *b = NULL;
	char new_text[33], old_text[33];
	size_t i;

	for (i = 0; i < now->payload_count; i++) {
		const struct art_payload *other = counterpart(old, &now->payloads[i]);
		bool differs = other && memcmp(now->payloads[i].sha256, other->sha256, ART_SHA256_LEN) != 0;

		if (differs || (other && !a)) {
			a = &now->payloads[i];
			b = other;
		}
		if (differs)
			break;
	}
	if (!a)
		return false;
	art_hex_format(new_text, a->sha256, 16);
	art_hex_format(old_text, b->sha256, 16);
	snprintf(out, ART_PATCH_NAME_LEN + 1, "%s-%s.patch", new_text, old_text);
	return true;
}
