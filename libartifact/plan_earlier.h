/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What images of earlier releases hold, page by page, so that a plan can be cut where they and the new image part. A device finds a chunk
 * at any page of what it has, not only where a chunk of its old index began: so the producer, who knows both images, says by his cuts
 * what is old.
 */
#ifndef ART_PLAN_EARLIER_H
#define ART_PLAN_EARLIER_H

#include <stdint.h>

#include "libartifact/blob.h"
#include "libartifact/plan.h"

struct art_earlier;

int art_earlier_new(struct art_earlier **out, struct art_err *err);
void art_earlier_free(struct art_earlier *e);

/* Read through IMAGE, once and in order, and learn its pages. Memory: about 24 bytes for each page that is not zero. PROGRESS may be NULL and hears of DONE of
 * TOTAL bytes. At most ART_EARLIER_PAGES of all images; what is beyond is not learnt, and read no more. */
#define ART_EARLIER_PAGES (UINT32_C(1) << 24)
int art_earlier_add(struct art_earlier *e, struct art_blob *image,
		    void (*progress)(void *ctx, uint64_t done, uint64_t total), struct art_err *err);

/*
 * PLAN, made of VIEW, with its chunks cut in pieces: runs of pages that lie so, one behind the other, in an earlier image, and what lies
 * between. Groups and zero runs stay; chunks that do not lie on pages (blocks of squashfs) stay whole. OUT is zeroed by the caller
 * and released with art_plan_clear, also after a failure.
 */
int art_earlier_cut(struct art_earlier *e, const struct art_plan *plan, struct art_view *view,
		    struct art_plan *out, struct art_err *err);

#endif
