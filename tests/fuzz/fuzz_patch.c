// SPDX-License-Identifier: Apache-2.0
/*
 * A patch as a whole, its signature apart; and, by the first byte, record tables, diff programs and recipes alone, without the digests and
 * the frames that a fuzzer would have to make around them.
 */
#include <string.h>

#include "fuzz.h"
#include "libartifact/patch_blocks.h"
#include "libartifact/patch_check.h"
#include "libartifact/patch_codec.h"
#include "libartifact/patch_diff.h"

#define WINDOW 20000
#define LEN 9000

static void whole(const uint8_t *bytes, size_t len)
{
	struct art_patch_check c = { 0 };
	struct art_source *src = NULL;
	struct art_err err;
	size_t i;

	MUST(art_source_open_memory(&src, bytes, len, &err) == 0);
	if (art_patch_open(&c.patch, src, &err) == 0) {
		art_patch_skip_trust(c.patch);
		if (art_patch_parse(c.patch, &err) == 0 && art_patch_check_head(&c, &err) == 0)
			for (i = 0; i < art_patch_manifest(c.patch)->payload_count; i++)
				if (art_patch_check_payload(&c, i, &err) < 0)
					break;
		art_patch_check_free(&c);
	}
	art_patch_free(c.patch);
	art_source_free(src);
}

static void table(const uint8_t *bytes, size_t len)
{
	struct art_patch_scope scope = { .old_size = 1 << 20, .data_size = 1 << 20 };
	static struct art_patch_record r;
	struct art_patch_cursor c;
	struct art_err err;
	uint32_t row = 0, i;
	int more;

	art_patch_table_begin(&c, &scope, bytes, len);
	while ((more = art_patch_table_next(&c, &r, &err)) > 0) {
		uint64_t window = 0;

		MUST(r.run_count >= 1 && r.run_count <= ART_PATCH_RUNS);
		for (i = 0; i < r.run_count; i++) {
			MUST(r.runs[i].first >= row && r.runs[i].count > 0);
			row = r.runs[i].first + r.runs[i].count;
		}
		MUST(row <= ART_PAGES_MAX * ART_PAGE_ROWS);
		MUST(r.extent_count <= ART_PATCH_EXTENTS);
		for (i = 0; i < r.extent_count; i++) {
			window += r.extents[i].len;
			MUST(r.extents[i].len > 0);
			MUST(r.extents[i].source == ART_EXTENT_NEW ||
			     r.extents[i].offset + r.extents[i].len <= scope.old_size);
		}
		MUST(window == r.window_len && window <= ART_PATCH_WINDOW_MAX);
		MUST(r.stored_len > 0 && r.data_off + r.stored_len <= scope.data_size);
	}
	MUST(more == 0 || err.code == ART_E_PATCH_TABLE);
}

static void program(const uint8_t *bytes, size_t len)
{
	/* Rooms of their own, so that one step outside is seen. */
	uint8_t *window = calloc(1, WINDOW), *out = malloc(LEN);
	struct art_err err;

	if (window && out && art_diff_apply(bytes, len, window, WINDOW, out, LEN, &err) < 0)
		MUST(err.code == ART_E_PATCH_DECODE);
	free(window);
	free(out);
}

/* Two bytes: the length of the window; the window; a recipe and what follows it. */
static void recipe(const uint8_t *bytes, size_t len)
{
	static struct art_patch_decoder *decoder;
	static struct art_recipe r, again;
	static uint8_t room[ART_RECIPE_ROOM];
	size_t window_len = len < 2 ? 0 : bytes[0] | (size_t)bytes[1] << 8;
	const uint8_t *stored = bytes + 2 + window_len, *p = stored, *q = room;
	uint8_t *window, *out;
	struct art_err err;

	if (len < 2 || window_len > len - 2)
		return;
	if (!decoder)
		MUST(art_patch_decoder_new(&decoder, &err) == 0);
	window = malloc(window_len + 1);
	out = malloc(LEN);
	MUST(window && out);
	memcpy(window, bytes + 2, window_len);
	if (art_patch_decode(decoder, ART_PATCH_BLOCKS, window, window_len, stored,
			     len - 2 - window_len, out, LEN, &err) < 0)
		MUST(err.code == ART_E_PATCH_DECODE);
	/* A recipe has one form. */
	if (art_recipe_get(&r, &p, bytes + len, window_len, &err) == 0) {
		MUST(art_recipe_put(room, &r) - room == p - stored);
		MUST(memcmp(room, stored, (size_t)(p - stored)) == 0);
		MUST(art_recipe_get(&again, &q, room + (p - stored), window_len, &err) == 0);
	}
	free(window);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return 0;
	if (bytes[0] == 'p')
		whole(bytes, len);
	else if (bytes[0] == 'b')
		recipe(bytes + 1, len - 1);
	else if (bytes[0] & 1)
		table(bytes + 1, len - 1);
	else
		program(bytes + 1, len - 1);
	return 0;
}
