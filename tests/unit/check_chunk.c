// SPDX-License-Identifier: Apache-2.0
/* Decoding: histories longer than the prefix, sliding, and frames that section 8 forbids. */
#include <stdlib.h>
#include <string.h>

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include <check.h>

#include "libartifact/chunk.h"
#include "tests/unit/run.h"

#define PREFIX (64 * 1024)
#define CHUNK (32 * 1024)

static uint8_t frame[ZSTD_COMPRESSBOUND(ART_CHUNK_MAX)];
static uint8_t plain_bytes[8 * 1024 * 1024];
static struct art_decoder *decoder;
static ZSTD_CCtx *cctx;

static void setup(void)
{
	struct art_err err;
	uint32_t x = 1;
	size_t i;

	/* Repeats at a distance of 48 KiB, so that the prefix matters. */
	for (i = 0; i < sizeof(plain_bytes); i++) {
		x = x * 1103515245 + 12345;
		plain_bytes[i] = i < 49152 || i % 4096 < 64 ? (uint8_t)(x >> 16) :
							      plain_bytes[i - 49152];
	}
	ck_assert_int_eq(art_decoder_new(&decoder, PREFIX, &err), 0);
	cctx = ZSTD_createCCtx();
}

static void teardown(void)
{
	art_decoder_free(decoder);
	art_decoder_free(NULL);
	ZSTD_freeCCtx(cctx);
}

static uint32_t compress(size_t at, size_t len, size_t prefix)
{
	size_t n;

	ZSTD_CCtx_refPrefix(cctx, plain_bytes + at - prefix, prefix);
	n = ZSTD_compress2(cctx, frame, sizeof(frame), plain_bytes + at, len);
	ck_assert(!ZSTD_isError(n));
	return (uint32_t)n;
}

static int decode(uint32_t stored, uint32_t len, const uint8_t **out)
{
	struct art_err err;

	return art_decoder_chunk(decoder, ART_ROW_ZSTD, frame, stored, len, out, &err);
}

/* A whole group of 4 MiB and more in chunks of odd lengths: stored, raw and fed ones mixed. */
START_TEST(group)
{
	size_t at = 0, len = 1, i = 0;
	const uint8_t *out;
	struct art_err err;
	int code;

	for (at = 0; at + len <= ART_GROUP_MAX; at += len, i++) {
		size_t prefix = at < PREFIX ? at : PREFIX;

		len = i % 5 == 4 ? 700001 : CHUNK - i * 13 % 1000;
		if (i % 3 == 2) {
			code = art_decoder_feed(decoder, plain_bytes + at, (uint32_t)len, &err);
			ck_assert_int_eq(code, 0);
			continue;
		}
		if (i % 4 == 3)
			code = art_decoder_chunk(decoder, ART_ROW_RAW, plain_bytes + at,
						 (uint32_t)len, (uint32_t)len, &out, &err);
		else
			code = decode(compress(at, len, prefix), (uint32_t)len, &out);
		ck_assert_int_eq(code, 0);
		ck_assert_mem_eq(out, plain_bytes + at, len);
	}
	ck_assert_uint_gt(at, ART_GROUP_MAX - 1000000);
}
END_TEST

START_TEST(reset_forgets)
{
	const uint8_t *out;
	struct art_err err;
	uint32_t n;

	ck_assert_int_eq(art_decoder_feed(decoder, plain_bytes, PREFIX, &err), 0);
	n = compress(PREFIX, CHUNK, PREFIX);
	ck_assert_uint_lt(n, CHUNK / 4);
	ck_assert_int_eq(decode(n, CHUNK, &out), 0);
	art_decoder_reset(decoder);
	ck_assert_int_eq(decode(n, CHUNK, &out), ART_E_CHUNK_DECODE);
}
END_TEST

START_TEST(forbidden_frames)
{
	const uint8_t *out;
	uint32_t n;

	n = compress(0, CHUNK, 0);
	ck_assert_int_eq(decode(n, CHUNK, &out), 0);
	ck_assert_int_eq(decode(n, CHUNK + 1, &out), ART_E_CHUNK_DECODE);
	ck_assert_int_eq(decode(n, CHUNK - 1, &out), ART_E_CHUNK_DECODE);
	ck_assert_int_eq(decode(n, 0, &out), ART_E_CHUNK_DECODE);
	ck_assert_int_eq(decode(n, ART_CHUNK_MAX + 1, &out), ART_E_CHUNK_DECODE);
	ck_assert_int_eq(decode(n - 1, CHUNK, &out), ART_E_CHUNK_DECODE);
	ck_assert_int_eq(decode(n + 1, CHUNK, &out), ART_E_CHUNK_DECODE);
	ck_assert_int_eq(decode(3, CHUNK, &out), ART_E_CHUNK_DECODE);
	ck_assert_int_eq(decode(0, CHUNK, &out), ART_E_CHUNK_DECODE);
	frame[n / 2] ^= 0x55;
	frame[n / 3] ^= 0x55;
	(void)decode(n, CHUNK, &out); /* whatever it gives, nothing is overrun */
	memcpy(frame, "\x50\x2a\x4d\x18\x00\x00\x00\x00", 8);
	ck_assert_int_eq(decode(8, CHUNK, &out), ART_E_CHUNK_DECODE);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, 1);
	n = compress(0, CHUNK, 0);
	ck_assert_int_eq(decode(n, CHUNK, &out), ART_E_CHUNK_DECODE);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, 0);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, 0);
	n = compress(0, CHUNK, 0);
	ck_assert_int_eq(decode(n, CHUNK, &out), ART_E_CHUNK_DECODE);
}
END_TEST

START_TEST(wrong_calls)
{
	const uint8_t *out;
	struct art_decoder *d;
	struct art_err err;

	ck_assert_int_eq(art_decoder_new(&d, ART_PREFIX_MAX + 1, &err), ART_E_FAILED);
	ck_assert_int_eq(art_decoder_chunk(decoder, ART_ROW_RAW, frame, 5, 6, &out, &err),
			 ART_E_CHUNK_DECODE);
	ck_assert_int_eq(art_decoder_chunk(decoder, ART_ROW_ZERO, frame, 6, 6, &out, &err),
			 ART_E_CHUNK_DECODE);
	ck_assert_int_eq(art_decoder_feed(decoder, frame, ART_CHUNK_MAX + 1, &err),
			 ART_E_CHUNK_DECODE);
}
END_TEST

START_TEST(digests)
{
	struct art_row row = { .stored_len = 3, .plain_len = 3 };
	uint8_t digest[ART_SHA256_LEN];
	struct art_digest *sha;
	struct art_err err;

	ck_assert_int_eq(art_sha256_new(&sha, &err), 0);
	ck_assert_int_eq(art_sha256("abc", 3, digest, &err), 0);
	memcpy(row.stored_digest, digest, ART_STORED_DIGEST);
	memcpy(row.plain_digest, digest, ART_PLAIN_DIGEST);
	ck_assert_int_eq(art_row_check_stored(&row, (const uint8_t *)"abc", sha, &err), 0);
	ck_assert_int_eq(art_row_check_plain(&row, (const uint8_t *)"abc", sha, &err), 0);
	ck_assert_int_eq(art_row_check_stored(&row, (const uint8_t *)"abd", sha, &err),
			 ART_E_CHUNK_STORED);
	ck_assert_int_eq(art_row_check_plain(&row, (const uint8_t *)"abd", sha, &err),
			 ART_E_CHUNK_PLAIN);
	row.stored_digest[ART_STORED_DIGEST - 1] ^= 1;
	ck_assert_int_eq(art_row_check_stored(&row, (const uint8_t *)"abc", sha, &err),
			 ART_E_CHUNK_STORED);
	row.plain_digest[ART_PLAIN_DIGEST - 1] ^= 1;
	ck_assert_int_eq(art_row_check_plain(&row, (const uint8_t *)"abc", sha, &err),
			 ART_E_CHUNK_PLAIN);
	art_digest_free(sha);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chunk");
	TCase *t = tcase_create("chunk");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, group);
	tcase_add_test(t, reset_forgets);
	tcase_add_test(t, forbidden_frames);
	tcase_add_test(t, wrong_calls);
	tcase_add_test(t, digests);
	suite_add_tcase(s, t);
	return run_suite(s);
}
