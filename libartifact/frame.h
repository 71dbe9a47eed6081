/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One zstd frame with raw bytes as its prefix, as chunks (format.md section 8) and patches (section 16) have them. Allocates only in
 * art_unframer_new, so it can run in a process that may do nothing but read and write.
 */
#ifndef ART_FRAME_H
#define ART_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"

struct art_unframer;

/* Memory: about 160 KiB. */
int art_unframer_new(struct art_unframer **out, struct art_err *err);
void art_unframer_free(struct art_unframer *u);

/*
 * Decode the frame that is exactly the LEN bytes at STORED, with PREFIX before it, into exactly PLAIN_LEN bytes at OUT.
 * Everything that section 8 asks of a frame is judged: ART_E_CHUNK_DECODE.
 */
int art_unframe(struct art_unframer *u, const uint8_t *prefix, size_t prefix_len,
		const uint8_t *stored, size_t len, uint8_t *out, size_t plain_len,
		struct art_err *err);

/* The length that the frame at STORED says it decodes to; 0: it is no such frame. A hint until it is decoded. */
size_t art_frame_plain_len(const uint8_t *stored, size_t len);

#endif
