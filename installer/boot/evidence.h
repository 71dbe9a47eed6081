/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the boot chain itself says of this boot, read from the kernel's files alone: no configuration, no library. A device whose
 * configuration cannot be read still finds out that it is on trial, and can leave.
 * ROOT goes before the absolute paths: "" on a device.
 */
#ifndef INSTALLER_BOOT_EVIDENCE_H
#define INSTALLER_BOOT_EVIDENCE_H

#include <stdbool.h>

/* True when the boot chain started this boot as a trial: `twinroot.trial=1` on the kernel command line, the Raspberry Pi firmware's
 * tryboot flag, or EFI (its firmware, or systemd-boot) having started the entry that the own variable calls the trial, while the other slot's is
 * the default. */
bool boot_evidence_trial(void);
bool boot_evidence_trial_in(const char *root);

/* The Raspberry Pi firmware: the boot partition it started (0: not known), and whether as a try. */
struct boot_firmware {
	unsigned int partition;
	bool tryboot;
};
void boot_evidence_firmware(const char *root, struct boot_firmware *out);

#endif
