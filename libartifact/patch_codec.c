// SPDX-License-Identifier: Apache-2.0
/*
 * Decoding records. Device and producer use the same code, the producer to see that what it has made is right.
 */
#include <stdlib.h>
#include <string.h>

#include "libartifact/frame.h"
#include "libartifact/patch_blocks.h"
#include "libartifact/patch_codec.h"
#include "libartifact/patch_diff.h"

struct art_patch_decoder {
	struct art_unframer *unframer;
	uint8_t *program;
	struct art_repacker *repacker;
	struct art_recipe *recipe;
	uint8_t *inner_window; /* ART_PATCH_WINDOW_MAX; the repacker's, which comes after it */
	uint8_t *inner;        /* ART_PATCH_RECORD_MAX */
};

int art_patch_decoder_new(struct art_patch_decoder **out, struct art_err *err)
{
	struct art_patch_decoder *d = calloc(1, sizeof(*d));
	int code;

	if (!d)
		return art_fail_memory(err);
	d->program = malloc(ART_DIFF_PROGRAM_MAX);
	d->recipe = malloc(sizeof(*d->recipe));
	d->inner = malloc(ART_PATCH_RECORD_MAX);
	code = d->program && d->recipe && d->inner ?
		       art_unframer_new(&d->unframer, err) : art_fail_memory(err);
	if (code == 0)
		code = art_repacker_new(&d->repacker, err);
	if (code < 0) {
		art_patch_decoder_free(d);
		return code;
	}
	d->inner_window = art_repacker_room(d->repacker);
	*out = d;
	return 0;
}

void art_patch_decoder_free(struct art_patch_decoder *d)
{
	if (!d)
		return;
	art_unframer_free(d->unframer);
	art_repacker_free(d->repacker);
	free(d->program);
	free(d->recipe);
	free(d->inner);
	free(d);
}

static int decode_diff(struct art_patch_decoder *d, const uint8_t *window, size_t window_len,
		       const uint8_t *stored, size_t stored_len, uint8_t *out, size_t len,
		       struct art_err *err)
{
	size_t n = art_frame_plain_len(stored, stored_len);
	int code;

	if (n == 0 || n > ART_DIFF_PROGRAM_MAX)
		return art_fail(err, ART_E_PATCH_DECODE, "a diff program of an impossible length");
	code = art_unframe(d->unframer, NULL, 0, stored, stored_len, d->program, n, err);
	return code < 0 ? code : art_diff_apply(d->program, n, window, window_len, out, len, err);
}

/* Codecs 0 and 1. */
static int decode_plain(struct art_patch_decoder *d, enum art_patch_codec codec,
			const uint8_t *window, size_t window_len, const uint8_t *stored,
			size_t stored_len, uint8_t *out, size_t len, struct art_err *err)
{
	if (codec == ART_PATCH_ZSTD)
		return art_unframe(d->unframer, window, window_len, stored, stored_len, out, len,
				   err);
	return decode_diff(d, window, window_len, stored, stored_len, out, len, err);
}

static int unpack_blocks(struct art_patch_decoder *d, const uint8_t *window, size_t *inner_len,
			 struct art_err *err)
{
	size_t done = 0;
	uint32_t i;

	for (i = 0; i < d->recipe->block_count; i++) {
		const struct art_recipe_block *b = &d->recipe->blocks[i];
		const uint8_t *from = window + b->off;
		size_t n = b->raw ? b->len : art_frame_plain_len(from, b->len);
		int code = 0;

		if (n == 0 || n > ART_PATCH_WINDOW_MAX - done)
			return art_fail(err, ART_E_PATCH_DECODE, "a block of an impossible length");
		if (b->raw)
			memcpy(d->inner_window + done, from, n);
		else
			code = art_unframe(d->unframer, NULL, 0, from, b->len,
					   d->inner_window + done, n, err);
		if (code < 0)
			return code;
		done += n;
	}
	*inner_len = done;
	return 0;
}

static int repack_pieces(struct art_patch_decoder *d, uint8_t *out, size_t len,
			 struct art_err *err)
{
	const uint8_t *from = d->inner;
	size_t done = 0;
	uint32_t i;

	for (i = 0; i < d->recipe->piece_count; i++) {
		const struct art_recipe_piece *p = &d->recipe->pieces[i];
		size_t n = p->len;

		if (!p->raw)
			n = art_repack(d->repacker, d->recipe->level, from, p->len, out + done,
				       len - done);
		else if (n <= len - done)
			memcpy(out + done, from, n);
		if (n == 0 || n > len - done)
			return art_fail(err, ART_E_PATCH_DECODE, "a piece that does not fit");
		done += n;
		from += p->len;
	}
	return done == len ? 0 : art_fail(err, ART_E_PATCH_DECODE,
					  "pieces that do not give what is due");
}

static int decode_blocks(struct art_patch_decoder *d, const uint8_t *window, size_t window_len,
			 const uint8_t *stored, size_t stored_len, uint8_t *out, size_t len,
			 struct art_err *err)
{
	const uint8_t *p = stored, *end = stored + stored_len;
	size_t inner_len;
	int code = art_recipe_get(d->recipe, &p, end, window_len, err);

	if (code == 0)
		code = unpack_blocks(d, window, &inner_len, err);
	if (code == 0)
		code = decode_plain(d, d->recipe->codec, d->inner_window, inner_len, p,
				    (size_t)(end - p), d->inner, d->recipe->inner_len, err);
	return code < 0 ? code : repack_pieces(d, out, len, err);
}

int art_patch_decode(struct art_patch_decoder *d, enum art_patch_codec codec,
		     const uint8_t *window, size_t window_len, const uint8_t *stored,
		     size_t stored_len, uint8_t *out, size_t len, struct art_err *err)
{
	int code;

	if (codec == ART_PATCH_BLOCKS)
		code = decode_blocks(d, window, window_len, stored, stored_len, out, len, err);
	else if (codec < ART_PATCH_BLOCKS)
		code = decode_plain(d, codec, window, window_len, stored, stored_len, out, len, err);
	else
		code = art_fail(err, ART_E_PATCH_DECODE, "an unknown codec");
	if (code == ART_E_CHUNK_DECODE)
		code = art_fail(err, ART_E_PATCH_DECODE, "a record of the patch does not decode");
	return code;
}
