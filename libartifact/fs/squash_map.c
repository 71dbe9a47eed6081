// SPDX-License-Identifier: Apache-2.0
/*
 * Where the compressed blocks of a squashfs image lie. Each is one chunk as it is, so that a file that did not change
 * is the same chunk in the next image; everything between is metadata.
 */
#include "libartifact/fs/map.h"
#include "libartifact/fs/squash.h"
#include "libartifact/util.h"

static int add_block(struct squash *sq, struct art_map *map, uint64_t start, uint32_t size,
		     struct art_err *err)
{
	uint32_t stored = size & (SQUASH_PLAIN - 1);

	if (stored > squash_block_size(sq) || start > squash_used(sq) ||
	    stored > squash_used(sq) - start)
		return art_fail(err, ART_E_FAILED, "a block lies outside the image");
	return art_map_add(map, start, stored, ART_REGION_BLOCK, err);
}

static int add_file(struct squash *sq, struct art_map *map, const struct squash_inode *inode,
		    struct art_err *err)
{
	struct squash_cursor at = inode->rest;
	uint64_t start = inode->start, left = squash_block_count(sq, inode);
	int ret = 0;

	for (; ret == 0 && left > 0; left--) {
		uint8_t b[4];

		ret = squash_meta(sq, &at, b, 4, err);
		if (ret == 0)
			ret = add_block(sq, map, start, art_get32(b), err);
		if (ret == 0)
			start += art_get32(b) & (SQUASH_PLAIN - 1);
	}
	return ret;
}

static int add_all(struct squash *sq, struct art_map *map, struct art_err *err)
{
	struct squash_cursor at = squash_first_inode(sq);
	uint32_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < squash_inode_count(sq); i++) {
		struct squash_inode inode;

		ret = squash_next_inode(sq, &at, &inode, err);
		if (ret == 0 && inode.type == SQUASH_REG)
			ret = add_file(sq, map, &inode, err);
	}
	for (i = 0; ret == 0 && i < squash_fragment_count(sq); i++) {
		struct squash_fragment f;

		ret = squash_fragment(sq, i, &f, err);
		if (ret == 0)
			ret = add_block(sq, map, f.start, f.size, err);
	}
	return ret;
}

int art_squash_regions(struct art_blob *blob, struct art_regions *out, struct art_err *err)
{
	struct art_map map = { NULL, 0, 0 };
	struct squash *sq;
	uint64_t end;
	int ret;

	ret = squash_open(&sq, blob, err);
	if (ret != 0)
		return ret;
	ret = add_all(sq, &map, err);
	/* mksquashfs pads to 4 KiB; what comes after that is not the filesystem's. */
	end = art_round_up(squash_used(sq), 4096);
	if (ret == 0 && end < blob->size)
		ret = art_map_add(&map, end, blob->size - end, ART_REGION_DATA, err);
	if (ret == 0)
		ret = art_map_cover(&map, blob->size, NULL, NULL, out, err);
	art_map_free(&map);
	squash_close(sq);
	return ret;
}
