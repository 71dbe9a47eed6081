/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where this device has already what an artifact asks for: the running slot, partitions named in install.conf, and what the target
 * slot held before. What is there is found by the index kept for a slot, read page by page, or where that is lost by a scan in
 * steps of 4 KiB. Memory is bounded by the new segment's rows, not by the size of any image. All of it is a hint: whoever copies
 * compares the digest, since a mounted filesystem changes and a kept index may lie.
 */
#ifndef INSTALLER_SEED_H
#define INSTALLER_SEED_H

#include "installer/device.h"
#include "installer/target.h"

/* A place: number of the seed << SEED_SHIFT | offset in it; or one of these. */
#define SEED_SHIFT 56
#define SEED_MAX 16
#define SEED_NONE UINT64_MAX       /* wanted, and nothing is known */
#define SEED_DONE (UINT64_MAX - 1) /* not wanted */

struct seed {
	int fd;
	char *path;
	uint64_t size;
	const struct target *target;      /* it is the slot that is written; or NULL */
	int slot;                         /* whose index is kept; -1: none */
	struct art_manifest *kept;
	const struct art_payload *payload; /* of KEPT; NULL: nothing is known of what it holds */
	int heads;                        /* of each 4 KiB, made by the first scan: a file without a name; or -1 */
	uint64_t head_count;
};

struct seeds {
	const char *directory; /* of the state */
	bool aloof;            /* nothing is written there: only looked at */
	bool scan;
	size_t count;
	struct seed seed[SEED_MAX];
	struct art_digest *sha256;
	uint8_t *buf;          /* ART_CHUNK_MAX */
};

/*
 * The seeds of PAYLOAD, which goes to TARGET of slot SLOT. SCAN: read through those without an index, as a download is dearer. A seed
 * that cannot be opened is left out. seeds_close also after a failure.
 */
int seeds_open(struct seeds *s, const struct device *d, const char *payload, int slot,
	       const struct target *target, bool scan, struct art_err *err);
void seeds_close(struct seeds *s);

/*
 * For each row of IX (a segment that begins at BASE) whose place is SEED_NONE, look for one. A place in the target lies at or behind
 * the row itself: what lies there is still the old content when rows are written in order.
 */
int seeds_find(struct seeds *s, struct art_index *ix, uint64_t base, uint64_t *places,
	       struct art_err *err);

/* Are the plain bytes of ROW at PLACE? They are in BUF (ART_CHUNK_MAX of room) then. A seed that cannot be read has nothing. */
bool seeds_read(struct seeds *s, uint64_t place, const struct art_row *row, uint8_t *buf);

#endif
