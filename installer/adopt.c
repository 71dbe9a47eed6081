// SPDX-License-Identifier: Apache-2.0
/*
 * adopt: a device that left the factory, or lost its record, learns what its running slot holds by comparing the
 * chunks of an authenticated artifact. A mounted filesystem changes a little of its own bytes, so
 * of an ext4 image nearly all has to be equal, not all.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "common/cli.h"
#include "common/text.h"
#include "installer/candidate.h"
#include "installer/commands.h"
#include "installer/kept.h"
#include "libartifact/chunk.h"

#include "libartifact/io.h"

/* Of the bytes in chunks (zeros say nothing), this many in a hundred must be equal where the filesystem is written when it is
 * mounted. Two releases that differ by less cannot be told apart. Everywhere else all must be. */
#define ENOUGH_EXT4 99

struct adopt {
	struct device *device;
	struct candidate candidate;
	struct kept kept;
	uint64_t equal, total;
	bool differs; /* where nothing may */
	uint8_t *buf;
	struct art_digest *sha256;
};

static int compare_segment(struct adopt *a, size_t payload, size_t segment, int fd,
			   const char *path, struct art_err *err)
{
	const struct art_payload *p = &a->candidate.manifest->payloads[payload];
	struct art_index *ix = NULL;
	char name[KEPT_NAME_MAX];
	uint32_t i;
	int code = art_reader_open_index(a->candidate.reader, payload, segment, &ix, err);

	if (code < 0)
		return code;
	kept_index_name(name, p->name, segment);
	code = kept_add(&a->kept, name, art_index_bytes(ix),
			(size_t)p->segments[segment].index_size, err);
	for (i = 0; i < art_index_rows(ix) && code == 0; i++) {
		struct art_row row;
		ssize_t n;

		art_index_row(ix, i, &row);
		if (row.type == ART_ROW_ZERO)
			continue;
		n = art_pread_full(fd, a->buf, row.plain_len,
				   p->segments[segment].offset + row.plain_off, path, err);
		if (n < 0)
			code = (int)n;
		a->total += row.plain_len;
		if (n == (ssize_t)row.plain_len &&
		    art_row_check_plain(&row, a->buf, a->sha256, NULL) == 0)
			a->equal += row.plain_len;
		else if (strcmp(p->filesystem, "ext4") != 0)
			a->differs = true;
	}
	art_index_free(ix);
	return code;
}

static int compare_payload(struct adopt *a, size_t payload, struct art_err *err)
{
	const struct art_payload *p = &a->candidate.manifest->payloads[payload];
	const struct slot_part *part = slot_part(&a->device->slots[a->device->running], p->name);
	cleanup_close int fd = -1;
	size_t s;
	int code = 0;

	if (!part)
		return art_fail(err, ART_E_COMPAT_PAYLOAD, "slot %c has no place for payload '%s'",
				'a' + a->device->running, p->name);
	fd = open(part->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", part->path);
	for (s = 0; s < p->segment_count && code == 0; s++)
		code = compare_segment(a, payload, s, fd, part->path, err);
	return code;
}

static int keep_head(struct adopt *a, struct art_err *err)
{
	size_t len;
	const uint8_t *bytes = art_reader_manifest_bytes(a->candidate.reader, &len);
	int code = kept_begin(&a->kept, a->device->config.state_directory, a->device->running,
			      bytes, len, err);

	bytes = art_reader_sig_bytes(a->candidate.reader, &len);
	return code < 0 ? code : kept_add(&a->kept, "manifest.sig", bytes, len, err);
}

static int record(struct adopt *a, struct art_err *err)
{
	struct device *d = a->device;
	struct state_slot *slot = &d->state.slot[d->running];
	const struct art_manifest *m = a->candidate.manifest;
	int code = kept_commit(&a->kept, err);

	if (code < 0)
		return code;
	memset(slot, 0, sizeof(*slot));
	slot->content = CONTENT_GOOD;
	slot->counter = m->security_counter;
	slot->time = (uint64_t)time(NULL);
	memcpy(slot->digest, a->candidate.digest, sizeof(slot->digest));
	snprintf(slot->name, sizeof(slot->name), "%s", m->name);
	snprintf(slot->version, sizeof(slot->version), "%s", m->version);
	d->state.active = d->running;
	if (d->state.target == d->running)
		d->state.target = -1;
	if (d->state.target < 0)
		d->state.phase = PHASE_COMMITTED;
	if (slot->counter > d->state.floor)
		d->state.floor = slot->counter;
	d->state.transaction = device_next_transaction(d);
	return device_save(d, err);
}

static void tell(const struct adopt *a)
{
	unsigned long long equal = a->equal, total = a->total;
	char slot = (char)('a' + a->device->running);

	log_event(&a->device->log, LOG_ADOPTED, "{s:s,s:I,s:I}", "digest", a->candidate.verdict.digest,
		  "equal", (json_int_t)equal, "total", (json_int_t)total);
	if (cli_json())
		printf("{\"slot\": \"%c\", \"outcome\": \"adopted\", \"equal\": %llu, \"total\": %llu}\n", slot,
		       equal, total);
	else if (cli_level() >= CLI_WARN)
		printf("slot %c holds %s %s: %llu of %llu bytes in chunks are equal\n", slot,
		       a->candidate.manifest->name, a->candidate.manifest->version, equal, total);
}

static int adopt(struct device *d, const char *src, struct art_err *err)
{
	struct adopt a = { .device = d, .kept = KEPT_INIT };
	size_t i;
	int code = 0;

	if (device_on_trial(d))
		code = art_fail(err, ART_E_STATE_UNCOMMITTED,
				"slot %c runs and is not committed; commit it or roll back first",
				'a' + d->running);
	if (code == 0)
		code = candidate_open(&a.candidate, d, src, err);
	if (code == 0 && a.candidate.patch_only)
		code = art_fail(err, ART_E_USAGE,
				"adopt compares with an artifact, and this is a patch: give the artifact itself");
	/* The counter of what runs may lie below a floor of another source; all else must fit. */
	if (code == 0)
		code = candidate_fits(&a.candidate, d, d->running, err);
	if (code == 0)
		code = art_sha256_new(&a.sha256, err);
	a.buf = malloc(ART_CHUNK_MAX);
	if (code == 0 && !a.buf)
		code = art_fail_memory(err);
	if (code == 0)
		code = keep_head(&a, err);
	for (i = 0; code == 0 && i < a.candidate.manifest->payload_count; i++)
		code = compare_payload(&a, i, err);
	if (code == 0 && (a.total == 0 || a.differs ||
			  a.equal < a.total / 100 * ENOUGH_EXT4))
		code = art_fail(err, ART_E_STATE_WRONG,
				"slot %c is not this artifact: %llu of %llu bytes are equal",
				'a' + d->running, (unsigned long long)a.equal,
				(unsigned long long)a.total);
	if (code == 0)
		code = record(&a, err);
	kept_abort(&a.kept);
	if (code == 0)
		tell(&a);
	free(a.buf);
	art_digest_free(a.sha256);
	candidate_close(&a.candidate);
	return code;
}

int command_adopt(const char *config, int argc, char **argv)
{
	static const char *const help[] = {
		"usage: artifact-install [-c CONFIG] adopt [OPTION]... SRC",
		"Compare the chunks of the artifact SRC with the running slot and, when nearly all are equal, record",
		"that this is what it holds.",
		"",
		"      --json      as JSON",
		"  -q, --quiet     errors only",
		"  -v, --verbose   more messages, and the stable name of an error",
		"  -h, --help      this text",
		NULL,
	};
	struct art_err err = { 0 };
	struct device d;
	int code, status = command_options(argc, argv, help, 1, 1);

	if (status >= 0)
		return status;
	code = device_open(&d, config, DEVICE_CHANGE, &err);
	if (code == 0)
		code = adopt(&d, argv[optind], &err);
	status = code < 0 ? cli_fail(&err) : 0;
	device_close(&d);
	return cli_exit(status);
}
