/* SPDX-License-Identifier: Apache-2.0 */
/* Passphrases and PINs: from a file, or typed on a terminal without echo. Never from the command line. */
#ifndef MK_SECRET_H
#define MK_SECRET_H

#include <stddef.h>

#include "libartifact/err.h"

#define MK_SECRET_MAX 1023

struct mk_secret {
	size_t len;
	char text[MK_SECRET_MAX + 1]; /* terminated */
};

/*
 * From FILE (its last line end is not part of it) or, when FILE is NULL and standard input is a terminal,
 * by asking "PROMPT: ". ART_E_IO, ART_E_USAGE: empty, too long, or nobody to ask. The caller wipes.
 */
int mk_secret_read(struct mk_secret *secret, const char *file, const char *prompt,
		   struct art_err *err);

/* The same for a new secret: a terminal is asked twice. */
int mk_secret_read_new(struct mk_secret *secret, const char *file, const char *prompt,
		       struct art_err *err);

void mk_secret_wipe(struct mk_secret *secret);

#endif
