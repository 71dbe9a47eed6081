/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The diff program (format.md section 16.5): new bytes as stretches of the window, what differs in them, and bytes of their own. Programs
 * recompiled from changed sources are the same code with other addresses in it, which a compressor alone cannot see.
 */
#ifndef ART_PATCH_DIFF_H
#define ART_PATCH_DIFF_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"

#define ART_DIFF_HEADER 12
#define ART_DIFF_PROGRAM_MAX (1024 * 1024)

struct art_differ;

/* Finds stretches. For windows up to WINDOW and records up to RECORD bytes. */
int art_differ_new(struct art_differ **out, size_t window, size_t record, struct art_err *err);
void art_differ_free(struct art_differ *d);

/* The program that makes NEW of WINDOW; it belongs to the differ. 0: there is none worth having. */
size_t art_differ_run(struct art_differ *d, const uint8_t *window, size_t window_len,
		      const uint8_t *new, size_t len, const uint8_t **program);

/*
 * Run a program. Every length in it is judged; OUT receives exactly LEN bytes, else ART_E_PATCH_DECODE. Reads nothing outside of
 * WINDOW and PROGRAM, allocates nothing.
 */
int art_diff_apply(const uint8_t *program, size_t program_len, const uint8_t *window,
		   size_t window_len, uint8_t *out, size_t len, struct art_err *err);

#endif
