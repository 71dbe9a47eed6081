// SPDX-License-Identifier: Apache-2.0
/* The structures of squashfs 4.0: little-endian, packed, metadata in compressed blocks of 8 KiB. */
#include <stdlib.h>
#include <string.h>

#include "libartifact/fs/squash.h"
#include "libartifact/fs/squash_unpack.h"
#include "libartifact/util.h"

#define SUPER_LEN 96
#define CACHE 64
#define MAX_BLOCK (1024 * 1024)

struct cached {
	uint64_t block; /* 0: empty; the superblock is at 0 */
	uint64_t next;
	uint32_t len;
	uint8_t bytes[SQUASH_META];
};

struct squash {
	struct art_blob *blob;
	uint64_t used, root;
	uint64_t id_table, xattr_table, inode_table, directory_table, fragment_table;
	uint64_t xattr_start; /* of the attributes themselves; 0: not looked up */
	uint32_t inodes, block_size, fragments, xattr_ids;
	uint16_t method, ids, flags;
	uint8_t *packed; /* MAX_BLOCK bytes */
	struct cached cache[CACHE];
};

static int bad(const struct squash *sq, struct art_err *err, const char *what)
{
	return art_fail(err, ART_E_FAILED, "squashfs in '%s' is damaged: %s", sq->blob->name, what);
}

static int parse_super(struct squash *sq, const uint8_t *b, struct art_err *err)
{
	if (art_get32(b) != 0x73717368 || art_get16(b + 28) != 4 || art_get16(b + 30) != 0)
		return art_fail(err, ART_E_FAILED, "no squashfs 4.0 in '%s'", sq->blob->name);
	sq->inodes = art_get32(b + 4);
	sq->block_size = art_get32(b + 12);
	sq->fragments = art_get32(b + 16);
	sq->method = art_get16(b + 20);
	sq->flags = art_get16(b + 24);
	sq->ids = art_get16(b + 26);
	sq->root = art_get64(b + 32);
	sq->used = art_get64(b + 40);
	sq->id_table = art_get64(b + 48);
	sq->xattr_table = art_get64(b + 56);
	sq->inode_table = art_get64(b + 64);
	sq->directory_table = art_get64(b + 72);
	sq->fragment_table = art_get64(b + 80);
	if (sq->block_size < 4096 || sq->block_size > MAX_BLOCK ||
	    (sq->block_size & (sq->block_size - 1)) != 0)
		return bad(sq, err, "block size");
	if (sq->used < SUPER_LEN || sq->used > sq->blob->size)
		return bad(sq, err, "it is cut off");
	return squash_can_unpack(sq->method, err);
}

int squash_open(struct squash **out, struct art_blob *blob, struct art_err *err)
{
	struct squash *sq = calloc(1, sizeof(*sq));
	uint8_t super[SUPER_LEN];
	int ret;

	*out = NULL;
	if (!sq)
		return art_fail_memory(err);
	sq->blob = blob;
	sq->packed = malloc(MAX_BLOCK);
	if (!sq->packed)
		ret = art_fail_memory(err);
	else if (blob->size < SUPER_LEN)
		ret = art_fail(err, ART_E_FAILED, "no squashfs in '%s'", blob->name);
	else
		ret = art_blob_read(blob, super, sizeof(super), 0, err);
	if (ret == 0)
		ret = parse_super(sq, super, err);
	if (ret != 0) {
		squash_close(sq);
		return ret;
	}
	*out = sq;
	return 0;
}

void squash_close(struct squash *sq)
{
	if (sq)
		free(sq->packed);
	free(sq);
}

uint16_t squash_method(const struct squash *sq)
{
	return sq->method;
}

uint32_t squash_block_size(const struct squash *sq)
{
	return sq->block_size;
}

uint32_t squash_inode_count(const struct squash *sq)
{
	return sq->inodes;
}

uint32_t squash_fragment_count(const struct squash *sq)
{
	return sq->fragments;
}

uint64_t squash_root(const struct squash *sq)
{
	return sq->root;
}

uint64_t squash_used(const struct squash *sq)
{
	return sq->used;
}

static int read_bytes(struct squash *sq, void *buf, size_t len, uint64_t off, struct art_err *err)
{
	if (off > sq->used || len > sq->used - off)
		return bad(sq, err, "something lies outside");
	return art_blob_read(sq->blob, buf, len, off, err);
}

#define METHOD_ZSTD 6
#define FLAG_OPTIONS 0x400 /* a metadata block follows the superblock: what the compressor was told */
#define LEVEL_DEFAULT 15
#define LEVEL_MAX 22

int squash_zstd_level(struct squash *sq, int *level, struct art_err *err)
{
	uint8_t options[6]; /* the block's head, and the level */
	int ret;

	*level = sq->method == METHOD_ZSTD ? LEVEL_DEFAULT : 0;
	if (*level == 0 || !(sq->flags & FLAG_OPTIONS))
		return 0;
	ret = read_bytes(sq, options, sizeof(options), SUPER_LEN, err);
	if (ret == 0 && (art_get16(options) != (0x8000 | 4) || art_get32(options + 2) < 1 ||
			 art_get32(options + 2) > LEVEL_MAX))
		return bad(sq, err, "the compressor's options");
	*level = (int)art_get32(options + 2);
	return ret;
}

static int load(struct squash *sq, uint64_t block, struct cached **out, struct art_err *err)
{
	struct cached *c = &sq->cache[(block >> 5 ^ block) % CACHE];
	uint8_t head[2];
	size_t len;
	int ret;

	*out = c;
	if (c->block == block && block != 0)
		return 0;
	c->block = 0;
	ret = read_bytes(sq, head, 2, block, err);
	if (ret != 0)
		return ret;
	len = art_get16(head) & 0x7fff;
	if (len == 0 || len > SQUASH_META)
		return bad(sq, err, "size of a metadata block");
	c->next = block + 2 + len;
	c->len = (uint32_t)len;
	if (art_get16(head) & 0x8000) {
		ret = read_bytes(sq, c->bytes, len, block + 2, err);
	} else {
		size_t plain = SQUASH_META;

		ret = read_bytes(sq, sq->packed, len, block + 2, err);
		if (ret == 0)
			ret = squash_unpack(sq->method, sq->packed, len, c->bytes, &plain, err);
		c->len = (uint32_t)plain;
	}
	if (ret == 0)
		c->block = block;
	return ret;
}

int squash_meta(struct squash *sq, struct squash_cursor *at, void *buf, size_t len,
		struct art_err *err)
{
	uint8_t *out = buf;

	while (len > 0) {
		struct cached *c;
		size_t n;
		int ret = load(sq, at->block, &c, err);

		if (ret != 0)
			return ret;
		if (at->offset > c->len || (at->offset == c->len && c->len < SQUASH_META))
			return bad(sq, err, "a reference behind its block");
		n = c->len - at->offset;
		if (n > len)
			n = len;
		if (out) {
			memcpy(out, c->bytes + at->offset, n);
			out += n;
		}
		len -= n;
		at->offset += (uint32_t)n;
		if (at->offset == c->len && c->len == SQUASH_META) {
			at->block = c->next;
			at->offset = 0;
		}
	}
	return 0;
}

static uint64_t block_count(const struct squash *sq, uint64_t size, uint32_t fragment)
{
	return size / sq->block_size +
	       (fragment == SQUASH_NONE && size % sq->block_size != 0);
}

uint64_t squash_block_count(const struct squash *sq, const struct squash_inode *inode)
{
	return block_count(sq, inode->size, inode->fragment);
}

static int read_dir(struct squash *sq, struct squash_cursor *at, struct squash_inode *i,
		    bool is_long, struct art_err *err)
{
	uint8_t b[24];
	uint32_t indexes;
	int ret = squash_meta(sq, at, b, is_long ? 24 : 16, err);

	if (ret != 0)
		return ret;
	if (!is_long) {
		i->start = art_get32(b);
		i->links = art_get32(b + 4);
		i->size = art_get16(b + 8);
		i->offset = art_get16(b + 10);
		return 0;
	}
	i->links = art_get32(b);
	i->size = art_get32(b + 4);
	i->start = art_get32(b + 8);
	i->offset = art_get16(b + 18);
	i->xattr = art_get32(b + 20);
	for (indexes = art_get16(b + 16); ret == 0 && indexes > 0; indexes--) {
		ret = squash_meta(sq, at, b, 12, err);
		if (ret == 0 && art_get32(b + 8) > 255)
			ret = bad(sq, err, "a directory index");
		if (ret == 0)
			ret = squash_meta(sq, at, NULL, art_get32(b + 8) + 1, err);
	}
	return ret;
}

static int read_reg(struct squash *sq, struct squash_cursor *at, struct squash_inode *i,
		    bool is_long, struct art_err *err)
{
	uint8_t b[40];
	int ret = squash_meta(sq, at, b, is_long ? 40 : 16, err);

	if (ret != 0)
		return ret;
	if (is_long) {
		i->start = art_get64(b);
		i->size = art_get64(b + 8);
		i->links = art_get32(b + 24);
		i->fragment = art_get32(b + 28);
		i->offset = art_get32(b + 32);
		i->xattr = art_get32(b + 36);
	} else {
		i->start = art_get32(b);
		i->fragment = art_get32(b + 4);
		i->offset = art_get32(b + 8);
		i->size = art_get32(b + 12);
		i->links = 1;
	}
	i->rest = *at;
	/* The list of sizes is part of the inode: nothing has more blocks than the image has bytes, so skipping
	 * ends with an error at the end of the image at the latest. */
	if (block_count(sq, i->size, i->fragment) > sq->used * 2 + (1u << 24))
		return bad(sq, err, "the size of a file");
	return squash_meta(sq, at, NULL, (size_t)block_count(sq, i->size, i->fragment) * 4, err);
}

static int read_other(struct squash *sq, struct squash_cursor *at, struct squash_inode *i,
		      bool is_long, struct art_err *err)
{
	bool device = i->type == SQUASH_BLOCK || i->type == SQUASH_CHAR;
	bool link = i->type == SQUASH_LINK;
	uint8_t b[8];
	int ret = squash_meta(sq, at, b, device || link ? 8 : 4, err);

	if (ret != 0)
		return ret;
	i->links = art_get32(b);
	if (device)
		i->device = art_get32(b + 4);
	if (link) {
		i->size = art_get32(b + 4);
		i->rest = *at;
		if (i->size > 65535)
			return bad(sq, err, "a symbolic link");
		ret = squash_meta(sq, at, NULL, (size_t)i->size, err);
	}
	if (ret == 0 && is_long) {
		ret = squash_meta(sq, at, b, 4, err);
		i->xattr = art_get32(b);
	}
	return ret;
}

int squash_next_inode(struct squash *sq, struct squash_cursor *at, struct squash_inode *out,
		      struct art_err *err)
{
	uint8_t b[16];
	unsigned int type;
	bool is_long;
	int ret = squash_meta(sq, at, b, 16, err);

	if (ret != 0)
		return ret;
	memset(out, 0, sizeof(*out));
	type = art_get16(b);
	is_long = type >= SQUASH_LONG;
	out->type = is_long ? type - SQUASH_LONG + 1 : type;
	out->mode = art_get16(b + 2);
	out->uid_index = art_get16(b + 4);
	out->gid_index = art_get16(b + 6);
	out->mtime = art_get32(b + 8);
	out->number = art_get32(b + 12);
	out->xattr = out->fragment = SQUASH_NONE;
	if (out->type < SQUASH_DIR || out->type > SQUASH_SOCKET)
		return bad(sq, err, "an inode of an unknown type");
	if (out->type == SQUASH_DIR)
		return read_dir(sq, at, out, is_long, err);
	if (out->type == SQUASH_REG)
		return read_reg(sq, at, out, is_long, err);
	return read_other(sq, at, out, is_long, err);
}

struct squash_cursor squash_first_inode(const struct squash *sq)
{
	return (struct squash_cursor){ sq->inode_table, 0 };
}

int squash_inode(struct squash *sq, uint64_t node, struct squash_inode *out, struct art_err *err)
{
	struct squash_cursor at = { sq->inode_table + (node >> 16), node & 0xffff };

	if (node >> 16 > sq->used)
		return bad(sq, err, "an inode lies outside");
	return squash_next_inode(sq, &at, out, err);
}

/* A table is a row of pointers to metadata blocks. */
static int table(struct squash *sq, uint64_t start, uint64_t index, size_t width, uint8_t *out,
		 struct art_err *err)
{
	uint64_t byte = index * width;
	struct squash_cursor at = { 0, byte % SQUASH_META };
	uint8_t pointer[8];
	int ret = read_bytes(sq, pointer, 8, start + byte / SQUASH_META * 8, err);

	if (ret != 0)
		return ret;
	at.block = art_get64(pointer);
	return squash_meta(sq, &at, out, width, err);
}

int squash_id(struct squash *sq, uint16_t index, uint32_t *id, struct art_err *err)
{
	uint8_t b[4];
	int ret;

	if (index >= sq->ids)
		return bad(sq, err, "an owner");
	ret = table(sq, sq->id_table, index, 4, b, err);
	*id = ret == 0 ? art_get32(b) : 0;
	return ret;
}

int squash_fragment(struct squash *sq, uint32_t index, struct squash_fragment *out,
		    struct art_err *err)
{
	uint8_t b[16];
	int ret;

	if (index >= sq->fragments)
		return bad(sq, err, "a fragment's number");
	ret = table(sq, sq->fragment_table, index, 16, b, err);
	if (ret != 0)
		return ret;
	out->start = art_get64(b);
	out->size = art_get32(b + 8);
	return 0;
}

struct squash_cursor squash_listing(const struct squash *sq, const struct squash_inode *dir)
{
	return (struct squash_cursor){ sq->directory_table + dir->start, dir->offset };
}

int squash_xattr_at(struct squash *sq, uint64_t reference, struct squash_cursor *at,
		    struct art_err *err)
{
	if (reference >> 16 > sq->used)
		return bad(sq, err, "an attribute lies outside");
	at->block = sq->xattr_start + (reference >> 16);
	at->offset = reference & 0xffff;
	return 0;
}

int squash_xattrs(struct squash *sq, uint32_t index, struct squash_cursor *at, uint32_t *count,
		  struct art_err *err)
{
	uint8_t b[16];
	int ret = 0;

	*count = 0;
	if (index == SQUASH_NONE || sq->xattr_table == UINT64_MAX)
		return 0;
	if (sq->xattr_start == 0) {
		ret = read_bytes(sq, b, 16, sq->xattr_table, err);
		if (ret != 0)
			return ret;
		sq->xattr_start = art_get64(b);
		sq->xattr_ids = art_get32(b + 8);
		if (sq->xattr_start > sq->used)
			return bad(sq, err, "the attributes lie outside");
	}
	if (index >= sq->xattr_ids)
		return bad(sq, err, "an attribute's number");
	ret = table(sq, sq->xattr_table + 16, index, 16, b, err);
	if (ret != 0)
		return ret;
	*count = art_get32(b + 8);
	return squash_xattr_at(sq, art_get64(b), at, err);
}

int squash_data(struct squash *sq, uint64_t start, uint32_t size, uint8_t *buf, size_t *len,
		struct art_err *err)
{
	uint32_t stored = size & (SQUASH_PLAIN - 1);
	int ret;

	if (stored == 0 || stored > sq->block_size)
		return bad(sq, err, "size of a data block");
	*len = stored;
	if (size & SQUASH_PLAIN)
		return read_bytes(sq, buf, stored, start, err);
	ret = read_bytes(sq, sq->packed, stored, start, err);
	*len = sq->block_size;
	return ret ? ret : squash_unpack(sq->method, sq->packed, stored, buf, len, err);
}
