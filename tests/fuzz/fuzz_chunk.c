// SPDX-License-Identifier: Apache-2.0
/*
 * A stream of chunks through one decoder. Input: 3 bytes prefix, then records of 1 byte what to do, 3 bytes plain
 * length, 2 bytes stored length, stored bytes. (Little-endian; tests/fuzz/seeds.py writes the same.)
 */
#include <string.h>

#include "fuzz.h"
#include "libartifact/chunk.h"

#define RECORD 6

static uint32_t get24(const uint8_t *p)
{
	return (uint32_t)art_get16(p) | (uint32_t)p[2] << 16;
}

static void one_record(struct art_decoder *d, const uint8_t *p, const uint8_t *stored,
		       uint32_t stored_len)
{
	static uint8_t feed[ART_CHUNK_MAX];
	uint32_t plain_len = get24(p + 1);
	const uint8_t *plain = NULL;
	struct art_err err;
	int code;

	if (p[0] & 0x80)
		art_decoder_reset(d);
	if ((p[0] & 7) == 7) {
		memset(feed, p[0], sizeof(feed));
		code = art_decoder_feed(d, feed, plain_len < ART_CHUNK_MAX ? plain_len : ART_CHUNK_MAX,
					&err);
		MUST(code == 0);
		return;
	}
	code = art_decoder_chunk(d, (enum art_row_type)(p[0] & 3), stored, stored_len, plain_len,
				 &plain, &err);
	MUST(code == 0 || code == ART_E_CHUNK_DECODE);
	if (code == 0)
		touch(plain, plain_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct art_decoder *d = NULL;
	struct art_err err;
	size_t at = 3;

	if (len < at || art_decoder_new(&d, get24(bytes) % (ART_PREFIX_MAX + 1), &err) < 0)
		return 0;
	while (len - at >= RECORD) {
		uint32_t stored_len = art_get16(bytes + at + 4);
		uint8_t *stored;

		if (stored_len > len - at - RECORD)
			stored_len = (uint32_t)(len - at - RECORD);
		/* Memory of its own, so that reading beyond it is seen. */
		stored = malloc(stored_len ? stored_len : 1);
		if (!stored)
			break;
		memcpy(stored, bytes + at + RECORD, stored_len);
		one_record(d, bytes + at, stored, stored_len);
		free(stored);
		at += RECORD + stored_len;
	}
	art_decoder_free(d);
	return 0;
}
