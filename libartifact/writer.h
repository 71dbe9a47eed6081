/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making an artifact: images are cut (plan.c), compressed in parallel (encode.c) and laid into a file that
 * appears only when complete. Same input, same bytes, at any number of threads.
 */
#ifndef ART_WRITER_H
#define ART_WRITER_H

#include <stdbool.h>

#include "libartifact/manifest.h"
#include "libartifact/region.h"

struct art_earlier;

struct art_write_payload {
	int fd;                       /* the image; read with pread only, at most twice */
	const char *source;           /* its name, for messages */
	uint64_t size;
	const struct art_regions *regions; /* NULL: one DATA region */
	struct art_earlier *earlier;       /* NULL: no earlier release is known */
};

struct art_write_doc {
	const char *name;
	const uint8_t *bytes;
	size_t len;
};

/* Called from the writing thread only. DONE of TOTAL plain bytes. */
typedef void (*art_progress_fn)(void *ctx, uint64_t done, uint64_t total);

struct art_write_options {
	int level;                /* 1..ART_LEVEL_BEST */
	unsigned int jobs;        /* threads, >= 1 */
	size_t sig_room;          /* bytes of manifest.sig, multiple of 4096 */
	art_progress_fn progress; /* may be NULL */
	void *progress_ctx;
};

/* Signs a finished manifest: fills LIST. NULL function: unsigned. */
struct art_siglist;
typedef int (*art_sign_fn)(void *ctx, const uint8_t *manifest, size_t len,
			   struct art_siglist *list, struct art_err *err);

/*
 * Write the artifact PATH. M holds everything but what the writer finds out itself: for each payload (same
 * order as PAYLOADS) name, kind and filesystem are set, size, sha256, prefix and segments are filled in here;
 * docs likewise are filled from DOCS. On failure no file is left. ART_E_SOURCE_CHANGED when an image is not
 * the same at the second reading.
 */
int art_write(const char *path, struct art_manifest *m, const struct art_write_payload *payloads,
	      const struct art_write_doc *docs, const struct art_write_options *opt,
	      art_sign_fn sign, void *sign_ctx, struct art_err *err);

/* Replace manifest.sig of an artifact in place-safe manner: copies to a new file (reflink where the filesystem can) and
 * renames. The payload is not read through. ART_E_USAGE when LIST does not fit the reserved room. */
int art_write_signatures(const char *path, const struct art_siglist *list,
			 struct art_err *err);

#endif
