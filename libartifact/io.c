// SPDX-License-Identifier: Apache-2.0
/* Full reads and writes, and files that appear only when they are complete. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libartifact/io.h"
#include "libartifact/util.h"

/* The kernel takes at most this much at once; less also keeps a signal's delay short. */
#define IO_PIECE ((size_t)1 << 30)

static size_t piece(size_t left)
{
	return left < IO_PIECE ? left : IO_PIECE;
}

ssize_t art_read_full(int fd, void *buf, size_t len, const char *name, struct art_err *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, piece(len - done));

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return art_fail_errno(err, ART_E_IO, "cannot read '%s'", name);
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t art_pread_full(int fd, void *buf, size_t len, uint64_t off, const char *name,
		       struct art_err *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, piece(len - done),
				  (off_t)(off + done));

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return art_fail_errno(err, ART_E_IO, "cannot read '%s'", name);
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int art_write_full(int fd, const void *buf, size_t len, const char *name, struct art_err *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)buf + done, piece(len - done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return art_fail_errno(err, ART_E_IO, "cannot write '%s'", name);
		done += (size_t)n;
	}
	return 0;
}

int art_pwrite_full(int fd, const void *buf, size_t len, uint64_t off, const char *name,
		    struct art_err *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, (const char *)buf + done, piece(len - done),
				   (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return art_fail_errno(err, ART_E_IO, "cannot write '%s'", name);
		/* A block device accepts nothing at its end. */
		if (n == 0)
			return art_fail(err, ART_E_SPACE, "cannot write '%s': it ends at %llu",
					name, (unsigned long long)(off + done));
		done += (size_t)n;
	}
	return 0;
}

int art_read_file(const char *path, size_t max, uint8_t **out, size_t *len,
		  struct art_err *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free uint8_t *buf = NULL;
	ssize_t n;

	if (fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", path);
	buf = malloc(max + 1);
	if (!buf)
		return art_fail_memory(err);
	n = art_read_full(fd, buf, max + 1, path, err);
	if (n < 0)
		return (int)n;
	if ((size_t)n > max)
		return art_fail(err, ART_E_IO, "'%s' is larger than %zu bytes", path, max);
	buf[n] = '\0';
	*len = (size_t)n;
	*out = steal_ptr(buf);
	return 0;
}

static int open_directory_of(const char *path)
{
	cleanup_free char *copy = strdup(path);

	if (!copy)
		return -1;
	return open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int art_out_check(const char *path, struct art_err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0 || S_ISREG(st.st_mode))
		return 0;
	return art_fail(err, ART_E_USAGE,
			"'%s' is there and is not a regular file: give the output another name", path);
}

static bool lies_below(const char *path, const char *directory)
{
	cleanup_free char *file = realpath(path, NULL);
	cleanup_free char *top = realpath(directory, NULL);
	size_t len = top ? strlen(top) : 0;

	return file && top && strncmp(file, top, len) == 0 && (file[len] == '/' || len == 1);
}

int art_out_check_input(const char *path, const char *input, struct art_err *err)
{
	struct stat out, in;

	if (!input || stat(path, &out) < 0 || stat(input, &in) < 0)
		return 0;
	if ((out.st_dev != in.st_dev || out.st_ino != in.st_ino) &&
	    !(S_ISDIR(in.st_mode) && lies_below(path, input)))
		return 0;
	return art_fail(err, ART_E_USAGE, "'%s' is an input, and would be lost: give the output another name",
			path);
}

/* After O_TMPFILE: not every filesystem knows it. */
static bool needs_name(void)
{
	return errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL || errno == ENOENT;
}

int art_open_unnamed(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	cleanup_free char *path = NULL;

	if (fd >= 0 || !needs_name())
		return fd;
	if (asprintf(&path, "%s/.twinroot-XXXXXX", directory) < 0)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

uint64_t art_skip_hole(int fd, uint64_t off, uint64_t end)
{
	off_t data = lseek(fd, (off_t)off, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? end : off;
	return (uint64_t)data < end ? (uint64_t)data : end;
}

/* Without a name if the filesystem can, else hidden. */
static int open_temp(struct art_out *o)
{
	cleanup_free char *copy = strdup(o->path);

	if (!copy)
		return -1;
	o->fd = open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (o->fd >= 0 || !needs_name())
		return o->fd;
	o->fd = mkostemp(o->temp, O_CLOEXEC);
	o->named = o->fd >= 0;
	return o->fd;
}

int art_out_open(struct art_out *out, const char *path, unsigned int mode,
		 struct art_err *err)
{
	const char *slash = strrchr(path, '/');
	int dir_len = slash ? (int)(slash - path + 1) : 0;
	struct art_out o = ART_OUT_INIT;
	int code = 0;

	/* The hidden name is no longer than a name may be. */
	o.path = strdup(path);
	if (!o.path || asprintf(&o.temp, "%.*s.%.200s.XXXXXX", dir_len, path, path + dir_len) < 0) {
		free(o.path);
		return art_fail_memory(err);
	}
	if (open_temp(&o) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot create '%s'", path);
	else if (fchmod(o.fd, mode) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot set the mode of '%s'", path);
	if (code < 0) {
		art_out_abort(&o);
		return code;
	}
	*out = o;
	return 0;
}

static int link_unnamed(int fd, const char *name)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

/* A name at last: beside PATH, for the rename that puts it in its place. */
static int give_name(struct art_out *out, int fd)
{
	size_t len = strlen(out->temp);

	if (out->named)
		return 0;
	snprintf(out->temp + len - 6, 7, "%06u", (unsigned int)getpid() % 1000000);
	if (link_unnamed(fd, out->temp) < 0) {
		/* One that was killed between link and rename had our number. */
		if (errno != EEXIST || unlink(out->temp) < 0 || link_unnamed(fd, out->temp) < 0)
			return -1;
	}
	out->named = true;
	return 0;
}

int art_out_commit(struct art_out *out, struct art_err *err)
{
	cleanup_close int dir = -1;
	int fd = art_steal_fd(&out->fd);
	int code = 0;

	if (fsync(fd) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot write '%s'", out->path);
	if (!code && give_name(out, fd) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot name '%s'", out->path);
	if (close(fd) < 0 && !code)
		code = art_fail_errno(err, ART_E_IO, "cannot write '%s'", out->path);
	if (!code && rename(out->temp, out->path) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot rename '%s' to '%s'", out->temp,
				      out->path);
	if (code) {
		art_out_abort(out);
		return code;
	}
	out->named = false;
	free(steal_ptr(out->temp));
	/* The file is in place; a directory that cannot be synced (some FUSE ones) is still a fault,
	 * because the caller was promised that the name survives a power cut. */
	dir = open_directory_of(out->path);
	if (dir < 0 || (fsync(dir) < 0 && errno != EINVAL))
		code = art_fail_errno(err, ART_E_IO, "cannot sync the directory of '%s'",
				      out->path);
	free(steal_ptr(out->path));
	return code;
}

/* PATH for a file that has a hidden name, unless something is there. */
static int rename_to_free(struct art_out *out)
{
	/* Some filesystems have no hard links, others cannot rename in this way. */
	if (linkat(AT_FDCWD, out->temp, AT_FDCWD, out->path, 0) == 0)
		return 0;
	if (errno == EEXIST ||
	    syscall(SYS_renameat2, AT_FDCWD, out->temp, AT_FDCWD, out->path, RENAME_NOREPLACE) < 0)
		return -1;
	out->named = false;
	return 0;
}

int art_out_place(struct art_out *out, struct art_err *err)
{
	int fd = art_steal_fd(&out->fd);
	int code = 0;

	if ((out->named ? rename_to_free(out) : link_unnamed(fd, out->path)) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot name '%s'", out->path);
	if (close(fd) < 0 && !code) {
		code = art_fail_errno(err, ART_E_IO, "cannot write '%s'", out->path);
		unlink(out->path);
	}
	art_out_abort(out);
	return code;
}

void art_out_abort(struct art_out *out)
{
	int saved = errno;

	if (out->fd >= 0 && out->temp)
		close(out->fd);
	out->fd = -1;
	if (out->named)
		unlink(out->temp);
	out->named = false;
	free(steal_ptr(out->temp));
	free(steal_ptr(out->path));
	errno = saved;
}
