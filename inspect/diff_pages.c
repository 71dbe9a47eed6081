// SPDX-License-Identifier: Apache-2.0
/*
 * New chunks at the pages of what the old image has and the new one has not: a device looks there too (installer/seed_find.c). What is
 * counted here is what it will find.
 */
#include <stdlib.h>
#include <string.h>

#include "inspect/diff.h"
#include "libartifact/digest.h"
#include "libartifact/util.h"

#define STEP ART_HEAD_SPAN

struct look {
	struct art_blob *old;
	const char *payload;
	const struct diff_chunks *now, *missing;
	struct art_digest *sha256;
	uint8_t *buf;                    /* ART_CHUNK_MAX */
	struct diff_chunk **by_head;     /* the missing ones, sorted */
	uint8_t *tries;                  /* in that order */
};

static int compare_heads(const void *a, const void *b)
{
	const struct diff_chunk *const *x = a;
	const struct diff_chunk *const *y = b;

	return memcmp((*x)->head, (*y)->head, ART_HEAD_LEN);
}

static size_t first_with(const struct look *l, const uint8_t *head)
{
	size_t low = 0, high = l->missing->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (memcmp(l->by_head[mid]->head, head, ART_HEAD_LEN) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The chunks that begin with a page of this head: are they at OFF of the old image, in the row at ROW? */
static int try_head(struct look *l, const uint8_t *head, uint64_t row, uint64_t off, struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	size_t i;
	int code = 0;

	for (i = first_with(l, head); code == 0 && i < l->missing->count; i++) {
		struct diff_chunk *c = l->by_head[i];

		if (memcmp(c->head, head, ART_HEAD_LEN) != 0)
			break;
		if (c->found || c->len < STEP || c->len > l->old->size - off ||
		    l->tries[i] == ART_HEAD_TRIES || !art_head_is_near(row, c->base) ||
		    strcmp(c->payload, l->payload) != 0)
			continue;
		l->tries[i]++;
		code = art_blob_read(l->old, l->buf, c->len, off, err);
		if (code == 0)
			code = art_digest_once(l->sha256, l->buf, c->len, digest, err);
		c->found = code == 0 && memcmp(digest, c->digest, ART_PLAIN_DIGEST) == 0;
	}
	return code;
}

static int look_into(struct look *l, const struct art_row *row, uint64_t off, struct art_err *err)
{
	uint8_t heads[ART_CHUNK_MAX / STEP][ART_HEAD_LEN], digest[ART_SHA256_LEN];
	size_t pages = row->plain_len / STEP, i;
	int code;

	if (off % STEP != 0 || diff_chunks_have(l->now, row))
		return 0;
	code = art_blob_read(l->old, l->buf, pages * STEP, off, err);
	for (i = 0; code == 0 && i < pages; i++) {
		code = art_digest_once(l->sha256, l->buf + i * STEP, STEP, digest, err);
		memcpy(heads[i], digest, ART_HEAD_LEN);
	}
	for (i = 0; code == 0 && i < pages; i++)
		code = try_head(l, heads[i], off, off + i * STEP, err);
	return code;
}

static int look_through(struct look *l, struct inspect_file *old, size_t payload, struct art_err *err)
{
	const struct art_payload *p = &art_reader_manifest(old->reader)->payloads[payload];
	size_t s;
	int code = 0;

	l->payload = p->name;
	for (s = 0; code == 0 && s < p->segment_count; s++) {
		struct art_index *ix = NULL;
		struct art_row row;
		uint32_t i;

		code = art_reader_open_index(old->reader, payload, s, &ix, err);
		for (i = 0; code == 0 && i < art_index_rows(ix); i++) {
			art_index_row(ix, i, &row);
			if (row.type != ART_ROW_ZERO)
				code = look_into(l, &row, p->segments[s].offset + row.plain_off, err);
		}
		art_index_free(ix);
	}
	return code;
}

int diff_pages(struct inspect_file *old, size_t payload, struct art_blob *image, const struct diff_chunks *now,
	       const struct diff_chunks *missing, struct art_err *err)
{
	struct look l = { .old = image, .now = now, .missing = missing };
	size_t i;
	int code = art_sha256_new(&l.sha256, err);

	l.buf = malloc(ART_CHUNK_MAX);
	l.by_head = malloc((missing->count + 1) * sizeof(struct diff_chunk *));
	l.tries = calloc(missing->count + 1, 1);
	if (code == 0 && (!l.buf || !l.by_head || !l.tries))
		code = art_fail_memory(err);
	for (i = 0; code == 0 && i < missing->count; i++)
		l.by_head[i] = &missing->list[i];
	if (code == 0) {
		qsort(l.by_head, missing->count, sizeof(*l.by_head), compare_heads);
		code = look_through(&l, old, payload, err);
	}
	art_digest_free(l.sha256);
	free(l.buf);
	free(l.by_head);
	free(l.tries);
	return code;
}
