/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict JSON over jansson (the rules of format.md section 3): no duplicate keys, no NUL, at most 16
 * levels, integers 0 .. 2^53-1 only. Objects are judged by a table of their fields. Which error code a fault
 * has is the document's: the manifest and the trust policy share this.
 */
#ifndef ART_JSON_H
#define ART_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "libartifact/err.h"

#define ART_JSON_DEPTH_MAX 16 /* the outermost object is level 1 */
#define ART_JSON_INT_MAX ((UINT64_C(1) << 53) - 1)

/* The codes of a kind of document; they may all be the same. */
struct art_json_codes {
	int syntax;  /* not the JSON that is allowed */
	int key;     /* a key that is not known */
	int missing; /* a required key is not there */
	int value;   /* wrong type, or outside its limits */
};

/* A value and where it stands, so that messages can say "payloads[0].size". Borrows the tree and the parent. */
struct art_json {
	const json_t *value;
	const struct art_json *parent; /* NULL: the document */
	const char *key;               /* NULL: an element of an array */
	size_t index;
	const struct art_json_codes *codes;
};

/*
 * Parse LEN bytes: one JSON object, white space around it allowed. The caller frees *ROOT with
 * json_decref. A transient failure of memory inside jansson never gives an altered tree.
 */
int art_json_parse(json_t **root, const void *bytes, size_t len,
		   const struct art_json_codes *codes, struct art_err *err);

/* The compact text of a tree; the caller frees. INDENT 0: compact. NULL: out of memory. */
char *art_json_dump(const json_t *value, size_t indent);

/* Bracket for building trees by hand: true when no allocation of jansson failed since the begin. */
void art_json_begin(void);
bool art_json_is_sound(void);

struct art_json art_json_top(const json_t *root, const struct art_json_codes *codes);
/* False, and OUT->value NULL: there is no such key. */
bool art_json_get(const struct art_json *object, const char *key, struct art_json *out);
struct art_json art_json_at(const struct art_json *array, size_t i);
/* Members of an object in the order of the text: start with *ITER NULL; false: no more. */
bool art_json_next(const struct art_json *object, void **iter, struct art_json *out);

/* Fail with CODE and "'payloads[0].size' TEXT". */
int art_json_fail(const struct art_json *v, int code, struct art_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Type and limits, else codes->value. A string lives as long as the tree; lengths are bytes. */
int art_json_string(const struct art_json *v, size_t min, size_t max, const char **out,
		    struct art_err *err);
int art_json_uint(const struct art_json *v, uint64_t min, uint64_t max, uint64_t *out,
		  struct art_err *err);
int art_json_bool(const struct art_json *v, bool *out, struct art_err *err);
int art_json_array(const struct art_json *v, size_t min, size_t max, size_t *count,
		   struct art_err *err);
int art_json_is_object(const struct art_json *v, struct art_err *err);

/* A field of an object: PARSE judges the value and fills the member at OFFSET of the structure. */
struct art_json_field {
	const char *key;
	bool required;
	size_t offset;
	int (*parse)(const struct art_json *v, void *member, struct art_err *err);
};

/*
 * Judge a whole object, in this order: it is one; unknown keys, in the order of the text; missing
 * keys and then values, in the order of the table. OUT is the structure that the offsets are for.
 */
int art_json_object(const struct art_json *v, const struct art_json_field *fields, size_t count,
		    void *out, struct art_err *err);

#endif
