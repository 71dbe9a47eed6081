// SPDX-License-Identifier: Apache-2.0
/* artifact-inspect diff: what is new in NEW, and what it costs a device that has OLD. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/text.h"
#include "inspect/diff.h"
#include "libartifact/blob.h"

#define WHY_MAX 1024

struct side {
	struct inspect_file file;
	struct diff_image image;
};

static int load_manifest(struct inspect_file *f, json_t **out, struct art_err *err)
{
	size_t len;
	const uint8_t *bytes = art_reader_manifest_bytes(f->reader, &len);

	*out = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
	return *out ? 0 : art_fail_memory(err);
}

static int put_change(json_t *changes, const char *key, json_t *a, json_t *b,
		      struct art_err *err)
{
	json_t *change = json_pack("{s:O?,s:O?}", "old", a, "new", b);

	return json_object_set_new(changes, key, change) < 0 ? art_fail_memory(err) : 0;
}

int diff_manifest(struct inspect_file *old, struct inspect_file *now, json_t **out,
		  struct art_err *err)
{
	json_t *a = NULL, *b = NULL, *value;
	const char *key;
	int code = load_manifest(old, &a, err);

	*out = json_object();
	if (code == 0)
		code = *out ? load_manifest(now, &b, err) : art_fail_memory(err);
	/* The payloads' digests always differ; what is in them is the other parts'
	 * matter. */
	json_object_del(a, "payloads");
	json_object_del(b, "payloads");
	json_object_foreach (a, key, value) {
		if (code == 0 && !json_equal(value, json_object_get(b, key)))
			code = put_change(*out, key, value, json_object_get(b, key), err);
	}
	json_object_foreach (b, key, value) {
		if (code == 0 && !json_object_get(a, key))
			code = put_change(*out, key, NULL, value, err);
	}
	json_decref(a);
	json_decref(b);
	return code;
}

/* A value of the manifest on one line; strings without quotes. */
static void print_value(const json_t *value)
{
	char *text;

	if (!value || json_is_null(value)) {
		fputs("(none)", stdout);
		return;
	}
	if (json_is_string(value)) {
		text_print(stdout, json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	text_print(stdout, text ? text : "?");
	free(text);
}

static void print_manifest(json_t *changes)
{
	const char *key;
	json_t *change;

	printf("manifest: %zu %s\n", json_object_size(changes),
	       text_plural(json_object_size(changes), "change", "changes"));
	json_object_foreach (changes, key, change) {
		printf("  %s: ", key);
		print_value(json_object_get(change, "old"));
		fputs(" -> ", stdout);
		print_value(json_object_get(change, "new"));
		putchar('\n');
	}
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Names and versions are printable already (diff_text). */
static void print_item(char mark, const json_t *item)
{
	printf("  %c ", mark);
	if (json_is_string(item)) {
		fputs(json_string_value(item), stdout);
	} else if (json_object_get(item, "path")) {
		const json_t *what = json_object_get(item, "what");

		fputs(text_of(item, "path"), stdout);
		fputs(" (", stdout);
		for (size_t i = 0; i < json_array_size(what); i++)
			printf("%s%s", i ? ", " : "",
			       json_string_value(json_array_get(what, i)));
		putchar(')');
	} else {
		fputs(text_of(item, "name"), stdout);
		putchar(' ');
		if (json_object_get(item, "old")) {
			fputs(text_of(item, "old"), stdout);
			fputs(" -> ", stdout);
			fputs(text_of(item, "new"), stdout);
		} else {
			fputs(text_of(item, "version"), stdout);
		}
	}
	putchar('\n');
}

static void print_lists(const char *name, const json_t *lists)
{
	static const struct {
		const char *key;
		char mark;
	} parts[] = { { "added", '+' }, { "removed", '-' }, { "changed", '*' } };

	printf("%s: %zu added, %zu removed, %zu changed\n", name,
	       json_array_size(json_object_get(lists, "added")),
	       json_array_size(json_object_get(lists, "removed")),
	       json_array_size(json_object_get(lists, "changed")));
	for (size_t p = 0; p < ART_ARRAY_SIZE(parts); p++) {
		const json_t *list = json_object_get(lists, parts[p].key);

		for (size_t i = 0; i < json_array_size(list); i++)
			print_item(parts[p].mark, json_array_get(list, i));
	}
}

static void print_content(const json_t *packages, const json_t *files, const char *why)
{
	if (*why) {
		fputs("packages and files: not compared: ", stdout);
		text_print(stdout, why);
		putchar('\n');
		return;
	}
	print_lists("packages", packages);
	print_lists("files", files);
}

static uint64_t number(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void print_download(const json_t *d)
{
	char size[4][TEXT_SIZE_MAX];
	uint64_t total = number(d, "total"), full = number(d, "full");

	printf("download: %s (%" PRIu64 " bytes), %" PRIu64 " %% of the whole %s\n",
	       text_size(size[0], total), total, full ? total * 100 / full : 0,
	       text_size(size[1], full));
	printf("  %" PRIu64 " of %" PRIu64 " chunks in %" PRIu64
	       " %s: %s; index, manifest and headers: %s\n",
	       number(d, "chunks"), number(d, "of-chunks"), number(d, "ranges"),
	       text_plural(number(d, "ranges"), "range", "ranges"),
	       text_size(size[2], number(d, "chunk-bytes")),
	       text_size(size[3], total - number(d, "chunk-bytes")));
	d = json_object_get(d, "patch");
	if (!json_is_object(d))
		return;
	total = number(d, "total");
	printf("with the patch: %s (%" PRIu64 " bytes) in 1 request, after the head of the artifact\n",
	       text_size(size[0], total), total);
}

/* WHY the files of this side are not compared; left alone when they can be. */
static int check_content(const struct inspect_file *f, const struct inspect_options *opt,
			 char why[WHY_MAX], struct art_err *err)
{
	const struct art_manifest *m = art_reader_manifest(f->reader);
	const char *filesystem;
	size_t payload;
	int code = inspect_find_payload(f, opt, &payload, err);

	/* Who names a payload wants that one. */
	if (code < 0 && opt->payload)
		return code;
	if (code < 0) {
		snprintf(why, WHY_MAX, "'%s' has no root filesystem (--payload names another payload)",
			 f->src->name);
		return 0;
	}
	filesystem = m->payloads[payload].filesystem;
	if (strcmp(filesystem, "raw") == 0)
		snprintf(why, WHY_MAX, "'%s' holds no filesystem there", f->src->name);
	else if (!art_fs_is_read(filesystem))
		snprintf(why, WHY_MAX, "'%s' holds the filesystem %s, which is not read", f->src->name,
			 filesystem);
	return 0;
}

/* Packages and files, where both sides have a filesystem that can be read; else null, and WHY. */
static int diff_content(struct side side[2], const struct inspect_options *opt,
			json_t **packages, json_t **files, char why[WHY_MAX], struct art_err *err)
{
	int code = 0;

	for (int i = 0; code == 0 && !*why && i < 2; i++)
		code = check_content(&side[i].file, opt, why, err);
	if (code == 0 && *why) {
		*packages = json_null();
		*files = json_null();
		return 0;
	}
	for (int i = 0; code == 0 && i < 2; i++)
		code = inspect_open_fs(&side[i].file, opt, true, &side[i].image.blob,
				       &side[i].image.fs, err);
	if (code == 0)
		code = diff_packages(side[0].image.fs, side[1].image.fs, packages, err);
	if (code == 0)
		code = diff_files(&side[0].image, &side[1].image, files, err);
	return code;
}

static int diff(struct side side[2], const struct inspect_options *opt,
		struct art_err *err)
{
	json_t *manifest = NULL, *packages = NULL, *files = NULL, *download = NULL, *patch, *root;
	char why[WHY_MAX] = "";
	size_t number = 0;
	int code = diff_manifest(&side[0].file, &side[1].file, &manifest, err);

	if (code == 0)
		code = diff_content(side, opt, &packages, &files, why, err);
	if (code == 0 && side[0].image.blob)
		code = inspect_find_payload(&side[0].file, opt, &number, err);
	if (code == 0)
		code = diff_download(&side[0].file, &side[1].file, side[0].image.blob, number, &download,
				     err);
	if (code == 0)
		code = diff_patch(&side[0].file, &side[1].file, opt, &patch, err);
	if (code == 0)
		json_object_set_new(download, "patch", patch);
	if (code == 0 && cli_json()) {
		root = json_pack("{s:o,s:o,s:O,s:O,s:O,s:O}", "old",
				 cli_json_text(side[0].file.src->name), "new",
				 cli_json_text(side[1].file.src->name), "manifest",
				 manifest, "packages", packages, "files", files,
				 "download", download);
		code = root ? cli_print_json(root, err) : art_fail_memory(err);
		json_decref(root);
	} else if (code == 0) {
		print_manifest(manifest);
		print_content(packages, files, why);
		print_download(download);
	}
	json_decref(manifest);
	json_decref(packages);
	json_decref(files);
	json_decref(download);
	return code;
}

int inspect_diff(const struct inspect_options *opt, int argc, char *const *argv)
{
	struct side side[2] = { 0 };
	struct art_err err = { 0 };
	int code = 0, status = 0;

	(void)argc;
	for (int i = 0; code == 0 && i < 2; i++) {
		code = inspect_open(&side[i].file, argv[i], opt, true, &err);
		if (code == 0)
			code = inspect_require_trust(&side[i].file, opt, &err);
		if (code < 0)
			inspect_wrap(&err, argv[i]);
	}
	if (code == 0)
		code = diff(side, opt, &err);
	if (code < 0)
		status = cli_fail(&err);
	for (int i = 0; i < 2; i++) {
		art_fs_close(side[i].image.fs);
		art_blob_free(side[i].image.blob);
		inspect_close(&side[i].file);
	}
	return status;
}
