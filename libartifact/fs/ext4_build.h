/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the ext4 builder: what goes in and how large it gets (ext4_plan.c), the filesystem around it
 * (build_ext4.c), the inodes (ext4_write.c). */
#ifndef ART_EXT4_BUILD_H
#define ART_EXT4_BUILD_H

#include <ext2fs/ext2fs.h>

#include "libartifact/fs/build.h"
#include "libartifact/fs/tree.h"

#define EXT4_BLOCK 4096
#define EXT4_BUFFER ((size_t)1024 * 1024)
/* Files up to here lie side by side, before all larger ones. */
#define EXT4_SMALL ((uint64_t)16 * 1024)
/* Where the data of a symbolic link no longer fit into its inode. */
#define EXT4_FAST_LINK 60

struct ext4_item {
	struct art_tree_inode *inode;
	const struct art_tree_inode *parent; /* of directories */
};

struct ext4_build {
	struct art_tree *tree;
	const struct art_build_options *opt;
	int64_t time; /* of the superblock: 1 .. 2^32 - 1 */
	const char *source;
	int fd;
	struct ext4_item *items; /* every inode once, names in order */
	size_t count, room;
	uint64_t size;      /* of the image */
	uint64_t inodes;
	uint32_t journal;   /* blocks; 0: none */
	ext2_filsys fs;
	blk64_t goal;
	uint8_t *buf;       /* EXT4_BUFFER bytes */
	struct art_err *err;
};

/* Number the inodes, and choose size, inodes and journal. */
int ext4_plan(struct ext4_build *b);

/* Blocks of one directory, at least 1. */
uint64_t ext4_directory_blocks(const struct art_tree_inode *dir);

/* The run of file blocks that begins at or after *FIRST and holds data: 1, and *FIRST, *COUNT; 0: no more. */
int ext4_next_run(const struct art_tree_inode *inode, uint64_t *first, uint64_t *count);

bool ext4_keeps_xattr(const char *name);

int ext4_write_all(struct ext4_build *b);

int ext4_build_fail(struct ext4_build *b, errcode_t code, const char *what);

#endif
