// SPDX-License-Identifier: Apache-2.0
/*
 * The ways out of a trial that has failed. Whatever is broken (the configuration, the state directory, a hook, the init system), a
 * device must not stay in the new slot for it: what cannot be written down is left to the bootloader, which counts the tries.
 */
#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "common/cli.h"
#include "installer/boot/evidence.h"
#include "installer/boot_check.h"
#include "installer/switch.h"
#include "installer/watchdog.h"

#define SHUTDOWN_PATIENCE 120 /* seconds that the init system may take */

int check_back(struct check *c, enum outcome *out, struct art_err *err)
{
	struct device *d = &c->device;
	int code;

	cli_warn("slot %c does not pass: %s: %s", 'a' + d->running, c->fault.reason,
		 c->fault.text);
	*out = c->stay ? STAYING : GONE_BACK;
	if (c->stay)
		return 0;
	/* A store that was lost under the trial has no default to go back to. */
	code = d->boot_lost ? boot_commit(&d->boot, 1 - d->running, d->state.transaction, err) : 0;
	return code < 0 ? code : switch_give_up(d, d->running, c->fault.reason, err);
}

int check_leave_trial(struct check *c, const char *reason, const char *text, enum outcome *out)
{
	struct art_err err = { 0 };

	snprintf(c->fault.reason, sizeof(c->fault.reason), "%s", reason);
	snprintf(c->fault.text, sizeof(c->fault.text), "%s", text);
	if (check_back(c, out, &err) < 0)
		cli_warn("%s", err.text);
	return 0;
}

/* Give slot RUNNING up with a device that opened halfway or not at all, if only by restarting until the bootloader has counted
 * its tries. RUNNING comes from elsewhere: such a device does not know what runs. */
static void abandon(struct check *c, int running, const char *reason)
{
	struct device *d = &c->device;
	struct art_err err = { 0 };

	if (!d->boot.ops || running == BOOT_NONE || d->boot_state.standard == running)
		return;
	d->running = running;
	if (d->state_file.fd >= 0 ?
		    switch_give_up(d, running, reason, &err) < 0 :
		    boot_bad(&d->boot, running, device_next_transaction(d), &err) < 0)
		cli_warn("%s", err.text);
}

int check_emergency(struct check *c, const struct art_err *why, enum outcome *out)
{
	const struct device *d = &c->device;
	int booted = d->boot.ops ? d->boot_state.booted : BOOT_NONE;

	*out = STAYING;
	if (!boot_evidence_trial())
		return -1;
	/* Committed since: the boot chain's word is as old as this boot. */
	if (booted != BOOT_NONE && d->boot_state.standard == booted)
		return -1;
	cli_warn("this boot is a trial, and the installer cannot work in it: %s", why->text);
	*out = GONE_BACK;
	if (d->boot.ops && booted == BOOT_NONE)
		booted = d->boot_state.trial;
	abandon(c, booted, "cannot-update: configuration");
	return 0;
}

int check_trial_error(struct check *c, enum outcome *out, const struct art_err *why)
{
	/* Whoever holds the lock that long is ending the trial by hand; if not, the next boot judges. */
	if (c->stay || why->code == ART_E_STATE_LOCKED)
		return why->code;
	if (c->whole)
		return check_leave_trial(c, art_code_name(why->code), why->text, out);
	cli_warn("slot %c does not pass: %s", 'a' + c->on_trial, why->text);
	*out = GONE_BACK;
	abandon(c, c->on_trial, art_code_name(why->code));
	return 0;
}

int check_reboot(struct check *c, struct art_err *err)
{
	int code = 0;

	if (c->no_reboot) {
		cli_warn("a reboot is due");
		return 0;
	}
	watchdog_allow(60 + SHUTDOWN_PATIENCE);
	if (c->open && c->device.config.boot_reboot)
		code = device_reboot(&c->device, 1 - c->device.running, err);
	else
		code = art_fail(err, ART_E_FAILED, "no configuration");
	/* The init system is taking everything down, this program too. */
	if (code == 0)
		check_wait(c, SHUTDOWN_PATIENCE);
	/* Neither a hook nor a broken init may keep a device in a slot that is given up. */
	cli_warn("rebooting at once%s%s", code < 0 ? ": " : "", code < 0 ? err->text : "");
	sync();
	reboot(RB_AUTOBOOT);
	return art_fail_errno(err, ART_E_FAILED, "cannot reboot");
}

int check_give_up(struct check *c, const char *reason, enum outcome *out, struct art_err *err)
{
	enum reconcile_act act;
	int code = check_take(c, err);

	if (code < 0)
		return check_emergency(c, err, out) < 0 ? code : 0;
	act = check_judge(c);
	if (act != ACT_GATE && act != ACT_BACK) {
		*out = DONE;
		cli_warn("slot %c is not on trial: nothing to give up", 'a' + c->device.running);
		return 0;
	}
	log_event(&c->device.log, LOG_CHECK_FAILED, "{s:s,s:s}", "reason", reason, "text",
		  "given up by --give-up");
	return check_leave_trial(c, reason, "something else than boot-check has given it up", out);
}
