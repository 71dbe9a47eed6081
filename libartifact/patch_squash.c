// SPDX-License-Identifier: Apache-2.0
/*
 * Planning on unpacked blocks. Their plain bytes, one block after the other, each from a multiple of 4 KiB on, are an image that is
 * never written anywhere; the map of patch_map.c learns it, and the blocks that hold what it chooses become the window.
 */
#include <stdlib.h>
#include <string.h>

#include "libartifact/frame.h"
#include "libartifact/io.h"
#include "libartifact/patch_blocks.h"
#include "libartifact/patch_map.h"
#include "libartifact/patch_squash.h"
#include "libartifact/util.h"

#define BLOCK_MAX ((size_t)1024 * 1024)
#define FRAME_HEAD 18

/* A block whose content is known: where its plain bytes begin in the image that is not there. */
struct place {
	uint64_t at;
	uint32_t block;
	uint32_t plain;
};

struct side {
	struct art_squash_image image;
	struct place *list; /* by AT, room for all blocks */
	size_t count;
	uint64_t end;
};

struct pick { /* a block for the window */
	enum art_extent_source source;
	uint32_t block;
	uint32_t plain;
	uint64_t overlap; /* bytes that were chosen */
};

struct art_patch_squash {
	struct side side[2]; /* by enum art_extent_source */
	uint32_t *plain;     /* of each new block; 0: not to be unpacked */
	struct art_patch_map *map;
	struct art_unframer *unframer;
	struct art_repacker *repacker;
	struct art_patch_decoder *decoder;
	struct art_recipe recipe;
	struct art_patch_record record; /* of plain bytes */
	struct pick picks[ART_RECIPE_BLOCKS];
	size_t pick_count;
	size_t inner_len, window_len;
	uint8_t *packed;  /* BLOCK_MAX */
	uint8_t *inner;   /* ART_PATCH_RECORD_MAX */
	uint8_t *window;  /* ART_PATCH_WINDOW_MAX */
	uint8_t *inner_window;
	uint8_t *want, *got; /* ART_PATCH_RECORD_MAX */
	uint8_t *stored;  /* ART_PATCH_RECORD_MAX and ART_RECIPE_ROOM */
};

static int read_at(const struct side *side, void *buf, size_t len, uint64_t off,
		   struct art_err *err)
{
	ssize_t n = art_pread_full(side->image.fd, buf, len, off, ART_TEMP_NAME, err);

	if (n >= 0 && (size_t)n < len)
		return art_fail(err, ART_E_IO, "%s has become shorter", ART_TEMP_NAME);
	return n < 0 ? (int)n : 0;
}

static const struct art_block *block_of(const struct side *side, uint32_t i)
{
	return &side->image.blocks->list[i];
}

/*
 * The plain length of a block, without unpacking it; 0: it has none that would do. What mksquashfs compresses becomes shorter: a longer
 * one was made by hand, and would not fit where its plain bytes do.
 */
static int measure(const struct side *side, const struct art_block *b, uint32_t *plain,
		   struct art_err *err)
{
	uint8_t head[FRAME_HEAD] = { 0 };
	size_t n = b->length < FRAME_HEAD ? b->length : FRAME_HEAD;
	int code;

	*plain = b->length <= BLOCK_MAX ? b->length : 0;
	if (b->raw || *plain == 0)
		return 0;
	code = read_at(side, head, n, b->offset, err);
	n = art_frame_plain_len(head, n);
	*plain = n >= b->length && n <= BLOCK_MAX ? (uint32_t)n : 0;
	return code;
}

/* A block's plain bytes to OUT, which has PLAIN. A block that does not unpack: *PLAIN is 0. */
static int unpack(struct art_patch_squash *s, const struct side *side, const struct art_block *b,
		  uint8_t *out, uint32_t *plain, struct art_err *err)
{
	int code = read_at(side, b->raw ? out : s->packed, b->length, b->offset, err);

	if (code == 0 && !b->raw &&
	    art_unframe(s->unframer, NULL, 0, s->packed, b->length, out, *plain, NULL) < 0)
		*plain = 0;
	return code;
}

static void learn(struct art_patch_squash *s, enum art_extent_source source, uint32_t block,
		  const uint8_t *bytes, uint32_t plain)
{
	struct side *side = &s->side[source];

	side->list[side->count++] = (struct place){ side->end, block, plain };
	art_patch_map_add(s->map, bytes, plain, source, side->end);
	side->end = art_round_up(side->end + plain, ART_PATCH_BLOCK);
}

static int learn_old(struct art_patch_squash *s, struct art_err *err)
{
	struct side *old = &s->side[ART_EXTENT_OLD];
	uint32_t i, plain;
	int code = 0;

	for (i = 0; i < old->image.blocks->count && code == 0; i++) {
		code = measure(old, block_of(old, i), &plain, err);
		if (code == 0 && plain)
			code = unpack(s, old, block_of(old, i), s->inner, &plain, err);
		if (code == 0 && plain)
			learn(s, ART_EXTENT_OLD, i, s->inner, plain);
	}
	return code;
}

static int measure_all(struct art_patch_squash *s, struct art_err *err)
{
	struct side *now = &s->side[ART_EXTENT_NEW];
	uint64_t total = 0;
	uint32_t i;
	int code = 0;

	for (i = 0; i < now->image.blocks->count && code == 0; i++) {
		code = measure(now, block_of(now, i), &s->plain[i], err);
		total += s->plain[i];
	}
	return code < 0 ? code : art_patch_map_new(&s->map, 2 * total, err);
}

static int set_side(struct side *side, const struct art_squash_image *image, struct art_err *err)
{
	side->image = *image;
	side->list = calloc(image->blocks->count + 1, sizeof(*side->list));
	return side->list ? 0 : art_fail_memory(err);
}

int art_patch_squash_new(struct art_patch_squash **out, const struct art_squash_image *old,
			 const struct art_squash_image *now, struct art_err *err)
{
	struct art_patch_squash *s = calloc(1, sizeof(*s));
	int code;

	if (!s)
		return art_fail_memory(err);
	s->plain = calloc(now->blocks->count + 1, sizeof(*s->plain));
	s->packed = malloc(BLOCK_MAX);
	s->inner = malloc(ART_PATCH_RECORD_MAX);
	s->window = malloc(ART_PATCH_WINDOW_MAX);
	s->inner_window = malloc(ART_PATCH_WINDOW_MAX);
	s->want = malloc(ART_PATCH_RECORD_MAX);
	s->got = malloc(ART_PATCH_RECORD_MAX);
	s->stored = malloc(ART_PATCH_RECORD_MAX + ART_RECIPE_ROOM);
	code = s->plain && s->packed && s->inner && s->window && s->inner_window && s->want &&
	       s->got && s->stored ? 0 : art_fail_memory(err);
	if (code == 0)
		code = set_side(&s->side[ART_EXTENT_OLD], old, err);
	if (code == 0)
		code = set_side(&s->side[ART_EXTENT_NEW], now, err);
	if (code == 0)
		code = art_unframer_new(&s->unframer, err);
	if (code == 0)
		code = art_repacker_new(&s->repacker, err);
	if (code == 0)
		code = art_patch_decoder_new(&s->decoder, err);
	if (code == 0)
		code = measure_all(s, err);
	if (code == 0)
		code = learn_old(s, err);
	if (code < 0) {
		art_patch_squash_free(s);
		return code;
	}
	*out = s;
	return 0;
}

void art_patch_squash_free(struct art_patch_squash *s)
{
	if (!s)
		return;
	free(s->side[0].list);
	free(s->side[1].list);
	free(s->plain);
	art_patch_map_free(s->map);
	art_unframer_free(s->unframer);
	art_repacker_free(s->repacker);
	art_patch_decoder_free(s->decoder);
	free(s->packed);
	free(s->inner);
	free(s->window);
	free(s->inner_window);
	free(s->want);
	free(s->got);
	free(s->stored);
	free(s);
}

bool art_patch_squash_find(struct art_patch_squash *s, uint64_t off, uint32_t len,
			   uint32_t *block, uint32_t *plain)
{
	const struct art_blocks *b = s->side[ART_EXTENT_NEW].image.blocks;
	size_t low = 0, high = b->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (b->list[mid].offset < off)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == b->count || b->list[low].offset != off || b->list[low].length != len)
		return false;
	*block = (uint32_t)low;
	*plain = s->plain[low];
	return *plain != 0;
}

/* Plain bytes of the record's blocks to INNER, their stored ones to WANT. With CHECK, blocks that do not come out the same stay packed. */
static int read_blocks(struct art_patch_squash *s, const uint32_t *list, size_t count, bool check,
		       struct art_err *err)
{
	const struct side *now = &s->side[ART_EXTENT_NEW];
	uint8_t *want = s->want;
	size_t i;

	s->inner_len = 0;
	s->recipe.piece_count = (uint32_t)count;
	for (i = 0; i < count; i++) {
		const struct art_block *b = block_of(now, list[i]);
		struct art_recipe_piece *piece = &s->recipe.pieces[i];
		uint8_t *plain = s->inner + s->inner_len;
		int code;

		*piece = (struct art_recipe_piece){ s->plain[list[i]], b->raw };
		code = unpack(s, now, b, plain, &piece->len, err);
		if (code == 0)
			code = read_at(now, want, b->length, b->offset, err);
		if (code < 0)
			return code;
		if (!b->raw && (piece->len == 0 ||
				(check && (art_repack(s->repacker, s->recipe.level, plain, piece->len,
						      s->got, ART_PATCH_RECORD_MAX) != b->length ||
					   memcmp(s->got, want, b->length) != 0)))) {
			*piece = (struct art_recipe_piece){ b->length, true };
			memcpy(plain, want, b->length);
		}
		want += b->length;
		s->inner_len += piece->len;
	}
	return 0;
}

static int by_overlap(const void *a, const void *b)
{
	const struct pick *x = a, *y = b;

	if (x->overlap != y->overlap)
		return x->overlap < y->overlap ? 1 : -1;
	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return (x->block > y->block) - (x->block < y->block);
}

static int by_place(const void *a, const void *b)
{
	const struct pick *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return (x->block > y->block) - (x->block < y->block);
}

/* The first place that ends behind AT. */
static size_t find_place(const struct side *side, uint64_t at)
{
	size_t low = 0, high = side->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (side->list[mid].at + side->list[mid].plain <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* An extent of the image that is not there, as blocks. Extents are sorted and apart: only the last block can have been met. */
static void pick_blocks(struct art_patch_squash *s, const struct art_extent *x)
{
	const struct side *side = &s->side[x->source];
	uint64_t end = x->offset + x->len;
	size_t i;

	for (i = find_place(side, x->offset); i < side->count && side->list[i].at < end; i++) {
		const struct place *p = &side->list[i];
		uint64_t from = p->at > x->offset ? p->at : x->offset;
		uint64_t to = p->at + p->plain < end ? p->at + p->plain : end;
		struct pick *last = s->pick_count ? &s->picks[s->pick_count - 1] : NULL;

		if (last && last->source == x->source && last->block == p->block)
			last->overlap += to - from;
		else if (s->pick_count < ART_RECIPE_BLOCKS)
			s->picks[s->pick_count++] = (struct pick){ x->source, p->block, p->plain, to - from };
	}
}

static void choose_blocks(struct art_patch_squash *s)
{
	struct art_extent list[ART_PATCH_EXTENTS];
	size_t n = art_patch_map_choose(s->map, s->inner, s->inner_len, ART_SQUASH_WINDOW, list);
	size_t used = 0, kept = 0, i;

	s->pick_count = 0;
	for (i = 0; i < n; i++)
		pick_blocks(s, &list[i]);
	qsort(s->picks, s->pick_count, sizeof(s->picks[0]), by_overlap);
	for (i = 0; i < s->pick_count && kept < ART_PATCH_EXTENTS; i++) {
		if (used + s->picks[i].plain > ART_SQUASH_WINDOW)
			continue;
		used += s->picks[i].plain;
		s->picks[kept++] = s->picks[i];
	}
	s->pick_count = kept;
	qsort(s->picks, s->pick_count, sizeof(s->picks[0]), by_place);
}

/* The picked blocks as extents of the images, and where they lie in them. NEW_END: what precedes the record. */
static void set_extents(struct art_patch_squash *s, struct art_patch_record *r, uint64_t new_end)
{
	uint64_t ends[] = { s->side[ART_EXTENT_OLD].image.size, new_end };
	struct art_extent *x = NULL;
	size_t i;

	r->extent_count = r->window_len = 0;
	s->recipe.block_count = (uint32_t)s->pick_count;
	for (i = 0; i < s->pick_count; i++) {
		const struct pick *p = &s->picks[i];
		const struct art_block *b = block_of(&s->side[p->source], p->block);
		uint64_t first = b->offset / ART_PATCH_BLOCK * ART_PATCH_BLOCK;
		uint64_t end = art_round_up(b->offset + b->length, ART_PATCH_BLOCK);

		if (end > ends[p->source])
			end = ends[p->source];
		if (!x || x->source != p->source || first > x->offset + x->len) {
			x = &r->extents[r->extent_count++];
			*x = (struct art_extent){ p->source, first, 0 };
		}
		r->window_len += (uint32_t)(end - x->offset) - x->len;
		x->len = (uint32_t)(end - x->offset);
		s->recipe.blocks[i] = (struct art_recipe_block){
			r->window_len - (uint32_t)(end - b->offset), b->length, b->raw };
	}
}

static int read_windows(struct art_patch_squash *s, const struct art_patch_record *r,
			struct art_err *err)
{
	uint8_t *p = s->window;
	uint32_t i;

	for (i = 0; i < r->extent_count; i++) {
		const struct art_extent *x = &r->extents[i];
		int code = read_at(&s->side[x->source], p, x->len, x->offset, err);

		if (code < 0)
			return code;
		p += x->len;
	}
	s->window_len = 0;
	for (i = 0; i < s->pick_count; i++) {
		const struct pick *k = &s->picks[i];
		uint32_t plain = k->plain;
		int code = unpack(s, &s->side[k->source], block_of(&s->side[k->source], k->block),
				  s->inner_window + s->window_len, &plain, err);

		if (code < 0)
			return code;
		s->window_len += plain;
	}
	return 0;
}

/* 1 and the record's stored bytes; 0: they are not worth it, or do not give again what they should. */
static int try_encode(struct art_patch_squash *s, struct art_patch_encoder *e,
		      struct art_patch_record *r, size_t *len, struct art_err *err)
{
	const uint8_t *bytes;
	uint8_t *p;
	int code = art_patch_encode(e, s->inner_window, s->window_len, s->inner, s->inner_len,
				    &s->record, &bytes, err);

	if (code < 0)
		return code;
	s->recipe.codec = s->record.codec;
	p = art_recipe_put(s->stored, &s->recipe);
	*len = (size_t)(p - s->stored) + s->record.stored_len;
	if (*len >= r->plain_len)
		return 0;
	memcpy(p, bytes, s->record.stored_len);
	return art_patch_decode(s->decoder, ART_PATCH_BLOCKS, s->window, r->window_len, s->stored,
				*len, s->got, r->plain_len, NULL) == 0 &&
	       memcmp(s->got, s->want, r->plain_len) == 0;
}

static void learn_new(struct art_patch_squash *s, const uint32_t *list, size_t count)
{
	const uint8_t *plain = s->inner;
	size_t i;

	for (i = 0; i < count; i++) {
		const struct art_recipe_piece *piece = &s->recipe.pieces[i];

		if (piece->raw == block_of(&s->side[ART_EXTENT_NEW], list[i])->raw)
			learn(s, ART_EXTENT_NEW, list[i], plain, piece->len);
		plain += piece->len;
	}
}

int art_patch_squash_encode(struct art_patch_squash *s, struct art_patch_encoder *e,
			    const uint32_t *list, size_t count, struct art_patch_record *record,
			    const uint8_t **stored, struct art_err *err)
{
	uint64_t first = block_of(&s->side[ART_EXTENT_NEW], list[0])->offset;
	size_t len = 0;
	int code = 0, check;

	s->recipe.level = s->side[ART_EXTENT_NEW].image.blocks->level;
	/* Encoders are alike nearly always: what checking each block costs is paid only where they are not. */
	for (check = 0; code == 0 && check < 2; check++) {
		code = read_blocks(s, list, count, check, err);
		if (code == 0) {
			choose_blocks(s);
			set_extents(s, record, first);
			code = read_windows(s, record, err);
		}
		if (code == 0)
			code = try_encode(s, e, record, &len, err);
	}
	if (code < 0)
		return code;
	learn_new(s, list, count);
	record->codec = ART_PATCH_BLOCKS;
	record->stored_len = (uint32_t)len;
	*stored = s->stored;
	return code;
}
