/* SPDX-License-Identifier: Apache-2.0 */
/* What verify of an artifact and of a patch share. */
#ifndef INSPECT_VERIFY_H
#define INSPECT_VERIFY_H

#include "inspect/inspect.h"

struct deep;

struct verify {
	struct inspect_file file;
	const struct inspect_options *opt;
	struct json_t *checks;
	bool lost;	   /* a check could not be put into CHECKS for want of memory */
	uint8_t *stored;   /* ART_CHUNK_MAX */
	struct deep *deep; /* NULL: without --deep */
};

/* A line for each check; MARK is "ok", "--" (does not count) or "bad". */
void verify_note(struct verify *v, const char *mark, const char *check, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* All of a patch that inspect_open_any has opened and authenticated. */
int verify_patch(struct verify *v, struct art_err *err);

#endif
