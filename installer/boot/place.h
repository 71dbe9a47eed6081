/* SPDX-License-Identifier: Apache-2.0 */
/* Where a copy of a boot store lies, for backends that write two: does a power cut in a write of one spare the other? */
#ifndef INSTALLER_BOOT_PLACE_H
#define INSTALLER_BOOT_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct boot_place {
	char disk[288]; /* tells disks, flash devices and files apart */
	bool file;
	uint64_t at;    /* bytes from the start of that disk or file */
	uint64_t size;
	uint64_t unit;  /* what the storage may erase around a write, and so spoil; 0: no more than is written */
};

/* PATH is a block device, a flash device or a file; of one that cannot be asked (a UBI volume by its name) only the name counts. An
 * OFFSET below 0 counts from the end of a block device. */
void boot_place_find(struct boot_place *p, const char *path, int64_t offset, uint64_t size);

/* The same of a node that has been asked, by the sysfs at SYSFS. */
void boot_place_of(struct boot_place *p, const char *sysfs, const struct stat *st, int64_t offset,
		   uint64_t size);

/* They have bytes in common: a write of one destroys the other. */
bool boot_place_overlap(const struct boot_place *a, const struct boot_place *b);

/* For boot_ops.caution: NULL, or why one power cut may spoil both. */
const char *boot_place_caution(const struct boot_place *a, const struct boot_place *b);

#endif
