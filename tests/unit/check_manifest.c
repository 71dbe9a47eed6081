// SPDX-License-Identifier: Apache-2.0
/* The manifest: every limit of format.md section 3 on both sides, every key removed in turn. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "libartifact/index.h"
#include "libartifact/manifest.h"
#include "tests/unit/manifest_rows.h"
#include "tests/unit/run.h"

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

/* A tree of GOOD; the value at PATH ("payloads.0.size") is replaced by VALUE, or removed where it is NULL. */
static json_t *changed(const char *path, json_t *value)
{
	json_t *root = json_loads(good, 0, NULL);
	json_t *at = root;
	char copy[200];
	char *key, *next;

	ck_assert_ptr_nonnull(root);
	ck_assert_uint_lt(strlen(path), sizeof(copy));
	strcpy(copy, path);
	for (key = copy; (next = strchr(key, '/')); key = next + 1) {
		*next = '\0';
		at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10)) :
					 json_object_get(at, key);
		ck_assert_ptr_nonnull(at);
	}
	if (!value)
		ck_assert_int_eq(json_is_array(at) ?
				 json_array_remove(at, strtoul(key, NULL, 10)) :
				 json_object_del(at, key), 0);
	else if (json_is_array(at))
		ck_assert_int_eq(json_array_set_new(at, strtoul(key, NULL, 10), value), 0);
	else
		ck_assert_int_eq(json_object_set_new(at, key, value), 0);
	return root;
}

static int judge_tree(json_t *root)
{
	char *text = json_dumps(root, JSON_COMPACT);
	int code = judge(text, strlen(text), NULL);

	free(text);
	json_decref(root);
	return code;
}

static void expect(const char *path, json_t *value, int want)
{
	int code = judge_tree(changed(path, value));

	ck_assert_msg(code == want, "'%s': %s instead of %s", path, art_code_name(code),
		      art_code_name(want));
}

static json_t *text_of(size_t len, char c)
{
	char *text = calloc(1, len + 1);
	json_t *value;

	memset(text, c, len);
	value = json_string(text);
	free(text);
	return value;
}

/* COUNT copies of ITEM, which is taken over. */
static json_t *array_of(size_t count, json_t *item)
{
	json_t *array = json_array();

	while (count--)
		json_array_append(array, item);
	json_decref(item);
	return array;
}

static json_t *map_of(size_t count, const char *value)
{
	json_t *map = json_object();
	char key[16];

	while (count--) {
		snprintf(key, sizeof(key), "k%zu", count);
		json_object_set_new(map, key, json_string(value));
	}
	return map;
}

/* {"t":"xx.."}, LEN bytes when written compactly. */
static json_t *ext_of(size_t len)
{
	json_t *ext = json_object();

	json_object_set_new(ext, "t", text_of(len - 8, 'x'));
	return ext;
}

START_TEST(one_change)
{
	const struct row *row = &rows[_i];

	expect(row->path, row->value ? json_loads(row->value, JSON_DECODE_ANY, NULL) : NULL,
	       row->code);
}
END_TEST

START_TEST(lengths)
{
	static const struct {
		const char *path;
		size_t max;
	} texts[] = {
		{ "name", 64 },		    { "version", 64 },
		{ "compatible/0", 64 },     { "payloads/0/name", 32 },
		{ "docs/0/name", 64 },      { "description", 4096 },
		{ "advisory/url", 512 },    { "advisory/ids/0", 64 },
		{ "provides/data", 64 },    { "requires/bootloader", 64 },
		{ "hardware/0", 64 },
	};
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(texts); i++) {
		expect(texts[i].path, text_of(texts[i].max, 'a'), 0);
		expect(texts[i].path, text_of(texts[i].max + 1, 'a'), ART_E_MANIFEST_VALUE);
	}
	expect("ext", ext_of(16384), 0);
	expect("ext", ext_of(16385), ART_E_MANIFEST_VALUE);
	expect("payloads/0/ext", ext_of(16384), 0);
	expect("payloads/0/ext", ext_of(16385), ART_E_MANIFEST_VALUE);
	/* bytes count, not characters */
	expect("advisory/ids/0", json_string("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	       "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	       "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	       "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"), ART_E_MANIFEST_VALUE);
}
END_TEST

START_TEST(counts)
{
	expect("compatible", array_of(64, json_string("a")), 0);
	expect("compatible", array_of(65, json_string("a")), ART_E_MANIFEST_VALUE);
	expect("hardware", array_of(64, json_string("1")), 0);
	expect("hardware", array_of(65, json_string("1")), ART_E_MANIFEST_VALUE);
	expect("features", array_of(32, json_string("f")), ART_E_FEATURE_UNKNOWN);
	expect("features", array_of(33, json_string("f")), ART_E_MANIFEST_VALUE);
	expect("advisory/ids", array_of(64, json_string("f")), 0);
	expect("advisory/ids", array_of(65, json_string("f")), ART_E_MANIFEST_VALUE);
	expect("requires", map_of(64, "1"), 0);
	expect("requires", map_of(65, "1"), ART_E_MANIFEST_VALUE);
	expect("provides", map_of(64, "1"), 0);
	expect("provides", map_of(65, "1"), ART_E_MANIFEST_VALUE);
	expect("features", array_of(1, text_of(32, 'f')), ART_E_FEATURE_UNKNOWN);
	expect("features", array_of(1, text_of(33, 'f')), ART_E_MANIFEST_VALUE);
}
END_TEST

/* The keys of requires and provides: 64 characters, not 65. */
START_TEST(attribute_names)
{
	char key[66];
	size_t len;

	for (len = 64; len <= 65; len++) {
		json_t *map = json_object();

		memset(key, 'k', len);
		key[len] = '\0';
		json_object_set_new(map, key, json_string("1"));
		expect("provides", json_incref(map), len == 64 ? 0 : ART_E_MANIFEST_VALUE);
		expect("requires", map, len == 64 ? 0 : ART_E_MANIFEST_VALUE);
	}
}
END_TEST

/* COUNT copies of LIST[0] with names of their own; then with the last one's name repeated. */
static void expect_many(const char *list, size_t count, int want)
{
	json_t *root = changed("ext", NULL);
	json_t *array = json_object_get(root, list);
	json_t *first;
	char name[16];
	size_t i;

	while (json_array_size(array) > 1)
		json_array_remove(array, 0);
	first = json_array_get(array, 0);
	for (i = 1; i < count; i++) {
		json_t *item = json_copy(first);

		snprintf(name, sizeof(name), "n%zu", i);
		json_object_set_new(item, "name", json_string(name));
		json_array_append_new(array, item);
	}
	ck_assert_int_eq(judge_tree(json_incref(root)), want);
	if (want == 0) {
		json_object_set_new(json_array_get(array, count - 1), "name",
				    json_string("n1"));
		ck_assert_int_eq(judge_tree(json_incref(root)), ART_E_MANIFEST_VALUE);
	}
	json_decref(root);
}

START_TEST(many_payloads_and_docs)
{
	expect_many("payloads", 8, 0);
	expect_many("payloads", 9, ART_E_MANIFEST_VALUE);
	expect_many("docs", 16, 0);
	expect_many("docs", 17, ART_E_MANIFEST_VALUE);
}
END_TEST

/* What the first three keys say comes before any other fault of the rest. */
START_TEST(order)
{
	json_t *root = changed("colour", json_integer(1));

	json_object_del(root, "name");
	json_object_set_new(root, "version", json_integer(1));
	ck_assert_int_eq(judge_tree(json_incref(root)), ART_E_MANIFEST_KEY);
	json_object_del(root, "colour");
	ck_assert_int_eq(judge_tree(json_incref(root)), ART_E_MANIFEST_MISSING);
	json_object_set_new(root, "colour", json_integer(1));
	json_object_set_new(root, "features", array_of(1, json_string("verity")));
	ck_assert_int_eq(judge_tree(json_incref(root)), ART_E_FEATURE_UNKNOWN);
	json_object_set_new(root, "format", json_integer(2));
	ck_assert_int_eq(judge_tree(json_incref(root)), ART_E_FORMAT_VERSION);
	json_object_set_new(root, "type", json_string("patch"));
	ck_assert_int_eq(judge_tree(root), ART_E_MANIFEST_VALUE);
}
END_TEST

static int judge_bytes(const char *bytes, size_t len)
{
	struct art_err err = { 0 };
	struct art_manifest *m = NULL;
	int code = art_manifest_parse(&m, (const uint8_t *)bytes, len, &err);

	art_manifest_free(m);
	return code;
}

START_TEST(padding)
{
	static char bytes[ART_MANIFEST_MAX + ART_MANIFEST_UNIT];
	size_t len = strlen(good);

	ck_assert_uint_lt(len, ART_MANIFEST_UNIT - 2);
	memset(bytes, ' ', sizeof(bytes));
	memcpy(bytes, good, len);
	bytes[len] = '\n';
	ck_assert_int_eq(judge_bytes(bytes, 4096), 0);
	ck_assert_int_eq(judge_bytes(bytes, ART_MANIFEST_MAX), 0);
	ck_assert_int_eq(judge_bytes(bytes, sizeof(bytes)), ART_E_MANIFEST_SYNTAX);
	ck_assert_int_eq(judge_bytes(bytes, 0), ART_E_MANIFEST_SYNTAX);
	ck_assert_int_eq(judge_bytes(bytes, 4095), ART_E_MANIFEST_SYNTAX);
	ck_assert_int_eq(judge_bytes(bytes, 4608), ART_E_MANIFEST_SYNTAX);
	bytes[4095] = '\n';
	ck_assert_int_eq(judge_bytes(bytes, 4096), ART_E_MANIFEST_SYNTAX);
	bytes[4095] = '\t';
	ck_assert_int_eq(judge_bytes(bytes, 4096), ART_E_MANIFEST_SYNTAX);
	bytes[4095] = '\0';
	ck_assert_int_eq(judge_bytes(bytes, 4096), ART_E_MANIFEST_SYNTAX);
	bytes[4095] = ' ';
	bytes[len + 1] = '\n';
	ck_assert_int_eq(judge_bytes(bytes, 4096), ART_E_MANIFEST_SYNTAX);
	bytes[len + 1] = ' ';
	bytes[len] = ' ';
	ck_assert_int_eq(judge_bytes(bytes, 4096), ART_E_MANIFEST_SYNTAX);
	bytes[len] = '\r';
	ck_assert_int_eq(judge_bytes(bytes, 4096), ART_E_MANIFEST_SYNTAX);
	memmove(bytes + 1, good, len);
	bytes[0] = ' ';
	bytes[len + 1] = '\n';
	ck_assert_int_eq(judge_bytes(bytes, 4096), ART_E_MANIFEST_SYNTAX);
	memset(bytes, ' ', 4096);
	ck_assert_int_eq(judge_bytes(bytes, 4096), ART_E_MANIFEST_SYNTAX);
	bytes[0] = '{';
	ck_assert_int_eq(judge_bytes(bytes, 4096), ART_E_MANIFEST_SYNTAX);
	bytes[0] = '\n';
	ck_assert_int_eq(judge_bytes(bytes, 4096), ART_E_MANIFEST_SYNTAX);
	bytes[0] = '}';
	bytes[1] = '\n';
	ck_assert_int_eq(judge_bytes(bytes, 4096), ART_E_MANIFEST_SYNTAX);
}
END_TEST

/* Faults that no tree can hold; the rest of JSON's faults are check_json's. */
START_TEST(syntax)
{
	static const char *const texts[] = {
		"[]", "{\"a\":1,\"a\":1}", "\xef\xbb\xbf{}", " {}", "\n{}", "{\"type\":\"a\\u0000\"}", "{}{}",
	};
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(texts); i++)
		ck_assert_int_eq(judge(texts[i], strlen(texts[i]), NULL), ART_E_MANIFEST_SYNTAX);
}
END_TEST

/* A payload of COUNT segments, written as compactly as can be. */
static int judge_segments(size_t count, size_t *len)
{
	json_t *root = changed("payloads/1", NULL);
	json_t *payload = json_array_get(json_object_get(root, "payloads"), 0);
	json_t *segments = json_object_get(payload, "segments");
	size_t i;
	char *text;
	int code;

	for (i = 1; i < count; i++) {
		json_t *seg = json_deep_copy(json_array_get(segments, 0));

		json_object_set_new(seg, "offset", json_integer((json_int_t)(i * ART_SEGMENT_SIZE)));
		json_array_insert_new(segments, i, seg);
	}
	while (json_array_size(segments) > count)
		json_array_remove(segments, count);
	json_object_set_new(payload, "size", json_integer((json_int_t)(count * ART_SEGMENT_SIZE)));
	text = json_dumps(root, JSON_COMPACT);
	*len = strlen(text);
	code = judge(text, *len, NULL);
	free(text);
	json_decref(root);
	return code;
}

/* The size of the manifest is the nearer limit: well over 1 TiB fits. */
START_TEST(many_segments)
{
	size_t len;

	ck_assert_int_eq(judge_segments(1, &len), 0);
	ck_assert_int_eq(judge_segments(1300, &len), 0);
	ck_assert_uint_lt(len, ART_MANIFEST_MAX);
	ck_assert_int_eq(judge_segments(10001, &len), ART_E_MANIFEST_SYNTAX);
	ck_assert_uint_gt(len, ART_MANIFEST_MAX);
}
END_TEST

static void expect_no_format(struct art_manifest *m, int want)
{
	struct art_err err = { 0 };
	uint8_t *bytes = NULL;
	size_t len;

	ck_assert_int_eq(art_manifest_format(m, &bytes, &len, &err), want);
	ck_assert_int_eq(err.code, want);
	ck_assert_ptr_null(bytes);
}

/* Nothing is written that a reader would refuse. */
START_TEST(format_refuses)
{
	struct art_manifest *m = art_manifest_new();
	char *keep;
	size_t i;

	expect_no_format(m, ART_E_MANIFEST_MISSING);
	art_manifest_free(m);
	ck_assert_int_eq(judge(good, strlen(good), &m), 0);
	keep = m->name;
	m->name = NULL;
	expect_no_format(m, ART_E_MANIFEST_MISSING);
	m->name = strdup("\xff");
	expect_no_format(m, ART_E_MANIFEST_VALUE);
	free(m->name);
	m->name = keep;
	keep = m->ext;
	m->ext = strdup("{");
	expect_no_format(m, ART_E_MANIFEST_VALUE);
	free(m->ext);
	m->ext = keep;
	keep = m->requires_[1].key;
	m->requires_[1].key = m->requires_[0].key;
	expect_no_format(m, ART_E_MANIFEST_VALUE);
	m->requires_[1].key = keep;
	m->payloads[0].size += 512;
	expect_no_format(m, ART_E_MANIFEST_VALUE);
	m->payloads[0].size -= 512;
	keep = m->advisory_url;
	m->advisory_url = NULL;
	expect_no_format(m, ART_E_MANIFEST_MISSING);
	m->advisory_url = keep;
	m->features = calloc(1, sizeof(char *));
	m->features[0] = strdup("verity");
	m->feature_count = 1;
	expect_no_format(m, ART_E_FEATURE_UNKNOWN);
	free(m->features[0]);
	m->feature_count = 0;
	m->payloads[0].segments = realloc(m->payloads[0].segments,
					  1500 * sizeof(struct art_segment));
	for (i = 2; i < 1500; i++)
		m->payloads[0].segments[i] = m->payloads[0].segments[0];
	m->payloads[0].segment_count = 1500;
	expect_no_format(m, ART_E_MANIFEST_VALUE);
	art_manifest_free(m);
}
END_TEST

/* A writer's minimum: no optional key appears. */
START_TEST(format_minimum)
{
	struct art_manifest *m;
	struct art_err err = { 0 };
	json_t *root, *value;
	uint8_t *bytes;
	const char *key;
	size_t len, i;

	ck_assert_int_eq(judge(good, strlen(good), &m), 0);
	for (i = 0; i < m->hardware_count; i++)
		free(m->hardware[i]);
	m->hardware_count = 0;
	free(m->ext);
	m->ext = NULL;
	m->security = false;
	free(m->advisory_ids[0]);
	m->advisory_id_count = 0;
	ck_assert_int_eq(art_manifest_format(m, &bytes, &len, &err), 0);
	root = json_loadb((char *)bytes, len, 0, NULL);
	json_object_foreach(root, key, value)
		ck_assert(strcmp(key, "hardware") && strcmp(key, "ext") &&
			  strcmp(key, "security") && strcmp(key, "features"));
	ck_assert_uint_eq(json_object_size(json_object_get(root, "advisory")), 1);
	json_decref(root);
	free(bytes);
	art_manifest_free(m);
	art_manifest_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("manifest");
	TCase *tc = tcase_create("manifest");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, good_is_read);
	tcase_add_test(tc, format_and_parse_agree);
	tcase_add_loop_test(tc, one_change, 0, ART_ARRAY_SIZE(rows));
	tcase_add_test(tc, lengths);
	tcase_add_test(tc, counts);
	tcase_add_test(tc, attribute_names);
	tcase_add_test(tc, many_payloads_and_docs);
	tcase_add_test(tc, order);
	tcase_add_test(tc, padding);
	tcase_add_test(tc, syntax);
	tcase_add_test(tc, many_segments);
	tcase_add_test(tc, format_refuses);
	tcase_add_test(tc, format_minimum);
	return run_suite(suite);
}
