// SPDX-License-Identifier: Apache-2.0
/*
 * probe [--compat DEVICE.json] ARTIFACT KEYS: judge an artifact with libartifact, print "ok" or the
 * error's name on standard output and the text on standard error, exit with the error's code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tests/vectors/judge.h"

#define LIST_MAX 16

struct described { /* a device, and the room that its lists need */
	struct art_device device;
	const char *archs[LIST_MAX];
	const char *filesystems[LIST_MAX];
	struct art_pair provides[LIST_MAX];
	struct art_device_slot_part parts[LIST_MAX];
};

static void take_strings(const json_t *array, const char *out[LIST_MAX])
{
	size_t i;

	for (i = 0; i < json_array_size(array) && i + 1 < LIST_MAX; i++)
		out[i] = json_string_value(json_array_get(array, i));
}

static void take_device(json_t *json, struct described *d)
{
	json_t *value;
	const char *key;

	d->device.type = json_string_value(json_object_get(json, "type"));
	d->device.hardware = json_string_value(json_object_get(json, "hardware"));
	d->device.running_version = json_string_value(json_object_get(json, "running-version"));
	d->device.deny_downgrade = json_is_true(json_object_get(json, "deny-downgrade"));
	d->device.counter_floor =
		(uint32_t)json_integer_value(json_object_get(json, "counter-floor"));
	take_strings(json_object_get(json, "archs"), d->archs);
	d->device.archs = d->archs;
	if (json_object_get(json, "filesystems")) {
		take_strings(json_object_get(json, "filesystems"), d->filesystems);
		d->device.filesystems = d->filesystems;
	}
	json_object_foreach(json_object_get(json, "provides"), key, value) {
		struct art_pair *pair = &d->provides[d->device.provides_count++];

		pair->key = (char *)key;
		pair->value = (char *)json_string_value(value);
	}
	d->device.provides = d->provides;
	json_object_foreach(json_object_get(json, "parts"), key, value) {
		struct art_device_slot_part *part = &d->parts[d->device.part_count++];

		part->payload = key;
		part->size = (uint64_t)json_integer_value(value);
	}
	d->device.parts = d->parts;
}

static int run(const char *path, const char *keys, const struct art_device *device,
	       struct art_err *err)
{
	struct art_source *src = NULL;
	struct art_trust *trust = NULL;
	int code = art_trust_load(&trust, keys, err);

	if (code == 0)
		code = art_source_open_path(&src, path, err);
	if (code == 0)
		code = judge_artifact(src, trust, device, err);
	art_source_free(src);
	art_trust_free(trust);
	return code;
}

int main(int argc, char **argv)
{
	static struct described described;
	struct art_err err = { 0 };
	json_t *json = NULL;
	int code;

	if (argc == 5 && strcmp(argv[1], "--compat") == 0) {
		json = json_load_file(argv[2], 0, NULL);
		if (!json) {
			fprintf(stderr, "probe: cannot read '%s'\n", argv[2]);
			return 2;
		}
		take_device(json, &described);
	} else if (argc != 3) {
		fprintf(stderr, "usage: probe [--compat DEVICE.json] ARTIFACT KEYS\n");
		return 2;
	}
	code = run(argv[argc - 2], argv[argc - 1], json ? &described.device : NULL, &err);
	json_decref(json);
	puts(art_code_name(code));
	if (code < 0)
		fprintf(stderr, "probe: %s\n", err.text);
	return art_code_exit(code);
}
