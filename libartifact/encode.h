/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding one group into stored chunks (format.md section 8). One encoder serves one thread; the same
 * input gives the same bytes in any of them.
 */
#ifndef ART_ENCODE_H
#define ART_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libartifact/index.h"

#define ART_PREFIX_DEFAULT (1024 * 1024)
#define ART_LEVEL_DEFAULT 12
#define ART_LEVEL_MAX 19
#define ART_LEVEL_BEST (ART_LEVEL_MAX + 1) /* --level max */

struct art_encoder;

/* LEVEL: 1..ART_LEVEL_BEST. */
int art_encoder_new(struct art_encoder **out, int level, uint32_t prefix, struct art_err *err);
void art_encoder_free(struct art_encoder *e);

struct art_stored {
	enum art_row_type type; /* ART_ROW_ZSTD or ART_ROW_RAW */
	uint32_t len;
};

/*
 * The COUNT chunks of LENGTHS bytes lie one behind the other in PLAIN: the stored rows of one group, at most
 * ART_GROUP_MAX bytes. PROGRAMS: most of them are machine code, which is searched in another way. Their stored
 * bytes go one behind the other to OUT, which holds as many bytes as PLAIN.
 * Every compressed chunk has been decoded and compared before this returns 0.
 */
int art_encoder_group(struct art_encoder *e, const uint8_t *plain, const uint32_t *lengths,
		      size_t count, bool programs, uint8_t *out, struct art_stored *stored,
		      struct art_err *err);

#endif
