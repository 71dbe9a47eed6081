// SPDX-License-Identifier: Apache-2.0
/*
 * Where the compressed blocks of a squashfs image lie. Each is one chunk as it is, so that a file that did not change
 * is the same chunk in the next image; everything between is metadata.
 */
#include <stdlib.h>

#include "libartifact/fs/map.h"
#include "libartifact/fs/squash.h"
#include "libartifact/util.h"

/* Hears of every block that stores something; SIZE is with SQUASH_PLAIN. */
typedef int (*block_fn)(void *ctx, uint64_t start, uint32_t size, struct art_err *err);

struct walk {
	struct squash *sq;
	block_fn block;
	void *ctx;
};

static int tell_block(struct walk *w, uint64_t start, uint32_t size, struct art_err *err)
{
	uint32_t stored = size & (SQUASH_PLAIN - 1);

	if (stored > squash_block_size(w->sq) || start > squash_used(w->sq) ||
	    stored > squash_used(w->sq) - start)
		return art_fail(err, ART_E_FAILED, "a block lies outside the image");
	return stored ? w->block(w->ctx, start, size, err) : 0;
}

static int walk_file(struct walk *w, const struct squash_inode *inode, struct art_err *err)
{
	struct squash_cursor at = inode->rest;
	uint64_t start = inode->start, left = squash_block_count(w->sq, inode);
	int ret = 0;

	for (; ret == 0 && left > 0; left--) {
		uint8_t b[4];

		ret = squash_meta(w->sq, &at, b, 4, err);
		if (ret == 0)
			ret = tell_block(w, start, art_get32(b), err);
		if (ret == 0)
			start += art_get32(b) & (SQUASH_PLAIN - 1);
	}
	return ret;
}

static int walk_blocks(struct squash *sq, block_fn block, void *ctx, struct art_err *err)
{
	struct walk w = { sq, block, ctx };
	struct squash_cursor at = squash_first_inode(sq);
	uint32_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < squash_inode_count(sq); i++) {
		struct squash_inode inode;

		ret = squash_next_inode(sq, &at, &inode, err);
		if (ret == 0 && inode.type == SQUASH_REG)
			ret = walk_file(&w, &inode, err);
	}
	for (i = 0; ret == 0 && i < squash_fragment_count(sq); i++) {
		struct squash_fragment f;

		ret = squash_fragment(sq, i, &f, err);
		if (ret == 0)
			ret = tell_block(&w, f.start, f.size, err);
	}
	return ret;
}

static int add_region(void *ctx, uint64_t start, uint32_t size, struct art_err *err)
{
	return art_map_add(ctx, start, size & (SQUASH_PLAIN - 1), ART_REGION_BLOCK, err);
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
	ret = walk_blocks(sq, add_region, &map, err);
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

struct block_list {
	struct art_blocks *out;
	size_t room;
};

static int add_block(void *ctx, uint64_t start, uint32_t size, struct art_err *err)
{
	struct block_list *l = ctx;

	if (l->out->count == l->room) {
		size_t room = l->room ? 2 * l->room : 1024;
		struct art_block *list = reallocarray(l->out->list, room, sizeof(*list));

		if (!list)
			return art_fail_memory(err);
		l->out->list = list;
		l->room = room;
	}
	l->out->list[l->out->count++] = (struct art_block){ start, size & (SQUASH_PLAIN - 1),
							    (size & SQUASH_PLAIN) != 0 };
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct art_block *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (x->length > y->length) - (x->length < y->length);
}

/* Files of the same content have the same blocks. */
static void sort_blocks(struct art_blocks *blocks)
{
	size_t kept = 0, i;

	if (blocks->count)
		qsort(blocks->list, blocks->count, sizeof(*blocks->list), by_offset);
	for (i = 0; i < blocks->count; i++) {
		const struct art_block *last = kept ? &blocks->list[kept - 1] : NULL;

		if (!last || last->offset + last->length <= blocks->list[i].offset)
			blocks->list[kept++] = blocks->list[i];
	}
	blocks->count = kept;
}

int art_squash_blocks(struct art_blob *blob, struct art_blocks *out, struct art_err *err)
{
	struct block_list list = { out, 0 };
	struct squash *sq;
	int ret;

	*out = (struct art_blocks){ 0, 0, NULL };
	ret = squash_open(&sq, blob, err);
	if (ret != 0)
		return ret;
	ret = squash_zstd_level(sq, &out->level, err);
	if (ret == 0 && out->level > 0)
		ret = walk_blocks(sq, add_block, &list, err);
	sort_blocks(out);
	squash_close(sq);
	if (ret != 0) {
		free(out->list);
		*out = (struct art_blocks){ 0, 0, NULL };
	}
	return ret;
}
