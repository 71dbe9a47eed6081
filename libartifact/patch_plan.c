// SPDX-License-Identifier: Apache-2.0
/*
 * Planning records. A row is missing when no stored row of the old image has its length and digest. Missing rows are gathered, at most
 * 256 KiB of them and never across groups of the new image: filesystem metadata has groups of its own, and on a device that mounts its
 * root for writing the old metadata is not what the producer saw. What fails then are records of metadata alone.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libartifact/blob.h"
#include "libartifact/io.h"
#include "libartifact/patch_blocks.h"
#include "libartifact/patch_codec.h"
#include "libartifact/patch_map.h"
#include "libartifact/patch_plan.h"
#include "libartifact/patch_seed.h"
#include "libartifact/patch_squash.h"

/* Measured on two Debian rootfs four months apart: 512 KiB give 11 % more, a window of 2 MiB 1 % more. */
#define RECORD_TARGET ((size_t)256 * 1024)
#define WINDOW_TARGET ((size_t)1024 * 1024)
#define PIECE ((size_t)1024 * 1024)

struct art_patch_pair {
	const struct art_patch_options *opt;
	struct art_reader *new_;
	size_t new_payload;
	uint64_t size, old_size;
	int old_fd, new_fd;
	struct art_patch_seed *known; /* the old image's stored rows */
	uint64_t old_stored;          /* plain bytes of them */
	struct art_patch_map *map;
	struct art_blocks old_blocks, new_blocks;
	struct art_patch_squash *squash; /* NULL: no compressed blocks */
	struct art_patch_encoder *encoder;
	struct art_digest *sha256;
	uint8_t *plain;  /* ART_PATCH_RECORD_MAX */
	uint8_t *window; /* ART_PATCH_WINDOW_MAX */
};

/* A record that is being gathered. */
struct gather {
	struct art_patch_pair *pair;
	struct art_index *index;
	uint64_t base;
	int data_fd;
	uint64_t data;
	struct art_patch_table *table;
	struct art_patch_sums *sums;
	struct art_patch_record record;
	/* Of a record of compressed blocks: */
	uint32_t blocks[ART_RECIPE_PIECES];
	size_t block_count;
	uint32_t unpacked;
};

/* A row's bytes from the artifact into the sparse temporary file. */
static int spill_row(struct art_blob *blob, uint64_t off, uint32_t len, int fd, uint8_t *buf,
		     struct art_err *err)
{
	int code = art_blob_read(blob, buf, len, off, err);

	return code < 0 ? code : art_pwrite_full(fd, buf, len, off, ART_TEMP_NAME, err);
}

static int spill_segment(struct art_patch_pair *pair, struct art_reader *reader, size_t payload,
			 size_t segment, struct art_blob *blob, int fd, bool learn,
			 struct art_err *err)
{
	uint64_t base = segment * ART_SEGMENT_SIZE;
	struct art_index *ix = NULL;
	struct art_row row;
	uint32_t i;
	int code = art_reader_open_index(reader, payload, segment, &ix, err);

	for (i = 0; code == 0 && i < art_index_rows(ix); i++) {
		art_index_row(ix, i, &row);
		if (row.type == ART_ROW_ZERO)
			continue;
		code = spill_row(blob, base + row.plain_off, row.plain_len, fd, pair->plain, err);
		if (code < 0 || !learn || !art_row_is_stored(&row))
			continue;
		code = art_patch_seed_add(pair->known, &row, base + row.plain_off, err);
		pair->old_stored += row.plain_len;
	}
	art_index_free(ix);
	return code;
}

static int spill(struct art_patch_pair *pair, struct art_reader *reader, size_t payload, int fd,
		 bool learn, struct art_err *err)
{
	const struct art_payload *p = &art_reader_manifest(reader)->payloads[payload];
	struct art_blob *blob = NULL;
	size_t s;
	int code = art_blob_open_payload(&blob, reader, payload, err);

	if (code == 0 && ftruncate(fd, (off_t)p->size) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot size %s", ART_TEMP_NAME);
	for (s = 0; code == 0 && s < p->segment_count; s++)
		code = spill_segment(pair, reader, payload, s, blob, fd, learn, err);
	art_blob_free(blob);
	return code < 0 ? art_wrap(err, "the %s artifact", learn ? "old" : "new") : 0;
}

static int read_image(int fd, void *buf, size_t len, uint64_t off, struct art_err *err)
{
	ssize_t n = art_pread_full(fd, buf, len, off, ART_TEMP_NAME, err);

	if (n >= 0 && (size_t)n < len)
		return art_fail(err, ART_E_IO, "%s has become shorter", ART_TEMP_NAME);
	return n < 0 ? (int)n : 0;
}

/* The content of the old image, holes left out. */
static int learn_content(struct art_patch_pair *pair, struct art_err *err)
{
	uint64_t off = 0;
	int code = art_patch_map_new(&pair->map, 2 * pair->old_stored, err);

	while (code == 0 && off < pair->old_size) {
		off_t data = lseek(pair->old_fd, (off_t)off, SEEK_DATA);
		size_t n;

		if (data < 0)
			break;
		off = (uint64_t)data / ART_PATCH_BLOCK * ART_PATCH_BLOCK;
		n = pair->old_size - off < PIECE ? (size_t)(pair->old_size - off) : PIECE;
		code = read_image(pair->old_fd, pair->plain, n, off, err);
		if (code == 0)
			art_patch_map_add(pair->map, pair->plain, n, ART_EXTENT_OLD, off);
		off += n;
	}
	return code;
}

static int find_blocks(struct art_patch_pair *pair, struct art_err *err)
{
	struct art_squash_image old = { pair->old_fd, pair->old_size, &pair->old_blocks };
	struct art_squash_image now = { pair->new_fd, pair->size, &pair->new_blocks };
	int code;

	if (!pair->opt->blocks)
		return 0;
	code = pair->opt->blocks(pair->new_fd, &pair->new_blocks, err);
	if (code < 0 || pair->new_blocks.count == 0)
		return code;
	code = pair->opt->blocks(pair->old_fd, &pair->old_blocks, err);
	return code < 0 ? code : art_patch_squash_new(&pair->squash, &old, &now, err);
}

int art_patch_pair_open(struct art_patch_pair **out, struct art_reader *old, size_t old_payload,
			struct art_reader *new_, size_t new_payload,
			const struct art_patch_options *opt, struct art_err *err)
{
	struct art_patch_pair *pair = calloc(1, sizeof(*pair));
	int code;

	if (!pair)
		return art_fail_memory(err);
	pair->opt = opt;
	pair->new_ = new_;
	pair->new_payload = new_payload;
	pair->size = art_reader_manifest(new_)->payloads[new_payload].size;
	pair->old_size = art_reader_manifest(old)->payloads[old_payload].size;
	pair->old_fd = pair->new_fd = -1;
	pair->plain = malloc(ART_PATCH_RECORD_MAX);
	pair->window = malloc(ART_PATCH_WINDOW_MAX);
	code = pair->plain && pair->window ? 0 : art_fail_memory(err);
	if (code == 0)
		code = art_sha256_new(&pair->sha256, err);
	if (code == 0)
		code = art_patch_encoder_new(&pair->encoder, err);
	if (code == 0)
		code = art_patch_seed_new(&pair->known, err);
	if (code == 0)
		code = opt->temp(&pair->old_fd, err);
	if (code == 0)
		code = opt->temp(&pair->new_fd, err);
	if (code == 0)
		code = spill(pair, old, old_payload, pair->old_fd, true, err);
	if (code == 0)
		code = spill(pair, new_, new_payload, pair->new_fd, false, err);
	if (code == 0)
		code = learn_content(pair, err);
	if (code == 0)
		code = find_blocks(pair, err);
	if (code < 0) {
		art_patch_pair_free(pair);
		return code;
	}
	*out = pair;
	return 0;
}

void art_patch_pair_free(struct art_patch_pair *pair)
{
	if (!pair)
		return;
	/* Temporary files: what they say at the end concerns nobody. */
	if (pair->old_fd >= 0)
		close(pair->old_fd);
	if (pair->new_fd >= 0)
		close(pair->new_fd);
	art_patch_map_free(pair->map);
	art_patch_squash_free(pair->squash);
	free(pair->old_blocks.list);
	free(pair->new_blocks.list);
	art_patch_encoder_free(pair->encoder);
	art_digest_free(pair->sha256);
	art_patch_seed_free(pair->known);
	free(pair->plain);
	free(pair->window);
	free(pair);
}

/* Extents end with their image; of the new one there is only what precedes the record. */
static void clip_extents(struct art_patch_record *r, uint64_t old_size, uint64_t new_end)
{
	uint32_t kept = 0, i;

	for (i = 0; i < r->extent_count; i++) {
		struct art_extent e = r->extents[i];
		uint64_t end = e.source == ART_EXTENT_OLD ? old_size : new_end;

		if (e.offset >= end)
			continue;
		if (e.len > end - e.offset)
			e.len = (uint32_t)(end - e.offset);
		r->window_len += e.len;
		r->extents[kept++] = e;
	}
	r->extent_count = kept;
}

static int read_window(struct gather *g, struct art_err *err)
{
	struct art_patch_record *r = &g->record;
	uint8_t *p = g->pair->window;
	uint32_t i;
	int code = 0;

	for (i = 0; i < r->extent_count && code == 0; i++) {
		const struct art_extent *e = &r->extents[i];

		code = read_image(e->source == ART_EXTENT_OLD ? g->pair->old_fd : g->pair->new_fd,
				  p, e->len, e->offset, err);
		p += e->len;
	}
	return code;
}

/* The rows' bytes, one after the other; what they hold is known from then on. */
static int read_plain(struct gather *g, uint64_t *first, struct art_err *err)
{
	struct art_patch_record *r = &g->record;
	uint8_t *p = g->pair->plain;
	uint32_t i, k;
	int code = 0;

	for (i = 0; i < r->run_count; i++) {
		for (k = 0; k < r->runs[i].count && code == 0; k++) {
			struct art_row row;

			art_index_row(g->index, r->runs[i].first + k, &row);
			if (p == g->pair->plain)
				*first = g->base + row.plain_off;
			code = read_image(g->pair->new_fd, p, row.plain_len,
					  g->base + row.plain_off, err);
			p += row.plain_len;
		}
	}
	return code;
}

static void learn_record(struct gather *g)
{
	const struct art_patch_record *r = &g->record;
	const uint8_t *p = g->pair->plain;
	uint32_t i, k;

	for (i = 0; i < r->run_count; i++) {
		for (k = 0; k < r->runs[i].count; k++) {
			struct art_row row;

			art_index_row(g->index, r->runs[i].first + k, &row);
			art_patch_map_add(g->pair->map, p, row.plain_len, ART_EXTENT_NEW,
					  g->base + row.plain_off);
			p += row.plain_len;
		}
	}
}

static int count_record(struct gather *g, const uint8_t *stored, struct art_err *err)
{
	struct art_patch_record *r = &g->record;
	uint8_t digest[ART_SHA256_LEN];
	struct art_row row;
	uint32_t i, k;
	int code = art_digest_once(g->pair->sha256, stored, r->stored_len, digest, err);

	memcpy(r->digest, digest, ART_PATCH_DIGEST);
	if (code == 0)
		code = art_pwrite_full(g->data_fd, stored, r->stored_len, g->data,
				       ART_TEMP_NAME, err);
	if (code == 0)
		code = art_patch_table_add(g->table, r, err);
	g->data += r->stored_len;
	g->sums->records++;
	g->sums->diffs += r->codec == ART_PATCH_DIFF;
	g->sums->blocks += r->codec == ART_PATCH_BLOCKS;
	g->sums->plain += r->plain_len;
	g->sums->data += r->stored_len;
	for (i = 0; i < r->run_count; i++) {
		g->sums->rows += r->runs[i].count;
		for (k = 0; k < r->runs[i].count; k++) {
			art_index_peek(g->index, r->runs[i].first + k, &row);
			g->sums->stored += row.stored_len;
		}
	}
	return code;
}

static int encode(struct gather *g, uint64_t first, const uint8_t **stored, struct art_err *err)
{
	struct art_patch_pair *pair = g->pair;
	struct art_patch_record *r = &g->record;
	int code = 0;

	if (g->block_count)
		code = art_patch_squash_encode(pair->squash, pair->encoder, g->blocks,
					       g->block_count, r, stored, err);
	if (code != 0)
		return code < 0 ? code : 0;
	r->extent_count = (uint32_t)art_patch_map_choose(pair->map, pair->plain, r->plain_len,
							 WINDOW_TARGET, r->extents);
	r->window_len = 0;
	clip_extents(r, pair->old_size, first);
	code = read_window(g, err);
	return code < 0 ? code : art_patch_encode(pair->encoder, pair->window, r->window_len,
						  pair->plain, r->plain_len, r, stored, err);
}

static int flush(struct gather *g, struct art_err *err)
{
	struct art_patch_record *r = &g->record;
	const uint8_t *stored;
	uint64_t first = 0;
	int code;

	if (r->run_count == 0)
		return 0;
	code = read_plain(g, &first, err);
	if (code == 0)
		code = encode(g, first, &stored, err);
	/* What does not compress may take more than a record has room for: the chunks of the artifact are there for it. */
	if (code == 0 && r->stored_len > ART_PATCH_RECORD_MAX)
		g->sums->left += r->plain_len;
	else if (code == 0)
		code = count_record(g, stored, err);
	if (code < 0)
		return code;
	learn_record(g);
	r->run_count = 0;
	r->plain_len = 0;
	g->block_count = 0;
	g->unpacked = 0;
	return 0;
}

/* Room in the record for a row, and is it one of the same kind? */
static bool fits(const struct gather *g, const struct art_row *row, bool block, uint32_t unpacked)
{
	const struct art_patch_record *r = &g->record;

	if (block != (g->block_count > 0) || r->run_count == ART_PATCH_RUNS)
		return false;
	if (!block)
		return r->plain_len + row->plain_len <= RECORD_TARGET;
	return g->unpacked + unpacked <= ART_SQUASH_RECORD && g->block_count < ART_RECIPE_PIECES;
}

static int add_row(struct gather *g, const struct art_row *row, struct art_err *err)
{
	struct art_patch_record *r = &g->record;
	uint32_t block = 0, unpacked = 0;
	bool is_block = g->pair->squash &&
			art_patch_squash_find(g->pair->squash, g->base + row->plain_off,
					      row->plain_len, &block, &unpacked);
	struct art_run *last;
	int code = 0;

	if (r->run_count && !fits(g, row, is_block, unpacked))
		code = flush(g, err);
	if (code < 0)
		return code;
	last = r->run_count ? &r->runs[r->run_count - 1] : NULL;
	if (last && last->first + last->count == row->number)
		last->count++;
	else
		r->runs[r->run_count++] = (struct art_run){ row->number, 1 };
	r->plain_len += row->plain_len;
	if (is_block)
		g->blocks[g->block_count++] = block;
	g->unpacked += unpacked;
	return 0;
}

int art_patch_pair_segment(struct art_patch_pair *pair, size_t segment, int data_fd,
			   struct art_patch_table *table, struct art_patch_sums *sums,
			   struct art_err *err)
{
	struct gather *g = calloc(1, sizeof(*g));
	struct art_row row;
	uint32_t i;
	int code;

	if (!g)
		return art_fail_memory(err);
	g->pair = pair;
	g->base = segment * ART_SEGMENT_SIZE;
	g->data_fd = data_fd;
	g->table = table;
	g->sums = sums;
	code = art_reader_open_index(pair->new_, pair->new_payload, segment, &g->index, err);
	for (i = 0; code == 0 && i < art_index_rows(g->index); i++) {
		art_index_row(g->index, i, &row);
		if (row.group_start)
			code = flush(g, err);
		if (code == 0 && art_row_is_stored(&row) && !art_patch_seed_find(pair->known, &row, NULL))
			code = add_row(g, &row, err);
		if (pair->opt->progress && i % 64 == 0)
			pair->opt->progress(pair->opt->progress_ctx, g->base + row.plain_off,
					    pair->size);
	}
	if (code == 0)
		code = flush(g, err);
	art_index_free(g->index);
	free(g);
	return code;
}
