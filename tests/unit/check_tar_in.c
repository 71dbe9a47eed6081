// SPDX-License-Identifier: Apache-2.0
/* Tarballs read into a tree (tar_in.c, tree.c): odd ones above all. */
#include "libartifact/fs/tree.h"
#include "tests/unit/fs_util.h"
#include "tests/unit/run.h"

#define LATEST 1700000000

static struct art_tree tree;
static struct art_err err;
static uint8_t tar[1024 * 1024];
static size_t used;
static char records[128 * 1024];

static void setup(void)
{
	dir_make();
	used = 0;
	records[0] = '\0';
	ck_assert_int_eq(art_tree_init(&tree, LATEST, &err), 0);
	ck_assert_int_eq(art_temp_file(&tree.spool, dir, &err), 0);
}

static void teardown(void)
{
	art_tree_free(&tree);
	art_tree_free(&tree); /* harmless */
	ck_assert_ptr_null(tree.root);
	dir_remove();
}

static void restart(void)
{
	teardown();
	setup();
}

static void data(const void *bytes, size_t len)
{
	ck_assert_uint_le(len + 2048, sizeof(tar) - used);
	memset(tar + used, 0, art_round_up(len, 512));
	memcpy(tar + used, bytes, len);
	used += art_round_up(len, 512);
}

static void seal(uint8_t *h)
{
	unsigned int sum = 0, i;
	char text[8];

	memset(h + 148, ' ', 8);
	for (i = 0; i < 512; i++)
		sum += h[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(h + 148, text, 7);
}

static uint8_t *header(const char *name, char type, size_t size, const char *link)
{
	uint8_t h[512] = { 0 };

	memcpy(h, name, strlen(name) < 100 ? strlen(name) : 100);
	memcpy(h + 100, "0000644", 8);
	memcpy(h + 108, "0000000", 8);
	memcpy(h + 116, "0000000", 8);
	snprintf((char *)h + 124, 12, "%011zo", size & 0xffffffff);
	memcpy(h + 136, "00000000001", 12);
	h[156] = (uint8_t)type;
	memcpy(h + 157, link, strlen(link) < 100 ? strlen(link) : 100);
	memcpy(h + 257, "ustar\00000", 8);
	seal(h);
	data(h, sizeof(h));
	return tar + used - 512;
}

static void file(const char *name, const char *content)
{
	header(name, '0', strlen(content), "");
	data(content, strlen(content));
}

/* A record of the next pax header. */
static void record(const char *key, const char *value)
{
	size_t len = strlen(key) + strlen(value) + 3, digits = 1, n;

	while (snprintf(NULL, 0, "%zu", len + digits) != (int)digits)
		digits++;
	n = strlen(records);
	ck_assert_uint_lt(n + len + digits, sizeof(records));
	snprintf(records + n, sizeof(records) - n, "%zu %s=%s\n", len + digits, key, value);
}

static void pax(void)
{
	header("pax", 'x', strlen(records), "");
	data(records, strlen(records));
	records[0] = '\0';
}

static int read_tar(void)
{
	static const uint8_t end[1024];
	char path[8192];
	FILE *out;

	snprintf(path, sizeof(path), "%s/x.tar", dir);
	out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(tar, 1, used, out), used);
	ck_assert_uint_eq(fwrite(end, 1, sizeof(end), out), sizeof(end));
	ck_assert_int_eq(fclose(out), 0);
	return art_tree_read_tar(&tree, path, &err);
}

static void good(void)
{
	ck_assert_msg(read_tar() == 0, "%s", err.text);
}

/* The tarball is refused with this in the message; a new one begins. */
static void refused(const char *fault)
{
	ck_assert_int_eq(read_tar(), ART_E_FAILED);
	ck_assert_msg(strstr(err.text, fault) != NULL, "'%s' without '%s'", err.text, fault);
	restart();
}

static void list_into(char *text, const char *path, const struct art_tree_inode *inode)
{
	char below[4096];
	size_t i;

	sprintf(text + strlen(text), "%s %o %llu%s%s\n", path, inode->mode, (unsigned long long)inode->size,
		inode->target ? " " : "", inode->target ? inode->target : "");
	for (i = 0; i < inode->name_count; i++) {
		snprintf(below, sizeof(below), "%s/%s", path, inode->names[i].name);
		list_into(text, below, inode->names[i].inode);
	}
}

static const char *listing(void)
{
	static char text[16384];

	text[0] = '\0';
	list_into(text, "", tree.root);
	return text;
}

/* What NAME in the root directory is. */
static struct art_tree_inode *node(const char *name)
{
	size_t i;

	for (i = 0; i < tree.root->name_count; i++)
		if (strcmp(tree.root->names[i].name, name) == 0)
			return tree.root->names[i].inode;
	ck_abort_msg("no '%s'", name);
	return NULL;
}

START_TEST(names)
{
	file("/abs/a", "1");
	file("./dot", "22");
	file("x//y/./z", "333");
	file("..a", "");
	file("b/..c/d..", "");
	header("e/./", '5', 0, "");
	good();
	ck_assert_str_eq(listing(), " 40755 0\n/..a 100644 0\n/abs 40755 0\n/abs/a 100644 1\n/b 40755 0\n"
				    "/b/..c 40755 0\n/b/..c/d.. 100644 0\n/dot 100644 2\n/e 40644 0\n"
				    "/x 40755 0\n/x/y 40755 0\n/x/y/z 100644 3\n");
	ck_assert_int_eq(node("x")->mtime, LATEST);
	ck_assert_int_eq(node("e")->mtime, 1);
}
END_TEST

START_TEST(bad_names)
{
	static const char *const dots[] = { "..", "../a", "a/..", "a/../b", "/../a", "a/../" };
	char long_name[300] = "", deep[2048] = "";
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(dots); i++) {
		file(dots[i], "x");
		refused("holds '..'");
	}
	memset(long_name, 'n', 256);
	record("path", long_name);
	pax();
	file("x", "");
	refused("is longer than 255 bytes");
	strcat(long_name, "/a");
	record("path", long_name);
	pax();
	file("x", "");
	refused("is longer than 255 bytes");
	long_name[255] = '\0';
	record("path", long_name);
	pax();
	file("x", "");
	good();
	ck_assert_uint_eq(node(long_name)->size, 0);
	for (i = 0; i < 511; i++)
		strcat(deep, "d/");
	restart();
	record("path", strcat(deep, "f"));
	pax();
	file("x", "");
	good();
	deep[strlen(deep) - 1] = '\0';
	record("linkpath", deep);
	pax();
	header("deep", '2', 0, "x");
	file("deep/f", "again");
	file("deep/x/f", "");
	refused("'deep/x/f': directories are nested too deep");
}
END_TEST

START_TEST(bad_headers)
{
	size_t at;

	file("", "x");
	refused("holds an entry without a name");
	memset(header("a", '0', 0, "") + 124, 0xff, 12); /* a size of -1 */
	seal(tar);
	refused("cannot read tarball");
	/* Some libarchives make 0 of a negative owner or group. */
	for (at = 108; at <= 116; at += 8) {
		memset(header("a", '0', 0, "") + at, 0xff, 8);
		seal(tar);
		if (read_tar() == 0)
			ck_assert_uint_eq(node("a")->uid + node("a")->gid, 0);
		else
			ck_assert_ptr_nonnull(strstr(err.text, "'a': owner or group is out of range"));
		restart();
	}
	header("a", 'Z', 0, ""); /* as POSIX has it, a file */
	good();
	ck_assert_str_eq(listing(), " 40755 0\n/a 100644 0\n");
}
END_TEST

START_TEST(hard_links)
{
	file("a", "1234");
	header("d/b", '1', 0, "a");
	header("c", '1', 0, "./d//b");
	good();
	ck_assert_str_eq(listing(),
			 " 40755 0\n/a 100644 4\n/c 100644 4\n/d 40755 0\n/d/b 100644 4\n");
	ck_assert_ptr_eq(node("a"), node("c"));
	ck_assert_uint_eq(node("a")->links, 3);
	restart();
	/* Before its target. */
	header("b", '1', 0, "a");
	file("a", "x");
	refused("'b' is a hard link to 'a', which is missing");
	header("b", '1', 0, "no/a");
	refused("directory 'no' is missing");
	header("b", '1', 0, "../a");
	refused("holds '..'");
	header("b", '1', 0, "/");
	refused("'b' is a hard link to '/', which is missing");
	header("d", '5', 0, "");
	header("b", '1', 0, "d");
	refused("'b' is a hard link to directory 'd'");
	file("a", "x");
	header("../b", '1', 0, "a");
	refused("holds '..'");
	/* To itself: nothing changes. */
	file("a", "x");
	header("a", '1', 0, "a");
	good();
	ck_assert_str_eq(listing(), " 40755 0\n/a 100644 1\n");
	ck_assert_uint_eq(node("a")->links, 1);
}
END_TEST

START_TEST(links_on_the_way)
{
	header("usr/bin", '5', 0, "");
	header("bin", '2', 0, "usr/bin");
	header("abs", '2', 0, "/usr");
	header("usr/up", '2', 0, "../../../usr/./bin");
	file("bin/a", "");
	file("abs/b", "");
	file("abs/up/c", "");
	good();
	ck_assert_str_eq(listing(), " 40755 0\n/abs 120644 4 /usr\n/bin 120644 7 usr/bin\n/usr 40755 0\n"
				    "/usr/b 100644 0\n/usr/bin 40644 0\n/usr/bin/a 100644 0\n"
				    "/usr/bin/c 100644 0\n/usr/up 120644 18 ../../../usr/./bin\n");
	restart();
	header("loop", '2', 0, "loop");
	file("loop/x", "");
	refused("too many symbolic links");
	file("f", "");
	file("f/x", "");
	refused("'f' is not a directory");
}
END_TEST

START_TEST(replaced)
{
	file("f", "1");
	file("f", "22");
	file("d/in", "");
	header("d", '5', 0, "");
	header("empty", '5', 0, "");
	file("empty", "333");
	file("gone", "");
	header("gone", '5', 0, "");
	header("./", '5', 0, "");
	good();
	ck_assert_str_eq(listing(), " 40644 0\n/d 40644 0\n/d/in 100644 0\n/empty 100644 3\n/f 100644 2\n"
				    "/gone 40644 0\n");
	restart();
	file("d/in", "");
	file("d", "");
	refused("'d' would replace a directory that is not empty");
	header("./", '3', 0, "");
	refused("the root of the tree is not a directory");
}
END_TEST

START_TEST(devices)
{
	uint8_t *h;

	h = header("c", '3', 0, "");
	memcpy(h + 329, "0000005", 8);
	memcpy(h + 337, "0001750", 8);
	seal(h);
	h = header("b", '4', 0, "");
	memcpy(h + 329, "0000010", 8);
	memcpy(h + 337, "0000001", 8);
	seal(h);
	header("p", '6', 0, "");
	good();
	ck_assert_str_eq(listing(), " 40755 0\n/b 60644 0\n/c 20644 0\n/p 10644 0\n");
	ck_assert_uint_eq(node("c")->rdev_major, 5);
	ck_assert_uint_eq(node("c")->rdev_minor, 1000);
	ck_assert_uint_eq(node("b")->rdev_major, 8);
	ck_assert_uint_eq(node("b")->rdev_minor, 1);
	ck_assert_uint_eq(node("p")->rdev_major, 0);
}
END_TEST

START_TEST(symbolic_links)
{
	char target[4098] = "";

	header("a", '2', 0, "");
	refused("'a': a symbolic link has no target, or too long a one");
	memset(target, 't', 4096);
	record("linkpath", target);
	pax();
	header("a", '2', 0, "x");
	refused("a symbolic link has no target, or too long a one");
	target[4095] = '\0';
	record("linkpath", target);
	pax();
	header("a", '2', 0, "x");
	good();
	ck_assert_str_eq(node("a")->target, target);
	ck_assert_uint_eq(node("a")->size, 4095);
}
END_TEST

START_TEST(owners_and_times)
{
	static const char *const bad[] = { "4294967295", "4294967296", "99999999999" };
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(bad); i++) {
		record("uid", bad[i]);
		pax();
		file("a", "");
		refused("'a': owner or group is out of range");
		record("gid", bad[i]);
		pax();
		file("a", "");
		refused("'a': owner or group is out of range");
	}
	record("uid", "4294967294");
	record("gid", "70000");
	record("mtime", "1699999999.5");
	pax();
	file("a", "");
	record("mtime", "1700000000.5");
	pax();
	file("exact", "");
	record("mtime", "1700000001.25");
	pax();
	file("late", "");
	good();
	ck_assert_uint_eq(node("a")->uid, 4294967294u);
	ck_assert_uint_eq(node("a")->gid, 70000);
	ck_assert_int_eq(node("a")->mtime, 1699999999);
	ck_assert_uint_eq(node("a")->mtime_nsec, 500000000);
	ck_assert_int_eq(node("exact")->mtime, LATEST);
	ck_assert_int_eq(node("late")->mtime, LATEST);
	ck_assert_uint_eq(node("late")->mtime_nsec, 0);
}
END_TEST

static void expect_xattr(const struct art_tree_inode *inode, size_t i, const char *name,
			 const void *value, size_t len)
{
	ck_assert_uint_lt(i, inode->xattr_count);
	ck_assert_str_eq(inode->xattrs[i].name, name);
	ck_assert_uint_eq(inode->xattrs[i].len, len);
	ck_assert_mem_eq(inode->xattrs[i].value, value, len);
}

START_TEST(xattrs)
{
	record("SCHILY.xattr.user.z", "last");
	record("LIBARCHIVE.xattr.user.z", "bGFzdA");
	record("SCHILY.xattr.user.a", "");
	record("LIBARCHIVE.xattr.user.k", "a2V5");
	pax();
	file("f", "");
	good();
	ck_assert_uint_eq(node("f")->xattr_count, 3);
	expect_xattr(node("f"), 0, "user.a", "", 0);
	expect_xattr(node("f"), 1, "user.k", "key", 3);
	expect_xattr(node("f"), 2, "user.z", "last", 4);
}
END_TEST

START_TEST(acls)
{
	/* Sorted by tag and number, whatever the order in the tarball. */
	static const uint8_t want[] = {
		2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 7, 0, 0, 0, 2, 0, 5, 0, 44, 1, 0, 0,
		4, 0, 4, 0, 255, 255, 255, 255, 8, 0, 0, 0, 9, 0, 0, 0, 16, 0, 5, 0, 255, 255, 255, 255,
		32, 0, 4, 0, 255, 255, 255, 255,
	};
	static const uint8_t least[] = {
		2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 5, 0, 255, 255, 255, 255,
		32, 0, 0, 0, 255, 255, 255, 255,
	};

	record("SCHILY.acl.access", "user::rw-,mask::r-x,group:g:---:9,user:b:r-x:300,user:a:r--:7,group::r--,other::r--");
	pax();
	file("f", "");
	record("SCHILY.acl.default", "other::---,group::r-x,user::rwx");
	pax();
	header("d", '5', 0, "");
	good();
	ck_assert_uint_eq(node("f")->xattr_count, 1);
	expect_xattr(node("f"), 0, "system.posix_acl_access", want, sizeof(want));
	ck_assert_uint_eq(node("d")->xattr_count, 1);
	expect_xattr(node("d"), 0, "system.posix_acl_default", least, sizeof(least));
}
END_TEST

static void many_users(size_t count)
{
	static char text[100000];
	size_t i;

	strcpy(text, "user::rwx,group::r-x,other::r--");
	for (i = 0; i < count; i++)
		sprintf(text + strlen(text), ",user:u:r--:%zu", count - i);
	record("SCHILY.acl.access", text);
	pax();
	file("f", "");
}

START_TEST(bad_acls)
{
	record("SCHILY.acl.access", "user::rw-,user:joe:r--,group::r--,other::r--");
	pax();
	file("f", "");
	refused("'f': an ACL names 'joe' without its number");
	record("SCHILY.acl.default", "user::rw-,group:staff:r--,group::r--,other::r--");
	pax();
	header("d", '5', 0, "");
	refused("'d': an ACL names 'staff' without its number");
	many_users(1022);
	refused("an ACL has more than 1024 entries");
	many_users(1021);
	good();
	ck_assert_uint_eq(node("f")->xattr_count, 1);
	ck_assert_uint_eq(node("f")->xattrs[0].len, 4 + 8 * 1024);
	ck_assert_uint_eq(art_get32(node("f")->xattrs[0].value + 4 + 8 + 4), 1);
}
END_TEST

/* The old GNU form: up to four runs in the header itself, then the real size. */
static void sparse(const char *name, const size_t runs[][2], size_t count, size_t real,
		   const char *content)
{
	uint8_t *h = header(name, 'S', strlen(content), "");
	size_t i;

	memcpy(h + 257, "ustar  ", 8);
	for (i = 0; i < count; i++) {
		snprintf((char *)h + 386 + 24 * i, 12, "%011zo", runs[i][0]);
		snprintf((char *)h + 398 + 24 * i, 12, "%011zo", runs[i][1]);
	}
	snprintf((char *)h + 483, 12, "%011zo", real);
	seal(h);
	data(content, strlen(content));
}

START_TEST(sparse_files)
{
	static const size_t runs[][2] = { { 512, 3 }, { 4096, 2 }, { 9000, 0 } };
	static const size_t beyond[][2] = { { 0, 3 }, { 4096, 2 } };
	static const size_t crossed[][2] = { { 4096, 3 }, { 0, 2 } };
	uint8_t buf[9000], want[9000] = { 0 };

	memcpy(want + 512, "abc", 3);
	memcpy(want + 4096, "de", 2);
	sparse("s", runs, 3, 9000, "abcde");
	good();
	ck_assert_uint_eq(node("s")->size, 9000);
	ck_assert_uint_eq(node("s")->extent_count, 2);
	ck_assert_int_eq(art_tree_read(&tree, node("s"), buf, sizeof(buf), 0, &err), 0);
	ck_assert_mem_eq(buf, want, sizeof(buf));
	ck_assert_int_eq(art_tree_read(&tree, node("s"), buf, 3584, 513, &err), 0);
	ck_assert_mem_eq(buf, want + 513, 3584);
	restart();
	sparse("s", beyond, 2, 4097, "abcde");
	refused("'s': a file is longer than its size");
	sparse("s", beyond, 2, 2, "abcde");
	refused("'s': a file is longer than its size");
	sparse("s", crossed, 2, 5000, "abcde");
	refused("'s': data of a file are out of order");
}
END_TEST

START_TEST(no_tarballs)
{
	char path[8192];

	refused("is empty");
	data("no tarball at all", 17);
	refused("cannot read tarball");
	record("path", "x");
	records[0] = 'A'; /* no length */
	pax();
	file("a", "");
	refused("cannot read tarball");
	/* Without the end of its content. */
	header("a", '0', 100000, "");
	refused("cannot read tarball");
	snprintf(path, sizeof(path), "%s/none.tar", dir);
	ck_assert_int_eq(art_tree_read_tar(&tree, path, &err), ART_E_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, "none.tar"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tar_in");
	TCase *tests = tcase_create("tar_in");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, names);
	tcase_add_test(tests, bad_names);
	tcase_add_test(tests, bad_headers);
	tcase_add_test(tests, hard_links);
	tcase_add_test(tests, links_on_the_way);
	tcase_add_test(tests, replaced);
	tcase_add_test(tests, devices);
	tcase_add_test(tests, symbolic_links);
	tcase_add_test(tests, owners_and_times);
	tcase_add_test(tests, xattrs);
	tcase_add_test(tests, acls);
	tcase_add_test(tests, bad_acls);
	tcase_add_test(tests, sparse_files);
	tcase_add_test(tests, no_tarballs);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
