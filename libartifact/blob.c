// SPDX-License-Identifier: Apache-2.0
/* Plain bytes over a descriptor, and over the payload of an artifact, decoded group by group. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/fs.h>

#include "libartifact/blob.h"
#include "libartifact/chunk.h"
#include "libartifact/io.h"
#include "libartifact/reader.h"
#include "libartifact/util.h"

struct fd_blob {
	struct art_blob base;
	int fd;
	char *name;
};

static int fd_blob_read(struct art_blob *blob, void *buf, size_t len, uint64_t off,
			struct art_err *err)
{
	struct fd_blob *b = (struct fd_blob *)blob;
	ssize_t n = art_pread_full(b->fd, buf, len, off, b->name, err);

	if (n < 0)
		return (int)n;
	if ((size_t)n < len)
		return art_fail(err, ART_E_SOURCE_CHANGED, "'%s' became shorter", b->name);
	return 0;
}

static void fd_blob_free(struct art_blob *blob)
{
	struct fd_blob *b = (struct fd_blob *)blob;

	free(b->name);
	free(b);
}

int art_blob_open_fd(struct art_blob **out, int fd, const char *name, struct art_err *err)
{
	struct fd_blob *b;
	struct stat st;
	uint64_t size;

	if (fstat(fd, &st) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot examine '%s'", name);
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(fd, BLKGETSIZE64, &size) < 0)
			return art_fail_errno(err, ART_E_IO, "cannot size '%s'", name);
	} else if (S_ISREG(st.st_mode)) {
		size = (uint64_t)st.st_size;
	} else {
		return art_fail(err, ART_E_IO, "'%s' is neither a file nor a block device", name);
	}
	b = calloc(1, sizeof(*b));
	if (!b || !(b->name = strdup(name))) {
		free(b);
		return art_fail_memory(err);
	}
	b->base.read = fd_blob_read;
	b->base.free = fd_blob_free;
	b->base.name = b->name;
	b->base.size = size;
	b->fd = fd;
	*out = &b->base;
	return 0;
}

#define COPY_PIECE ((size_t)1024 * 1024)
#define COPY_PAGE ((size_t)4096)

/* What is not zero; the rest stays a hole. */
static int write_piece(int fd, const uint8_t *buf, size_t len, uint64_t at, const char *name,
		       struct art_err *err)
{
	size_t done, n;
	int code = 0;

	for (done = 0; code == 0 && done < len; done += n) {
		n = len - done < COPY_PAGE ? len - done : COPY_PAGE;
		if (!art_is_zero(buf + done, n))
			code = art_pwrite_full(fd, buf + done, n, at + done, name, err);
	}
	return code;
}

int art_blob_copy(struct art_blob *blob, uint64_t off, uint64_t len, int fd, uint64_t at,
		  const char *name, struct art_digest *digest,
		  void (*progress)(void *ctx, uint64_t done, uint64_t total),
		  struct art_err *err)
{
	cleanup_free uint8_t *buf = malloc(COPY_PIECE);
	uint64_t done = 0;
	int code = buf ? 0 : art_fail_memory(err);

	while (code == 0 && done < len) {
		size_t n = len - done < COPY_PIECE ? (size_t)(len - done) : COPY_PIECE;

		code = art_blob_read(blob, buf, n, off + done, err);
		if (code == 0 && digest)
			code = art_digest_update(digest, buf, n, err);
		if (code == 0)
			code = write_piece(fd, buf, n, at + done, name, err);
		done += n;
		if (progress)
			progress(NULL, done, len);
	}
	return code;
}

/*
 * The payload. What is kept decoded is a group's stored rows, one after the other; a row finds its bytes by the
 * sum of the stored rows before it in the group. A group is decoded as far as it was needed.
 */
#define CACHED_GROUPS 4
#define CACHED_INDEXES 4

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

struct payload_blob {
	struct art_blob base;
	struct art_reader *reader;
	size_t payload;
	uint64_t clock;
	struct open_index indexes[CACHED_INDEXES];
	struct group groups[CACHED_GROUPS];
	struct art_digest *sha256;
	uint8_t *stored;
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

static int append_stored(struct payload_blob *b, struct group *g, const struct art_row *row,
			 struct art_err *err)
{
	const uint8_t *plain;
	int code = art_reader_stored(b->reader, b->payload, g->segment, row, b->stored, err);

	if (code == 0)
		code = art_decoder_chunk(g->decoder, row->type, b->stored, row->stored_len,
					 row->plain_len, &plain, err);
	if (code == 0)
		code = art_row_check_plain(row, plain, b->sha256, err);
	if (code == 0)
		memcpy(g->bytes + g->len, plain, row->plain_len);
	return code;
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
		code = append_stored(b, g, &row, err);
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

/* One row's part of [off, off + len); returns how many bytes it gave in *N. */
static int read_row(struct payload_blob *b, uint8_t *buf, size_t len, uint64_t off,
		    size_t *n, struct art_err *err)
{
	size_t segment = (size_t)(off / ART_SEGMENT_SIZE);
	uint64_t inside = off % ART_SEGMENT_SIZE;
	struct art_index *ix;
	struct art_row row;
	const uint8_t *plain;
	uint64_t skip;
	int code = get_index(b, segment, &ix, err);

	if (code < 0)
		return code;
	art_index_row(ix, art_index_find(ix, inside), &row);
	skip = inside - row.plain_off;
	*n = row.plain_len - skip < len ? (size_t)(row.plain_len - skip) : len;
	if (row.type == ART_ROW_ZERO) {
		memset(buf, 0, *n);
		return 0;
	}
	code = find_plain(b, ix, segment, row.type == ART_ROW_COPY ? row.ref : row.number,
			  &plain, err);
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
		int code = read_row(b, (uint8_t *)buf + done, len - done, off + done, &n, err);

		if (code < 0)
			return code;
		done += n;
	}
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
	art_digest_free(b->sha256);
	free(b->stored);
	free(b);
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
	b->base.name = p->name;
	b->base.size = p->size;
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
