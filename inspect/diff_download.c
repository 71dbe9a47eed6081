// SPDX-License-Identifier: Apache-2.0
/*
 * What a device downloads to go from OLD to NEW without a patch: manifest, signatures,
 * headers and indexes, and the stored bytes of each chunk whose plain bytes OLD does not
 * have, wherever OLD has them.
 */
#include <stdlib.h>
#include <string.h>

#include "inspect/diff.h"
#include "libartifact/index.h"
#include "libartifact/tar.h"

struct known { /* a chunk, by the length and digest of its plain bytes */
	uint32_t len;
	uint8_t digest[ART_PLAIN_DIGEST];
};

struct known_set {
	struct known *list;
	size_t count, room;
};

struct sums {
	uint64_t chunks; /* stored chunks of NEW */
	uint64_t missing;
	uint64_t missing_bytes;
	uint64_t ranges;
	uint64_t next; /* file offset after the last missing chunk */
};

static int by_digest(const void *a, const void *b)
{
	const struct known *x = a, *y = b;
	int order = memcmp(x->digest, y->digest, ART_PLAIN_DIGEST);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static int add_known(struct known_set *set, const struct art_row *row,
		     struct art_err *err)
{
	if (set->count == set->room) {
		size_t room = set->room ? set->room * 2 : 4096;
		struct known *list = reallocarray(set->list, room, sizeof(*list));

		if (!list)
			return art_fail_memory(err);
		set->list = list;
		set->room = room;
	}
	set->list[set->count].len = row->plain_len;
	memcpy(set->list[set->count++].digest, row->plain_digest, ART_PLAIN_DIGEST);
	return 0;
}

typedef int (*row_fn)(void *ctx, const struct art_row *row, uint64_t offset,
		      struct art_err *err);

/* Calls FN for each stored row with its file offset. */
static int each_stored(struct inspect_file *f, row_fn fn, void *ctx, struct art_err *err)
{
	const struct art_manifest *m = art_reader_manifest(f->reader);
	int code = 0;

	for (size_t p = 0; p < m->payload_count; p++) {
		for (size_t s = 0; code == 0 && s < m->payloads[p].segment_count; s++) {
			uint64_t base = art_reader_data_offset(f->reader, p, s);
			struct art_index *ix = NULL;
			struct art_row row;

			code = art_reader_open_index(f->reader, p, s, &ix, err);
			for (uint32_t i = 0; code == 0 && i < art_index_rows(ix); i++) {
				art_index_row(ix, i, &row);
				if (art_row_is_stored(&row))
					code = fn(ctx, &row, base + row.data_off, err);
			}
			art_index_free(ix);
		}
	}
	return code;
}

static int learn(void *ctx, const struct art_row *row, uint64_t offset,
		 struct art_err *err)
{
	(void)offset;
	return add_known(ctx, row, err);
}

struct count {
	const struct known_set *set;
	struct sums sums;
};

static int count_missing(void *ctx, const struct art_row *row, uint64_t offset,
			 struct art_err *err)
{
	struct count *c = ctx;
	struct known key = { .len = row->plain_len };

	(void)err;
	c->sums.chunks++;
	memcpy(key.digest, row->plain_digest, ART_PLAIN_DIGEST);
	if (c->set->count &&
	    bsearch(&key, c->set->list, c->set->count, sizeof(key), by_digest))
		return 0;
	c->sums.missing++;
	c->sums.missing_bytes += row->stored_len;
	if (offset != c->sums.next)
		c->sums.ranges++;
	c->sums.next = offset + row->stored_len;
	return 0;
}

int diff_download(struct inspect_file *old, struct inspect_file *now, json_t **out,
		  struct art_err *err)
{
	const struct art_manifest *m = art_reader_manifest(now->reader);
	struct known_set set = { 0 };
	struct count count = { .set = &set };
	uint64_t index = 0, docs = 0, headers, overhead;
	size_t manifest, sigs;
	int code = each_stored(old, learn, &set, err);

	if (code == 0 && set.count)
		qsort(set.list, set.count, sizeof(*set.list), by_digest);
	if (code == 0)
		code = each_stored(now, count_missing, &count, err);
	free(set.list);
	if (code < 0)
		return code;
	for (size_t p = 0; p < m->payload_count; p++)
		for (size_t s = 0; s < m->payloads[p].segment_count; s++)
			index += m->payloads[p].segments[s].index_size;
	for (size_t d = 0; d < m->doc_count; d++)
		docs += m->docs[d].size;
	art_reader_manifest_bytes(now->reader, &manifest);
	art_reader_sig_bytes(now->reader, &sigs);
	headers =
		(2 + art_reader_member_count(now->reader) - m->doc_count) * ART_TAR_BLOCK;
	overhead = manifest + sigs + headers + index;
	*out = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "total",
			 (json_int_t)(overhead + count.sums.missing_bytes), "chunk-bytes",
			 (json_int_t)count.sums.missing_bytes, "chunks",
			 (json_int_t)count.sums.missing, "ranges",
			 (json_int_t)count.sums.ranges, "of-chunks",
			 (json_int_t)count.sums.chunks, "index", (json_int_t)index,
			 "manifest", (json_int_t)manifest, "signatures", (json_int_t)sigs,
			 "headers", (json_int_t)headers, "full",
			 (json_int_t)(art_reader_total_size(now->reader) - docs));
	return *out ? 0 : art_fail_memory(err);
}
