// SPDX-License-Identifier: Apache-2.0
/*
 * Other signatures for a finished artifact. The file is copied beside its place (by reference where the filesystem can),
 * only manifest.sig is written, and the copy takes the old one's name: whoever reads the artifact meanwhile, or a power
 * cut, sees the old one or the new one. The payload's bytes do not pass through this process.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libartifact/io.h"
#include "libartifact/manifest.h"
#include "libartifact/sig.h"
#include "libartifact/tar.h"
#include "libartifact/util.h"
#include "libartifact/writer.h"

#define COPY_PIECE ((size_t)64 * 1024 * 1024)
#define BUFFER ((size_t)256 * 1024)

/* Where manifest.sig stands in an artifact, from its first two headers. */
static int find_room(int fd, const char *path, uint64_t *off, uint64_t *room, struct art_err *err)
{
	uint8_t block[ART_TAR_BLOCK];
	uint64_t size = 0;
	ssize_t n;
	int code;

	n = art_pread_full(fd, block, sizeof(block), 0, path, err);
	if (n < 0)
		return (int)n;
	if (n < (ssize_t)sizeof(block))
		return art_fail(err, ART_E_TAR_TRUNCATED, "'%s' is not an artifact", path);
	code = art_tar_parse(block, "manifest.json", &size, err);
	if (code)
		return code;
	if (size == 0 || size > ART_MANIFEST_MAX || size % ART_MANIFEST_UNIT)
		return art_fail(err, ART_E_TAR_SIZE, "manifest.json cannot have %llu bytes",
				(unsigned long long)size);
	*off = ART_TAR_BLOCK + size;
	n = art_pread_full(fd, block, sizeof(block), *off, path, err);
	if (n < 0)
		return (int)n;
	if (n < (ssize_t)sizeof(block))
		return art_fail(err, ART_E_TAR_TRUNCATED, "'%s' ends after its manifest", path);
	code = art_tar_parse(block, "manifest.sig", room, err);
	if (code)
		return code;
	if (*room == 0 || *room > ART_SIG_MEMBER_MAX || *room % ART_MANIFEST_UNIT)
		return art_fail(err, ART_E_TAR_SIZE, "manifest.sig cannot have %llu bytes",
				(unsigned long long)*room);
	*off += ART_TAR_BLOCK;
	return 0;
}

static int copy_by_hand(int from, int to, uint64_t off, const char *path, struct art_err *err)
{
	cleanup_free uint8_t *buf = malloc(BUFFER);
	ssize_t n;
	int code;

	if (!buf)
		return art_fail_memory(err);
	for (;;) {
		n = art_pread_full(from, buf, BUFFER, off, path, err);
		if (n <= 0)
			return (int)n;
		code = art_pwrite_full(to, buf, (size_t)n, off, path, err);
		if (code)
			return code;
		off += (uint64_t)n;
	}
}

static int copy_all(int from, int to, uint64_t size, const char *path, struct art_err *err)
{
	uint64_t done = 0;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	while (done < size) {
		loff_t in = (loff_t)done, out = (loff_t)done;
		uint64_t left = size - done;
		ssize_t n = copy_file_range(from, &in, to, &out,
					    left < COPY_PIECE ? (size_t)left : COPY_PIECE, 0);

		if (n < 0 && errno == EINTR)
			continue;
		/* Not between these filesystems, or a kernel that says 0 where it means that: by hand. */
		if (n <= 0)
			return copy_by_hand(from, to, done, path, err);
		done += (uint64_t)n;
	}
	return 0;
}

static int rewrite(int fd, const char *path, const struct art_siglist *list, struct art_err *err)
{
	struct art_out out = ART_OUT_INIT;
	cleanup_free uint8_t *member = NULL;
	uint64_t off = 0, room = 0;
	struct stat st, copy;
	int code;

	if (fstat(fd, &st) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot read '%s'", path);
	if (!S_ISREG(st.st_mode))
		return art_fail(err, ART_E_USAGE, "'%s' is not a file", path);
	code = find_room(fd, path, &off, &room, err);
	if (code)
		return code;
	member = malloc(room);
	if (!member)
		return art_fail_memory(err);
	code = art_siglist_format(list, member, room, err);
	if (code)
		return code;
	code = art_out_open(&out, path, st.st_mode & 07777, err);
	if (code)
		return code;
	code = copy_all(fd, out.fd, (uint64_t)st.st_size, path, err);
	/* A file that shrank while it was copied has no room at OFF any more. */
	if (!code && fstat(out.fd, &copy) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot write '%s'", path);
	if (!code && copy.st_size != st.st_size)
		code = art_fail(err, ART_E_SOURCE_CHANGED, "'%s' changed while it was copied", path);
	if (!code)
		code = art_pwrite_full(out.fd, member, room, off, path, err);
	if (!code)
		return art_out_commit(&out, err);
	art_out_abort(&out);
	return code;
}

int art_write_signatures(const char *path, const struct art_siglist *list, struct art_err *err)
{
	/* Through a symbolic link to the file itself, which would else be replaced by a copy. */
	cleanup_free char *real = realpath(path, NULL);
	cleanup_close int fd = -1;

	if (!real)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", path);
	fd = open(real, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", path);
	return rewrite(fd, real, list, err);
}
