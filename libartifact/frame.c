// SPDX-License-Identifier: Apache-2.0
/* Decoding one frame with a prefix, in memory that is there already. */
#include <stdbool.h>
#include <stdlib.h>

#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_customMem: the decoder must not allocate once it runs */
#include <zstd.h>

#include "libartifact/frame.h"
#include "libartifact/util.h"

/*
 * libzstd allocates a small object for each prefix it is given. A process that may only read and write cannot, so
 * allocations come from here: the context once, and room for one prefix object, used again each time.
 */
#define SCRATCH_SIZE ((size_t)64 * 1024)

struct scratch {
	uint8_t *room;
	bool busy;
};

struct art_unframer {
	ZSTD_DCtx *dctx;
	struct scratch scratch;
	bool sealed; /* after set-up: scratch only */
};

static void *take(void *opaque, size_t size)
{
	struct art_unframer *u = opaque;

	if (!u->sealed)
		return malloc(size);
	if (u->scratch.busy || size > SCRATCH_SIZE)
		return NULL;
	u->scratch.busy = true;
	return u->scratch.room;
}

static void give_back(void *opaque, void *address)
{
	struct art_unframer *u = opaque;

	if (address == u->scratch.room)
		u->scratch.busy = false;
	else
		free(address);
}

int art_unframer_new(struct art_unframer **out, struct art_err *err)
{
	struct art_unframer *u = calloc(1, sizeof(*u));
	ZSTD_customMem memory = { take, give_back, u };

	if (!u)
		return art_fail_memory(err);
	u->scratch.room = malloc(SCRATCH_SIZE);
	u->dctx = ZSTD_createDCtx_advanced(memory);
	if (!u->scratch.room || !u->dctx) {
		art_unframer_free(u);
		return art_fail_memory(err);
	}
	u->sealed = true;
	*out = u;
	return 0;
}

void art_unframer_free(struct art_unframer *u)
{
	if (!u)
		return;
	ZSTD_freeDCtx(u->dctx);
	free(u->scratch.room);
	free(u);
}

static int decode_fail(struct art_err *err, const char *why)
{
	return art_fail(err, ART_E_CHUNK_DECODE, "a chunk does not decode: %s", why);
}

/* Exactly one frame, made as section 8 says. */
static int check_frame(const uint8_t *stored, size_t stored_len, size_t plain_len,
		       struct art_err *err)
{
	ZSTD_frameHeader head;
	size_t n = ZSTD_getFrameHeader(&head, stored, stored_len);

	if (n != 0 || head.frameType != ZSTD_frame)
		return decode_fail(err, "not a zstd frame");
	/* The flag itself: libzstd reports a dictionary id of zero as none. */
	if (head.checksumFlag || head.dictID != 0 || (stored[4] & 3) != 0)
		return decode_fail(err, "its frame has a checksum or a dictionary");
	if (head.windowSize > 8 * ART_MIB)
		return decode_fail(err, "its window is too large");
	if (head.frameContentSize != plain_len)
		return decode_fail(err, "its frame states another length");
	n = ZSTD_findFrameCompressedSize(stored, stored_len);
	if (ZSTD_isError(n) || n != stored_len)
		return decode_fail(err, "not exactly one frame");
	return 0;
}

int art_unframe(struct art_unframer *u, const uint8_t *prefix, size_t prefix_len,
		const uint8_t *stored, size_t len, uint8_t *out, size_t plain_len,
		struct art_err *err)
{
	size_t n;
	int code = check_frame(stored, len, plain_len, err);

	if (code < 0)
		return code;
	ZSTD_DCtx_reset(u->dctx, ZSTD_reset_session_and_parameters);
	n = ZSTD_DCtx_refPrefix(u->dctx, prefix, prefix_len);
	if (!ZSTD_isError(n))
		n = ZSTD_decompressDCtx(u->dctx, out, plain_len, stored, len);
	if (ZSTD_isError(n))
		return decode_fail(err, ZSTD_getErrorName(n));
	if (n != plain_len)
		return decode_fail(err, "another length than its row says");
	return 0;
}

size_t art_frame_plain_len(const uint8_t *stored, size_t len)
{
	unsigned long long n = ZSTD_getFrameContentSize(stored, len);

	return n >= ZSTD_CONTENTSIZE_ERROR || n > SIZE_MAX ? 0 : (size_t)n;
}
