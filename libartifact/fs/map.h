/* SPDX-License-Identifier: Apache-2.0 */
/* Collecting regions in any order and making the gapless row out of them that region.h promises. */
#ifndef ART_MAP_H
#define ART_MAP_H

#include "libartifact/err.h"
#include "libartifact/region.h"

struct art_map {
	struct art_region *list;
	size_t count, room;
};

int art_map_add(struct art_map *map, uint64_t offset, uint64_t length,
		enum art_region_type type, struct art_err *err);
void art_map_free(struct art_map *map);

/* Says with art_map_add what lies in [OFFSET, OFFSET + LENGTH), where nothing has been added; what it leaves
 * out is META. */
typedef int (*art_map_gap_fn)(void *ctx, struct art_map *out, uint64_t offset, uint64_t length,
			      struct art_err *err);

/* Where two regions overlap, the one that starts first has the bytes. MAP is empty afterwards. GAP may be NULL. */
int art_map_cover(struct art_map *map, uint64_t size, art_map_gap_fn gap, void *ctx,
		  struct art_regions *out, struct art_err *err);

/* One region over everything. */
int art_map_whole(uint64_t size, enum art_region_type type, struct art_regions *out,
		  struct art_err *err);

#endif
