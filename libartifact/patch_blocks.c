// SPDX-License-Identifier: Apache-2.0
/* Recipes, and compressing in memory that is there already. */
#include <stdlib.h>
#include <string.h>

#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_initStaticCCtx: the decoder must not allocate once it runs */
#include <zstd.h>

#include "libartifact/patch_blocks.h"
#include "libartifact/util.h"
#include "libartifact/varint.h"

static int recipe_fail(struct art_err *err, const char *what)
{
	return art_fail(err, ART_E_PATCH_DECODE, "a recipe has %s", what);
}

static bool get(const uint8_t **p, const uint8_t *end, uint64_t low, uint64_t high, uint64_t *out)
{
	return art_varint_get(p, end, out) && *out >= low && *out <= high;
}

static bool get_blocks(struct art_recipe *r, const uint8_t **p, const uint8_t *end,
		       size_t window_len)
{
	uint64_t n, gap, word;
	size_t at = 0;
	uint32_t i;

	if (!get(p, end, 0, ART_RECIPE_BLOCKS, &n))
		return false;
	r->block_count = (uint32_t)n;
	for (i = 0; i < r->block_count; i++) {
		if (!get(p, end, 0, window_len - at, &gap))
			return false;
		at += (size_t)gap;
		if (!get(p, end, 2, 2 * (uint64_t)(window_len - at) + 1, &word))
			return false;
		r->blocks[i] = (struct art_recipe_block){ (uint32_t)at, (uint32_t)(word >> 1), word & 1 };
		at += r->blocks[i].len;
	}
	return true;
}

static bool get_pieces(struct art_recipe *r, const uint8_t **p, const uint8_t *end)
{
	uint64_t n, word;
	uint32_t i;

	if (!get(p, end, 1, ART_RECIPE_PIECES, &n))
		return false;
	r->piece_count = (uint32_t)n;
	r->inner_len = 0;
	for (i = 0; i < r->piece_count; i++) {
		if (!get(p, end, 2, 2 * (uint64_t)(ART_PATCH_RECORD_MAX - r->inner_len) + 1, &word))
			return false;
		r->pieces[i] = (struct art_recipe_piece){ (uint32_t)(word >> 1), word & 1 };
		r->inner_len += r->pieces[i].len;
	}
	return true;
}

int art_recipe_get(struct art_recipe *r, const uint8_t **p, const uint8_t *end,
		   size_t window_len, struct art_err *err)
{
	uint64_t codec, level;

	if (!get(p, end, ART_PATCH_ZSTD, ART_PATCH_DIFF, &codec))
		return recipe_fail(err, "an impossible codec");
	if (!get(p, end, 1, ART_RECIPE_LEVEL_MAX, &level))
		return recipe_fail(err, "an impossible level");
	r->codec = (enum art_patch_codec)codec;
	r->level = (int)level;
	if (!get_blocks(r, p, end, window_len))
		return recipe_fail(err, "blocks outside of the window");
	return get_pieces(r, p, end) ? 0 : recipe_fail(err, "impossible pieces");
}

uint8_t *art_recipe_put(uint8_t *p, const struct art_recipe *r)
{
	uint32_t i, at = 0;

	p = art_varint_put(p, r->codec);
	p = art_varint_put(p, (uint64_t)r->level);
	p = art_varint_put(p, r->block_count);
	for (i = 0; i < r->block_count; i++) {
		const struct art_recipe_block *b = &r->blocks[i];

		p = art_varint_put(p, b->off - at);
		p = art_varint_put(p, (uint64_t)b->len << 1 | b->raw);
		at = b->off + b->len;
	}
	p = art_varint_put(p, r->piece_count);
	for (i = 0; i < r->piece_count; i++)
		p = art_varint_put(p, (uint64_t)r->pieces[i].len << 1 | r->pieces[i].raw);
	return p;
}

#define OUT_MAX ZSTD_COMPRESSBOUND(ART_PATCH_RECORD_MAX)

struct art_repacker {
	size_t size;
	void *workspace;
	uint8_t *out; /* OUT_MAX: libzstd wants more room than it needs in the end */
};

/* Parameters go by the length of what is compressed, and shorter does not always mean less. */
static size_t workspace_size(void)
{
	static const unsigned long long lengths[] = { 1, 16 * 1024, 128 * 1024, 256 * 1024,
						      ART_PATCH_RECORD_MAX };
	size_t most = ART_PATCH_WINDOW_MAX, i;
	int level;

	for (level = 1; level <= ART_RECIPE_LEVEL_MAX; level++) {
		for (i = 0; i < ART_ARRAY_SIZE(lengths); i++) {
			size_t n = ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(level, lengths[i], 0));

			if (n > most)
				most = n;
		}
	}
	return most;
}

int art_repacker_new(struct art_repacker **out, struct art_err *err)
{
	struct art_repacker *r = calloc(1, sizeof(*r));

	if (!r)
		return art_fail_memory(err);
	r->size = workspace_size();
	r->workspace = malloc(r->size);
	r->out = malloc(OUT_MAX);
	if (!r->workspace || !r->out) {
		art_repacker_free(r);
		return art_fail_memory(err);
	}
	*out = r;
	return 0;
}

void art_repacker_free(struct art_repacker *r)
{
	if (!r)
		return;
	free(r->workspace);
	free(r->out);
	free(r);
}

uint8_t *art_repacker_room(struct art_repacker *r)
{
	return r->workspace;
}

/* In SIZE bytes of the workspace. Made anew each time: libzstd wants to shrink a context that has been too large for long, and
 * then fails. */
static size_t compress_in(struct art_repacker *r, size_t size, int level, const uint8_t *plain, size_t len)
{
	ZSTD_CCtx *cctx = ZSTD_initStaticCCtx(r->workspace, size);

	return cctx ? ZSTD_compressCCtx(cctx, r->out, OUT_MAX, plain, len, level) : (size_t)-1;
}

size_t art_repack(struct art_repacker *r, int level, const uint8_t *plain, size_t len,
		  uint8_t *out, size_t room)
{
	/* libzstd fills a workspace from both ends: in one of the right size it touches the same memory as what was there before. */
	size_t need = ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(level, len, 0));
	size_t n = compress_in(r, need < r->size ? need : r->size, level, plain, len);

	if (ZSTD_isError(n))
		n = compress_in(r, r->size, level, plain, len);
	if (ZSTD_isError(n) || n > room)
		return 0;
	memcpy(out, r->out, n);
	return n;
}
