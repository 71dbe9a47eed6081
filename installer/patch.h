/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A patch on this device: found beside a remote artifact, or given instead of one. It makes rows out of what the running slot holds. What it
 * makes is compared with the index like everything else, so that a patch that is wrong in any way costs bytes and nothing more.
 */
#ifndef INSTALLER_PATCH_H
#define INSTALLER_PATCH_H

#include "installer/decoder.h"
#include "installer/seed.h"
#include "installer/target.h"
#include "libartifact/patch_source.h"

/* About what a request and the headers of its answer cost: a gap of this much between two ranges is fetched with them. */
#define MERGE_GAP 512

struct patch {
	struct art_source *src;   /* owned */
	struct art_patch *patch;
	struct art_verdict verdict;
	struct decoder *decoder;
	struct art_patch_decoding dec;
	bool broken;              /* its source or its decoder has failed: leave it alone */
	unsigned int blocks_right, blocks_wrong; /* records of codec 2 so far */
};

/* Signature of role patch, patch.json, and the child that decodes. SRC is taken over, also on failure. patch_close on a zeroed one is fine. */
int patch_open(struct patch *p, struct art_source *src, const struct art_trust *trust,
	       struct art_err *err);
void patch_close(struct patch *p);

/* Bytes OFF to END of the file will be read next, in order. */
int patch_want(struct patch *p, uint64_t off, uint64_t end, struct art_err *err);

/* The seed that holds the old image of this payload, by what was kept when it was installed; NULL: none. */
const struct seed *patch_old(const struct patch *p, const struct seeds *seeds, const char *payload);

/* The index of a segment, out of the patch and the one kept for OLD. */
int patch_index(struct patch *p, const struct seeds *seeds, const struct seed *old,
		const char *payload, size_t segment, const struct art_segment *seg,
		struct art_index **out, struct art_err *err);

/* One segment of a payload, while it is written. */
struct patch_job {
	struct patch *patch;
	const char *payload;
	size_t segment;
	const struct seed *old;
	struct art_index *index;
	uint64_t *places;      /* of its rows: SEED_DONE, or what the patch may make */
	uint64_t base;
	struct target *target;
	struct art_digest *sha256;
	uint8_t *stored_buf, *plain_buf; /* ART_PATCH_RECORD_MAX each, of the caller; COPY may use them */
	bool always;           /* there is no other source */
	bool dry;
	/* Called for a row that is right: write it, unless DRY. */
	int (*take)(void *ctx, const struct art_row *row, const uint8_t *plain, struct art_err *err);
	/* So many bytes of records will be read; a refusal ends all. What is not read after all is given back. */
	int (*spend)(void *ctx, uint64_t bytes, uint64_t ranges, struct art_err *err);
	void (*give_back)(void *ctx, uint64_t bytes);
	/* A copy row before the next record: the row that it names is in place. */
	int (*copy)(void *ctx, uint32_t row, struct art_err *err);
	void *ctx;
	/* Results. */
	uint64_t stored;       /* bytes of records that were read */
	uint64_t plain;        /* plain bytes that they made */
	uint64_t records, failed;
	bool used;             /* the patch was cheaper than the chunks */
	uint64_t by_patch, by_chunks; /* what the missing rows cost either way */
};

/* Make the missing rows that records make, if that is cheaper than their chunks. A failure of the patch is no error: its rows are
 * left missing. What fails is the target's writing, and with ALWAYS the reading of the patch. */
int patch_rows(struct patch_job *job, struct art_err *err);

#endif
