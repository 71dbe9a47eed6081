/* SPDX-License-Identifier: Apache-2.0 */
/* The stored rows of an image by the length and digest of their plain bytes, and where they are in it. */
#ifndef ART_PATCH_SEED_H
#define ART_PATCH_SEED_H

#include "libartifact/reader.h"

struct art_patch_seed;

int art_patch_seed_new(struct art_patch_seed **out, struct art_err *err);
void art_patch_seed_free(struct art_patch_seed *seed);

/* All rows of a payload; finding comes after adding. */
int art_patch_seed_add_payload(struct art_patch_seed *seed, struct art_reader *reader,
			       size_t payload, struct art_err *err);
int art_patch_seed_add(struct art_patch_seed *seed, const struct art_row *row, uint64_t off,
		       struct art_err *err);

/* True: a row like ROW lies at *OFF (may be NULL) of the image. */
bool art_patch_seed_find(struct art_patch_seed *seed, const struct art_row *row, uint64_t *off);

#endif
