// SPDX-License-Identifier: Apache-2.0
/*
 * A blob that keeps what it has read in a sparse unlinked file. Reading all files of an
 * image in the order of their names would otherwise decode most groups several times.
 */
#include <stdlib.h>
#include <unistd.h>

#include "inspect/inspect.h"
#include "libartifact/blob.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define GRAIN ((size_t)1024 * 1024)

struct cache_blob {
	struct art_blob base;
	struct art_blob *inner;
	int fd;
	uint8_t *have; /* a byte for each grain */
	uint8_t *buf;
};

static size_t grain_len(const struct cache_blob *c, uint64_t grain)
{
	uint64_t left = c->base.size - grain * GRAIN;

	return left < GRAIN ? (size_t)left : GRAIN;
}

static int load(struct cache_blob *c, uint64_t grain, struct art_err *err)
{
	size_t len = grain_len(c, grain);
	int code;

	if (c->have[grain])
		return 0;
	code = art_blob_read(c->inner, c->buf, len, grain * GRAIN, err);
	/* Holes stay holes. */
	if (code == 0 && !art_is_zero(c->buf, len))
		code = art_pwrite_full(c->fd, c->buf, len, grain * GRAIN,
				       "a temporary file", err);
	if (code == 0)
		c->have[grain] = 1;
	return code;
}

static int cache_read(struct art_blob *blob, void *buf, size_t len, uint64_t off,
		      struct art_err *err)
{
	struct cache_blob *c = (struct cache_blob *)blob;
	ssize_t n;

	if (len == 0)
		return 0;
	for (uint64_t g = off / GRAIN; g <= (off + len - 1) / GRAIN; g++) {
		int code = load(c, g, err);

		if (code < 0)
			return code;
	}
	n = art_pread_full(c->fd, buf, len, off, "a temporary file", err);
	if (n < 0)
		return (int)n;
	if ((size_t)n < len)
		return art_fail(err, ART_E_IO, "a temporary file became shorter");
	return 0;
}

static void cache_free(struct art_blob *blob)
{
	struct cache_blob *c = (struct cache_blob *)blob;

	art_blob_free(c->inner);
	if (c->fd >= 0)
		close(c->fd);
	free(c->have);
	free(c->buf);
	free(c);
}

int inspect_cache_blob(struct art_blob **out, struct art_blob *inner, struct art_err *err)
{
	struct cache_blob *c = calloc(1, sizeof(*c));
	int code;

	if (!c) {
		art_blob_free(inner);
		*out = NULL;
		return art_fail_memory(err);
	}
	c->base = (struct art_blob){ cache_read, cache_free, inner->name, inner->size };
	c->inner = inner;
	c->fd = -1;
	c->have = calloc(1, (size_t)(inner->size / GRAIN) + 1);
	c->buf = malloc(GRAIN);
	code = c->have && c->buf ? inspect_temp_file(&c->fd, err) : art_fail_memory(err);
	if (code == 0 && ftruncate(c->fd, (off_t)inner->size) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot size a temporary file");
	if (code < 0) {
		cache_free(&c->base);
		*out = NULL;
		return code;
	}
	*out = &c->base;
	return 0;
}
