// SPDX-License-Identifier: Apache-2.0
/* artifact-inspect show: everything that is signed, and whether somebody has checked that
 * it is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/cli.h"
#include "common/text.h"
#include "inspect/patch.h"

#define COLUMN 18

static void label(const char *name)
{
	printf("%-*s", COLUMN, name);
}

static void line(const char *name, const char *value)
{
	if (!value)
		return;
	label(name);
	text_print(stdout, value);
	putchar('\n');
}

static void list(const char *name, char *const *values, size_t count)
{
	if (count == 0)
		return;
	label(name);
	for (size_t i = 0; i < count; i++) {
		if (i)
			fputs(", ", stdout);
		text_print(stdout, values[i]);
	}
	putchar('\n');
}

static void pairs(const char *name, const struct art_pair *pair, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		label(i ? "" : name);
		text_print(stdout, pair[i].key);
		putchar(' ');
		text_print(stdout, pair[i].value);
		putchar('\n');
	}
}

static void bytes_line(const char *name, uint64_t bytes)
{
	char size[TEXT_SIZE_MAX];

	label(name);
	printf("%s (%" PRIu64 " bytes)\n", text_size(size, bytes), bytes);
}

static void digest_line(const char *name, const uint8_t sha256[ART_SHA256_LEN])
{
	char hex[2 * ART_SHA256_LEN + 1];

	art_hex_format(hex, sha256, ART_SHA256_LEN);
	line(name, hex);
}

static const char *line_state(const struct inspect_file *f, size_t i)
{
	if (!f->trust || i >= f->verdict.count)
		return "not-checked";
	return art_sig_state_name(f->verdict.state[i]);
}

void inspect_show_signatures(const struct inspect_file *f)
{
	label("signatures:");
	if (!f->trust)
		printf("not checked (give --keys DIR)\n");
	else
		printf("%s\n", f->trusted ? "checked, trusted" : "checked, NOT TRUSTED");
	if (f->sigs.count == 0)
		printf("  none: it is unsigned\n");
	for (size_t i = 0; i < f->sigs.count; i++)
		printf("  %-*s %s %s\n", COLUMN - 3, f->sigs.sig[i].algorithm,
		       f->sigs.sig[i].key_id, line_state(f, i));
}

static void show_payload(const struct art_payload *p)
{
	uint64_t index = 0, data = 0;
	char size[2][TEXT_SIZE_MAX];

	for (size_t i = 0; i < p->segment_count; i++) {
		index += p->segments[i].index_size;
		data += p->segments[i].data_size;
	}
	printf("\n");
	line("payload:", p->name);
	label("  kind:");
	printf("%s, %s\n", p->kind, p->filesystem);
	bytes_line("  image:", p->size);
	digest_line("  sha256:", p->sha256);
	label("  stored:");
	printf("%s in %zu %s, index %s\n", text_size(size[0], data), p->segment_count,
	       text_plural(p->segment_count, "segment", "segments"),
	       text_size(size[1], index));
	label("  prefix:");
	printf("%s\n", text_size(size[0], p->prefix));
	line("  ext:", p->ext);
}

static void show_text(const struct inspect_file *f, const char *digest)
{
	const struct art_manifest *m = art_reader_manifest(f->reader);

	line("name:", m->name);
	line("version:", m->version);
	line("created:", m->created);
	line("digest:", digest);
	bytes_line("file:", art_reader_total_size(f->reader));
	inspect_show_signatures(f);
	printf("\n");
	list("compatible:", m->compatible, m->compatible_count);
	if (m->hardware_count)
		list("hardware:", m->hardware, m->hardware_count);
	else
		line("hardware:", "any");
	line("architecture:", m->arch);
	label("security counter:");
	printf("%" PRIu32 "\n", m->security_counter);
	pairs("requires:", m->requires_, m->requires_count);
	pairs("provides:", m->provides, m->provides_count);
	list("features:", m->features, m->feature_count);
	line("security update:", m->security ? "yes" : NULL);
	line("advisory:", m->advisory_url);
	list("advisory ids:", m->advisory_ids, m->advisory_id_count);
	line("support until:", m->support_until);
	line("ext:", m->ext);
	if (m->description) {
		label("description:");
		text_print_lines(stdout, m->description, "                  ");
	}
	for (size_t i = 0; i < m->payload_count; i++)
		show_payload(&m->payloads[i]);
	for (size_t i = 0; i < m->doc_count; i++) {
		printf("\n");
		line("document:", m->docs[i].name);
		bytes_line("  size:", m->docs[i].size);
		digest_line("  sha256:", m->docs[i].sha256);
	}
}

static json_t *json_signatures(const struct inspect_file *f)
{
	json_t *lines = json_array();

	for (size_t i = 0; lines && i < f->sigs.count; i++) {
		const struct art_sig *sig = &f->sigs.sig[i];
		json_t *entry =
			json_pack("{s:s,s:s,s:s}", "algorithm", sig->algorithm, "key-id",
				  sig->key_id, "state", line_state(f, i));

		if (json_array_append_new(lines, entry) < 0) {
			json_decref(lines);
			return NULL;
		}
	}
	return json_pack("{s:b,s:o?,s:o}", "checked", f->trust != NULL, "trusted",
			 f->trust ? json_boolean(f->trusted) : json_null(), "lines",
			 lines);
}

static int show_json(const struct inspect_file *f, const char *digest,
		     struct art_err *err)
{
	size_t len;
	const uint8_t *bytes = inspect_signed_bytes(f, &len);
	json_t *root;
	int code;

	root = json_pack(
		"{s:o,s:I,s:s,s:o,s:o}", "file", cli_json_text(f->src->name), "size",
		(json_int_t)inspect_total_size(f), "digest", digest,
		"signatures", json_signatures(f), f->patch ? "patch" : "manifest",
		json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL));
	code = root ? cli_print_json(root, err) : art_fail_memory(err);
	json_decref(root);
	return code;
}

static int show(const struct inspect_file *f, struct art_err *err)
{
	uint8_t sha256[ART_SHA256_LEN];
	char digest[2 * ART_SHA256_LEN + 1];
	size_t len;
	const uint8_t *bytes = inspect_signed_bytes(f, &len);
	int code = art_sha256(bytes, len, sha256, err);

	if (code < 0)
		return code;
	art_hex_format(digest, sha256, sizeof(sha256));
	if (cli_json())
		return show_json(f, digest, err);
	if (f->patch)
		return inspect_show_patch(f, digest, err);
	show_text(f, digest);
	return 0;
}

int inspect_show(const struct inspect_options *opt, int argc, char *const *argv)
{
	struct inspect_file f = { 0 };
	struct art_err err = { 0 };
	int code, status = 0;

	(void)argc;
	code = inspect_open_any(&f, argv[0], opt, false, &err);
	if (code == 0) {
		code = show(&f, &err);
	} else if (f.trust && !f.trusted && f.verdict.count > 0 && !cli_json()) {
		/* Who signed it is known; what it says is not shown as long as nobody
		 * vouches for it. */
		inspect_show_signatures(&f);
	}
	if (code < 0) {
		json_t *report = json_object();

		if (report && f.trust && (f.reader || f.patch))
			json_object_set_new(report, "signatures", json_signatures(&f));
		status = cli_fail_report(&err, report);
		json_decref(report);
	}
	inspect_close(&f);
	return status;
}
