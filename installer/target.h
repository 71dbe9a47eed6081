/* SPDX-License-Identifier: Apache-2.0 */
/* A partition of the target slot while it is written: gathered writes, comparing, zeroing. */
#ifndef INSTALLER_TARGET_H
#define INSTALLER_TARGET_H

#include <stdbool.h>

#include "installer/slots.h"
#include "libartifact/digest.h"
#include "libartifact/index.h"

struct target {
	const struct slot_part *part;
	int fd;
	struct art_digest *sha256;
	uint8_t *scratch;  /* ART_CHUNK_MAX bytes for comparing */
	uint8_t *gather;   /* writes side by side go out as one */
	uint64_t gather_off;
	size_t gather_len;
	bool last_right;   /* the row before was right: read the next whole at once */
	bool unreadable;   /* some sector was, and that has been said */
	uint8_t zero_head[ART_HEAD_LEN]; /* of a page of zeros: an empty slot has many */
};

/* Open for writing; ART_E_STATE_BUSY. target_close also after a failure; it does not sync. */
int target_open(struct target *t, const struct slot_part *part, struct art_err *err);
void target_close(struct target *t);

/* Does the partition hold the plain bytes of a stored or copy row at OFF? Reads 4 KiB of a row that
 * differs at its head. A sector that cannot be read holds them not, and may be mended by being written. The plain bytes are in
 * t->scratch when the answer is yes. */
int target_is_right(struct target *t, const struct art_row *row, uint64_t off, bool *right,
		    struct art_err *err);

/*
 * Write LEN bytes (ART_CHUNK_MAX at most) at OFF: have them put to *ROOM, which nothing else of the target is called between, and
 * say so with target_fill. What is not said is not written. Writes behind each other are gathered: flush before reading them back.
 */
int target_room(struct target *t, uint64_t off, size_t len, uint8_t **room, struct art_err *err);
int target_fill(struct target *t, size_t len, struct art_err *err);
/* Both, for bytes that are somewhere else. */
int target_write(struct target *t, const void *bytes, size_t len, uint64_t off,
		 struct art_err *err);
int target_flush(struct target *t, struct art_err *err);
int target_sync(struct target *t, struct art_err *err);

/* Make a range zero; only what is not. *CHANGED grows by the bytes that had to be. DRY: only count. */
int target_zero(struct target *t, uint64_t off, uint64_t len, bool dry, uint64_t *changed,
		struct art_err *err);

/*
 * Digest of the first SIZE bytes as they come from the medium: around the cache (O_DIRECT), else from a cache
 * that was dropped (*DIRECT false). Call after target_sync.
 */
int target_read_back(struct target *t, uint64_t size, uint8_t sha256[ART_SHA256_LEN],
		     bool *direct, struct art_err *err);

/* Drop what the cache holds of it. */
void target_forget(struct target *t);

#endif
