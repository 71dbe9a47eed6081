/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of boot-check share: boot_check.c, the course of a trial, and leave.c, the ways out of it. */
#ifndef INSTALLER_BOOT_CHECK_H
#define INSTALLER_BOOT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "installer/device.h"
#include "installer/gate.h"
#include "installer/reconcile.h"

struct check {
	const char *config_path;
	struct device device;
	bool open;
	bool whole;             /* and all of it: what failed to open halfway is not to be acted on */
	bool no_reboot;
	const char *give_up;    /* the reason of --give-up */
	bool stay;              /* there is nothing better to go back to */
	int64_t deadline;       /* of the LOCAL gate, proc_now() */
	int on_trial;           /* the slot that the gate judges */
	struct gate_fault fault;
};

enum outcome {
	DONE,      /* at rest, or committed */
	ON_TRIAL,  /* the gate is next */
	GONE_BACK, /* another slot is to boot now */
	STAYING,   /* the gate did not pass, and this is the best there is */
};

/* Open the device, with its lock, once more; waits for another command to end rather than lose a trial to it. */
int check_take(struct check *c, struct art_err *err);
enum reconcile_act check_judge(const struct check *c);
/* Feeds the watchdog meanwhile, and holds no lock. */
void check_wait(struct check *c, uint64_t seconds);

/* C->fault ends the trial: bad and GONE_BACK, or STAYING where there is nothing better. */
int check_back(struct check *c, enum outcome *out, struct art_err *err);
/* The same for a fault that is found here. Always 0: where it cannot be written down, restarting ends the trial too, as the boot
 * chain counts its tries. */
int check_leave_trial(struct check *c, const char *reason, const char *text, enum outcome *out);
/* The device cannot be opened, WHY: on trial that is the new release's fault. 0, or -1 where this boot is no trial. */
int check_emergency(struct check *c, const struct art_err *why, enum outcome *out);
/* An error of the machine on trial (the state directory takes no write ...) is a failed trial. Returns 0, or WHY's code where it is not to be taken so. */
int check_trial_error(struct check *c, enum outcome *out, const struct art_err *why);
/* For --give-up: something else has found this boot a failure. *OUT is DONE where it is not a trial. */
int check_give_up(struct check *c, const char *reason, enum outcome *out, struct art_err *err);
/* Reboot. Returns 0 when the machine does not go down though nothing failed (C->no_reboot), else an error. */
int check_reboot(struct check *c, struct art_err *err);

#endif
