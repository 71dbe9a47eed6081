/* SPDX-License-Identifier: Apache-2.0 */
/* A finished artifact whose signatures are to be changed. */
#ifndef MK_LOAD_H
#define MK_LOAD_H

#include "libartifact/reader.h"
#include "libartifact/sig.h"

struct mk_load {
	struct art_source *source;
	struct art_reader *reader;
	const uint8_t *manifest; /* the exact bytes; the reader's */
	size_t len;
	struct art_siglist list; /* the signatures that are there */
};

/* Reads PATH and judges its manifest and its size, so that nobody signs what no device would take; no
 * signature is judged. mk_load_free also after a failure, on a struct that was zeroed before. */
int mk_load_open(struct mk_load *load, const char *path, struct art_err *err);
void mk_load_free(struct mk_load *load);

#endif
