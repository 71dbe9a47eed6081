/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a payload into its partition: what is right stays, the rest is read, authenticated, decoded, compared and
 * written. */
#ifndef INSTALLER_WRITER_H
#define INSTALLER_WRITER_H

#include "installer/candidate.h"
#include "installer/kept.h"
#include "installer/seed.h"
#include "installer/target.h"

struct write_sums {
	uint64_t same;    /* plain bytes that were right already, zeros included */
	uint64_t blank;   /* of these, the zeros: any new slot has some */
	uint64_t copied;  /* of those written, the ones that a seed had */
	uint64_t repeated; /* of those written, the ones that stand in the image before */
	uint64_t written; /* plain bytes written */
	uint64_t zeroed;
	uint64_t fetched; /* stored bytes read for what was written */
	uint64_t chunks;  /* written */
	uint64_t ranges;  /* in which the stored bytes are read from a source that can seek */
	uint64_t download; /* bytes of these ranges, gaps included */
	uint64_t patched;  /* plain bytes that the patch made */
	uint64_t records;  /* bytes of the records that were read for that */
	uint64_t failed;   /* records that did not give what is due */
	uint64_t by_patch, by_chunks; /* what the patch has: bytes of records against bytes of chunks */
};

struct write_job {
	struct candidate *candidate;
	size_t payload;
	struct target *target;
	struct seeds *seeds;
	struct kept *kept; /* has or receives the indexes; NULL: do not keep */
	bool dry;          /* look and count, write nothing */
	uint64_t *allowance; /* bytes of ranges that may yet be asked for; NULL: no limit */
	const char *excess;  /* what is to blame when it does not suffice */
	struct write_sums sums; /* grows */
};

int writer_run(struct write_job *job, struct art_err *err);

#endif
