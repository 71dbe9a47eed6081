/* SPDX-License-Identifier: Apache-2.0 */
/* Squashfs 4.0, read: superblock, metadata blocks, inodes, tables. Everything in an image is checked before use. */
#ifndef ART_SQUASH_H
#define ART_SQUASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libartifact/blob.h"
#include "libartifact/region.h"

#define SQUASH_META 8192
#define SQUASH_NONE UINT32_MAX /* no fragment, no attributes */
#define SQUASH_PLAIN ((uint32_t)1 << 24) /* in the size of a data block: not compressed */

enum squash_type {
	SQUASH_DIR = 1,
	SQUASH_REG,
	SQUASH_LINK,
	SQUASH_BLOCK,
	SQUASH_CHAR,
	SQUASH_FIFO,
	SQUASH_SOCKET,
	SQUASH_LONG, /* added to the above: the long forms */
};

struct squash;

/* A place in a row of metadata blocks: the block's offset in the image, and an offset in its plain bytes. */
struct squash_cursor {
	uint64_t block;
	uint32_t offset;
};

struct squash_inode {
	unsigned int type; /* SQUASH_DIR .. SQUASH_SOCKET */
	uint16_t mode;
	uint16_t uid_index, gid_index;
	uint32_t mtime, number, links, device, xattr;
	uint64_t size;            /* directories: of the listing, 3 too many */
	uint64_t start;           /* files: first block; directories: metadata block in the table */
	uint32_t offset;          /* directories: in that block; files: in the fragment */
	uint32_t fragment;
	struct squash_cursor rest; /* files: the sizes of the blocks; links: the target */
};

struct squash_fragment {
	uint64_t start;
	uint32_t size; /* with SQUASH_PLAIN */
};

int squash_open(struct squash **out, struct art_blob *blob, struct art_err *err);
void squash_close(struct squash *sq);

uint16_t squash_method(const struct squash *sq); /* the compressor's number */
uint32_t squash_block_size(const struct squash *sq);
uint32_t squash_inode_count(const struct squash *sq);
uint32_t squash_fragment_count(const struct squash *sq);
uint64_t squash_root(const struct squash *sq);
uint64_t squash_used(const struct squash *sq);

/* The level of zstd with which the image was made; 0: it was another compressor. */
int squash_zstd_level(struct squash *sq, int *level, struct art_err *err);

/* Copy LEN plain bytes and move on; BUF may be NULL. */
int squash_meta(struct squash *sq, struct squash_cursor *at, void *buf, size_t len,
		struct art_err *err);

/* A node is an inode reference: metadata block << 16 | offset. */
int squash_inode(struct squash *sq, uint64_t node, struct squash_inode *out, struct art_err *err);

/* The inodes one after the other as they lie in the table; AT begins at squash_first_inode and is moved on. */
struct squash_cursor squash_first_inode(const struct squash *sq);
int squash_next_inode(struct squash *sq, struct squash_cursor *at, struct squash_inode *out,
		      struct art_err *err);

/* The number of blocks in a file's list. */
uint64_t squash_block_count(const struct squash *sq, const struct squash_inode *inode);

int squash_id(struct squash *sq, uint16_t index, uint32_t *id, struct art_err *err);
int squash_fragment(struct squash *sq, uint32_t index, struct squash_fragment *out,
		    struct art_err *err);

/* Where a directory's listing begins. */
struct squash_cursor squash_listing(const struct squash *sq, const struct squash_inode *dir);

/* Where the attributes with this index are, and how many. */
int squash_xattrs(struct squash *sq, uint32_t index, struct squash_cursor *at, uint32_t *count,
		  struct art_err *err);
int squash_xattr_at(struct squash *sq, uint64_t reference, struct squash_cursor *at,
		    struct art_err *err);

/* Read a data block or fragment; BUF has squash_block_size bytes. SIZE is with SQUASH_PLAIN. */
int squash_data(struct squash *sq, uint64_t start, uint32_t size, uint8_t *buf, size_t *len,
		struct art_err *err);

int art_squash_regions(struct art_blob *blob, struct art_regions *out, struct art_err *err);

/* Where its blocks lie, when they are zstd's; none, and no error, when they are another compressor's. */
int art_squash_blocks(struct art_blob *blob, struct art_blocks *out, struct art_err *err);

#endif
