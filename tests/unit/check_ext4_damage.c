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
	tcase_add_test(tests, superblocks);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
