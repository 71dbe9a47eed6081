/* SPDX-License-Identifier: Apache-2.0 */
/* Does a signed manifest fit this device? Nothing inside the artifact can override the answer. */
#ifndef ART_COMPAT_H
#define ART_COMPAT_H

#include <stdbool.h>

#include "libartifact/manifest.h"

struct art_device_slot_part { /* one partition of the target slot */
	const char *payload;  /* payload name that goes there */
	uint64_t size;        /* bytes */
};

struct art_device {
	const char *type;
	const char *hardware;          /* revision, NULL: not configured */
	const char *const *archs;      /* NULL-terminated: what this device runs */
	const struct art_pair *provides; /* attributes, then the running artifact's */
	size_t provides_count;
	const struct art_device_slot_part *parts;
	size_t part_count;
	const char *const *filesystems; /* NULL-terminated; NULL: not checked */
	uint32_t counter_floor;
	const char *running_version;   /* NULL: not known */
	bool deny_downgrade;
};

/* 0, or ART_E_COMPAT_* with both sides named in the text:
 * "artifact is for 'rpi4', this device is 'rpi3'". */
int art_compat_check(const struct art_manifest *m, const struct art_device *dev,
		     struct art_err *err);

#endif
