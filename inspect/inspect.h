/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands of artifact-inspect share: their options, and an artifact opened
 * and judged. */
#ifndef INSPECT_H
#define INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libartifact/patch_source.h"
#include "libartifact/reader.h"

struct art_blob;
struct art_fs;
struct json_t;

struct inspect_options {
	const char *keys;      /* --keys: NULL when not given */
	const char *payload;   /* --payload: NULL: the first rootfs-image */
	const char *directory; /* -C */
	const char *output;    /* -o */
	const char *old;       /* --old */
	const char *patch;     /* --patch */
	bool deep;
	bool insecure;
	bool is_long;
	bool recursive;
};

/* A subcommand: ARGV are its operands. Returns the exit status, having printed its
 * errors. */
typedef int (*inspect_fn)(const struct inspect_options *opt, int argc, char *const *argv);
int inspect_show(const struct inspect_options *opt, int argc, char *const *argv);
int inspect_verify(const struct inspect_options *opt, int argc, char *const *argv);
int inspect_ls(const struct inspect_options *opt, int argc, char *const *argv);
int inspect_cat(const struct inspect_options *opt, int argc, char *const *argv);
int inspect_extract(const struct inspect_options *opt, int argc, char *const *argv);
int inspect_image(const struct inspect_options *opt, int argc, char *const *argv);
int inspect_packages(const struct inspect_options *opt, int argc, char *const *argv);
int inspect_diff(const struct inspect_options *opt, int argc, char *const *argv);

/* An artifact; zeroed, it is closed. */
struct inspect_file {
	struct art_source *src;
	bool is_url;
	struct art_reader *reader;
	struct art_patch *patch; /* instead of READER, when the file is a patch */
	struct art_trust *trust; /* NULL: no --keys, nothing is judged */
	struct art_siglist sigs;
	struct art_verdict verdict;
	bool trusted;
};

/*
 * Keys, source (path, "-" or URL), the first two members, and with --keys the verdict;
 * the manifest is parsed when the verdict is good or none was asked for. F->sigs and
 * F->verdict hold what was found on failure too. SEEK: the caller will read here and
 * there; a pipe is spooled into an unlinked temporary file.
 */
int inspect_open(struct inspect_file *f, const char *name,
		 const struct inspect_options *opt, bool seek, struct art_err *err);
/* The same, and patches too. */
int inspect_open_any(struct inspect_file *f, const char *name,
		     const struct inspect_options *opt, bool seek, struct art_err *err);
/* The bytes that are signed: manifest.json or patch.json. */
const uint8_t *inspect_signed_bytes(const struct inspect_file *f, size_t *len);
uint64_t inspect_total_size(const struct inspect_file *f);
void inspect_close(struct inspect_file *f);

/* Put the operand NAME in front of the error; of a URL what may be shown. Returns its code. */
int inspect_wrap(struct art_err *err, const char *name);

/* Refuse (ART_E_KEY_NONE) to hand an image to a filesystem library when nobody vouches
 * for it. */
int inspect_require_trust(const struct inspect_file *f, const struct inspect_options *opt,
			  struct art_err *err);

/* The payload that --payload names, or the first rootfs-image. */
int inspect_find_payload(const struct inspect_file *f, const struct inspect_options *opt,
			 size_t *payload, struct art_err *err);

/* The filesystem in it: requires trust. BLOB and FS are the caller's (close FS first).
 * CACHED: what was decoded is kept in a sparse temporary file, for those who read the
 * whole image out of order. */
int inspect_open_fs(struct inspect_file *f, const struct inspect_options *opt,
		    bool cached, struct art_blob **blob, struct art_fs **fs,
		    struct art_err *err);

/* An unlinked temporary file in TMPDIR. */
int inspect_temp_file(int *fd, struct art_err *err);
/* What messages call it: where it lies, and what says so. One for the whole run. */
const char *inspect_temp_name(void);

#endif
