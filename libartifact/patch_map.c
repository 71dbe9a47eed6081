// SPDX-License-Identifier: Apache-2.0
/*
 * A table of content-sampled 16-byte strings and the 4 KiB block in which each was first seen. The strings of a record vote for blocks; the
 * blocks that got votes, and those between them, make up the window.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/patch_map.h"
#include "libartifact/util.h"

#define STRING_LEN 16
#define BITS_MAX 23
#define BITS_MIN 12
#define NEW_BLOCK (UINT32_C(1) << 31)
#define VOTES_MAX 65536
/* Blocks without a vote between two that have one are likely to be what has changed. */
#define BRIDGE 8

struct entry {
	uint32_t tag; /* 0: empty */
	uint32_t block;
};

struct art_patch_map {
	unsigned int bits;
	uint32_t sample; /* a string is taken when these bits of its hash are zero */
	struct entry *table;
	uint32_t *votes;
};

struct run {
	uint32_t first, end; /* blocks */
	uint32_t votes;
};

int art_patch_map_new(struct art_patch_map **out, uint64_t total, struct art_err *err)
{
	struct art_patch_map *map = calloc(1, sizeof(*map));
	uint32_t every = 16;

	if (!map)
		return art_fail_memory(err);
	/* Half full at most. */
	while (total / every > (UINT64_C(1) << BITS_MAX) / 2 && every < (1u << 24))
		every *= 2;
	map->bits = BITS_MIN;
	while (map->bits < BITS_MAX && total / every * 2 > UINT64_C(1) << map->bits)
		map->bits++;
	map->sample = every - 1;
	map->table = calloc((size_t)1 << map->bits, sizeof(*map->table));
	map->votes = malloc(VOTES_MAX * sizeof(*map->votes));
	if (!map->table || !map->votes) {
		art_patch_map_free(map);
		return art_fail_memory(err);
	}
	*out = map;
	return 0;
}

void art_patch_map_free(struct art_patch_map *map)
{
	if (!map)
		return;
	free(map->table);
	free(map->votes);
	free(map);
}

static uint64_t hash(const uint8_t *p)
{
	uint64_t h = (art_get64(p) ^ 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;

	h = (h ^ h >> 32 ^ art_get64(p + 8)) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 29;
}

/* The string's place in the table, or NULL when it is not one of the sample. Runs of one byte say nothing. */
static struct entry *place_of(struct art_patch_map *map, const uint8_t *p, uint32_t *tag)
{
	uint64_t h = hash(p);

	if ((h & map->sample) != 0 || art_get64(p) == art_get64(p + 8))
		return NULL;
	*tag = (uint32_t)(h >> 24) | 1;
	return &map->table[h >> (64 - map->bits)];
}

void art_patch_map_add(struct art_patch_map *map, const uint8_t *bytes, size_t len,
		       enum art_extent_source source, uint64_t off)
{
	uint32_t flag = source == ART_EXTENT_NEW ? NEW_BLOCK : 0;
	size_t i;

	for (i = 0; i + STRING_LEN <= len; i++) {
		uint32_t tag;
		struct entry *e = place_of(map, bytes + i, &tag);

		if (!e || e->tag)
			continue;
		e->tag = tag;
		e->block = (uint32_t)((off + i) / ART_PATCH_BLOCK) | flag;
	}
}

static int by_block(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static size_t vote(struct art_patch_map *map, const uint8_t *plain, size_t len)
{
	size_t count = 0, i;

	for (i = 0; i + STRING_LEN <= len && count < VOTES_MAX; i++) {
		uint32_t tag;
		const struct entry *e = place_of(map, plain + i, &tag);

		if (e && e->tag == tag)
			map->votes[count++] = e->block;
	}
	qsort(map->votes, count, sizeof(*map->votes), by_block);
	return count;
}

/* Sorted votes become runs of blocks, in place of the votes: there are never more. */
static size_t make_runs(const uint32_t *votes, size_t count, uint32_t room, struct run *runs)
{
	size_t n = 0, i;

	for (i = 0; i < count; i++) {
		uint32_t b = votes[i];
		struct run *last = n ? &runs[n - 1] : NULL;

		if (last && b < last->end + BRIDGE && b + 1 - last->first <= room &&
		    !((b ^ last->first) & NEW_BLOCK)) {
			last->end = b < last->end ? last->end : b + 1;
			last->votes++;
		} else {
			runs[n++] = (struct run){ b, b + 1, 1 };
		}
	}
	return n;
}

static int by_density(const void *a, const void *b)
{
	const struct run *x = a, *y = b;
	uint64_t dx = (uint64_t)x->votes * (y->end - y->first);
	uint64_t dy = (uint64_t)y->votes * (x->end - x->first);

	if (dx != dy)
		return dx < dy ? 1 : -1;
	return (x->first > y->first) - (x->first < y->first);
}

static int by_place(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* One block more on both sides, where that does not run into a neighbour. */
static void widen(struct run *runs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t low = runs[i].first & NEW_BLOCK;

		if (i > 0 && runs[i - 1].end > low)
			low = runs[i - 1].end;
		if (runs[i].first > low)
			runs[i].first--;
		if (i + 1 == n || runs[i].end < runs[i + 1].first)
			runs[i].end++;
	}
}

size_t art_patch_map_choose(struct art_patch_map *map, const uint8_t *plain, size_t len,
			    size_t window, struct art_extent list[ART_PATCH_EXTENTS])
{
	uint32_t room = (uint32_t)(window / ART_PATCH_BLOCK);
	size_t count = vote(map, plain, len), n, i, kept = 0;
	uint32_t used = 0;
	struct run *runs = malloc((count + 1) * sizeof(*runs));

	if (!runs)
		return 0;
	n = make_runs(map->votes, count, room / 2, runs);
	qsort(runs, n, sizeof(*runs), by_density);
	for (i = 0; i < n && kept < ART_PATCH_EXTENTS; i++) {
		uint32_t blocks = runs[i].end - runs[i].first + 2;

		if (used + blocks > room)
			continue;
		used += blocks;
		runs[kept++] = runs[i];
	}
	qsort(runs, kept, sizeof(*runs), by_place);
	widen(runs, kept);
	for (i = 0; i < kept; i++) {
		list[i].source = runs[i].first & NEW_BLOCK ? ART_EXTENT_NEW : ART_EXTENT_OLD;
		list[i].offset = (uint64_t)(runs[i].first & ~NEW_BLOCK) * ART_PATCH_BLOCK;
		list[i].len = (uint64_t)(runs[i].end - runs[i].first) * ART_PATCH_BLOCK;
	}
	free(runs);
	return kept;
}
