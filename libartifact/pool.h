/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that encode groups. Jobs are handed out and come back in the same order, so the output does not
 * depend on how many threads there are; a bounded number of jobs bounds the memory.
 */
#ifndef ART_POOL_H
#define ART_POOL_H

#include "libartifact/encode.h"

#define ART_JOB_CHUNKS 4096

struct art_job {
	/* Filled in by the caller before submitting. */
	uint8_t *plain;                    /* ART_GROUP_MAX bytes of room */
	size_t plain_len;
	size_t program_len;                /* of plain_len: bytes of programs */
	size_t count;                      /* chunks, at most ART_JOB_CHUNKS */
	uint32_t lengths[ART_JOB_CHUNKS];
	uint32_t rows[ART_JOB_CHUNKS];     /* for the caller */
	/* Filled in by a thread. */
	uint8_t *out;
	struct art_stored stored[ART_JOB_CHUNKS];
	uint8_t digests[ART_JOB_CHUNKS][ART_STORED_DIGEST]; /* of the stored bytes */
	int code;
	struct art_err err;
	int state;
};

struct art_pool;

int art_pool_new(struct art_pool **out, unsigned int threads, int level, uint32_t prefix,
		 struct art_err *err);
/* Waits for the threads; jobs under way are thrown away. */
void art_pool_free(struct art_pool *pool);

/* An empty job, or NULL when all are under way: collect one first. */
struct art_job *art_pool_get(struct art_pool *pool);
void art_pool_submit(struct art_pool *pool, struct art_job *job);

/* The oldest job that was submitted, when it is finished; NULL when there is none. It is empty again
 * after art_pool_release. */
struct art_job *art_pool_collect(struct art_pool *pool);
void art_pool_release(struct art_pool *pool, struct art_job *job);

#endif
