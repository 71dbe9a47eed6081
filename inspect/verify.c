// SPDX-License-Identifier: Apache-2.0
/*
 * artifact-inspect verify: every check that can be made without the device, in the order
 * of judgement, in one pass over the file, so that a pipe can be verified too.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/cli.h"
#include "common/progress.h"
#include "common/text.h"
#include "inspect/deep.h"
#include "inspect/verify.h"

void verify_note(struct verify *v, const char *mark, const char *check, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (cli_json()) {
		json_t *entry = json_pack("{s:s,s:s,s:o}", "result", mark, "check", check,
					  "text", cli_json_text(text));

		if (json_array_append_new(v->checks, entry) < 0)
			v->lost = true;
		return;
	}
	if (cli_level() < CLI_WARN)
		return;
	progress_clear();
	printf("%-3s %-9s  ", mark, check);
	text_print(stdout, text);
	putchar('\n');
}

static void note_signatures(struct verify *v)
{
	const struct inspect_file *f = &v->file;

	for (size_t i = 0; i < f->verdict.count && i < f->sigs.count; i++) {
		enum art_sig_state state = f->verdict.state[i];
		const char *mark = state == ART_SIG_VALID ? "ok" : "--";

		verify_note(v, state == ART_SIG_INVALID ? "bad" : mark, "signature", "%s %s %s",
		     f->sigs.sig[i].algorithm, f->sigs.sig[i].key_id,
		     art_sig_state_name(state));
	}
}

static int check_row(struct verify *v, size_t payload, size_t segment,
		     const struct art_row *row, struct art_err *err)
{
	int code = 0;

	if (art_row_is_stored(row))
		code = art_reader_stored(v->file.reader, payload, segment, row, v->stored,
					 err);
	if (code == 0 && v->deep)
		code = deep_row(v->deep, row, v->stored, err);
	return code;
}

static int check_rows(struct verify *v, size_t payload, size_t segment,
		      struct art_index *ix, struct art_err *err)
{
	uint64_t base = art_reader_data_offset(v->file.reader, payload, segment);
	uint64_t total = art_reader_total_size(v->file.reader);
	uint32_t count = art_index_rows(ix), i;
	struct art_row row;
	int code;

	for (i = 0; i < count; i++) {
		art_index_row(ix, i, &row);
		code = check_row(v, payload, segment, &row, err);
		if (code < 0)
			return code;
		if (i % 64 == 0)
			progress_update(NULL, base + row.data_off, total);
	}
	return 0;
}

static int check_segment(struct verify *v, size_t payload, size_t segment,
			 struct art_err *err)
{
	struct art_reader *r = v->file.reader;
	const struct art_payload *p = &art_reader_manifest(r)->payloads[payload];
	const struct art_segment *seg = &p->segments[segment];
	bool last = segment + 1 == p->segment_count;
	struct art_index *ix = NULL;
	char size[TEXT_SIZE_MAX];
	int code = art_reader_open_index(r, payload, segment, &ix, err);

	if (code < 0)
		return code;
	verify_note(v, "ok", "index", "%s/%04zu: %" PRIu32 " rows", p->name, segment,
	     art_index_rows(ix));
	if (v->deep)
		code = deep_segment(v->deep, ix, err);
	if (code == 0)
		code = check_rows(v, payload, segment, ix, err);
	if (code == 0)
		verify_note(v, "ok", "chunks", "%s/%04zu: %s stored%s", p->name, segment,
		     text_size(size, seg->data_size), v->deep ? ", decoded" : "");
	if (code == 0 && v->deep && last) {
		code = deep_end(v->deep, p, err);
		if (code == 0)
			verify_note(v, "ok", "image", "%s: %s, SHA-256 as signed", p->name,
			     text_size(size, p->size));
	}
	art_index_free(ix);
	if (code < 0)
		return art_wrap(err, "payload '%s'", p->name);
	return art_reader_check_padding(
		r, art_reader_index_member(r, payload, segment) + 1, err);
}

static int check_payload(struct verify *v, size_t payload, struct art_err *err)
{
	const struct art_payload *p =
		&art_reader_manifest(v->file.reader)->payloads[payload];
	int code = 0;

	if (v->opt->deep)
		code = deep_new(&v->deep, p, err);
	for (size_t s = 0; code == 0 && s < p->segment_count; s++)
		code = check_segment(v, payload, s, err);
	deep_free(steal_ptr(v->deep));
	return code;
}

static int check_doc(struct verify *v, size_t doc, struct art_err *err)
{
	const struct art_doc *d = &art_reader_manifest(v->file.reader)->docs[doc];
	cleanup_free uint8_t *bytes = NULL;
	char size[TEXT_SIZE_MAX];
	size_t len;
	int code = art_reader_doc(v->file.reader, doc, &bytes, &len, err);

	if (code == 0)
		verify_note(v, "ok", "document", "%s: %s", d->name, text_size(size, len));
	return code;
}

/* Everything behind the manifest. */
static int check_members(struct verify *v, struct art_err *err)
{
	const struct art_manifest *m = art_reader_manifest(v->file.reader);
	int code = 0;

	progress_begin("verifying", art_reader_total_size(v->file.reader));
	for (size_t p = 0; code == 0 && p < m->payload_count; p++)
		code = check_payload(v, p, err);
	for (size_t d = 0; code == 0 && d < m->doc_count; d++)
		code = check_doc(v, d, err);
	if (code == 0)
		code = art_reader_check_end(v->file.reader, err);
	progress_end();
	return code;
}

static int verify(struct verify *v, const char *name, struct art_err *err)
{
	const struct art_manifest *m;
	char size[TEXT_SIZE_MAX];
	int code;

	if (!v->opt->keys)
		return art_fail(err, ART_E_KEY_NONE, "no keys to verify '%s' with", name);
	code = inspect_open_any(&v->file, name, v->opt, false, err);
	note_signatures(v);
	if (code < 0)
		return code;
	if (v->file.patch)
		return verify_patch(v, err);
	if (v->opt->old)
		return art_fail(err, ART_E_USAGE, "'%s' is an artifact: --old is for patches", name);
	m = art_reader_manifest(v->file.reader);
	verify_note(v, "ok", "trust", "%s accepts it", v->opt->keys);
	verify_note(v, "ok", "manifest", "%s %s, digest %s", m->name, m->version,
	     v->file.verdict.digest);
	v->stored = malloc(ART_CHUNK_MAX);
	if (!v->stored)
		return art_fail_memory(err);
	code = check_members(v, err);
	if (code == 0)
		verify_note(v, "ok", "end", "%s, nothing more",
		     text_size(size, art_reader_total_size(v->file.reader)));
	return code;
}

int inspect_verify(const struct inspect_options *opt, int argc, char *const *argv)
{
	struct verify v = { .opt = opt };
	struct art_err err = { 0 };
	json_t *report;
	int code, status = 0;

	(void)argc;
	v.checks = json_array();
	report = json_pack("{s:o,s:b,s:O}", "file", cli_json_text(argv[0]), "deep",
			   opt->deep, "checks", v.checks);
	code = report ? verify(&v, argv[0], &err) : art_fail_memory(&err);
	if (code == 0 && v.lost)
		code = art_fail_memory(&err);
	if (report)
		json_object_set_new(report, "verified", json_boolean(code == 0));
	if (code == 0 && cli_json())
		code = cli_print_json(report, &err);
	if (code < 0) {
		if (!cli_json() && (v.file.reader || v.file.patch))
			verify_note(&v, "bad", art_code_name(err.code), "%s", err.text);
		status = cli_fail_report(&err, report);
		if (!opt->keys)
			cli_hint("artifact-inspect verify --keys DIR %s", argv[0]);
	}
	json_decref(report);
	json_decref(v.checks);
	free(v.stored);
	inspect_close(&v.file);
	return status;
}
