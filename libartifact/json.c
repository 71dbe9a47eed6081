// SPDX-License-Identifier: Apache-2.0
/* Strict JSON over jansson. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/json.h"
#include "libartifact/util.h"

#define PATH_MAX_TEXT 256

/*
 * jansson 2.14 does not look at the result when its scanner stores a byte of a token: after a failed
 * allocation the byte is left out and parsing goes on, so a transient lack of memory would give a different
 * value. The failures are therefore noticed here, and a tree that was made across one is thrown away.
 */
static _Thread_local bool memory_failed;

static void *noticing_malloc(size_t size)
{
	void *p = malloc(size);

	if (!p)
		memory_failed = true;
	return p;
}

void art_json_begin(void)
{
	json_set_alloc_funcs(noticing_malloc, free);
	memory_failed = false;
}

bool art_json_is_sound(void)
{
	return !memory_failed;
}

/*
 * What jansson lets pass, judged on the text: it recurses to 2048 levels, takes "-0" for 0, and reads over a
 * NUL byte behind a number. Only faults of text that is otherwise JSON matter here, so it is enough to know strings
 * from the rest.
 */
static int scan_text(const char *p, size_t len, const struct art_json_codes *codes,
		     struct art_err *err)
{
	bool in_string = false;
	size_t depth = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (in_string) {
			if (p[i] == '\\')
				i++;
			else if (p[i] == '"')
				in_string = false;
		} else if (p[i] == '"') {
			in_string = true;
		} else if (p[i] == '{' || p[i] == '[') {
			if (++depth > ART_JSON_DEPTH_MAX)
				return art_fail(err, codes->syntax,
						"more than %d levels of nesting", ART_JSON_DEPTH_MAX);
		} else if (p[i] == '}' || p[i] == ']') {
			if (depth)
				depth--;
		} else if (p[i] == '\0') {
			return art_fail(err, codes->syntax, "a NUL byte");
		} else if (p[i] == '-') {
			return art_fail(err, codes->syntax, "a number with a sign");
		}
	}
	return 0;
}

/* Depth is limited by scan_text. */
static int check_numbers(const json_t *value, const struct art_json_codes *codes,
			 struct art_err *err)
{
	const char *key;
	json_t *item;
	size_t i;
	int code;

	if (json_is_real(value))
		return art_fail(err, codes->syntax, "a number that is not an integer");
	if (json_is_integer(value) && (json_integer_value(value) < 0 ||
				       (uint64_t)json_integer_value(value) > ART_JSON_INT_MAX))
		return art_fail(err, codes->syntax, "a number outside 0 .. 2^53-1");
	json_array_foreach(value, i, item) {
		code = check_numbers(item, codes, err);
		if (code)
			return code;
	}
	json_object_foreach((json_t *)value, key, item) {
		code = check_numbers(item, codes, err);
		if (code)
			return code;
	}
	return 0;
}

/* Text that comes from the document, made fit for a terminal and an error text. */
static void printable(char *out, size_t room, const char *text)
{
	size_t i;

	for (i = 0; i + 1 < room && text[i]; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' && text[i] != '\'' ? text[i] : '?';
	out[i] = '\0';
}

int art_json_parse(json_t **root, const void *bytes, size_t len,
		   const struct art_json_codes *codes, struct art_err *err)
{
	char text[JSON_ERROR_TEXT_LENGTH];
	json_error_t fault;
	json_t *value;
	int code;

	*root = NULL;
	code = scan_text(bytes, len, codes, err);
	if (code)
		return code;
	art_json_begin();
	value = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &fault);
	if (!art_json_is_sound()) {
		json_decref(value);
		return art_fail_memory(err);
	}
	if (!value) {
		printable(text, sizeof(text), fault.text);
		return art_fail(err, codes->syntax, "not valid JSON, line %d column %d: %s",
				fault.line, fault.column, text);
	}
	code = check_numbers(value, codes, err);
	if (!code && !json_is_object(value))
		code = art_fail(err, codes->syntax, "not a JSON object");
	if (code)
		json_decref(value);
	else
		*root = value;
	return code;
}

char *art_json_dump(const json_t *value, size_t indent)
{
	char *text;

	art_json_begin();
	text = json_dumps(value, indent ? JSON_INDENT(indent) : JSON_COMPACT);
	if (!art_json_is_sound()) {
		free(text);
		return NULL;
	}
	return text;
}

struct art_json art_json_top(const json_t *root, const struct art_json_codes *codes)
{
	return (struct art_json){ .value = root, .codes = codes };
}

bool art_json_get(const struct art_json *object, const char *key, struct art_json *out)
{
	*out = (struct art_json){ .value = json_object_get(object->value, key),
				  .parent = object,
				  .key = key,
				  .codes = object->codes };
	return out->value;
}

struct art_json art_json_at(const struct art_json *array, size_t i)
{
	return (struct art_json){ .value = json_array_get(array->value, i),
				  .parent = array,
				  .index = i,
				  .codes = array->codes };
}

bool art_json_next(const struct art_json *object, void **iter, struct art_json *out)
{
	json_t *value = (json_t *)object->value; /* jansson's iterators want it so; nothing is changed */

	*iter = *iter ? json_object_iter_next(value, *iter) : json_object_iter(value);
	if (!*iter)
		return false;
	*out = (struct art_json){ .value = json_object_iter_value(*iter),
				  .parent = object,
				  .key = json_object_iter_key(*iter),
				  .codes = object->codes };
	return true;
}

/* Append the path of V at OUT[used]; returns what is used then, never room or more. */
static size_t format_path(const struct art_json *v, char *out, size_t room)
{
	char key[72];
	size_t used;
	int n;

	if (!v->parent)
		return 0;
	used = format_path(v->parent, out, room);
	if (v->key) {
		printable(key, sizeof(key), v->key);
		n = snprintf(out + used, room - used, "%s%s", used ? "." : "", key);
	} else {
		n = snprintf(out + used, room - used, "[%zu]", v->index);
	}
	used += (size_t)n;
	return used < room ? used : room - 1;
}

int art_json_fail(const struct art_json *v, int code, struct art_err *err, const char *fmt, ...)
{
	char path[PATH_MAX_TEXT] = "";
	char text[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (format_path(v, path, sizeof(path)) == 0)
		return art_fail(err, code, "the document %s", text);
	return art_fail(err, code, "'%s' %s", path, text);
}

int art_json_string(const struct art_json *v, size_t min, size_t max, const char **out,
		    struct art_err *err)
{
	size_t len = json_string_length(v->value);

	if (!json_is_string(v->value))
		return art_json_fail(v, v->codes->value, err, "is not a string");
	if (len < min || len > max)
		return art_json_fail(v, v->codes->value, err,
				     "has %zu bytes, allowed are %zu to %zu", len, min, max);
	*out = json_string_value(v->value);
	return 0;
}

int art_json_uint(const struct art_json *v, uint64_t min, uint64_t max, uint64_t *out,
		  struct art_err *err)
{
	uint64_t n = (uint64_t)json_integer_value(v->value);

	if (!json_is_integer(v->value))
		return art_json_fail(v, v->codes->value, err, "is not an integer");
	if (n < min || n > max)
		return art_json_fail(v, v->codes->value, err,
				     "is %llu, allowed are %llu to %llu", (unsigned long long)n,
				     (unsigned long long)min, (unsigned long long)max);
	*out = n;
	return 0;
}

int art_json_bool(const struct art_json *v, bool *out, struct art_err *err)
{
	if (!json_is_boolean(v->value))
		return art_json_fail(v, v->codes->value, err, "is not true or false");
	*out = json_is_true(v->value);
	return 0;
}

int art_json_array(const struct art_json *v, size_t min, size_t max, size_t *count,
		   struct art_err *err)
{
	size_t n = json_array_size(v->value);

	if (!json_is_array(v->value))
		return art_json_fail(v, v->codes->value, err, "is not an array");
	if (n < min || n > max)
		return art_json_fail(v, v->codes->value, err,
				     "has %zu elements, allowed are %zu to %zu", n, min, max);
	*count = n;
	return 0;
}

int art_json_is_object(const struct art_json *v, struct art_err *err)
{
	if (!json_is_object(v->value))
		return art_json_fail(v, v->codes->value, err, "is not an object");
	return 0;
}

static bool is_known(const char *key, const struct art_json_field *fields, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(key, fields[i].key))
			return true;
	return false;
}

int art_json_object(const struct art_json *v, const struct art_json_field *fields, size_t count,
		    void *out, struct art_err *err)
{
	struct art_json child;
	void *iter = NULL;
	size_t i;
	int code = art_json_is_object(v, err);

	if (code)
		return code;
	while (art_json_next(v, &iter, &child))
		if (!is_known(child.key, fields, count))
			return art_json_fail(&child, child.codes->key, err, "is not a known key");
	for (i = 0; i < count; i++)
		if (fields[i].required && !art_json_get(v, fields[i].key, &child))
			return art_json_fail(&child, child.codes->missing, err, "is missing");
	for (i = 0; i < count; i++) {
		if (!art_json_get(v, fields[i].key, &child))
			continue;
		code = fields[i].parse(&child, (char *)out + fields[i].offset, err);
		if (code)
			return code;
	}
	return 0;
}
