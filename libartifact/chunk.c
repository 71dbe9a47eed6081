// SPDX-License-Identifier: Apache-2.0
/*
 * Decoding chunks. Plain bytes are produced straight into the history buffer, which slides when it is full, so
 * the prefix of a chunk is always the bytes before it and is never copied for the decoder's sake.
 */
#include <stdlib.h>
#include <string.h>

#include "libartifact/chunk.h"
#include "libartifact/frame.h"
#include "libartifact/util.h"

/* How far the history runs on behind the prefix before it slides: less is less memory touched, and more of it moved. */
#define SLIDE ((size_t)256 * 1024)

struct art_decoder {
	struct art_unframer *unframer;
	uint32_t prefix;
	size_t start; /* history of the group begins here in buf */
	size_t len;   /* and ends here */
	uint8_t *buf;
};

int art_decoder_new(struct art_decoder **out, uint32_t prefix, struct art_err *err)
{
	struct art_decoder *d;
	int code;

	if (prefix > ART_PREFIX_MAX)
		return art_fail(err, ART_E_FAILED, "a prefix of %u bytes is too long", prefix);
	d = calloc(1, sizeof(*d));
	if (!d)
		return art_fail_memory(err);
	d->prefix = prefix;
	d->buf = malloc(prefix + ART_CHUNK_MAX);
	code = d->buf ? art_unframer_new(&d->unframer, err) : art_fail_memory(err);
	if (code < 0) {
		art_decoder_free(d);
		return code;
	}
	*out = d;
	return 0;
}

void art_decoder_free(struct art_decoder *d)
{
	if (!d)
		return;
	art_unframer_free(d->unframer);
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
	size_t room = plain_len > SLIDE ? plain_len : SLIDE;

	if (keep > d->prefix)
		keep = d->prefix;
	if (d->len + plain_len > d->prefix + room) {
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
		code = art_unframe(d->unframer, d->buf + d->start, d->len - d->start, stored,
				   stored_len, room, plain_len, err);
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
