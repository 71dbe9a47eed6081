// SPDX-License-Identifier: Apache-2.0
/* The tree that an image is built from (tree.c): contents and where they lie. Names are check_tar_in.c's. */
#include "libartifact/fs/tree.h"
#include "libartifact/io.h"
#include "tests/unit/fs_util.h"
#include "tests/unit/run.h"

static struct art_tree tree;
static struct art_err err;

static void setup(void)
{
	dir_make();
	ck_assert_int_eq(art_tree_init(&tree, 0, &err), 0);
}

static void teardown(void)
{
	art_tree_free(&tree);
	art_tree_free(&tree); /* harmless */
	ck_assert_ptr_null(tree.root);
	dir_remove();
}

START_TEST(extents)
{
	struct art_tree_inode *inode = art_tree_inode_new();

	ck_assert_ptr_nonnull(inode);
	ck_assert_int_eq(art_tree_add_extent(inode, 0, 0, 7, &err), 0);
	ck_assert_uint_eq(inode->extent_count, 0);
	ck_assert_int_eq(art_tree_add_extent(inode, 10, 10, 100, &err), 0);
	ck_assert_int_eq(art_tree_add_extent(inode, 20, 10, 110, &err), 0); /* joined */
	ck_assert_int_eq(art_tree_add_extent(inode, 30, 10, 300, &err), 0); /* elsewhere in the spool */
	ck_assert_int_eq(art_tree_add_extent(inode, 50, 10, 310, &err), 0); /* after a hole */
	ck_assert_int_eq(art_tree_add_extent(inode, 59, 10, 320, &err), ART_E_FAILED);
	ck_assert_int_eq(art_tree_add_extent(inode, 0, 5, 320, &err), ART_E_FAILED);
	ck_assert_uint_eq(inode->extent_count, 3);
	ck_assert_uint_eq(inode->extents[0].length, 20);
	ck_assert_uint_eq(inode->extents[1].stored, 300);
	ck_assert_uint_eq(inode->extents[2].logical, 50);
	art_tree_inode_drop(inode);
	art_tree_inode_drop(NULL);
}
END_TEST

/* Contents may lie in files of their own; one that is cut while it is read is told, and one that is gone. */
START_TEST(source_files)
{
	struct art_tree_inode *inode = art_tree_inode_new();
	char path[8192];
	uint8_t buf[10];

	ck_assert_ptr_nonnull(inode);
	sh("printf 0123456789 > src");
	snprintf(path, sizeof(path), "%s/src", dir);
	inode->mode = S_IFREG | 0644;
	inode->path = strdup(path);
	inode->size = 10;
	ck_assert_int_eq(art_tree_add_extent(inode, 0, 10, 0, &err), 0);
	ck_assert_int_eq(art_tree_put(&tree, "a", inode, &err), 0);
	ck_assert_int_eq(art_tree_read(&tree, inode, buf, 5, 2, &err), 0);
	ck_assert_mem_eq(buf, "23456", 5);
	art_tree_forget(&tree, inode); /* not ours to empty */
	ck_assert_int_eq(art_tree_read(&tree, inode, buf, 10, 0, &err), 0);
	ck_assert_mem_eq(buf, "0123456789", 10);
	sh("truncate -s 5 src");
	ck_assert_int_eq(art_tree_read(&tree, inode, buf, 10, 0, &err), ART_E_SOURCE_CHANGED);
	ck_assert_ptr_nonnull(strstr(err.text, "became shorter while it was read"));
	inode->path[strlen(inode->path) - 1] = 'x';
	tree.source_of = NULL;
	ck_assert_int_eq(art_tree_read(&tree, inode, buf, 10, 0, &err), ART_E_IO);
	/* A second try does not take the failed descriptor for an open one. */
	ck_assert_int_eq(art_tree_read(&tree, inode, buf, 10, 0, &err), ART_E_IO);
}
END_TEST

START_TEST(forgotten)
{
	static const uint8_t content[65536] = { 1 };
	struct art_tree_inode *inode = art_tree_inode_new();
	struct stat before, after;

	ck_assert_ptr_nonnull(inode);
	inode->size = sizeof(content);
	ck_assert_int_eq(art_tree_add_extent(inode, 0, sizeof(content), 0, &err), 0);
	art_tree_forget(&tree, inode); /* no spool: nothing to give back */
	ck_assert_int_eq(art_temp_file(&tree.spool, dir, &err), 0);
	ck_assert_int_eq(art_pwrite_full(tree.spool, content, sizeof(content), 0, "spool", &err), 0);
	ck_assert_int_eq(fstat(tree.spool, &before), 0);
	art_tree_forget(&tree, inode);
	ck_assert_int_eq(fstat(tree.spool, &after), 0);
	ck_assert_int_eq(before.st_size, after.st_size);
	ck_assert_int_le(after.st_blocks, before.st_blocks);
	art_tree_inode_drop(inode);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tree");
	TCase *tests = tcase_create("tree");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, extents);
	tcase_add_test(tests, source_files);
	tcase_add_test(tests, forgotten);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
