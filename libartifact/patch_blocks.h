/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec of patches for images made of small compressed pieces (format.md section 16.5, codec 2): blocks of the window are
 * unpacked, a record of their plain bytes is decoded, and what comes out is compressed again to the byte.
 */
#ifndef ART_PATCH_BLOCKS_H
#define ART_PATCH_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"
#include "libartifact/patch_table.h"

#define ART_RECIPE_BLOCKS 256
#define ART_RECIPE_PIECES 256
#define ART_RECIPE_LEVEL_MAX 22

struct art_recipe_block {
	uint32_t off; /* in the window */
	uint32_t len;
	bool raw;     /* not compressed */
};

struct art_recipe_piece {
	uint32_t len; /* of its plain bytes */
	bool raw;     /* stays as it is */
};

struct art_recipe {
	enum art_patch_codec codec; /* of the plain bytes */
	int level;
	uint32_t block_count, piece_count;
	struct art_recipe_block blocks[ART_RECIPE_BLOCKS];
	struct art_recipe_piece pieces[ART_RECIPE_PIECES];
	uint32_t inner_len; /* of all pieces */
};

/* Bytes that a recipe takes at most. */
#define ART_RECIPE_ROOM (4 * 9 + ART_RECIPE_BLOCKS * 10 + ART_RECIPE_PIECES * 5)

/* The recipe at *P, which moves behind it; all its lengths are within the limits and WINDOW_LEN. ART_E_PATCH_DECODE. */
int art_recipe_get(struct art_recipe *r, const uint8_t **p, const uint8_t *end,
		   size_t window_len, struct art_err *err);

/* Written at P, which has ART_RECIPE_ROOM; returns what follows it. */
uint8_t *art_recipe_put(uint8_t *p, const struct art_recipe *r);

/* Compresses as the codec asks. Allocates only when it is made: some 19 MiB, touched as far as the level needs (15, blocks of
 * 128 KiB: 2 MiB). */
struct art_repacker;
int art_repacker_new(struct art_repacker **out, struct art_err *err);
void art_repacker_free(struct art_repacker *r);

/* ART_PATCH_WINDOW_MAX bytes of that memory, the caller's until it calls art_repack: what is compressed has been made by then. */
uint8_t *art_repacker_room(struct art_repacker *r);

/* The length at OUT; 0: it does not fit into ROOM. LEVEL: 1 .. ART_RECIPE_LEVEL_MAX; LEN: 1 .. 1 MiB. */
size_t art_repack(struct art_repacker *r, int level, const uint8_t *plain, size_t len,
		  uint8_t *out, size_t room);

#endif
