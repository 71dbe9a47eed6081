// SPDX-License-Identifier: Apache-2.0
/*
 * boot-check: what an init script runs at every boot. It brings the bootloader's store and the state record together (reconcile.h),
 * and takes a slot on trial through the gate: LOCAL (gate.h, checks.h) twice with the settle time between, then
 * REMOTE (remote.h), then commit; or back, with a reason. While it waits it holds no lock, so that status, commit and
 * rollback work; before each act it looks again whether the trial still is one.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/cli.h"
#include "installer/boot/evidence.h"
#include "installer/boot_check.h"
#include "installer/checks.h"
#include "installer/commands.h"
#include "installer/gate.h"
#include "installer/proc.h"
#include "installer/reconcile.h"
#include "installer/remote.h"
#include "installer/switch.h"
#include "installer/watchdog.h"

#define LOCK_PATIENCE 120     /* seconds that another command may take */
#define REASON_MAX 48         /* bytes of --give-up */
#define PASSES_MAX 4          /* acts that may follow from each other */
#define HEALTHY_BOOTS_MAX 20  /* boots of a slot that has been healthy, until it is committed: power cuts do not cost it its
			       * place, dying again and again does */

static void release(struct check *c)
{
	if (c->open)
		device_close(&c->device);
	c->open = false;
}

int check_take(struct check *c, struct art_err *err)
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

enum reconcile_act check_judge(const struct check *c)
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
		return check_leave_trial(c, reason_or(d, "incomplete"), "it must not run", out);
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
		enum reconcile_act act = check_judge(c);

		if (is_pending(d, act))
			act = ACT_NOTHING;
		if (act != ACT_NOTHING) {
			cli_info("boot-check: %s", reconcile_act_name(act));
			log_event(&d->log, LOG_BOOT_CHECK, "{s:s,s:s}", "act",
				  reconcile_act_name(act), "running", d->running ? "b" : "a");
		}
		code = perform(c, act, out, &again, err);
		if (code == 0 && again)
			code = check_take(c, err);
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
void check_wait(struct check *c, uint64_t seconds)
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

	*code = check_take(c, err);
	if (*code < 0)
		return false;
	act = check_judge(c);
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
		check_wait(c, pause);
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
		return check_back(c, out, err);
	check_wait(c, c->device.config.checks_settle);
	*out = DONE;
	if (!still_on_trial(c, &code, err))
		return code;
	c->deadline = proc_now() + (int64_t)c->device.config.checks_deadline * 1000;
	if (local_gate(c, 2) < 0)
		return check_back(c, out, err);
	code = healthy(c, err);
	if (code == 0)
		code = remote_gate(c, &verdict, err);
	if (code != 0)
		return code < 0 ? code : 0;
	if (verdict == REMOTE_BACK)
		return check_back(c, out, err);
	return switch_commit(&c->device, verdict == REMOTE_UNPROVEN ? "unproven" : "", err);
}

static int boot_check(struct check *c, enum outcome *out, struct art_err *err)
{
	const struct config *conf = &c->device.config;
	struct art_err more = { 0 };
	int code = check_take(c, err);

	if (code < 0 && code != ART_E_STATE_LOCKED)
		return check_emergency(c, err, out) < 0 ? code : 0;
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
	return code < 0 ? check_trial_error(c, out, err) : code;
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
	"      --give-up=REASON  judge nothing: a slot on trial is given up, and left; else nothing is done",
	"      --no-reboot     say that a reboot is due, and leave it to others",
	"  -q, --quiet         errors only",
	"  -v, --verbose       more messages, and the stable name of an error",
	"  -h, --help          this text",
	NULL,
};

/* What the record and the log take as a reason. */
static bool is_reason(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < REASON_MAX && strspn(text, ART_LOWER ART_DIGIT "-") == len;
}

/* -1: go on; else the exit status. */
static int parse(struct check *c, int argc, char **argv)
{
	enum { OPT_NO_REBOOT = 1, OPT_GIVE_UP };
	static const struct option options[] = {
		{ "no-reboot", no_argument, NULL, OPT_NO_REBOOT },
		{ "give-up", required_argument, NULL, OPT_GIVE_UP },
		CLI_LONG_BASE,
		{ 0 }
	};
	int o, status;

	optind = 0;
	while ((o = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		if (o == OPT_NO_REBOOT) {
			c->no_reboot = true;
		} else if (o == OPT_GIVE_UP && !is_reason(optarg)) {
			return cli_usage_error("boot-check: --give-up: '%s' is not a reason: a-z, 0-9 and '-', fewer than %d",
					       optarg, REASON_MAX);
		} else if (o == OPT_GIVE_UP) {
			c->give_up = optarg;
		} else if (o == CLI_OPT_HELP) {
			cli_help(help);
			return 0;
		} else {
			status = cli_option(o);
			if (status != 0)
				return status;
		}
	}
	return argc != optind ? cli_usage_error("boot-check: too many operands") : -1;
}

int command_boot_check(const char *config, int argc, char **argv)
{
	struct check c = { .config_path = config };
	enum outcome out = DONE;
	struct art_err err = { 0 };
	int code, status = parse(&c, argc, argv);

	if (status >= 0)
		return cli_exit(status);
	code = c.give_up ? check_give_up(&c, c.give_up, &out, &err) : boot_check(&c, &out, &err);
	if (code == 0 && out == GONE_BACK)
		code = check_reboot(&c, &err);
	watchdog_stop();
	if (code == 0 && c.open && c.whole && device_refresh(&c.device, &err) == 0)
		report(&c);
	status = code < 0 ? cli_fail(&err) : out == GONE_BACK || out == STAYING ? 1 : 0;
	release(&c);
	return cli_exit(status);
}
