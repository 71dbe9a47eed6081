/* SPDX-License-Identifier: Apache-2.0 */
/* The partitions of the slots, and which slot runs. */
#ifndef INSTALLER_SLOTS_H
#define INSTALLER_SLOTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "installer/boot.h"
#include "installer/conf.h"

struct slot_part {
	const char *payload; /* belongs to the configuration */
	char *path;          /* resolved: a device node or a file */
	bool is_block;
	dev_t device;        /* block devices */
	dev_t file_device;   /* and inode: of the node or file itself */
	ino_t file_inode;
	uint64_t size;
};

struct slot {
	size_t count;
	struct slot_part part[CONFIG_PARTS_MAX];
};

/* The path that a PARTUUID=, PARTLABEL= or plain path stands for, in new memory; NULL when there is none. */
char *slot_resolve(const char *spec);

/* Resolve and measure every partition of both slots. Two names of one partition are refused. ART_E_USAGE, ART_E_IO. */
int slots_open(struct slot slots[CONFIG_SLOTS], const struct config *config,
	       struct art_err *err);
void slots_free(struct slot slots[CONFIG_SLOTS]);
const struct slot_part *slot_part(const struct slot *slot, const char *payload);

/*
 * The slot that runs: for slots on block devices the one whose rootfs is (or lies under) the device of `/`, by
 * major:minor from /proc/self/mountinfo; for slots that are image files what the boot backend says it started.
 * ART_E_STATE_WRONG when it cannot be told.
 */
int slots_running(const struct slot slots[CONFIG_SLOTS], const struct boot_state *boot,
		  int *running, struct art_err *err);

/* Is FD this partition or file, whatever its name says by now? */
bool slot_part_is(const struct slot_part *part, int fd);

/* Open a partition of a slot that does not run for writing: exclusively, so that a mounted device or an image file
 * behind a loop device is ART_E_STATE_BUSY. */
int slot_part_open(const struct slot_part *part, int *fd, struct art_err *err);

#endif
