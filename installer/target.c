// SPDX-License-Identifier: Apache-2.0
/* Writing, comparing and zeroing a partition that does not run. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/falloc.h>
#include <linux/fs.h>

#include "common/cli.h"
#include "installer/target.h"
#include "libartifact/chunk.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define GATHER ((size_t)256 * 1024)
#define UNIT 4096

/* The head that the first SPAN bytes of the scratch buffer give. */
static int make_head(struct target *t, size_t span, uint8_t head[ART_HEAD_LEN],
		     struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	int code = art_digest_once(t->sha256, t->scratch, span, digest, err);

	memcpy(head, digest, ART_HEAD_LEN);
	return code;
}

int target_open(struct target *t, const struct slot_part *part, struct art_err *err)
{
	int code;

	memset(t, 0, sizeof(*t));
	t->fd = -1;
	t->part = part;
	t->scratch = malloc(ART_CHUNK_MAX);
	if (posix_memalign((void **)&t->gather, UNIT, GATHER + ART_CHUNK_MAX) != 0)
		t->gather = NULL;
	if (!t->scratch || !t->gather)
		return art_fail_memory(err);
	code = art_sha256_new(&t->sha256, err);
	if (code < 0)
		return code;
	memset(t->scratch, 0, ART_HEAD_SPAN);
	code = make_head(t, ART_HEAD_SPAN, t->zero_head, err);
	return code < 0 ? code : slot_part_open(part, &t->fd, err);
}

void target_close(struct target *t)
{
	/* A failed close of a partition that was synced says nothing; of one that was not, nothing is claimed. */
	if (t->fd >= 0)
		close(t->fd);
	art_digest_free(t->sha256);
	free(t->scratch);
	free(t->gather);
	memset(t, 0, sizeof(*t));
	t->fd = -1;
}

static int read_exactly(struct target *t, void *buf, size_t len, uint64_t off,
			struct art_err *err)
{
	ssize_t n = art_pread_full(t->fd, buf, len, off, t->part->path, err);

	if (n < 0)
		return (int)n;
	if ((size_t)n < len)
		return art_fail(err, ART_E_IO, "'%s' ends at %llu", t->part->path,
				(unsigned long long)off + (size_t)n);
	return 0;
}

/* As art_skip_hole, of a slot that is a file. */
static uint64_t skip_hole(const struct target *t, uint64_t off, uint64_t end)
{
	return t->part->is_block ? off : art_skip_hole(t->fd, off, end);
}

/*
 * As read_exactly, of what is there before it is written; 1: it cannot be read. A write that a power cut tore leaves
 * such sectors, and the next write heals them.
 */
static int read_old(struct target *t, void *buf, size_t len, uint64_t off, struct art_err *err)
{
	struct art_err why = { 0 };
	int code;

	/* The kernel would fill its cache with zeros, and read ahead to do so. */
	if (skip_hole(t, off, off + len) == off + len) {
		memset(buf, 0, len);
		return 0;
	}
	code = read_exactly(t, buf, len, off, &why);
	if (code == 0)
		return 0;
	if (why.sys_errno != EIO) {
		if (err)
			*err = why;
		return code;
	}
	if (!t->unreadable)
		cli_warn("%s (at %llu); it counts as empty and is written anew", why.text,
			 (unsigned long long)off);
	t->unreadable = true;
	return 1;
}

int target_is_right(struct target *t, const struct art_row *row, uint64_t off, bool *right,
		    struct art_err *err)
{
	size_t span = row->plain_len < ART_HEAD_SPAN ? row->plain_len : ART_HEAD_SPAN;
	size_t have = t->last_right ? row->plain_len : span;
	uint8_t head[ART_HEAD_LEN];
	int code = read_old(t, t->scratch, have, off, err);

	*right = false;
	if (code == 0 && have == span) {
		if (span == ART_HEAD_SPAN && art_is_zero(t->scratch, span))
			memcpy(head, t->zero_head, sizeof(head));
		else
			code = make_head(t, span, head, err);
		if (code < 0)
			return code;
		if (memcmp(head, row->head, sizeof(head)) != 0) {
			t->last_right = false;
			return 0;
		}
		if (row->plain_len > span)
			code = read_old(t, t->scratch + span, row->plain_len - span, off + span,
					err);
	}
	if (code < 0)
		return code;
	*right = code == 0 && art_row_check_plain(row, t->scratch, t->sha256, err) == 0;
	t->last_right = *right;
	return 0;
}

int target_flush(struct target *t, struct art_err *err)
{
	size_t len = t->gather_len;

	t->gather_len = 0;
	return len == 0 ? 0 :
			  art_pwrite_full(t->fd, t->gather, len, t->gather_off, t->part->path, err);
}

int target_room(struct target *t, uint64_t off, size_t len, uint8_t **room, struct art_err *err)
{
	int code = 0;

	if (off > t->part->size || len > t->part->size - off || len > ART_CHUNK_MAX)
		return art_fail(err, ART_E_FAILED, "writing '%s' beyond its end", t->part->path);
	if (off != t->gather_off + t->gather_len)
		code = target_flush(t, err);
	if (t->gather_len == 0)
		t->gather_off = off;
	*room = t->gather + t->gather_len;
	return code;
}

int target_fill(struct target *t, size_t len, struct art_err *err)
{
	uint64_t end = t->gather_off + t->gather_len + len;
	/* Writes end on multiples of GATHER, so that the next begins aligned. */
	size_t beyond = (size_t)(end % GATHER);
	int code;

	t->gather_len += len;
	if (beyond >= t->gather_len)
		return 0;
	t->gather_len -= beyond;
	code = target_flush(t, err);
	memmove(t->gather, t->gather + (end - beyond - t->gather_off), beyond);
	t->gather_off = end - beyond;
	t->gather_len = beyond;
	return code;
}

int target_write(struct target *t, const void *bytes, size_t len, uint64_t off,
		 struct art_err *err)
{
	uint8_t *room;
	int code = target_room(t, off, len, &room, err);

	if (code < 0)
		return code;
	memcpy(room, bytes, len);
	return target_fill(t, len, err);
}

int target_sync(struct target *t, struct art_err *err)
{
	int code = target_flush(t, err);

	if (code == 0 && fdatasync(t->fd) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot sync '%s'", t->part->path);
	return code;
}

static int write_zeros(struct target *t, uint64_t off, uint64_t len, struct art_err *err)
{
	int code = 0;

	memset(t->scratch, 0, len < ART_CHUNK_MAX ? (size_t)len : ART_CHUNK_MAX);
	while (len > 0 && code == 0) {
		size_t n = len < ART_CHUNK_MAX ? (size_t)len : ART_CHUNK_MAX;

		code = art_pwrite_full(t->fd, t->scratch, n, off, t->part->path, err);
		off += n;
		len -= n;
	}
	return code;
}

/*
 * A hole in a file; on a device, zeros that it may make without a transfer. Not its unmapping: there are devices, and layers
 * below devices, that promise zeros for unmapped blocks and give back what was there. Only whole units are handed to the kernel, so
 * that a page that is dirty at its edge is not thrown away.
 */
static int make_zero(struct target *t, uint64_t off, uint64_t len, struct art_err *err)
{
	uint64_t first = art_round_up(off, UNIT), last = (off + len) / UNIT * UNIT;
	uint64_t range[2] = { first, last - first };
	int done, code;

	if (last <= first)
		return write_zeros(t, off, len, err);
	if (t->part->is_block)
		done = ioctl(t->fd, BLKZEROOUT, range);
	else
		done = fallocate(t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)first,
				 (off_t)(last - first));
	if (done < 0)
		return write_zeros(t, off, len, err);
	code = write_zeros(t, off, first - off, err);
	return code < 0 ? code : write_zeros(t, last, off + len - last, err);
}

int target_zero(struct target *t, uint64_t off, uint64_t len, bool dry, uint64_t *changed,
		struct art_err *err)
{
	uint64_t end = off + len;
	int code = 0;

	if (off > t->part->size || len > t->part->size - off)
		return art_fail(err, ART_E_FAILED, "zeroing '%s' beyond its end", t->part->path);
	while (code == 0 && (off = skip_hole(t, off, end)) < end) {
		size_t n = end - off < ART_CHUNK_MAX ? (size_t)(end - off) : ART_CHUNK_MAX;

		code = read_old(t, t->scratch, n, off, err);
		if (code == 1 || (code == 0 && !art_is_zero(t->scratch, n))) {
			*changed += n;
			code = dry ? 0 : make_zero(t, off, n, err);
		}
		off += n;
	}
	return code;
}

void target_forget(struct target *t)
{
	posix_fadvise(t->fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* GATHER is aligned and idle after a sync, so it takes the bytes. */
static int hash_from(struct target *t, int fd, uint64_t size, bool direct, struct art_err *err)
{
	uint64_t off;
	int code = 0;

	for (off = 0; off < size && code == 0; off += GATHER) {
		size_t want = size - off < GATHER ? (size_t)(size - off) : GATHER;
		/* Around the cache only whole units can be read; a shorter file ends the read. */
		size_t ask = direct ? (size_t)art_round_up(want, UNIT) : want;
		ssize_t n = art_pread_full(fd, t->gather, ask, off, t->part->path, err);

		if (n < 0)
			return (int)n;
		if ((size_t)n < want)
			return art_fail(err, ART_E_IO, "'%s' ends at %llu", t->part->path,
					(unsigned long long)off + (size_t)n);
		code = art_digest_update(t->sha256, t->gather, want, err);
		if (!direct)
			posix_fadvise(fd, (off_t)off, (off_t)want, POSIX_FADV_DONTNEED);
	}
	return code;
}

int target_read_back(struct target *t, uint64_t size, uint8_t sha256[ART_SHA256_LEN],
		     bool *direct, struct art_err *err)
{
	cleanup_close int fd = open(t->part->path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	/* A device that is no multiple of the unit cannot give its last bytes that way. */
	bool try_direct = fd >= 0 && slot_part_is(t->part, fd) &&
			  (!t->part->is_block || t->part->size % UNIT == 0);
	int code = -1;

	*direct = false;
	if (try_direct) {
		code = hash_from(t, fd, size, true, err);
		*direct = code == 0;
		if (code < 0) {
			uint8_t waste[ART_SHA256_LEN];

			/* EINVAL: opened, but reading this way is not supported after all. */
			if (!err || err->sys_errno != EINVAL)
				return code;
			code = art_digest_final(t->sha256, waste, err);
			if (code < 0)
				return code;
		}
	}
	if (!*direct) {
		target_forget(t);
		code = hash_from(t, t->fd, size, false, err);
	}
	return code < 0 ? code : art_digest_final(t->sha256, sha256, err);
}
