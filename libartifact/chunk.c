// SPDX-License-Identifier: Apache-2.0
/*
 * Decoding chunks. Plain bytes are produced straight into the history buffer, which slides when it is full, so
 * the prefix of a chunk is always the bytes before it and is never copied for the decoder's sake.
 */
#include <stdlib.h>
#include <string.h>

#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_customMem: the decoder must not allocate once it runs */
#include <zstd.h>

#include "libartifact/chunk.h"
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

struct art_decoder {
	ZSTD_DCtx *dctx;
	struct scratch scratch;
	bool sealed; /* after set-up: scratch only */
	uint32_t prefix;
	size_t cap;
	size_t start; /* history of the group begins here in buf */
	size_t len;   /* and ends here */
	uint8_t *buf;
};

static void *take(void *opaque, size_t size)
{
	struct art_decoder *d = opaque;

	if (!d->sealed)
		return malloc(size);
	if (d->scratch.busy || size > SCRATCH_SIZE)
		return NULL;
	d->scratch.busy = true;
	return d->scratch.room;
}

static void give_back(void *opaque, void *address)
{
	struct art_decoder *d = opaque;

	if (address == d->scratch.room)
		d->scratch.busy = false;
	else
		free(address);
}

int art_decoder_new(struct art_decoder **out, uint32_t prefix, struct art_err *err)
{
	struct art_decoder *d;
	ZSTD_customMem memory = { take, give_back, NULL };

	if (prefix > ART_PREFIX_MAX)
		return art_fail(err, ART_E_FAILED, "a prefix of %u bytes is too long", prefix);
	d = calloc(1, sizeof(*d));
	if (!d)
		return art_fail_memory(err);
	memory.opaque = d;
	d->prefix = prefix;
	d->cap = prefix + 2 * (size_t)ART_CHUNK_MAX;
	d->buf = malloc(d->cap);
	d->scratch.room = malloc(SCRATCH_SIZE);
	d->dctx = ZSTD_createDCtx_advanced(memory);
	if (!d->buf || !d->scratch.room || !d->dctx) {
		art_decoder_free(d);
		return art_fail_memory(err);
	}
	d->sealed = true;
	*out = d;
	return 0;
}

void art_decoder_free(struct art_decoder *d)
{
	if (!d)
		return;
	ZSTD_freeDCtx(d->dctx);
	free(d->scratch.room);
	free(d->buf);
	free(d);
}

void art_decoder_reset(struct art_decoder *d)
{
	d->start = d->len = 0;
}

/* Room for PLAIN_LEN more bytes behind the history; only the last `prefix` bytes of it are kept. */
static uint8_t *make_room(struct art_decoder *d, uint32_t plain_len)
{
	size_t keep = d->len - d->start;

	if (keep > d->prefix)
		keep = d->prefix;
	if (d->len + plain_len > d->cap) {
		memmove(d->buf, d->buf + d->len - keep, keep);
		d->len = keep;
	}
	d->start = d->len - keep;
	return d->buf + d->len;
}

static int decode_fail(struct art_err *err, const char *why)
{
	return art_fail(err, ART_E_CHUNK_DECODE, "a chunk does not decode: %s", why);
}

/* Exactly one frame, made as section 8 says. */
static int check_frame(const uint8_t *stored, uint32_t stored_len, uint32_t plain_len,
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

static int decode_zstd(struct art_decoder *d, const uint8_t *stored, uint32_t stored_len,
		       uint8_t *room, uint32_t plain_len, struct art_err *err)
{
	size_t n;
	int code = check_frame(stored, stored_len, plain_len, err);

	if (code < 0)
		return code;
	ZSTD_DCtx_reset(d->dctx, ZSTD_reset_session_and_parameters);
	n = ZSTD_DCtx_refPrefix(d->dctx, d->buf + d->start, d->len - d->start);
	if (!ZSTD_isError(n))
		n = ZSTD_decompressDCtx(d->dctx, room, plain_len, stored, stored_len);
	if (ZSTD_isError(n))
		return decode_fail(err, ZSTD_getErrorName(n));
	if (n != plain_len)
		return decode_fail(err, "another length than its row says");
	return 0;
}

int art_decoder_chunk(struct art_decoder *d, enum art_row_type type, const uint8_t *stored,
		      uint32_t stored_len, uint32_t plain_len, const uint8_t **plain,
		      struct art_err *err)
{
	uint8_t *room;
	int code = 0;

	if (plain_len == 0 || plain_len > ART_CHUNK_MAX)
		return decode_fail(err, "its length is out of bounds");
	room = make_room(d, plain_len);
	if (type == ART_ROW_ZSTD)
		code = decode_zstd(d, stored, stored_len, room, plain_len, err);
	else if (type == ART_ROW_RAW && stored_len == plain_len)
		memcpy(room, stored, plain_len);
	else
		code = decode_fail(err, "its row stores nothing that could be decoded");
	if (code < 0)
		return code;
	d->len += plain_len;
	*plain = room;
	return 0;
}

int art_decoder_feed(struct art_decoder *d, const uint8_t *plain, uint32_t plain_len,
		     struct art_err *err)
{
	if (plain_len > ART_CHUNK_MAX)
		return decode_fail(err, "its length is out of bounds");
	memcpy(make_room(d, plain_len), plain, plain_len);
	d->len += plain_len;
	return 0;
}

int art_row_check_stored(const struct art_row *row, const uint8_t *stored,
			 struct art_digest *sha256, struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	int code = art_digest_once(sha256, stored, row->stored_len, digest, err);

	if (code == 0 && memcmp(digest, row->stored_digest, ART_STORED_DIGEST) != 0)
		code = art_fail(err, ART_E_CHUNK_STORED,
				"the stored bytes of chunk %u do not match their digest", row->number);
	return code;
}

int art_row_check_plain(const struct art_row *row, const uint8_t *plain,
			struct art_digest *sha256, struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	int code = art_digest_once(sha256, plain, row->plain_len, digest, err);

	if (code == 0 && memcmp(digest, row->plain_digest, ART_PLAIN_DIGEST) != 0)
		code = art_fail(err, ART_E_CHUNK_PLAIN, "chunk %u does not match its digest",
				row->number);
	return code;
}
