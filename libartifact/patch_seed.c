// SPDX-License-Identifier: Apache-2.0
/* A sorted list: an image of 1 GiB has some 30000 rows. */
#include <stdlib.h>
#include <string.h>

#include "libartifact/patch_seed.h"

struct entry {
	uint8_t digest[ART_PLAIN_DIGEST];
	uint32_t len;
	uint64_t off;
};

struct art_patch_seed {
	struct entry *list;
	size_t count, room;
	bool sorted;
};

int art_patch_seed_new(struct art_patch_seed **out, struct art_err *err)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : art_fail_memory(err);
}

void art_patch_seed_free(struct art_patch_seed *seed)
{
	if (!seed)
		return;
	free(seed->list);
	free(seed);
}

int art_patch_seed_add(struct art_patch_seed *seed, const struct art_row *row, uint64_t off,
		       struct art_err *err)
{
	struct entry *e;

	if (seed->count == seed->room) {
		size_t room = seed->room ? 2 * seed->room : 4096;
		struct entry *list = reallocarray(seed->list, room, sizeof(*list));

		if (!list)
			return art_fail_memory(err);
		seed->list = list;
		seed->room = room;
	}
	e = &seed->list[seed->count++];
	memcpy(e->digest, row->plain_digest, ART_PLAIN_DIGEST);
	e->len = row->plain_len;
	e->off = off;
	seed->sorted = false;
	return 0;
}

int art_patch_seed_add_payload(struct art_patch_seed *seed, struct art_reader *reader,
			       size_t payload, struct art_err *err)
{
	const struct art_payload *p = &art_reader_manifest(reader)->payloads[payload];
	size_t s;
	int code = 0;

	for (s = 0; s < p->segment_count && code == 0; s++) {
		struct art_index *ix = NULL;
		struct art_row row;
		uint32_t i;

		code = art_reader_open_index(reader, payload, s, &ix, err);
		for (i = 0; code == 0 && i < art_index_rows(ix); i++) {
			art_index_row(ix, i, &row);
			if (art_row_is_stored(&row))
				code = art_patch_seed_add(seed, &row,
							  s * ART_SEGMENT_SIZE + row.plain_off, err);
		}
		art_index_free(ix);
	}
	return code;
}

/* The offset last, so that of several the first in the image is found, whatever the sort does. */
static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = memcmp(x->digest, y->digest, ART_PLAIN_DIGEST);

	if (order)
		return order;
	if (x->len != y->len)
		return (x->len > y->len) - (x->len < y->len);
	return (x->off > y->off) - (x->off < y->off);
}

bool art_patch_seed_find(struct art_patch_seed *seed, const struct art_row *row, uint64_t *off)
{
	struct entry key = { .len = row->plain_len };
	size_t low = 0, high = seed->count;

	if (!seed->sorted && seed->count)
		qsort(seed->list, seed->count, sizeof(*seed->list), compare);
	seed->sorted = true;
	memcpy(key.digest, row->plain_digest, ART_PLAIN_DIGEST);
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(&seed->list[mid], &key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == seed->count || seed->list[low].len != key.len ||
	    memcmp(seed->list[low].digest, key.digest, ART_PLAIN_DIGEST) != 0)
		return false;
	if (off)
		*off = seed->list[low].off;
	return true;
}
