// SPDX-License-Identifier: Apache-2.0
/* ext4 images whose damage would have libext2fs read beyond a buffer, give wrong bytes, or never end (ext4_fs.c, ext4_io.c). */
#include "tests/unit/fs_util.h"
#include "tests/unit/run.h"

static void setup(void)
{
	dir_make();
	sh("mkdir -p t/d; for i in 0 1; do echo $i > t/d/f$i; done");
}

/* It is bytes, and nothing is said of them. */
static void expect_no_layout(struct art_blob *blob)
{
	struct art_regions r;

	ck_assert_int_eq(art_fs_regions(blob, "ext4", &r, NULL), 0);
	ck_assert_uint_eq(r.count, 1);
	ck_assert_int_eq(r.list[0].type, ART_REGION_DATA);
	free(r.list);
}

/* An image without checksums, changed by a line of debugfs. */
static struct art_fs *damaged_image(const char *options, const char *lines, int *fd, struct art_blob **blob)
{
	struct art_fs *fs;
	struct art_err err = { 0 };

	sh("rm -f i; truncate -s 8M i; mke2fs -q -F -t ext4 -b 1024 -I 256 -O ^metadata_csum,^has_journal,%s -d t i;"
	   " printf '%s' > lines; debugfs -w -f lines i > /dev/null 2>&1", options, lines);
	*fd = image_open("i", blob);
	ck_assert_msg(art_fs_open(&fs, *blob, "ext4", &err) == 0, "%s", err.text);
	return fs;
}

static void image_close(struct art_fs *fs, int fd, struct art_blob *blob)
{
	art_fs_close(fs);
	art_blob_free(blob);
	close(fd);
}

static int on_node(void *ctx, const struct art_fs_entry *e, struct art_err *err)
{
	(void)err;
	*(uint64_t *)ctx = e->node;
	return 0;
}

static uint64_t node_of(struct art_fs *fs, const char *path)
{
	uint64_t node = 0;

	ck_assert_int_eq(art_fs_walk(fs, path, 0, on_node, &node, NULL), 0);
	return node;
}

static void expect_content(struct art_fs *fs, const char *path, int byte, size_t want)
{
	struct art_err err = { 0 };
	uint8_t *bytes;
	size_t len, i;

	ck_assert_msg(art_fs_read_file(fs, path, 100000, &bytes, &len, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(len, want);
	for (i = 0; i < len; i++)
		ck_assert_int_eq(bytes[i], byte);
	free(bytes);
}

/* What an inode holds itself is as long as its size, and not as the room for it. */
START_TEST(inline_contents)
{
	static const int sizes[] = { 0, 5, 60, 61, 140 };
	struct art_blob *blob;
	struct art_fs *fs;
	uint8_t *bytes;
	char path[32];
	size_t i, len;
	int fd;

	for (i = 0; i < ART_ARRAY_SIZE(sizes); i++)
		sh("head -c %d /dev/zero | tr '\\0' i > t/i%d", sizes[i], sizes[i]);
	fs = damaged_image("inline_data", "sif /i61 size 5000\n", &fd, &blob);
	for (i = 0; i < ART_ARRAY_SIZE(sizes); i++) {
		snprintf(path, sizeof(path), "/i%d", sizes[i]);
		if (sizes[i] != 61)
			expect_content(fs, path, 'i', (size_t)sizes[i]);
	}
	/* A hole at the end. */
	ck_assert_int_eq(art_fs_read_file(fs, "/i61", 6000, &bytes, &len, NULL), 0);
	ck_assert_uint_eq(len, 5000);
	for (i = 0; i < len; i++)
		ck_assert_int_eq(bytes[i], i < 61 ? 'i' : 0);
	free(bytes);
	image_close(fs, fd, blob);
}
END_TEST

/* The attribute that holds a file's contents may be an inode of its own, of more than the three blocks that libext2fs has room for. */
START_TEST(inline_large)
{
	static const char name[] = "data";
	uint8_t entry[20];
	struct art_blob *blob;
	struct art_fs *fs;
	int fd, found = 0;
	uint64_t other;
	off_t at;

	sh("head -c 1024 /dev/zero > value; for i in f0 f1; do head -c 20000 /dev/zero > t/d/$i; done");
	fs = damaged_image("ea_inode", "ea_set -f value /d/f0 user.data\nsif /d/f1 flags 0x280000\n"
				       "sif /d/f0 flags 0x10000000\nsif /d/f0 size 20060\n", &fd, &blob);
	other = node_of(fs, "/d/f1");
	art_fs_close(fs);
	for (at = 0; pread(fd, entry, sizeof(entry), at) == sizeof(entry); at += 4) {
		if (entry[0] != 4 || entry[1] != 1 || memcmp(entry + 16, name, 4) != 0)
			continue;
		entry[1] = 7; /* "system." */
		art_put32(entry + 4, (uint32_t)other);
		art_put32(entry + 8, 20000);
		art_put32(entry + 12, 0); /* no hash */
		found += pwrite(fd, entry, sizeof(entry), at) == sizeof(entry);
	}
	ck_assert_int_eq(found, 1);
	for (at = 0; at < 60; at += 4)
		sh("debugfs -w -R 'sif /d/f0 block[%d] 0' i 2>/dev/null", (int)at / 4);
	ck_assert_int_eq(art_fs_open(&fs, blob, "ext4", NULL), 0);
	expect_content(fs, "/d/f0", 0, 20060);
	image_close(fs, fd, blob);
}
END_TEST

static int on_attribute(void *ctx, const char *name, const void *value, size_t len)
{
	static const uint8_t want[] = { 2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 5, 0, 232, 3, 0, 0 };

	ck_assert_str_eq(name, "system.posix_acl_access");
	ck_assert_uint_eq(len, sizeof(want));
	ck_assert_mem_eq(value, want, len);
	++*(int *)ctx;
	return 0;
}

/* A list that ends within an entry, in the middle or with one too short for its number, is damaged, and nothing after it is read. */
START_TEST(acl_cut)
{
	static const char *const lists[] = {
		"\\1\\0\\0\\0\\1\\0\\6\\0\\2\\0\\5\\0\\350\\3\\0\\0", /* whole */
		"", "\\1\\0\\0", "\\1\\0\\0\\0\\1\\0", "\\1\\0\\0\\0\\1\\0\\6\\0\\40\\0",
		"\\1\\0\\0\\0\\2\\0\\5\\0\\350\\3", "\\1\\0\\0\\0\\100\\0\\5\\0", "\\1\\0\\0\\0\\3\\0\\5\\0",
		"\\2\\0\\0\\0\\1\\0\\6\\0",
	};
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(lists); i++) {
		struct art_err err = { 0 };
		struct art_blob *blob;
		struct art_fs *fs;
		int fd, count = 0;

		sh("printf '%s' > acl", lists[i]);
		fs = damaged_image("extent", "ea_set -r -f acl /d/f1 system.posix_acl_access\n", &fd, &blob);
		ck_assert_int_eq(art_fs_xattrs(fs, node_of(fs, "/d/f1"), on_attribute, &count, &err),
				 i == 0 ? 0 : ART_E_FAILED);
		ck_assert_int_eq(count, i == 0);
		image_close(fs, fd, blob);
	}
}
END_TEST

static int on_extent(void *ctx, const struct art_fs_extent *e, struct art_err *err)
{
	(void)ctx;
	(void)e;
	(void)err;
	return 0;
}

static void expect_endless(struct art_fs *fs, struct art_blob *blob, const char *why)
{
	struct art_err err = { 0 };

	ck_assert_int_eq(art_fs_extents(fs, node_of(fs, "/d/f1"), on_extent, NULL, &err), ART_E_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, why));
	err.text[0] = '\0';
	ck_assert_int_eq(art_fs_walk(fs, "/e", 1, on_node, &(uint64_t){ 0 }, &err), ART_E_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, why));
	expect_no_layout(blob);
}

/* A tree whose nodes all point to the same next one has 84^4 leaves in 5 blocks; with blocks of 4 KiB it would have 340^4. */
START_TEST(endless_tree)
{
	struct art_blob *blob;
	struct art_fs *fs;
	char lines[2048] = "";
	int fd, i, k;

	sh("mkdir t/e");
	for (i = 0; i < 2; i++)
		for (k = 0; k < 6; k++)
			snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines), "sif %s block[%d] 0x%x\n",
				 i ? "/e" : "/d/f1", k, (const unsigned int[]){ 0x1f30a, 0x50004, 0, 0, 6000, 0 }[k]);
	fs = damaged_image("extent", lines, &fd, &blob);
	for (i = 0; i < 5; i++) {
		uint8_t node[1024] = { 0x0a, 0xf3, 84, 0, 84, 0, (uint8_t)(4 - i) };

		for (k = 0; k < 84; k++) {
			art_put32(node + 12 + 12 * k + 4, i < 4 ? 6001 + (uint32_t)i : 1);
			art_put32(node + 12 + 12 * k + 8, i < 4 ? 0 : 6000);
		}
		ck_assert_int_eq(pwrite(fd, node, sizeof(node), (6000 + i) * 1024), sizeof(node));
	}
	expect_endless(fs, blob, "more blocks than the filesystem has");
	image_close(fs, fd, blob);
	sh("debugfs -w -R 'sif /d/f1 block[1] 0x60004' i 2>/dev/null; debugfs -w -R 'sif /e block[1] 0xffff0004' i 2>/dev/null");
	fd = image_open("i", &blob);
	ck_assert_int_eq(art_fs_open(&fs, blob, "ext4", NULL), 0);
	expect_endless(fs, blob, "levels deep");
	image_close(fs, fd, blob);
}
END_TEST

/* The same with indirect blocks. */
START_TEST(endless_map)
{
	struct art_blob *blob;
	struct art_fs *fs;
	uint8_t block[1024];
	int fd, i;

	sh("mkdir t/e");
	fs = damaged_image("^extent,^64bit", "sif /d/f1 block[TIND] 6000\nsif /e block[TIND] 6000\n", &fd, &blob);
	for (i = 0; i < 256; i++)
		art_put32(block + 4 * i, 6000);
	ck_assert_int_eq(pwrite(fd, block, sizeof(block), 6000 * 1024), sizeof(block));
	expect_endless(fs, blob, "more blocks than the filesystem has");
	image_close(fs, fd, blob);
}
END_TEST

/* A superblock that libext2fs takes: its copy of the bitmap would lie beside its memory, or groups share their tables. */
START_TEST(superblocks)
{
	static const struct {
		const char *options, *set, *text;
	} cases[] = {
		{ "", "ssv first_data_block 2000", "ext4 in 'image' is damaged: its first block cannot be" },
		{ "-g 256 -N 512", "ssv blocks_per_group 260\nssv clusters_per_group 260",
		  "ext4 in 'image' is damaged: the size of its groups cannot be" },
		{ "-g 256 -N 512", "ssv inodes_per_group 8192\nssv inodes_count 262144",
		  "ext4 in 'image' is damaged: more inodes than have room" },
	};
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(cases); i++) {
		struct art_err err = { 0 };
		struct art_blob *blob;
		struct art_fs *fs;
		int fd;

		sh("rm -f i; truncate -s 8M i; mke2fs -q -F -t ext2 -b 1024 %s i;"
		   " printf '%s\n' > lines; debugfs -w -f lines i > /dev/null 2>&1", cases[i].options, cases[i].set);
		fd = image_open("i", &blob);
		ck_assert_int_eq(art_fs_open(&fs, blob, "ext4", &err), ART_E_FAILED);
		ck_assert_str_eq(err.text, cases[i].text);
		expect_no_layout(blob);
		art_blob_free(blob);
		close(fd);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ext4 damage");
	TCase *tests = tcase_create("ext4 damage");

	tcase_add_checked_fixture(tests, setup, dir_remove);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, inline_contents);
	tcase_add_test(tests, inline_large);
	tcase_add_test(tests, acl_cut);
	tcase_add_test(tests, endless_tree);
	tcase_add_test(tests, endless_map);
	tcase_add_test(tests, superblocks);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
