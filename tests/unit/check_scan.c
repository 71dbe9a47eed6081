// SPDX-License-Identifier: Apache-2.0
/* Reading a rootfs (fs.c, ext4_fs.c) and what it says of itself (scan.c). */
#include "tests/unit/rootfs.h"
#include "tests/unit/run.h"

static int gather(void *ctx, const struct art_fs_entry *e, struct art_err *err)
{
	char line[1024];

	(void)err;
	if (strstr(e->path, "lost+found"))
		return 0;
	snprintf(line, sizeof(line), "%s %o %s\n", e->path, e->mode, e->target ? e->target : "-");
	strcat(ctx, line);
	return 0;
}

static char *cat(const char *path, char *text, int *ret)
{
	struct art_err err = { 0 };
	uint8_t *bytes = NULL;
	size_t len;

	*ret = art_fs_read_file(fs, path, 1000, &bytes, &len, &err);
	strcpy(text, *ret ? err.text : (char *)bytes);
	free(bytes);
	return text;
}

START_TEST(opening)
{
	struct art_err err = { 0 };
	struct art_fs *none;

	sh("truncate -s 8M zero");
	image_make();
	ck_assert_int_eq(art_fs_open(&none, blob, NULL, &err), ART_E_FAILED);
	ck_assert_str_eq(err.text, "cannot look into 'image': filesystem 'unknown'");
	ck_assert_int_eq(art_fs_open(&none, blob, "vfat", &err), ART_E_FAILED);
	ck_assert_str_eq(err.text, "cannot look into 'image': filesystem 'vfat'");
	ck_assert_int_eq(art_fs_open(&none, blob, "squashfs", &err), ART_E_FAILED);
	ck_assert_ptr_null(none);
	art_fs_close(none);
	blob->size = 7 * 1024 * 1024;
	ck_assert_int_eq(art_fs_open(&none, blob, "ext4", &err), ART_E_FAILED);
	ck_assert_str_eq(err.text, "ext4 in 'image' is cut off: it wants 8388608 bytes of 7340032");
	image_drop();
	fd = image_open("zero", &blob);
	ck_assert_int_eq(art_fs_open(&none, blob, "ext4", &err), ART_E_FAILED);
	ck_assert_str_eq(err.text, "no ext4 filesystem in 'image'");
}
END_TEST

START_TEST(walk)
{
	char text[4096] = "", want[512];

	sh("cd t; chmod 755 . etc usr usr/* var var/lib var/lib/dpkg; ln -s usr/bin bin; echo x > usr/bin/sh;"
	   " chmod 4711 usr/bin/sh; mkfifo -m 600 usr/pipe; ln -s \"$(printf %%0100d 7)\" long");
	image_make();
	snprintf(want, sizeof(want),
		 "/ 40755 -\n/bin 120777 usr/bin\n/etc 40755 -\n/long 120777 %0100d\n"
		 "/usr 40755 -\n/var 40755 -\n", 7);
	ck_assert_int_eq(art_fs_walk(fs, "/", 1, gather, text, NULL), 0);
	ck_assert_str_eq(text, want);
	text[0] = '\0';
	ck_assert_int_eq(art_fs_walk(fs, "usr//./", -1, gather, text, NULL), 0);
	ck_assert_str_eq(text, "/usr 40755 -\n/usr/bin 40755 -\n/usr/bin/sh 104711 -\n"
			       "/usr/lib 40755 -\n/usr/pipe 10600 -\n");
	text[0] = '\0';
	ck_assert_int_eq(art_fs_walk(fs, "/bin", -1, gather, text, NULL), 0);
	ck_assert_str_eq(text, "/bin 120777 usr/bin\n");
	text[0] = '\0';
	ck_assert_int_eq(art_fs_walk(fs, "/bin/", 0, gather, text, NULL), 0);
	ck_assert_str_eq(text, "/usr/bin 40755 -\n");
	ck_assert_int_eq(art_fs_walk(fs, "/none", -1, gather, text, NULL), ART_E_FAILED);
}
END_TEST

START_TEST(links)
{
	char text[1024];
	int ret;

	sh("cd t; echo inside > etc/passwd; ln -s ../../../../etc/passwd usr/up; ln -s /etc/passwd abs;"
	   " ln -s loop2 loop1; ln -s loop1 loop2; ln -s /usr/up etc/again; ln -s . self;"
	   " ln -s self/self/self/self/self many; ln -s usr/bin dirlink; echo b > usr/bin/b");
	image_make();
	ck_assert_str_eq(cat("/usr/up", text, &ret), "inside\n");
	ck_assert_str_eq(cat("/abs", text, &ret), "inside\n");
	ck_assert_str_eq(cat("/etc/again", text, &ret), "inside\n");
	ck_assert_str_eq(cat("/etc/../../etc/./passwd", text, &ret), "inside\n");
	ck_assert_str_eq(cat("/dirlink/b", text, &ret), "b\n");
	ck_assert_str_eq(cat("/many/etc/passwd", text, &ret), "inside\n");
	ck_assert_str_eq(cat("/loop1", text, &ret), "too many symbolic links in '/loop1'");
	cat("/many/many/many/many/many/many/many/many/etc/passwd", text, &ret);
	ck_assert_int_eq(ret, ART_E_FAILED);
	ck_assert_str_eq(cat("/etc", text, &ret), "'/etc' is not a regular file");
	ck_assert_str_eq(cat("/etc/passwd/x", text, &ret), "'/etc/passwd/x' is not in 'image'");
	sh("head -c 1001 /dev/zero > t/big");
	image_drop();
	image_make();
	ck_assert_str_eq(cat("/big", text, &ret), "larger than 1000 bytes");
}
END_TEST

static void replace(const char *old, const char *new, size_t len)
{
	uint8_t block[4096];
	off_t at;
	size_t done = 0, i;

	for (at = 0; pread(fd, block, sizeof(block), at) == (ssize_t)sizeof(block); at += 4096)
		for (i = 0; i + len <= sizeof(block); i++)
			if (memcmp(block + i, old, len) == 0) {
				ck_assert_int_eq(pwrite(fd, new, len, at + (off_t)i), (ssize_t)len);
				done++;
			}
	ck_assert_uint_ge(done, 1);
}

START_TEST(hostile_names)
{
	char text[4096] = "";
	struct art_err err = { 0 };

	sh("echo 1 > t/NAMENAME1; echo 2 > t/NAMENAME2");
	image_make();
	ck_assert_int_eq(art_fs_walk(fs, "/", -1, gather, text, &err), 0);
	replace("NAMENAME1", "../../AB1", 9);
	ck_assert_int_eq(art_fs_walk(fs, "/", -1, gather, text, &err), ART_E_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, "a name that is not allowed"));
	replace("../../AB1", "NAME\0AME1", 9);
	ck_assert_int_eq(art_fs_walk(fs, "/", -1, gather, text, &err), ART_E_FAILED);
	replace("NAME\0AME1", "NAMENAME2", 9);
	ck_assert_int_eq(art_fs_walk(fs, "/", -1, gather, text, &err), ART_E_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, "twice"));
}
END_TEST

/* A directory hard-linked into itself: debugfs makes what no kernel would. */
START_TEST(hostile_tree)
{
	char text[4096] = "";
	struct art_err err = { 0 };

	sh("mkdir t/loop");
	image_make();
	image_drop();
	sh("debugfs -w -R 'link / /loop/again' i 2>/dev/null");
	fd = image_open("i", &blob);
	ck_assert_int_eq(art_fs_open(&fs, blob, "ext4", &err), 0);
	ck_assert_int_eq(art_fs_walk(fs, "/", -1, gather, text, &err), ART_E_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, "linked twice"));
}
END_TEST

START_TEST(os_release)
{
	char *value;

	sh("printf 'ID=debian\\nNAME=\"A \\\\\"b\\\\\" \\\\$c\"\\nIMAGE_VERSION=old\\nIMAGE_VERSION='\"'1.2'\"'\\nBAD\\n'"
	   " > t/usr/lib/os-release; ln -s ../usr/lib/os-release t/etc/os-release");
	image_make();
	ck_assert_int_eq(art_scan_os_release(fs, "IMAGE_VERSION", &value, NULL), 0);
	ck_assert_str_eq(value, "1.2");
	free(value);
	ck_assert_int_eq(art_scan_os_release(fs, "NAME", &value, NULL), 0);
	ck_assert_str_eq(value, "A \"b\" $c");
	free(value);
	ck_assert_int_eq(art_scan_os_release(fs, "VERSION", &value, NULL), 0);
	ck_assert_ptr_null(value);
}
END_TEST

START_TEST(os_release_quoting)
{
	static const char text[] =
		"# A=comment\nAB=longer name\nA\nB=\"it's\"\nC='a\\b\"'\nD=a\"b c\"'d'\\ e\nE=end\\\nF=\"open\nG=\n"
		"H=\"\\\"\\\\\"\r\nI=1\nI=2\n I=3\nJ=last";
	static const char *const rows[][2] = {
		{ "A", NULL },	 { "AB", "longer name" }, { "B", "it's" }, { "C", "a\\b\"" },
		{ "D", "ab cd e" }, { "E", "end\\" },	  { "F", "open" }, { "G", "" },
		{ "H", "\"\\" },	 { "I", "2" },		  { "J", "last" }, { "K", NULL },
	};
	char *value;
	size_t i;

	put("etc/os-release", text, strlen(text));
	image_make();
	for (i = 0; i < ART_ARRAY_SIZE(rows); i++) {
		ck_assert_int_eq(art_scan_os_release(fs, rows[i][0], &value, NULL), 0);
		ck_assert_pstr_eq(value, rows[i][1]);
		free(value);
	}
}
END_TEST

struct elf {
	uint8_t class, data; /* as in e_ident */
	uint16_t type, machine;
	uint32_t flags;
};

static void elf(const char *path, struct elf e)
{
	uint8_t b[100] = { 0x7f, 'E', 'L', 'F', e.class, e.data, 1 };
	uint8_t *flags = b + (e.class == 2 ? 48 : 36);
	bool big = e.data == 2;
	int i;

	for (i = 0; i < 2; i++) {
		b[16 + i] = (uint8_t)(e.type >> 8 * (big ? 1 - i : i));
		b[18 + i] = (uint8_t)(e.machine >> 8 * (big ? 1 - i : i));
	}
	for (i = 0; i < 4; i++)
		flags[i] = (uint8_t)(e.flags >> 8 * (big ? 3 - i : i));
	put(path, b, sizeof(b));
	sh("chmod 755 t/%s", path);
}

static const char *arch_of(void)
{
	const char *arch = NULL;

	image_make();
	ck_assert_int_eq(art_scan_arch(fs, &arch, NULL), 0);
	image_drop();
	return arch;
}

#define AARCH64 (struct elf){ 2, 1, 2, 183, 0 }
#define ARMHF (struct elf){ 1, 1, 3, 40, 0x05000400 }

START_TEST(arch)
{
	sh("echo '#!/bin/sh' > t/usr/bin/script; chmod 755 t/usr/bin/script; ln -s usr/lib t/lib");
	ck_assert_str_eq(arch_of(), "any");
	elf("usr/bin/a", AARCH64);
	ck_assert_str_eq(arch_of(), "aarch64");
	elf("usr/lib/1.so.2", ARMHF);
	elf("usr/lib/2.so.2", ARMHF);
	ck_assert_str_eq(arch_of(), "armhf");
	elf("usr/bin/sh", AARCH64);
	ck_assert_str_eq(arch_of(), "aarch64"); /* a tie, and /bin/sh decides anyway */
	elf("usr/lib/3.so.2", ARMHF);
	sh("ln -s usr/bin t/bin");
	ck_assert_str_eq(arch_of(), "aarch64");
	/* What has no name, or no header, judges nothing; nor is it counted. */
	sh("mkdir t/sbin; printf '\\177ELF' > t/sbin/init");
	ck_assert_str_eq(arch_of(), "aarch64");
	elf("sbin/init", (struct elf){ 2, 1, 2, 9, 0 });
	ck_assert_str_eq(arch_of(), "aarch64");
	elf("sbin/init", ARMHF);
	ck_assert_str_eq(arch_of(), "armhf");
}
END_TEST

/* Format.md 12.3, every row; and what has no row. */
START_TEST(arch_names)
{
	static const struct {
		struct elf elf;
		const char *name;
	} rows[] = {
		{ { 2, 1, 2, 62, 0 }, "x86_64" },
		{ { 1, 1, 2, 62, 0 }, "any" }, /* x32 */
		{ { 1, 1, 3, 3, 0 }, "i386" },
		{ { 2, 1, 3, 183, 0 }, "aarch64" },
		{ { 2, 2, 3, 183, 0 }, "any" },
		{ { 1, 1, 3, 183, 0 }, "any" }, /* ilp32 */
		{ { 1, 1, 2, 40, 0x05000400 }, "armhf" },
		{ { 1, 1, 2, 40, 0x05000200 }, "armel" },
		{ { 2, 1, 2, 243, 5 }, "riscv64" },
		{ { 1, 1, 2, 243, 5 }, "riscv32" },
		{ { 2, 1, 2, 21, 2 }, "ppc64le" },
		{ { 2, 2, 2, 21, 1 }, "ppc64" },
		{ { 1, 2, 2, 8, 0x70001007 }, "mips" },
		{ { 1, 1, 2, 8, 0x70001007 }, "mipsel" },
		{ { 2, 2, 2, 8, 0x80000007 }, "mips64" },
		{ { 2, 1, 2, 8, 0x80000007 }, "mips64el" },
		{ { 2, 2, 2, 22, 0 }, "s390x" },
		{ { 1, 2, 2, 22, 0 }, "any" }, /* s390 */
		{ { 2, 1, 2, 258, 0x43 }, "loongarch64" },
		{ { 1, 1, 2, 258, 0x41 }, "any" },
		{ { 2, 1, 2, 247, 0 }, "any" }, /* a BPF object */
		{ { 1, 1, 1, 40, 0x05000400 }, "any" }, /* an object file */
		{ { 2, 1, 4, 62, 0 }, "any" }, /* a core */
		{ { 0, 1, 2, 62, 0 }, "any" },
		{ { 3, 1, 2, 62, 0 }, "any" },
		{ { 2, 0, 2, 62, 0 }, "any" },
		{ { 2, 3, 2, 62, 0 }, "any" },
	};
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(rows); i++) {
		elf("usr/bin/m", rows[i].elf);
		ck_assert_msg(strcmp(arch_of(), rows[i].name) == 0, "row %zu", i);
	}
}
END_TEST

START_TEST(arch_places)
{
	elf("usr/lib/kept", AARCH64);
	sh("chmod 644 t/usr/lib/kept; mkdir -p t/opt; mv t/usr/lib/kept t/opt/x.so");
	ck_assert_str_eq(arch_of(), "any"); /* not where programs are */
	sh("cp t/opt/x.so t/usr/lib/x.a");
	ck_assert_str_eq(arch_of(), "any"); /* neither program nor library */
	sh("head -c 51 t/opt/x.so > t/usr/lib/x.so");
	ck_assert_str_eq(arch_of(), "any"); /* cut off */
	sh("{ printf '\\177elf'; tail -c +5 t/opt/x.so; } > t/usr/lib/x.so");
	ck_assert_str_eq(arch_of(), "any"); /* no ELF file */
	sh("head -c 52 t/opt/x.so > t/usr/lib/x.so");
	ck_assert_str_eq(arch_of(), "aarch64");
	sh("chmod 755 t/usr/lib/x.a; mkdir -p t/usr/libexec/deep; mv t/usr/lib/x.a t/usr/libexec/deep; rm t/usr/lib/x.so");
	ck_assert_str_eq(arch_of(), "aarch64");
	/* Nobody judges: the most count, and of two as many the first of the table. */
	elf("usr/lib/1.so", ARMHF);
	ck_assert_str_eq(arch_of(), "aarch64");
	elf("usr/lib/2.so", ARMHF);
	ck_assert_str_eq(arch_of(), "armhf");
}
END_TEST

static uint64_t bad; /* where the image cannot be read */
static int (*good_read)(struct art_blob *b, void *buf, size_t len, uint64_t off, struct art_err *err);

static int bad_read(struct art_blob *b, void *buf, size_t len, uint64_t off, struct art_err *err)
{
	if (off <= bad && bad - off < len)
		return art_fail(err, ART_E_IO, "a bad block");
	return good_read(b, buf, len, off, err);
}

static int on_extent(void *ctx, const struct art_fs_extent *extent, struct art_err *err)
{
	(void)ctx;
	(void)err;
	bad = extent->offset;
	return 0;
}

static int find_extent(void *ctx, const struct art_fs_entry *e, struct art_err *err)
{
	return art_fs_extents(fs, e->node, on_extent, ctx, err);
}

/* The image again, with the content of PATH unreadable. */
static void image_make_bad(const char *path)
{
	image_drop();
	image_make();
	bad = 0;
	ck_assert_int_eq(art_fs_walk(fs, path, 0, find_extent, NULL, NULL), 0);
	ck_assert_uint_ne(bad, 0);
	good_read = blob->read;
	blob->read = bad_read;
}

START_TEST(unreadable_link)
{
	static uint8_t image[8 * 1024 * 1024];
	char target[101], text[4096] = "";
	struct art_err err = { 0 };
	uint8_t *at;

	snprintf(target, sizeof(target), "%0100d", 7);
	sh("ln -s %s t/long; echo x > t/file", target);
	image_make_bad("/file");
	ck_assert_int_eq(pread(fd, image, sizeof(image), 0), sizeof(image));
	at = memmem(image, sizeof(image), target, 100);
	ck_assert_ptr_nonnull(at);
	bad = (uint64_t)(at - image);
	ck_assert_int_eq(art_fs_walk(fs, "/", -1, gather, text, &err), ART_E_IO);
	ck_assert_ptr_nonnull(strstr(err.text, "'/long': "));
	ck_assert_ptr_nonnull(strstr(err.text, "a bad block"));
	ck_assert_int_eq(art_fs_walk(fs, "/long", 0, gather, text, NULL), ART_E_IO);
}
END_TEST

/* What cannot be read is not the same as what is not there. */
START_TEST(unreadable)
{
	struct art_packages p;
	struct art_err err = { 0 };
	const char *name;
	char *value;

	elf("usr/bin/a", AARCH64);
	elf("usr/lib/1.so", ARMHF);
	elf("usr/bin/sh", ARMHF);
	sh("mkdir -p t/usr/sbin t/var/lib/dpkg/status.d; echo '#!/bin/true' > t/usr/sbin/init;"
	   " echo ID=x > t/etc/os-release; echo Package: a > t/var/lib/dpkg/status.d/a");
	image_make_bad("/usr/bin/a");
	ck_assert_int_eq(art_scan_arch(fs, &name, &err), ART_E_IO);
	ck_assert_ptr_nonnull(strstr(err.text, "a bad block"));
	image_make_bad("/usr/sbin/init");
	ck_assert_int_eq(art_scan_arch(fs, &name, NULL), ART_E_IO);
	image_make_bad("/etc/os-release");
	ck_assert_int_eq(art_scan_os_release(fs, "ID", &value, NULL), ART_E_IO);
	ck_assert_ptr_null(value);
	ck_assert_int_eq(art_scan_packages(fs, &p, NULL), ART_E_IO);
	ck_assert_uint_eq(p.count, 0);
	image_make_bad("/var/lib/dpkg/status.d/a");
	ck_assert_int_eq(art_scan_packages(fs, &p, &err), ART_E_IO);
	ck_assert_ptr_nonnull(strstr(err.text, "a bad block"));
	ck_assert_int_eq(art_scan_packages(fs, &p, NULL), ART_E_IO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scan");
	TCase *tests = tcase_create("scan");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, opening);
	tcase_add_test(tests, walk);
	tcase_add_test(tests, links);
	tcase_add_test(tests, hostile_names);
	tcase_add_test(tests, hostile_tree);
	tcase_add_test(tests, os_release);
	tcase_add_test(tests, os_release_quoting);
	tcase_add_test(tests, arch);
	tcase_add_test(tests, arch_names);
	tcase_add_test(tests, arch_places);
	tcase_add_test(tests, unreadable);
	tcase_add_test(tests, unreadable_link);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
