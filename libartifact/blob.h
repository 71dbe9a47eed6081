/* SPDX-License-Identifier: Apache-2.0 */
/* Plain bytes that can be read anywhere: an image file, or the image inside an artifact. */
#ifndef ART_BLOB_H
#define ART_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"

struct art_blob {
	/* All of LEN bytes at OFF, or an error; OFF + LEN never passes the size. */
	int (*read)(struct art_blob *blob, void *buf, size_t len, uint64_t off,
		    struct art_err *err);
	void (*free)(struct art_blob *blob);
	const char *name;
	uint64_t size;
};

/* Over a descriptor, which stays the caller's. Block devices too. */
int art_blob_open_fd(struct art_blob **out, int fd, const char *name, struct art_err *err);

/*
 * LEN bytes from OFF of BLOB into FD at AT; zeros stay holes, so FD holds nothing there yet. DIGEST (may be NULL) takes in
 * every byte. NAME is FD's, for messages; PROGRESS may be NULL and hears of DONE of LEN.
 */
struct art_digest;
int art_blob_copy(struct art_blob *blob, uint64_t off, uint64_t len, int fd, uint64_t at,
		  const char *name, struct art_digest *digest,
		  void (*progress)(void *ctx, uint64_t done, uint64_t total),
		  struct art_err *err);

struct art_reader;

/* The plain image of a payload, decoded group by group on demand (at most 4 groups are kept); READER must have been
 * parsed, must seek, and outlives the blob. Every byte handed out has been compared with its digests. */
int art_blob_open_payload(struct art_blob **out, struct art_reader *reader, size_t payload,
			  struct art_err *err);

static inline int art_blob_read(struct art_blob *b, void *buf, size_t len, uint64_t off,
				struct art_err *err)
{
	if (off > b->size || len > b->size - off)
		return art_fail(err, ART_E_IO, "reading '%s' beyond its end", b->name);
	return b->read(b, buf, len, off, err);
}

static inline void art_blob_free(struct art_blob *b)
{
	if (b)
		b->free(b);
}

#endif
