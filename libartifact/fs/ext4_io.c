// SPDX-License-Identifier: Apache-2.0
/*
 * An I/O manager of libext2fs over a blob. Read-only: every writing call fails. The blob's own error (a chunk that
 * does not match its digest, say) is kept, because libext2fs would make a bare "short read" of it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/fs/ext4.h"
#include "libartifact/fs/internal.h"
#include "libartifact/util.h"

struct blob_io {
	struct art_blob *blob;
	struct art_err err; /* of the last read that failed; code 0: none */
};

/* libext2fs passes only a name through to open(); this is how the blob gets there. */
static _Thread_local struct art_blob *opening;
static _Thread_local struct art_err opening_err;

static struct struct_io_manager blob_manager;

static errcode_t blob_open(const char *name, int flags, io_channel *out)
{
	io_channel channel = calloc(1, sizeof(*channel));
	struct blob_io *io = calloc(1, sizeof(*io));

	(void)flags;
	if (channel)
		channel->name = strdup(name);
	if (!channel || !io || !channel->name) {
		if (channel)
			free(channel->name);
		free(channel);
		free(io);
		return EXT2_ET_NO_MEMORY;
	}
	io->blob = opening;
	channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	channel->manager = &blob_manager;
	channel->block_size = 1024;
	channel->refcount = 1;
	channel->private_data = io;
	*out = channel;
	return 0;
}

static errcode_t blob_close(io_channel channel)
{
	if (--channel->refcount > 0)
		return 0;
	free(channel->private_data);
	free(channel->name);
	free(channel);
	return 0;
}

static errcode_t blob_set_blksize(io_channel channel, int size)
{
	channel->block_size = size;
	return 0;
}

/* A negative count is a number of bytes. */
static errcode_t blob_read64(io_channel channel, unsigned long long block, int count,
			     void *data)
{
	struct blob_io *io = channel->private_data;
	uint64_t off, len;

	len = count < 0 ? (uint64_t)-(int64_t)count : (uint64_t)count;
	if (count >= 0)
		len *= (uint64_t)channel->block_size;
	if (__builtin_mul_overflow((uint64_t)block, (uint64_t)channel->block_size, &off) ||
	    off > io->blob->size || len > io->blob->size - off)
		return EXT2_ET_SHORT_READ;
	if (art_blob_read(io->blob, data, (size_t)len, off, &io->err) == 0)
		return 0;
	if (opening)
		opening_err = io->err; /* a failed open takes the channel with it */
	return EXT2_ET_SHORT_READ;
}

static errcode_t blob_read(io_channel channel, unsigned long block, int count, void *data)
{
	return blob_read64(channel, block, count, data);
}

static errcode_t blob_write64(io_channel channel, unsigned long long block, int count,
			      const void *data)
{
	(void)channel;
	(void)block;
	(void)count;
	(void)data;
	return EXT2_ET_RO_FILSYS;
}

static errcode_t blob_write(io_channel channel, unsigned long block, int count,
			    const void *data)
{
	return blob_write64(channel, block, count, data);
}

static errcode_t blob_flush(io_channel channel)
{
	(void)channel;
	return 0;
}

static struct struct_io_manager blob_manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "blob",
	.open = blob_open,
	.close = blob_close,
	.set_blksize = blob_set_blksize,
	.read_blk = blob_read,
	.write_blk = blob_write,
	.flush = blob_flush,
	.read_blk64 = blob_read64,
	.write_blk64 = blob_write64,
};

/* The superblock's promises that bound the memory which libext2fs takes. */
static int check_size(struct art_blob *blob, struct art_err *err)
{
	uint64_t size;
	int ret = art_fs_read_size(blob, "ext4", &size, err);

	/* Unreadable is not the same as no filesystem. */
	if (ret != 0)
		return ret;
	if (size == 0)
		return art_fail(err, ART_E_FAILED, "no ext4 filesystem in '%s'", blob->name);
	if (size > blob->size)
		return art_fail(err, ART_E_FAILED,
				"ext4 in '%s' is cut off: it wants %llu bytes of %llu", blob->name,
				(unsigned long long)size, (unsigned long long)blob->size);
	return 0;
}

/*
 * What libext2fs opens and should not. It copies the block bitmap to where its array would be if it began with block 0 or 1, so any other first
 * block is a write wherever the image wants it; and groups that share their tables would make a small image hold millions of inodes.
 */
static int check_groups(ext2_filsys fs, struct art_blob *blob, struct art_err *err)
{
	const char *fault = NULL;

	if (fs->super->s_first_data_block > 1)
		fault = "its first block cannot be";
	else if (EXT2_CLUSTERS_PER_GROUP(fs->super) % 8 != 0)
		fault = "the size of its groups cannot be";
	else if ((uint64_t)fs->group_desc_count * fs->inode_blocks_per_group > ext2fs_blocks_count(fs->super))
		fault = "more inodes than have room";
	return fault ? art_fail(err, ART_E_FAILED, "ext4 in '%s' is damaged: %s", blob->name, fault) : 0;
}

int art_ext4_open(ext2_filsys *out, struct art_blob *blob, struct art_err *err)
{
	const int flags = EXT2_FLAG_64BITS | EXT2_FLAG_SKIP_MMP;
	errcode_t code;
	int ret;

	*out = NULL;
	ret = check_size(blob, err);
	if (ret != 0)
		return ret;
	initialize_ext2_error_table();
	opening = blob;
	opening_err.code = 0;
	code = ext2fs_open2(blob->name, NULL, flags, 0, 0, &blob_manager, out);
	opening = NULL;
	if (code == 0) {
		ret = check_groups(*out, blob, err);
		if (ret != 0) {
			art_ext4_close(*out);
			*out = NULL;
		}
		return ret;
	}
	*out = NULL;
	if (opening_err.code == 0)
		return art_ext4_fail(NULL, code, err, "cannot open ext4 in '%s'", blob->name);
	if (err)
		*err = opening_err;
	return opening_err.code;
}

void art_ext4_close(ext2_filsys fs)
{
	if (fs)
		ext2fs_free(fs);
}

int art_ext4_fail(ext2_filsys fs, errcode_t code, struct art_err *err, const char *fmt, ...)
{
	struct blob_io *io = fs && fs->io ? fs->io->private_data : NULL;
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (io && fs->io->manager == &blob_manager && io->err.code != 0) {
		if (!err)
			return io->err.code;
		*err = io->err;
		return art_wrap(err, "%s", text);
	}
	if (code == EXT2_ET_NO_MEMORY || code == ENOMEM)
		return art_fail_memory(err);
	return art_fail(err, ART_E_FAILED, "%s: %s", text, error_message(code));
}

int art_ext4_check_inode(const struct ext2_inode *inode, ext2_ino_t ino, struct art_err *err)
{
	/* In the header of the tree. The kernel knows no deeper one; libext2fs makes room for all levels each time. */
	uint16_t depth = art_get16((const uint8_t *)inode->i_block + 6);

	if ((inode->i_flags & EXT4_EXTENTS_FL) && !(inode->i_flags & EXT4_INLINE_DATA_FL) && depth > 5)
		return art_fail(err, ART_E_FAILED, "inode %u is damaged: its tree is %u levels deep", ino, depth);
	return 0;
}

uint64_t art_ext4_limit(ext2_filsys fs)
{
	/* Android's images have the same block in several places. */
	return ext2fs_blocks_count(fs->super) * (ext2fs_has_feature_shared_blocks(fs->super) ? 16 : 1);
}

struct iteration {
	uint64_t *left;
	art_ext4_block_fn fn;
	void *ctx;
	const char *fault;
};

static int on_any_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t count, blk64_t ref, int ref_off,
			void *ctx)
{
	struct iteration *i = ctx;

	if (*i->left == 0)
		i->fault = "more blocks than the filesystem has";
	else if (*block >= ext2fs_blocks_count(fs->super))
		i->fault = "a block lies outside the filesystem";
	if (i->fault)
		return BLOCK_ABORT;
	--*i->left;
	return *block != 0 && i->fn ? i->fn(fs, block, count, ref, ref_off, i->ctx) : 0;
}

int art_ext4_iterate(ext2_filsys fs, ext2_ino_t ino, uint64_t *left, art_ext4_block_fn fn, void *ctx,
		     struct art_err *err)
{
	uint64_t of_this = art_ext4_limit(fs);
	struct iteration i = { left ? left : &of_this, fn, ctx, NULL };
	struct ext2_inode inode;
	errcode_t code = ext2fs_read_inode(fs, ino, &inode);
	int ret = code ? 0 : art_ext4_check_inode(&inode, ino, err);

	if (ret != 0)
		return ret;
	if (code == 0)
		code = ext2fs_block_iterate3(fs, ino, BLOCK_FLAG_READ_ONLY, NULL, on_any_block, &i);
	if (i.fault)
		return art_fail(err, ART_E_FAILED, "inode %u is damaged: %s", ino, i.fault);
	if (code != 0)
		return art_ext4_fail(fs, code, err, "reading the layout of inode %u", ino);
	return 0;
}
