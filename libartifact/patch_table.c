// SPDX-License-Identifier: Apache-2.0
/* Record tables: numbers of variable length, each the distance from what came before, so that a record takes some 30 bytes. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/patch_table.h"
#include "libartifact/varint.h"

/* An extent on the wire: bit 0 its source, the rest the distance of its first block, forth (even) or back (odd). */
#define WIRE_RECORD_MAX (1 + 5 + ART_PATCH_RUNS * 10 + 5 + ART_PATCH_EXTENTS * 15 + 5 + ART_PATCH_DIGEST)

void art_patch_table_begin(struct art_patch_cursor *c, const struct art_patch_scope *scope,
			   const uint8_t *bytes, size_t len)
{
	memset(c, 0, sizeof(*c));
	c->scope = scope;
	c->p = bytes;
	c->end = bytes + len;
}

static int table_fail(struct art_err *err, const char *what)
{
	return art_fail(err, ART_E_PATCH_TABLE, "the record table: %s", what);
}

static bool get(struct art_patch_cursor *c, uint64_t max, uint64_t *out)
{
	return art_varint_get(&c->p, c->end, out) && *out <= max;
}

/* COUNT rows from FIRST on must store something: zero and copy rows need no record. */
static int take_rows(struct art_patch_cursor *c, struct art_patch_record *r, uint32_t first,
		     uint32_t count, struct art_err *err)
{
	uint32_t i;

	for (i = 0; c->scope->index && i < count; i++) {
		struct art_row row;

		art_index_row(c->scope->index, first + i, &row);
		if (!art_row_is_stored(&row))
			return table_fail(err, "a record for a row that stores nothing");
		if (row.plain_len > ART_PATCH_RECORD_MAX - r->plain_len)
			return table_fail(err, "a record of more than 1 MiB");
		r->plain_len += row.plain_len;
	}
	return 0;
}

/* Without an index: as many as there can be. */
static uint32_t rows_of(const struct art_patch_cursor *c)
{
	return c->scope->index ? art_index_rows(c->scope->index) : ART_PAGES_MAX * ART_PAGE_ROWS;
}

static int get_runs(struct art_patch_cursor *c, struct art_patch_record *r, struct art_err *err)
{
	uint32_t rows = rows_of(c), i;
	uint64_t n, skip;
	int code = 0;

	if (!get(c, ART_PATCH_RUNS, &n) || n == 0)
		return table_fail(err, "an impossible number of runs");
	r->run_count = (uint32_t)n;
	for (i = 0; i < r->run_count && code == 0; i++) {
		struct art_run *run = &r->runs[i];

		/* Runs that touch would be one. */
		if (!get(c, rows, &skip) || (i > 0 && skip == 0) ||
		    skip >= rows - c->next_row || !get(c, rows, &n) || n == 0 ||
		    n > rows - c->next_row - skip)
			return table_fail(err, "a run of rows that are not there");
		run->first = c->next_row + (uint32_t)skip;
		run->count = (uint32_t)n;
		c->next_row = run->first + run->count;
		code = take_rows(c, r, run->first, run->count, err);
	}
	return code;
}

/* The new image is there up to the record's first row. */
static uint64_t source_end(const struct art_patch_cursor *c, const struct art_patch_record *r,
			   enum art_extent_source source)
{
	struct art_row row;

	if (source == ART_EXTENT_OLD)
		return c->scope->old_size;
	if (!c->scope->index)
		return ART_IMAGE_MAX;
	art_index_row(c->scope->index, r->runs[0].first, &row);
	return c->scope->base + row.plain_off;
}

static int get_extent(struct art_patch_cursor *c, struct art_patch_record *r,
		      struct art_extent *e, struct art_err *err)
{
	uint64_t word, blocks, end, jump;

	if (!get(c, UINT64_MAX >> 8, &word) ||
	    !get(c, ART_PATCH_WINDOW_MAX / ART_PATCH_BLOCK, &blocks) || blocks == 0)
		return table_fail(err, "an impossible extent");
	e->source = word & 1 ? ART_EXTENT_NEW : ART_EXTENT_OLD;
	jump = word >> 2;
	if (word & 2 ? jump >= c->next_block : jump > ART_IMAGE_MAX)
		return table_fail(err, "an extent outside of its image");
	c->next_block += word & 2 ? -(jump + 1) : jump;
	end = source_end(c, r, e->source);
	e->offset = c->next_block * ART_PATCH_BLOCK;
	if (c->next_block > ART_IMAGE_MAX / ART_PATCH_BLOCK || e->offset >= end ||
	    (blocks - 1) * ART_PATCH_BLOCK >= end - e->offset)
		return table_fail(err, "an extent outside of its image");
	e->len = (uint32_t)(blocks * ART_PATCH_BLOCK);
	if (e->len > end - e->offset)
		e->len = (uint32_t)(end - e->offset);
	c->next_block += blocks;
	if (e->len > ART_PATCH_WINDOW_MAX - r->window_len)
		return table_fail(err, "a window of more than 4 MiB");
	r->window_len += e->len;
	return 0;
}

static int get_extents(struct art_patch_cursor *c, struct art_patch_record *r,
		       struct art_err *err)
{
	uint64_t n;
	uint32_t i;
	int code = 0;

	if (!get(c, ART_PATCH_EXTENTS, &n))
		return table_fail(err, "too many extents");
	r->extent_count = (uint32_t)n;
	for (i = 0; i < r->extent_count && code == 0; i++)
		code = get_extent(c, r, &r->extents[i], err);
	return code;
}

int art_patch_table_next(struct art_patch_cursor *c, struct art_patch_record *r,
			 struct art_err *err)
{
	uint64_t n;
	int code;

	if (c->p == c->end) {
		if (c->data_off != c->scope->data_size)
			return table_fail(err, "its records do not add up to the data");
		return 0;
	}
	r->plain_len = r->window_len = 0;
	if (!get(c, ART_PATCH_CODECS - 1, &n))
		return table_fail(err, "an unknown codec");
	r->codec = (enum art_patch_codec)n;
	code = get_runs(c, r, err);
	if (code == 0)
		code = get_extents(c, r, err);
	if (code < 0)
		return code;
	if (!get(c, ART_PATCH_RECORD_MAX, &n) || n == 0 || n > c->scope->data_size - c->data_off)
		return table_fail(err, "an impossible stored length");
	if (c->end - c->p < ART_PATCH_DIGEST)
		return table_fail(err, "ends within a record");
	r->stored_len = (uint32_t)n;
	r->data_off = c->data_off;
	c->data_off += n;
	memcpy(r->digest, c->p, ART_PATCH_DIGEST);
	c->p += ART_PATCH_DIGEST;
	return 1;
}

int art_patch_table_judge(const struct art_patch_scope *scope, const uint8_t *bytes, size_t len,
			  size_t *count, struct art_err *err)
{
	struct art_patch_record *r = malloc(sizeof(*r));
	struct art_patch_cursor c;
	int code;

	if (!r)
		return art_fail_memory(err);
	*count = 0;
	art_patch_table_begin(&c, scope, bytes, len);
	while ((code = art_patch_table_next(&c, r, err)) > 0)
		++*count;
	free(r);
	return code;
}

static uint8_t *put_extent(struct art_patch_table *t, uint8_t *p, const struct art_extent *e)
{
	uint64_t block = e->offset / ART_PATCH_BLOCK;
	uint64_t blocks = ((uint64_t)e->len + ART_PATCH_BLOCK - 1) / ART_PATCH_BLOCK;
	uint64_t word = block >= t->next_block ? (block - t->next_block) << 2 :
						 (t->next_block - block - 1) << 2 | 2;

	p = art_varint_put(p, e->source == ART_EXTENT_NEW ? word | 1 : word);
	t->next_block = block + blocks;
	return art_varint_put(p, blocks);
}

int art_patch_table_add(struct art_patch_table *t, const struct art_patch_record *r,
			struct art_err *err)
{
	uint8_t *p;
	uint32_t i;

	if (t->room - t->len < WIRE_RECORD_MAX) {
		size_t room = 2 * t->room + WIRE_RECORD_MAX;
		uint8_t *bytes = realloc(t->bytes, room);

		if (!bytes)
			return art_fail_memory(err);
		t->bytes = bytes;
		t->room = room;
	}
	p = art_varint_put(t->bytes + t->len, r->codec);
	p = art_varint_put(p, r->run_count);
	for (i = 0; i < r->run_count; i++) {
		p = art_varint_put(p, r->runs[i].first - t->next_row);
		p = art_varint_put(p, r->runs[i].count);
		t->next_row = r->runs[i].first + r->runs[i].count;
	}
	p = art_varint_put(p, r->extent_count);
	for (i = 0; i < r->extent_count; i++)
		p = put_extent(t, p, &r->extents[i]);
	p = art_varint_put(p, r->stored_len);
	memcpy(p, r->digest, ART_PATCH_DIGEST);
	t->len = (size_t)(p + ART_PATCH_DIGEST - t->bytes);
	return 0;
}

void art_patch_table_clear(struct art_patch_table *t)
{
	free(t->bytes);
	memset(t, 0, sizeof(*t));
}
