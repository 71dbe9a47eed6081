// SPDX-License-Identifier: Apache-2.0
/*
 * What a device downloads to go from OLD to NEW without a patch: manifest, signatures,
 * headers and indexes, and the stored bytes of each chunk whose plain bytes OLD does not
 * have, wherever OLD has them as a chunk, or at the pages of what has changed.
 */
#include <stdlib.h>
#include <string.h>

#include "inspect/diff.h"
#include "libartifact/index.h"
#include "libartifact/tar.h"

struct sums {
	uint64_t missing;
	uint64_t missing_bytes;
	uint64_t ranges;
};

static int by_digest(const void *a, const void *b)
{
	const struct diff_chunk *x = a, *y = b;
	int order = memcmp(x->digest, y->digest, ART_PLAIN_DIGEST);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static bool have(const struct diff_chunks *chunks, const struct diff_chunk *key)
{
	return chunks->count && bsearch(key, chunks->list, chunks->count, sizeof(*key), by_digest);
}

bool diff_chunks_have(const struct diff_chunks *chunks, const struct art_row *row)
{
	struct diff_chunk key = { .len = row->plain_len };

	memcpy(key.digest, row->plain_digest, ART_PLAIN_DIGEST);
	return have(chunks, &key);
}

static int add(struct diff_chunks *set, const struct diff_chunk *chunk, struct art_err *err)
{
	if (set->count == set->room) {
		size_t room = set->room ? set->room * 2 : 4096;
		struct diff_chunk *list = reallocarray(set->list, room, sizeof(*list));

		if (!list)
			return art_fail_memory(err);
		set->list = list;
		set->room = room;
	}
	set->list[set->count++] = *chunk;
	return 0;
}

/* All stored chunks of an artifact, in file order. */
static int list_chunks(struct inspect_file *f, struct diff_chunks *out, struct art_err *err)
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
				struct diff_chunk c = { .payload = m->payloads[p].name, .base = m->payloads[p].segments[s].offset };

				art_index_row(ix, i, &row);
				if (!art_row_is_stored(&row))
					continue;
				c.len = row.plain_len;
				c.stored = row.stored_len;
				c.offset = base + row.data_off;
				memcpy(c.head, row.head, sizeof(c.head));
				memcpy(c.digest, row.plain_digest, sizeof(c.digest));
				code = add(out, &c, err);
			}
			art_index_free(ix);
		}
	}
	return code;
}

static void sort(struct diff_chunks *set)
{
	if (set->count)
		qsort(set->list, set->count, sizeof(*set->list), by_digest);
}

/* The chunks of NOW that OLD has not, in file order; NOW is sorted by digest afterwards. */
static int list_missing(const struct diff_chunks *old, struct diff_chunks *now, struct diff_chunks *out,
			struct art_err *err)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < now->count; i++) {
		if (!have(old, &now->list[i]))
			code = add(out, &now->list[i], err);
	}
	sort(now);
	return code;
}

static struct sums sum_up(const struct diff_chunks *missing)
{
	struct sums sums = { 0 };
	uint64_t next = 0; /* file offset after the last missing chunk */

	for (size_t i = 0; i < missing->count; i++) {
		const struct diff_chunk *c = &missing->list[i];

		if (c->found)
			continue;
		sums.missing++;
		sums.missing_bytes += c->stored;
		sums.ranges += c->offset != next;
		next = c->offset + c->stored;
	}
	return sums;
}

/* Each payload of the old artifact; the one that is open already is not read again. */
static int look_into_pages(struct inspect_file *old, struct art_blob *image, size_t number,
			   const struct diff_chunks *now, const struct diff_chunks *missing,
			   struct art_err *err)
{
	const struct art_manifest *m = art_reader_manifest(old->reader);
	int code = 0;

	for (size_t p = 0; code == 0 && p < m->payload_count && missing->count > 0; p++) {
		struct art_blob *own = NULL;

		if (!image || p != number)
			code = art_blob_open_payload(&own, old->reader, p, err);
		if (code == 0)
			code = diff_pages(old, p, own ? own : image, now, missing, err);
		art_blob_free(own);
	}
	return code;
}

int diff_download(struct inspect_file *old, struct inspect_file *now, struct art_blob *image, size_t number,
		  json_t **out, struct art_err *err)
{
	const struct art_manifest *m = art_reader_manifest(now->reader);
	struct diff_chunks old_chunks = { 0 }, now_chunks = { 0 }, missing = { 0 };
	struct sums sums = { 0 };
	uint64_t index = 0, docs = 0, headers, overhead, chunks;
	size_t manifest, sigs;
	int code = list_chunks(old, &old_chunks, err);

	if (code == 0)
		code = list_chunks(now, &now_chunks, err);
	sort(&old_chunks);
	if (code == 0)
		code = list_missing(&old_chunks, &now_chunks, &missing, err);
	if (code == 0)
		code = look_into_pages(old, image, number, &now_chunks, &missing, err);
	sums = sum_up(&missing);
	chunks = now_chunks.count;
	free(old_chunks.list);
	free(now_chunks.list);
	free(missing.list);
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
			 (json_int_t)(overhead + sums.missing_bytes), "chunk-bytes",
			 (json_int_t)sums.missing_bytes, "chunks",
			 (json_int_t)sums.missing, "ranges",
			 (json_int_t)sums.ranges, "of-chunks",
			 (json_int_t)chunks, "index", (json_int_t)index,
			 "manifest", (json_int_t)manifest, "signatures", (json_int_t)sigs,
			 "headers", (json_int_t)headers, "full",
			 (json_int_t)(art_reader_total_size(now->reader) - docs));
	return *out ? 0 : art_fail_memory(err);
}
