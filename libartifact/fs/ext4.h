/* SPDX-License-Identifier: Apache-2.0 */
/* libext2fs over a blob, read-only. */
#ifndef ART_EXT4_H
#define ART_EXT4_H

#include <ext2fs/ext2fs.h>

#include "libartifact/blob.h"
#include "libartifact/region.h"

int art_ext4_open(ext2_filsys *out, struct art_blob *blob, struct art_err *err);

/* Never writes, whatever state libext2fs thinks it is in. */
void art_ext4_close(ext2_filsys fs);

/* Turn a libext2fs error into ours: when the blob below failed, its own error is the one that counts. */
int art_ext4_fail(ext2_filsys fs, errcode_t code, struct art_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Refuses what libext2fs would take a lot of time or memory for. */
int art_ext4_check_inode(const struct ext2_inode *inode, ext2_ino_t ino, struct art_err *err);

/*
 * Calls FN (may be NULL) for the blocks of INO as ext2fs_block_iterate3 does, holes left out. A block outside the filesystem is an error, and so
 * are more blocks than it has, as a damaged tree could otherwise have them until the end of days; LEFT (may be NULL: of one inode) counts down
 * over several inodes from art_ext4_limit. When FN has ended it, 0.
 */
typedef int (*art_ext4_block_fn)(ext2_filsys fs, blk64_t *block, e2_blkcnt_t count, blk64_t ref,
				 int ref_off, void *ctx);
uint64_t art_ext4_limit(ext2_filsys fs);
int art_ext4_iterate(ext2_filsys fs, ext2_ino_t ino, uint64_t *left, art_ext4_block_fn fn, void *ctx,
		     struct art_err *err);

int art_ext4_regions(struct art_blob *blob, struct art_regions *out, struct art_err *err);

#endif
