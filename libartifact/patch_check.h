/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging a patch as a whole, in the order of format.md section 16.6, in one pass: with the old artifact at hand the new image is made of it,
 * into a temporary file, and compared with its digest; without it, all that can be judged without it.
 */
#ifndef ART_PATCH_CHECK_H
#define ART_PATCH_CHECK_H

#include "libartifact/patch_source.h"

struct art_patch_check {
	struct art_patch *patch;       /* parsed */
	const struct art_trust *trust; /* for the carried artifact; NULL: not judged */
	struct art_reader *old;        /* parsed, seeks; NULL: not at hand */
	int (*temp)(int *fd, struct art_err *err);
	/* Results, so far as judged. */
	struct art_source *source;     /* of READER */
	struct art_reader *reader;     /* the carried artifact */
	struct art_verdict verdict;    /* on it */
	uint64_t records;
	uint64_t made;    /* plain bytes by records */
	uint64_t copied;  /* plain bytes that the old image has */
	uint64_t missing; /* plain bytes that neither gives */
	uint64_t missing_stored; /* their stored bytes in the artifact */
};

/* C as set up by the caller, results zero. art_patch_check_free also after a failure; it frees results only. */
int art_patch_check_head(struct art_patch_check *c, struct art_err *err);
int art_patch_check_payload(struct art_patch_check *c, size_t payload, struct art_err *err);
void art_patch_check_free(struct art_patch_check *c);

#endif
