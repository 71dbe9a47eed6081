// SPDX-License-Identifier: Apache-2.0
/*
 * A new ext4 filesystem through libext2fs. Nothing in it comes from the clock or a random source: libext2fs 1.47.0 knows
 * no SOURCE_DATE_EPOCH, so fs->now and every field that it fills by itself are set here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libartifact/digest.h"
#include "libartifact/fs/build_internal.h"
#include "libartifact/fs/ext4_build.h"
#include "libartifact/util.h"

int ext4_build_fail(struct ext4_build *b, errcode_t code, const char *what)
{
	if (code == EXT2_ET_NO_MEMORY || code == ENOMEM)
		return art_fail_memory(b->err);
	if (code == EXT2_ET_BLOCK_ALLOC_FAIL || code == EXT2_ET_INODE_ALLOC_FAIL)
		return art_fail(b->err, ART_E_SPACE, "'%s' does not fit into %llu MiB", b->source,
				(unsigned long long)(b->size / ART_MIB));
	if (code == ENOSPC || code == EDQUOT || code == EIO) {
		errno = (int)code;
		return art_fail_errno(b->err, ART_E_IO, "%s of the new image", what);
	}
	if (code == EXT2_ET_EA_NO_SPACE)
		return art_fail(b->err, ART_E_FAILED, "extended attributes of one file exceed a block");
	return art_fail(b->err, ART_E_FAILED, "%s of the new image: %s", what, error_message(code));
}

static int create(struct ext4_build *b, io_channel *io)
{
	struct ext2_super_block param;
	char name[32];
	errcode_t code;
	int fd;

	memset(&param, 0, sizeof(param));
	param.s_rev_level = EXT2_DYNAMIC_REV;
	param.s_log_block_size = 2;
	param.s_log_cluster_size = 2;
	param.s_inode_size = 256;
	param.s_inodes_count = (uint32_t)b->inodes;
	param.s_log_groups_per_flex = 4;
	param.s_feature_compat = EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_RESIZE_INODE |
				 EXT2_FEATURE_COMPAT_DIR_INDEX;
	param.s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS |
				   EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG;
	param.s_feature_ro_compat =
		EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
		EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
		EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
	ext2fs_blocks_count_set(&param, b->size / EXT4_BLOCK);
	fd = dup(b->fd);
	if (fd < 0)
		return art_fail_errno(b->err, ART_E_IO, "cannot open the new image");
	snprintf(name, sizeof(name), "%d", fd);
	code = ext2fs_initialize(name, EXT2_FLAG_64BITS, &param, unixfd_io_manager, &b->fs);
	if (code != 0) {
		b->fs = NULL;
		close(fd);
		return ext4_build_fail(b, code, "making the filesystem");
	}
	*io = b->fs->io;
	io_channel_bumpcount(b->fs->io);
	return 0;
}

/* UUID and directory hash seed from the seed text. */
static int set_identity(struct ext4_build *b)
{
	const char *seed = b->opt->uuid_seed ? b->opt->uuid_seed : "";
	struct ext2_super_block *sb = b->fs->super;
	uint8_t hash[ART_SHA256_LEN];
	int ret = art_sha256(seed, strlen(seed), hash, b->err);

	if (ret != 0)
		return ret;
	hash[6] = (uint8_t)((hash[6] & 0x0f) | 0x80); /* RFC 9562: version 8, of one's own making */
	hash[8] = (uint8_t)((hash[8] & 0x3f) | 0x80);
	memcpy(sb->s_uuid, hash, 16);
	memcpy(sb->s_hash_seed, hash + 16, 16);
	return 0;
}

static int set_super(struct ext4_build *b)
{
	struct ext2_super_block *sb = b->fs->super;
	uint32_t now = (uint32_t)b->time;
	dgrp_t g;
	int ret;

	ret = set_identity(b);
	if (ret != 0)
		return ret;
	b->fs->now = (time_t)b->time;
	sb->s_mkfs_time = sb->s_wtime = sb->s_lastcheck = now;
	sb->s_mkfs_time_hi = sb->s_wtime_hi = sb->s_lastcheck_hi = 0;
	sb->s_kbytes_written = 0;
	sb->s_creator_os = EXT2_OS_LINUX;
	if (b->opt->label)
		memcpy(sb->s_volume_name, b->opt->label,
		       strnlen(b->opt->label, sizeof(sb->s_volume_name)));
	sb->s_checksum_type = EXT2_CRC32C_CHKSUM;
	sb->s_def_hash_version = EXT2_HASH_HALF_MD4;
	sb->s_flags = EXT2_FLAGS_SIGNED_HASH; /* not what `char` is on the build host */
	sb->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	sb->s_max_mnt_count = -1;
	sb->s_checkinterval = 0;
	sb->s_errors = EXT2_ERRORS_CONTINUE;
	ext2fs_r_blocks_count_set(sb, 0);
	ext2fs_init_csum_seed(b->fs);
	/* The image is a new file, so the inode tables are zero. */
	for (g = 0; g < b->fs->group_desc_count; g++)
		ext2fs_bg_flags_set(b->fs, g, EXT2_BG_INODE_ZEROED);
	return 0;
}

static int make_reserved(struct ext4_build *b)
{
	errcode_t code;
	ext2_ino_t ino;

	code = ext2fs_allocate_tables(b->fs);
	if (code != 0)
		return ext4_build_fail(b, code, "laying out");
	for (ino = 1; ino < EXT2_FIRST_INODE(b->fs->super); ino++)
		if (ino != EXT2_ROOT_INO)
			ext2fs_inode_alloc_stats2(b->fs, ino, +1, 0);
	code = ext2fs_create_resize_inode(b->fs);
	if (code == 0 && b->journal > 0)
		code = ext2fs_add_journal_inode(b->fs, b->journal,
						EXT2_MKJOURNAL_LAZYINIT | EXT2_MKJOURNAL_NO_MNT_CHECK);
	return code ? ext4_build_fail(b, code, "making the journal") : 0;
}

static int finish(struct ext4_build *b)
{
	errcode_t code;

	b->fs->super->s_state |= EXT2_VALID_FS;
	ext2fs_mark_super_dirty(b->fs);
	ext2fs_mark_bb_dirty(b->fs);
	ext2fs_mark_ib_dirty(b->fs);
	code = ext2fs_flush2(b->fs, EXT2_FLAG_FLUSH_NO_SYNC);
	return code ? ext4_build_fail(b, code, "finishing") : 0;
}

static int build(struct ext4_build *b)
{
	io_channel io;
	errcode_t code;
	int ret;

	if (ftruncate(b->fd, (off_t)b->size) != 0)
		return art_fail_errno(b->err, ART_E_IO, "cannot make an image of %llu bytes",
				      (unsigned long long)b->size);
	ret = create(b, &io);
	if (ret != 0)
		return ret;
	ret = set_super(b);
	if (ret == 0)
		ret = make_reserved(b);
	if (ret == 0)
		ret = ext4_write_all(b);
	if (ret == 0)
		ret = finish(b);
	ext2fs_free(b->fs);
	/* The channel still holds blocks; the result of writing them is what counts. */
	code = io_channel_close(io);
	if (ret == 0 && code != 0)
		ret = ext4_build_fail(b, code, "writing");
	return ret;
}

int art_build_ext4(int fd, uint64_t *size, struct art_tree *tree, const char *source,
		   const struct art_build_options *opt, struct art_err *err)
{
	struct ext4_build b = { .tree = tree, .opt = opt, .source = source, .fd = fd, .err = err };
	int ret;

	if (opt->size % EXT4_BLOCK != 0)
		return art_fail(err, ART_E_USAGE, "size %llu is not a multiple of %d bytes",
				(unsigned long long)opt->size, EXT4_BLOCK);
	initialize_ext2_error_table();
	/* libext2fs takes 0 for "ask the clock". */
	b.time = opt->time < 1 ? 1 : opt->time > UINT32_MAX ? UINT32_MAX : opt->time;
	b.buf = malloc(EXT4_BUFFER);
	if (!b.buf)
		return art_fail_memory(err);
	ret = ext4_plan(&b);
	if (ret == 0)
		ret = build(&b);
	free(b.items);
	free(b.buf);
	*size = b.size;
	return ret;
}
