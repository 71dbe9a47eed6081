// SPDX-License-Identifier: Apache-2.0
/* Patches: what is signed in them, and whether they hold. With the old artifact at hand the new image is made and compared. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/cli.h"
#include "common/progress.h"
#include "common/text.h"
#include "inspect/patch.h"
#include "inspect/verify.h"
#include "libartifact/patch_check.h"

static void line(const char *name, const char *value)
{
	printf("%-18s", name);
	text_print(stdout, value);
	putchar('\n');
}

static void digest_line(const char *name, const uint8_t sha256[ART_SHA256_LEN])
{
	char hex[2 * ART_SHA256_LEN + 1];

	art_hex_format(hex, sha256, ART_SHA256_LEN);
	line(name, hex);
}

static void end_lines(const char *name, const struct art_patch_end *e)
{
	printf("%-18s", name);
	text_print(stdout, e->name);
	putchar(' ');
	text_print(stdout, e->version);
	putchar('\n');
	digest_line("  digest:", e->digest);
}

static void payload_lines(const struct art_patch_payload *p)
{
	uint64_t index = 0, records = 0, data = 0;
	char size[3][TEXT_SIZE_MAX];
	size_t i;

	for (i = 0; i < p->segment_count; i++) {
		index += p->segments[i].index_size;
		records += p->segments[i].records_size;
		data += p->segments[i].data_size;
	}
	putchar('\n');
	line("payload:", p->name);
	digest_line("  old image:", p->old_sha256);
	digest_line("  new image:", p->sha256);
	printf("%-18s%s, index %s, record table %s\n", "  records:", text_size(size[0], data),
	       text_size(size[1], index), text_size(size[2], records));
}

int inspect_show_patch(const struct inspect_file *f, const char *digest, struct art_err *err)
{
	const struct art_patch_manifest *m = art_patch_manifest(f->patch);
	char size[TEXT_SIZE_MAX];
	size_t i;

	(void)err;
	line("patch to:", "");
	end_lines("  artifact:", &m->artifact);
	end_lines("from:", &m->old);
	line("created:", m->created);
	line("digest:", digest);
	printf("%-18s%s (%" PRIu64 " bytes)\n", "file:",
	       text_size(size, art_patch_total_size(f->patch)), art_patch_total_size(f->patch));
	inspect_show_signatures(f);
	for (i = 0; i < m->payload_count; i++)
		payload_lines(&m->payloads[i]);
	return 0;
}

static int check_head(struct verify *v, struct art_patch_check *c, struct art_err *err)
{
	const struct art_manifest *m;
	int code = art_patch_check_head(c, err);

	if (code < 0)
		return art_wrap(err, "the artifact in it");
	m = art_reader_manifest(c->reader);
	verify_note(v, "ok", "artifact", "%s %s, digest %s, accepted too", m->name, m->version,
		    c->verdict.digest);
	return 0;
}

static int check_payload(struct verify *v, struct art_patch_check *c, size_t n,
			 struct art_err *err)
{
	const struct art_patch_payload *p = &art_patch_manifest(c->patch)->payloads[n];
	uint64_t records = c->records, missing = c->missing;
	char size[2][TEXT_SIZE_MAX];
	int code = art_patch_check_payload(c, n, err);

	if (code < 0)
		return art_wrap(err, "payload '%s'", p->name);
	verify_note(v, "ok", "records", "%s: %" PRIu64 "%s", p->name, c->records - records,
		    c->old ? ", decoded" : ", not decoded without --old");
	if (!c->old)
		return 0;
	if (c->missing > missing)
		verify_note(v, "--", "image", "%s: %s are neither in the old image nor in the patch, "
			    "%s to fetch", p->name, text_size(size[0], c->missing - missing),
			    text_size(size[1], c->missing_stored));
	else
		verify_note(v, "ok", "image", "%s: %s, SHA-256 as signed", p->name,
			    text_size(size[0], p->size));
	return 0;
}

static int open_old(struct verify *v, struct inspect_file *old, struct art_err *err)
{
	int code;

	if (!v->opt->old)
		return 0;
	code = inspect_open(old, v->opt->old, v->opt, true, err);
	return code < 0 ? inspect_wrap(err, v->opt->old) : 0;
}

int verify_patch(struct verify *v, struct art_err *err)
{
	const struct art_patch_manifest *m = art_patch_manifest(v->file.patch);
	struct art_patch_check c = { .patch = v->file.patch, .trust = v->file.trust,
				     .temp = inspect_temp_file };
	struct inspect_file old = { 0 };
	char size[TEXT_SIZE_MAX];
	size_t i;
	int code;

	verify_note(v, "ok", "trust", "%s accepts it as a patch", v->opt->keys);
	verify_note(v, "ok", "patch", "%s %s from %s, digest %s", m->artifact.name,
		    m->artifact.version, m->old.version, v->file.verdict.digest);
	code = open_old(v, &old, err);
	c.old = old.reader;
	if (code == 0)
		code = check_head(v, &c, err);
	for (i = 0; i < m->payload_count && code == 0; i++)
		code = check_payload(v, &c, i, err);
	if (code == 0)
		code = art_patch_check_end(c.patch, err);
	if (code == 0)
		verify_note(v, "ok", "end", "%s, nothing more",
			    text_size(size, art_patch_total_size(c.patch)));
	art_patch_check_free(&c);
	inspect_close(&old);
	return code;
}
