// SPDX-License-Identifier: Apache-2.0
/* The manifest: every limit of format.md section 3 on both sides, every key removed in turn. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "libartifact/index.h"
#include "libartifact/manifest.h"

/* Every key of the format once. */
static const char good[] =
	"{\"type\":\"artifact\",\"format\":1,\"name\":\"demo\",\"version\":\"1.2-3\","
	"\"created\":\"2026-01-02T03:04:05Z\",\"security-counter\":7,\"compatible\":[\"rpi4\","
	"\"fsl,imx8\"],\"hardware\":[\"1..3\",\"7\"],\"arch\":\"aarch64\",\"requires\":"
	"{\"bootloader\":\"2..\",\"a.b_c-1\":\"..3\"},\"provides\":{\"data\":\"4\"},"
	"\"features\":[],\"payloads\":[{\"name\":\"rootfs\",\"kind\":\"rootfs-image\","
	"\"filesystem\":\"ext4\",\"size\":1073745920,\"sha256\":"
	"\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\","
	"\"prefix\":262144,\"segments\":[{\"offset\":0,\"size\":1073741824,\"index-size\":96,"
	"\"index-sha256\":\"ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\","
	"\"data-size\":1000},{\"offset\":1073741824,\"size\":4096,\"index-size\":136,"
	"\"index-sha256\":\"fe0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\","
	"\"data-size\":0}],\"ext\":{\"x\":[{\"deep\":1}]}},{\"name\":\"boot\",\"kind\":"
	"\"boot-image\",\"filesystem\":\"vfat\",\"size\":512,\"sha256\":"
	"\"fd0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\",\"prefix\":0,"
	"\"segments\":[{\"offset\":0,\"size\":512,\"index-size\":96,\"index-sha256\":"
	"\"fc0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\",\"data-size\":512"
	"}]}],\"docs\":[{\"name\":\"sbom.spdx.json\",\"size\":10,\"sha256\":"
	"\"fb0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"}],"
	"\"description\":\"Z\xc3\xbcrich\",\"security\":true,\"advisory\":{\"url\":"
	"\"https://example.com/a\",\"ids\":[\"CVE-2026-1\"]},\"support-until\":\"2030-12-31\","
	"\"ext\":{\"anything\":{\"at\":\"all\"}}}";

/* TEXT, LF, spaces; judged. Frees the manifest unless OUT is wanted. */
static int judge(const char *text, size_t len, struct art_manifest **out)
{
	size_t padded = art_round_up(len + 1, ART_MANIFEST_UNIT);
	uint8_t *bytes = malloc(padded);
	struct art_manifest *m = NULL;
	struct art_err err = { 0 };
	int code;

	ck_assert_ptr_nonnull(bytes);
	memset(bytes, ' ', padded);
	memcpy(bytes, text, len);
	bytes[len] = '\n';
	code = art_manifest_parse(&m, bytes, padded, &err);
	ck_assert_int_eq(err.code, code);
	ck_assert(code ? m == NULL && !strncmp(err.text, "manifest.json: ", 15) : m != NULL);
	free(bytes);
	if (out)
		*out = m;
	else
		art_manifest_free(m);
	return code;
}

START_TEST(good_is_read)
{
	struct art_manifest *m;

	ck_assert_int_eq(judge(good, strlen(good), &m), 0);
	ck_assert_str_eq(m->name, "demo");
	ck_assert_str_eq(m->version, "1.2-3");
	ck_assert_str_eq(m->created, "2026-01-02T03:04:05Z");
	ck_assert_uint_eq(m->security_counter, 7);
	ck_assert_uint_eq(m->compatible_count, 2);
	ck_assert_str_eq(m->compatible[1], "fsl,imx8");
	ck_assert_uint_eq(m->hardware_count, 2);
	ck_assert_str_eq(m->hardware[0], "1..3");
	ck_assert_str_eq(m->arch, "aarch64");
	ck_assert_uint_eq(m->requires_count, 2);
	ck_assert_str_eq(m->requires_[1].key, "a.b_c-1");
	ck_assert_str_eq(m->requires_[1].value, "..3");
	ck_assert_uint_eq(m->provides_count, 1);
	ck_assert_uint_eq(m->feature_count, 0);
	ck_assert_uint_eq(m->payload_count, 2);
	ck_assert_str_eq(m->payloads[0].kind, "rootfs-image");
	ck_assert_uint_eq(m->payloads[0].size, 1073745920);
	ck_assert_uint_eq(m->payloads[0].sha256[31], 0x1f);
	ck_assert_uint_eq(m->payloads[0].prefix, 262144);
	ck_assert_uint_eq(m->payloads[0].segment_count, 2);
	ck_assert_uint_eq(m->payloads[0].segments[1].offset, 1073741824);
	ck_assert_uint_eq(m->payloads[0].segments[1].size, 4096);
	ck_assert_uint_eq(m->payloads[0].segments[1].index_size, 136);
	ck_assert_uint_eq(m->payloads[0].segments[1].index_sha256[0], 0xfe);
	ck_assert_uint_eq(m->payloads[0].segments[0].data_size, 1000);
	ck_assert_str_eq(m->payloads[0].ext, "{\"x\":[{\"deep\":1}]}");
	ck_assert_ptr_null(m->payloads[1].ext);
	ck_assert_uint_eq(m->doc_count, 1);
	ck_assert_uint_eq(m->docs[0].size, 10);
	ck_assert_str_eq(m->description, "Z\xc3\xbcrich");
	ck_assert(m->security);
	ck_assert_str_eq(m->advisory_url, "https://example.com/a");
	ck_assert_uint_eq(m->advisory_id_count, 1);
	ck_assert_str_eq(m->support_until, "2030-12-31");
	ck_assert_str_eq(m->ext, "{\"anything\":{\"at\":\"all\"}}");
	art_manifest_free(m);
}
END_TEST

START_TEST(format_and_parse_agree)
{
	struct art_manifest *m, *again;
	struct art_err err = { 0 };
	uint8_t *first, *second;
	size_t first_len, second_len;

	ck_assert_int_eq(judge(good, strlen(good), &m), 0);
	ck_assert_int_eq(art_manifest_format(m, &first, &first_len, &err), 0);
	ck_assert_uint_eq(first_len % ART_MANIFEST_UNIT, 0);
	ck_assert_int_eq(art_manifest_parse(&again, first, first_len, &err), 0);
	ck_assert_int_eq(art_manifest_format(again, &second, &second_len, &err), 0);
	ck_assert_uint_eq(first_len, second_len);
	ck_assert_mem_eq(first, second, first_len);
	ck_assert_mem_eq(first, "{\n  \"type\": \"artifact\",\n  \"format\": 1,\n  \"name\": ", 49);
	free(first);
	free(second);
	art_manifest_free(m);
	art_manifest_free(again);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("manifest");
	TCase *tc = tcase_create("manifest");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, good_is_read);
	tcase_add_test(tc, format_and_parse_agree);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
