// SPDX-License-Identifier: Apache-2.0
/* The result of an install, for people and as JSON. */
#include <jansson.h>
#include <stdio.h>

#include "common/cli.h"
#include "common/text.h"
#include "installer/report.h"

const char *report_way(const struct write_sums *s)
{
	if (s->patched > 0)
		return s->fetched > 0 ? "patch-and-chunks" : "patch";
	if (s->fetched == 0)
		return "none";
	return s->same - s->blank + s->copied > 0 ? "chunks" : "full";
}

static json_t *patch_object(const struct report *in)
{
	const struct write_sums *s = in->sums;

	if (!in->candidate->patch.patch)
		return json_null();
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "size",
			 (json_int_t)art_patch_total_size(in->candidate->patch.patch), "made",
			 (json_int_t)s->patched, "read", (json_int_t)s->records, "failed-records",
			 (json_int_t)s->failed, "cost", (json_int_t)s->by_patch, "cost-of-chunks",
			 (json_int_t)s->by_chunks);
}

static void report_patch(const struct report *in)
{
	const struct write_sums *s = in->sums;
	char a[TEXT_SIZE_MAX], b[TEXT_SIZE_MAX], c[TEXT_SIZE_MAX];

	if (s->patched > 0)
		printf("patch: %s%s made of %s of records, where chunks take %s\n",
		       text_size(a, s->patched), in->dry ? " to be" : "", text_size(b, s->records),
		       text_size(c, s->by_chunks));
	else if (s->by_patch > 0 && s->failed == 0)
		printf("patch: not used, its records take %s and chunks %s\n",
		       text_size(a, s->by_patch), text_size(b, s->by_chunks));
	if (s->failed > 0)
		printf("patch: %llu %s not give what is due\n", (unsigned long long)s->failed,
		       text_plural(s->failed, "record did", "records did"));
}

static void report_json(const struct report *in)
{
	const struct art_manifest *m = in->candidate->manifest;
	const struct write_sums *s = in->sums;
	struct candidate_traffic t;
	json_t *root = json_pack("{s:s,s:s,s:s,s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:o}", "name",
				 m->name, "version", m->version, "digest",
				 in->candidate->verdict.digest, "slot", in->target ? "b" : "a",
				 "dry-run", in->dry, "same", (json_int_t)s->same, "copied",
				 (json_int_t)s->copied, "repeated", (json_int_t)s->repeated,
				 "written", (json_int_t)s->written, "zeroed", (json_int_t)s->zeroed, "fetched",
				 (json_int_t)s->fetched, "way", report_way(in->sums), "patch", patch_object(in));

	if (root && candidate_traffic(in->candidate, &t))
		json_object_update_new(root, json_pack("{s:I,s:I,s:I,s:I}", "ranges",
						       (json_int_t)s->ranges, "download",
						       (json_int_t)s->download, "received",
						       (json_int_t)t.received, "requests",
						       (json_int_t)t.requests));
	if (root && json_dumpf(root, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	json_decref(root);
}

void report_install(const struct report *in)
{
	const struct art_manifest *m = in->candidate->manifest;
	const struct write_sums *s = in->sums;
	uint64_t here = s->copied + s->repeated;
	struct candidate_traffic t;
	char a[TEXT_SIZE_MAX], b[TEXT_SIZE_MAX], c[TEXT_SIZE_MAX], d[TEXT_SIZE_MAX];

	if (cli_json()) {
		report_json(in);
		return;
	}
	if (cli_level() < CLI_WARN)
		return;
	printf("%s %s %s slot %c: %s right already, %s copied from this device, %s %s, %s zeroed\n",
	       m->name, m->version, in->dry ? "would go to" : "is on", 'a' + in->target,
	       text_size(a, s->same), text_size(b, here), text_size(c, s->written - here),
	       in->dry ? "to come from the source" : "from the source", text_size(d, s->zeroed));
	report_patch(in);
	if (candidate_traffic(in->candidate, &t))
		printf("%s: %llu bytes in %llu %s; %s with everything else so far in %llu %s\n",
		       in->dry ? "to download" : "downloaded", (unsigned long long)s->download,
		       (unsigned long long)s->ranges, text_plural(s->ranges, "range", "ranges"),
		       text_size(a, t.received), (unsigned long long)t.requests,
		       text_plural(t.requests, "request", "requests"));
	else
		printf("%s: %llu bytes\n", in->dry ? "to read of the source" : "read of the source",
		       (unsigned long long)(s->fetched + s->records));
	if (!in->dry)
		printf("slot %c is tried at the next boot\n", 'a' + in->target);
}
