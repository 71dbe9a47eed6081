// SPDX-License-Identifier: Apache-2.0
/*
 * Where files lie in an ext4 image. Only a clean image has its free blocks called free: with a journal to be
 * replayed, or after errors, the bitmaps may be wrong, and bytes called free are lost. For the same reason what a file
 * or a table claims counts more than the bitmap.
 */
#include <stdlib.h>

#include "libartifact/fs/ext4.h"
#include "libartifact/fs/map.h"
#include "libartifact/util.h"

/* Files up to here are packed together. */
#define SMALL_FILE ((uint64_t)16 * 1024)

struct ext4_map {
	ext2_filsys fs;
	struct art_map map;
	enum art_region_type type; /* of the data of the inode at hand */
	blk64_t start, next;       /* the run of blocks at hand; next 0: none */
	uint64_t left;             /* as many blocks may yet be anybody's */
	struct art_err *err;
	int ret;
};

static int add_blocks(struct ext4_map *m, blk64_t block, uint64_t count,
		      enum art_region_type type)
{
	return art_map_add(&m->map, block * m->fs->blocksize, count * m->fs->blocksize, type,
			   m->err);
}

static void end_run(struct ext4_map *m)
{
	uint64_t count = m->next - m->start;
	enum art_region_type type = m->type;

	if (m->next == 0 || m->ret != 0)
		return;
	/* The shreds of a fragmented file are not worth a chunk each. */
	if (type == ART_REGION_FILE && count * m->fs->blocksize <= SMALL_FILE)
		type = ART_REGION_SMALL;
	m->ret = add_blocks(m, m->start, count, type);
	m->next = 0;
}

static int on_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t count, blk64_t ref, int ref_off,
		    void *ctx)
{
	struct ext4_map *m = ctx;

	(void)fs;
	(void)ref;
	(void)ref_off;
	if (count < 0) { /* of the extent tree or an indirect block */
		m->ret = add_blocks(m, *block, 1, ART_REGION_META);
	} else if (m->next == *block) {
		m->next++;
	} else {
		end_run(m);
		m->start = *block;
		m->next = *block + 1;
	}
	return m->ret == 0 ? 0 : BLOCK_ABORT;
}

static enum art_region_type type_of(ext2_filsys fs, ext2_ino_t ino,
				    const struct ext2_inode *inode)
{
	if (ino == fs->super->s_journal_inum)
		return ART_REGION_DATA;
	if (!LINUX_S_ISREG(inode->i_mode) || ino < EXT2_FIRST_INODE(fs->super))
		return ART_REGION_META;
	return EXT2_I_SIZE(inode) > SMALL_FILE ? ART_REGION_FILE : ART_REGION_SMALL;
}

static int add_inode(struct ext4_map *m, ext2_ino_t ino, struct ext2_inode *inode)
{
	int ret;

	if (inode->i_links_count == 0 || !ext2fs_inode_has_valid_blocks2(m->fs, inode))
		return 0;
	/* Reserved inodes hold the resize reserve and bad blocks: in use by the bitmap, without a layout. */
	if (ino < EXT2_FIRST_INODE(m->fs->super) && ino != EXT2_ROOT_INO &&
	    ino != m->fs->super->s_journal_inum)
		return 0;
	m->type = type_of(m->fs, ino, inode);
	m->next = 0;
	ret = art_ext4_iterate(m->fs, ino, &m->left, on_block, m, m->err);
	if (ret == 0)
		end_run(m);
	else if (m->ret == 0)
		m->ret = ret;
	return m->ret;
}

static int add_inodes(struct ext4_map *m)
{
	ext2_inode_scan scan;
	struct ext2_inode inode;
	ext2_ino_t ino;
	errcode_t code;

	code = ext2fs_open_inode_scan(m->fs, 0, &scan);
	if (code != 0)
		return art_ext4_fail(m->fs, code, m->err, "reading inodes");
	for (;;) {
		code = ext2fs_get_next_inode(scan, &ino, &inode);
		if (code != 0)
			m->ret = art_ext4_fail(m->fs, code, m->err, "reading inodes");
		if (m->ret != 0 || ino == 0 || add_inode(m, ino, &inode) != 0)
			break;
	}
	ext2fs_close_inode_scan(scan);
	return m->ret;
}

/* Superblock copies, group descriptors, bitmaps and inode tables, whatever the bitmaps say of them. */
static int add_tables(struct ext4_map *m)
{
	ext2_filsys fs = m->fs;
	dgrp_t g;

	for (g = 0; m->ret == 0 && g < fs->group_desc_count; g++) {
		blk64_t super, old, new;
		blk_t used;

		m->ret = add_blocks(m, ext2fs_block_bitmap_loc(fs, g), 1, ART_REGION_META);
		if (m->ret == 0)
			m->ret = add_blocks(m, ext2fs_inode_bitmap_loc(fs, g), 1, ART_REGION_META);
		if (m->ret == 0)
			m->ret = add_blocks(m, ext2fs_inode_table_loc(fs, g),
					    fs->inode_blocks_per_group, ART_REGION_META);
		if (m->ret != 0 ||
		    ext2fs_super_and_bgd_loc2(fs, g, &super, &old, &new, &used) != 0)
			continue;
		if (super != 0 || g == 0)
			m->ret = add_blocks(m, super, 1, ART_REGION_META);
		if (m->ret == 0 && old != 0)
			m->ret = add_blocks(m, old, used ? used : 1, ART_REGION_META);
		if (m->ret == 0 && new != 0)
			m->ret = add_blocks(m, new, 1, ART_REGION_META);
	}
	return m->ret;
}

/* What nobody claimed: free by the bitmap, or else in use for something. */
static int on_gap(void *ctx, struct art_map *out, uint64_t offset, uint64_t length,
		  struct art_err *err)
{
	struct ext4_map *m = ctx;
	ext2_filsys fs = m->fs;
	blk64_t first = offset / fs->blocksize, end = (offset + length) / fs->blocksize;
	blk64_t limit = ext2fs_blocks_count(fs->super), block, used;
	int ret = 0;

	if (end > limit) { /* bytes after the filesystem are not ours to judge */
		uint64_t tail = limit > first ? limit : first;

		ret = limit > first ? on_gap(ctx, out, offset, limit * fs->blocksize - offset, err) : 0;
		return ret ? ret
			   : art_map_add(out, tail * fs->blocksize, (end - tail) * fs->blocksize,
					 ART_REGION_DATA, err);
	}
	if (first < fs->super->s_first_data_block)
		first = fs->super->s_first_data_block;
	while (ret == 0 && first < end) {
		if (ext2fs_find_first_zero_block_bitmap2(fs->block_map, first, end - 1, &block) != 0)
			break;
		if (ext2fs_find_first_set_block_bitmap2(fs->block_map, block, end - 1, &used) != 0)
			used = end;
		ret = art_map_add(out, block * fs->blocksize, (used - block) * fs->blocksize,
				  ART_REGION_FREE, err);
		first = used;
	}
	return ret;
}

static bool is_clean(const struct ext2_super_block *sb)
{
	return (sb->s_state & EXT2_VALID_FS) && !(sb->s_state & EXT2_ERROR_FS) &&
	       !(sb->s_feature_incompat & EXT3_FEATURE_INCOMPAT_RECOVER);
}

static int map_clean(struct ext4_map *m, uint64_t size, struct art_regions *out)
{
	uint64_t whole = size / m->fs->blocksize * m->fs->blocksize;
	errcode_t code;
	int ret;

	code = ext2fs_read_block_bitmap(m->fs);
	if (code != 0)
		return art_ext4_fail(m->fs, code, m->err, "reading the block bitmap");
	ret = add_inodes(m);
	if (ret == 0)
		ret = add_tables(m);
	if (ret == 0 && whole < size)
		ret = art_map_add(&m->map, whole, size - whole, ART_REGION_DATA, m->err);
	if (ret == 0)
		ret = art_map_cover(&m->map, size, on_gap, m, out, m->err);
	return ret;
}

int art_ext4_regions(struct art_blob *blob, struct art_regions *out, struct art_err *err)
{
	struct ext4_map m = { .err = err };
	int ret;

	ret = art_ext4_open(&m.fs, blob, err);
	if (ret != 0)
		return ret;
	m.left = art_ext4_limit(m.fs);
	if (is_clean(m.fs->super))
		ret = map_clean(&m, blob->size, out);
	else
		ret = art_map_whole(blob->size, ART_REGION_DATA, out, err);
	art_map_free(&m.map);
	art_ext4_close(m.fs);
	return ret;
}
