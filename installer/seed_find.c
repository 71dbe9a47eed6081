// SPDX-License-Identifier: Apache-2.0
/*
 * Finding rows in seeds. The rows that are wanted stand in a table by digest (or by head, for a scan), and the seeds pass by it page
 * by page: a device has room for the rows of one segment, and not for all that its partitions hold.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cli.h"
#include "installer/kept.h"
#include "installer/seed.h"
#include "libartifact/chunk.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define STEP ART_HEAD_SPAN
#define END UINT32_MAX

struct table {
	struct art_index *ix;
	bool by_head;
	uint32_t mask;
	uint32_t *bucket;
	uint32_t *next;
	uint8_t *tries; /* of each row, in a scan */
	size_t wanted;
};

static uint32_t key_of(const struct table *t, const struct art_row *row)
{
	return art_get32(t->by_head ? row->head : row->plain_digest);
}

static void table_free(struct table *t)
{
	free(t->bucket);
	free(t->next);
	free(t->tries);
}

static int table_make(struct table *t, struct art_index *ix, bool by_head,
		      const uint64_t *places, struct art_err *err)
{
	uint32_t rows = art_index_rows(ix), i;
	struct art_row row;

	*t = (struct table){ .ix = ix, .by_head = by_head, .mask = 63 };
	while (t->mask < 2 * rows)
		t->mask = 2 * t->mask + 1;
	t->bucket = malloc(((size_t)t->mask + 1) * sizeof(*t->bucket));
	t->next = malloc((size_t)rows * sizeof(*t->next));
	t->tries = calloc(rows, 1);
	if (!t->bucket || !t->next || !t->tries)
		return art_fail_memory(err);
	memset(t->bucket, 0xff, ((size_t)t->mask + 1) * sizeof(*t->bucket));
	for (i = 0; i < rows; i++) {
		art_index_peek(ix, i, &row);
		/* Copy rows are made from the row that they name. By heads, rows that are there tell what need not be looked at. */
		if (!art_row_is_stored(&row) || (!by_head && places[i] != SEED_NONE))
			continue;
		t->next[i] = t->bucket[key_of(t, &row) & t->mask];
		t->bucket[key_of(t, &row) & t->mask] = i;
		t->wanted += places[i] == SEED_NONE && (!by_head || row.plain_len >= STEP);
	}
	return 0;
}

struct search {
	struct seeds *seeds;
	struct seed *seed;
	uint64_t number; /* of the seed */
	struct table *table;
	uint64_t base;
	uint64_t *places;
};

/* In the slot that is written, only what the rows before have not overwritten by then. */
static bool is_lasting(const struct search *s, uint32_t i, uint64_t off)
{
	struct art_row row;

	if (!s->seed->target)
		return true;
	art_index_row(s->table->ix, i, &row);
	return off >= s->base + row.plain_off;
}

static void found(struct search *s, uint32_t i, uint64_t off)
{
	s->places[i] = s->number << SEED_SHIFT | off;
	s->table->wanted--;
}

/* A row of the seed's kept index. */
static void look_up(struct search *s, const struct art_row *old, uint64_t off)
{
	struct table *t = s->table;
	uint32_t i;

	for (i = t->bucket[key_of(t, old) & t->mask]; i != END; i = t->next[i]) {
		struct art_row row;

		if (s->places[i] != SEED_NONE)
			continue;
		art_index_peek(t->ix, i, &row);
		if (row.plain_len == old->plain_len &&
		    memcmp(row.plain_digest, old->plain_digest, ART_PLAIN_DIGEST) == 0 &&
		    is_lasting(s, i, off))
			found(s, i, off);
	}
}

/* A row whose first page is at OFF: is the rest there too? */
static void try_place(struct search *s, uint32_t i, uint64_t off)
{
	struct art_row row;

	art_index_peek(s->table->ix, i, &row);
	if (s->table->tries[i] == ART_HEAD_TRIES)
		return;
	s->table->tries[i]++;
	if (seeds_read(s->seeds, s->number << SEED_SHIFT | off, &row, s->seeds->buf))
		found(s, i, off);
}

/* The rows whose first page has this head may begin at OFF of the seed. */
static void try_head(struct search *s, const uint8_t head[ART_HEAD_LEN], uint64_t off)
{
	const struct table *t = s->table;
	struct art_row row;
	uint32_t i;

	for (i = t->bucket[art_get32(head) & t->mask]; i != END; i = t->next[i]) {
		if (s->places[i] != SEED_NONE)
			continue;
		art_index_peek(t->ix, i, &row);
		/* The head of a short row is no page's. */
		if (row.plain_len >= STEP && memcmp(row.head, head, ART_HEAD_LEN) == 0)
			try_place(s, i, off);
	}
}

static bool has_whole(const struct search *s, const struct art_row *old)
{
	const struct table *t = s->table;
	struct art_row row;
	uint32_t i;

	for (i = t->bucket[key_of(t, old) & t->mask]; i != END; i = t->next[i]) {
		art_index_peek(t->ix, i, &row);
		if (row.plain_len == old->plain_len &&
		    memcmp(row.plain_digest, old->plain_digest, ART_PLAIN_DIGEST) == 0)
			return true;
	}
	return false;
}

static int page_head(struct seeds *s, const uint8_t *page, uint8_t head[ART_HEAD_LEN],
		     struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	int code = art_digest_once(s->sha256, page, STEP, digest, err);

	if (code == 0)
		memcpy(head, digest, ART_HEAD_LEN);
	return code;
}

/*
 * A row of the seed's kept index that the new image has not, as a whole: new rows may begin at its pages, where the producer knew the old
 * image and has cut at what has changed in it.
 */
static void look_into(struct search *s, const struct art_row *old, uint64_t off)
{
	uint8_t heads[ART_CHUNK_MAX / STEP][ART_HEAD_LEN];
	uint32_t pages = old->plain_len / STEP, i;

	/* The index has been judged; its file may still be another by now. */
	if (old->plain_len > ART_CHUNK_MAX || off % STEP != 0 || !art_head_is_near(off, s->base))
		return;
	if (s->table->wanted == 0 || has_whole(s, old) ||
	    art_pread_full(s->seed->fd, s->seeds->buf, pages * STEP, off, s->seed->path, NULL) !=
		    (ssize_t)(pages * STEP))
		return;
	for (i = 0; i < pages; i++)
		if (page_head(s->seeds, s->seeds->buf + i * STEP, heads[i], NULL) < 0)
			return;
	/* The buffer is needed for the rows that are tried. */
	for (i = 0; i < pages; i++)
		try_head(s, heads[i], off + i * STEP);
}

typedef void (*visit_fn)(struct search *s, const struct art_row *old, uint64_t off);

static void walk_page(struct search *s, const uint8_t *page, size_t len, uint64_t off,
		      visit_fn visit)
{
	const uint8_t *p;

	off += art_get64(page);
	for (p = page + ART_PAGE_HEADER; p + ART_ROW_SIZE <= page + len; p += ART_ROW_SIZE) {
		struct art_row old;

		art_row_decode(p, &old);
		/* What is kept may lie: a place outside of the seed is none. */
		if (off > s->seed->size || old.plain_len > s->seed->size - off)
			return;
		if (old.type != ART_ROW_ZERO)
			visit(s, &old, off);
		off += old.plain_len;
	}
}

static void walk_segment(struct search *s, size_t segment, visit_fn visit)
{
	const struct art_segment *seg = &s->seed->payload->segments[segment];
	cleanup_close int fd = kept_open_index(s->seeds->directory, s->seed->slot,
					       s->seed->payload->name, segment);
	uint8_t page[ART_PAGE_SIZE];
	uint32_t pages = 0, rows, i;

	if (fd < 0 || art_index_shape(seg->index_size, &pages, &rows, NULL) < 0)
		return;
	for (i = 0; i < pages && s->table->wanted > 0; i++) {
		uint64_t off = (uint64_t)pages * ART_SHA256_LEN + (uint64_t)i * ART_PAGE_SIZE;
		ssize_t n = art_pread_full(fd, page, sizeof(page), off, "index", NULL);

		if (n <= ART_PAGE_HEADER)
			return;
		walk_page(s, page, (size_t)n, seg->offset, visit);
	}
}

/* A file without a name; in memory (a thousandth of what the seed holds) where nothing may be written. */
static int open_heads(const struct seeds *s, struct seed *seed, struct art_err *err)
{
	seed->heads = s->aloof ? memfd_create("heads", MFD_CLOEXEC) : art_open_unnamed(s->directory);
	if (seed->heads < 0)
		return art_fail_errno(err, ART_E_IO, "cannot make a file in %s",
				      s->aloof ? "memory" : s->directory);
	return 0;
}

/* The heads of the pages in BUF, which are the seed's at OFF; of a page of zeros, 0. Zeros are left out of the file. */
static int add_heads(struct seeds *s, const struct seed *seed, size_t pages, uint64_t off,
		     struct art_err *err)
{
	uint8_t heads[ART_CHUNK_MAX / STEP][ART_HEAD_LEN] = { 0 };
	size_t i;
	int code = 0;

	for (i = 0; i < pages && code == 0; i++)
		if (!art_is_zero(s->buf + i * STEP, STEP))
			code = page_head(s, s->buf + i * STEP, heads[i], err);
	if (code < 0 || art_is_zero(heads, sizeof(heads)))
		return code;
	return art_pwrite_full(seed->heads, heads, pages * ART_HEAD_LEN, off / STEP * ART_HEAD_LEN,
			       s->directory, err);
}

/* Read through the seed once, but for its holes. */
static int make_heads(struct seeds *s, struct seed *seed, struct art_err *err)
{
	uint64_t end = seed->size / STEP * STEP, off = 0;
	int code = open_heads(s, seed, err);

	while (code == 0 && (off = art_skip_hole(seed->fd, off, end)) < end) {
		size_t len;
		ssize_t n;

		off -= off % STEP;
		len = end - off < ART_CHUNK_MAX ? (size_t)(end - off) : ART_CHUNK_MAX;
		n = art_pread_full(seed->fd, s->buf, len, off, seed->path, err);
		if (n < 0)
			return (int)n;
		posix_fadvise(seed->fd, (off_t)off, (off_t)len, POSIX_FADV_DONTNEED);
		/* Where it has become shorter, it has nothing more. */
		code = add_heads(s, seed, (size_t)n / STEP, off, err);
		off += len;
	}
	seed->head_count = end / STEP;
	return code;
}

static int scan(struct search *s, struct art_err *err)
{
	uint8_t heads[4096];
	uint64_t off, end;
	int code = 0;

	if (s->seed->heads < 0) {
		cli_info("reading through '%s', of which no index is kept", s->seed->path);
		code = make_heads(s->seeds, s->seed, err);
	}
	end = s->seed->head_count * ART_HEAD_LEN;
	for (off = 0; code == 0 && (off = art_skip_hole(s->seed->heads, off, end)) < end;
	     off += sizeof(heads)) {
		ssize_t n, i;

		off -= off % sizeof(heads);
		n = art_pread_full(s->seed->heads, heads, sizeof(heads), off, s->seed->path, err);
		for (i = 0; i + ART_HEAD_LEN <= n; i += ART_HEAD_LEN)
			if (art_get32(heads + i) != 0)
				try_head(s, heads + i, (off + (uint64_t)i) / ART_HEAD_LEN * STEP);
		code = n < 0 ? (int)n : 0;
	}
	return code;
}

static void walk(struct search *s, visit_fn visit)
{
	size_t i;

	for (i = 0; i < s->seed->payload->segment_count && s->table->wanted > 0; i++)
		walk_segment(s, i, visit);
}

/* Its heads may have filled the disk that the indexes need. */
static void give_up(struct seed *seed, const struct art_err *why)
{
	cli_warn("nothing more is taken from '%s': %s", seed->path, why->text);
	if (seed->heads >= 0)
		close(art_steal_fd(&seed->heads));
	seed->head_count = 0;
	seed->size = 0;
}

/* One kind of search over all seeds that can be searched so. */
static int find(struct seeds *seeds, struct art_index *ix, uint64_t base, bool by_head,
		uint64_t *places, struct art_err *err)
{
	struct table table;
	size_t n;
	int code = table_make(&table, ix, by_head, places, err);

	for (n = 0; n < seeds->count && code == 0 && table.wanted > 0; n++) {
		struct search s = { seeds, &seeds->seed[n], n, &table, base, places };
		struct art_err why = { 0 };

		if (!by_head && s.seed->payload)
			walk(&s, look_up);
		/* By heads, what lies in the slot that is written is gone when its turn comes. */
		if (!by_head || s.seed->target || s.seed->size == 0)
			continue;
		if (s.seed->payload)
			walk(&s, look_into);
		else if (scan(&s, &why) < 0)
			give_up(s.seed, &why);
	}
	table_free(&table);
	return code;
}

int seeds_find(struct seeds *s, struct art_index *ix, uint64_t base, uint64_t *places,
	       struct art_err *err)
{
	bool indexed = false, readable = false;
	size_t n;
	int code = 0;

	for (n = 0; n < s->count; n++) {
		indexed |= s->seed[n].payload != NULL;
		readable |= s->seed[n].size > 0 && !s->seed[n].target;
	}
	if (indexed)
		code = find(s, ix, base, false, places, err);
	if (code == 0 && s->scan && readable)
		code = find(s, ix, base, true, places, err);
	return code;
}
