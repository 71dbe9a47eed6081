/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an artifact's bytes come from: a file, a pipe or a server. One call, read at an
 * offset; a source that cannot seek accepts only offsets at or after the last one and
 * reads over what lies between. Bytes from a source are not authenticated.
 */
#ifndef ART_SOURCE_H
#define ART_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "libartifact/err.h"

struct art_source;

struct art_source_ops {
	/* Up to LEN bytes from OFF; fewer only at the end. Count, or an error. */
	ssize_t (*read_at)(struct art_source *src, uint64_t off, void *buf, size_t len,
			   struct art_err *err);
	/* Hint: [off, off + len) is needed next, in this order. May be NULL. */
	int (*want)(struct art_source *src, uint64_t off, uint64_t len, struct art_err *err);
	void (*free)(struct art_source *src);
};

/* Implementations embed this as their first member. */
struct art_source {
	const struct art_source_ops *ops;
	const char *name;     /* for messages; lives as long as the source */
	uint64_t size;        /* UINT64_MAX: not known */
	bool can_seek;
};

/* A file or block device by path; "-" is standard input. Regular files and block devices seek, anything
 * else is a pipe. The caller frees with art_source_free. */
int art_source_open_path(struct art_source **out, const char *path, struct art_err *err);

/* Take over an open descriptor (closed by art_source_free). */
int art_source_open_fd(struct art_source **out, int fd, const char *name,
		       struct art_err *err);

/* LEN bytes of memory that outlive the source. For tests and fuzzers. */
int art_source_open_memory(struct art_source **out, const void *bytes, size_t len,
			   struct art_err *err);

/* Exactly LEN bytes at OFF, else ART_E_TAR_TRUNCATED. */
int art_source_read(struct art_source *src, uint64_t off, void *buf, size_t len,
		    struct art_err *err);

/* The free(NULL) rule holds. */
void art_source_free(struct art_source *src);

#endif
