// SPDX-License-Identifier: Apache-2.0
/* What a device downloads with a patch: the head of the artifact, which says what the patch must be for, and the patch whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "inspect/diff.h"
#include "libartifact/patch_write.h"
#include "libartifact/tar.h"

/* The patch beside a local NEW; NULL: none is there. The caller frees. */
static char *find_beside(const struct art_manifest *old, const struct art_manifest *now,
			 const char *path)
{
	char name[ART_PATCH_NAME_LEN + 1];
	char *full = NULL;

	if (!art_patch_name(name, now, old) ||
	    asprintf(&full, "%s.patches/%s", path, name) < 0)
		return NULL;
	if (access(full, R_OK) == 0)
		return full;
	free(full);
	return NULL;
}

static int judge_patch(const struct art_patch *p, struct inspect_file *old,
		       struct inspect_file *now, struct art_err *err)
{
	const struct art_patch_manifest *m = art_patch_manifest(p);
	const struct art_manifest *before = art_reader_manifest(old->reader);
	size_t len, i, k;
	const uint8_t *bytes = art_reader_manifest_bytes(now->reader, &len);
	int code = art_patch_match_digest(p, bytes, len, err);

	if (code == 0)
		code = art_patch_match(p, art_reader_manifest(now->reader), err);
	for (i = 0; code == 0 && i < m->payload_count; i++) {
		for (k = 0; k < before->payload_count; k++)
			if (strcmp(before->payloads[k].name, m->payloads[i].name) == 0)
				break;
		if (k == before->payload_count ||
		    memcmp(before->payloads[k].sha256, m->payloads[i].old_sha256,
			   ART_SHA256_LEN) != 0)
			code = art_fail(err, ART_E_PATCH_OLD,
					"payload '%s': the patch is not for this old image",
					m->payloads[i].name);
	}
	return code;
}

static int count_patch(struct inspect_file *old, struct inspect_file *now, const struct inspect_options *opt,
		       const char *name, json_t **out, struct art_err *err)
{
	struct inspect_file patch = { 0 };
	size_t manifest, sigs;
	uint64_t size;
	int code = inspect_open_any(&patch, name, opt, false, err);

	if (code == 0 && !patch.patch)
		code = art_fail(err, ART_E_USAGE, "it is an artifact, not a patch");
	if (code == 0)
		code = judge_patch(patch.patch, old, now, err);
	if (code == 0) {
		art_reader_manifest_bytes(now->reader, &manifest);
		art_reader_sig_bytes(now->reader, &sigs);
		size = art_patch_total_size(patch.patch);
		*out = json_pack("{s:o,s:I,s:I}", "file", cli_json_text(name), "total",
				 (json_int_t)(size + manifest + sigs + 2 * ART_TAR_BLOCK), "size",
				 (json_int_t)size);
		code = *out ? 0 : art_fail_memory(err);
	}
	inspect_close(&patch);
	return code < 0 ? inspect_wrap(err, name) : 0;
}

int diff_patch(struct inspect_file *old, struct inspect_file *now, const struct inspect_options *opt,
	       json_t **out, struct art_err *err)
{
	char *beside;
	int code;

	*out = json_null();
	if (opt->patch)
		return count_patch(old, now, opt, opt->patch, out, err);
	beside = find_beside(art_reader_manifest(old->reader), art_reader_manifest(now->reader),
			     now->src->name);
	code = beside ? count_patch(old, now, opt, beside, out, err) : 0;
	/* Nobody has asked for it, and a device that cannot use it takes the chunks. */
	if (code < 0) {
		cli_warn("the patch beside '%s' is not counted: %s", now->src->name, err->text);
		*out = json_null();
	}
	free(beside);
	return 0;
}
