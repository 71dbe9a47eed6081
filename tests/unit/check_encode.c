// SPDX-License-Identifier: Apache-2.0
/* Encoding: whatever a group holds, the decoder that devices use gives it again. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "libartifact/chunk.h"
#include "libartifact/encode.h"
#include "libartifact/util.h"
#include "tests/unit/run.h"

#define MIXED_CHUNKS 600

static uint8_t plain[ART_GROUP_MAX + 4096];
static uint8_t out[ART_GROUP_MAX + 4096];
static uint8_t again[ART_GROUP_MAX];
static uint32_t lengths[4096];
static struct art_stored stored[4096];
static struct art_stored stored_again[4096];
static uint64_t seed;
static bool programs;

static uint32_t noise(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(seed >> 33);
}

static void fill_noise(uint8_t *at, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		at[i] = (uint8_t)noise();
}

/* Lines made of few words: compresses well, and differently at each place. */
static void fill_text(uint8_t *at, size_t len)
{
	static const char *const words[] = { "root", "filesystem ", "update\n", "of", " the ", "slot",
					     "artifact", ", ", "0x1f", "\t" };
	size_t i = 0;

	while (i < len) {
		const char *w = words[noise() % ART_ARRAY_SIZE(words)];
		size_t n = strlen(w) < len - i ? strlen(w) : len - i;

		memcpy(at + i, w, n);
		i += n;
	}
}

static void setup(void)
{
	seed = 1;
	programs = false;
	memset(plain, 0, sizeof(plain));
}

static struct art_encoder *encoder(int level, uint32_t prefix)
{
	struct art_encoder *e;
	struct art_err err;

	ck_assert_int_eq(art_encoder_new(&e, level, prefix, &err), 0);
	return e;
}

/* Decode COUNT chunks from OUT as a device does, and compare; returns the stored bytes. */
static size_t decode(size_t count, uint32_t prefix)
{
	struct art_decoder *d;
	const uint8_t *got;
	struct art_err err;
	size_t at = 0, len = 0, i;

	ck_assert_int_eq(art_decoder_new(&d, prefix, &err), 0);
	art_decoder_reset(d);
	for (i = 0; i < count; i++) {
		ck_assert(stored[i].type == ART_ROW_ZSTD || stored[i].type == ART_ROW_RAW);
		if (stored[i].type == ART_ROW_RAW)
			ck_assert_uint_eq(stored[i].len, lengths[i]);
		else
			ck_assert_uint_lt(stored[i].len, lengths[i]);
		ck_assert_int_eq(art_decoder_chunk(d, stored[i].type, out + len, stored[i].len,
						   lengths[i], &got, &err), 0);
		ck_assert_mem_eq(got, plain + at, lengths[i]);
		at += lengths[i];
		len += stored[i].len;
	}
	art_decoder_free(d);
	return len;
}

static size_t round_trip(struct art_encoder *e, size_t count, uint32_t prefix)
{
	struct art_err err;

	ck_assert_int_eq(art_encoder_group(e, plain, lengths, count, programs, out, stored, &err), 0);
	return decode(count, prefix);
}

static void equal_lengths(size_t count, uint32_t len)
{
	size_t i;

	for (i = 0; i < count; i++)
		lengths[i] = len;
}

/* Text, noise, zeros, text seen before, far and near, in chunks of 1 byte to 40 KiB. */
static size_t mix(void)
{
	size_t at = 0, count = 0, i;

	while (at < ART_GROUP_MAX && count < MIXED_CHUNKS) {
		uint32_t n = 1 + noise() % (noise() % 4 ? 20000 : 40);

		if (n > ART_GROUP_MAX - at)
			n = (uint32_t)(ART_GROUP_MAX - at);
		lengths[count++] = n;
		at += n;
	}
	for (i = 0; i < at;) {
		size_t n = 1 + noise() % 50000, from;

		if (n > at - i)
			n = at - i;
		switch (noise() % 5) {
		case 0: fill_noise(plain + i, n); break;
		case 1: memset(plain + i, 0, n); break;
		case 2: fill_text(plain + i, n); break;
		default:
			from = i ? noise() % i : 0;
			memmove(plain + i, plain + from, n < i - from ? n : i - from);
		}
		i += n;
	}
	return count;
}

static const struct {
	int level;
	uint32_t prefix;
} ways[] = {
	{ 1, 1024 * 1024 },  { 3, 256 * 1024 }, { 9, 64 * 1024 },
	{ 12, 1024 * 1024 }, { 19, 300000 },    { 12, 1000 },
	{ 5, 0 },	     { ART_LEVEL_BEST, 64 * 1024 },
};

START_TEST(mixed)
{
	uint32_t prefix = ways[_i].prefix;
	struct art_encoder *e = encoder(ways[_i].level, prefix);
	int round;

	/* More groups in the same encoder: nothing of the first one may show. */
	for (round = 0; round < 3; round++) {
		programs = round == 1;
		round_trip(e, mix(), prefix);
	}
	art_encoder_free(e);
}
END_TEST

START_TEST(tiny)
{
	struct art_encoder *e = encoder(12, ART_PREFIX_DEFAULT);
	uint32_t n;
	size_t i;

	for (n = 1; n < 40; n++) {
		fill_text(plain, 40 * n);
		equal_lengths(40, n);
		ck_assert_uint_le(round_trip(e, 40, ART_PREFIX_DEFAULT), 40 * n);
		for (i = 0; n < 8 && i < 40; i++)
			ck_assert_int_eq(stored[i].type, ART_ROW_RAW);
	}
	art_encoder_free(e);
}
END_TEST

START_TEST(incompressible_is_raw)
{
	struct art_encoder *e = encoder(_i ? ART_LEVEL_BEST : 12, ART_PREFIX_DEFAULT);
	size_t i;

	fill_noise(plain, 8 * 32768);
	equal_lengths(8, 32768);
	ck_assert_uint_eq(round_trip(e, 8, ART_PREFIX_DEFAULT), 8 * 32768);
	for (i = 0; i < 8; i++)
		ck_assert_int_eq(stored[i].type, ART_ROW_RAW);
	ck_assert_mem_eq(out, plain, 8 * 32768);
	art_encoder_free(e);
}
END_TEST

START_TEST(zeros)
{
	struct art_encoder *e = encoder(12, ART_PREFIX_DEFAULT);

	equal_lengths(128, 32768);
	ck_assert_uint_lt(round_trip(e, 128, ART_PREFIX_DEFAULT), 128 * 40);
	art_encoder_free(e);
}
END_TEST

/* Noise that comes again within the prefix costs next to nothing; just outside of it, all. */
START_TEST(prefix_is_used_and_kept)
{
	uint32_t prefix = 64 * 1024;
	struct art_encoder *e = encoder(_i ? ART_LEVEL_BEST : 12, prefix);

	fill_noise(plain, sizeof(plain));
	memcpy(plain + 2 * 32768, plain + 32768, 32768);
	memcpy(plain + 5 * 32768, plain, 32768);
	equal_lengths(6, 32768);
	round_trip(e, 6, prefix);
	ck_assert_int_eq(stored[2].type, ART_ROW_ZSTD);
	ck_assert_uint_lt(stored[2].len, 100);
	ck_assert_int_eq(stored[5].type, ART_ROW_RAW);
	art_encoder_free(e);
}
END_TEST

/* A match that runs on through many chunks is cut at each of their borders. */
START_TEST(matches_across_borders)
{
	struct art_encoder *e = encoder(12, ART_PREFIX_DEFAULT);
	size_t i, raw = 0;

	fill_noise(plain, 200000);
	memcpy(plain + 200000, plain, 200000);
	lengths[0] = 200000;
	for (i = 1; i <= 200; i++)
		lengths[i] = 1000;
	ck_assert_uint_lt(round_trip(e, 201, ART_PREFIX_DEFAULT), 200000 + 200 * 40);
	for (i = 1; i <= 200; i++)
		raw += stored[i].type == ART_ROW_RAW;
	ck_assert_uint_eq(raw, 0);
	art_encoder_free(e);
}
END_TEST

/* Chunks of several blocks cost no more than the same in small ones. */
START_TEST(large_chunks)
{
	struct art_encoder *e = encoder(6, ART_PREFIX_DEFAULT);
	size_t small, large;

	fill_text(plain, ART_GROUP_MAX);
	equal_lengths(128, 32768);
	small = round_trip(e, 128, ART_PREFIX_DEFAULT);
	equal_lengths(4, ART_CHUNK_MAX);
	large = round_trip(e, 4, ART_PREFIX_DEFAULT);
	ck_assert_uint_lt(large, small + small / 20);
	lengths[0] = ART_CHUNK_MAX - 1;
	lengths[1] = 128 * 1024 + 1;
	lengths[2] = 128 * 1024;
	lengths[3] = 1;
	round_trip(e, 4, ART_PREFIX_DEFAULT);
	art_encoder_free(e);
}
END_TEST

/* A new encoder and a used one give the same bytes: what threads depend on. */
START_TEST(no_memory_of_earlier_groups)
{
	int level = _i / 2 ? 12 : ART_LEVEL_BEST;
	struct art_encoder *used = encoder(level, ART_PREFIX_DEFAULT);
	struct art_encoder *fresh = encoder(level, ART_PREFIX_DEFAULT);
	size_t count, len;

	/* Text, programs and text, or the other way round; a small group after a large one. */
	fill_text(plain, ART_GROUP_MAX);
	equal_lengths(128, 32768);
	programs = _i % 2 != 0;
	round_trip(used, 128, ART_PREFIX_DEFAULT);
	programs = !programs;
	round_trip(used, 3, ART_PREFIX_DEFAULT);
	programs = !programs;
	count = mix();
	len = round_trip(used, count, ART_PREFIX_DEFAULT);
	memcpy(again, out, len);
	memcpy(stored_again, stored, sizeof(stored));
	ck_assert_uint_eq(round_trip(fresh, count, ART_PREFIX_DEFAULT), len);
	ck_assert_mem_eq(again, out, len);
	ck_assert_mem_eq(stored_again, stored, count * sizeof(*stored));
	art_encoder_free(used);
	art_encoder_free(fresh);
}
END_TEST

/* More effort, fewer bytes: the levels are in order. */
START_TEST(levels)
{
	size_t last = SIZE_MAX, len;
	int level;

	fill_text(plain, ART_CHUNK_MAX);
	equal_lengths(32, 32768);
	/* From here on programs are looked through by the optimal parser, with tables that are too small for text. */
	programs = _i != 0;
	for (level = programs ? 11 : 1; level <= ART_LEVEL_BEST; level++) {
		struct art_encoder *e = encoder(level, ART_PREFIX_DEFAULT);

		len = round_trip(e, 32, ART_PREFIX_DEFAULT);
		ck_assert_uint_le(len, last + last / 50);
		last = len;
		art_encoder_free(e);
	}
}
END_TEST

START_TEST(too_large)
{
	struct art_encoder *e = encoder(1, ART_PREFIX_DEFAULT);
	struct art_err err;

	equal_lengths(4, ART_CHUNK_MAX);
	lengths[4] = 1;
	ck_assert_int_eq(art_encoder_group(e, plain, lengths, 5, programs, out, stored, &err), ART_E_FAILED);
	art_encoder_free(e);
	art_encoder_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("encode");
	TCase *t = tcase_create("encode");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_loop_test(t, mixed, 0, ART_ARRAY_SIZE(ways));
	tcase_add_test(t, tiny);
	tcase_add_loop_test(t, incompressible_is_raw, 0, 2);
	tcase_add_test(t, zeros);
	tcase_add_loop_test(t, prefix_is_used_and_kept, 0, 2);
	tcase_add_test(t, matches_across_borders);
	tcase_add_test(t, large_chunks);
	tcase_add_loop_test(t, no_memory_of_earlier_groups, 0, 4);
	tcase_add_loop_test(t, levels, 0, 2);
	tcase_add_test(t, too_large);
	suite_add_tcase(s, t);
	return run_suite(s);
}
