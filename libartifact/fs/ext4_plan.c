// SPDX-License-Identifier: Apache-2.0
/* What an ext4 image has to hold: inodes in the order of names, blocks, and from that its size. */
#include <stdlib.h>
#include <string.h>

#include "libartifact/fs/ext4_build.h"
#include "libartifact/util.h"

#define GROUP_BLOCKS 32768
#define INODE_SIZE 256
#define FIRST_INODE 11
/* mke2fs: one inode for each 16 KiB. */
#define INODE_RATIO 16384
#define JOURNAL_FROM (64 * ART_MIB)
#define JOURNAL_MAX 4096

bool ext4_keeps_xattr(const char *name)
{
	static const char *const kept[] = { "user.", "trusted.", "security.",
					    "system.posix_acl_access", "system.posix_acl_default" };
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(kept); i++)
		if (strncmp(name, kept[i], strlen(kept[i])) == 0)
			return true;
	return false;
}

uint64_t ext4_directory_blocks(const struct art_tree_inode *dir)
{
	/* The checksum's tail takes 12 bytes of each block. */
	size_t used = 12 + 12, i;
	uint64_t blocks = 1;

	for (i = 0; i < dir->name_count; i++) {
		size_t len = 8 + (strlen(dir->names[i].name) + 3) / 4 * 4;

		if (used + len > EXT4_BLOCK - 12) {
			used = 0;
			blocks++;
		}
		used += len;
	}
	/* As mke2fs makes it: e2fsck finds room there when it needs some. */
	if (dir->number == FIRST_INODE && blocks < 4)
		blocks = 4;
	return blocks;
}

int ext4_next_run(const struct art_tree_inode *inode, uint64_t *first, uint64_t *count)
{
	uint64_t start = 0, end = 0;
	size_t i;

	/* Files have few extents; a search would not be worth its lines. */
	for (i = 0; i < inode->extent_count; i++) {
		const struct art_tree_extent *e = &inode->extents[i];
		uint64_t from = e->logical / EXT4_BLOCK;
		uint64_t to = (e->logical + e->length + EXT4_BLOCK - 1) / EXT4_BLOCK;

		if (to <= *first)
			continue;
		if (from < *first)
			from = *first;
		if (end == 0)
			start = from;
		else if (from > end)
			break;
		end = to;
	}
	*first = start;
	*count = end - start;
	return end != 0;
}

static int add(struct ext4_build *b, struct art_tree_inode *inode,
	       const struct art_tree_inode *parent)
{
	size_t i;
	int ret = 0;

	if (inode->number != 0)
		return 0; /* another name of it came first */
	if (b->count == b->room) {
		size_t room = b->room ? 2 * b->room : 1024;
		struct ext4_item *items = reallocarray(b->items, room, sizeof(*items));

		if (!items)
			return art_fail_memory(b->err);
		b->items = items;
		b->room = room;
	}
	b->items[b->count++] = (struct ext4_item){ inode, parent };
	/* 11 is left free for lost+found. */
	inode->number = b->count == 1 ? EXT2_ROOT_INO : (uint32_t)(FIRST_INODE - 1 + b->count);
	for (i = 0; ret == 0 && i < inode->name_count; i++)
		ret = add(b, inode->names[i].inode, inode);
	return ret;
}

static int add_lost_and_found(struct ext4_build *b, struct art_tree_inode **out)
{
	struct art_tree_inode *root = b->tree->root, *dir;
	size_t i;
	int ret;

	*out = NULL;
	for (i = 0; i < root->name_count; i++)
		if (strcmp(root->names[i].name, "lost+found") == 0)
			*out = root->names[i].inode;
	if (*out)
		return 0;
	dir = art_tree_inode_new();
	if (!dir)
		return art_fail_memory(b->err);
	dir->mode = S_IFDIR | 0700;
	dir->mtime = b->time;
	ret = art_tree_put(b->tree, "lost+found", dir, b->err);
	if (ret == 0)
		*out = dir;
	return ret;
}

static int number_inodes(struct ext4_build *b)
{
	struct art_tree_inode *lost;
	uint32_t number;
	size_t i;
	int ret;

	ret = add_lost_and_found(b, &lost);
	if (ret == 0)
		ret = add(b, b->tree->root, b->tree->root);
	if (ret != 0)
		return ret;
	/* lost+found takes 11; what comes after it in order moves down by one. */
	number = lost->number;
	lost->number = FIRST_INODE;
	for (i = 0; i < b->count; i++)
		if (b->items[i].inode->number > number)
			b->items[i].inode->number--;
	return 0;
}

static uint64_t blocks_of(const struct art_tree_inode *inode)
{
	uint64_t blocks = 0, first = 0, count, runs = 0;
	size_t i, xattrs = 0;

	if (S_ISDIR(inode->mode)) {
		blocks = ext4_directory_blocks(inode);
	} else if (S_ISLNK(inode->mode)) {
		blocks = inode->size >= EXT4_FAST_LINK;
	} else if (S_ISREG(inode->mode)) {
		for (; ext4_next_run(inode, &first, &count); first += count) {
			blocks += count;
			runs += count / GROUP_BLOCKS + 1;
		}
		if (runs > 4)
			blocks += runs / 300 + 2;
	}
	for (i = 0; i < inode->xattr_count; i++)
		if (ext4_keeps_xattr(inode->xattrs[i].name))
			xattrs += 20 + strlen(inode->xattrs[i].name) + inode->xattrs[i].len;
	return blocks + (xattrs > 80);
}

static bool has_backup(uint64_t group)
{
	static const unsigned int bases[] = { 3, 5, 7 };
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(bases); i++) {
		uint64_t power = 1;

		while (power < group)
			power *= bases[i];
		if (power == group)
			return true;
	}
	return group == 0;
}

/* Blocks that the filesystem takes for itself at this size; rather one too many. */
static uint64_t overhead(const struct ext4_build *b, uint64_t size)
{
	uint64_t blocks = size / EXT4_BLOCK, groups = blocks / GROUP_BLOCKS + 1, g;
	uint64_t largest = blocks * 1024 > UINT32_MAX ? UINT32_MAX : blocks * 1024;
	uint64_t table = (largest / GROUP_BLOCKS + 1) * 64 / EXT4_BLOCK + 1, sum;

	if (table > 1024)
		table = 1024;
	table += groups * 64 / EXT4_BLOCK + 1;
	sum = b->journal + 2 * groups + b->inodes * INODE_SIZE / EXT4_BLOCK + groups + table + 16;
	for (g = 0; g < groups; g++)
		sum += has_backup(g) ? 1 + table : 0;
	return sum;
}

static void choose(struct ext4_build *b, uint64_t size)
{
	uint64_t needed = b->count + b->count / 10 + 64;

	b->inodes = size / INODE_RATIO > needed ? size / INODE_RATIO : needed;
	b->journal = 0;
	if (size >= JOURNAL_FROM || b->opt->journal) {
		int blocks = ext2fs_default_journal_size(size / EXT4_BLOCK);

		b->journal = blocks > JOURNAL_MAX ? JOURNAL_MAX : (uint32_t)blocks;
	}
}

int ext4_plan(struct ext4_build *b)
{
	uint64_t content = 0, size, i;
	int ret;

	ret = number_inodes(b);
	if (ret != 0)
		return ret;
	for (i = 0; i < b->count; i++)
		content += blocks_of(b->items[i].inode);
	b->size = b->opt->size;
	if (b->size != 0) {
		choose(b, b->size);
		if ((content + overhead(b, b->size)) * EXT4_BLOCK > b->size + b->size / 50)
			return art_fail(b->err, ART_E_SPACE,
					"'%s' needs about %llu MiB and does not fit into %llu MiB", b->source,
					(unsigned long long)((content + overhead(b, b->size)) / 256 + 1),
					(unsigned long long)(b->size / ART_MIB));
		return 0;
	}
	/* What the filesystem needs depends on the size, and back: a few rounds settle it. */
	for (i = 0, size = 0; i < 8 && size <= b->size; i++) {
		choose(b, b->size);
		size = b->size;
		b->size = art_round_up((content + content * 12 / 100 + overhead(b, b->size)) * EXT4_BLOCK,
				       4 * ART_MIB);
		if (b->size == size)
			break;
	}
	choose(b, b->size);
	return 0;
}
