// SPDX-License-Identifier: Apache-2.0
/*
 * boot-check: what an init script runs at every boot. It brings the bootloader's store and the state record together (reconcile.h),
 * and takes a slot on trial through the gate: LOCAL (gate.h, checks.h) twice with the settle time between, then
 * REMOTE (remote.h), then commit; or back, with a reason. While it waits it holds no lock, so that status, commit and
 * rollback work; before each act it looks again whether the trial still is one.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "common/cli.h"
#include "installer/boot/evidence.h"
#include "installer/checks.h"
#include "installer/commands.h"
#include "installer/gate.h"
#include "installer/proc.h"
#include "installer/reconcile.h"
#include "installer/remote.h"
#include "installer/switch.h"
#include "installer/watchdog.h"

#define LOCK_PATIENCE 120     /* seconds that another command may take */
#define SHUTDOWN_PATIENCE 120 /* seconds that the init system may take */
#define PASSES_MAX 4          /* acts that may follow from each other */
#define HEALTHY_BOOTS_MAX 20  /* boots of a slot that has been healthy, until it is committed: power cuts do not cost it its
			       * place, dying again and again does */

struct check {
	const char *config_path;
	struct device device;
	bool open;
	bool whole;             /* and all of it: what failed to open halfway is not to be acted on */
	bool no_reboot;
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

static void release(struct check *c)
{
	if (c->open)
		device_close(&c->device);
	c->open = false;
}

/* Wait for another command to end rather than lose a trial to it. */
static int take(struct check *c, struct art_err *err)
{
	const struct timespec nap = { 1, 0 };
	int i, code = 0;

	for (i = 0; i < LOCK_PATIENCE; i++) {
		release(c);
		code = device_open(&c->device, c->config_path, DEVICE_CHECK, err);
		c->open = true;
		c->whole = code == 0;
		if (code != ART_E_STATE_LOCKED)
			break;
		watchdog_allow(60);
		nanosleep(&nap, NULL);
	}
	return code;
}

static enum reconcile_act judge(const struct check *c)
{
	const struct device *d = &c->device;

	return reconcile(d->boot_lost ? NULL : &d->boot_state, &d->state, d->running,
			 boot_evidence_trial());
}

/* Does what was decided in this very boot wait for a reboot still? Asked again before that, nothing is to be done. */
static bool is_pending(const struct device *d, enum reconcile_act act)
{
	int other = 1 - d->running;

	if (!device_same_boot(d))
		return false;
	if (act == ACT_REARM || act == ACT_RETRY)
		return d->boot_state.trial == other;
	return act == ACT_GATE_STAY &&
	       ((d->state.phase == PHASE_ROLLED_BACK && d->state.target == d->running) ||
		(d->state.phase == PHASE_COMMITTED && d->state.active == other));
}

/* Start the other slot's trial (again). Ends when as many boots as it was armed with have not brought it to life. */
static int try_again(struct check *c, bool begun, bool arm, enum outcome *out, struct art_err *err)
{
	struct device *d = &c->device;
	struct state *s = &d->state;
	int other = 1 - d->running, code;
	unsigned int tries = s->tries > 0 ? s->tries : (unsigned int)d->config.boot_tries;

	*out = DONE;
	if (s->used + 1 >= (s->phase == PHASE_HEALTHY ? HEALTHY_BOOTS_MAX : tries))
		return switch_give_up(d, other, begun ? "tries-used-up" : "never-started", err);
	s->used++;
	s->tries = tries;
	s->target = other;
	if (s->phase == PHASE_IDLE)
		s->phase = PHASE_INSTALLED;
	code = device_save(d, err);
	/* A durable store goes on counting; a copy of it that the bootloader could not write is mended by any write. */
	if (code == 0)
		code = arm ? boot_arm(&d->boot, other, tries, s->transaction, err) :
			     boot_noop(&d->boot, err);
	if (code < 0)
		return code;
	log_event(&d->log, LOG_STARTED_AGAIN, "{s:s,s:i,s:i}", "slot", other ? "b" : "a", "times",
		  (int)s->used, "of", (int)tries);
	*out = GONE_BACK;
	return 0;
}

static int interrupted(struct device *d, struct art_err *err)
{
	int code = d->boot_state.bad[1 - d->running] ?
			   0 :
			   boot_bad(&d->boot, 1 - d->running, d->state.transaction, err);

	d->state.phase = PHASE_FAILED;
	snprintf(d->state.reason, sizeof(d->state.reason), "interrupted");
	return code < 0 ? code : device_save(d, err);
}

static int redo_commit(struct device *d, enum outcome *out, struct art_err *err)
{
	int code = boot_commit(&d->boot, d->state.active, d->state.transaction, err);

	*out = d->state.active == d->running ? DONE : GONE_BACK;
	/* So that this is not done twice in one boot. */
	return code < 0 ? code : device_save(d, err);
}

/* The store made anew says what the record says, with the record's transaction: no act of its own. */
static int restore(struct device *d, struct art_err *err)
{
	int active = d->state.active >= 0 ? d->state.active : d->running;

	cli_warn("the bootloader's store was lost; it is made anew with slot %c as the default",
		 'a' + active);
	log_event(&d->log, LOG_STORE_RESTORED, "{s:s}", "slot", active ? "b" : "a");
	return boot_commit(&d->boot, active, d->state.transaction, err);
}

static const char *reason_or(const struct device *d, const char *otherwise)
{
	return d->state.reason[0] ? d->state.reason : otherwise;
}

static int go_back(struct check *c, enum outcome *out, struct art_err *err)
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

/* Where that cannot be written down, restarting ends the trial too: the boot chain counts its tries. */
static int leave_trial(struct check *c, const char *reason, const char *text, enum outcome *out)
{
	struct art_err err = { 0 };

	snprintf(c->fault.reason, sizeof(c->fault.reason), "%s", reason);
	snprintf(c->fault.text, sizeof(c->fault.text), "%s", text);
	if (go_back(c, out, &err) < 0)
		cli_warn("%s", err.text);
	return 0;
}

/* One act of the table. *AGAIN: another may follow from it. */
static int perform(struct check *c, enum reconcile_act act, enum outcome *out, bool *again,
		   struct art_err *err)
{
	struct device *d = &c->device;
	int other = 1 - d->running;
	bool one_shot = d->boot_state.one_shot;

	*out = DONE;
	*again = true;
	switch (act) {
	case ACT_COMMIT:
		return switch_commit(d, "", err);
	case ACT_REDO_COMMIT:
		*again = false;
		return redo_commit(d, out, err);
	case ACT_REARM:
		*again = false;
		return try_again(c, false, true, out, err);
	case ACT_RETRY:
		*again = false;
		if (d->boot_state.left == 0 && !one_shot)
			return switch_give_up(d, other, "tries-used-up", err);
		return try_again(c, true, one_shot, out, err);
	case ACT_GIVE_UP:
		return switch_give_up(d, other, "tries-used-up", err);
	case ACT_BACK:
		*again = false;
		return leave_trial(c, reason_or(d, "incomplete"), "it must not run", out);
	case ACT_RECORD_BACK:
		return switch_record_given_up(d, other, d->boot_state.transaction,
					      reason_or(d, "given-up"), err);
	case ACT_REDO_BAD:
		return boot_bad(&d->boot, other, d->state.transaction, err);
	case ACT_INTERRUPTED:
		return interrupted(d, err);
	case ACT_DISARM:
		return boot_commit(&d->boot, d->running, d->state.transaction, err);
	case ACT_RESTORE:
		return restore(d, err);
	default:
		*again = false;
		*out = act == ACT_NOTHING ? DONE : ON_TRIAL;
		c->stay = act == ACT_GATE_STAY;
		return 0;
	}
}

/* Bring the two stores together. */
static int reconcile_all(struct check *c, enum outcome *out, struct art_err *err)
{
	struct device *d = &c->device;
	bool again = true;
	int i, code = 0;

	for (i = 0; i < PASSES_MAX && again && code == 0; i++) {
		enum reconcile_act act = judge(c);

		if (is_pending(d, act))
			act = ACT_NOTHING;
		if (act != ACT_NOTHING) {
			cli_info("boot-check: %s", reconcile_act_name(act));
			log_event(&d->log, LOG_BOOT_CHECK, "{s:s,s:s}", "act",
				  reconcile_act_name(act), "running", d->running ? "b" : "a");
		}
		code = perform(c, act, out, &again, err);
		if (code == 0 && again)
			code = take(c, err);
	}
	return code;
}

/* The record hears of the trial before anything can fail in it: evidence that the slot came to life. */
static int begin_trial(struct check *c, struct art_err *err)
{
	struct device *d = &c->device;
	bool was_healthy = d->state.phase == PHASE_HEALTHY && d->state.target == d->running;
	int code;

	if (c->stay)
		return 0;
	if (!was_healthy) {
		d->state.phase = PHASE_TRYING;
		d->state.target = d->running;
		d->state.reason[0] = '\0';
		log_event(&d->log, LOG_TRIAL_STARTED, "{s:s,s:i}", "slot", d->running ? "b" : "a",
			  "left", (int)d->boot_state.left);
		return device_save(d, err);
	}
	/* It has shown itself healthy before: a series of power cuts shall not cost it its place. */
	if (d->state.used >= HEALTHY_BOOTS_MAX)
		return 0;
	d->state.used++;
	code = device_save(d, err);
	if (code < 0 || d->boot_state.one_shot || d->boot_lost)
		return code;
	return boot_arm(&d->boot, d->running, (unsigned int)d->config.boot_tries,
			d->state.transaction, err);
}

/* 0: passed; -1: c->fault. */
static int local_gate(struct check *c, unsigned int pass)
{
	struct device *d = &c->device;
	struct checks_result result;
	struct art_err err = { 0 };

	if (pass == 1 && (gate_identity(d, &c->fault) < 0 ||
			  gate_next_update(d, !c->stay, &c->fault) < 0)) {
		log_event(&d->log, LOG_CHECK_FAILED, "{s:s,s:s}", "reason", c->fault.reason,
			  "text", c->fault.text);
		return -1;
	}
	if (checks_run(d, pass, c->deadline, &result, &err) == 0)
		return 0;
	snprintf(c->fault.reason, sizeof(c->fault.reason), "check-failed: %.40s", result.name);
	snprintf(c->fault.text, sizeof(c->fault.text), "%s", err.text);
	log_event(&d->log, LOG_CHECK_FAILED, "{s:s,s:s,s:i,s:s%}", "reason", c->fault.reason,
		  "text", c->fault.text, "pass", (int)pass, "output", result.output,
		  strlen(result.output));
	return -1;
}

/* Without the lock. */
static void wait_seconds(struct check *c, uint64_t seconds)
{
	int64_t end = proc_now() + (int64_t)seconds * 1000;

	release(c);
	while (proc_now() < end) {
		const struct timespec nap = { 0, 200000000 };

		watchdog_allow(60);
		nanosleep(&nap, NULL);
	}
}

/* Look again after a wait. False: somebody has decided by hand. */
static bool still_on_trial(struct check *c, int *code, struct art_err *err)
{
	enum reconcile_act act;

	*code = take(c, err);
	if (*code < 0)
		return false;
	act = judge(c);
	return act == ACT_GATE || (act == ACT_GATE_STAY && c->stay);
}

static int healthy(struct check *c, struct art_err *err)
{
	struct device *d = &c->device;
	int code;

	if (c->stay)
		return 0;
	if (d->state.phase != PHASE_HEALTHY)
		d->state.used = 0;
	d->state.phase = PHASE_HEALTHY;
	code = device_save(d, err);
	if (code == 0 && !d->boot_state.one_shot && !d->boot_lost &&
	    d->state.used < HEALTHY_BOOTS_MAX)
		code = boot_arm(&d->boot, d->running, (unsigned int)d->config.boot_tries,
				d->state.transaction, err);
	if (code == 0)
		log_event(&d->log, LOG_HEALTHY, "{s:s}", "slot", d->running ? "b" : "a");
	return code;
}

enum remote_verdict { REMOTE_COMMIT, REMOTE_UNPROVEN, REMOTE_BACK, REMOTE_WAIT };

static enum remote_verdict judge_remote(struct check *c, bool over)
{
	const struct device *d = &c->device;
	enum remote_answer answer = remote_ask(d);

	if (answer == REMOTE_NONE || answer == REMOTE_REACHED)
		return REMOTE_COMMIT;
	if (!over)
		return REMOTE_WAIT;
	if (d->config.checks_remote == CONFIG_REMOTE_REQUIRE)
		snprintf(c->fault.reason, sizeof(c->fault.reason), "remote-limit");
	else if (answer == REMOTE_CUT_OFF && d->state.reached)
		snprintf(c->fault.reason, sizeof(c->fault.reason), "broken-network");
	else
		return REMOTE_UNPROVEN;
	snprintf(c->fault.text, sizeof(c->fault.text), "the server was not reached within %llu seconds",
		 (unsigned long long)d->config.checks_remote_limit);
	return REMOTE_BACK;
}

/* Ask until there is an answer or the time is over. 1: the trial has ended by other hands. */
static int remote_gate(struct check *c, enum remote_verdict *verdict, struct art_err *err)
{
	uint64_t limit = c->device.config.checks_remote_limit;
	uint64_t pause = limit / 20 < 1 ? 1 : limit / 20 > 60 ? 60 : limit / 20;
	int64_t end = proc_now() + (int64_t)limit * 1000;
	int code = 0;

	while (true) {
		*verdict = judge_remote(c, proc_now() >= end);
		if (*verdict != REMOTE_WAIT)
			return 0;
		wait_seconds(c, pause);
		if (!still_on_trial(c, &code, err))
			return code < 0 ? code : 1;
	}
}

static int run_gate(struct check *c, enum outcome *out, struct art_err *err)
{
	enum remote_verdict verdict = REMOTE_COMMIT;
	int code = begin_trial(c, err);

	c->deadline = proc_now() + (int64_t)c->device.config.checks_deadline * 1000;
	if (code < 0)
		return code;
	if (local_gate(c, 1) < 0)
		return go_back(c, out, err);
	wait_seconds(c, c->device.config.checks_settle);
	*out = DONE;
	if (!still_on_trial(c, &code, err))
		return code;
	c->deadline = proc_now() + (int64_t)c->device.config.checks_deadline * 1000;
	if (local_gate(c, 2) < 0)
		return go_back(c, out, err);
	code = healthy(c, err);
	if (code == 0)
		code = remote_gate(c, &verdict, err);
	if (code != 0)
		return code < 0 ? code : 0;
	if (verdict == REMOTE_BACK)
		return go_back(c, out, err);
	return switch_commit(&c->device, verdict == REMOTE_UNPROVEN ? "unproven" : "", err);
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

/* The configuration or a partition is not what this program can work with. On trial that is the new release's fault. */
static int emergency(struct check *c, const struct art_err *why, enum outcome *out)
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

/* An error of the machine on trial (the state directory takes no write ...) is a failed trial. */
static int trial_error(struct check *c, enum outcome *out, const struct art_err *why)
{
	/* Whoever holds the lock that long is ending the trial by hand; if not, the next boot judges. */
	if (c->stay || why->code == ART_E_STATE_LOCKED)
		return why->code;
	if (c->whole)
		return leave_trial(c, art_code_name(why->code), why->text, out);
	cli_warn("slot %c does not pass: %s", 'a' + c->on_trial, why->text);
	*out = GONE_BACK;
	abandon(c, c->on_trial, art_code_name(why->code));
	return 0;
}

/* Returns only when the machine does not go down. */
static int leave(struct check *c, struct art_err *err)
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
		wait_seconds(c, SHUTDOWN_PATIENCE);
	/* Neither a hook nor a broken init may keep a device in a slot that is given up. */
	cli_warn("rebooting at once%s%s", code < 0 ? ": " : "", code < 0 ? err->text : "");
	sync();
	reboot(RB_AUTOBOOT);
	return art_fail_errno(err, ART_E_FAILED, "cannot reboot");
}

static int boot_check(struct check *c, enum outcome *out, struct art_err *err)
{
	const struct config *conf = &c->device.config;
	struct art_err more = { 0 };
	int code = take(c, err);

	if (code < 0 && code != ART_E_STATE_LOCKED)
		return emergency(c, err, out) < 0 ? code : 0;
	if (code == 0)
		code = reconcile_all(c, out, err);
	if (code < 0 || *out != ON_TRIAL)
		return code;
	if (strcmp(conf->checks_watchdog, "none") != 0 &&
	    watchdog_start(conf->checks_watchdog, (unsigned int)conf->checks_watchdog_timeout,
			   &more) < 0)
		cli_info("no watchdog: %s", more.text);
	c->on_trial = c->device.running;
	code = run_gate(c, out, err);
	return code < 0 ? trial_error(c, out, err) : code;
}

static void report(const struct check *c)
{
	const struct device *d = &c->device;

	if (c->open && cli_level() >= CLI_WARN)
		printf("slot %c runs%s, %s%s%s\n", 'a' + d->running,
		       d->boot_state.standard == d->running ? " and is the default" : "",
		       state_phase_name(d->state.phase), d->state.reason[0] ? ": " : "",
		       d->state.reason);
}

static const char *const help[] = {
	"usage: artifact-install [-c CONFIG] boot-check [OPTION]...",
	"For the init system, once at every boot, when the services that matter have been started. Finds out what booted;",
	"a slot on trial must pass the checks, and is committed or given up. Waits as long as that takes.",
	"",
	"      --no-reboot     say that a reboot is due, and leave it to others",
	"  -q, --quiet         errors only",
	"  -v, --verbose       more messages, and the stable name of an error",
	"  -h, --help          this text",
	NULL,
};

int command_boot_check(const char *config, int argc, char **argv)
{
	enum { OPT_NO_REBOOT = 1 };
	static const struct option options[] = { { "no-reboot", no_argument, NULL, OPT_NO_REBOOT },
						 CLI_LONG_BASE,
						 { 0 } };
	struct check c = { .config_path = config };
	enum outcome out = DONE;
	struct art_err err = { 0 };
	int o, code, status;

	optind = 0;
	while ((o = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		if (o == OPT_NO_REBOOT) {
			c.no_reboot = true;
		} else if (o == CLI_OPT_HELP) {
			cli_help(help);
			return cli_exit(0);
		} else {
			status = cli_option(o);
			if (status != 0)
				return cli_exit(status);
		}
	}
	if (argc != optind)
		return cli_exit(cli_usage_error("boot-check: too many operands"));
	code = boot_check(&c, &out, &err);
	if (code == 0 && out == GONE_BACK)
		code = leave(&c, &err);
	watchdog_stop();
	if (code == 0 && c.open && c.whole && device_refresh(&c.device, &err) == 0)
		report(&c);
	status = code < 0 ? cli_fail(&err) : out == GONE_BACK || out == STAYING ? 1 : 0;
	release(&c);
	return cli_exit(status);
}
