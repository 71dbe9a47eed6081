/* SPDX-License-Identifier: Apache-2.0 */
/* The codecs of patches (format.md section 16.5): a record out of its window and its stored bytes, and the way there. */
#ifndef ART_PATCH_CODEC_H
#define ART_PATCH_CODEC_H

#include "libartifact/patch_table.h"

/*
 * Decoding. The decoder allocates only when it is made, so it can run in a sandbox. Memory: about 24 MiB, touched as far as
 * codec 2 is met (some 4 MiB for squashfs as mksquashfs makes it) and programs are long. Stored bytes must have been compared with their digest; what comes out must be compared with the rows'.
 */
struct art_patch_decoder;
int art_patch_decoder_new(struct art_patch_decoder **out, struct art_err *err);
void art_patch_decoder_free(struct art_patch_decoder *d);

/* Into exactly LEN bytes at OUT; ART_E_PATCH_DECODE. */
int art_patch_decode(struct art_patch_decoder *d, enum art_patch_codec codec,
		     const uint8_t *window, size_t window_len, const uint8_t *stored,
		     size_t stored_len, uint8_t *out, size_t len, struct art_err *err);

/* Encoding: the codec that gives the least, decoded again and compared before it is given out. */
struct art_patch_encoder;
int art_patch_encoder_new(struct art_patch_encoder **out, struct art_err *err);
void art_patch_encoder_free(struct art_patch_encoder *e);

/* *STORED belongs to the encoder. RECORD's codec and stored_len are set. LEN: 1 .. 1 MiB. */
int art_patch_encode(struct art_patch_encoder *e, const uint8_t *window, size_t window_len,
		     const uint8_t *plain, size_t len, struct art_patch_record *record,
		     const uint8_t **stored, struct art_err *err);

/* One frame of zstd with PREFIX before it, for what a patch carries; as thorough as can be. */
int art_patch_pack(struct art_patch_encoder *e, const uint8_t *prefix, size_t prefix_len,
		   const uint8_t *plain, size_t len, const uint8_t **stored, size_t *stored_len,
		   struct art_err *err);

#endif
