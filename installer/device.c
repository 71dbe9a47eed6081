// SPDX-License-Identifier: Apache-2.0
/* Opening the device for a command, and the questions that several commands ask. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cli.h"
#include "installer/device.h"
#include "installer/kept.h"
#include "installer/proc.h"
#include "libartifact/io.h"

static int take_lock(struct device *d, struct art_err *err)
{
	cleanup_free char *path = NULL;

	if (asprintf(&path, "%s/lock", d->config.state_directory) < 0)
		return art_fail_memory(err);
	if (mkdir(d->config.state_directory, 0700) < 0 && errno != EEXIST)
		return art_fail_errno(err, ART_E_IO, "cannot make '%s'",
				      d->config.state_directory);
	d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", path);
	if (flock(d->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return art_fail(err, ART_E_STATE_LOCKED, "another installer is at work ('%s' is locked)",
				path);
	return art_fail_errno(err, ART_E_IO, "cannot lock '%s'", path);
}

int device_refresh(struct device *d, struct art_err *err)
{
	return boot_get(&d->boot, &d->boot_state, err);
}

static int open_parts(struct device *d, enum device_use use, struct art_err *err)
{
	int code = use != DEVICE_READ ? take_lock(d, err) : 0;

	if (code < 0)
		return code;
	if (asprintf(&d->state_path, "%s/state", d->config.state_directory) < 0) {
		d->state_path = NULL;
		return art_fail_memory(err);
	}
	code = state_open(&d->state_file, d->state_path, use != DEVICE_READ, &d->state, err);
	if (code == 0)
		code = boot_open(&d->boot, &d->config, err);
	d->boot.lock = d->lock;
	if (code == 0)
		code = device_refresh(d, err);
	/* boot-check can go on with a store that is lost; nobody else can. */
	if (code == ART_E_BOOT_LOST && use == DEVICE_CHECK) {
		d->boot_lost = true;
		boot_state_init(&d->boot_state);
		d->boot_state.booted = boot_booted_from_cmdline();
		code = 0;
	}
	if (code == 0)
		code = slots_open(d->slots, &d->config, err);
	if (code == 0)
		code = slots_running(d->slots, &d->boot_state, &d->running, err);
	return code;
}

/* Which boot this is; all zero where the kernel does not say. */
static void read_boot_id(uint8_t id[STATE_BOOT_ID_LEN])
{
	cleanup_free uint8_t *text = NULL;
	char hex[2 * STATE_BOOT_ID_LEN + 1];
	size_t len, i, n = 0;

	memset(id, 0, STATE_BOOT_ID_LEN);
	if (art_read_file("/proc/sys/kernel/random/boot_id", 64, &text, &len, NULL) < 0)
		return;
	for (i = 0; i < len && n < sizeof(hex) - 1; i++)
		if (text[i] != '-' && text[i] != '\n')
			hex[n++] = (char)text[i];
	hex[n] = '\0';
	if (art_hex_parse(id, STATE_BOOT_ID_LEN, hex) < 0)
		memset(id, 0, STATE_BOOT_ID_LEN);
}

int device_open(struct device *d, const char *config_path, enum device_use use,
		struct art_err *err)
{
	int code;

	memset(d, 0, sizeof(*d));
	d->lock = d->state_file.fd = -1;
	read_boot_id(d->boot_id);
	code = config_read(&d->config,
			   config_path ? config_path : SYSCONFDIR "/twinroot/install.conf", err);
	if (code < 0)
		return code;
	d->log.directory = d->config.state_directory;
	code = open_parts(d, use, err);
	if (code < 0)
		return code;
	d->log.transaction = d->state.transaction;
	if (d->state_file.health == STATE_LOST) {
		cli_warn("the state record is lost; what the slots hold is not known until the next install or adopt");
		if (use != DEVICE_READ)
			log_event(&d->log, LOG_STATE_LOST, NULL);
	}
	return 0;
}

void device_close(struct device *d)
{
	boot_close(&d->boot);
	slots_free(d->slots);
	state_close(&d->state_file);
	free(d->state_path);
	if (d->lock >= 0)
		close(d->lock);
	config_free(&d->config);
}

uint64_t device_next_transaction(struct device *d)
{
	uint64_t a = d->state.transaction, b = d->boot_state.transaction;

	d->log.transaction = (a > b ? a : b) + 1;
	return d->log.transaction;
}

bool device_on_trial(const struct device *d)
{
	const struct state *s = &d->state;

	if (d->boot_state.standard != d->running || d->boot_state.trial == d->running)
		return true;
	/* The bootloader has committed it, the record has not yet: commit was cut in between. */
	return s->target == d->running && (s->phase == PHASE_INSTALLED ||
					   s->phase == PHASE_TRYING || s->phase == PHASE_HEALTHY);
}

/* Once in a run: it is asked for again and again. */
static void say_lost(int slot, const char *what, const struct art_err *why)
{
	static bool said[CONFIG_SLOTS];

	if (!said[slot])
		cli_warn("what was kept of slot %c %s and counts as lost: %s", 'a' + slot, what,
			 why->text);
	said[slot] = true;
}

int device_kept_manifest(const struct device *d, int slot, struct art_manifest **out,
			 struct art_err *err)
{
	const struct state_slot *s = &d->state.slot[slot];
	cleanup_free uint8_t *bytes = NULL;
	uint8_t digest[ART_SHA256_LEN];
	struct art_err why = { 0 };
	size_t len = 0;
	int code = kept_manifest(d->config.state_directory, slot, &bytes, &len, &why);

	if (code == ART_E_NO_MEMORY)
		return art_fail_memory(err);
	/* A filesystem that a power cut damaged must not keep the device from being mended by an update. */
	if (code < 0)
		say_lost(slot, "cannot be read", &why);
	if (!bytes)
		return DEVICE_MANIFEST_NONE;
	code = art_sha256(bytes, len, digest, err);
	if (code < 0)
		return code;
	/* With a lost record the kept manifest is all there is. */
	if (s->content != CONTENT_UNKNOWN && memcmp(digest, s->digest, sizeof(digest)) != 0)
		return DEVICE_MANIFEST_NONE;
	code = art_manifest_parse(out, bytes, len, &why);
	if (code == 0)
		return 0;
	if (code == ART_E_NO_MEMORY)
		return art_fail_memory(err);
	/* Damaged is as good as gone: a device that refused every update for it could not be mended. */
	say_lost(slot, "is damaged", &why);
	return DEVICE_MANIFEST_NONE;
}

int device_kept_digest(const struct device *d, int slot, uint8_t digest[ART_SHA256_LEN],
		       struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t len = 0;
	int code = kept_manifest(d->config.state_directory, slot, &bytes, &len, err);

	return code < 0 ? code : art_sha256(bytes, len, digest, err);
}

int device_floor(const struct device *d, uint32_t *floor, struct art_err *err)
{
	struct art_manifest *m = NULL;
	int code = device_kept_manifest(d, d->running, &m, err);

	if (code < 0)
		return code;
	*floor = d->state.floor;
	/* On trial the new counter does not bind yet: the old slot must stay installable. */
	if (m && m->security_counter > *floor && !device_on_trial(d))
		*floor = m->security_counter;
	art_manifest_free(m);
	return 0;
}

int device_hook(const struct device *d, const char *event, int slot, struct art_err *err)
{
	char path_text[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang_text[] = "LC_ALL=C";
	char event_text[64], slot_text[32], running_text[32], version_text[128];
	char *envp[] = { path_text,    lang_text,    event_text, slot_text,
			 running_text, version_text, NULL };
	cleanup_free char *path = NULL;
	char *argv[] = { NULL, NULL };

	if (asprintf(&path, "%s/%s", d->config.hooks_directory, event) < 0) {
		path = NULL;
		return art_fail_memory(err);
	}
	if (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	argv[0] = path;
	snprintf(event_text, sizeof(event_text), "TWINROOT_EVENT=%s", event);
	snprintf(slot_text, sizeof(slot_text), "TWINROOT_SLOT=%c", 'a' + slot);
	snprintf(running_text, sizeof(running_text), "TWINROOT_RUNNING=%c", 'a' + d->running);
	snprintf(version_text, sizeof(version_text), "TWINROOT_VERSION=%s",
		 d->state.slot[slot].version);
	if (proc_run(argv, envp, (unsigned int)d->config.hooks_timeout, -1, NULL, 0, err) < 0)
		return art_wrap(err, "hook %s", event);
	return 0;
}

void device_tell(const struct device *d, const char *event, int slot)
{
	struct art_err err = { 0 };

	if (device_hook(d, event, slot, &err) == 0)
		return;
	cli_warn("%s", err.text);
	log_event(&d->log, LOG_HOOK_FAILED, "{s:s,s:s}", "hook", event, "text", err.text);
}

int device_reboot(struct device *d, int slot, struct art_err *err)
{
	char path_text[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *argv[] = { d->config.boot_reboot, NULL };
	char *envp[] = { path_text, NULL };
	int code = device_hook(d, "pre-reboot", slot, err);

	if (code < 0)
		return code;
	/* A device that opened halfway may have no backend, and must be left all the more. */
	if (d->boot.ops && d->boot.ops->reboot)
		return d->boot.ops->reboot(&d->boot, err);
	return proc_run(argv, envp, (unsigned int)d->config.boot_timeout, -1, NULL, 0, err);
}

const char *device_fetch_program(const struct device *d)
{
	const char *program = secure_getenv("TWINROOT_FETCH");

	return program ? program : d->config.download_program;
}

bool device_same_boot(const struct device *d)
{
	return !art_is_zero(d->boot_id, sizeof(d->boot_id)) &&
	       memcmp(d->boot_id, d->state.boot_id, sizeof(d->boot_id)) == 0;
}

int device_save(struct device *d, struct art_err *err)
{
	memcpy(d->state.boot_id, d->boot_id, sizeof(d->boot_id));
	return state_write(&d->state_file, &d->state, err);
}
