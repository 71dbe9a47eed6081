// SPDX-License-Identifier: Apache-2.0
/* A squashfs image: where its blocks lie, and everything that can be read of it, inode by inode. */
#include <string.h>

#include "fuzz.h"
#include "libartifact/fs/squash.h"

struct memory {
	struct art_blob base;
	const uint8_t *bytes;
};

static int memory_read(struct art_blob *blob, void *buf, size_t len, uint64_t off,
		       struct art_err *err)
{
	(void)err;
	memcpy(buf, ((struct memory *)blob)->bytes + off, len);
	return 0;
}

static void layout(struct art_blob *blob)
{
	struct art_regions r = { 0 };
	struct art_blocks b = { 0 };
	uint64_t end = 0;
	struct art_err err;
	size_t i;

	if (art_squash_regions(blob, &r, &err) == 0) {
		for (i = 0; i < r.count; i++) {
			MUST(r.list[i].offset == end && r.list[i].length > 0);
			end += r.list[i].length;
		}
		MUST(end == blob->size);
		free(r.list);
	}
	end = 0;
	if (art_squash_blocks(blob, &b, &err) == 0) {
		for (i = 0; i < b.count; i++) {
			MUST(b.list[i].offset >= end && b.list[i].length > 0);
			end = b.list[i].offset + b.list[i].length;
			MUST(end <= blob->size);
		}
		MUST(b.count == 0 || (b.level >= 1 && b.level <= 22));
		free(b.list);
	}
}

static void attributes(struct squash *sq, uint32_t index)
{
	struct squash_cursor at;
	uint32_t count;
	uint8_t head[4];
	struct art_err err;

	if (squash_xattrs(sq, index, &at, &count, &err) == 0 && count > 0)
		squash_meta(sq, &at, head, sizeof(head), &err);
}

static void file(struct squash *sq, const struct squash_inode *inode, uint8_t *block)
{
	struct squash_cursor at = inode->rest;
	uint64_t left = squash_block_count(sq, inode), start = inode->start;
	struct squash_fragment f;
	struct art_err err;
	uint8_t b[4];
	size_t len;

	/* What lies outside of the image is refused, so this ends. */
	for (; left > 0 && squash_meta(sq, &at, b, 4, &err) == 0; left--) {
		uint32_t size = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;

		if (squash_data(sq, start, size, block, &len, &err) < 0)
			break;
		MUST(len <= squash_block_size(sq));
		touch(block, len);
		start += size & (SQUASH_PLAIN - 1);
	}
	if (squash_fragment(sq, inode->fragment, &f, &err) == 0 &&
	    squash_data(sq, f.start, f.size, block, &len, &err) == 0)
		touch(block, len);
}

static void inodes(struct art_blob *blob)
{
	struct squash_cursor at;
	struct squash_inode inode;
	struct squash *sq;
	struct art_err err;
	uint8_t *block;
	uint32_t i, id;

	if (squash_open(&sq, blob, &err) < 0)
		return;
	/* Exactly as large as is promised, so that one byte more is seen. */
	block = malloc(squash_block_size(sq));
	MUST(block);
	at = squash_first_inode(sq);
	for (i = 0; i < squash_inode_count(sq) && squash_next_inode(sq, &at, &inode, &err) == 0; i++) {
		squash_id(sq, inode.uid_index, &id, &err);
		attributes(sq, inode.xattr);
		if (inode.type == SQUASH_REG)
			file(sq, &inode, block);
	}
	if (squash_inode(sq, squash_root(sq), &inode, &err) == 0 && inode.type == SQUASH_DIR) {
		at = squash_listing(sq, &inode);
		squash_meta(sq, &at, block, 12, &err);
	}
	free(block);
	squash_close(sq);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct memory m = { { .read = memory_read, .name = "image", .size = len }, bytes };

	layout(&m.base);
	inodes(&m.base);
	return 0;
}
