/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decompression in a child process that can do nothing but compute: seccomp's strict mode leaves it read, write and exit. It gets
 * stored bytes that have been authenticated, and what it gives back is believed only after the plain digest has been compared
 * with a copy that it cannot reach any more. Rows are handed over in order and come back in order; some are under way at once, so
 * that parent and child work side by side.
 */
#ifndef INSTALLER_DECODER_H
#define INSTALLER_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libartifact/index.h"
#include "libartifact/patch_table.h"

#define DECODER_SLOTS 4

struct decoder;

/* Start the child for a payload with this prefix. The caller stops it with decoder_free. Memory: about 3.2 MiB in the child;
 * shared pages are touched only as far as chunks are long. */
int decoder_start(struct decoder **out, uint32_t prefix, struct art_err *err);

/* Ends the child at once and waits for it. free(NULL) rule. */
void decoder_free(struct decoder *d);

/* Where the next row's bytes go (ART_CHUNK_MAX of room): stored bytes, or plain bytes to feed. NULL: DECODER_SLOTS rows are
 * under way, take a result first. */
uint8_t *decoder_room(struct decoder *d);

/*
 * Hand over the stored row whose bytes have been put into decoder_room(). FEED: they are its plain bytes, known from elsewhere,
 * for the history only. A row that starts a group makes the child forget the history. ART_E_FAILED: the child has died.
 */
int decoder_submit(struct decoder *d, const struct art_row *row, bool feed,
		   struct art_err *err);

/*
 * Patches, one thing at a time and only while no row is under way. Where the window goes (ART_PATCH_WINDOW_MAX of room); then the STORED bytes, of
 * at most 1 MiB and authenticated, become LEN bytes at OUT, of which nothing is believed. ART_E_PATCH_DECODE; ART_E_FAILED as below.
 */
uint8_t *decoder_window(struct decoder *d);
int decoder_patch(struct decoder *d, enum art_patch_codec codec, size_t window_len,
		  const uint8_t *stored, size_t stored_len, uint8_t *out, size_t len,
		  struct art_err *err);

/* Does the child work? The kernel may refuse it its sandbox long after decoder_start(). Only before the first row. ART_E_FAILED. */
int decoder_test(struct decoder *d, struct art_err *err);

/* Rows handed over whose result has not been taken. */
size_t decoder_pending(const struct decoder *d);

/*
 * The oldest row under way, when it is done: *ROW is what was submitted, and unless *FED its plain bytes, compared with
 * their digest, are in PLAIN (ART_CHUNK_MAX of room). ART_E_CHUNK_DECODE, ART_E_CHUNK_PLAIN; ART_E_FAILED when the child
 * died, stalled for DECODER_TIMEOUT seconds, or answered nonsense.
 */
#define DECODER_TIMEOUT 60
int decoder_result(struct decoder *d, struct art_row *row, uint8_t *plain, bool *fed,
		   struct art_err *err);

#endif
