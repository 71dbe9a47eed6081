// SPDX-License-Identifier: Apache-2.0
/* Strict JSON: what is refused, with whose code, and how the place is named. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/json.h"
#include "libartifact/util.h"
#include "tests/unit/run.h"

static const struct art_json_codes codes = {
	.syntax = ART_E_MANIFEST_SYNTAX,
	.key = ART_E_MANIFEST_KEY,
	.missing = ART_E_MANIFEST_MISSING,
	.value = ART_E_MANIFEST_VALUE,
};

static int parse(const char *text, size_t len, json_t **root, struct art_err *err)
{
	return art_json_parse(root, text, len, &codes, err);
}

START_TEST(refused)
{
	static const char *const texts[] = {
		"", " ", "[]", "1", "\"a\"", "null", "{", "}", "{}}", "{}x", "{} {}", "{]",
		"{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{'a':1}", "{a:1}", "\xef\xbb\xbf{}",
		"{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":1}", "{\"x\":{\"a\":1,\"a\":2}}",
		"{\"a\":\"\\u0000\"}", "{\"\\u0000\":1}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}",
		"{\"a\":\"\\ud800\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}",
		"{\"a\":1.0}", "{\"a\":1e2}", "{\"a\":[{\"b\":0.5}]}", "{\"a\":-1}", "{\"a\":-0}",
		"{\"a\":01}", "{\"a\":+1}", "{\"a\":9007199254740992}",
		"{\"a\":9223372036854775808}", "{\"a\":99999999999999999999999999}",
		"{\"a\":NaN}", "{\"a\":[1,[9007199254740992]]}", "{\"a\":1}//", "{\"a",
	};
	struct art_err err;
	json_t *root;
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(texts); i++) {
		memset(&err, 0, sizeof(err));
		root = (json_t *)&err;
		ck_assert_msg(parse(texts[i], strlen(texts[i]), &root, &err) ==
			      ART_E_MANIFEST_SYNTAX, "%s", texts[i]);
		ck_assert_int_eq(err.code, ART_E_MANIFEST_SYNTAX);
		ck_assert_ptr_null(root);
	}
	/* NUL bytes where they do not end the text */
	ck_assert_int_eq(parse("{}\0", 3, &root, &err), ART_E_MANIFEST_SYNTAX);
	ck_assert_int_eq(parse("{\"a\0\":1}", 8, &root, &err), ART_E_MANIFEST_SYNTAX);
	/* jansson alone reads over this one */
	ck_assert_int_eq(parse("{\"a\":1\0}", 8, &root, &err), ART_E_MANIFEST_SYNTAX);
}
END_TEST

START_TEST(accepted)
{
	static const char *const texts[] = {
		"{}", " {} ", "\r\n\t{ }\n", "{\"a\":0}", "{\"a\":9007199254740991}",
		"{\"a\":\"-1.5e3 \\\" [[[[[[[[[[[[[[[[[[ \\\\\"}", "{\"\":null,\"b\":[true,false]}",
		"{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"\xf0\x9f\x98\x80\"}",
	};
	struct art_err err;
	json_t *root;
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(texts); i++) {
		ck_assert_msg(parse(texts[i], strlen(texts[i]), &root, &err) == 0, "%s", texts[i]);
		json_decref(root);
	}
}
END_TEST

/* LEVELS levels in all, the object included. */
static int parse_nested(size_t levels, char open, char close)
{
	static char text[8192];
	struct art_err err;
	json_t *root;
	size_t n = 0, i;
	int code;

	ck_assert_uint_lt(levels * 8, sizeof(text));
	for (i = 0; i < levels; i++) {
		text[n++] = i ? open : '{';
		if (text[n - 1] == '{' && i + 1 < levels) {
			memcpy(text + n, "\"a\":", 4);
			n += 4;
		}
	}
	for (i = levels; i-- > 0;)
		text[n++] = i ? close : '}';
	code = parse(text, n, &root, &err);
	json_decref(root);
	return code;
}

START_TEST(depth)
{
	ck_assert_int_eq(parse_nested(16, '[', ']'), 0);
	ck_assert_int_eq(parse_nested(16, '{', '}'), 0);
	ck_assert_int_eq(parse_nested(17, '[', ']'), ART_E_MANIFEST_SYNTAX);
	ck_assert_int_eq(parse_nested(17, '{', '}'), ART_E_MANIFEST_SYNTAX);
	ck_assert_int_eq(parse_nested(1000, '[', ']'), ART_E_MANIFEST_SYNTAX);
}
END_TEST

/* Side by side is not deeper. */
START_TEST(width)
{
	static const char text[] = "{\"a\":[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]}";
	struct art_err err;
	json_t *root;

	ck_assert_int_eq(parse(text, strlen(text), &root, &err), 0);
	json_decref(root);
}
END_TEST

struct inner {
	uint64_t size;
	const char *name;
	bool flag;
};

static int parse_size(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_uint(v, 2, 9, member, err);
}

static int parse_text(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_string(v, 1, 3, member, err);
}

static int parse_flag(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_bool(v, member, err);
}

static const struct art_json_field inner_fields[] = {
	{ "size", true, offsetof(struct inner, size), parse_size },
	{ "name", true, offsetof(struct inner, name), parse_text },
	{ "flag", false, offsetof(struct inner, flag), parse_flag },
};

static int parse_list(const struct art_json *v, void *member, struct art_err *err)
{
	size_t n, i;
	int code = art_json_array(v, 1, 2, &n, err);

	for (i = 0; !code && i < n; i++) {
		struct art_json item = art_json_at(v, i);

		code = art_json_object(&item, inner_fields, ART_ARRAY_SIZE(inner_fields), member,
				       err);
	}
	return code;
}

static const struct art_json_field outer_fields[] = {
	{ "list", true, 0, parse_list },
};

static const struct object_row {
	const char *text;
	int code;
	const char *message;
} object_rows[] = {
	{ "{\"list\":[{\"size\":2,\"name\":\"a\"}]}", 0, "" },
	{ "{\"list\":[{\"size\":9,\"name\":\"abc\",\"flag\":true}]}", 0, "" },
	{ "{}", ART_E_MANIFEST_MISSING, "'list' is missing" },
	{ "{\"x\":1}", ART_E_MANIFEST_KEY, "'x' is not a known key" },
	{ "{\"x\\u001b[m'\":1}", ART_E_MANIFEST_KEY, "'x?[m?' is not a known key" },
	{ "{\"\x7f\xc3\xa9~ \":1}", ART_E_MANIFEST_KEY, "'???~ ' is not a known key" },
	{ "{\"list\":1}", ART_E_MANIFEST_VALUE, "'list' is not an array" },
	{ "{\"list\":[]}", ART_E_MANIFEST_VALUE,
	  "'list' has 0 elements, allowed are 1 to 2" },
	{ "{\"list\":[1,2,3]}", ART_E_MANIFEST_VALUE,
	  "'list' has 3 elements, allowed are 1 to 2" },
	{ "{\"list\":[1]}", ART_E_MANIFEST_VALUE, "'list[0]' is not an object" },
	{ "{\"list\":[{\"size\":2,\"name\":\"a\"},{\"z\":1}]}", ART_E_MANIFEST_KEY,
	  "'list[1].z' is not a known key" },
	{ "{\"list\":[{\"name\":\"a\"}]}", ART_E_MANIFEST_MISSING, "'list[0].size' is missing" },
	{ "{\"list\":[{\"size\":1,\"name\":\"a\"}]}", ART_E_MANIFEST_VALUE,
	  "'list[0].size' is 1, allowed are 2 to 9" },
	{ "{\"list\":[{\"size\":10,\"name\":\"a\"}]}", ART_E_MANIFEST_VALUE,
	  "'list[0].size' is 10, allowed are 2 to 9" },
	{ "{\"list\":[{\"size\":\"2\",\"name\":\"a\"}]}", ART_E_MANIFEST_VALUE,
	  "'list[0].size' is not an integer" },
	{ "{\"list\":[{\"size\":2,\"name\":\"\"}]}", ART_E_MANIFEST_VALUE,
	  "'list[0].name' has 0 bytes, allowed are 1 to 3" },
	{ "{\"list\":[{\"size\":2,\"name\":\"abcd\"}]}", ART_E_MANIFEST_VALUE,
	  "'list[0].name' has 4 bytes, allowed are 1 to 3" },
	{ "{\"list\":[{\"size\":2,\"name\":2}]}", ART_E_MANIFEST_VALUE,
	  "'list[0].name' is not a string" },
	{ "{\"list\":[{\"size\":2,\"name\":\"a\",\"flag\":1}]}", ART_E_MANIFEST_VALUE,
	  "'list[0].flag' is not true or false" },
	/* unknown before missing before values */
	{ "{\"list\":[{\"size\":1,\"z\":1}]}", ART_E_MANIFEST_KEY,
	  "'list[0].z' is not a known key" },
	{ "{\"list\":[{\"size\":1}]}", ART_E_MANIFEST_MISSING, "'list[0].name' is missing" },
};

START_TEST(objects)
{
	const struct object_row *row = &object_rows[_i];
	struct inner inner = { 0 };
	struct art_err err = { 0 };
	struct art_json top;
	json_t *root;

	ck_assert_int_eq(parse(row->text, strlen(row->text), &root, &err), 0);
	top = art_json_top(root, &codes);
	ck_assert_int_eq(art_json_object(&top, outer_fields, 1, &inner, &err), row->code);
	ck_assert_str_eq(err.text, row->message);
	if (!row->code)
		ck_assert_uint_ge(inner.size, 2);
	json_decref(root);
}
END_TEST

/* A value that is not there has no type at all. */
START_TEST(absent)
{
	struct art_json top, v;
	struct art_err err;
	const char *text;
	uint64_t number;
	size_t count;
	json_t *root;
	bool flag;

	ck_assert_int_eq(parse("{}", 2, &root, &err), 0);
	top = art_json_top(root, &codes);
	ck_assert(!art_json_get(&top, "a", &v));
	ck_assert_int_eq(art_json_string(&v, 0, 9, &text, &err), ART_E_MANIFEST_VALUE);
	ck_assert_int_eq(art_json_uint(&v, 0, 9, &number, &err), ART_E_MANIFEST_VALUE);
	ck_assert_int_eq(art_json_bool(&v, &flag, &err), ART_E_MANIFEST_VALUE);
	ck_assert_int_eq(art_json_array(&v, 0, 9, &count, &err), ART_E_MANIFEST_VALUE);
	ck_assert_int_eq(art_json_is_object(&v, &err), ART_E_MANIFEST_VALUE);
	json_decref(root);
}
END_TEST

START_TEST(codes_are_the_documents)
{
	static const struct art_json_codes policy = { ART_E_POLICY_BAD, ART_E_POLICY_BAD,
						      ART_E_POLICY_BAD, ART_E_POLICY_BAD };
	struct art_err err;
	struct art_json top;
	struct inner inner;
	json_t *root;

	ck_assert_int_eq(art_json_parse(&root, "[]", 2, &policy, &err), ART_E_POLICY_BAD);
	ck_assert_int_eq(art_json_parse(&root, "{\"z\":1}", 7, &policy, &err), 0);
	top = art_json_top(root, &policy);
	ck_assert_int_eq(art_json_object(&top, outer_fields, 1, &inner, &err), ART_E_POLICY_BAD);
	ck_assert_int_eq(art_json_array(&top, 0, 1, &(size_t){ 0 }, &err), ART_E_POLICY_BAD);
	ck_assert_str_eq(err.text, "the document is not an array");
	json_decref(root);
}
END_TEST

/* A path longer than any message keeps within its bounds. */
START_TEST(long_paths)
{
	char key[3000], text[3010];
	struct inner inner;
	struct art_err err;
	struct art_json top, at[8];
	json_t *root;
	size_t i;

	memset(key, 'k', sizeof(key));
	key[sizeof(key) - 1] = '\0';
	snprintf(text, sizeof(text), "{\"%s\":1}", key);
	ck_assert_int_eq(parse(text, strlen(text), &root, &err), 0);
	top = art_json_top(root, &codes);
	ck_assert_int_eq(art_json_object(&top, outer_fields, 1, &inner, &err),
			 ART_E_MANIFEST_KEY);
	ck_assert_ptr_nonnull(strstr(err.text, "kkk' is not a known key"));
	for (i = 0; i < ART_ARRAY_SIZE(at); i++)
		art_json_get(i ? &at[i - 1] : &top, key, &at[i]);
	ck_assert_int_eq(art_json_fail(&at[7], ART_E_MANIFEST_VALUE, &err, "is deep"),
			 ART_E_MANIFEST_VALUE);
	ck_assert_ptr_nonnull(strstr(err.text, "k' is deep"));
	ck_assert_int_eq(art_json_fail(&at[7], ART_E_MANIFEST_VALUE, NULL, "is deep"),
			 ART_E_MANIFEST_VALUE);
	json_decref(root);
}
END_TEST

START_TEST(dumps)
{
	static const char spaced[] = "{ \"b\" : [ 1 ], \"a\":{} }";
	struct art_err err;
	json_t *root;
	char *text;

	ck_assert_int_eq(parse(spaced, strlen(spaced), &root, &err), 0);
	text = art_json_dump(root, 0);
	ck_assert_str_eq(text, "{\"b\":[1],\"a\":{}}");
	free(text);
	text = art_json_dump(root, 2);
	ck_assert_str_eq(text, "{\n  \"b\": [\n    1\n  ],\n  \"a\": {}\n}");
	free(text);
	json_decref(root);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json");
	TCase *tc = tcase_create("json");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, accepted);
	tcase_add_test(tc, depth);
	tcase_add_test(tc, width);
	tcase_add_loop_test(tc, objects, 0, ART_ARRAY_SIZE(object_rows));
	tcase_add_test(tc, absent);
	tcase_add_test(tc, codes_are_the_documents);
	tcase_add_test(tc, long_paths);
	tcase_add_test(tc, dumps);
	return run_suite(suite);
}
