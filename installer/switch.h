/* SPDX-License-Identifier: Apache-2.0 */
/* Changing what boots. The bootloader first, then the record; each may be done again after a cut. */
#ifndef INSTALLER_SWITCH_H
#define INSTALLER_SWITCH_H

#include "installer/device.h"

/* Commit the running slot: bootloader good, record committed and floor raised in one write. REASON: "" or why it is
 * committed though something was not shown. Logs, and runs the hook post-commit. */
int switch_commit(struct device *d, const char *reason, struct art_err *err);

/* SLOT is given up for REASON: never booted until something is installed on it. The other one is the committed one. */
int switch_give_up(struct device *d, int slot, const char *reason, struct art_err *err);

/* The record's half of each, for a bootloader that has done its half already. */
int switch_record_commit(struct device *d, uint64_t transaction, const char *reason,
			 struct art_err *err);
int switch_record_given_up(struct device *d, int slot, uint64_t transaction, const char *reason,
			   struct art_err *err);

#endif
