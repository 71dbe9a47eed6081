// SPDX-License-Identifier: Apache-2.0
/* Records of unpacked blocks: recipes, compressing again, and planning on images made of blocks here. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>
#include <zstd.h>

#include "libartifact/patch_blocks.h"
#include "libartifact/patch_codec.h"
#include "libartifact/patch_squash.h"
#include "libartifact/util.h"
#include "run.h"

#define BLOCK ((size_t)65536)
#define BLOCKS 12
#define LEVEL 9

static struct art_err err;
static uint64_t seed;

static uint32_t noise(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(seed >> 33);
}

/* An image in a temporary file: blocks of zstd, some bytes before each; the fifth one is noise and lies there as it is. */
struct image {
	uint8_t plain[BLOCKS][BLOCK];
	struct art_block list[BLOCKS];
	struct art_blocks blocks;
	struct art_squash_image image;
	uint8_t bytes[BLOCKS * (BLOCK + 4096)];
};

static struct image old, now;

static void write_image(struct image *m, int level)
{
	char name[] = "/tmp/check_blocks.XXXXXX";
	uint64_t at = 96;
	size_t i;

	memset(m->bytes, 0x55, sizeof(m->bytes));
	for (i = 0; i < BLOCKS; i++) {
		size_t n = ZSTD_compress(m->bytes + at, ZSTD_compressBound(BLOCK), m->plain[i], BLOCK, level);

		ck_assert(!ZSTD_isError(n));
		if (n >= BLOCK) {
			n = BLOCK;
			memcpy(m->bytes + at, m->plain[i], n);
		}
		m->list[i] = (struct art_block){ at, (uint32_t)n, n == BLOCK };
		at += n + 7 * (i % 3);
	}
	m->blocks = (struct art_blocks){ LEVEL, BLOCKS, m->list };
	m->image = (struct art_squash_image){ mkstemp(name), at, &m->blocks };
	ck_assert_int_ge(m->image.fd, 0);
	unlink(name);
	ck_assert_int_eq(write(m->image.fd, m->bytes, at), (ssize_t)at);
}

/* Words of a small vocabulary: they compress, and no two blocks are alike. */
static void fill(uint8_t *p)
{
	size_t i;

	for (i = 0; i < BLOCK; i++)
		p[i] = (uint8_t)("etaoin shrdlu cmfwyp vbgkjq xz"[noise() % 30]);
}

static void setup(void)
{
	size_t i, k;

	seed = 7;
	for (i = 0; i < BLOCKS; i++) {
		fill(old.plain[i]);
		for (k = 0; i == 4 && k < BLOCK; k++)
			old.plain[i][k] = (uint8_t)noise();
	}
	memcpy(now.plain, old.plain, sizeof(old.plain));
	/* A line is put in early, so that all that follows it moves across the blocks' borders. */
	memmove(now.plain[1] + 530, now.plain[1] + 500, sizeof(now.plain) - BLOCK - 530);
	memset(now.plain[1] + 500, '!', 30);
	write_image(&old, LEVEL);
	write_image(&now, LEVEL);
}

static void teardown(void)
{
	close(old.image.fd);
	close(now.image.fd);
}

START_TEST(recipes_and_back)
{
	static struct art_recipe r = { .codec = ART_PATCH_DIFF, .level = 22, .block_count = 3, .piece_count = 2,
				       .blocks = { { 0, 10, false }, { 10, 300, true }, { 5000, 1, false } },
				       .pieces = { { 1048000, false }, { 576, true } } };
	static struct art_recipe got;
	static uint8_t room[ART_RECIPE_ROOM];
	const uint8_t *end = art_recipe_put(room, &r), *p = room;
	ptrdiff_t i;

	ck_assert_int_eq(art_recipe_get(&got, &p, end, 5001, &err), 0);
	ck_assert_ptr_eq(p, end);
	ck_assert_uint_eq(got.inner_len, 1048576);
	ck_assert_int_eq(got.codec, r.codec);
	ck_assert_int_eq(got.level, 22);
	ck_assert_mem_eq(got.blocks, r.blocks, 3 * sizeof(r.blocks[0]));
	ck_assert_mem_eq(got.pieces, r.pieces, 2 * sizeof(r.pieces[0]));
	p = room;
	ck_assert_int_eq(art_recipe_get(&got, &p, end, 5000, &err), ART_E_PATCH_DECODE);
	for (i = 0; i < end - room; i++) {
		p = room;
		ck_assert_int_eq(art_recipe_get(&got, &p, room + i, 5001, &err), ART_E_PATCH_DECODE);
	}
}
END_TEST

START_TEST(the_longest_recipe_fits)
{
	static struct art_recipe r = { .codec = ART_PATCH_DIFF, .level = 22, .block_count = ART_RECIPE_BLOCKS,
				       .piece_count = ART_RECIPE_PIECES };
	static uint8_t room[ART_RECIPE_ROOM];
	uint32_t i;

	for (i = 0; i < ART_RECIPE_BLOCKS; i++)
		r.blocks[i] = (struct art_recipe_block){ ART_PATCH_WINDOW_MAX * (i + 1) - 1, ART_PATCH_WINDOW_MAX - 1, true };
	for (i = 0; i < ART_RECIPE_PIECES; i++)
		r.pieces[i] = (struct art_recipe_piece){ ART_PATCH_RECORD_MAX, true };
	ck_assert_int_le(art_recipe_put(room, &r) - room, (ptrdiff_t)sizeof(room));
}
END_TEST

/* What a device makes is what mksquashfs makes: the one-call function, at every level, many times. */
START_TEST(compresses_as_libzstd_does)
{
	static uint8_t want[2 * BLOCK], got[2 * BLOCK];
	struct art_repacker *r;
	int level, i;

	ck_assert_int_eq(art_repacker_new(&r, &err), 0);
	for (level = 1; level <= ART_RECIPE_LEVEL_MAX; level++) {
		size_t len = level % 2 ? BLOCK : 3000;
		size_t n = ZSTD_compress(want, sizeof(want), old.plain[0], len, level);

		ck_assert_uint_eq(art_repack(r, level, old.plain[0], len, got, sizeof(got)), n);
		ck_assert_mem_eq(got, want, n);
		ck_assert_uint_eq(art_repack(r, level, old.plain[0], len, got, n), n);
		ck_assert_uint_eq(art_repack(r, level, old.plain[0], len, got, n - 1), 0);
	}
	for (i = 0; i < 300; i++)
		ck_assert_uint_gt(art_repack(r, 3, old.plain[0], 10, got, sizeof(got)), 0);
	art_repacker_free(r);
}
END_TEST

START_TEST(blocks_are_found)
{
	struct art_patch_squash *s;
	uint32_t block, plain;
	size_t i;

	ck_assert_int_eq(art_patch_squash_new(&s, &old.image, &now.image, &err), 0);
	for (i = 0; i < BLOCKS; i++) {
		const struct art_block *b = &now.list[i];

		ck_assert(art_patch_squash_find(s, b->offset, b->length, &block, &plain));
		ck_assert_uint_eq(block, i);
		ck_assert_uint_eq(plain, BLOCK);
		ck_assert(!art_patch_squash_find(s, b->offset + 1, b->length, &block, &plain));
		ck_assert(!art_patch_squash_find(s, b->offset, b->length - 1, &block, &plain));
	}
	ck_assert(!art_patch_squash_find(s, 0, 96, &block, &plain));
	ck_assert(!art_patch_squash_find(s, now.image.size, 1, &block, &plain));
	art_patch_squash_free(s);
}
END_TEST

/* What a device does with the record: its window from the images, and then the rows. */
static void judge(const struct art_patch_record *r, const uint8_t *stored, const uint8_t *want)
{
	static uint8_t window[ART_PATCH_WINDOW_MAX], out[ART_PATCH_RECORD_MAX];
	struct art_patch_decoder *d;
	size_t at = 0;
	uint32_t i;

	for (i = 0; i < r->extent_count; i++) {
		const struct art_extent *x = &r->extents[i];
		const struct image *m = x->source == ART_EXTENT_OLD ? &old : &now;

		ck_assert_uint_eq(x->offset % ART_PATCH_BLOCK, 0);
		ck_assert_uint_le(x->offset + x->len, m->image.size);
		memcpy(window + at, m->bytes + x->offset, x->len);
		at += x->len;
	}
	ck_assert_uint_eq(at, r->window_len);
	ck_assert_int_eq(art_patch_decoder_new(&d, &err), 0);
	ck_assert_int_eq(art_patch_decode(d, r->codec, window, at, stored, r->stored_len, out, r->plain_len, &err),
			 0);
	ck_assert_mem_eq(out, want, r->plain_len);
	art_patch_decoder_free(d);
}

/* Blocks FIRST .. FIRST + COUNT as one record; its stored length, 0 when there is none. */
static uint32_t encode(struct art_patch_squash *s, struct art_patch_encoder *e, uint32_t first, size_t count)
{
	static struct art_patch_record r;
	static uint8_t want[ART_PATCH_RECORD_MAX];
	uint32_t list[BLOCKS], i;
	const uint8_t *stored;
	int code;

	memset(&r, 0, sizeof(r));
	for (i = 0; i < count; i++) {
		const struct art_block *b = &now.list[first + i];

		list[i] = first + i;
		memcpy(want + r.plain_len, now.bytes + b->offset, b->length);
		r.plain_len += b->length;
	}
	code = art_patch_squash_encode(s, e, list, count, &r, &stored, &err);
	ck_assert_int_ge(code, 0);
	if (code == 0)
		return 0;
	ck_assert_int_eq(r.codec, ART_PATCH_BLOCKS);
	judge(&r, stored, want);
	return r.stored_len;
}

START_TEST(a_line_put_in_costs_a_line)
{
	struct art_patch_encoder *e;
	struct art_patch_squash *s;
	uint32_t n;

	ck_assert_int_eq(art_patch_encoder_new(&e, &err), 0);
	ck_assert_int_eq(art_patch_squash_new(&s, &old.image, &now.image, &err), 0);
	n = encode(s, e, 1, 3);
	ck_assert(n > 0 && n < 1000);
	/* With the block of noise, which has moved: most of it does not compress now either. */
	n = encode(s, e, 4, 8);
	ck_assert(n > 0 && n < 1000);
	art_patch_squash_free(s);
	art_patch_encoder_free(e);
}
END_TEST

/* What was made before is a source as good as the old image. */
START_TEST(a_new_block_helps_the_next)
{
	struct art_patch_encoder *e;
	struct art_patch_squash *s;
	uint32_t n;
	size_t i;

	for (i = 0; i < BLOCK; i++)
		now.plain[8][i] = (uint8_t)noise();
	memcpy(now.plain[9], now.plain[8], BLOCK);
	memset(now.plain[9], 'x', 20);
	teardown();
	write_image(&old, LEVEL);
	write_image(&now, LEVEL);
	ck_assert_int_eq(art_patch_encoder_new(&e, &err), 0);
	ck_assert_int_eq(art_patch_squash_new(&s, &old.image, &now.image, &err), 0);
	/* Noise that is nowhere else: nothing to gain. */
	ck_assert_uint_eq(encode(s, e, 8, 1), 0);
	n = encode(s, e, 9, 1);
	ck_assert(n > 0 && n < 200);
	art_patch_squash_free(s);
	art_patch_encoder_free(e);
}
END_TEST

/* Blocks of another level, or encoder, than the superblock says: they stay as they are, and the others do not. */
START_TEST(an_encoder_of_its_own_costs_its_blocks)
{
	struct art_patch_encoder *e;
	struct art_patch_squash *s;
	uint32_t n;
	size_t len;

	len = ZSTD_compress(now.bytes + now.list[2].offset, now.list[2].length, now.plain[2], BLOCK, 19);
	ck_assert(!ZSTD_isError(len));
	now.list[2].length = (uint32_t)len;
	ck_assert_int_eq(pwrite(now.image.fd, now.bytes, now.image.size, 0), (ssize_t)now.image.size);
	ck_assert_int_eq(art_patch_encoder_new(&e, &err), 0);
	ck_assert_int_eq(art_patch_squash_new(&s, &old.image, &now.image, &err), 0);
	n = encode(s, e, 1, 3);
	ck_assert_uint_gt(n, len / 2);
	ck_assert_uint_lt(n, len + 2000);
	art_patch_squash_free(s);
	art_patch_encoder_free(e);
}
END_TEST

START_TEST(damaged_blocks_are_bytes_like_others)
{
	struct art_patch_encoder *e;
	struct art_patch_squash *s;
	uint32_t block, plain;

	now.bytes[now.list[1].offset] ^= 1;                        /* no frame */
	memset(now.bytes + now.list[2].offset + 40, 0xff, 200);    /* a frame that does not decode */
	memset(old.bytes + old.list[3].offset + 40, 0xff, 200);
	ck_assert_int_eq(pwrite(now.image.fd, now.bytes, now.image.size, 0), (ssize_t)now.image.size);
	ck_assert_int_eq(pwrite(old.image.fd, old.bytes, old.image.size, 0), (ssize_t)old.image.size);
	ck_assert_int_eq(art_patch_encoder_new(&e, &err), 0);
	ck_assert_int_eq(art_patch_squash_new(&s, &old.image, &now.image, &err), 0);
	ck_assert(!art_patch_squash_find(s, now.list[1].offset, now.list[1].length, &block, &plain));
	ck_assert(art_patch_squash_find(s, now.list[2].offset, now.list[2].length, &block, &plain));
	ck_assert_uint_gt(encode(s, e, 2, 3), now.list[2].length / 2);
	art_patch_squash_free(s);
	/* A file that is shorter than it was. */
	ck_assert_int_eq(ftruncate(old.image.fd, 100000), 0);
	ck_assert_int_eq(art_patch_squash_new(&s, &old.image, &now.image, &err), ART_E_IO);
	art_patch_encoder_free(e);
}
END_TEST

/* Frames longer than what they hold: many of them would be a record of more than 1 MiB. */
START_TEST(blocks_made_by_hand)
{
	struct art_patch_squash *s;
	uint32_t block, plain;
	size_t len;

	len = ZSTD_compress(now.bytes + now.list[1].offset, now.list[1].length, now.plain[4], 5000, LEVEL);
	ck_assert(!ZSTD_isError(len) && len > 5000);
	now.list[1].length = (uint32_t)len;
	ck_assert_int_eq(pwrite(now.image.fd, now.bytes, now.image.size, 0), (ssize_t)now.image.size);
	ck_assert_int_eq(art_patch_squash_new(&s, &old.image, &now.image, &err), 0);
	ck_assert(!art_patch_squash_find(s, now.list[1].offset, (uint32_t)len, &block, &plain));
	ck_assert(art_patch_squash_find(s, now.list[2].offset, now.list[2].length, &block, &plain));
	art_patch_squash_free(s);
}
END_TEST

START_TEST(no_blocks_at_all)
{
	struct art_blocks none = { LEVEL, 0, NULL };
	struct art_patch_encoder *e;
	struct art_patch_squash *s;

	old.image.blocks = &none;
	ck_assert_int_eq(art_patch_encoder_new(&e, &err), 0);
	ck_assert_int_eq(art_patch_squash_new(&s, &old.image, &now.image, &err), 0);
	encode(s, e, 1, 2);
	art_patch_squash_free(s);
	art_patch_encoder_free(e);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("blocks");
	TCase *t = tcase_create("blocks");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 300);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, recipes_and_back);
	tcase_add_test(t, the_longest_recipe_fits);
	tcase_add_test(t, compresses_as_libzstd_does);
	tcase_add_test(t, blocks_are_found);
	tcase_add_test(t, a_line_put_in_costs_a_line);
	tcase_add_test(t, a_new_block_helps_the_next);
	tcase_add_test(t, an_encoder_of_its_own_costs_its_blocks);
	tcase_add_test(t, damaged_blocks_are_bytes_like_others);
	tcase_add_test(t, blocks_made_by_hand);
	tcase_add_test(t, no_blocks_at_all);
	return run_suite(s);
}
