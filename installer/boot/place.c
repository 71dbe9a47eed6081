// SPDX-License-Identifier: Apache-2.0
/* See place.h. What the kernel calls a disk is asked of sysfs, where a partition's folder lies below its disk's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "installer/boot/place.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define ERASE_UNIT (4 * ART_MIB) /* of cards and eMMC, which do not say theirs */
#define SECTOR 512

/* NULL: there is no such file. */
static char *read_attribute(const char *sysfs, const char *kind, dev_t dev, const char *name)
{
	uint8_t *text = NULL;
	char path[512];
	size_t len;

	snprintf(path, sizeof(path), "%s/dev/%s/%u:%u/%s", sysfs, kind, major(dev), minor(dev), name);
	return art_read_file(path, 64, &text, &len, NULL) == 0 ? (char *)text : NULL;
}

static void find_block(struct boot_place *p, const char *sysfs, dev_t dev, int64_t offset)
{
	cleanup_free char *start = read_attribute(sysfs, "block", dev, "start");
	cleanup_free char *sectors = read_attribute(sysfs, "block", dev, "size");
	cleanup_free char *disk = start ? read_attribute(sysfs, "block", dev, "../dev") : NULL;

	p->unit = ERASE_UNIT;
	if (start)
		p->at += strtoull(start, NULL, 10) * SECTOR;
	if (sectors && offset < 0)
		p->at += strtoull(sectors, NULL, 10) * SECTOR;
	if (disk)
		snprintf(p->disk, sizeof(p->disk), "block %.*s", (int)strcspn(disk, "\n"), disk);
	else
		snprintf(p->disk, sizeof(p->disk), "block %u:%u", major(dev), minor(dev));
}

void boot_place_of(struct boot_place *p, const char *sysfs, const struct stat *st, int64_t offset,
		   uint64_t size)
{
	memset(p, 0, sizeof(*p));
	p->at = (uint64_t)offset;
	p->size = size;
	if (S_ISBLK(st->st_mode)) {
		find_block(p, sysfs, st->st_rdev, offset);
	} else if (S_ISCHR(st->st_mode)) {
		cleanup_free char *unit = read_attribute(sysfs, "char", st->st_rdev, "erasesize");

		p->unit = unit ? strtoull(unit, NULL, 10) : 0;
		snprintf(p->disk, sizeof(p->disk), "flash %u:%u", major(st->st_rdev),
			 minor(st->st_rdev));
	} else {
		p->file = true;
		snprintf(p->disk, sizeof(p->disk), "file %ju:%ju", (uintmax_t)st->st_dev,
			 (uintmax_t)st->st_ino);
	}
}

void boot_place_find(struct boot_place *p, const char *path, int64_t offset, uint64_t size)
{
	struct stat st;

	if (stat(path, &st) == 0) {
		boot_place_of(p, "/sys", &st, offset, size);
		return;
	}
	memset(p, 0, sizeof(*p));
	p->at = (uint64_t)offset;
	p->size = size;
	snprintf(p->disk, sizeof(p->disk), "name %s", path);
}

/* Of two on one disk, the one that comes first is *A afterwards. */
static bool one_disk(const struct boot_place **a, const struct boot_place **b)
{
	const struct boot_place *first = *a;

	if ((*b)->at < first->at) {
		*a = *b;
		*b = first;
	}
	return strcmp((*a)->disk, (*b)->disk) == 0;
}

bool boot_place_overlap(const struct boot_place *a, const struct boot_place *b)
{
	return one_disk(&a, &b) && b->at - a->at < a->size;
}

/* Wherever the units begin: starts at least a unit apart, and the first does not reach into the unit of the second. */
static bool share_unit(const struct boot_place *a, const struct boot_place *b)
{
	if (!one_disk(&a, &b) || a->unit == 0)
		return false;
	return b->at - a->at < a->unit || (a->at + a->size - 1) / a->unit >= b->at / a->unit;
}

const char *boot_place_caution(const struct boot_place *a, const struct boot_place *b)
{
	if (a->file || b->file)
		return "a copy of the boot store is a file: a power cut that damages the filesystem around it is not covered; give partitions";
	if (!share_unit(a, b))
		return NULL;
	if (a->unit != ERASE_UNIT)
		return "both copies of the boot store lie in one erase block of the flash: a power cut may spoil both";
	return "the copies of the boot store lie within 4 MiB of each other: a power cut may spoil both, where the storage erases such units";
}
