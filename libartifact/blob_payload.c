// SPDX-License-Identifier: Apache-2.0
/*
 * Plain bytes over the payload of an artifact, decoded group by group. What is held in memory is a group's stored rows, one after the
 * other; a row finds its bytes by the sum of the stored rows before it in the group. A group is decoded as far as it was needed; what is
 * kept in a file of it is history for the rest when the group comes again.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libartifact/blob.h"
#include "libartifact/chunk.h"
#include "libartifact/io.h"
#include "libartifact/reader.h"
#include "libartifact/util.h"

#define CACHED_GROUPS 4
#define CACHED_INDEXES 4
#define WINDOWS 8

struct group {
	uint64_t used;      /* clock of the last use; 0: empty */
	size_t segment;
	uint32_t first;     /* row that starts the group */
	uint32_t next;      /* first row that is not decoded yet */
	size_t len;         /* plain bytes decoded */
	uint8_t *bytes;     /* ART_GROUP_MAX */
	struct art_decoder *decoder;
};

struct open_index {
	uint64_t used;
	size_t segment;
	struct art_index *ix;
};

/* A row's bytes that no group in memory holds. Filesystem libraries read a few bytes here, a few there. */
struct window {
	uint64_t used;      /* clock of the last use; 0: empty */
	uint64_t off;       /* in the image */
	uint32_t len, room;
	uint8_t *bytes;
};

struct payload_blob {
	struct art_blob base;
	struct art_reader *reader;
	size_t payload;
	uint64_t clock;
	struct open_index indexes[CACHED_INDEXES];
	struct group groups[CACHED_GROUPS];
	struct window windows[WINDOWS];
	struct art_digest *sha256;
	uint8_t *stored;
	int keep;          /* file of decoded rows, each at its place in the image; -1: none */
	const char *keep_name;
	uint8_t **kept;    /* of each segment, a bit for each of its rows that is there; NULL: none yet */
	size_t segments;
};

static int get_index(struct payload_blob *b, size_t segment, struct art_index **out,
		     struct art_err *err)
{
	struct open_index *oldest = &b->indexes[0];
	size_t i;
	int code;

	for (i = 0; i < CACHED_INDEXES; i++) {
		struct open_index *o = &b->indexes[i];

		if (o->ix && o->segment == segment) {
			o->used = ++b->clock;
			*out = o->ix;
			return 0;
		}
		if (o->used < oldest->used)
			oldest = o;
	}
	art_index_free(steal_ptr(oldest->ix));
	oldest->used = 0;
	code = art_reader_open_index(b->reader, b->payload, segment, &oldest->ix, err);
	if (code < 0)
		return code;
	oldest->segment = segment;
	oldest->used = ++b->clock;
	*out = oldest->ix;
	return 0;
}

/* The cached group that starts at row FIRST, or the one used longest ago, emptied for it. NULL: failed. */
static struct group *get_group(struct payload_blob *b, size_t segment, uint32_t first,
			       struct art_err *err)
{
	struct group *g = &b->groups[0];
	uint32_t prefix = art_reader_manifest(b->reader)->payloads[b->payload].prefix;
	size_t i;

	for (i = 0; i < CACHED_GROUPS; i++) {
		struct group *have = &b->groups[i];

		if (have->used && have->segment == segment && have->first == first) {
			have->used = ++b->clock;
			return have;
		}
		if (have->used < g->used)
			g = have;
	}
	if (!g->bytes)
		g->bytes = malloc(ART_GROUP_MAX);
	if (!g->bytes) {
		art_fail_memory(err);
		return NULL;
	}
	if (!g->decoder && art_decoder_new(&g->decoder, prefix, err) < 0)
		return NULL;
	art_decoder_reset(g->decoder);
	g->used = ++b->clock;
	g->segment = segment;
	g->first = g->next = first;
	g->len = 0;
	return g;
}

static bool is_kept(const struct payload_blob *b, size_t segment, const struct art_row *row)
{
	return b->kept && b->kept[segment] && (b->kept[segment][row->number / 8] >> row->number % 8 & 1);
}

static int read_kept(struct payload_blob *b, size_t segment, const struct art_row *row, uint8_t *buf,
		     struct art_err *err)
{
	uint64_t at = segment * ART_SEGMENT_SIZE + row->plain_off;
	ssize_t n = art_pread_full(b->keep, buf, row->plain_len, at, b->keep_name, err);

	if (n < 0)
		return (int)n;
	return (size_t)n == row->plain_len ? 0 : art_fail(err, ART_E_IO, "'%s' became shorter", b->keep_name);
}

static int keep(struct payload_blob *b, struct art_index *ix, size_t segment, const struct art_row *row,
		const uint8_t *plain, struct art_err *err)
{
	int code;

	if (!b->kept)
		return 0;
	if (!b->kept[segment])
		b->kept[segment] = calloc(1, art_index_rows(ix) / 8 + 1);
	if (!b->kept[segment])
		return art_fail_memory(err);
	code = art_pwrite_full(b->keep, plain, row->plain_len, segment * ART_SEGMENT_SIZE + row->plain_off,
			       b->keep_name, err);
	if (code == 0)
		b->kept[segment][row->number / 8] |= (uint8_t)(1 << row->number % 8);
	return code;
}

static int append_stored(struct payload_blob *b, struct art_index *ix, struct group *g,
			 const struct art_row *row, struct art_err *err)
{
	const uint8_t *plain;
	int code;

	if (is_kept(b, g->segment, row)) {
		code = read_kept(b, g->segment, row, g->bytes + g->len, err);
		return code ? code : art_decoder_feed(g->decoder, g->bytes + g->len, row->plain_len, err);
	}
	code = art_reader_stored(b->reader, b->payload, g->segment, row, b->stored, err);
	if (code == 0)
		code = art_decoder_chunk(g->decoder, row->type, b->stored, row->stored_len,
					 row->plain_len, &plain, err);
	if (code == 0)
		code = art_row_check_plain(row, plain, b->sha256, err);
	if (code == 0)
		memcpy(g->bytes + g->len, plain, row->plain_len);
	return code ? code : keep(b, ix, g->segment, row, plain, err);
}

/* Decode group G up to and including row NUMBER; *AT is where that row's bytes begin in it. */
static int decode_to(struct payload_blob *b, struct art_index *ix, struct group *g,
		     uint32_t number, size_t *at, struct art_err *err)
{
	struct art_row row;
	size_t sum = 0;
	uint32_t i;
	int code = 0;

	for (i = g->first; code == 0 && i <= number; i++) {
		art_index_row(ix, i, &row);
		if (!art_row_is_stored(&row))
			continue;
		*at = sum;
		sum += row.plain_len;
		if (i < g->next)
			continue;
		code = append_stored(b, ix, g, &row, err);
		g->len += row.plain_len;
		g->next = i + 1;
	}
	if (code < 0)
		g->used = 0; /* half-made: never to be found again */
	return code;
}

static int find_plain(struct payload_blob *b, struct art_index *ix, size_t segment,
		      uint32_t number, const uint8_t **plain, struct art_err *err)
{
	struct group *g = get_group(b, segment, art_index_group(ix, number), err);
	size_t at = 0;
	int code;

	if (!g)
		return err ? err->code : ART_E_FAILED;
	code = decode_to(b, ix, g, number, &at, err);
	*plain = g->bytes + at;
	return code;
}

/* The row is decoded already, in a group that is in memory. */
static bool is_at_hand(const struct payload_blob *b, struct art_index *ix, size_t segment, uint32_t number)
{
	uint32_t first = art_index_group(ix, number);
	size_t i;

	for (i = 0; i < CACHED_GROUPS; i++)
		if (b->groups[i].used && b->groups[i].segment == segment && b->groups[i].first == first)
			return number < b->groups[i].next;
	return false;
}

static struct window *find_window(struct payload_blob *b, uint64_t off)
{
	size_t i;

	for (i = 0; i < WINDOWS; i++) {
		struct window *w = &b->windows[i];

		if (w->used && off >= w->off && off - w->off < w->len) {
			w->used = ++b->clock;
			return w;
		}
	}
	return NULL;
}

/* The one used longest ago, with room for LEN bytes. */
static int new_window(struct payload_blob *b, uint32_t len, struct window **out, struct art_err *err)
{
	struct window *w = &b->windows[0];
	size_t i;

	for (i = 1; i < WINDOWS; i++)
		if (b->windows[i].used < w->used)
			w = &b->windows[i];
	*out = w;
	w->used = 0;
	if (w->room < len) {
		free(w->bytes);
		w->bytes = malloc(len);
		w->room = w->bytes ? len : 0;
	}
	return w->bytes ? 0 : art_fail_memory(err);
}

/* A row that is kept, or a raw one, which needs nothing of its group; OFF is where in the image it is wanted. */
static int load_window(struct payload_blob *b, struct art_index *ix, size_t segment, const struct art_row *row,
		       uint64_t off, struct window **out, struct art_err *err)
{
	struct window *w;
	int code = new_window(b, row->plain_len, &w, err);

	*out = w;
	if (code < 0)
		return code;
	if (is_kept(b, segment, row)) {
		code = read_kept(b, segment, row, w->bytes, err);
	} else {
		code = art_reader_stored(b->reader, b->payload, segment, row, w->bytes, err);
		if (code == 0)
			code = art_row_check_plain(row, w->bytes, b->sha256, err);
		if (code == 0)
			code = keep(b, ix, segment, row, w->bytes, err);
	}
	if (code < 0)
		return code;
	w->used = ++b->clock;
	w->off = off;
	w->len = row->plain_len;
	return 0;
}

/* The row that OFF lies in, and how many of its bytes lie before OFF. */
static int find_row(struct payload_blob *b, uint64_t off, struct art_index **ix,
		    struct art_row *row, uint64_t *skip, struct art_err *err)
{
	uint64_t inside = off % ART_SEGMENT_SIZE;
	int code = get_index(b, (size_t)(off / ART_SEGMENT_SIZE), ix, err);

	if (code < 0)
		return code;
	art_index_row(*ix, art_index_find(*ix, inside), row);
	*skip = inside - row->plain_off;
	return 0;
}

/* What is wanted of LEN bytes of which LEFT are here. */
static size_t part(uint64_t left, size_t len)
{
	return left < len ? (size_t)left : len;
}

static size_t copy_window(const struct window *w, uint8_t *buf, size_t len, uint64_t off)
{
	size_t n = part(w->off + w->len - off, len);

	memcpy(buf, w->bytes + (off - w->off), n);
	return n;
}

/* One row's part of [off, off + len); returns how many bytes it gave in *N. */
static int read_row(struct payload_blob *b, uint8_t *buf, size_t len, uint64_t off,
		    size_t *n, struct art_err *err)
{
	size_t segment = (size_t)(off / ART_SEGMENT_SIZE);
	struct art_index *ix;
	struct art_row row;
	struct window *w;
	const uint8_t *plain;
	uint64_t skip;
	int code = find_row(b, off, &ix, &row, &skip, err);

	if (code < 0)
		return code;
	*n = part(row.plain_len - skip, len);
	if (row.type == ART_ROW_ZERO) {
		memset(buf, 0, *n);
		return 0;
	}
	if (row.type == ART_ROW_COPY)
		art_index_row(ix, row.ref, &row);
	if (is_kept(b, segment, &row) ||
	    (row.type == ART_ROW_RAW && !is_at_hand(b, ix, segment, row.number))) {
		code = load_window(b, ix, segment, &row, off - skip, &w, err);
		if (code == 0)
			copy_window(w, buf, len, off);
		return code;
	}
	code = find_plain(b, ix, segment, row.number, &plain, err);
	if (code == 0)
		memcpy(buf, plain + skip, *n);
	return code;
}

static int payload_blob_read(struct art_blob *blob, void *buf, size_t len, uint64_t off,
			     struct art_err *err)
{
	struct payload_blob *b = (struct payload_blob *)blob;
	size_t done = 0, n;

	while (done < len) {
		const struct window *w = find_window(b, off + done);
		int code = 0;

		if (w)
			n = copy_window(w, (uint8_t *)buf + done, len - done, off + done);
		else
			code = read_row(b, (uint8_t *)buf + done, len - done, off + done, &n, err);
		if (code < 0)
			return code;
		done += n;
	}
	return 0;
}

static int payload_blob_piece(struct art_blob *blob, uint64_t off, struct art_blob_piece *out,
			      struct art_err *err)
{
	struct payload_blob *b = (struct payload_blob *)blob;
	struct art_index *ix;
	struct art_row row;
	int code = find_row(b, off, &ix, &row, &out->skip, err);

	if (code < 0)
		return code;
	out->left = row.plain_len - out->skip;
	out->zero = row.type == ART_ROW_ZERO;
	memcpy(out->digest, row.plain_digest, sizeof(out->digest));
	return 0;
}

static void payload_blob_free(struct art_blob *blob)
{
	struct payload_blob *b = (struct payload_blob *)blob;
	size_t i;

	for (i = 0; i < CACHED_INDEXES; i++)
		art_index_free(b->indexes[i].ix);
	for (i = 0; i < CACHED_GROUPS; i++) {
		free(b->groups[i].bytes);
		art_decoder_free(b->groups[i].decoder);
	}
	for (i = 0; i < WINDOWS; i++)
		free(b->windows[i].bytes);
	for (i = 0; b->kept && i < b->segments; i++)
		free(b->kept[i]);
	free(b->kept);
	if (b->keep >= 0)
		close(b->keep);
	art_digest_free(b->sha256);
	free(b->stored);
	free(b);
}

int art_blob_keep(struct art_blob *blob, int fd, const char *name, struct art_err *err)
{
	struct payload_blob *b = (struct payload_blob *)blob;

	b->keep = fd;
	b->keep_name = name;
	b->segments = (size_t)((b->base.size + ART_SEGMENT_SIZE - 1) / ART_SEGMENT_SIZE);
	b->kept = calloc(b->segments + 1, sizeof(*b->kept));
	return b->kept ? 0 : art_fail_memory(err);
}

int art_blob_open_payload(struct art_blob **out, struct art_reader *reader, size_t payload,
			  struct art_err *err)
{
	const struct art_payload *p = &art_reader_manifest(reader)->payloads[payload];
	struct payload_blob *b = calloc(1, sizeof(*b));
	int code;

	if (!b)
		return art_fail_memory(err);
	b->base.read = payload_blob_read;
	b->base.free = payload_blob_free;
	b->base.piece = payload_blob_piece;
	b->base.name = p->name;
	b->base.size = p->size;
	b->keep = -1;
	b->reader = reader;
	b->payload = payload;
	b->stored = malloc(ART_CHUNK_MAX);
	code = b->stored ? art_sha256_new(&b->sha256, err) : art_fail_memory(err);
	if (code < 0) {
		payload_blob_free(&b->base);
		return code;
	}
	*out = &b->base;
	return 0;
}
