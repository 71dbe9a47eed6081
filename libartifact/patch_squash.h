/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The producer's side of codec 2 (format.md section 16.5): records of whole compressed blocks, their windows made of blocks whose plain
 * bytes are alike.
 */
#ifndef ART_PATCH_SQUASH_H
#define ART_PATCH_SQUASH_H

#include <stdbool.h>

#include "libartifact/patch_codec.h"
#include "libartifact/patch_table.h"
#include "libartifact/region.h"

/* Plain bytes of a record and of its window. */
#define ART_SQUASH_RECORD ((size_t)512 * 1024)
#define ART_SQUASH_WINDOW ((size_t)2 * 1024 * 1024)

struct art_patch_squash;

/* An image and its blocks. Both stay the caller's, and outlive what is made of them. */
struct art_squash_image {
	int fd;
	uint64_t size;
	const struct art_blocks *blocks;
};

/* Unpacks the old image's blocks and learns what they hold. Memory: at most 80 MiB. */
int art_patch_squash_new(struct art_patch_squash **out, const struct art_squash_image *old,
			 const struct art_squash_image *now, struct art_err *err);
void art_patch_squash_free(struct art_patch_squash *s);

/* Is LEN bytes at OFF of the new image one of its blocks, and one that can be compressed again? *PLAIN: its plain bytes. */
bool art_patch_squash_find(struct art_patch_squash *s, uint64_t off, uint32_t len,
			   uint32_t *block, uint32_t *plain);

/*
 * The record of the COUNT blocks at LIST, in order, each met once in the life of S: extents, window_len, codec and stored_len of RECORD are set, its plain_len must be. *STORED
 * belongs to S. 1; 0: there is no such record that is worth having. Afterwards what the blocks hold is known.
 */
int art_patch_squash_encode(struct art_patch_squash *s, struct art_patch_encoder *e,
			    const uint32_t *list, size_t count, struct art_patch_record *record,
			    const uint8_t **stored, struct art_err *err);

#endif
