/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress on stderr: a bar on a terminal (percentage, bytes, rate, time left), nothing
 * when stderr is not one or with -q; JSON lines
 * {"event":"progress","phase","done","total"} with --progress=json. One progress at a
 * time.
 */
#ifndef COMMON_PROGRESS_H
#define COMMON_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* "auto", "none" or "json"; -1 for anything else. */
int progress_set_mode(const char *mode);

/* TOTAL in bytes; UINT64_MAX when it is not known. PHASE is a constant string ("writing
 * rootfs"). */
void progress_begin(const char *phase, uint64_t total);

/* Usable as art_progress_fn; CTX is not used. Cheap: prints at most ten times a second.
 */
void progress_update(void *ctx, uint64_t done, uint64_t total);

/* Takes the bar away; prints the last JSON line. Safe without a begin. */
void progress_end(void);

/* Takes the bar off the line so that a message can be printed; the next update draws it
 * again. */
void progress_clear(void);

#endif
