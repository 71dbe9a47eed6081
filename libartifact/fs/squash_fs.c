// SPDX-License-Identifier: Apache-2.0
/* Reading files out of a squashfs image. A node is an inode reference. */
#include <stdlib.h>
#include <string.h>

#include "libartifact/fs/internal.h"
#include "libartifact/fs/squash.h"
#include "libartifact/util.h"

#define FIRST_PIECE ((size_t)4096)

struct squash_fs {
	struct art_fs base;
	struct squash *sq;
	uint8_t *block;    /* block size bytes */
	uint8_t *fragment; /* the fragment read last: small files share them */
	size_t fragment_len;
	uint32_t fragment_index;
};

static struct squash_fs *squash(struct art_fs *fs)
{
	return (struct squash_fs *)fs;
}

static int squash_stat(struct art_fs *fs, uint64_t node, struct art_fs_node *out,
		       struct art_err *err)
{
	static const mode_t types[] = { 0, S_IFDIR, S_IFREG, S_IFLNK, S_IFBLK, S_IFCHR, S_IFIFO,
					S_IFSOCK };
	struct squash *sq = squash(fs)->sq;
	struct squash_inode i;
	int ret;

	ret = squash_inode(sq, node, &i, err);
	if (ret != 0)
		return ret;
	memset(out, 0, sizeof(*out));
	ret = squash_id(sq, i.uid_index, &out->uid, err);
	if (ret == 0)
		ret = squash_id(sq, i.gid_index, &out->gid, err);
	out->mode = types[i.type] | (i.mode & 07777);
	out->size = i.size;
	out->mtime = i.mtime;
	out->inode = i.number;
	out->links = i.links;
	if (i.type == SQUASH_BLOCK || i.type == SQUASH_CHAR) {
		out->rdev_major = i.device >> 8 & 0xfff;
		out->rdev_minor = (i.device & 0xff) | (i.device >> 12 & 0xfff00);
	}
	return ret;
}

static int list_run(struct squash *sq, struct squash_cursor *at, uint64_t *left,
		    art_fs_name_fn fn, void *ctx, struct art_err *err)
{
	uint8_t head[12], b[8];
	char name[256];
	uint32_t count;
	int ret;

	if (*left < 12)
		return art_fail(err, ART_E_FAILED, "a directory is cut off");
	ret = squash_meta(sq, at, head, 12, err);
	*left -= 12;
	if (ret == 0 && art_get32(head) > 255)
		return art_fail(err, ART_E_FAILED, "a directory is damaged");
	for (count = ret == 0 ? art_get32(head) + 1 : 0; ret == 0 && count > 0; count--) {
		uint64_t node;
		size_t len;

		ret = squash_meta(sq, at, b, 8, err);
		if (ret != 0)
			break;
		len = (size_t)art_get16(b + 6) + 1;
		if (len > sizeof(name) || *left < 8 + len)
			return art_fail(err, ART_E_FAILED, "a directory is damaged");
		*left -= 8 + len;
		ret = squash_meta(sq, at, name, len, err);
		node = (uint64_t)art_get32(head + 4) << 16 | art_get16(b);
		if (ret == 0)
			ret = fn(ctx, name, len, node, err);
	}
	return ret;
}

static int squash_list(struct art_fs *fs, uint64_t node, art_fs_name_fn fn, void *ctx,
		       struct art_err *err)
{
	struct squash *sq = squash(fs)->sq;
	struct squash_cursor at;
	struct squash_inode i;
	uint64_t left;
	int ret;

	ret = squash_inode(sq, node, &i, err);
	if (ret == 0 && i.type != SQUASH_DIR)
		ret = art_fail(err, ART_E_FAILED, "an inode is not a directory");
	if (ret != 0)
		return ret;
	at = squash_listing(sq, &i);
	left = i.size > 3 ? i.size - 3 : 0; /* '.' and '..' are counted and not there */
	while (ret == 0 && left > 0)
		ret = list_run(sq, &at, &left, fn, ctx, err);
	return ret;
}

/* Hand out a block; the first one of a file with a small piece first. */
static int hand_out(const uint8_t *bytes, size_t len, bool first, art_fs_data_fn fn, void *ctx,
		    struct art_err *err)
{
	size_t piece = first && len > FIRST_PIECE ? FIRST_PIECE : 0;
	int ret = piece > 0 ? fn(ctx, bytes, piece, err) : 0;

	return ret == 0 && len > piece ? fn(ctx, bytes + piece, len - piece, err) : ret;
}

static int read_tail(struct squash_fs *s, const struct squash_inode *i, size_t len, bool first,
		     art_fs_data_fn fn, void *ctx, struct art_err *err)
{
	int ret = 0;

	if (s->fragment_index != i->fragment) {
		struct squash_fragment f;

		s->fragment_index = SQUASH_NONE;
		ret = squash_fragment(s->sq, i->fragment, &f, err);
		if (ret == 0)
			ret = squash_data(s->sq, f.start, f.size, s->fragment, &s->fragment_len, err);
		if (ret != 0)
			return ret;
		s->fragment_index = i->fragment;
	}
	if (i->offset > s->fragment_len || len > s->fragment_len - i->offset)
		return art_fail(err, ART_E_FAILED, "a file ends outside its fragment");
	return hand_out(s->fragment + i->offset, len, first, fn, ctx, err);
}

static int read_block(struct squash_fs *s, uint64_t start, uint32_t size, size_t want,
		      struct art_err *err)
{
	size_t len = want;
	int ret = 0;

	if ((size & (SQUASH_PLAIN - 1)) == 0)
		memset(s->block, 0, want);
	else
		ret = squash_data(s->sq, start, size, s->block, &len, err);
	if (ret == 0 && len != want)
		ret = art_fail(err, ART_E_FAILED, "a data block has the wrong length");
	return ret;
}

static int squash_read(struct art_fs *fs, uint64_t node, art_fs_data_fn fn, void *ctx,
		       struct art_err *err)
{
	struct squash_fs *s = squash(fs);
	uint32_t block_size = squash_block_size(s->sq);
	struct squash_inode i;
	uint64_t blocks, n, start, left;
	int ret;

	ret = squash_inode(s->sq, node, &i, err);
	if (ret == 0 && i.type != SQUASH_REG)
		ret = art_fail(err, ART_E_FAILED, "an inode is not a file");
	if (ret != 0)
		return ret;
	blocks = squash_block_count(s->sq, &i);
	start = i.start;
	left = i.size;
	for (n = 0; n < blocks; n++) {
		size_t want = left < block_size ? (size_t)left : block_size;
		uint8_t b[4];

		ret = squash_meta(s->sq, &i.rest, b, 4, err);
		if (ret == 0)
			ret = read_block(s, start, art_get32(b), want, err);
		if (ret == 0)
			ret = hand_out(s->block, want, n == 0, fn, ctx, err);
		if (ret != 0)
			return ret;
		start += art_get32(b) & (SQUASH_PLAIN - 1);
		left -= want;
	}
	return left > 0 ? read_tail(s, &i, (size_t)left, blocks == 0, fn, ctx, err) : 0;
}

static int give_extent(uint64_t offset, uint64_t len, uint64_t key, art_fs_extent_fn fn, void *ctx,
		       struct art_err *err)
{
	struct art_fs_extent e = { .offset = offset, .len = len, .key = key };

	return fn(ctx, &e, err);
}

static int tail_extent(struct squash_fs *s, const struct squash_inode *i, art_fs_extent_fn fn, void *ctx,
		       struct art_err *err)
{
	struct squash_fragment f;
	int ret = squash_fragment(s->sq, i->fragment, &f, err);

	return ret ? ret :
		     give_extent(f.start, f.size & (SQUASH_PLAIN - 1), (uint64_t)i->offset << 32 | f.size, fn,
				 ctx, err);
}

/* Packed blocks: what their bytes mean depends on compressor and block size too. */
static int squash_extents(struct art_fs *fs, uint64_t node, art_fs_extent_fn fn, void *ctx,
			  struct art_err *err)
{
	struct squash_fs *s = squash(fs);
	uint32_t block_size = squash_block_size(s->sq);
	struct squash_inode i;
	uint64_t n, blocks, start;
	int ret = squash_inode(s->sq, node, &i, err);

	if (ret != 0)
		return ret;
	blocks = squash_block_count(s->sq, &i);
	start = i.start;
	ret = give_extent(0, 0, (uint64_t)squash_method(s->sq) << 32 | block_size, fn, ctx, err);
	for (n = 0; ret == 0 && n < blocks; n++) {
		uint8_t b[4];
		uint32_t len;

		ret = squash_meta(s->sq, &i.rest, b, 4, err);
		len = ret == 0 ? art_get32(b) & (SQUASH_PLAIN - 1) : 0;
		if (ret == 0)
			ret = give_extent(start, len, art_get32(b), fn, ctx, err);
		start += len;
	}
	if (ret == 0 && i.fragment != SQUASH_NONE && i.size > blocks * block_size)
		ret = tail_extent(s, &i, fn, ctx, err);
	return ret;
}

static int squash_target(struct art_fs *fs, uint64_t node, size_t size, char **out,
			 struct art_err *err)
{
	cleanup_free char *text = calloc(1, size + 1);
	struct squash_inode i;
	int ret;

	if (!text)
		return art_fail_memory(err);
	ret = squash_inode(squash(fs)->sq, node, &i, err);
	if (ret == 0 && (i.type != SQUASH_LINK || i.size != size))
		ret = art_fail(err, ART_E_FAILED, "an inode is not a symbolic link");
	if (ret == 0)
		ret = squash_meta(squash(fs)->sq, &i.rest, text, size, err);
	if (ret == 0)
		*out = steal_ptr(text);
	return ret;
}

static int one_xattr(struct squash *sq, struct squash_cursor *at, art_fs_xattr_fn fn, void *ctx,
		     struct art_err *err)
{
	static const char *const prefixes[] = { "user.", "trusted.", "security." };
	cleanup_free uint8_t *value = NULL;
	struct squash_cursor there, *from = at;
	uint8_t b[8];
	char name[16 + 256];
	unsigned int type;
	size_t len, prefix;
	int ret = squash_meta(sq, at, b, 4, err);

	if (ret != 0)
		return ret;
	type = art_get16(b);
	len = art_get16(b + 2);
	if ((type & 0xff) >= ART_ARRAY_SIZE(prefixes) || len > 255)
		return art_fail(err, ART_E_FAILED, "an attribute of an unknown kind");
	prefix = (size_t)(stpcpy(name, prefixes[type & 0xff]) - name);
	ret = squash_meta(sq, at, name + prefix, len, err);
	name[prefix + len] = '\0';
	if (ret == 0)
		ret = squash_meta(sq, at, b, 4, err);
	if (ret == 0 && (type & 0x100)) { /* the value lies elsewhere; here is a reference */
		ret = squash_meta(sq, at, b, 8, err);
		if (ret == 0)
			ret = squash_xattr_at(sq, art_get64(b), &there, err);
		from = &there;
		if (ret == 0)
			ret = squash_meta(sq, from, b, 4, err);
	}
	if (ret != 0)
		return ret;
	len = art_get32(b);
	if (len > 65536)
		return art_fail(err, ART_E_FAILED, "an attribute is too long");
	value = malloc(len + 1);
	if (!value)
		return art_fail_memory(err);
	ret = squash_meta(sq, from, value, len, err);
	return ret ? ret : fn(ctx, name, value, len);
}

static int squash_fs_xattrs(struct art_fs *fs, uint64_t node, art_fs_xattr_fn fn, void *ctx,
			    struct art_err *err)
{
	struct squash *sq = squash(fs)->sq;
	struct squash_cursor at = { 0, 0 };
	struct squash_inode i;
	uint32_t count = 0;
	int ret;

	ret = squash_inode(sq, node, &i, err);
	if (ret == 0)
		ret = squash_xattrs(sq, i.xattr, &at, &count, err);
	for (; ret == 0 && count > 0; count--)
		ret = one_xattr(sq, &at, fn, ctx, err);
	return ret;
}

static void squash_fs_close(struct art_fs *fs)
{
	squash_close(squash(fs)->sq);
	free(squash(fs)->block);
	free(squash(fs)->fragment);
	free(fs);
}

static const struct art_fs_ops squash_ops = {
	.stat = squash_stat,
	.list = squash_list,
	.read = squash_read,
	.extents = squash_extents,
	.target = squash_target,
	.xattrs = squash_fs_xattrs,
	.close = squash_fs_close,
};

int art_squash_fs_open(struct art_fs **out, struct art_blob *blob, struct art_err *err)
{
	struct squash_fs *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return art_fail_memory(err);
	ret = squash_open(&s->sq, blob, err);
	if (ret == 0) {
		s->block = malloc(squash_block_size(s->sq));
		s->fragment = malloc(squash_block_size(s->sq));
		if (!s->block || !s->fragment)
			ret = art_fail_memory(err);
	}
	s->fragment_index = SQUASH_NONE;
	s->base.ops = &squash_ops;
	s->base.name = blob->name;
	if (ret != 0) {
		squash_fs_close(&s->base);
		return ret;
	}
	s->base.root = squash_root(s->sq);
	*out = &s->base;
	return 0;
}
