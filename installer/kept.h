/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of the artifact in each slot, in STATE/slot-a and STATE/slot-b: manifest.json, manifest.sig and
 * PAYLOAD.NNNN.index. The new one is written to slot-X.new and takes the place of the old in one rename.
 */
#ifndef INSTALLER_KEPT_H
#define INSTALLER_KEPT_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"

struct kept {
	const char *directory; /* the state directory */
	int slot;
	int fd;                /* of slot-X.new */
};
#define KEPT_INIT { NULL, 0, -1 }

/* An empty slot-X.new; what an earlier run left there is removed. */
int kept_begin(struct kept *k, const char *directory, int slot, struct art_err *err);

/* Write and sync one file into it. */
int kept_add(struct kept *k, const char *name, const void *bytes, size_t len,
	     struct art_err *err);

/* Put it in the place of slot-X, durably. */
int kept_commit(struct kept *k, struct art_err *err);
void kept_abort(struct kept *k);

/* manifest.json of SLOT in new memory; *BYTES stays NULL when nothing is kept. */
int kept_manifest(const char *directory, int slot, uint8_t **bytes, size_t *len,
		  struct art_err *err);

/* The same for manifest.sig. */
int kept_signatures(const char *directory, int slot, uint8_t **bytes, size_t *len,
		    struct art_err *err);

#endif
