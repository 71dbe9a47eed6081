/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in the old image, or in what has been written of the new one, lies content like that of a record? Windows are chosen by
 * content, so that a file that moved, or was renamed, is found wherever it lies now.
 */
#ifndef ART_PATCH_MAP_H
#define ART_PATCH_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"
#include "libartifact/patch_table.h"

struct art_patch_map;

/* For images of about TOTAL bytes in use. Memory: at most 64 MiB, whatever TOTAL is. */
int art_patch_map_new(struct art_patch_map **out, uint64_t total, struct art_err *err);
void art_patch_map_free(struct art_patch_map *map);

/* Learn LEN bytes that lie at OFF of an image. The first place of a content is kept. */
void art_patch_map_add(struct art_patch_map *map, const uint8_t *bytes, size_t len,
		       enum art_extent_source source, uint64_t off);

/*
 * The window for a record: extents of 4 KiB multiples, sorted, apart, at most ART_PATCH_EXTENTS of them and at most WINDOW bytes in
 * all. Extents may reach beyond the end of an image: the caller cuts them. Returns how many.
 */
size_t art_patch_map_choose(struct art_patch_map *map, const uint8_t *plain, size_t len,
			    size_t window, struct art_extent list[ART_PATCH_EXTENTS]);

#endif
