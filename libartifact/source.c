// SPDX-License-Identifier: Apache-2.0
/* Sources over a file, a pipe and memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "libartifact/io.h"
#include "libartifact/source.h"
#include "libartifact/util.h"

/* Chunks are small; the kernel is asked for this much at a time. */
#define AHEAD ((size_t)256 * 1024)

struct fd_source {
	struct art_source base;
	int fd;
	char *name;
	uint64_t pos;     /* pipes: file offset after the last byte in AHEAD */
	uint64_t buf_off; /* file offset of buf[0] */
	size_t buf_len;
	uint8_t buf[AHEAD];
};

static ssize_t fill(struct fd_source *s, void *buf, size_t len, uint64_t off,
		    struct art_err *err)
{
	ssize_t n;

	if (s->base.can_seek)
		return art_pread_full(s->fd, buf, len, off, s->name, err);
	n = art_read_full(s->fd, buf, len, s->name, err);
	if (n > 0)
		s->pos += (uint64_t)n;
	return n;
}

/* Move a pipe forward to OFF by reading over what lies between. 1: it ended before. */
static int skip_to(struct fd_source *s, uint64_t off, struct art_err *err)
{
	while (s->pos < off) {
		uint64_t gap = off - s->pos;
		ssize_t n = fill(s, s->buf, gap < AHEAD ? (size_t)gap : AHEAD, s->pos, err);

		if (n < 0)
			return (int)n;
		s->buf_len = 0;
		if (n == 0)
			return 1;
	}
	return 0;
}

/* Load the look-ahead buffer from OFF on. */
static int load(struct fd_source *s, uint64_t off, struct art_err *err)
{
	ssize_t n;

	if (!s->base.can_seek) {
		int code;

		if (off < s->pos)
			return art_fail(err, ART_E_FAILED, "cannot go back in '%s'", s->name);
		code = skip_to(s, off, err);
		if (code != 0) {
			s->buf_len = 0;
			s->buf_off = off;
			return code < 0 ? code : 0;
		}
	}
	s->buf_len = 0;
	n = fill(s, s->buf, AHEAD, off, err);
	if (n < 0)
		return (int)n;
	s->buf_off = off;
	s->buf_len = (size_t)n;
	return 0;
}

static ssize_t fd_read_at(struct art_source *src, uint64_t off, void *buf, size_t len,
			  struct art_err *err)
{
	struct fd_source *s = (struct fd_source *)src;
	size_t done = 0;

	while (done < len) {
		uint64_t at = off + done;
		size_t skip, n;

		if (at < s->buf_off || at >= s->buf_off + s->buf_len) {
			int code = load(s, at, err);

			if (code < 0)
				return code;
			if (s->buf_len == 0)
				break;
		}
		skip = (size_t)(at - s->buf_off);
		n = s->buf_len - skip < len - done ? s->buf_len - skip : len - done;
		memcpy((uint8_t *)buf + done, s->buf + skip, n);
		done += n;
	}
	return (ssize_t)done;
}

static void fd_free(struct art_source *src)
{
	struct fd_source *s = (struct fd_source *)src;

	if (s->fd >= 0)
		close(s->fd);
	free(s->name);
	free(s);
}

static const struct art_source_ops fd_ops = { fd_read_at, NULL, fd_free };

/* Size and seekability; a regular standard input that is not at its start is read as a pipe. */
static int examine(struct fd_source *s, struct art_err *err)
{
	struct stat st;
	uint64_t bytes;

	s->base.size = UINT64_MAX;
	if (fstat(s->fd, &st) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot examine '%s'", s->name);
	if (S_ISDIR(st.st_mode))
		return art_fail(err, ART_E_IO, "'%s' is a directory", s->name);
	if (lseek(s->fd, 0, SEEK_CUR) != 0)
		return 0;
	if (S_ISREG(st.st_mode)) {
		s->base.size = (uint64_t)st.st_size;
		s->base.can_seek = true;
	} else if (S_ISBLK(st.st_mode)) {
		if (ioctl(s->fd, BLKGETSIZE64, &bytes) < 0)
			return art_fail_errno(err, ART_E_IO, "cannot size '%s'", s->name);
		/* The artifact may be shorter than the device that carries it. */
		s->base.can_seek = true;
	}
	return 0;
}

int art_source_open_fd(struct art_source **out, int fd, const char *name,
		       struct art_err *err)
{
	struct fd_source *s = calloc(1, sizeof(*s));
	int code;

	if (!s || !(s->name = strdup(name))) {
		free(s);
		close(fd);
		return art_fail_memory(err);
	}
	s->fd = fd;
	s->base.ops = &fd_ops;
	s->base.name = s->name;
	code = examine(s, err);
	if (code < 0) {
		fd_free(&s->base);
		return code;
	}
	if (s->base.can_seek)
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*out = &s->base;
	return 0;
}

int art_source_open_path(struct art_source **out, const char *path, struct art_err *err)
{
	int fd;

	if (strcmp(path, "-") == 0) {
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return art_fail_errno(err, ART_E_IO, "cannot use standard input");
		return art_source_open_fd(out, fd, "standard input", err);
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", path);
	return art_source_open_fd(out, fd, path, err);
}

struct memory_source {
	struct art_source base;
	const uint8_t *bytes;
};

static ssize_t memory_read_at(struct art_source *src, uint64_t off, void *buf, size_t len,
			      struct art_err *err)
{
	struct memory_source *s = (struct memory_source *)src;

	(void)err;
	if (off >= s->base.size)
		return 0;
	if (len > s->base.size - off)
		len = (size_t)(s->base.size - off);
	memcpy(buf, s->bytes + off, len);
	return (ssize_t)len;
}

static void memory_free(struct art_source *src)
{
	free(src);
}

static const struct art_source_ops memory_ops = { memory_read_at, NULL, memory_free };

int art_source_open_memory(struct art_source **out, const void *bytes, size_t len,
			   struct art_err *err)
{
	struct memory_source *s = calloc(1, sizeof(*s));

	if (!s)
		return art_fail_memory(err);
	s->base.ops = &memory_ops;
	s->base.name = "memory";
	s->base.size = len;
	s->base.can_seek = true;
	s->bytes = bytes;
	*out = &s->base;
	return 0;
}

int art_source_read(struct art_source *src, uint64_t off, void *buf, size_t len,
		    struct art_err *err)
{
	ssize_t n = src->ops->read_at(src, off, buf, len, err);

	if (n < 0)
		return (int)n;
	if ((size_t)n < len)
		return art_fail(err, ART_E_TAR_TRUNCATED, "'%s' ends after %llu bytes, too early",
				src->name, (unsigned long long)(off + (uint64_t)n));
	return 0;
}

void art_source_free(struct art_source *src)
{
	if (src)
		src->ops->free(src);
}
