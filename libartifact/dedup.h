/* SPDX-License-Identifier: Apache-2.0 */
/* Which chunks of a segment have been seen before, by their whole SHA-256 and length. */
#ifndef ART_DEDUP_H
#define ART_DEDUP_H

#include <stdbool.h>
#include <stdint.h>

#include "libartifact/digest.h"
#include "libartifact/err.h"

struct art_dedup;

/* For at most ROWS chunks. */
int art_dedup_new(struct art_dedup **out, uint32_t rows, struct art_err *err);
void art_dedup_free(struct art_dedup *d);

/* True: an equal chunk is row *ROW. False: it was not there, and is now, as row *ROW. */
bool art_dedup_find(struct art_dedup *d, const uint8_t sha256[ART_SHA256_LEN], uint32_t len,
		    uint32_t *row);

#endif
