// SPDX-License-Identifier: Apache-2.0
/* Plain bytes over a descriptor, and copying them. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/fs.h>

#include "libartifact/blob.h"
#include "libartifact/digest.h"
#include "libartifact/io.h"
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
