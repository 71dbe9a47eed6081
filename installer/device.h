/* SPDX-License-Identifier: Apache-2.0 */
/* This device: its configuration, its state, its bootloader, its slots. One of it in a process. */
#ifndef INSTALLER_DEVICE_H
#define INSTALLER_DEVICE_H

#include <stdbool.h>

#include "installer/boot.h"
#include "installer/conf.h"
#include "installer/log.h"
#include "installer/slots.h"
#include "installer/state.h"
#include "libartifact/manifest.h"

#define DEVICE_MANIFEST_NONE 1

struct device {
	struct config config;
	int lock;
	char *state_path;
	struct state_file state_file;
	struct state state;
	struct boot boot;
	struct boot_state boot_state;
	struct slot slots[CONFIG_SLOTS];
	int running;
	uint8_t boot_id[STATE_BOOT_ID_LEN];
	bool boot_lost; /* only with DEVICE_CHECK: the boot store holds nothing valid */
	struct log log;
};

enum device_use {
	DEVICE_READ = 2, /* no lock, nothing is created */
	DEVICE_CHANGE,   /* exclusive lock (ART_E_STATE_LOCKED), state record made if it is not there */
	DEVICE_CHECK,    /* the same, for boot-check: a boot store that is lost is no failure */
};

/* CONFIG_PATH NULL: the usual one. device_close also after a failure. */
int device_open(struct device *d, const char *config_path, enum device_use use,
		struct art_err *err);
void device_close(struct device *d);

/* A transaction number above all that both stores know; also sets that of the log. */
uint64_t device_next_transaction(struct device *d);

/* Read the boot store again after an act. */
int device_refresh(struct device *d, struct art_err *err);

/* True while the slot that runs is one on trial. */
bool device_on_trial(const struct device *d);

/* The manifest kept for SLOT; DEVICE_MANIFEST_NONE when there is none that belongs to what the state record says. */
int device_kept_manifest(const struct device *d, int slot, struct art_manifest **out,
			 struct art_err *err);

/* The artifact digest of what is kept for SLOT, which must be there. */
int device_kept_digest(const struct device *d, int slot, uint8_t digest[ART_SHA256_LEN],
		       struct art_err *err);

/* The security counter below which nothing is installed: of the record, and of the running slot's kept manifest. */
int device_floor(const struct device *d, uint32_t *floor, struct art_err *err);

/* Run hooks.d/EVENT if it is there. */
int device_hook(const struct device *d, const char *event, int slot, struct art_err *err);

/* The same for events that only tell: a failure is a warning and in the log. */
void device_tell(const struct device *d, const char *event, int slot);

/* Hook pre-reboot, then the backend's way to reboot or the reboot program. */
int device_reboot(struct device *d, int slot, struct art_err *err);

/* The program that downloads: $TWINROOT_FETCH (for trying things out beside an installed version), else what install.conf says; NULL: the one
 * that was installed with this program. */
const char *device_fetch_program(const struct device *d);

/* Has the state record been written in this boot? */
bool device_same_boot(const struct device *d);

/* The state record, and what it is to say when everything is at rest. */
int device_save(struct device *d, struct art_err *err);

#endif
