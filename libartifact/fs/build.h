/* SPDX-License-Identifier: Apache-2.0 */
/* Making a filesystem image out of a directory or a tarball, without root, always the same bytes for the same input. */
#ifndef ART_BUILD_H
#define ART_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "libartifact/err.h"

struct art_build_options {
	const char *filesystem; /* "ext4" or "squashfs" */
	uint64_t size;          /* ext4: bytes of the image; 0: as small as sensible */
	int64_t time;           /* seconds since 1970, for superblock and for times later than it */
	const char *uuid_seed;  /* UUID and hash seed are derived from this text (name and version) */
	unsigned int jobs;
	const char *label;      /* ext4: volume label, at most 16 bytes; may be NULL */
	bool journal;           /* ext4: also where an image of its size would do without */
};

/* SOURCE: a directory, a tarball, or "-" (a tarball on standard input). The image goes to a sparse unlinked temporary
 * file in TMPDIR (or beside the output: DIRECTORY); *FD is the caller's. */
int art_build_image(int *fd, uint64_t *size, const char *source, const char *directory,
		    const struct art_build_options *opt, struct art_err *err);

/* The same from a tree that the caller has filled (and frees); ext4 only. NAME is for messages. */
struct art_tree;
int art_build_tree(int *fd, uint64_t *size, struct art_tree *tree, const char *name,
		   const char *directory, const struct art_build_options *opt,
		   struct art_err *err);

#endif
