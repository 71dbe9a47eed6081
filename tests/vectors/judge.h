/* SPDX-License-Identifier: Apache-2.0 */
/* The whole judgement of an artifact by libartifact alone: what the probe and the bit-flip test share. */
#ifndef TEST_JUDGE_H
#define TEST_JUDGE_H

#include "libartifact/compat.h"
#include "libartifact/source.h"
#include "libartifact/trust.h"

/* In the order of format.md section 10, every byte, decoding included. DEVICE NULL: compatibility
 * is not asked about. 0 or the first fault. */
int judge_artifact(struct art_source *src, const struct art_trust *trust,
		   const struct art_device *device, struct art_err *err);

#endif
