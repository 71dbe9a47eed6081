/* SPDX-License-Identifier: Apache-2.0 */
/* The LOCAL gate of boot-check: what must hold of the running slot before it may be committed. */
#ifndef INSTALLER_GATE_H
#define INSTALLER_GATE_H

#include "installer/device.h"

/* Why it does not pass. */
struct gate_fault {
	char reason[STATE_REASON_MAX + 1]; /* "identity", "cannot-update: keys", ... */
	char text[512];
};

/* The slot that runs is the one that was installed. 0, or -1 and FAULT. */
int gate_identity(const struct device *d, struct gate_fault *fault);

/*
 * Would the next update work, with this program and this configuration? Keys reach their thresholds, the running artifact is one that
 * they accept and that is made for this device, both slots can be opened and are large enough, the bootloader's store and
 * the state directory take a write, decoder and download program start. TRIAL: there is a slot to go back to, so that what was kept
 * of the running artifact must be there too. 0, or -1 and FAULT.
 */
int gate_next_update(struct device *d, bool trial, struct gate_fault *fault);

#endif
