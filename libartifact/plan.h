/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cutting an image into rows: the first of the writer's two readings. It decides where rows begin and which are zero,
 * and so how many there are; what they hold is hashed and compressed at the second reading only.
 */
#ifndef ART_PLAN_H
#define ART_PLAN_H

#include <stdbool.h>

#include "libartifact/manifest.h"
#include "libartifact/region.h"

/* An image as the artifact will show it: free regions read as zero, whatever they hold. */
struct art_view {
	int fd;
	const char *name;
	uint64_t size;
	const struct art_regions *regions; /* NULL: one DATA region */
	size_t hint; /* the region looked at last; start with 0 */
};

/* LEN bytes at OFF. ART_E_SOURCE_CHANGED when the file ends before. */
int art_view_read(struct art_view *view, void *buf, size_t len, uint64_t off,
		  struct art_err *err);

/* Where the hole at OFF ends, at END at the latest; OFF when there is none or the filesystem cannot tell. */
uint64_t art_view_hole(const struct art_view *view, uint64_t off, uint64_t end);

struct art_cut {
	uint32_t len;
	bool zero;
	bool group; /* a group starts here at the latest */
	bool program; /* of an ELF file of more than 16 KiB: of the first run of its blocks */
};

struct art_plan {
	size_t count;
	size_t room;
	struct art_cut *cuts; /* in image order; none crosses a segment's end */
};

/* CHUNK: the usual size of a chunk, 4 KiB .. 512 KiB; or ART_CHUNK_MAX: the fewest rows, 2048 in a segment at most, without
 * regard to what lies where. PLAN is zeroed by the caller and released with art_plan_clear, also
 * after a failure. */
int art_plan_make(struct art_plan *plan, struct art_view *view, uint32_t chunk,
		  struct art_err *err);
void art_plan_clear(struct art_plan *plan);

/* Put CUT behind the others. */
int art_plan_add(struct art_plan *plan, struct art_cut cut, struct art_err *err);

#endif
