/* SPDX-License-Identifier: Apache-2.0 */
/* Trees and images for the filesystem tests, in a private directory that is removed at the end. */
#ifndef FS_UTIL_H
#define FS_UTIL_H

#include <check.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libartifact/fs/fs.h"
#include "libartifact/util.h"

static char dir[4096];

static void __attribute__((unused, format(printf, 1, 2))) sh(const char *fmt, ...)
{
	char command[16384], inner[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(inner, sizeof(inner), fmt, ap);
	va_end(ap);
	snprintf(command, sizeof(command), "set -e; PATH=$PATH:/usr/sbin:/sbin; cd '%s'; %s", dir,
		 inner);
	ck_assert_msg(system(command) == 0, "failed: %s", inner);
}

static void __attribute__((unused)) dir_make(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/twinroot-fs.XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void __attribute__((unused)) dir_remove(void)
{
	char command[8192];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

struct test_blob {
	struct art_blob base;
	int fd;
};

static int test_blob_read(struct art_blob *blob, void *buf, size_t len, uint64_t off,
			  struct art_err *err)
{
	if (pread(((struct test_blob *)blob)->fd, buf, len, (off_t)off) == (ssize_t)len)
		return 0;
	return art_fail(err, ART_E_IO, "cannot read '%s'", blob->name);
}

static void test_blob_free(struct art_blob *blob)
{
	free(blob);
}

/* Not art_blob_open_fd, which brings the whole artifact reader along. */
static int __attribute__((unused)) image_open(const char *name, struct art_blob **blob)
{
	struct test_blob *b = calloc(1, sizeof(*b));
	char path[8192];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert(fd >= 0 && b && fstat(fd, &st) == 0);
	b->base.read = test_blob_read;
	b->base.free = test_blob_free;
	b->base.name = "image";
	b->base.size = (uint64_t)st.st_size;
	b->fd = fd;
	*blob = &b->base;
	return fd;
}

#endif
