/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a patch (format.md section 16) from two artifacts. Both images are decoded once into temporary files; memory is about 120 MiB,
 * with compressed blocks 220 MiB, whatever their size. Same input, same bytes.
 */
#ifndef ART_PATCH_WRITE_H
#define ART_PATCH_WRITE_H

#include "libartifact/patch_manifest.h"
#include "libartifact/patch_name.h"
#include "libartifact/reader.h"
#include "libartifact/region.h"
#include "libartifact/writer.h"

struct art_patch_options {
	const char *created;
	int (*temp)(int *fd, struct art_err *err); /* an unlinked temporary file */
	/* The compressed blocks of the image in FD, none where it has none; may be NULL. */
	int (*blocks)(int fd, struct art_blocks *out, struct art_err *err);
	int (*prepare)(void *ctx, struct art_err *err); /* called before the file is made; may be NULL */
	void *prepare_ctx;
	art_progress_fn progress; /* may be NULL */
	void *progress_ctx;
};

struct art_patch_sums {
	uint64_t size;     /* bytes of the file */
	uint64_t records;
	uint64_t diffs;    /* of them with a diff program */
	uint64_t blocks;   /* of them with unpacked blocks */
	uint64_t rows;     /* made by records */
	uint64_t plain;    /* their bytes */
	uint64_t stored;   /* what they take in the artifact */
	uint64_t left;     /* bytes of rows that no record has room for: they do not compress */
	uint64_t data;     /* stored bytes of the records */
	uint64_t tables;   /* bytes of indexes and record tables */
};

/* OLD and NEW_ have been parsed and must seek. Payloads go by their names; one that OLD lacks is left out of the patch, and ART_E_USAGE
 * when none is left. On failure no file is left. */
int art_patch_write(const char *path, struct art_reader *old, struct art_reader *new_,
		    const struct art_patch_options *opt, art_sign_fn sign, void *sign_ctx,
		    struct art_patch_sums *sums, struct art_err *err);

#endif
