/* SPDX-License-Identifier: Apache-2.0 */
/* How an image is laid out, as far as cutting it into chunks cares. Made by libartifact/fs, used by plan.c. */
#ifndef ART_REGION_H
#define ART_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum art_region_type {
	ART_REGION_FILE,  /* starts where a file starts: a chunk starts here */
	ART_REGION_SMALL, /* small files side by side: packed, content-defined cuts */
	ART_REGION_META,  /* filesystem metadata: groups of its own */
	ART_REGION_FREE,  /* not in use: counts as zero whatever it holds */
	ART_REGION_BLOCK, /* one chunk as it is (a compressed squashfs block) */
	ART_REGION_DATA,  /* nothing known: content-defined cuts */
};

struct art_region {
	uint64_t offset;
	uint64_t length;
	enum art_region_type type;
};

/* Sorted, without gap or overlap, covering the whole image. */
struct art_regions {
	size_t count;
	struct art_region *list; /* malloc'ed; owner frees */
};

/* A compressed block of an image. Made by libartifact/fs, used by patch_squash.c. */
struct art_block {
	uint64_t offset;
	uint32_t length;
	bool raw; /* not compressed, as that would not have been shorter */
};

/* Sorted, apart. */
struct art_blocks {
	int level; /* of zstd, with which they were compressed */
	size_t count;
	struct art_block *list; /* malloc'ed; owner frees */
};

#endif
