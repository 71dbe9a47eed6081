// SPDX-License-Identifier: Apache-2.0
/* Rows of regions: sorted, clipped, filled, merged. */
#include <stdbool.h>
#include <stdlib.h>

#include "libartifact/fs/map.h"
#include "libartifact/util.h"

int art_map_add(struct art_map *map, uint64_t offset, uint64_t length,
		enum art_region_type type, struct art_err *err)
{
	if (length == 0)
		return 0;
	if (map->count == map->room) {
		size_t room = map->room ? map->room * 2 : 256;
		struct art_region *list = reallocarray(map->list, room, sizeof(*list));

		if (!list)
			return art_fail_memory(err);
		map->list = list;
		map->room = room;
	}
	map->list[map->count++] = (struct art_region){ offset, length, type };
	return 0;
}

void art_map_free(struct art_map *map)
{
	free(map->list);
	*map = (struct art_map){ NULL, 0, 0 };
}

static int compare(const void *a, const void *b)
{
	const struct art_region *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	/* The longer one first, and then by type: the result must not depend on qsort. */
	if (x->length != y->length)
		return x->length > y->length ? -1 : 1;
	return (int)x->type - (int)y->type;
}

/* A file's or block's start is a place to cut; everything else flows together. */
static bool merges(enum art_region_type type)
{
	return type != ART_REGION_FILE && type != ART_REGION_BLOCK;
}

static int append(struct art_map *out, const struct art_region *r, struct art_err *err)
{
	struct art_region *last = out->count ? &out->list[out->count - 1] : NULL;

	if (last && last->type == r->type && merges(r->type)) {
		last->length += r->length;
		return 0;
	}
	return art_map_add(out, r->offset, r->length, r->type, err);
}

static int fill(struct art_map *out, uint64_t offset, uint64_t end, art_map_gap_fn gap,
		void *ctx, struct art_err *err)
{
	struct art_map found = { NULL, 0, 0 };
	struct art_region meta = { 0, 0, ART_REGION_META };
	int ret = 0;
	size_t i;

	if (offset == end)
		return 0;
	if (gap)
		ret = gap(ctx, &found, offset, end - offset, err);
	for (i = 0; ret == 0 && i < found.count; i++) {
		meta.offset = offset;
		meta.length = found.list[i].offset - offset;
		if (meta.length > 0)
			ret = append(out, &meta, err);
		if (ret == 0)
			ret = append(out, &found.list[i], err);
		offset = found.list[i].offset + found.list[i].length;
	}
	meta.offset = offset;
	meta.length = end - offset;
	if (ret == 0 && meta.length > 0)
		ret = append(out, &meta, err);
	art_map_free(&found);
	return ret;
}

/* Cut R to what lies at or after POS and before SIZE; false: nothing is left. */
static bool clip(struct art_region *r, uint64_t pos, uint64_t size)
{
	uint64_t end;

	if (r->offset >= size || __builtin_add_overflow(r->offset, r->length, &end) || end > size)
		end = size;
	if (r->offset < pos)
		r->offset = pos;
	if (r->offset >= end)
		return false;
	r->length = end - r->offset;
	return true;
}

int art_map_cover(struct art_map *map, uint64_t size, art_map_gap_fn gap, void *ctx,
		  struct art_regions *out, struct art_err *err)
{
	struct art_map row = { NULL, 0, 0 };
	uint64_t pos = 0;
	int ret = 0;
	size_t i;

	if (map->count > 0)
		qsort(map->list, map->count, sizeof(*map->list), compare);
	for (i = 0; ret == 0 && i < map->count; i++) {
		struct art_region r = map->list[i];

		if (!clip(&r, pos, size))
			continue;
		ret = fill(&row, pos, r.offset, gap, ctx, err);
		if (ret == 0)
			ret = append(&row, &r, err);
		pos = r.offset + r.length;
	}
	if (ret == 0)
		ret = fill(&row, pos, size, gap, ctx, err);
	art_map_free(map);
	if (ret != 0) {
		art_map_free(&row);
		return ret;
	}
	out->count = row.count;
	out->list = row.list;
	return 0;
}

int art_map_whole(uint64_t size, enum art_region_type type, struct art_regions *out,
		  struct art_err *err)
{
	struct art_map map = { NULL, 0, 0 };
	int ret = art_map_add(&map, 0, size, type, err);

	if (ret != 0)
		return ret;
	out->count = map.count;
	out->list = map.list;
	return 0;
}
