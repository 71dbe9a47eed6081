/* SPDX-License-Identifier: Apache-2.0 */
/* Plain bytes that can be read anywhere: an image file, or the image inside an artifact. */
#ifndef ART_BLOB_H
#define ART_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"

/* What an artifact's index says of the bytes at some offset, without a look at them. */
struct art_blob_piece {
	uint64_t skip, left; /* bytes of the piece before the offset, and from it on */
	bool zero;              /* all zeros, and no digest */
	uint8_t digest[16];     /* of the whole piece; see ART_PLAIN_DIGEST */
};

struct art_blob {
	/* All of LEN bytes at OFF, or an error; OFF + LEN never passes the size. */
	int (*read)(struct art_blob *blob, void *buf, size_t len, uint64_t off,
		    struct art_err *err);
	void (*free)(struct art_blob *blob);
	/* Optional: the piece that OFF lies in. */
	int (*piece)(struct art_blob *blob, uint64_t off, struct art_blob_piece *out,
		     struct art_err *err);
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

/* Keep what is decoded of PAYLOAD, a blob of art_blob_open_payload, in the empty file FD, so that no chunk is fetched or decoded twice in
 * whatever order it is read. FD is the blob's from then on, also when this fails. NAME, for messages, lives as long as the blob. */
int art_blob_keep(struct art_blob *payload, int fd, const char *name, struct art_err *err);

enum art_same { ART_SAME_UNKNOWN, ART_SAME_YES, ART_SAME_NO };

/* Whether LEN bytes at A_OFF of A are those at B_OFF of B, by the digests of their pieces alone; nothing is read. */
int art_blob_same(struct art_blob *a, uint64_t a_off, struct art_blob *b, uint64_t b_off, uint64_t len,
		  enum art_same *out, struct art_err *err);

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
