/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of the artifact in each slot, in STATE/slot-a and STATE/slot-b: manifest.json, manifest.sig and
 * PAYLOAD.NNNN.index. The new one is written to slot-X.new and takes the place of the old in one rename. The indexes kept tell the next install
 * where the slot has which chunks (seed.h).
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

/* A slot-X.new with this manifest.json. What an earlier run left there stays if it is of the same manifest, so that an index is fetched
 * once however often an install breaks off, and is removed otherwise. */
int kept_begin(struct kept *k, const char *directory, int slot, const void *manifest,
	       size_t len, struct art_err *err);

/* A file of SIZE bytes that is there already, in new memory, unjudged; *BYTES stays NULL when there is none. */
int kept_find(const struct kept *k, const char *name, size_t size, uint8_t **bytes,
	      struct art_err *err);

#define KEPT_NAME_MAX 64
void kept_index_name(char name[KEPT_NAME_MAX], const char *payload, size_t segment);

/* The index kept of a segment of what SLOT holds, for reading; -1: there is none. */
int kept_open_index(const char *directory, int slot, const char *payload, size_t segment);

/* Write and sync one file into it. */
int kept_add(struct kept *k, const char *name, const void *bytes, size_t len,
	     struct art_err *err);

/* Put it in the place of slot-X, durably. */
int kept_commit(struct kept *k, struct art_err *err);

/* Leave it for the next run. */
void kept_abort(struct kept *k);

/* manifest.json of SLOT in new memory; *BYTES stays NULL when nothing is kept. */
int kept_manifest(const char *directory, int slot, uint8_t **bytes, size_t *len,
		  struct art_err *err);

/* The same for manifest.sig. */
int kept_signatures(const char *directory, int slot, uint8_t **bytes, size_t *len,
		    struct art_err *err);

#endif
