// SPDX-License-Identifier: Apache-2.0
/* What filesystem a superblock says it is, and how large; heads made by hand, as the formats' documents have them. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <check.h>

#include "libartifact/fs/fs.h"
#include "run.h"

#define LEN 4096

static uint8_t head[LEN];

static void put(size_t at, uint64_t value, unsigned int bytes)
{
	for (; bytes > 0; bytes--, value >>= 8)
		head[at++] = (uint8_t)value;
}

static struct art_blob *blob_of(size_t len, int *fd)
{
	struct art_blob *blob = NULL;

	*fd = memfd_create("head", MFD_CLOEXEC);
	ck_assert_int_eq(write(*fd, head, len), (ssize_t)len);
	ck_assert_int_eq(art_blob_open_fd(&blob, *fd, "head", NULL), 0);
	return blob;
}

static void expect(size_t len, const char *filesystem, uint64_t size)
{
	int fd;
	struct art_blob *blob = blob_of(len, &fd);
	const char *found = art_fs_detect(blob);

	if (filesystem)
		ck_assert_str_eq(found ? found : "none", filesystem);
	else
		ck_assert_ptr_null(found);
	ck_assert_uint_eq(art_fs_size(blob, found), size);
	art_blob_free(blob);
	close(fd);
}

static void clear(void)
{
	memset(head, 0, sizeof(head));
}

START_TEST(nothing_known)
{
	expect(LEN, NULL, 0);
	put(1024 + 56, 0xef53, 2);
	expect(2047, NULL, 0);
	expect(2048, "ext4", 0);
}
END_TEST

START_TEST(ext4)
{
	put(1024 + 56, 0xef53, 2);
	put(1024 + 4, 1000, 4);
	put(1024 + 24, 2, 4); /* blocks of 4 KiB */
	expect(LEN, "ext4", 4096000);
	put(1024 + 336, 5, 4);
	expect(LEN, "ext4", 4096000);
	put(1024 + 96, 0x80, 4); /* 64bit: the high half counts */
	expect(LEN, "ext4", ((UINT64_C(5) << 32) + 1000) * 4096);
	put(1024 + 336, UINT32_MAX, 4);
	expect(LEN, "ext4", 0);
	put(1024 + 24, 7, 4);
	expect(LEN, "ext4", 0);
}
END_TEST

START_TEST(squashfs)
{
	put(0, 0x73717368, 4);
	put(40, 123456789, 8);
	expect(LEN, "squashfs", 123456789);
}
END_TEST

START_TEST(erofs)
{
	put(1024, 0xe0f5e1e2, 4);
	put(1024 + 12, 12, 1);
	put(1024 + 36, 77, 4);
	expect(LEN, "erofs", 77 * 4096);
	put(1024 + 12, 33, 1);
	expect(LEN, "erofs", 0);
}
END_TEST

START_TEST(vfat)
{
	static const struct {
		size_t at;
		const char *word;
	} kinds[] = { { 54, "FAT12   " }, { 54, "FAT16   " }, { 82, "FAT32   " } };
	size_t i;

	for (i = 0; i < 3; i++) {
		clear();
		put(510, 0xaa55, 2);
		put(0, 0xeb, 1);
		expect(LEN, NULL, 0);
		memcpy(head + kinds[i].at, kinds[i].word, 8);
		put(11, 512, 2);
		put(32, 70000, 4);
		expect(LEN, "vfat", 70000 * 512);
		put(19, 2880, 2);
		expect(LEN, "vfat", 2880 * 512);
		put(0, 0xe9, 1);
		expect(LEN, "vfat", 2880 * 512);
		put(0, 0, 1);
		expect(LEN, NULL, 0);
		put(0, 0xeb, 1);
		put(511, 0, 1);
		expect(LEN, NULL, 0);
		put(510, 0, 1);
		expect(LEN, NULL, 0);
	}
}
END_TEST

/* A file that has become shorter cannot be read: nothing is known of it, and that is no crash. */
START_TEST(unreadable)
{
	int fd;
	struct art_blob *blob;

	put(0, 0x73717368, 4);
	blob = blob_of(LEN, &fd);
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	ck_assert_ptr_null(art_fs_detect(blob));
	ck_assert_uint_eq(art_fs_size(blob, "squashfs"), 0);
	art_blob_free(blob);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("detect");
	TCase *t = tcase_create("detect");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, clear, NULL);
	tcase_add_test(t, nothing_known);
	tcase_add_test(t, ext4);
	tcase_add_test(t, squashfs);
	tcase_add_test(t, erofs);
	tcase_add_test(t, vfat);
	tcase_add_test(t, unreadable);
	return run_suite(s);
}
