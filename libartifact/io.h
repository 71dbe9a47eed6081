/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Full reads and writes. EINTR is retried, short counts are completed, descriptors are
 * O_CLOEXEC. Errors say what was done on what: NAME is the path or "standard input".
 */
#ifndef ART_IO_H
#define ART_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "libartifact/err.h"

/* What errors call a file without a name that the caller made. */
#define ART_TEMP_NAME "temporary file (TMPDIR says where)"

/* Read up to LEN bytes; fewer only at the end of the file. Returns the count or an error. */
ssize_t art_read_full(int fd, void *buf, size_t len, const char *name, struct art_err *err);
ssize_t art_pread_full(int fd, void *buf, size_t len, uint64_t off, const char *name,
		       struct art_err *err);

/* Write all of LEN bytes or fail (ART_E_IO, ART_E_SPACE). */
int art_write_full(int fd, const void *buf, size_t len, const char *name, struct art_err *err);
int art_pwrite_full(int fd, const void *buf, size_t len, uint64_t off, const char *name,
		    struct art_err *err);

/* Read a whole small file of at most MAX bytes into a new buffer with a NUL after it.
 * The caller frees *OUT. Larger: ART_E_IO. */
int art_read_file(const char *path, size_t max, uint8_t **out, size_t *len,
		  struct art_err *err);

/* A file without a name in DIRECTORY, to write and read: nothing is left of it when the program ends in any way. -1 with errno. */
int art_open_unnamed(const char *directory);

/* The first byte at or after OFF that may differ from zero; END when there is none before that. A device has no holes. */
uint64_t art_skip_hole(int fd, uint64_t off, uint64_t end);

/*
 * A file that appears under its name only when it is complete: art_out_open makes one without a name in
 * the directory of PATH, so that nothing is left of a program that is killed (a hidden one where the
 * filesystem knows no O_TMPFILE); art_out_commit syncs it, puts it in the place of PATH and syncs the
 * directory; art_out_abort drops it (safe after a commit and on ART_OUT_INIT).
 * A PATH that exists is replaced by the commit only.
 */
struct art_out {
	int fd;      /* read and write; valid between open and commit or abort */
	char *path;
	char *temp;  /* its name until the commit */
	bool named;  /* it is there under that name */
};
#define ART_OUT_INIT { -1, NULL, NULL, false }

/* May PATH be an output? ART_E_USAGE when something is there that is no regular file: a link too, which the commit would
 * replace, not follow. Nothing has been opened yet. */
int art_out_check(const char *path, struct art_err *err);
/* ART_E_USAGE when PATH is the same file as INPUT, which may be NULL or the name of nothing. */
int art_out_check_input(const char *path, const char *input, struct art_err *err);

int art_out_open(struct art_out *out, const char *path, unsigned int mode,
		 struct art_err *err);
int art_out_commit(struct art_out *out, struct art_err *err);
/* Instead of art_out_commit: not synced, and never in the place of anything, which is ART_E_IO with EEXIST. */
int art_out_place(struct art_out *out, struct art_err *err);
void art_out_abort(struct art_out *out);

#endif
