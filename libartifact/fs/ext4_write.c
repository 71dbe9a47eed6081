// SPDX-License-Identifier: Apache-2.0
/*
 * Inodes, directories and data of a new ext4 image. Everything is laid out here and not by libext2fs's convenience
 * calls: directories, then small files side by side, then large files, each in the order of names and in one piece
 * where it can be. So the layout depends on the tree alone, directories of any length take one pass, and no time of the
 * build gets in.
 */
#include <stdlib.h>
#include <string.h>

#include "libartifact/fs/ext4_build.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define MAX_EXTENT 32768 /* blocks */
#define MAX_LINKS 65000

static void set_times(struct ext2_inode_large *raw, const struct art_tree_inode *inode)
{
	/* 34 bits with sign: 1901 to 2446. */
	const int64_t min = INT32_MIN, max = ((int64_t)3 << 32) + INT32_MAX;
	int64_t t = inode->mtime < min ? min : inode->mtime > max ? max : inode->mtime;
	uint32_t low = (uint32_t)t, extra;

	extra = (uint32_t)((t - (int32_t)low) >> 32 & 3) | inode->mtime_nsec << 2;
	raw->i_atime = raw->i_ctime = raw->i_mtime = raw->i_crtime = low;
	raw->i_atime_extra = raw->i_ctime_extra = raw->i_mtime_extra = raw->i_crtime_extra = extra;
}

static void set_device(struct ext2_inode_large *raw, const struct art_tree_inode *inode)
{
	uint32_t major = inode->rdev_major, minor = inode->rdev_minor;

	if (major < 256 && minor < 256)
		raw->i_block[0] = major << 8 | minor;
	else
		raw->i_block[1] = (minor & 0xff) | major << 8 | (minor & ~(uint32_t)0xff) << 12;
}

static size_t count_links(const struct art_tree_inode *inode)
{
	size_t i, links = 2;

	if (!S_ISDIR(inode->mode))
		return inode->links;
	for (i = 0; i < inode->name_count; i++)
		links += S_ISDIR(inode->names[i].inode->mode) != 0;
	return links < MAX_LINKS ? links : 1; /* dir_nlink: 1 means many */
}

static int set_inode(struct ext4_build *b, struct ext2_inode_large *raw,
		     const struct art_tree_inode *inode)
{
	size_t links = count_links(inode);

	memset(raw, 0, sizeof(*raw));
	if (links > MAX_LINKS)
		return art_fail(b->err, ART_E_FAILED, "a file has more than %d hard links", MAX_LINKS);
	raw->i_mode = (uint16_t)inode->mode;
	raw->i_uid = (uint16_t)inode->uid;
	raw->osd2.linux2.l_i_uid_high = (uint16_t)(inode->uid >> 16);
	raw->i_gid = (uint16_t)inode->gid;
	raw->osd2.linux2.l_i_gid_high = (uint16_t)(inode->gid >> 16);
	raw->i_links_count = (uint16_t)links;
	raw->i_extra_isize = sizeof(*raw) - EXT2_GOOD_OLD_INODE_SIZE;
	set_times(raw, inode);
	return 0;
}

static void set_size(struct ext2_inode_large *raw, uint64_t size)
{
	raw->i_size = (uint32_t)size;
	raw->i_size_high = (uint32_t)(size >> 32);
}

/* The file being given blocks. */
struct target {
	struct ext4_build *b;
	ext2_ino_t number;
	struct ext2_inode_large raw;
	ext2_extent_handle_t extents;
	uint8_t *content;                  /* directories, links: the bytes; else NULL */
	struct art_tree_inode *inode;
};

static int copy_run(struct target *t, uint64_t logical, blk64_t block, uint64_t count)
{
	struct ext4_build *b = t->b;
	const uint64_t piece = EXT4_BUFFER / EXT4_BLOCK;

	while (count > 0) {
		uint64_t n = count < piece ? count : piece;
		size_t len = (size_t)n * EXT4_BLOCK;
		int ret = 0;

		if (t->content)
			memcpy(b->buf, t->content + logical * EXT4_BLOCK, len);
		else
			ret = art_tree_read(b->tree, t->inode, b->buf, len, logical * EXT4_BLOCK, b->err);
		/* The image is a new file: what is zero is there already. */
		if (ret == 0 && !art_is_zero(b->buf, len))
			ret = art_pwrite_full(b->fd, b->buf, len, block * EXT4_BLOCK, "the new image", b->err);
		if (ret != 0)
			return ret;
		logical += n;
		block += n;
		count -= n;
	}
	return 0;
}

static int give_blocks(struct target *t, uint64_t logical, uint64_t count)
{
	struct ext4_build *b = t->b;
	int ret = 0;

	while (ret == 0 && count > 0) {
		struct ext2fs_extent extent = { .e_lblk = logical };
		blk64_t block, got;
		errcode_t code;

		code = ext2fs_new_range(b->fs, 0, b->goal, count < MAX_EXTENT ? count : MAX_EXTENT, NULL,
					&block, &got);
		if (code != 0)
			return ext4_build_fail(b, code, "allocating blocks");
		ext2fs_block_alloc_stats_range(b->fs, block, (blk_t)got, +1);
		b->goal = block + got;
		extent.e_pblk = block;
		extent.e_len = (uint32_t)got;
		code = ext2fs_extent_insert(t->extents, EXT2_EXTENT_INSERT_AFTER, &extent);
		if (code == 0)
			code = ext2fs_extent_fix_parents(t->extents);
		if (code == 0)
			code = ext2fs_iblk_add_blocks(b->fs, (struct ext2_inode *)&t->raw, got);
		if (code != 0)
			return ext4_build_fail(b, code, "writing extents");
		ret = copy_run(t, logical, block, got);
		logical += got;
		count -= got;
	}
	return ret;
}

static int write_raw(struct target *t)
{
	errcode_t code = ext2fs_write_inode_full(t->b->fs, t->number, (struct ext2_inode *)&t->raw,
						 sizeof(t->raw));

	return code ? ext4_build_fail(t->b, code, "writing an inode") : 0;
}

static int open_extents(struct target *t)
{
	errcode_t code;
	int ret;

	t->raw.i_flags |= EXT4_EXTENTS_FL;
	ret = write_raw(t);
	if (ret != 0)
		return ret;
	code = ext2fs_extent_open2(t->b->fs, t->number, (struct ext2_inode *)&t->raw, &t->extents);
	return code ? ext4_build_fail(t->b, code, "starting extents") : 0;
}

static int write_file(struct target *t)
{
	uint64_t first = 0, count;
	int ret = open_extents(t);

	set_size(&t->raw, t->inode->size);
	while (ret == 0 && ext4_next_run(t->inode, &first, &count)) {
		ret = give_blocks(t, first, count);
		first += count;
	}
	if (ret == 0)
		art_tree_forget(t->b->tree, t->inode);
	return ret;
}

static int write_content(struct target *t, uint64_t blocks, uint64_t size)
{
	int ret = open_extents(t);

	set_size(&t->raw, size);
	return ret ? ret : give_blocks(t, 0, blocks);
}

static int write_link(struct target *t)
{
	cleanup_free uint8_t *block = NULL;
	int ret;

	if (t->inode->size < EXT4_FAST_LINK) {
		set_size(&t->raw, t->inode->size);
		memcpy(t->raw.i_block, t->inode->target, (size_t)t->inode->size);
		return 0;
	}
	block = calloc(1, EXT4_BLOCK);
	if (!block)
		return art_fail_memory(t->b->err);
	memcpy(block, t->inode->target, (size_t)t->inode->size);
	t->content = block;
	ret = write_content(t, 1, t->inode->size);
	t->content = NULL;
	return ret;
}

static int file_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return EXT2_FT_DIR;
	case S_IFLNK:
		return EXT2_FT_SYMLINK;
	case S_IFCHR:
		return EXT2_FT_CHRDEV;
	case S_IFBLK:
		return EXT2_FT_BLKDEV;
	case S_IFIFO:
		return EXT2_FT_FIFO;
	case S_IFSOCK:
		return EXT2_FT_SOCK;
	default:
		return EXT2_FT_REG_FILE;
	}
}

/* A directory's blocks being filled. */
struct packer {
	ext2_filsys fs;
	uint8_t *block;
	size_t used;
	struct ext2_dir_entry *last;
};

#define ROOM (EXT4_BLOCK - sizeof(struct ext2_dir_entry_tail))

static void stretch(struct packer *p)
{
	if (p->last)
		ext2fs_set_rec_len(p->fs, (unsigned int)(p->block + ROOM - (uint8_t *)p->last), p->last);
}

static void pack(struct packer *p, const char *name, uint32_t number, mode_t mode)
{
	size_t len = strlen(name), need = 8 + (len + 3) / 4 * 4;
	struct ext2_dir_entry *de;

	if (p->used + need > ROOM) {
		stretch(p);
		p->block += EXT4_BLOCK;
		p->used = 0;
	}
	de = (struct ext2_dir_entry *)(void *)(p->block + p->used);
	de->inode = number;
	ext2fs_set_rec_len(p->fs, (unsigned int)need, de);
	ext2fs_dirent_set_name_len(de, (int)len);
	ext2fs_dirent_set_file_type(de, file_type(mode));
	memcpy(de->name, name, len);
	p->used += need;
	p->last = de;
}

/* Checksums need the number of the inode, and so are set last. */
static int seal(struct target *t, uint8_t *content, uint64_t blocks)
{
	uint64_t i;

	for (i = 0; i < blocks; i++) {
		uint8_t *block = content + i * EXT4_BLOCK;
		errcode_t code;

		if (art_is_zero(block, ROOM)) /* an empty block is one entry without a name */
			ext2fs_set_rec_len(t->b->fs, ROOM, (struct ext2_dir_entry *)(void *)block);
		ext2fs_initialize_dirent_tail(t->b->fs, EXT2_DIRENT_TAIL(block, EXT4_BLOCK));
		code = ext2fs_dir_block_csum_set(t->b->fs, t->number,
						 (struct ext2_dir_entry *)(void *)block);
		if (code != 0)
			return ext4_build_fail(t->b, code, "writing a directory");
	}
	return 0;
}

static int write_directory(struct target *t, const struct art_tree_inode *parent)
{
	const struct art_tree_inode *dir = t->inode;
	uint64_t blocks = ext4_directory_blocks(dir);
	cleanup_free uint8_t *content = calloc(blocks, EXT4_BLOCK);
	struct packer p = { t->b->fs, content, 0, NULL };
	size_t i;
	int ret;

	if (!content)
		return art_fail_memory(t->b->err);
	pack(&p, ".", dir->number, S_IFDIR);
	pack(&p, "..", parent->number, S_IFDIR);
	for (i = 0; i < dir->name_count; i++)
		pack(&p, dir->names[i].name, dir->names[i].inode->number, dir->names[i].inode->mode);
	stretch(&p);
	ret = seal(t, content, blocks);
	t->content = content;
	if (ret == 0)
		ret = write_content(t, blocks, blocks * EXT4_BLOCK);
	t->content = NULL;
	return ret;
}

static int write_xattrs(struct target *t)
{
	struct ext2_xattr_handle *handle;
	size_t i, kept = 0;
	errcode_t code;

	for (i = 0; i < t->inode->xattr_count; i++)
		kept += ext4_keeps_xattr(t->inode->xattrs[i].name);
	if (kept == 0)
		return 0;
	code = ext2fs_xattrs_open(t->b->fs, t->number, &handle);
	if (code != 0)
		return ext4_build_fail(t->b, code, "writing attributes");
	code = ext2fs_xattrs_read(handle);
	for (i = 0; code == 0 && i < t->inode->xattr_count; i++) {
		const struct art_tree_xattr *x = &t->inode->xattrs[i];

		if (ext4_keeps_xattr(x->name))
			code = ext2fs_xattr_set(handle, x->name, x->value, x->len);
	}
	if (code == 0)
		code = ext2fs_xattrs_write(handle);
	ext2fs_xattrs_close(&handle);
	return code ? ext4_build_fail(t->b, code, "writing attributes") : 0;
}

static int write_item(struct ext4_build *b, const struct ext4_item *item)
{
	struct target t = { .b = b, .number = item->inode->number, .inode = item->inode };
	int ret = set_inode(b, &t.raw, item->inode);

	if (ret != 0)
		return ret;
	ext2fs_inode_alloc_stats2(b->fs, t.number, +1, S_ISDIR(item->inode->mode));
	switch (item->inode->mode & S_IFMT) {
	case S_IFDIR:
		ret = write_directory(&t, item->parent);
		break;
	case S_IFREG:
		ret = write_file(&t);
		break;
	case S_IFLNK:
		ret = write_link(&t);
		break;
	case S_IFCHR:
	case S_IFBLK:
		set_device(&t.raw, item->inode);
		break;
	default:
		break;
	}
	if (t.extents)
		ext2fs_extent_free(t.extents);
	if (ret == 0)
		ret = write_raw(&t);
	return ret ? ret : write_xattrs(&t);
}

static unsigned int turn_of(const struct art_tree_inode *inode)
{
	if (S_ISDIR(inode->mode))
		return 0;
	return S_ISREG(inode->mode) && inode->size > EXT4_SMALL ? 2 : 1;
}

int ext4_write_all(struct ext4_build *b)
{
	unsigned int turn;
	size_t i;

	for (turn = 0; turn < 3; turn++)
		for (i = 0; i < b->count; i++) {
			int ret;

			if (turn_of(b->items[i].inode) != turn)
				continue;
			ret = write_item(b, &b->items[i]);
			if (ret != 0)
				return ret;
		}
	return 0;
}
