// SPDX-License-Identifier: Apache-2.0
/*
 * A release that boots and cannot take the next one is worse than one that does not boot: it stays. So the new installer
 * must show, with the new configuration, that it could install again, before it is allowed to stay.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "installer/decoder.h"
#include "installer/gate.h"
#include "installer/kept.h"
#include "installer/proc.h"
#include "installer/watchdog.h"
#include "libartifact/io.h"
#include "libartifact/trust.h"

/* ERR says what; WHY is one word for the record. */
static int fault_set(struct gate_fault *fault, const char *reason, const char *why,
		     const struct art_err *err)
{
	snprintf(fault->reason, sizeof(fault->reason), "%s%s%s", reason, why ? ": " : "",
		 why ? why : "");
	snprintf(fault->text, sizeof(fault->text), "%s", err->text);
	return -1;
}

/* The value of IMAGE_VERSION in the running system's os-release; false when it has none. */
static bool image_version(char *out, size_t room)
{
	static const char *const paths[] = { "/etc/os-release", "/usr/lib/os-release" };
	cleanup_free uint8_t *text = NULL;
	char *line, *rest = NULL;
	size_t i, len;

	for (i = 0; i < 2 && !text; i++)
		art_read_file(paths[i], 65536, &text, &len, NULL);
	for (line = text ? strtok_r((char *)text, "\n", &rest) : NULL; line;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *value = line + 14;
		size_t n;

		if (strncmp(line, "IMAGE_VERSION=", 14) != 0)
			continue;
		n = strcspn(value + (*value == '"'), "\"\r");
		snprintf(out, room, "%.*s", (int)n, value + (*value == '"'));
		return true;
	}
	return false;
}

int gate_identity(const struct device *d, struct gate_fault *fault)
{
	const struct slot_part *part = slot_part(&d->slots[d->running], "rootfs");
	const struct state_slot *slot = &d->state.slot[d->running];
	struct art_err err = { 0 };
	char version[128];

	if (d->boot_state.booted != BOOT_NONE && d->boot_state.booted != d->running) {
		art_fail(&err, ART_E_FAILED,
			 "the boot chain started slot %c, and '/' is on slot %c",
			 'a' + d->boot_state.booted, 'a' + d->running);
		return fault_set(fault, "identity", NULL, &err);
	}
	/* Slots that are image files are not what runs here. */
	if (slot->version[0] && part && part->is_block && image_version(version, sizeof(version)) &&
	    strcmp(version, slot->version) != 0) {
		art_fail(&err, ART_E_FAILED,
			 "version %s was installed, and the running system's os-release says IMAGE_VERSION=%s",
			 slot->version, version);
		return fault_set(fault, "identity", NULL, &err);
	}
	return 0;
}

struct update {
	struct device *device;
	bool trial;
	struct art_manifest *running; /* of the artifact that runs, or NULL */
};

static int check_kept(struct update *u, struct art_err *err)
{
	int code = device_kept_manifest(u->device, u->device->running, &u->running, err);

	/* What is kept was written before the trial could begin. Without it nothing can show that this release and its
	 * configuration take the next one, and there is a slot that did. */
	if (code == DEVICE_MANIFEST_NONE && u->trial)
		return art_fail(err, ART_E_FAILED,
				"what was kept of the artifact in slot %c is lost, so nothing shows that it can be updated",
				'a' + u->device->running);
	/* Where there is nothing to go back to, its loss is no reason to stay uncommitted. */
	return code < 0 ? code : 0;
}

/* Has the trust policy keys enough, and does the artifact that runs pass it? The latter is what makes rotating keys take two
 * releases: one brings the new keys, the next is signed by them. */
static int check_keys(struct update *u, struct art_err *err)
{
	const struct device *d = u->device;
	cleanup_free uint8_t *manifest = NULL, *sig = NULL;
	struct art_trust *trust = NULL;
	struct art_siglist list;
	size_t manifest_len, sig_len;
	int code = art_trust_load(&trust, d->config.trust_keys, err);

	memset(&list, 0, sizeof(list));
	if (code == 0)
		code = kept_manifest(d->config.state_directory, d->running, &manifest,
				     &manifest_len, err);
	if (code == 0)
		code = kept_signatures(d->config.state_directory, d->running, &sig, &sig_len, err);
	if (code == 0 && u->trial && !sig)
		code = art_fail(err, ART_E_SIG_NONE, "the signatures kept of slot %c are lost",
				'a' + d->running);
	if (code == 0 && manifest && sig && u->running) {
		code = art_siglist_parse(&list, sig, sig_len, err);
		if (code == 0)
			code = art_trust_judge(trust, ART_ROLE_ARTIFACT, &list, manifest,
					       manifest_len, NULL, err);
	}
	art_siglist_free(&list);
	art_trust_free(trust);
	return code;
}

static int check_type(struct update *u, struct art_err *err)
{
	const char *type = u->device->config.device_type;
	size_t i;

	for (i = 0; u->running && i < u->running->compatible_count; i++)
		if (strcmp(u->running->compatible[i], type) == 0)
			return 0;
	if (!u->running)
		return 0;
	return art_fail(err, ART_E_COMPAT_TYPE,
			"the running artifact is not for '%s', which the configuration says this device is",
			type);
}

/* Both slots are large enough for what runs now. */
static int check_sizes(struct update *u, struct art_err *err)
{
	const struct art_manifest *m = u->running;
	size_t i;

	for (i = 0; m && i < 2 * m->payload_count; i++) {
		const struct art_payload *p = &m->payloads[i / 2];
		const struct slot_part *part = slot_part(&u->device->slots[i % 2], p->name);

		if (!part)
			return art_fail(err, ART_E_COMPAT_PAYLOAD,
					"slot %c has no place for payload '%s', which the running artifact has",
					'a' + (int)(i % 2), p->name);
		if (part->size < p->size)
			return art_fail(err, ART_E_COMPAT_SIZE,
					"'%s' is smaller than payload '%s' of the running artifact",
					part->path, p->name);
	}
	return 0;
}

/* The other slot's partitions open for writing, as an install would open them. */
static int check_slots(struct update *u, struct art_err *err)
{
	const struct slot *other = &u->device->slots[1 - u->device->running];
	size_t i;

	for (i = 0; i < other->count; i++) {
		int fd = -1, code = slot_part_open(&other->part[i], &fd, err);

		if (code < 0)
			return code;
		close(fd);
	}
	return 0;
}

static int check_state(struct update *u, struct art_err *err)
{
	return device_save(u->device, err);
}

static int check_store(struct update *u, struct art_err *err)
{
	return u->device->boot_lost ? 0 : boot_noop(&u->device->boot, err);
}

static int check_decoder(struct update *u, struct art_err *err)
{
	struct decoder *decoder = NULL;
	int code = decoder_start(&decoder, 0, err);

	(void)u;
	watchdog_allow(DECODER_TIMEOUT + 30);
	if (code == 0)
		code = decoder_test(decoder, err);
	decoder_free(decoder);
	return code;
}

static int check_fetcher(struct update *u, struct art_err *err)
{
#ifdef WITH_HTTP
	char usual[] = LIBEXECDIR "/twinroot/artifact-fetch", option[] = "--version";
	char path_text[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	const char *own = device_fetch_program(u->device);
	char *argv[] = { own ? (char *)own : usual, option, NULL };
	char *envp[] = { path_text, NULL };
	char out[256];

	return proc_run(argv, envp, (unsigned int)u->device->config.checks_timeout, -1, out,
			sizeof(out), err);
#else
	(void)u;
	(void)err;
	return 0;
#endif
}

int gate_next_update(struct device *d, bool trial, struct gate_fault *fault)
{
	static const struct {
		const char *why;
		int (*check)(struct update *u, struct art_err *err);
	} steps[] = {
		{ "kept-files", check_kept },  { "keys", check_keys },
		{ "device-type", check_type }, { "slots", check_sizes },
		{ "slots", check_slots },      { "state-directory", check_state },
		{ "boot-store", check_store }, { "decoder", check_decoder },
		{ "fetcher", check_fetcher },
	};
	struct update u = { .device = d, .trial = trial };
	struct art_err err = { 0 };
	size_t i;
	int bad = 0;

	for (i = 0; i < ART_ARRAY_SIZE(steps) && !bad; i++) {
		watchdog_allow((unsigned int)d->config.checks_timeout + 30);
		if (steps[i].check(&u, &err) < 0)
			bad = fault_set(fault, "cannot-update", steps[i].why, &err);
	}
	art_manifest_free(u.running);
	return bad;
}
