// SPDX-License-Identifier: Apache-2.0
/* Reading a rootfs (fs.c, ext4_fs.c) and what it says of itself (scan.c, packages.c); sbom.c at greater length in check_sbom.c. */
#include "libartifact/fs/scan.h"
#include "tests/unit/expect_package.h"
#include "tests/unit/fs_util.h"
#include "tests/unit/run.h"

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

static void setup(void)
{
	dir_make();
	sh("mkdir -p t/etc t/usr/bin t/usr/lib t/var/lib/dpkg");
}

static void teardown(void)
{
	image_drop();
	dir_remove();
}

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

/* HEAD: e_ident and the words up to e_flags, as printf octal. */
static void elf(const char *path, const char *class_data, const char *type_machine,
		const char *flags, bool is64)
{
	sh("{ printf '\\177ELF%s\\001\\000'; head -c 8 /dev/zero; printf '%s'; head -c %d /dev/zero;"
	   " printf '%s'; head -c 40 /dev/zero; } > t/%s; chmod 755 t/%s",
	   class_data, type_machine, is64 ? 28 : 16, flags, path, path);
}

static const char *arch_of(void)
{
	const char *arch = NULL;

	image_make();
	ck_assert_int_eq(art_scan_arch(fs, &arch, NULL), 0);
	image_drop();
	return arch;
}

START_TEST(arch)
{
	sh("echo '#!/bin/sh' > t/usr/bin/script; chmod 755 t/usr/bin/script; ln -s usr/lib t/lib");
	ck_assert_str_eq(arch_of(), "any");
	elf("usr/bin/a", "\\002\\001", "\\002\\000\\267\\000", "\\000\\000\\000\\000", true);
	ck_assert_str_eq(arch_of(), "aarch64");
	elf("usr/lib/1.so.2", "\\001\\001", "\\003\\000\\050\\000", "\\000\\004\\000\\005", false);
	elf("usr/lib/2.so.2", "\\001\\001", "\\003\\000\\050\\000", "\\000\\004\\000\\005", false);
	ck_assert_str_eq(arch_of(), "armhf");
	elf("usr/bin/sh", "\\002\\001", "\\003\\000\\267\\000", "\\000\\000\\000\\000", true);
	ck_assert_str_eq(arch_of(), "aarch64"); /* a tie, and /bin/sh decides anyway */
	elf("usr/lib/3.so.2", "\\001\\001", "\\003\\000\\050\\000", "\\000\\004\\000\\005", false);
	sh("ln -s usr/bin t/bin");
	ck_assert_str_eq(arch_of(), "aarch64");
	sh("rm -r t/usr/bin t/usr/lib; mkdir t/usr/bin");
	elf("usr/bin/m", "\\001\\002", "\\000\\002\\000\\010", "\\000\\000\\000\\000", false);
	ck_assert_str_eq(arch_of(), "mips");
	elf("usr/bin/m", "\\002\\002", "\\000\\002\\000\\026", "\\000\\000\\000\\000", true);
	ck_assert_str_eq(arch_of(), "s390x");
	elf("usr/bin/m", "\\001\\001", "\\001\\000\\050\\000", "\\000\\004\\000\\005", false);
	ck_assert_str_eq(arch_of(), "any"); /* an object file */
}
END_TEST

static void scan(struct art_packages *p)
{
	struct art_err err = { 0 };

	image_make();
	ck_assert_msg(art_scan_packages(fs, p, &err) == 0, "%s", err.text);
	image_drop();
}

static void write_dpkg(void)
{
	sh("cat > t/var/lib/dpkg/status <<'E'\n"
	   "Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nSource: zlib\n"
	   "Version: 1:1.2.13.dfsg-1\nDescription: x\n Package: no\n\n"
	   "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n"
	   "Package: g++\nStatus: hold ok installed\nArchitecture: amd64\nVersion: 4:12.2.0-3\n"
	   "Source: gcc-defaults (1.203+b1)\n\n"
	   "Package: adduser\nStatus: install ok installed\nArchitecture: all\nVersion: 3.134\nE\n"
	   "echo ID=debian > t/etc/os-release");
}

START_TEST(packages_dpkg)
{
	struct art_packages p;

	write_dpkg();
	scan(&p);
	ck_assert_str_eq(p.manager, "dpkg");
	ck_assert_str_eq(p.distro, "debian");
	ck_assert_uint_eq(p.count, 3);
	expect(&p, 0, "adduser", "3.134", "all", NULL, NULL);
	expect(&p, 1, "g++", "4:12.2.0-3", "amd64", "gcc-defaults", "1.203+b1");
	expect(&p, 2, "zlib1g", "1:1.2.13.dfsg-1", "amd64", "zlib", NULL);
	art_packages_free(&p);
	sh("rm t/var/lib/dpkg/status; mkdir t/var/lib/dpkg/status.d;"
	   " printf 'Package: tzdata\\nVersion: 2024a\\nArchitecture: all\\n' > t/var/lib/dpkg/status.d/tzdata;"
	   " echo 0 x > t/var/lib/dpkg/status.d/tzdata.md5sums");
	scan(&p);
	ck_assert_str_eq(p.manager, "dpkg");
	ck_assert_uint_eq(p.count, 1);
	expect(&p, 0, "tzdata", "2024a", "all", NULL, NULL);
	art_packages_free(&p);
}
END_TEST

START_TEST(packages_others)
{
	struct art_packages p;
	struct art_err err = { 0 };

	scan(&p);
	ck_assert_ptr_null(p.manager);
	ck_assert_uint_eq(p.count, 0);
	art_packages_free(&p);
	sh("mkdir -p t/lib/apk/db; printf 'C:Q1\\nP:musl\\nV:1.2.4-r2\\nA:x86_64\\no:musl\\nF:lib\\n\\nP:a\\nV:1\\nA:x\\n\\n'"
	   " > t/lib/apk/db/installed");
	scan(&p);
	ck_assert_str_eq(p.manager, "apk");
	ck_assert_uint_eq(p.count, 2);
	expect(&p, 1, "musl", "1.2.4-r2", "x86_64", "musl", NULL);
	art_packages_free(&p);
	sh("mkdir -p t/usr/lib/opkg; printf 'Package: base\\nVersion: 1\\nStatus: install user installed\\n"
	   "Architecture: mips\\n\\nPackage: b\\nVersion: 1\\nStatus: install user not-installed\\n' > t/usr/lib/opkg/status");
	scan(&p);
	ck_assert_str_eq(p.manager, "opkg");
	ck_assert_uint_eq(p.count, 1);
	art_packages_free(&p);
	sh("printf 'Package: a b\\nVersion: 1\\nStatus: install user installed\\n' > t/usr/lib/opkg/status");
	image_make();
	ck_assert_int_eq(art_scan_packages(fs, &p, &err), ART_E_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, "bad package name"));
}
END_TEST

START_TEST(sbom)
{
	struct art_packages p, back;
	uint8_t *one, *two;
	size_t len, len2, i;
	struct art_err err = { 0 };

	write_dpkg();
	scan(&p);
	ck_assert_int_eq(art_sbom_spdx(&p, "app", "1.0", "2024-01-01T00:00:00Z", &one, &len, NULL), 0);
	ck_assert_int_eq(art_sbom_spdx(&p, "app", "1.0", "2024-01-01T00:00:00Z", &two, &len2, NULL), 0);
	ck_assert_uint_eq(len, len2);
	ck_assert_mem_eq(one, two, len);
	ck_assert_ptr_nonnull(strstr((char *)one,
		"pkg:deb/debian/g%2B%2B@4:12.2.0-3?arch=amd64&upstream=gcc-defaults%401.203%2Bb1"));
	ck_assert_msg(art_sbom_parse(one, len, &back, &err) == 0, "%s", err.text);
	ck_assert_str_eq(back.manager, "dpkg");
	ck_assert_str_eq(back.distro, "debian");
	ck_assert_uint_eq(back.count, p.count);
	for (i = 0; i < p.count; i++)
		expect(&back, i, p.list[i].name, p.list[i].version, p.list[i].arch,
		       p.list[i].source, p.list[i].source_version);
	art_packages_free(&p);
	art_packages_free(&back);
	free(one);
	free(two);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scan");
	TCase *tests = tcase_create("scan");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, walk);
	tcase_add_test(tests, links);
	tcase_add_test(tests, hostile_names);
	tcase_add_test(tests, hostile_tree);
	tcase_add_test(tests, os_release);
	tcase_add_test(tests, arch);
	tcase_add_test(tests, packages_dpkg);
	tcase_add_test(tests, packages_others);
	tcase_add_test(tests, sbom);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
