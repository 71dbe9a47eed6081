// SPDX-License-Identifier: Apache-2.0
/* Making and freeing manifests. Parsing frees half-read ones: counts are right, or lists are NULL. */
#include <stdlib.h>

#include "libartifact/manifest.h"

struct art_manifest *art_manifest_new(void)
{
	return calloc(1, sizeof(struct art_manifest));
}

static void free_strings(char **list, size_t count)
{
	size_t i;

	for (i = 0; list && i < count; i++)
		free(list[i]);
	free(list);
}

static void free_pairs(struct art_pair *list, size_t count)
{
	size_t i;

	for (i = 0; list && i < count; i++) {
		free(list[i].key);
		free(list[i].value);
	}
	free(list);
}

static void free_payloads(struct art_payload *list, size_t count)
{
	size_t i;

	for (i = 0; list && i < count; i++) {
		free(list[i].name);
		free(list[i].kind);
		free(list[i].filesystem);
		free(list[i].segments);
		free(list[i].ext);
	}
	free(list);
}

void art_manifest_free(struct art_manifest *m)
{
	size_t i;

	if (!m)
		return;
	free(m->name);
	free(m->version);
	free(m->created);
	free_strings(m->compatible, m->compatible_count);
	free_strings(m->hardware, m->hardware_count);
	free(m->arch);
	free_pairs(m->requires_, m->requires_count);
	free_pairs(m->provides, m->provides_count);
	free_strings(m->features, m->feature_count);
	free_payloads(m->payloads, m->payload_count);
	for (i = 0; m->docs && i < m->doc_count; i++)
		free(m->docs[i].name);
	free(m->docs);
	free(m->description);
	free(m->advisory_url);
	free_strings(m->advisory_ids, m->advisory_id_count);
	free(m->support_until);
	free(m->ext);
	free(m);
}
