/* SPDX-License-Identifier: Apache-2.0 */
/* A rootfs in the directory "t", made into an ext4 image and opened; Check's fixture around it. */
#ifndef ROOTFS_H
#define ROOTFS_H

#include "libartifact/fs/scan.h"
#include "tests/unit/fs_util.h"

static struct art_blob *blob;
static struct art_fs *fs;
static int fd = -1;

static void image_make(void)
{
	struct art_err err = { 0 };

	sh("rm -f i; truncate -s 8M i; mke2fs -q -F -t ext4 -O ^metadata_csum -d t i");
	fd = image_open("i", &blob);
	ck_assert_msg(art_fs_open(&fs, blob, "ext4", &err) == 0, "%s", err.text);
}

static void image_drop(void)
{
	art_fs_close(fs);
	art_blob_free(blob);
	if (fd >= 0)
		close(fd);
	fs = NULL;
	blob = NULL;
	fd = -1;
}

static void __attribute__((unused)) setup(void)
{
	dir_make();
	sh("mkdir -p t/etc t/usr/bin t/usr/lib t/var/lib/dpkg");
}

static void __attribute__((unused)) teardown(void)
{
	image_drop();
	dir_remove();
}

static void __attribute__((unused)) put(const char *path, const void *bytes, size_t len)
{
	char name[8192];
	FILE *out;

	snprintf(name, sizeof(name), "%s/t/%s", dir, path);
	out = fopen(name, "w");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(bytes, 1, len, out), len);
	ck_assert_int_eq(fclose(out), 0);
}

#endif
