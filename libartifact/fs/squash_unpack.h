/* SPDX-License-Identifier: Apache-2.0 */
/* The compressors of squashfs. */
#ifndef ART_SQUASH_UNPACK_H
#define ART_SQUASH_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"

/* METHOD is the superblock's number. *LEN: room in OUT, then what was written. */
int squash_unpack(unsigned int method, const uint8_t *in, size_t in_len, uint8_t *out,
		  size_t *len, struct art_err *err);

/* Whether METHOD is known to this build. */
int squash_can_unpack(unsigned int method, struct art_err *err);

#endif
