// SPDX-License-Identifier: Apache-2.0
/* patch.json, read and written. What each object may hold is a table, in the order of format.md section 16.2. */
#include <stdlib.h>
#include <string.h>

#include "libartifact/manifest_field.h"
#include "libartifact/patch_manifest.h"
#include "libartifact/patch_table.h"
#include "libartifact/sig.h"

#define SEGMENTS_MAX 10000

static const struct art_json_codes codes = {
	.syntax = ART_E_MANIFEST_SYNTAX,
	.key = ART_E_MANIFEST_KEY,
	.missing = ART_E_MANIFEST_MISSING,
	.value = ART_E_MANIFEST_VALUE,
};

struct art_patch_manifest *art_patch_manifest_new(void)
{
	return calloc(1, sizeof(struct art_patch_manifest));
}

static void free_payload(struct art_patch_payload *p)
{
	size_t i;

	for (i = 0; p->segments && i < p->segment_count; i++)
		free(p->segments[i].old_index_sha256);
	free(p->segments);
	free(p->name);
}

void art_patch_manifest_free(struct art_patch_manifest *m)
{
	size_t i;

	if (!m)
		return;
	for (i = 0; m->payloads && i < m->payload_count; i++)
		free_payload(&m->payloads[i]);
	free(m->payloads);
	free(m->artifact.name);
	free(m->artifact.version);
	free(m->old.name);
	free(m->old.version);
	free(m->created);
	free(m);
}

/* A multiple of 4096, as the member in the artifact has it. */
static int parse_room(const struct art_json *v, uint64_t max, void *member, struct art_err *err)
{
	int code = art_json_uint(v, ART_MANIFEST_UNIT, max, member, err);

	if (!code && *(uint64_t *)member % ART_MANIFEST_UNIT != 0)
		code = art_json_fail(v, codes.value, err, "is not a multiple of 4096");
	return code;
}

static int parse_manifest_size(const struct art_json *v, void *member, struct art_err *err)
{
	return parse_room(v, ART_MANIFEST_MAX, member, err);
}

static int parse_signatures_size(const struct art_json *v, void *member, struct art_err *err)
{
	return parse_room(v, ART_SIG_MEMBER_MAX, member, err);
}

static int parse_stored_size(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_uint(v, 1, ART_PATCH_RECORD_MAX, member, err);
}

static int parse_index_size(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_uint(v, 1, ART_PATCH_INDEX_MAX, member, err);
}

static int parse_records_size(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_uint(v, 0, ART_PATCH_TABLE_MAX, member, err);
}

static int parse_old_index(const struct art_json *v, void *member, struct art_err *err)
{
	uint8_t **out = member;

	*out = malloc(ART_SHA256_LEN);
	return *out ? art_field_sha256(v, *out, err) : art_fail_memory(err);
}

static const struct art_json_field segment_fields[] = {
	{ "index-size", true, offsetof(struct art_patch_segment, index_size), parse_index_size },
	{ "index-sha256", true, offsetof(struct art_patch_segment, index_sha256), art_field_sha256 },
	{ "old-index-sha256", false, offsetof(struct art_patch_segment, old_index_sha256),
	  parse_old_index },
	{ "records-size", true, offsetof(struct art_patch_segment, records_size),
	  parse_records_size },
	{ "records-sha256", true, offsetof(struct art_patch_segment, records_sha256),
	  art_field_sha256 },
	{ "data-size", true, offsetof(struct art_patch_segment, data_size), art_field_data_size },
};

static int parse_segments(const struct art_json *v, void *out, struct art_err *err)
{
	struct art_patch_payload *p = out;
	size_t n, i;
	int code = art_json_array(v, 1, SEGMENTS_MAX, &n, err);

	if (code)
		return code;
	p->segments = calloc(n, sizeof(*p->segments));
	if (!p->segments)
		return art_fail_memory(err);
	p->segment_count = n;
	for (i = 0; !code && i < n; i++) {
		struct art_json item = art_json_at(v, i);

		code = art_json_object(&item, segment_fields, ART_ARRAY_SIZE(segment_fields),
				       &p->segments[i], err);
	}
	return code;
}

static const struct art_json_field payload_fields[] = {
	{ "name", true, offsetof(struct art_patch_payload, name), art_field_payload_name },
	{ "size", true, offsetof(struct art_patch_payload, size), art_field_image_size },
	{ "sha256", true, offsetof(struct art_patch_payload, sha256), art_field_sha256 },
	{ "old-size", true, offsetof(struct art_patch_payload, old_size), art_field_image_size },
	{ "old-sha256", true, offsetof(struct art_patch_payload, old_sha256), art_field_sha256 },
	{ "segments", true, 0, parse_segments },
};

static int parse_payload(const struct art_json *v, struct art_patch_manifest *m, size_t i,
			 struct art_err *err)
{
	struct art_patch_payload *p = &m->payloads[i];
	int code = art_json_object(v, payload_fields, ART_ARRAY_SIZE(payload_fields), p, err);
	size_t k;

	if (code)
		return code;
	if (p->segment_count != (p->size + ART_SEGMENT_SIZE - 1) / ART_SEGMENT_SIZE)
		return art_json_fail(v, codes.value, err, "has segments that do not cover its size");
	for (k = 0; k < i; k++)
		if (strcmp(m->payloads[k].name, p->name) == 0)
			return art_json_fail(v, codes.value, err, "has the name of another payload");
	return 0;
}

static int parse_payloads(const struct art_json *v, void *out, struct art_err *err)
{
	struct art_patch_manifest *m = out;
	size_t n, i;
	int code = art_json_array(v, 1, 8, &n, err);

	if (code)
		return code;
	m->payloads = calloc(n, sizeof(*m->payloads));
	if (!m->payloads)
		return art_fail_memory(err);
	m->payload_count = n;
	for (i = 0; !code && i < n; i++) {
		struct art_json item = art_json_at(v, i);

		code = parse_payload(&item, m, i, err);
	}
	return code;
}

static const struct art_json_field end_fields[] = {
	{ "name", true, offsetof(struct art_patch_end, name), art_field_name },
	{ "version", true, offsetof(struct art_patch_end, version), art_field_version },
	{ "digest", true, offsetof(struct art_patch_end, digest), art_field_sha256 },
	{ "manifest-size", true, offsetof(struct art_patch_end, manifest_size),
	  parse_manifest_size },
	{ "signatures-size", true, offsetof(struct art_patch_end, signatures_size),
	  parse_signatures_size },
	{ "stored-size", true, offsetof(struct art_patch_end, stored_size), parse_stored_size },
	{ "stored-sha256", true, offsetof(struct art_patch_end, stored_sha256), art_field_sha256 },
};
#define OLD_FIELDS 3

static int parse_artifact(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_object(v, end_fields, ART_ARRAY_SIZE(end_fields), member, err);
}

static int parse_old(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_object(v, end_fields, OLD_FIELDS, member, err);
}

static const struct art_json_field patch_fields[] = {
	{ "type", true, 0, art_field_judged },
	{ "format", true, 0, art_field_judged },
	{ "features", false, 0, art_field_judged },
	{ "created", true, offsetof(struct art_patch_manifest, created), art_field_time },
	{ "artifact", true, offsetof(struct art_patch_manifest, artifact), parse_artifact },
	{ "old", true, offsetof(struct art_patch_manifest, old), parse_old },
	{ "payloads", true, 0, parse_payloads },
};

/* No feature of patches is known yet. */
static int judge_features(const struct art_json *top, struct art_err *err)
{
	struct art_json v, item;
	const char *text;
	size_t n;
	int code;

	if (!art_json_get(top, "features", &v))
		return 0;
	code = art_json_array(&v, 0, 32, &n, err);
	if (code || n == 0)
		return code;
	item = art_json_at(&v, 0);
	code = art_json_string(&item, 1, 32, &text, err);
	if (code)
		return code;
	return art_json_fail(&v, ART_E_FEATURE_UNKNOWN, err,
			     "has '%s', which this program does not know", text);
}

int art_patch_manifest_parse(struct art_patch_manifest **out, const uint8_t *bytes, size_t len,
			     struct art_err *err)
{
	struct art_patch_manifest *m = NULL;
	json_t *root = NULL;
	struct art_json top;
	int code = art_manifest_check_frame(bytes, len, err);

	*out = NULL;
	if (!code)
		code = art_json_parse(&root, bytes, len, &codes, err);
	if (!code) {
		m = art_patch_manifest_new();
		code = m ? 0 : art_fail_memory(err);
	}
	if (!code) {
		top = art_json_top(root, &codes);
		code = art_manifest_judge_first(&top, "patch", err);
	}
	if (!code)
		code = judge_features(&top, err);
	if (!code)
		code = art_json_object(&top, patch_fields, ART_ARRAY_SIZE(patch_fields), m, err);
	if (!code)
		*out = steal_ptr(m);
	else
		art_wrap(err, "patch.json");
	art_patch_manifest_free(m);
	json_decref(root);
	return code;
}

/* As in manifest_format.c: what fails is found at the end. */
static int put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value);
}

static int put_uint(json_t *object, const char *key, uint64_t n)
{
	return put(object, key, json_integer((json_int_t)n));
}

static int put_sha256(json_t *object, const char *key, const uint8_t sha256[ART_SHA256_LEN])
{
	char text[2 * ART_SHA256_LEN + 1];

	art_hex_format(text, sha256, ART_SHA256_LEN);
	return put(object, key, json_string(text));
}

static json_t *end_object(const struct art_patch_end *e, bool carried, int *bad)
{
	json_t *o = json_object();

	*bad |= put(o, "name", json_string(e->name));
	*bad |= put(o, "version", json_string(e->version));
	*bad |= put_sha256(o, "digest", e->digest);
	if (carried) {
		*bad |= put_uint(o, "manifest-size", e->manifest_size);
		*bad |= put_uint(o, "signatures-size", e->signatures_size);
		*bad |= put_uint(o, "stored-size", e->stored_size);
		*bad |= put_sha256(o, "stored-sha256", e->stored_sha256);
	}
	return o;
}

static json_t *segment_object(const struct art_patch_segment *s, int *bad)
{
	json_t *o = json_object();

	*bad |= put_uint(o, "index-size", s->index_size);
	*bad |= put_sha256(o, "index-sha256", s->index_sha256);
	if (s->old_index_sha256)
		*bad |= put_sha256(o, "old-index-sha256", s->old_index_sha256);
	*bad |= put_uint(o, "records-size", s->records_size);
	*bad |= put_sha256(o, "records-sha256", s->records_sha256);
	*bad |= put_uint(o, "data-size", s->data_size);
	return o;
}

static json_t *payload_object(const struct art_patch_payload *p, int *bad)
{
	json_t *o = json_object(), *segments = json_array();
	size_t i;

	*bad |= put(o, "name", json_string(p->name));
	*bad |= put_uint(o, "size", p->size);
	*bad |= put_sha256(o, "sha256", p->sha256);
	*bad |= put_uint(o, "old-size", p->old_size);
	*bad |= put_sha256(o, "old-sha256", p->old_sha256);
	for (i = 0; i < p->segment_count; i++)
		*bad |= json_array_append_new(segments, segment_object(&p->segments[i], bad));
	*bad |= put(o, "segments", segments);
	return o;
}

static int build_text(const struct art_patch_manifest *m, char **text, struct art_err *err)
{
	json_t *top, *payloads;
	int bad = 0;
	size_t i;

	art_json_begin();
	top = json_object();
	payloads = json_array();
	bad |= put(top, "type", json_string("patch"));
	bad |= put_uint(top, "format", 1);
	bad |= put(top, "created", json_string(m->created));
	bad |= put(top, "artifact", end_object(&m->artifact, true, &bad));
	bad |= put(top, "old", end_object(&m->old, false, &bad));
	for (i = 0; i < m->payload_count; i++)
		bad |= json_array_append_new(payloads, payload_object(&m->payloads[i], &bad));
	bad |= put(top, "payloads", payloads);
	*text = art_json_is_sound() && !bad ? art_json_dump(top, 2) : NULL;
	json_decref(top);
	return *text ? 0 : art_fail_memory(err);
}

int art_patch_manifest_format(const struct art_patch_manifest *m, uint8_t **out, size_t *len,
			      struct art_err *err)
{
	struct art_patch_manifest *check = NULL;
	cleanup_free uint8_t *bytes = NULL;
	cleanup_free char *text = NULL;
	int code = build_text(m, &text, err);

	*out = NULL;
	if (!code)
		code = art_manifest_frame(text, &bytes, len, err);
	if (!code)
		code = art_patch_manifest_parse(&check, bytes, *len, err);
	art_patch_manifest_free(check);
	if (!code)
		*out = steal_ptr(bytes);
	return code;
}
