/* SPDX-License-Identifier: Apache-2.0 */
/* The producer's view of a payload in two versions: which rows are missing, and the records that make them. */
#ifndef ART_PATCH_PLAN_H
#define ART_PATCH_PLAN_H

#include "libartifact/patch_table.h"
#include "libartifact/patch_write.h"

struct art_patch_pair;

/* Decodes the payload's images of both artifacts and learns the old one's content. */
int art_patch_pair_open(struct art_patch_pair **out, struct art_reader *old, size_t old_payload,
			struct art_reader *new_, size_t new_payload,
			const struct art_patch_options *opt, struct art_err *err);
void art_patch_pair_free(struct art_patch_pair *pair);

/* Records of one segment, in order: TABLE grows, their stored bytes go to DATA_FD behind one another. *INDEX is the
 * segment's, and the caller's. */
int art_patch_pair_segment(struct art_patch_pair *pair, size_t segment, int data_fd,
			   struct art_patch_table *table, struct art_patch_sums *sums,
			   struct art_err *err);

#endif
