/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding chunks (format.md section 8). A decoder keeps the history of one group; rows are handed to it in
 * order. It allocates only in art_decoder_new, so it can run in a process that may do nothing but read and write.
 */
#ifndef ART_CHUNK_H
#define ART_CHUNK_H

#include "libartifact/index.h"

struct art_decoder;

/* PREFIX is the payload's. Memory: about prefix + 2 MiB + 160 KiB. */
int art_decoder_new(struct art_decoder **out, uint32_t prefix, struct art_err *err);
void art_decoder_free(struct art_decoder *d);

/* Forget the history: before the first row of a group. */
void art_decoder_reset(struct art_decoder *d);

/*
 * Decode one stored chunk (zstd or raw) whose stored digest the caller has checked, and append it to
 * the history. *PLAIN points into the decoder and is valid until the next call. The plain digest is NOT
 * checked here (a sandboxed decoder would not be believed): see art_row_check_plain. ART_E_CHUNK_DECODE.
 */
int art_decoder_chunk(struct art_decoder *d, enum art_row_type type, const uint8_t *stored,
		      uint32_t stored_len, uint32_t plain_len, const uint8_t **plain,
		      struct art_err *err);

/* Append the plain bytes of a stored row that the caller has otherwise (a seed) to the history. */
int art_decoder_feed(struct art_decoder *d, const uint8_t *plain, uint32_t plain_len,
		     struct art_err *err);

/* Compare digests with a reused SHA-256 object. ART_E_CHUNK_STORED, ART_E_CHUNK_PLAIN. */
int art_row_check_stored(const struct art_row *row, const uint8_t *stored,
			 struct art_digest *sha256, struct art_err *err);
int art_row_check_plain(const struct art_row *row, const uint8_t *plain,
			struct art_digest *sha256, struct art_err *err);

#endif
