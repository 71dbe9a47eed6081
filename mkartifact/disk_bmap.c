// SPDX-License-Identifier: Apache-2.0
/*
 * The block map (bmap-tools, format 2.0). A map made from the holes of the file would leave what a used card holds in
 * blocks that have to be zero, such as inode tables; so every block that means something is mapped, zero or not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/progress.h"
#include "libartifact/digest.h"
#include "libartifact/util.h"
#include "mkartifact/disk.h"

#define BLOCK 4096
#define PIECE ((size_t)1024 * 1024)

struct range {
	uint64_t first, last; /* blocks; LAST is in it */
};

struct disk_bmap {
	struct range *list;
	size_t count, room;
};

int disk_bmap_new(struct disk_bmap **out, struct art_err *err)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : art_fail_memory(err);
}

void disk_bmap_free(struct disk_bmap *b)
{
	if (b)
		free(b->list);
	free(b);
}

int disk_bmap_add(struct disk_bmap *b, uint64_t offset, uint64_t length, struct art_err *err)
{
	if (length == 0)
		return 0;
	if (b->count == b->room) {
		size_t room = b->room ? 2 * b->room : 64;
		struct range *list = reallocarray(b->list, room, sizeof(*list));

		if (!list)
			return art_fail_memory(err);
		b->list = list;
		b->room = room;
	}
	b->list[b->count++] = (struct range){ offset / BLOCK, (offset + length - 1) / BLOCK };
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static void merge(struct disk_bmap *b)
{
	size_t i, n = 0;

	if (b->count == 0)
		return;
	qsort(b->list, b->count, sizeof(*b->list), compare);
	for (i = 1; i < b->count; i++) {
		if (b->list[i].first > b->list[n].last + 1)
			b->list[++n] = b->list[i];
		else if (b->list[i].last > b->list[n].last)
			b->list[n].last = b->list[i].last;
	}
	b->count = n + 1;
}

struct job {
	int fd;
	const char *name;
	uint64_t size, done, total;
	struct art_digest *sha256;
	uint8_t *buf;
	char *text;
	size_t len;
	FILE *f; /* of TEXT */
	struct art_err *err;
};

static int write_range(struct job *j, const struct range *r)
{
	uint64_t at = r->first * BLOCK, end = (r->last + 1) * BLOCK;
	char hex[2 * ART_SHA256_LEN + 1];
	uint8_t digest[ART_SHA256_LEN];
	int code = 0;

	if (end > j->size)
		end = j->size;
	while (code == 0 && at < end) {
		size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;
		ssize_t got = art_pread_full(j->fd, j->buf, n, at, j->name, j->err);

		if (got < 0)
			return (int)got;
		if ((size_t)got != n)
			return art_fail(j->err, ART_E_SOURCE_CHANGED, "'%s' became shorter", j->name);
		code = art_digest_update(j->sha256, j->buf, n, j->err);
		at += n;
		j->done += n;
		progress_update(NULL, j->done, j->total);
	}
	if (code == 0)
		code = art_digest_final(j->sha256, digest, j->err);
	if (code < 0)
		return code;
	art_hex_format(hex, digest, sizeof(digest));
	fprintf(j->f, "        <Range chksum=\"%s\"> %" PRIu64, hex, r->first);
	if (r->last != r->first)
		fprintf(j->f, "-%" PRIu64, r->last);
	fputs(" </Range>\n", j->f);
	return 0;
}

static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";

static void write_head(struct job *j, uint64_t mapped)
{
	fprintf(j->f,
		"<?xml version=\"1.0\" ?>\n"
		"<bmap version=\"2.0\">\n"
		"    <ImageSize> %" PRIu64 " </ImageSize>\n"
		"    <BlockSize> %d </BlockSize>\n"
		"    <BlocksCount> %" PRIu64 " </BlocksCount>\n"
		"    <MappedBlocksCount> %" PRIu64 " </MappedBlocksCount>\n"
		"    <ChecksumType> sha256 </ChecksumType>\n"
		"    <BmapFileChecksum> %s </BmapFileChecksum>\n"
		"    <BlockMap>\n",
		j->size, BLOCK, (j->size + BLOCK - 1) / BLOCK, mapped, zeros);
}

/* The checksum of the file is over itself with zeros in the checksum's place. */
static int seal(struct job *j)
{
	uint8_t digest[ART_SHA256_LEN];
	char hex[2 * ART_SHA256_LEN + 1];
	int code = art_sha256(j->text, j->len, digest, j->err);

	if (code < 0)
		return code;
	art_hex_format(hex, digest, sizeof(digest));
	memcpy(strstr(j->text, zeros), hex, sizeof(hex) - 1);
	return 0;
}

static int write_all(struct job *j, const struct disk_bmap *b)
{
	size_t i;
	int code = 0;

	for (i = 0; i < b->count; i++)
		j->total += (b->list[i].last - b->list[i].first + 1) * BLOCK;
	write_head(j, j->total / BLOCK);
	progress_begin("block map", j->total);
	for (i = 0; code == 0 && i < b->count; i++)
		code = write_range(j, &b->list[i]);
	progress_end();
	fputs("    </BlockMap>\n</bmap>\n", j->f);
	/* Sets TEXT and LEN. */
	if (fclose(steal_ptr(j->f)) != 0 && code == 0)
		code = art_fail_memory(j->err);
	return code;
}

int disk_bmap_write(struct disk_bmap *b, int fd, const char *name, uint64_t size,
		    const struct art_out *out, struct art_err *err)
{
	struct job j = { .fd = fd, .name = name, .size = size, .err = err };
	int code = art_sha256_new(&j.sha256, err);

	merge(b);
	j.buf = malloc(PIECE);
	j.f = open_memstream(&j.text, &j.len);
	if (code == 0 && (!j.buf || !j.f))
		code = art_fail_memory(err);
	if (code == 0)
		code = write_all(&j, b);
	if (code == 0)
		code = seal(&j);
	if (code == 0)
		code = art_write_full(out->fd, j.text, j.len, out->path, err);
	if (j.f)
		fclose(j.f);
	free(j.text);
	free(j.buf);
	art_digest_free(j.sha256);
	return code;
}
