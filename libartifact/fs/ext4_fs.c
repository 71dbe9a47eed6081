// SPDX-License-Identifier: Apache-2.0
/* Reading files out of an ext4 image. A node is an inode number. */
#include <stdlib.h>
#include <string.h>

#include "libartifact/fs/ext4.h"
#include "libartifact/fs/internal.h"
#include "libartifact/util.h"

#define PIECE ((size_t)256 * 1024)
#define FIRST_PIECE ((size_t)4096)

struct ext4_fs {
	struct art_fs base;
	ext2_filsys fs;
};

static struct ext4_fs *ext4(struct art_fs *fs)
{
	return (struct ext4_fs *)fs;
}

static int read_inode(struct art_fs *fs, uint64_t node, struct ext2_inode_large *inode,
		      struct art_err *err)
{
	errcode_t code;

	if (node == 0 || node > ext4(fs)->fs->super->s_inodes_count)
		return art_fail(err, ART_E_FAILED, "no inode %llu in '%s'",
				(unsigned long long)node, fs->name);
	code = ext2fs_read_inode_full(ext4(fs)->fs, (ext2_ino_t)node,
				      (struct ext2_inode *)inode, sizeof(*inode));
	if (code != 0)
		return art_ext4_fail(ext4(fs)->fs, code, err, "reading inode %llu",
				     (unsigned long long)node);
	return 0;
}

/* Seconds: 32 signed bits and, in large inodes, two more above them. */
static int64_t mtime_of(ext2_filsys fs, const struct ext2_inode_large *inode)
{
	int64_t t = (int32_t)inode->i_mtime;

	if (EXT2_INODE_SIZE(fs->super) > EXT2_GOOD_OLD_INODE_SIZE && inode->i_extra_isize >= 12)
		t += (int64_t)(inode->i_mtime_extra & 3) << 32;
	return t;
}

static bool is_type(mode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) ||
	       S_ISBLK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode);
}

static int ext4_stat(struct art_fs *fs, uint64_t node, struct art_fs_node *out,
		     struct art_err *err)
{
	struct ext2_inode_large inode;
	uint32_t old, new;
	int ret;

	ret = read_inode(fs, node, &inode, err);
	if (ret != 0)
		return ret;
	memset(out, 0, sizeof(*out));
	out->mode = inode.i_mode;
	out->uid = inode.i_uid | (uint32_t)inode.osd2.linux2.l_i_uid_high << 16;
	out->gid = inode.i_gid | (uint32_t)inode.osd2.linux2.l_i_gid_high << 16;
	out->size = EXT2_I_SIZE(&inode);
	out->mtime = mtime_of(ext4(fs)->fs, &inode);
	out->inode = node;
	out->links = inode.i_links_count;
	if (out->size > INT64_MAX || !is_type(out->mode))
		return art_fail(err, ART_E_FAILED, "inode %llu is damaged: its %s cannot be",
				(unsigned long long)node, is_type(out->mode) ? "size" : "type");
	if (!S_ISCHR(out->mode) && !S_ISBLK(out->mode))
		return 0;
	/* As the kernel: a short number in the first block pointer, else a long one in the second. */
	old = inode.i_block[0];
	new = inode.i_block[1];
	out->rdev_major = old ? old >> 8 & 0xff : new >> 8 & 0xfff;
	out->rdev_minor = old ? old & 0xff : (new & 0xff) | (new >> 12 & 0xfff00);
	return 0;
}

struct list_state {
	art_fs_name_fn fn;
	void *ctx;
	struct art_err *err;
	int ret;
};

static int on_entry(ext2_ino_t dir, int entry, struct ext2_dir_entry *de, int offset, int size,
		    char *buf, void *ctx)
{
	struct list_state *s = ctx;

	(void)dir;
	(void)entry;
	(void)offset;
	(void)size;
	(void)buf;
	s->ret = s->fn(s->ctx, de->name, (size_t)ext2fs_dirent_name_len(de), de->inode, s->err);
	return s->ret == 0 ? 0 : DIRENT_ABORT;
}

static int ext4_list(struct art_fs *fs, uint64_t node, art_fs_name_fn fn, void *ctx,
		     struct art_err *err)
{
	struct list_state s = { fn, ctx, err, 0 };
	struct ext2_inode_large inode;
	errcode_t code;
	int ret = read_inode(fs, node, &inode, err);

	/* The iteration over names cannot be ended where there is none, so it must be known beforehand that it ends. */
	if (ret == 0 && !(inode.i_flags & EXT4_INLINE_DATA_FL))
		ret = art_ext4_iterate(ext4(fs)->fs, (ext2_ino_t)node, NULL, NULL, NULL, err);
	if (ret != 0)
		return ret;
	code = ext2fs_dir_iterate2(ext4(fs)->fs, (ext2_ino_t)node, 0, NULL, on_entry, &s);
	if (s.ret == 0 && code != 0)
		return art_ext4_fail(ext4(fs)->fs, code, err, "reading directory inode %llu",
				     (unsigned long long)node);
	return s.ret;
}

static int read_pieces(struct art_fs *fs, ext2_file_t file, uint8_t *buf, art_fs_data_fn fn,
		       void *ctx, struct art_err *err)
{
	size_t piece = FIRST_PIECE;

	for (;;) {
		unsigned int got = 0;
		errcode_t code = ext2fs_file_read(file, buf, (unsigned int)piece, &got);
		int ret;

		if (code != 0)
			return art_ext4_fail(ext4(fs)->fs, code, err, "reading inode %u",
					     ext2fs_file_get_inode_num(file));
		if (got == 0)
			return 0;
		ret = fn(ctx, buf, got, err);
		if (ret != 0)
			return ret;
		piece = PIECE;
	}
}

/* LEN bytes, and zeros after them up to SIZE. */
static int give_padded(const uint8_t *bytes, size_t len, uint64_t size, art_fs_data_fn fn, void *ctx,
		       struct art_err *err)
{
	cleanup_free uint8_t *buf = malloc(PIECE);
	size_t piece = FIRST_PIECE;
	uint64_t at;
	int ret = 0;

	if (!buf)
		return art_fail_memory(err);
	for (at = 0; ret == 0 && at < size; at += piece, piece = PIECE) {
		size_t there = at < len ? len - (size_t)at : 0;

		if (piece > size - at)
			piece = (size_t)(size - at);
		if (there > piece)
			there = piece;
		if (there > 0)
			memcpy(buf, bytes + at, there);
		memset(buf + there, 0, piece - there);
		ret = fn(ctx, buf, piece, err);
	}
	return ret;
}

/*
 * Contents in the inode and its attributes; what a file has beyond them is a hole, which mke2fs -d makes. Not by ext2fs_file_read, which gives more
 * or less than the file's size, and has room for three blocks where an attribute in an inode of its own may be larger.
 */
static int read_inline(struct art_fs *fs, uint64_t node, struct ext2_inode_large *inode,
		       art_fs_data_fn fn, void *ctx, struct art_err *err)
{
	ext2_filsys e2 = ext4(fs)->fs;
	cleanup_free uint8_t *buf = NULL;
	size_t room = 0;
	errcode_t code = ext2fs_inline_data_size(e2, (ext2_ino_t)node, &room);

	if (code == 0) {
		buf = malloc(room);
		if (!buf)
			return art_fail_memory(err);
		code = ext2fs_inline_data_get(e2, (ext2_ino_t)node, (struct ext2_inode *)inode, buf, &room);
	}
	if (code != 0)
		return art_ext4_fail(e2, code, err, "reading inode %llu", (unsigned long long)node);
	return give_padded(buf, room, EXT2_I_SIZE(inode), fn, ctx, err);
}

static int ext4_read(struct art_fs *fs, uint64_t node, art_fs_data_fn fn, void *ctx,
		     struct art_err *err)
{
	cleanup_free uint8_t *buf = NULL;
	struct ext2_inode_large inode;
	ext2_file_t file;
	errcode_t code;
	int ret = read_inode(fs, node, &inode, err);

	if (ret == 0)
		ret = art_ext4_check_inode((struct ext2_inode *)&inode, (ext2_ino_t)node, err);
	if (ret != 0)
		return ret;
	if (inode.i_flags & EXT4_INLINE_DATA_FL)
		return read_inline(fs, node, &inode, fn, ctx, err);
	buf = malloc(PIECE);
	if (!buf)
		return art_fail_memory(err);
	code = ext2fs_file_open(ext4(fs)->fs, (ext2_ino_t)node, 0, &file);
	if (code != 0)
		return art_ext4_fail(ext4(fs)->fs, code, err, "reading inode %llu",
				     (unsigned long long)node);
	ret = read_pieces(fs, file, buf, fn, ctx, err);
	ext2fs_file_close(file);
	return ret;
}

struct extents_state {
	struct art_fs *fs;
	uint64_t node, size;
	struct ext2_inode_large inode;
	struct art_fs_extent e;
	art_fs_extent_fn fn;
	void *ctx;
	int ret;
	struct art_err *err;
};

/* Allocated and never written blocks are zeros, whatever lies there. In a damaged tree reading may find another block. */
static int is_written(struct extents_state *s, e2_blkcnt_t number, blk64_t want)
{
	ext2_filsys e2 = ext4(s->fs)->fs;
	int flags = 0;
	blk64_t block = 0;
	errcode_t code = ext2fs_bmap2(e2, (ext2_ino_t)s->node, (struct ext2_inode *)&s->inode, NULL,
				      0, (blk64_t)number, &flags, &block);

	if (code != 0)
		return art_ext4_fail(e2, code, s->err, "reading the layout of inode %llu",
				     (unsigned long long)s->node);
	return (flags & BMAP_RET_UNINIT) || block != want ? ART_FS_UNKNOWN : 0;
}

/* Called for the blocks that the file has, in order unless it is damaged; not for holes, of which a file may have terabytes. */
static int on_extent_block(ext2_filsys e2, blk64_t *block, e2_blkcnt_t number, blk64_t ref_block,
			   int ref_offset, void *ctx)
{
	struct extents_state *s = ctx;
	uint64_t unit = e2->blocksize, at = (uint64_t)number * unit, n;

	(void)ref_block;
	(void)ref_offset;
	if (number < 0 || at >= s->size)
		return 0;
	s->ret = s->e.len > 0 && at < s->e.key + s->e.len ? ART_FS_UNKNOWN
							  : is_written(s, number, *block);
	if (s->ret != 0)
		return BLOCK_ABORT;
	n = s->size - at < unit ? s->size - at : unit;
	if (s->e.len > 0 && s->e.offset + s->e.len == *block * unit && s->e.key + s->e.len == at) {
		s->e.len += n;
		return 0;
	}
	if (s->e.len > 0)
		s->ret = s->fn(s->ctx, &s->e, s->err);
	s->e.offset = *block * unit;
	s->e.len = n;
	s->e.key = at;
	return s->ret == 0 ? 0 : BLOCK_ABORT;
}

/* Runs of blocks; the key is where in the file a run begins. */
static int ext4_extents(struct art_fs *fs, uint64_t node, art_fs_extent_fn fn, void *ctx,
			struct art_err *err)
{
	struct extents_state s = { .fs = fs, .node = node, .e = { .plain = true }, .fn = fn,
				   .ctx = ctx, .err = err };
	ext2_filsys e2 = ext4(fs)->fs;
	int ret = read_inode(fs, node, &s.inode, err);

	if (ret != 0)
		return ret;
	if (!ext2fs_inode_has_valid_blocks2(e2, (struct ext2_inode *)&s.inode))
		return ART_FS_UNKNOWN;
	s.size = EXT2_I_SIZE(&s.inode);
	ret = art_ext4_iterate(e2, (ext2_ino_t)node, NULL, on_extent_block, &s, err);
	if (s.ret != 0 || ret != 0)
		return s.ret != 0 ? s.ret : ret;
	return s.e.len > 0 ? fn(ctx, &s.e, err) : 0;
}

struct target_state {
	char *text;
	size_t used, size;
};

static int on_target(void *ctx, const void *bytes, size_t len, struct art_err *err)
{
	struct target_state *s = ctx;

	if (len > s->size - s->used)
		return art_fail(err, ART_E_FAILED, "a symbolic link is longer than its size");
	memcpy(s->text + s->used, bytes, len);
	s->used += len;
	return 0;
}

static int ext4_target(struct art_fs *fs, uint64_t node, size_t size, char **out,
		       struct art_err *err)
{
	struct ext2_inode_large inode;
	cleanup_free char *text = calloc(1, size + 1);
	struct target_state s = { text, 0, size };
	int ret;

	if (!text)
		return art_fail_memory(err);
	ret = read_inode(fs, node, &inode, err);
	if (ret != 0)
		return ret;
	if (ext2fs_is_fast_symlink((struct ext2_inode *)&inode)) {
		if (size > sizeof(inode.i_block))
			return art_fail(err, ART_E_FAILED, "a symbolic link is longer than its inode");
		memcpy(text, inode.i_block, size);
	} else {
		ret = ext4_read(fs, node, on_target, &s, err);
		if (ret != 0)
			return ret;
		if (s.used != size)
			return art_fail(err, ART_E_FAILED, "a symbolic link is shorter than its size");
	}
	*out = steal_ptr(text);
	return 0;
}

/*
 * Only users and groups have a number on disk; the others get the kernel's -1. Not by ext2fs_xattr_get, which goes on reading when a list is cut
 * short. OUT has room for twice its length. 0: not a list.
 */
static size_t acl_parse(const uint8_t *disk, size_t len, uint8_t *out)
{
	size_t at = 4, used = 4;

	if (len < 4 || art_get32(disk) != 1)
		return 0;
	art_put32(out, 2);
	while (at < len) {
		uint16_t tag = len - at < 4 ? 0 : art_get16(disk + at);
		bool numbered = tag == 0x02 || tag == 0x08;

		if (tag == 0 || tag > 0x20 || (tag & (tag - 1)) || (numbered && len - at < 8))
			return 0;
		memcpy(out + used, disk + at, 4);
		art_put32(out + used + 4, numbered ? art_get32(disk + at + 4) : UINT32_MAX);
		at += numbered ? 8 : 4;
		used += 8;
	}
	return used;
}

struct xattr_state {
	art_fs_xattr_fn fn;
	void *ctx;
	errcode_t code;
	int ret;
};

static int on_xattr(char *name, char *value, size_t len, void *ctx)
{
	struct xattr_state *s = ctx;
	cleanup_free uint8_t *acl = NULL;

	if (strcmp(name, "system.data") == 0) /* inline file data, not an attribute */
		return 0;
	if (strcmp(name, "system.posix_acl_access") != 0 && strcmp(name, "system.posix_acl_default") != 0) {
		s->ret = s->fn(s->ctx, name, value, len);
	} else {
		acl = malloc(2 * len + 1);
		len = acl ? acl_parse((const uint8_t *)value, len, acl) : 0;
		if (len > 0)
			s->ret = s->fn(s->ctx, name, acl, len);
		else
			s->code = acl ? EXT2_ET_EA_BAD_VALUE_SIZE : EXT2_ET_NO_MEMORY;
	}
	return s->ret == 0 && s->code == 0 ? 0 : XATTR_ABORT;
}

static int ext4_xattrs(struct art_fs *fs, uint64_t node, art_fs_xattr_fn fn, void *ctx,
		       struct art_err *err)
{
	struct xattr_state s = { fn, ctx, 0, 0 };
	struct ext2_xattr_handle *handle;
	errcode_t code;

	code = ext2fs_xattrs_open(ext4(fs)->fs, (ext2_ino_t)node, &handle);
	if (code == 0) {
		code = ext2fs_xattrs_read(handle);
		if (code == 0)
			code = ext2fs_xattrs_iterate(handle, on_xattr, &s);
		ext2fs_xattrs_close(&handle);
	}
	if (code == 0)
		code = s.code;
	if (s.ret == 0 && code != 0)
		return art_ext4_fail(ext4(fs)->fs, code, err, "reading attributes of inode %llu",
				     (unsigned long long)node);
	return s.ret;
}

static void ext4_close(struct art_fs *fs)
{
	art_ext4_close(ext4(fs)->fs);
	free(fs);
}

static const struct art_fs_ops ext4_ops = {
	.stat = ext4_stat,
	.list = ext4_list,
	.read = ext4_read,
	.extents = ext4_extents,
	.target = ext4_target,
	.xattrs = ext4_xattrs,
	.close = ext4_close,
};

int art_ext4_fs_open(struct art_fs **out, struct art_blob *blob, struct art_err *err)
{
	struct ext4_fs *fs = calloc(1, sizeof(*fs));
	int ret;

	if (!fs)
		return art_fail_memory(err);
	ret = art_ext4_open(&fs->fs, blob, err);
	if (ret != 0) {
		free(fs);
		return ret;
	}
	fs->base.ops = &ext4_ops;
	fs->base.name = blob->name;
	fs->base.root = EXT2_ROOT_INO;
	*out = &fs->base;
	return 0;
}
