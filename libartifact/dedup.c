// SPDX-License-Identifier: Apache-2.0
/* Open addressing; a digest is its own hash. */
#include <stdlib.h>
#include <string.h>

#include "libartifact/dedup.h"
#include "libartifact/util.h"

struct entry {
	uint8_t sha256[ART_SHA256_LEN];
	uint32_t len; /* 0: empty */
	uint32_t row;
};

struct art_dedup {
	size_t mask;
	struct entry *entries;
};

int art_dedup_new(struct art_dedup **out, uint32_t rows, struct art_err *err)
{
	struct art_dedup *d = calloc(1, sizeof(*d));
	size_t size = 16;

	if (!d)
		return art_fail_memory(err);
	while (size < 2 * (size_t)rows)
		size *= 2;
	d->mask = size - 1;
	d->entries = calloc(size, sizeof(*d->entries));
	if (!d->entries) {
		free(d);
		return art_fail_memory(err);
	}
	*out = d;
	return 0;
}

void art_dedup_free(struct art_dedup *d)
{
	if (!d)
		return;
	free(d->entries);
	free(d);
}

bool art_dedup_find(struct art_dedup *d, const uint8_t sha256[ART_SHA256_LEN], uint32_t len,
		    uint32_t *row)
{
	size_t i = art_get64(sha256) & d->mask;
	struct entry *e;

	for (; d->entries[i].len != 0; i = (i + 1) & d->mask) {
		e = &d->entries[i];
		if (e->len == len && memcmp(e->sha256, sha256, ART_SHA256_LEN) == 0) {
			*row = e->row;
			return true;
		}
	}
	e = &d->entries[i];
	memcpy(e->sha256, sha256, ART_SHA256_LEN);
	e->len = len;
	e->row = *row;
	return false;
}
