// SPDX-License-Identifier: Apache-2.0
/* Package lists of a rootfs (packages.c), and the document made from one read back (sbom.c). */
#include "tests/unit/expect_package.h"
#include "tests/unit/rootfs.h"
#include "tests/unit/run.h"

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
	   "Package: later\nStatus: install ok unpacked\nArchitecture: all\nVersion: 5\n\n"
	   "Package: none\nStatus: purge ok not-installed\nArchitecture: all\nVersion: 5\n\n"
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
	ck_assert_uint_eq(p.count, 4);
	expect(&p, 0, "adduser", "3.134", "all", NULL, NULL);
	expect(&p, 1, "g++", "4:12.2.0-3", "amd64", "gcc-defaults", "1.203+b1");
	expect(&p, 2, "later", "5", "all", NULL, NULL);
	expect(&p, 3, "zlib1g", "1:1.2.13.dfsg-1", "amd64", "zlib", NULL);
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

#define INSTALLED "Status: install ok installed\n\n"

START_TEST(packages_odd)
{
	char text[4096], long_version[600] = "";
	struct art_packages p;

	memset(long_version, '1', 512);
	snprintf(text, sizeof(text),
		 "\n\nPackage:a\nVersion:   1 \t\nArchitecture: all\r\n" INSTALLED "\n\n"
		 "Package: b\nVersion: 1\nSource: (2)\n" INSTALLED "Package: c\nSource: s(2)\n" INSTALLED
		 "Package: d\nSource: two words\n" INSTALLED "Package: e\nSource: https://x/y (1)\n" INSTALLED
		 "Package: f\nSource: s (1 2)\n" INSTALLED "Package: g\nSource: s (1\n" INSTALLED
		 "Package: h\nSource:\nVersion: %s\n" INSTALLED "Package: i\nP\nPackage\nVersion:\nSource: s ()\n" INSTALLED
		 "Version: 7\n" INSTALLED "Package:  \nVersion: 1\n" INSTALLED
		 "Package: no\nStatus: installed\n\nPackage: no\nStatus:\n\nPackage: no\nVersion: 1\n\n"
		 "Package: no\nStatus: install ok half-installed\n\nPackage: z\nVersion: 2\nArchitecture: x\n" INSTALLED
		 "Package: z\nVersion: 1\nArchitecture: x\n" INSTALLED
		 "Package: z\nArchitecture: m\nVersion: 3\nStatus: install ok installed", long_version);
	put("var/lib/dpkg/status", text, strlen(text));
	scan(&p);
	ck_assert_uint_eq(p.count, 12);
	ck_assert_ptr_null(p.distro);
	expect(&p, 0, "a", "1", "all", NULL, NULL);
	expect(&p, 1, "b", "1", "", "(2)", NULL);
	expect(&p, 2, "c", "", "", "s(2)", NULL);
	expect(&p, 3, "d", "", "", NULL, NULL);
	expect(&p, 4, "e", "", "", NULL, NULL);
	expect(&p, 5, "f", "", "", "s", NULL);
	expect(&p, 6, "g", "", "", "s", "1");
	expect(&p, 7, "h", "", "", NULL, NULL);
	expect(&p, 8, "i", "", "", "s", "");
	expect(&p, 9, "z", "3", "m", NULL, NULL);
	expect(&p, 10, "z", "1", "x", NULL, NULL);
	expect(&p, 11, "z", "2", "x", NULL, NULL);
	art_packages_free(&p);
}
END_TEST

static void refused(const char *text, const char *fault)
{
	struct art_err err = { 0 };
	struct art_packages p;

	put("var/lib/dpkg/status", text, strlen(text));
	image_make();
	ck_assert_int_eq(art_scan_packages(fs, &p, &err), ART_E_FAILED);
	ck_assert_str_eq(err.text, fault);
	ck_assert_uint_eq(p.count, 0);
	ck_assert_ptr_null(p.list);
	image_drop();
}

START_TEST(packages_refused)
{
	refused("Package: a b\n" INSTALLED,
		"'/var/lib/dpkg/status': bad package name or version: 'a b'");
	refused("Package: a\n" INSTALLED "Package: b\nVersion: 1 2\n" INSTALLED,
		"'/var/lib/dpkg/status': bad package name or version: 'b'");
	refused("Package: c\nArchitecture: x\033y\n" INSTALLED,
		"'/var/lib/dpkg/status': bad package name or version: 'c'");
	sh("mkdir t/var/lib/dpkg/status.d; echo 'Package: a b' > t/var/lib/dpkg/status.d/a");
	refused("", "'/var/lib/dpkg/status.d/a': bad package name or version: 'a b'");
}
END_TEST

/* dpkg without packages, as a rootfs has it that is made by something else. */
START_TEST(packages_none)
{
	struct art_packages p;

	sh("mkdir t/var/lib/dpkg/status.d");
	scan(&p);
	ck_assert_ptr_null(p.manager);
	ck_assert_uint_eq(p.count, 0);
	sh("rmdir t/var/lib/dpkg/status.d; : > t/var/lib/dpkg/status");
	scan(&p);
	ck_assert_str_eq(p.manager, "dpkg");
	ck_assert_uint_eq(p.count, 0);
	art_packages_free(&p);
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
	Suite *suite = suite_create("packages");
	TCase *tests = tcase_create("packages");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, packages_dpkg);
	tcase_add_test(tests, packages_others);
	tcase_add_test(tests, packages_odd);
	tcase_add_test(tests, packages_refused);
	tcase_add_test(tests, packages_none);
	tcase_add_test(tests, sbom);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
