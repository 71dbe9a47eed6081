// SPDX-License-Identifier: Apache-2.0
/* Package lists as documents (sbom.c): what is written, what others write, and what is no package list. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "libartifact/util.h"
#include "tests/unit/expect_package.h"
#include "tests/unit/run.h"

static void add(struct art_packages *p, const char *name, const char *version, const char *arch,
		const char *source, const char *source_version)
{
	const struct art_package package = { (char *)name, (char *)version, (char *)arch,
					     (char *)source, (char *)source_version };

	ck_assert_int_eq(art_packages_add(p, &package, NULL), 0);
}

static json_t *document(const struct art_packages *p)
{
	struct art_err err = { 0 };
	uint8_t *bytes;
	json_t *doc;
	size_t len;

	ck_assert_msg(art_sbom_spdx(p, "app", "1.0", "2024-01-01T00:00:00Z", &bytes, &len, &err) == 0,
		      "%s", err.text);
	doc = json_loadb((char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(doc);
	free(bytes);
	return doc;
}

/* Package I of the document, after the rootfs itself. */
static const json_t *package_at(const json_t *doc, size_t i)
{
	return json_array_get(json_object_get(doc, "packages"), i + 1);
}

static size_t package_count(const json_t *doc)
{
	return json_array_size(json_object_get(doc, "packages")) - 1;
}

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* NULL: the package has no URL. */
static const char *purl_at(const json_t *doc, size_t i)
{
	const json_t *refs = json_object_get(package_at(doc, i), "externalRefs");

	return text_at(json_array_get(refs, 0), "referenceLocator");
}

static const char *first_purl(struct art_packages *p, char text[4096])
{
	json_t *doc = document(p);
	const char *purl = purl_at(doc, 0);

	ck_assert_uint_eq(package_count(doc), 1);
	strcpy(text, purl ? purl : "none");
	json_decref(doc);
	art_packages_free(p);
	return text;
}

START_TEST(urls)
{
	struct art_packages p = { 0 };
	char text[4096];

	add(&p, "a", "1", "", NULL, NULL);
	ck_assert_str_eq(first_purl(&p, text), "pkg:generic/a@1");
	p.manager = "rpm";
	add(&p, "a", "1", "x86_64", "b", NULL);
	ck_assert_str_eq(first_purl(&p, text), "pkg:generic/a@1?arch=x86_64&upstream=b");
	p.manager = "opkg";
	p.distro = strdup("a b/c");
	add(&p, "a~._-", "1%2", "", "b", "3@4");
	ck_assert_str_eq(first_purl(&p, text),
			 "pkg:opkg/a%20b%2Fc/a~._-@1%252?upstream=b%403%404");
	p.manager = "apk";
	add(&p, "a", "1", "", NULL, "4"); /* a version without a source says nothing */
	ck_assert_str_eq(first_purl(&p, text), "pkg:apk/a@1");
}
END_TEST

/* A URL that does not fit is left out, not cut off; the packages are still told apart. */
START_TEST(long_urls)
{
	struct art_packages p = { 0 };
	char name[512], version[512], text[4096];
	json_t *doc;

	memset(name, 'n', 511);
	memset(version, '1', 511);
	name[511] = version[511] = '\0';
	add(&p, name, version, "amd64", "src", "2");
	add(&p, name, "2", "amd64", NULL, NULL);
	version[0] = '2';
	add(&p, name, version, "amd64", "src", "2");
	doc = document(&p);
	ck_assert_uint_eq(package_count(doc), 3);
	ck_assert_ptr_null(purl_at(doc, 0));
	ck_assert_str_eq(text_at(package_at(doc, 0), "name"), name);
	ck_assert_int_eq(strncmp(purl_at(doc, 1), "pkg:generic/nnn", 15), 0);
	ck_assert_ptr_null(purl_at(doc, 2));
	ck_assert_str_ne(text_at(package_at(doc, 0), "SPDXID"),
			 text_at(package_at(doc, 2), "SPDXID"));
	json_decref(doc);
	art_packages_free(&p);
	p.distro = calloc(1, 3000);
	ck_assert_ptr_nonnull(p.distro);
	memset(p.distro, 'd', 2999);
	add(&p, "a", "1", "amd64", NULL, NULL);
	ck_assert_str_eq(first_purl(&p, text), "none");
}
END_TEST

START_TEST(same_package_twice)
{
	struct art_packages p = { 0 };
	json_t *doc;

	add(&p, "b", "1", "amd64", NULL, NULL);
	add(&p, "a", "1", "amd64", NULL, NULL);
	add(&p, "a", "2", "amd64", NULL, NULL);
	add(&p, "a", "1", "arm64", NULL, NULL);
	add(&p, "a", "1", "amd64", NULL, NULL);
	add(&p, "b", "1", "arm64", NULL, NULL);
	art_packages_sort(&p);
	expect(&p, 0, "a", "1", "amd64", NULL, NULL);
	expect(&p, 1, "a", "1", "amd64", NULL, NULL);
	expect(&p, 2, "a", "2", "amd64", NULL, NULL);
	expect(&p, 3, "a", "1", "arm64", NULL, NULL);
	expect(&p, 4, "b", "1", "amd64", NULL, NULL);
	expect(&p, 5, "b", "1", "arm64", NULL, NULL);
	doc = document(&p);
	ck_assert_uint_eq(package_count(doc), 5);
	ck_assert_str_eq(purl_at(doc, 0), "pkg:generic/a@1?arch=amd64");
	ck_assert_str_eq(purl_at(doc, 1), "pkg:generic/a@2?arch=amd64");
	ck_assert_str_eq(purl_at(doc, 2), "pkg:generic/a@1?arch=arm64");
	ck_assert_str_eq(purl_at(doc, 3), "pkg:generic/b@1?arch=amd64");
	ck_assert_str_eq(purl_at(doc, 4), "pkg:generic/b@1?arch=arm64");
	json_decref(doc);
	art_packages_free(&p);
}
END_TEST

START_TEST(sources)
{
	struct art_packages p = { 0 };
	json_t *doc;

	add(&p, "a", "1", "", "b", NULL);
	add(&p, "c", "1", "", "d", "2");
	add(&p, "e", "1", "", NULL, NULL);
	doc = document(&p);
	ck_assert_str_eq(text_at(package_at(doc, 0), "sourceInfo"), "built from source package b 1");
	ck_assert_str_eq(text_at(package_at(doc, 1), "sourceInfo"), "built from source package d 2");
	ck_assert_ptr_null(text_at(package_at(doc, 2), "sourceInfo"));
	json_decref(doc);
	art_packages_free(&p);
}
END_TEST

START_TEST(not_utf8)
{
	struct art_packages p = { 0 };
	struct art_err err = { 0 };
	uint8_t *bytes;
	size_t len;

	add(&p, "a\xff", "1", "", NULL, NULL);
	ck_assert_int_eq(art_sbom_spdx(&p, "app", "1.0", "2024-01-01T00:00:00Z", &bytes, &len, &err),
			 ART_E_FAILED);
	ck_assert_str_eq(err.text, "package 'a\xff' is not UTF-8");
	art_packages_free(&p);
}
END_TEST

static void parse(const char *text, struct art_packages *p)
{
	struct art_err err = { 0 };

	ck_assert_msg(art_sbom_parse((const uint8_t *)text, strlen(text), p, &err) == 0, "%s: %s",
		      text, err.text);
}

/* One component "n" of version "1" with this URL, read back. */
static void parse_purl(const char *purl, struct art_packages *p)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"bomFormat\":\"CycloneDX\",\"components\":[{\"name\":\"n\",\"version\":\"1\",\"purl\":\"%s\"}]}",
		 purl);
	parse(text, p);
	ck_assert_uint_eq(p->count, 1);
}

START_TEST(purls)
{
	static const struct {
		const char *purl, *manager, *distro, *arch, *source, *source_version;
	} rows[] = {
		{ "pkg:deb/debian/n@1?arch=amd64&upstream=s%402", "dpkg", "debian", "amd64", "s", "2" },
		{ "pkg:deb/n@1?distro=x&upstream=a%2Bb%2bc", "dpkg", NULL, "", "a+b+c", NULL },
		{ "pkg:deb/n?arch=a%2", "dpkg", NULL, "a%2", NULL, NULL },
		{ "pkg:deb/n@1?arch=%g0%0g%%00b", "dpkg", NULL, "%g0%0g%b", NULL, NULL },
		{ "pkg:opkg/o%20s/n@1", "opkg", "o s", "", NULL, NULL },
		{ "pkg:apk/n@1?arch=&upstream=x", "apk", NULL, "", "x", NULL },
		{ "pkg:apk/alpine/n?archaic=1&barch=2#arch=3", "apk", "alpine", "", NULL, NULL },
		{ "pkg:apk/alpine/n?xarch=1&arch=2#x&upstream=y", "apk", "alpine", "2", NULL, NULL },
		{ "pkg:apk/alpine/n#p?arch=3", "apk", "alpine", "", NULL, NULL },
		{ "pkg:apk/n#p/arch", "apk", NULL, "", NULL, NULL },
		{ "pkg:apk/n@1?", "apk", NULL, "", NULL, NULL },
		{ "pkg:debian/n@1?arch=a", NULL, NULL, "a", NULL, NULL },
		{ "pkg:npm/n@1", NULL, NULL, "", NULL, NULL },
		{ "pkg:", NULL, NULL, "", NULL, NULL },
		{ "http://x?arch=a", NULL, NULL, "", NULL, NULL },
	};
	struct art_packages p;
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(rows); i++) {
		parse_purl(rows[i].purl, &p);
		ck_assert_pstr_eq(p.manager, rows[i].manager);
		ck_assert_pstr_eq(p.distro, rows[i].distro);
		expect(&p, 0, "n", "1", rows[i].arch, rows[i].source, rows[i].source_version);
		art_packages_free(&p);
	}
}
END_TEST

/* The first URL that names a package manager says which it was. */
START_TEST(first_type_counts)
{
	struct art_packages p;

	parse("{\"bomFormat\":\"CycloneDX\",\"components\":[{\"name\":\"a\",\"purl\":\"pkg:npm/a\"},"
	      "{\"name\":\"b\",\"purl\":\"pkg:apk/alpine/b\"},{\"name\":\"c\",\"purl\":\"pkg:deb/debian/c\"}]}",
	      &p);
	ck_assert_uint_eq(p.count, 3);
	ck_assert_str_eq(p.manager, "apk");
	ck_assert_str_eq(p.distro, "alpine");
	art_packages_free(&p);
}
END_TEST

START_TEST(spdx_of_others)
{
	struct art_packages p;

	parse("{\"spdxVersion\":\"SPDX-2.2\",\"packages\":["
	      "{\"name\":\"os\",\"primaryPackagePurpose\":\"OPERATING-SYSTEM\"},"
	      "{\"name\":\"d\",\"versionInfo\":\"2\",\"primaryPackagePurpose\":\"LIBRARY\",\"externalRefs\":["
	      "{\"referenceType\":\"cpe23Type\",\"referenceLocator\":\"cpe:2.3:a\"},{\"referenceLocator\":\"pkg:deb/x/x\"},"
	      "{\"referenceType\":\"purl\",\"referenceLocator\":\"pkg:deb/ubuntu/d@2?arch=arm64\"},"
	      "{\"referenceType\":\"purl\",\"referenceLocator\":\"pkg:apk/alpine/e@2?arch=x\"}]},"
	      "{\"name\":\"c\",\"externalRefs\":{}},{\"name\":\"b\",\"versionInfo\":3,\"externalRefs\":[7,{\"referenceType\":1}]},"
	      "{\"versionInfo\":\"1\"},\"x\",null,{\"name\":[]}]}",
	      &p);
	ck_assert_uint_eq(p.count, 3);
	ck_assert_str_eq(p.manager, "dpkg");
	ck_assert_str_eq(p.distro, "ubuntu");
	expect(&p, 0, "b", "", "", NULL, NULL);
	expect(&p, 1, "c", "", "", NULL, NULL);
	expect(&p, 2, "d", "2", "arm64", NULL, NULL);
	art_packages_free(&p);
	parse("{\"spdxVersion\":\"SPDX-2.3\",\"bomFormat\":\"CycloneDX\",\"components\":[{\"name\":\"a\"}]}", &p);
	ck_assert_uint_eq(p.count, 0);
	parse("{\"spdxVersion\":\"SPDX-2.3\",\"packages\":\"none\"}", &p);
	ck_assert_uint_eq(p.count, 0);
}
END_TEST

START_TEST(cyclonedx_of_others)
{
	struct art_packages p;

	parse("{\"bomFormat\":\"CycloneDX\",\"components\":[{\"type\":\"operating-system\",\"name\":\"debian\"},"
	      "{\"type\":\"file\",\"name\":\"/etc/x\"},"
	      "{\"type\":\"library\",\"name\":\"b\",\"version\":\"2\",\"purl\":\"pkg:apk/alpine/b@2?arch=x86_64\"},"
	      "{\"type\":\"library\",\"name\":\"a\"},{\"name\":\"c\",\"purl\":[]},{\"type\":\"library\"},3]}",
	      &p);
	ck_assert_uint_eq(p.count, 3);
	ck_assert_str_eq(p.manager, "apk");
	expect(&p, 0, "a", "", "", NULL, NULL);
	expect(&p, 1, "b", "2", "x86_64", NULL, NULL);
	expect(&p, 2, "c", "", "", NULL, NULL);
	art_packages_free(&p);
	parse("{\"bomFormat\":\"CycloneDX\"}", &p);
	ck_assert_uint_eq(p.count, 0);
}
END_TEST

START_TEST(no_list)
{
	static const struct {
		const char *text, *fault;
	} bad[] = {
		{ "", "package list is not JSON: line 1: " },
		{ "{\n\"a\":1,\"a\":2}", "package list is not JSON: line 2: " },
		{ "{\"spdxVersion\":\"\xff\"}", "package list is not JSON: line 1: " },
		{ "[]", "package list is neither SPDX nor CycloneDX JSON" },
		{ "{}", "package list is neither SPDX nor CycloneDX JSON" },
		{ "{\"bomFormat\":3}", "package list is neither SPDX nor CycloneDX JSON" },
		{ "{\"bomFormat\":\"cyclonedx\"}", "package list is neither SPDX nor CycloneDX JSON" },
		{ "{\"spdxVersion\":2.3}", "package list is neither SPDX nor CycloneDX JSON" },
	};
	struct art_packages p;
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(bad); i++) {
		struct art_err err = { 0 };

		ck_assert_int_eq(art_sbom_parse((const uint8_t *)bad[i].text, strlen(bad[i].text), &p,
						&err),
				 ART_E_FAILED);
		ck_assert_int_eq(strncmp(err.text, bad[i].fault, strlen(bad[i].fault)), 0);
		ck_assert_uint_eq(p.count, 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sbom");
	TCase *tests = tcase_create("sbom");

	tcase_add_test(tests, urls);
	tcase_add_test(tests, long_urls);
	tcase_add_test(tests, same_package_twice);
	tcase_add_test(tests, sources);
	tcase_add_test(tests, not_utf8);
	tcase_add_test(tests, purls);
	tcase_add_test(tests, first_type_counts);
	tcase_add_test(tests, spdx_of_others);
	tcase_add_test(tests, cyclonedx_of_others);
	tcase_add_test(tests, no_list);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
