// SPDX-License-Identifier: Apache-2.0
/* commit, rollback, mark-bad: changing what boots. The bootloader first, then the record; each step may be done
 * again after a cut. */
#include <stdio.h>
#include <string.h>

#include "common/cli.h"
#include "installer/commands.h"
#include "installer/switch.h"

static char letter(int slot)
{
	return (char)('a' + slot);
}

static const char *slot_name(int slot)
{
	return slot ? "b" : "a";
}

/* OUTCOME is for programs. */
static void told(int slot, const char *outcome, const char *what)
{
	if (cli_json())
		printf("{\"slot\": \"%c\", \"outcome\": \"%s\"}\n", letter(slot), outcome);
	else if (cli_level() >= CLI_WARN)
		printf("slot %c %s\n", letter(slot), what);
}

/* One write raises the floor too, so that no cut lies between. */
int switch_record_commit(struct device *d, uint64_t transaction, const char *reason,
			 struct art_err *err)
{
	struct state *s = &d->state;
	struct state_slot *slot = &s->slot[d->running];

	s->transaction = transaction;
	s->phase = PHASE_COMMITTED;
	s->active = d->running;
	s->target = -1;
	s->tries = s->used = 0;
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	/* What was never read back whole, and runs all the same, is not known. */
	if (slot->content == CONTENT_PARTIAL)
		memset(slot, 0, sizeof(*slot));
	if (slot->content != CONTENT_UNKNOWN) {
		slot->content = CONTENT_GOOD;
		if (slot->counter > s->floor)
			s->floor = slot->counter;
	}
	return device_save(d, err);
}

int switch_commit(struct device *d, const char *reason, struct art_err *err)
{
	uint64_t transaction = device_next_transaction(d);
	int code = boot_commit(&d->boot, d->running, transaction, err);

	if (code == 0)
		code = switch_record_commit(d, transaction, reason, err);
	if (code < 0)
		return code;
	log_event(&d->log, LOG_COMMITTED, "{s:s,s:s}", "slot", slot_name(d->running), "reason",
		  reason);
	device_tell(d, "post-commit", d->running);
	return 0;
}

static int commit(struct device *d, struct art_err *err)
{
	int code;

	if (!device_on_trial(d))
		return art_fail(err, ART_E_STATE_WRONG,
				"nothing to commit: slot %c runs and is the default",
				letter(d->running));
	code = switch_commit(d, "", err);
	if (code == 0)
		told(d->running, "committed", "is committed");
	return code;
}

int switch_record_given_up(struct device *d, int slot, uint64_t transaction, const char *reason,
			   struct art_err *err)
{
	struct state *s = &d->state;
	int code;

	s->transaction = transaction;
	s->phase = PHASE_ROLLED_BACK;
	s->active = 1 - slot;
	s->target = slot;
	s->tries = s->used = 0;
	s->slot[slot].content = CONTENT_BAD;
	/* boot-check may say the one that is there already. */
	if (reason != s->reason)
		snprintf(s->reason, sizeof(s->reason), "%s", reason);
	code = device_save(d, err);
	if (code < 0)
		return code;
	log_event(&d->log, LOG_ROLLED_BACK, "{s:s,s:s}", "slot", slot_name(slot), "reason",
		  reason);
	device_tell(d, "post-rollback", slot);
	return 0;
}

int switch_give_up(struct device *d, int slot, const char *reason, struct art_err *err)
{
	uint64_t transaction = device_next_transaction(d);
	int code = boot_bad(&d->boot, slot, transaction, err);

	return code < 0 ? code : switch_record_given_up(d, slot, transaction, reason, err);
}

/* The trial, running or armed, is over; the committed slot boots. */
static int give_up(struct device *d, int slot, struct art_err *err)
{
	int code = switch_give_up(d, slot, "by-hand", err);

	if (code == 0 && slot == d->running)
		told(slot, "given-up", "is given up; reboot to leave it");
	else if (code == 0)
		told(slot, "called-off", "is not tried");
	return code;
}

/* Everything is committed: try what the other slot still holds. It must prove itself like a new one. */
static int go_back(struct device *d, struct art_err *err)
{
	struct state *s = &d->state;
	int other = 1 - d->running;
	unsigned int tries = (unsigned int)d->config.boot_tries;
	uint64_t transaction = device_next_transaction(d);
	uint32_t floor = 0;
	int code = device_floor(d, &floor, err);

	if (code < 0)
		return code;
	if (s->slot[other].content != CONTENT_GOOD || d->boot_state.bad[other])
		return art_fail(err, ART_E_STATE_WRONG, "slot %c holds nothing to go back to",
				letter(other));
	if (s->slot[other].counter < floor)
		return art_fail(err, ART_E_COMPAT_COUNTER,
				"slot %c has security counter %u, this device's floor is %u",
				letter(other), s->slot[other].counter, floor);
	s->transaction = transaction;
	s->phase = PHASE_INSTALLED;
	s->active = d->running;
	s->target = other;
	s->tries = tries;
	s->used = 0;
	snprintf(s->reason, sizeof(s->reason), "by-hand");
	code = device_save(d, err);
	if (code == 0)
		code = boot_arm(&d->boot, other, tries, transaction, err);
	if (code < 0)
		return code;
	log_event(&d->log, LOG_ARMED, "{s:s,s:i}", "slot", slot_name(other), "tries",
		  (int)tries);
	told(other, "armed", "is tried at the next boot");
	return 0;
}

static int rollback(struct device *d, struct art_err *err)
{
	/* Given up already (a reboot is due) says the same once more. */
	if (d->boot_state.standard != d->running && d->boot_state.trial != d->running &&
	    !d->boot_state.bad[d->running])
		return art_fail(err, ART_E_STATE_WRONG,
				"slot %c runs though slot %c is the default, which did not boot: there is nothing to go back to",
				letter(d->running), letter(1 - d->running));
	/* Committed in the bootloader already: the trial can only be ended by one of the other slot. */
	if (d->boot_state.standard != d->running)
		return give_up(d, d->running, err);
	if (d->boot_state.trial != BOOT_NONE && d->boot_state.trial != d->running)
		return give_up(d, d->boot_state.trial, err);
	if (device_on_trial(d))
		return art_fail(err, ART_E_STATE_WRONG,
				"slot %c is the bootloader's default already; commit it first",
				letter(d->running));
	return go_back(d, err);
}

static int mark_bad(struct device *d, struct art_err *err)
{
	int slot = 1 - d->running;
	uint64_t transaction = device_next_transaction(d);
	int code;

	if (d->boot_state.standard != d->running)
		return art_fail(err, ART_E_STATE_WRONG,
				"slot %c is the one to fall back to; commit or roll back first",
				letter(slot));
	code = boot_bad(&d->boot, slot, transaction, err);
	if (code < 0)
		return code;
	d->state.transaction = transaction;
	d->state.slot[slot].content = CONTENT_BAD;
	if (d->state.target == slot) {
		d->state.target = -1;
		d->state.phase = PHASE_IDLE;
	}
	code = device_save(d, err);
	if (code < 0)
		return code;
	log_event(&d->log, LOG_MARKED_BAD, "{s:s}", "slot", slot_name(slot));
	told(slot, "bad", "is never booted until something is installed on it");
	return 0;
}

static int run(const char *config, int argc, char **argv, const char *const *help,
	       int (*act)(struct device *d, struct art_err *err))
{
	struct art_err err = { 0 };
	struct device d;
	int code, status = command_options(argc, argv, help, 0, 0);

	if (status >= 0)
		return status;
	code = device_open(&d, config, DEVICE_CHANGE, &err);
	if (code == 0)
		code = act(&d, &err);
	status = code < 0 ? cli_fail(&err) : 0;
	device_close(&d);
	return cli_exit(status);
}

int command_commit(const char *config, int argc, char **argv)
{
	static const char *const help[] = {
		"usage: artifact-install [-c CONFIG] commit [OPTION]...",
		"Keep the slot that runs on trial: it boots from now on, and its security counter binds.",
		"",
		"      --json      as JSON",
		"  -q, --quiet     errors only",
		"  -v, --verbose   more messages, and the stable name of an error",
		"  -h, --help      this text",
		NULL,
	};

	return run(config, argc, argv, help, commit);
}

int command_rollback(const char *config, int argc, char **argv)
{
	static const char *const help[] = {
		"usage: artifact-install [-c CONFIG] rollback [OPTION]...",
		"On trial: give the running slot up. Armed, not yet tried: call the trial off. Otherwise: try the",
		"artifact that ran before, which the other slot still holds.",
		"",
		"      --json      as JSON",
		"  -q, --quiet     errors only",
		"  -v, --verbose   more messages, and the stable name of an error",
		"  -h, --help      this text",
		NULL,
	};

	return run(config, argc, argv, help, rollback);
}

int command_mark_bad(const char *config, int argc, char **argv)
{
	static const char *const help[] = {
		"usage: artifact-install [-c CONFIG] mark-bad [OPTION]...",
		"Never boot the slot that does not run, until something is installed on it.",
		"",
		"      --json      as JSON",
		"  -q, --quiet     errors only",
		"  -v, --verbose   more messages, and the stable name of an error",
		"  -h, --help      this text",
		NULL,
	};

	return run(config, argc, argv, help, mark_bad);
}
