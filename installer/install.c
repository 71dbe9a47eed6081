// SPDX-License-Identifier: Apache-2.0
/*
 * install: the whole way from a source to an armed slot (README.md, "Install"). Until the signature and the
 * compatibility have been accepted nothing is changed anywhere; from the moment the target slot is marked bad until it is
 * armed, every failure leaves the running slot the only one that boots.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "common/cli.h"
#include "common/progress.h"
#include "common/text.h"
#include "installer/candidate.h"
#include "installer/commands.h"
#include "installer/kept.h"
#include "installer/remote.h"
#include "installer/report.h"
#include "installer/target.h"
#include "installer/writer.h"

struct install {
	struct device *device;
	struct candidate *candidate;
	int target;
	size_t part_count;
	struct target part[CONFIG_PARTS_MAX]; /* in the order of the payloads */
	struct kept kept;
	struct write_sums sums;
	uint64_t transaction;
	uint64_t allowance; /* of download, with `limited` */
	bool limited;
	bool dry;
	bool armed; /* or tried to: the bootloader may have done it and failed to say so */
};

/* Only a device that is at rest may give up its other slot. */
static int check_rest_state(const struct device *d, struct art_err *err)
{
	if (!device_on_trial(d))
		return 0;
	return art_fail(err, ART_E_STATE_UNCOMMITTED,
			"slot %c runs and is not committed; commit it or roll back first",
			'a' + d->running);
}

static int open_targets(struct install *in, struct art_err *err)
{
	const struct art_manifest *m = in->candidate->manifest;
	int code = 0;

	for (; in->part_count < m->payload_count && code == 0; in->part_count++) {
		const struct slot_part *part = slot_part(&in->device->slots[in->target],
							 m->payloads[in->part_count].name);

		if (!part)
			return art_fail(err, ART_E_COMPAT_PAYLOAD, "no place for payload '%s'",
					m->payloads[in->part_count].name);
		code = target_open(&in->part[in->part_count], part, err);
	}
	return code < 0 ? art_wrap(err, "slot %c", 'a' + in->target) : 0;
}

/*
 * A running slot that the record knows nothing of (the factory's, or the record was lost) is a slot that works: it may be
 * gone back to. What was kept for it tells the rest, and its counter goes on to bind.
 */
static int recover_running(struct device *d, struct art_err *err)
{
	struct state_slot *slot = &d->state.slot[d->running];
	struct art_manifest *m = NULL;
	int code = device_floor(d, &d->state.floor, err);

	if (code < 0 || slot->content != CONTENT_UNKNOWN)
		return code;
	code = device_kept_manifest(d, d->running, &m, err);
	if (code < 0)
		return code;
	/* DEVICE_MANIFEST_NONE is no failure. */
	code = 0;
	if (m) {
		code = device_kept_digest(d, d->running, slot->digest, err);
		slot->counter = m->security_counter;
		snprintf(slot->name, sizeof(slot->name), "%s", m->name);
		snprintf(slot->version, sizeof(slot->version), "%s", m->version);
		art_manifest_free(m);
	}
	slot->content = CONTENT_GOOD;
	return code;
}

/* From here on the target boots no more; the record says what is going on. The bootloader first: the record may be
 * behind, but it must never call a slot whole that is being overwritten. */
static int begin(struct install *in, struct art_err *err)
{
	struct device *d = in->device;
	struct state_slot *slot = &d->state.slot[in->target];
	int code = recover_running(d, err);

	if (code == 0)
		code = boot_bad(&d->boot, in->target, in->transaction, err);
	if (code < 0)
		return code;
	memset(slot, 0, sizeof(*slot));
	slot->content = CONTENT_PARTIAL;
	slot->counter = in->candidate->manifest->security_counter;
	memcpy(slot->digest, in->candidate->digest, sizeof(slot->digest));
	snprintf(slot->name, sizeof(slot->name), "%s", in->candidate->manifest->name);
	snprintf(slot->version, sizeof(slot->version), "%s", in->candidate->manifest->version);
	d->state.transaction = in->transaction;
	d->state.phase = PHASE_INSTALLING;
	d->state.target = in->target;
	d->state.active = d->running;
	d->state.tries = d->state.used = 0;
	d->state.reason[0] = '\0';
	return device_save(d, err);
}

static int keep_head(struct install *in, struct art_err *err)
{
	size_t len;
	const uint8_t *bytes = art_reader_manifest_bytes(in->candidate->reader, &len);
	int code = kept_begin(&in->kept, in->device->config.state_directory, in->target, bytes, len,
			      err);

	bytes = art_reader_sig_bytes(in->candidate->reader, &len);
	return code < 0 ? code : kept_add(&in->kept, "manifest.sig", bytes, len, err);
}

static void add_sums(struct write_sums *to, const struct write_sums *from)
{
	to->same += from->same;
	to->blank += from->blank;
	to->copied += from->copied;
	to->repeated += from->repeated;
	to->written += from->written;
	to->zeroed += from->zeroed;
	to->fetched += from->fetched;
	to->chunks += from->chunks;
	to->ranges += from->ranges;
	to->download += from->download;
	to->patched += from->patched;
	to->records += from->records;
	to->failed += from->failed;
	to->by_patch += from->by_patch;
	to->by_chunks += from->by_chunks;
}

/* EXCESS: why more may have to be downloaded than was foreseen. */
static int write_payload(struct install *in, size_t n, bool keep, const char *excess,
			 struct write_sums *sums, struct art_err *err)
{
	struct seeds seeds;
	struct write_job job = { .candidate = in->candidate,
				 .payload = n,
				 .target = &in->part[n],
				 .seeds = &seeds,
				 .kept = keep ? &in->kept : NULL,
				 .allowance = in->limited ? &in->allowance : NULL,
				 .excess = excess,
				 .dry = in->dry };
	/* To read through a partition for what a file beside it has would not pay. */
	int code = seeds_open(&seeds, in->device, in->candidate->manifest->payloads[n].name,
			      in->target, &in->part[n], in->candidate->is_remote, err);

	if (code == 0)
		code = writer_run(&job, err);
	seeds_close(&seeds);
	*sums = job.sums;
	return code;
}

static int write_all(struct install *in, struct art_err *err)
{
	size_t n;
	int code = 0;

	for (n = 0; n < in->part_count && code == 0; n++) {
		struct write_sums sums;

		code = write_payload(in, n, in->kept.fd >= 0,
				     "a patch or a seed has not given what was expected of it",
				     &sums, err);
		add_sums(&in->sums, &sums);
	}
	if (code == 0)
		code = candidate_check_rest(in->candidate, err);
	for (n = 0; n < in->part_count && code == 0 && !in->dry; n++)
		code = target_sync(&in->part[n], err);
	return code;
}

static int read_back(struct install *in, size_t n, bool *equal, struct art_err *err)
{
	const struct art_payload *p = &in->candidate->manifest->payloads[n];
	uint8_t digest[ART_SHA256_LEN];
	bool direct = false;
	int code = target_read_back(&in->part[n], p->size, digest, &direct, err);

	if (code < 0)
		return code;
	*equal = memcmp(digest, p->sha256, sizeof(digest)) == 0;
	log_event(&in->device->log, LOG_READ_BACK, "{s:s,s:b,s:s}", "payload", p->name, "equal",
		  *equal, "how", direct ? "direct" : "dropped-cache");
	cli_info("read back '%s' %s: %s", p->name,
		 direct ? "around the cache" : "after dropping the cache",
		 *equal ? "as signed" : "NOT as signed");
	return 0;
}

/*
 * What came back is not what is signed. Writing again compares every chunk and writes the wrong ones only; that
 * needs a source that can go back. Chunks that are all right under a digest that is not mean the artifact itself is at fault.
 */
static int repair(struct install *in, size_t n, struct art_err *err)
{
	const struct art_payload *p = &in->candidate->manifest->payloads[n];
	struct target *t = &in->part[n];
	struct write_sums sums;
	bool equal = false;
	int code;

	target_forget(t);
	if (!in->candidate->src->can_seek)
		return art_fail(err, ART_E_VERIFY_STORAGE,
				"'%s' reads back wrong, and '%s' cannot be read again; install once more, what is right is kept",
				t->part->path, in->candidate->src->name);
	code = write_payload(in, n, false, "the storage reads back something else than was written",
			     &sums, err);
	if (code == 0 && sums.written + sums.zeroed == 0)
		return art_fail(err, ART_E_IMAGE_DIGEST,
				"payload '%s': every chunk is right, and the image is not what its digest says",
				p->name);
	if (code == 0)
		code = target_sync(t, err);
	if (code < 0)
		return code;
	log_event(&in->device->log, LOG_REWRITTEN, "{s:s,s:I,s:I}", "payload", p->name, "chunks",
		  (json_int_t)sums.chunks, "bytes", (json_int_t)(sums.written + sums.zeroed));
	cli_warn("'%s' read back wrong; %llu chunks have been written again", t->part->path,
		 (unsigned long long)sums.chunks);
	code = read_back(in, n, &equal, err);
	if (code == 0 && !equal)
		code = art_fail(err, ART_E_VERIFY_STORAGE,
				"'%s' does not hold what is written to it; the storage is failing",
				t->part->path);
	return code;
}

static int verify_all(struct install *in, struct art_err *err)
{
	size_t n;
	int code = 0;

	for (n = 0; n < in->part_count && code == 0; n++) {
		bool equal = false;

		code = read_back(in, n, &equal, err);
		if (code == 0 && !equal)
			code = repair(in, n, err);
	}
	return code;
}

/* The slot is whole: keep its indexes, say so in the record, then let the bootloader try it. */
static int finish(struct install *in, struct art_err *err)
{
	struct device *d = in->device;
	unsigned int tries = (unsigned int)d->config.boot_tries;
	int code = kept_commit(&in->kept, err);

	d->state.slot[in->target].content = CONTENT_COMPLETE;
	d->state.slot[in->target].time = (uint64_t)time(NULL);
	d->state.phase = PHASE_INSTALLED;
	d->state.tries = tries;
	d->state.used = 0;
	d->state.reached = in->candidate->by_url || remote_ask(d) == REMOTE_REACHED;
	if (code == 0)
		code = device_save(d, err);
	if (code == 0)
		code = device_hook(d, "post-install", in->target, err);
	in->armed = code == 0;
	if (code == 0)
		code = boot_arm(&d->boot, in->target, tries, in->transaction, err);
	if (code == 0)
		log_event(&d->log, LOG_ARMED, "{s:i,s:s}", "tries", (int)tries, "slot",
			  in->target ? "b" : "a");
	return code;
}

static void failed(struct install *in, const struct art_err *err)
{
	struct device *d = in->device;
	struct art_err more = { 0 };

	if (in->armed && boot_bad(&d->boot, in->target, in->transaction, &more) < 0)
		cli_warn("slot %c may be tried all the same: %s", 'a' + in->target, more.text);
	snprintf(d->state.reason, sizeof(d->state.reason), "%s", art_code_name(err->code));
	d->state.phase = PHASE_FAILED;
	if (d->state.slot[in->target].content == CONTENT_COMPLETE)
		d->state.slot[in->target].content = CONTENT_PARTIAL;
	if (device_save(d, &more) < 0)
		cli_warn("%s", more.text);
}

/* A patch alone needs the index that was kept with the old image, whole. */
static int check_kept_base(struct install *in, struct art_err *err)
{
	size_t n;
	int code = 0;

	for (n = 0; n < in->part_count && code == 0; n++) {
		const char *name = in->candidate->manifest->payloads[n].name;
		struct seeds seeds;

		code = seeds_open(&seeds, in->device, name, in->target, &in->part[n], false, err);
		if (code == 0 && !patch_old(&in->candidate->patch, &seeds, name))
			code = art_fail(err, ART_E_PATCH_OLD,
					"what was kept of payload '%s' in the running slot is missing or damaged, and a patch alone needs it: install the artifact itself",
					name);
		seeds_close(&seeds);
	}
	return code;
}

/* What is stored in the artifact. */
static uint64_t stored_bytes(const struct install *in)
{
	const struct art_manifest *m = in->candidate->manifest;
	uint64_t stored = 0;
	size_t p, s;

	for (p = 0; p < m->payload_count; p++)
		for (s = 0; s < m->payloads[p].segment_count; s++)
			stored += m->payloads[p].segments[s].data_size;
	return stored;
}

/*
 * [download] full = never, after a dry run has counted. A full download is one of more than nine tenths of what is stored in the
 * artifact: equal chunks by chance are not a seed.
 */
static int refuse_full(struct install *in, struct art_err *err)
{
	uint64_t stored = stored_bytes(in);

	if (!in->candidate->is_remote || !in->device->config.download_full_never)
		return 0;
	in->allowance = stored / 10 * 9;
	in->limited = true;
	if (in->sums.download <= in->allowance)
		return 0;
	return art_fail(err, ART_E_NET_RANGE,
			"%llu bytes of %llu would have to be downloaded, and a full download is refused ([download] full = never); nothing was changed",
			(unsigned long long)in->sums.download, (unsigned long long)stored);
}

/* Count before anything is changed. The index fetched for it is kept for what follows. */
static int foresee(struct install *in, struct art_err *err)
{
	int code;

	if (!in->candidate->is_remote || !in->device->config.download_full_never)
		return 0;
	in->dry = true;
	code = keep_head(in, err);
	if (code == 0)
		code = write_all(in, err);
	if (code == 0)
		code = refuse_full(in, err);
	kept_abort(&in->kept);
	in->dry = false;
	memset(&in->sums, 0, sizeof(in->sums));
	return code;
}

static int look_only(struct install *in, struct art_err *err)
{
	int code = write_all(in, err);

	return code < 0 ? code : refuse_full(in, err);
}

static int change(struct install *in, struct art_err *err)
{
	struct device *d = in->device;
	int code = device_hook(d, "pre-install", in->target, err);

	if (code < 0)
		return code;
	in->transaction = device_next_transaction(d);
	log_event(&d->log, LOG_INSTALL_STARTED, "{s:s,s:s,s:s,s:s}", "artifact",
		  in->candidate->manifest->name, "version", in->candidate->manifest->version,
		  "digest", in->candidate->verdict.digest, "slot", in->target ? "b" : "a");
	code = begin(in, err);
	if (code == 0)
		code = keep_head(in, err);
	if (code == 0)
		code = write_all(in, err);
	if (code == 0) {
		log_event(&d->log, LOG_WRITTEN, "{s:I,s:I,s:I,s:I,s:I,s:I,s:s}", "same",
			  (json_int_t)in->sums.same, "copied", (json_int_t)in->sums.copied,
			  "written", (json_int_t)in->sums.written, "zeroed",
			  (json_int_t)in->sums.zeroed, "fetched", (json_int_t)in->sums.fetched,
			  "patched", (json_int_t)in->sums.patched, "way", report_way(&in->sums));
		code = verify_all(in, err);
	}
	if (code == 0)
		code = finish(in, err);
	kept_abort(&in->kept);
	if (code < 0) {
		failed(in, err);
		return code;
	}
	log_event(&d->log, LOG_INSTALLED, "{s:s}", "digest", in->candidate->verdict.digest);
	return 0;
}

static int install(struct device *d, const char *src, bool dry, struct art_err *err)
{
	struct candidate c;
	struct install in = { .device = d,
			      .candidate = &c,
			      .target = 1 - d->running,
			      .kept = KEPT_INIT,
			      .dry = dry };
	size_t i;
	int code;

	memset(&c, 0, sizeof(c));
	code = check_rest_state(d, err);
	if (code == 0)
		code = candidate_open(&c, d, src, err);
	if (code == 0)
		code = candidate_fits(&c, d, in.target, err);
	if (code == 0)
		candidate_find_patch(&c, d, src);
	if (code == 0)
		code = open_targets(&in, err);
	if (code == 0 && c.patch_only)
		code = check_kept_base(&in, err);
	if (code == 0)
		code = dry ? look_only(&in, err) : foresee(&in, err);
	if (code == 0 && !dry)
		code = change(&in, err);
	if (code == 0)
		report_install(&(struct report){ &c, &in.sums, in.target, dry });
	else if (!dry)
		log_event(&d->log, LOG_INSTALL_FAILED, "{s:s,s:s}", "error", art_code_name(code),
			  "text", err->text);
	for (i = 0; i < in.part_count; i++)
		target_close(&in.part[i]);
	candidate_close(&c);
	return code;
}

static const char *const help[] = {
	"usage: artifact-install [-c CONFIG] install [OPTION]... SRC",
	"Check the artifact SRC (a file, a URL, or - for standard input), write what differs to the slot that does",
	"not run, read it back, and let the bootloader try it at the next boot.",
	"",
	"      --dry-run        judge and compare, say what would be written and read, change nothing",
	"      --reboot         reboot when all is done",
	"      --json           the result as JSON",
	"      --progress=HOW   auto, none, or json",
	"  -q, --quiet          errors only",
	"  -v, --verbose        more messages, and the stable name of an error",
	"  -h, --help           this text",
	NULL,
};

int command_install(const char *config, int argc, char **argv)
{
	enum { OPT_DRY = 1, OPT_REBOOT };
	static const struct option options[] = { { "dry-run", no_argument, NULL, OPT_DRY },
						 { "reboot", no_argument, NULL, OPT_REBOOT },
						 CLI_LONG_BASE,
						 CLI_LONG_JSON,
						 CLI_LONG_PROGRESS,
						 { 0 } };
	bool dry = false, reboot = false;
	struct art_err err = { 0 };
	struct device d;
	int c, code, status;

	optind = 0;
	while ((c = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		if (c == OPT_DRY) {
			dry = true;
		} else if (c == OPT_REBOOT) {
			reboot = true;
		} else if (c == CLI_OPT_HELP) {
			cli_help(help);
			return cli_exit(0);
		} else {
			status = cli_option(c);
			if (status != 0)
				return cli_exit(status);
		}
	}
	if (argc - optind != 1)
		return cli_exit(cli_usage_error("install: one source is due"));
	code = device_open(&d, config, dry ? DEVICE_READ : DEVICE_CHANGE, &err);
	if (code == 0)
		code = install(&d, argv[optind], dry, &err);
	if (code == 0 && reboot && !dry)
		code = device_reboot(&d, 1 - d.running, &err);
	status = code < 0 ? cli_fail(&err) : 0;
	device_close(&d);
	return cli_exit(status);
}
