// SPDX-License-Identifier: Apache-2.0
/* Which filesystem an image holds, and how large it says it is. */
#include <string.h>

#include "libartifact/fs/internal.h"
#include "libartifact/util.h"

#define EXT4_MAGIC 0xef53
#define SQUASHFS_MAGIC 0x73717368
#define EROFS_MAGIC 0xe0f5e1e2

struct heads {
	uint8_t start[512];    /* boot sector; squashfs superblock */
	uint8_t at_1024[1024]; /* ext4 and erofs superblock */
};

/* A small blob has zeros there, which are no filesystem's. */
static int read_heads(struct art_blob *blob, struct heads *h, struct art_err *err)
{
	int ret;

	memset(h, 0, sizeof(*h));
	if (blob->size < 2048)
		return 0;
	ret = art_blob_read(blob, h->start, sizeof(h->start), 0, err);
	return ret ? ret : art_blob_read(blob, h->at_1024, sizeof(h->at_1024), 1024, err);
}

static bool is_vfat(const uint8_t *b)
{
	if (b[510] != 0x55 || b[511] != 0xaa || (b[0] != 0xeb && b[0] != 0xe9))
		return false;
	return memcmp(b + 54, "FAT12   ", 8) == 0 || memcmp(b + 54, "FAT16   ", 8) == 0 ||
	       memcmp(b + 82, "FAT32   ", 8) == 0;
}

static const char *detect(const struct heads *h)
{
	if (art_get16(h->at_1024 + 56) == EXT4_MAGIC)
		return "ext4";
	if (art_get32(h->start) == SQUASHFS_MAGIC)
		return "squashfs";
	if (art_get32(h->at_1024) == EROFS_MAGIC)
		return "erofs";
	if (is_vfat(h->start))
		return "vfat";
	return NULL;
}

const char *art_fs_detect(struct art_blob *blob)
{
	struct heads h;

	return read_heads(blob, &h, NULL) == 0 ? detect(&h) : NULL;
}

static uint64_t scaled(uint64_t count, unsigned int shift)
{
	if (shift > 32 || count > UINT64_MAX >> shift)
		return 0;
	return count << shift;
}

static uint64_t ext4_size(const uint8_t *sb)
{
	uint64_t blocks = art_get32(sb + 4);

	if (art_get32(sb + 96) & 0x80) /* 64bit */
		blocks |= (uint64_t)art_get32(sb + 336) << 32;
	if (art_get32(sb + 24) > 6)
		return 0;
	return scaled(blocks, 10 + art_get32(sb + 24));
}

static uint64_t vfat_size(const uint8_t *b)
{
	uint64_t sectors = art_get16(b + 19);

	if (sectors == 0)
		sectors = art_get32(b + 32);
	return sectors * art_get16(b + 11);
}

int art_fs_read_size(struct art_blob *blob, const char *filesystem, uint64_t *size, struct art_err *err)
{
	struct heads h;
	int ret = read_heads(blob, &h, err);

	*size = 0;
	if (ret != 0)
		return ret;
	if (strcmp(filesystem, "ext4") == 0)
		*size = ext4_size(h.at_1024);
	else if (strcmp(filesystem, "squashfs") == 0)
		*size = art_get64(h.start + 40);
	else if (strcmp(filesystem, "erofs") == 0)
		*size = scaled(art_get32(h.at_1024 + 36), h.at_1024[12]);
	else if (strcmp(filesystem, "vfat") == 0)
		*size = vfat_size(h.start);
	return 0;
}

/* The reader of its data will say why a blob cannot be read. */
uint64_t art_fs_size(struct art_blob *blob, const char *filesystem)
{
	uint64_t size = 0;

	if (filesystem)
		art_fs_read_size(blob, filesystem, &size, NULL);
	return size;
}
