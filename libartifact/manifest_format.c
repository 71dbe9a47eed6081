// SPDX-License-Identifier: Apache-2.0
/*
 * Writing a manifest canonically: keys in the order of format.md section 3, so that the same content has the same
 * bytes. What is optional and empty is left out.
 */
#include <stdlib.h>
#include <string.h>

#include "libartifact/json.h"
#include "libartifact/manifest.h"
#include "libartifact/manifest_field.h"

/*
 * The json_*_new functions of jansson take NULL for a value that could not be made and report it, and
 * art_json_is_sound reports what ran out of memory: results are looked at once, at the end.
 */
static int put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value);
}

/* A required string that the caller left out is left out here; the parse at the end says so. */
static int put_string(json_t *object, const char *key, const char *text)
{
	return text ? put(object, key, json_string(text)) : 0;
}

static int put_uint(json_t *object, const char *key, uint64_t n)
{
	return put(object, key, json_integer((json_int_t)n));
}

static int put_sha256(json_t *object, const char *key, const uint8_t sha256[ART_SHA256_LEN])
{
	char text[2 * ART_SHA256_LEN + 1];

	art_hex_format(text, sha256, ART_SHA256_LEN);
	return put_string(object, key, text);
}

static int put_strings(json_t *object, const char *key, char *const *list, size_t count)
{
	json_t *array = json_array();
	int bad = 0;
	size_t i;

	for (i = 0; i < count; i++)
		bad |= json_array_append_new(array, json_string(list[i]));
	return bad | put(object, key, array);
}

static int put_pairs(json_t *object, const char *key, const struct art_pair *pairs, size_t count)
{
	json_t *map = json_object();
	int bad = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		/* Setting a key twice would keep one of the two values without a word. */
		if (json_object_get(map, pairs[i].key))
			bad = -1;
		bad |= put_string(map, pairs[i].key, pairs[i].value);
	}
	return bad | put(object, key, map);
}

static int put_ext(json_t *object, const char *ext)
{
	return ext ? put(object, "ext", json_loads(ext, JSON_REJECT_DUPLICATES, NULL)) : 0;
}

static int put_segments(json_t *object, const struct art_segment *seg, size_t count)
{
	json_t *array = json_array();
	int bad = 0;
	size_t i;

	for (i = 0; i < count; i++, seg++) {
		json_t *item = json_object();

		bad |= put_uint(item, "offset", seg->offset);
		bad |= put_uint(item, "size", seg->size);
		bad |= put_uint(item, "index-size", seg->index_size);
		bad |= put_sha256(item, "index-sha256", seg->index_sha256);
		bad |= put_uint(item, "data-size", seg->data_size);
		bad |= json_array_append_new(array, item);
	}
	return bad | put(object, "segments", array);
}

static int put_payloads(json_t *object, const struct art_payload *p, size_t count)
{
	json_t *array = json_array();
	int bad = 0;
	size_t i;

	for (i = 0; i < count; i++, p++) {
		json_t *item = json_object();

		bad |= put_string(item, "name", p->name);
		bad |= put_string(item, "kind", p->kind);
		bad |= put_string(item, "filesystem", p->filesystem);
		bad |= put_uint(item, "size", p->size);
		bad |= put_sha256(item, "sha256", p->sha256);
		bad |= put_uint(item, "prefix", p->prefix);
		bad |= put_segments(item, p->segments, p->segment_count);
		bad |= put_ext(item, p->ext);
		bad |= json_array_append_new(array, item);
	}
	return bad | put(object, "payloads", array);
}

static int put_docs(json_t *object, const struct art_doc *doc, size_t count)
{
	json_t *array = json_array();
	int bad = 0;
	size_t i;

	for (i = 0; i < count; i++, doc++) {
		json_t *item = json_object();

		bad |= put_string(item, "name", doc->name);
		bad |= put_uint(item, "size", doc->size);
		bad |= put_sha256(item, "sha256", doc->sha256);
		bad |= json_array_append_new(array, item);
	}
	return bad | put(object, "docs", array);
}

static int put_advisory(json_t *object, const struct art_manifest *m)
{
	json_t *item = json_object();
	int bad = put_string(item, "url", m->advisory_url);

	if (m->advisory_id_count)
		bad |= put_strings(item, "ids", m->advisory_ids, m->advisory_id_count);
	return bad | put(object, "advisory", item);
}

static int put_optional(json_t *top, const struct art_manifest *m)
{
	int bad = put_string(top, "description", m->description);

	if (m->security)
		bad |= put(top, "security", json_true());
	if (m->advisory_url || m->advisory_id_count)
		bad |= put_advisory(top, m);
	bad |= put_string(top, "support-until", m->support_until);
	return bad | put_ext(top, m->ext);
}

static int put_manifest(json_t *top, const struct art_manifest *m)
{
	int bad = put_string(top, "type", "artifact");

	bad |= put_uint(top, "format", 1);
	bad |= put_string(top, "name", m->name);
	bad |= put_string(top, "version", m->version);
	bad |= put_string(top, "created", m->created);
	bad |= put_uint(top, "security-counter", m->security_counter);
	bad |= put_strings(top, "compatible", m->compatible, m->compatible_count);
	if (m->hardware_count)
		bad |= put_strings(top, "hardware", m->hardware, m->hardware_count);
	bad |= put_string(top, "arch", m->arch);
	if (m->requires_count)
		bad |= put_pairs(top, "requires", m->requires_, m->requires_count);
	if (m->provides_count)
		bad |= put_pairs(top, "provides", m->provides, m->provides_count);
	if (m->feature_count)
		bad |= put_strings(top, "features", m->features, m->feature_count);
	bad |= put_payloads(top, m->payloads, m->payload_count);
	if (m->doc_count)
		bad |= put_docs(top, m->docs, m->doc_count);
	return bad | put_optional(top, m);
}

static int build_text(const struct art_manifest *m, char **text, struct art_err *err)
{
	json_t *top;
	int bad;

	*text = NULL;
	art_json_begin();
	top = json_object();
	bad = put_manifest(top, m);
	if (!art_json_is_sound()) {
		json_decref(top);
		return art_fail_memory(err);
	}
	if (bad) {
		json_decref(top);
		return art_fail(err, ART_E_MANIFEST_VALUE,
				"a text is not UTF-8, a key is given twice, or ext is not JSON");
	}
	*text = art_json_dump(top, 2);
	json_decref(top);
	return *text ? 0 : art_fail_memory(err);
}

int art_manifest_frame(const char *text, uint8_t **out, size_t *len, struct art_err *err)
{
	size_t text_len = strlen(text);
	size_t padded = art_round_up(text_len + 1, ART_MANIFEST_UNIT);
	uint8_t *bytes;

	if (padded > ART_MANIFEST_MAX)
		return art_fail(err, ART_E_MANIFEST_VALUE,
				"the manifest would have %zu bytes, allowed are %d", text_len,
				ART_MANIFEST_MAX);
	bytes = malloc(padded);
	if (!bytes)
		return art_fail_memory(err);
	memcpy(bytes, text, text_len);
	bytes[text_len] = '\n';
	memset(bytes + text_len + 1, ' ', padded - text_len - 1);
	*out = bytes;
	*len = padded;
	return 0;
}

int art_manifest_format(const struct art_manifest *m, uint8_t **out, size_t *len,
			struct art_err *err)
{
	struct art_manifest *check = NULL;
	cleanup_free uint8_t *bytes = NULL;
	cleanup_free char *text = NULL;
	size_t padded = 0;
	int code = build_text(m, &text, err);

	*out = NULL;
	if (!code)
		code = art_manifest_frame(text, &bytes, &padded, err);
	if (!code)
		code = art_manifest_parse(&check, bytes, padded, err);
	art_manifest_free(check);
	if (code)
		return code;
	*out = steal_ptr(bytes);
	*len = padded;
	return 0;
}
