// SPDX-License-Identifier: Apache-2.0
/*
 * Decoding records. Device and producer use the same code, the producer to see that what it has made is right.
 */
#include <stdlib.h>

#include "libartifact/frame.h"
#include "libartifact/patch_codec.h"
#include "libartifact/patch_diff.h"

struct art_patch_decoder {
	struct art_unframer *unframer;
	uint8_t *program;
};

int art_patch_decoder_new(struct art_patch_decoder **out, struct art_err *err)
{
	struct art_patch_decoder *d = calloc(1, sizeof(*d));
	int code;

	if (!d)
		return art_fail_memory(err);
	d->program = malloc(ART_DIFF_PROGRAM_MAX);
	code = d->program ? art_unframer_new(&d->unframer, err) : art_fail_memory(err);
	if (code < 0) {
		art_patch_decoder_free(d);
		return code;
	}
	*out = d;
	return 0;
}

void art_patch_decoder_free(struct art_patch_decoder *d)
{
	if (!d)
		return;
	art_unframer_free(d->unframer);
	free(d->program);
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

int art_patch_decode(struct art_patch_decoder *d, enum art_patch_codec codec,
		     const uint8_t *window, size_t window_len, const uint8_t *stored,
		     size_t stored_len, uint8_t *out, size_t len, struct art_err *err)
{
	int code;

	if (codec == ART_PATCH_ZSTD)
		code = art_unframe(d->unframer, window, window_len, stored, stored_len, out, len,
				   err);
	else if (codec == ART_PATCH_DIFF)
		code = decode_diff(d, window, window_len, stored, stored_len, out, len, err);
	else
		code = art_fail(err, ART_E_PATCH_DECODE, "an unknown codec");
	if (code == ART_E_CHUNK_DECODE)
		code = art_fail(err, ART_E_PATCH_DECODE, "a record of the patch does not decode");
	return code;
}
