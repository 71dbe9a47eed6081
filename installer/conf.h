/* SPDX-License-Identifier: Apache-2.0 */
/* install.conf: what twinroot-install.conf(5) says, and nothing else, is accepted. */
#ifndef INSTALLER_CONF_H
#define INSTALLER_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"

#define CONFIG_SLOTS 2
#define CONFIG_PARTS_MAX 8 /* as many payloads as a manifest may have */

struct config_part {
	char *payload; /* the key: a payload's name */
	char *path;    /* the value: a path, PARTUUID=... or PARTLABEL=... */
};

struct config_slot {
	size_t count;
	struct config_part part[CONFIG_PARTS_MAX];
};

enum config_remote { CONFIG_REMOTE_PREFER, CONFIG_REMOTE_REQUIRE, CONFIG_REMOTE_IGNORE };

/* Strings are NULL where the key is absent and has no default. */
struct config {
	char *device_type;
	char *device_hardware;
	char *device_attributes;
	char *device_optional; /* payloads that an artifact may lack, between spaces */
	struct config_slot slot[CONFIG_SLOTS];
	char *boot_backend;
	char *boot_script;
	char *boot_environment;
	char *boot_environment_copy;
	char *boot_autoboot;
	uint64_t boot_partition_a; /* 0: not given */
	uint64_t boot_partition_b;
	char *boot_entry_a;
	char *boot_entry_b;
	char *boot_store;
	char *boot_store_copy;
	char *boot_reboot;
	uint64_t boot_tries;
	uint64_t boot_timeout;
	char *trust_keys;
	uint64_t deny_downgrade;
	char *state_directory;
	char *hooks_directory;
	uint64_t hooks_timeout;
	char *checks_directory;
	uint64_t checks_deadline;
	uint64_t checks_settle;
	uint64_t checks_timeout;
	char *checks_watchdog; /* a device, or "none" */
	uint64_t checks_watchdog_timeout;
	char *checks_remote_program;
	uint64_t checks_remote; /* enum config_remote */
	uint64_t checks_remote_limit;
	uint64_t download_full_never;
	uint64_t download_rate;
	char *download_proxy;
	char *download_ca;
	char *download_seeds; /* paths as of slots, between spaces */
	char *download_program;
	char *fleet_url;
	char *fleet_report;
	char *fleet_key;
	char *fleet_certificate;
	uint64_t fleet_interval;
};

/* Read PATH. Every fault is ART_E_USAGE and names the file and the key. config_free also after a failure. */
int config_read(struct config *c, const char *path, struct art_err *err);

/* The same from text (NUL-terminated); NAME is for messages. */
int config_parse(struct config *c, const char *text, const char *name, struct art_err *err);
void config_free(struct config *c);

/* The path that slot SLOT gives to PAYLOAD, or NULL. */
const char *config_slot_path(const struct config *c, int slot, const char *payload);

#endif
