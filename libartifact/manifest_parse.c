// SPDX-License-Identifier: Apache-2.0
/*
 * Reading a manifest. What each object may hold is a table, in the order of format.md section 3; every
 * limit of that section is judged in the parse function of its key.
 */
#include <stdlib.h>
#include <string.h>

#include "libartifact/index.h"
#include "libartifact/json.h"
#include "libartifact/manifest.h"
#include "libartifact/manifest_field.h"
#include "libartifact/util.h"
#include "libartifact/version.h"
#include "libartifact/word.h"

#define SEGMENTS_MAX 65536
#define PAYLOAD_SEGMENTS_MAX 10000

static const struct art_json_codes codes = {
	.syntax = ART_E_MANIFEST_SYNTAX,
	.key = ART_E_MANIFEST_KEY,
	.missing = ART_E_MANIFEST_MISSING,
	.value = ART_E_MANIFEST_VALUE,
};

/* What a reader of this program knows beyond format 1; none yet. */
static const char *const known_features[] = { NULL };

static int take_copy(const char *text, char **out, struct art_err *err)
{
	*out = strdup(text);
	return *out ? 0 : art_fail_memory(err);
}

/* A string that VALID accepts; WHAT says what it should have been. */
static int take_valid(const struct art_json *v, bool (*valid)(const char *), const char *what,
		      char **out, struct art_err *err)
{
	const char *text;
	int code = art_json_string(v, 0, SIZE_MAX, &text, err);

	if (code)
		return code;
	if (!valid(text))
		return art_json_fail(v, codes.value, err, "is not %s", what);
	return take_copy(text, out, err);
}

int art_field_name(const struct art_json *v, void *member, struct art_err *err)
{
	return take_valid(v, art_word_is_name, "a name (1 to 64 of A-Z a-z 0-9 . _ -)", member, err);
}

int art_field_version(const struct art_json *v, void *member, struct art_err *err)
{
	return take_valid(v, art_version_is_valid, "a version", member, err);
}

int art_field_time(const struct art_json *v, void *member, struct art_err *err)
{
	return take_valid(v, art_word_is_time, "a time YYYY-MM-DDThh:mm:ssZ", member, err);
}

static int parse_date(const struct art_json *v, void *member, struct art_err *err)
{
	return take_valid(v, art_word_is_date, "a date YYYY-MM-DD", member, err);
}

static int parse_arch(const struct art_json *v, void *member, struct art_err *err)
{
	return take_valid(v, art_word_is_arch, "a known architecture", member, err);
}

int art_field_payload_name(const struct art_json *v, void *member, struct art_err *err)
{
	return take_valid(v, art_word_is_payload_name, "a payload name (1 to 32 of a-z 0-9 -)", member,
			  err);
}

static int parse_filesystem(const struct art_json *v, void *member, struct art_err *err)
{
	return take_valid(v, art_word_is_filesystem, "a known filesystem", member, err);
}

static int parse_kind(const struct art_json *v, void *member, struct art_err *err)
{
	const char *text;
	int code = art_json_string(v, 0, SIZE_MAX, &text, err);

	if (code)
		return code;
	if (!art_word_is_kind(text))
		return art_json_fail(v, ART_E_KIND_UNKNOWN, err,
				     "is a kind of payload that this program does not know");
	return take_copy(text, member, err);
}

static int parse_description(const struct art_json *v, void *member, struct art_err *err)
{
	const char *text;
	int code = art_json_string(v, 0, 4096, &text, err);

	return code ? code : take_copy(text, member, err);
}

static int parse_url(const struct art_json *v, void *member, struct art_err *err)
{
	const char *text;
	int code = art_json_string(v, 0, 512, &text, err);

	return code ? code : take_copy(text, member, err);
}

static int parse_bool(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_bool(v, member, err);
}

static int parse_counter(const struct art_json *v, void *member, struct art_err *err)
{
	uint64_t n;
	int code = art_json_uint(v, 0, UINT32_MAX, &n, err);

	if (!code)
		*(uint32_t *)member = (uint32_t)n;
	return code;
}

static int parse_prefix(const struct art_json *v, void *member, struct art_err *err)
{
	uint64_t n;
	int code = art_json_uint(v, 0, ART_PREFIX_MAX, &n, err);

	if (!code)
		*(uint32_t *)member = (uint32_t)n;
	return code;
}

int art_field_image_size(const struct art_json *v, void *member, struct art_err *err)
{
	uint64_t *size = member;
	int code = art_json_uint(v, 1, ART_IMAGE_MAX, size, err);

	if (!code && *size % 512 != 0)
		code = art_json_fail(v, codes.value, err, "is not a multiple of 512");
	return code;
}

static int parse_offset(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_uint(v, 0, ART_IMAGE_MAX, member, err);
}

static int parse_segment_size(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_uint(v, 1, ART_SEGMENT_SIZE, member, err);
}

int art_field_data_size(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_uint(v, 0, ART_SEGMENT_SIZE, member, err);
}

static int parse_doc_size(const struct art_json *v, void *member, struct art_err *err)
{
	return art_json_uint(v, 0, ART_DOC_MAX, member, err);
}

/* Judged here already, so that nothing is laid out by an impossible size. */
static int parse_index_size(const struct art_json *v, void *member, struct art_err *err)
{
	uint32_t pages, rows;
	int code = art_json_uint(v, 0, ART_JSON_INT_MAX, member, err);

	return code ? code : art_index_shape(*(uint64_t *)member, &pages, &rows, err);
}

int art_field_sha256(const struct art_json *v, void *member, struct art_err *err)
{
	const char *text;
	int code = art_json_string(v, 64, 64, &text, err);

	if (!code && art_hex_parse(member, ART_SHA256_LEN, text) < 0)
		code = art_json_fail(v, codes.value, err, "is not 64 lowercase hex digits");
	return code;
}

static int parse_ext(const struct art_json *v, void *member, struct art_err *err)
{
	char **out = member;
	int code = art_json_is_object(v, err);

	if (code)
		return code;
	*out = art_json_dump(v->value, 0);
	if (!*out)
		return art_fail_memory(err);
	if (strlen(*out) > 16 * ART_KIB)
		return art_json_fail(v, codes.value, err, "has %zu bytes, allowed are 16384",
				     strlen(*out));
	return 0;
}

/* Room for COUNT elements of SIZE, zeroed; none for none. */
static int take_room(void *list, size_t count, size_t size, struct art_err *err)
{
	void *room = NULL;

	if (count) {
		room = calloc(count, size);
		if (!room)
			return art_fail_memory(err);
	}
	memcpy(list, &room, sizeof(room));
	return 0;
}

/* An array of strings that VALID accepts. *COUNT is right for freeing at any time. */
static int take_list(const struct art_json *v, size_t min, size_t max,
		     bool (*valid)(const char *), const char *what, size_t *count, char ***list,
		     struct art_err *err)
{
	size_t n, i;
	int code = art_json_array(v, min, max, &n, err);

	if (!code)
		code = take_room(list, n, sizeof(**list), err);
	for (i = 0; !code && i < n; i++) {
		struct art_json item = art_json_at(v, i);

		code = take_valid(&item, valid, what, &(*list)[i], err);
		*count = i + 1;
	}
	return code;
}

static int parse_compatible(const struct art_json *v, void *out, struct art_err *err)
{
	struct art_manifest *m = out;

	return take_list(v, 1, 64, art_word_is_device_type, "a device type", &m->compatible_count,
			 &m->compatible, err);
}

static int parse_hardware(const struct art_json *v, void *out, struct art_err *err)
{
	struct art_manifest *m = out;

	return take_list(v, 1, 64, art_range_is_valid, "a range of revisions",
			 &m->hardware_count, &m->hardware, err);
}

static int parse_features(const struct art_json *v, void *out, struct art_err *err)
{
	struct art_manifest *m = out;

	return take_list(v, 0, 32, art_word_is_feature, "the name of a feature", &m->feature_count,
			 &m->features, err);
}

static int parse_ids(const struct art_json *v, void *out, struct art_err *err)
{
	struct art_manifest *m = out;

	return take_list(v, 0, 64, art_word_is_advisory_id, "an id of 1 to 64 bytes",
			 &m->advisory_id_count, &m->advisory_ids, err);
}

static int take_pairs(const struct art_json *v, bool (*valid)(const char *), const char *what,
		      size_t *count, struct art_pair **pairs, struct art_err *err)
{
	struct art_json item;
	void *iter = NULL;
	int code = art_json_is_object(v, err);

	if (code)
		return code;
	if (json_object_size(v->value) > 64)
		return art_json_fail(v, codes.value, err, "has %zu keys, allowed are 64",
				     json_object_size(v->value));
	code = take_room(pairs, json_object_size(v->value), sizeof(**pairs), err);
	while (!code && art_json_next(v, &iter, &item)) {
		struct art_pair *pair = &(*pairs)[(*count)++];

		if (!art_word_is_attribute(item.key))
			return art_json_fail(&item, codes.value, err,
					     "is not a key of 1 to 64 of a-z 0-9 . _ -");
		code = take_copy(item.key, &pair->key, err);
		if (!code)
			code = take_valid(&item, valid, what, &pair->value, err);
	}
	return code;
}

static int parse_requires(const struct art_json *v, void *out, struct art_err *err)
{
	struct art_manifest *m = out;

	return take_pairs(v, art_range_is_valid, "a range of versions", &m->requires_count,
			  &m->requires_, err);
}

static int parse_provides(const struct art_json *v, void *out, struct art_err *err)
{
	struct art_manifest *m = out;

	return take_pairs(v, art_version_is_valid, "a version", &m->provides_count, &m->provides,
			  err);
}

static const struct art_json_field segment_fields[] = {
	{ "offset", true, offsetof(struct art_segment, offset), parse_offset },
	{ "size", true, offsetof(struct art_segment, size), parse_segment_size },
	{ "index-size", true, offsetof(struct art_segment, index_size), parse_index_size },
	{ "index-sha256", true, offsetof(struct art_segment, index_sha256), art_field_sha256 },
	{ "data-size", true, offsetof(struct art_segment, data_size), art_field_data_size },
};

static int parse_segments(const struct art_json *v, void *out, struct art_err *err)
{
	struct art_payload *p = out;
	size_t n, i;
	int code = art_json_array(v, 1, PAYLOAD_SEGMENTS_MAX, &n, err);

	if (!code)
		code = take_room(&p->segments, n, sizeof(*p->segments), err);
	for (i = 0; !code && i < n; i++) {
		struct art_json item = art_json_at(v, i);
		struct art_segment *seg = &p->segments[i];

		p->segment_count = i + 1;
		code = art_json_object(&item, segment_fields, ART_ARRAY_SIZE(segment_fields), seg,
				       err);
		if (code)
			break;
		if (seg->offset != i * ART_SEGMENT_SIZE)
			return art_json_fail(&item, codes.value, err,
					     "does not begin where the one before it ends");
		if (i + 1 < n && seg->size != ART_SEGMENT_SIZE)
			return art_json_fail(&item, codes.value, err,
					     "is not the last and not of 1 GiB");
	}
	return code;
}

/* Keys in this order: what the segments must cover is known when they are read. */
static const struct art_json_field payload_fields[] = {
	{ "name", true, offsetof(struct art_payload, name), art_field_payload_name },
	{ "kind", true, offsetof(struct art_payload, kind), parse_kind },
	{ "filesystem", true, offsetof(struct art_payload, filesystem), parse_filesystem },
	{ "size", true, offsetof(struct art_payload, size), art_field_image_size },
	{ "sha256", true, offsetof(struct art_payload, sha256), art_field_sha256 },
	{ "prefix", true, offsetof(struct art_payload, prefix), parse_prefix },
	{ "segments", true, 0, parse_segments },
	{ "ext", false, offsetof(struct art_payload, ext), parse_ext },
};

static int parse_payload(const struct art_json *v, struct art_manifest *m, struct art_payload *p,
			 struct art_err *err)
{
	const struct art_segment *last;
	struct art_payload *other;
	int code = art_json_object(v, payload_fields, ART_ARRAY_SIZE(payload_fields), p, err);

	if (code)
		return code;
	last = &p->segments[p->segment_count - 1];
	if (last->offset + last->size != p->size)
		return art_json_fail(v, codes.value, err, "has segments that do not cover its size");
	for (other = m->payloads; other < p; other++)
		if (!strcmp(other->name, p->name))
			return art_json_fail(v, codes.value, err, "has the name of another payload");
	return 0;
}

static int parse_payloads(const struct art_json *v, void *out, struct art_err *err)
{
	struct art_manifest *m = out;
	size_t total = 0;
	size_t n, i;
	int code = art_json_array(v, 1, 8, &n, err);

	if (!code)
		code = take_room(&m->payloads, n, sizeof(*m->payloads), err);
	for (i = 0; !code && i < n; i++) {
		struct art_json item = art_json_at(v, i);

		m->payload_count = i + 1;
		code = parse_payload(&item, m, &m->payloads[i], err);
		total += m->payloads[i].segment_count;
	}
	if (!code && total > SEGMENTS_MAX)
		code = art_json_fail(v, codes.value, err, "has %zu segments, allowed are %d",
				     total, SEGMENTS_MAX);
	return code;
}

static const struct art_json_field doc_fields[] = {
	{ "name", true, offsetof(struct art_doc, name), art_field_name },
	{ "size", true, offsetof(struct art_doc, size), parse_doc_size },
	{ "sha256", true, offsetof(struct art_doc, sha256), art_field_sha256 },
};

static int parse_docs(const struct art_json *v, void *out, struct art_err *err)
{
	struct art_manifest *m = out;
	size_t n, i, j;
	int code = art_json_array(v, 0, 16, &n, err);

	if (!code)
		code = take_room(&m->docs, n, sizeof(*m->docs), err);
	for (i = 0; !code && i < n; i++) {
		struct art_json item = art_json_at(v, i);

		m->doc_count = i + 1;
		code = art_json_object(&item, doc_fields, ART_ARRAY_SIZE(doc_fields), &m->docs[i],
				       err);
		for (j = 0; !code && j < i; j++)
			if (!strcmp(m->docs[j].name, m->docs[i].name))
				code = art_json_fail(&item, codes.value, err,
						     "has the name of another document");
	}
	return code;
}

static const struct art_json_field advisory_fields[] = {
	{ "url", true, offsetof(struct art_manifest, advisory_url), parse_url },
	{ "ids", false, 0, parse_ids },
};

static int parse_advisory(const struct art_json *v, void *out, struct art_err *err)
{
	return art_json_object(v, advisory_fields, ART_ARRAY_SIZE(advisory_fields), out, err);
}

/* type and format have been judged before all else. */
int art_field_judged(const struct art_json *v, void *out, struct art_err *err)
{
	(void)v;
	(void)out;
	(void)err;
	return 0;
}

static const struct art_json_field manifest_fields[] = {
	{ "type", true, 0, art_field_judged },
	{ "format", true, 0, art_field_judged },
	{ "name", true, offsetof(struct art_manifest, name), art_field_name },
	{ "version", true, offsetof(struct art_manifest, version), art_field_version },
	{ "created", true, offsetof(struct art_manifest, created), art_field_time },
	{ "security-counter", true, offsetof(struct art_manifest, security_counter),
	  parse_counter },
	{ "compatible", true, 0, parse_compatible },
	{ "hardware", false, 0, parse_hardware },
	{ "arch", true, offsetof(struct art_manifest, arch), parse_arch },
	{ "requires", false, 0, parse_requires },
	{ "provides", false, 0, parse_provides },
	{ "features", false, 0, art_field_judged },
	{ "payloads", true, 0, parse_payloads },
	{ "docs", false, 0, parse_docs },
	{ "description", false, offsetof(struct art_manifest, description), parse_description },
	{ "security", false, offsetof(struct art_manifest, security), parse_bool },
	{ "advisory", false, 0, parse_advisory },
	{ "support-until", false, offsetof(struct art_manifest, support_until), parse_date },
	{ "ext", false, offsetof(struct art_manifest, ext), parse_ext },
};

int art_manifest_judge_first(const struct art_json *top, const char *type, struct art_err *err)
{
	struct art_json v;
	const char *text;
	int code;

	if (!art_json_get(top, "type", &v))
		return art_json_fail(&v, codes.missing, err, "is missing");
	code = art_json_string(&v, 0, SIZE_MAX, &text, err);
	if (code)
		return code;
	if (strcmp(text, type) != 0)
		return art_json_fail(&v, codes.value, err, "is not '%s'", type);
	if (!art_json_get(top, "format", &v))
		return art_json_fail(&v, codes.missing, err, "is missing");
	if (!json_is_integer(v.value))
		return art_json_fail(&v, codes.value, err, "is not an integer");
	if (json_integer_value(v.value) != 1)
		return art_json_fail(&v, ART_E_FORMAT_VERSION, err,
				     "is %lld, this program knows format 1",
				     (long long)json_integer_value(v.value));
	return 0;
}

/* A newer artifact may have keys that are not known here; it says so in these three. */
static int judge_first(const struct art_json *top, struct art_manifest *m, struct art_err *err)
{
	struct art_json v;
	size_t i;
	int code = art_manifest_judge_first(top, "artifact", err);

	if (code || !art_json_get(top, "features", &v))
		return code;
	code = parse_features(&v, m, err);
	for (i = 0; !code && i < m->feature_count; i++)
		if (!art_word_is_one_of(m->features[i], known_features))
			code = art_json_fail(&v, ART_E_FEATURE_UNKNOWN, err,
					     "has '%s', which this program does not know",
					     m->features[i]);
	return code;
}

int art_manifest_check_frame(const uint8_t *bytes, size_t len, struct art_err *err)
{
	size_t end = len;

	if (len == 0 || len > ART_MANIFEST_MAX || len % ART_MANIFEST_UNIT != 0)
		return art_fail(err, codes.syntax, "%zu bytes are not a multiple of 4096 in 4096 .. 262144",
				len);
	while (end && bytes[end - 1] == ' ')
		end--;
	if (bytes[0] != '{')
		return art_fail(err, codes.syntax, "the first byte is not '{'");
	if (end < 2 || bytes[end - 1] != '\n' || bytes[end - 2] != '}')
		return art_fail(err, codes.syntax,
				"the object is not followed by one LF and then spaces only");
	return 0;
}

int art_manifest_parse(struct art_manifest **out, const uint8_t *bytes, size_t len,
		       struct art_err *err)
{
	struct art_manifest *m = NULL;
	json_t *root = NULL;
	struct art_json top;
	int code;

	*out = NULL;
	code = art_manifest_check_frame(bytes, len, err);
	if (!code)
		code = art_json_parse(&root, bytes, len, &codes, err);
	if (code)
		goto out;
	m = art_manifest_new();
	if (!m) {
		code = art_fail_memory(err);
		goto out;
	}
	top = art_json_top(root, &codes);
	code = judge_first(&top, m, err);
	if (!code)
		code = art_json_object(&top, manifest_fields, ART_ARRAY_SIZE(manifest_fields), m,
				       err);
	if (!code)
		*out = steal_ptr(m);
out:
	if (code)
		art_wrap(err, "manifest.json");
	art_manifest_free(m);
	json_decref(root);
	return code;
}
