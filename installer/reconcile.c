// SPDX-License-Identifier: Apache-2.0
/*
 * The bootloader's store and the state record cannot be written in one step, so a power cut leaves any pair of them. Each
 * pair has its cell here; none is left to chance. Two rules run through the table: the bootloader is right about what
 * boots, the record about what a slot holds; and a slot that may be incomplete is never left bootable.
 */
#include "installer/reconcile.h"

const char *reconcile_store_name(enum reconcile_store store)
{
	static const char *const names[STORE_COUNT] = { "rest",  "armed",   "begun", "spent",
							"trial", "foreign", "lost" };

	return names[store];
}

const char *reconcile_record_name(enum reconcile_record record)
{
	static const char *const names[RECORD_COUNT] = {
		"idle",
		"installing, other",  "installing, running",
		"installed, other",   "installed, running",
		"trying, other",      "trying, running",
		"healthy, other",     "healthy, running",
		"committed, other",   "committed, running",
		"rolled-back, other", "rolled-back, running",
		"failed, other",      "failed, running",
	};

	return names[record];
}

const char *reconcile_act_name(enum reconcile_act act)
{
	static const char *const names[ACT_COUNT] = {
		"nothing", "gate",	  "gate-stay", "commit",      "redo-commit",
		"rearm",   "retry",	  "give-up",   "back",	      "record-back",
		"redo-bad", "interrupted", "disarm",	"restore",
	};

	return names[act];
}

enum reconcile_store reconcile_store(const struct boot_state *boot, const struct state *state,
				     int running)
{
	int other = 1 - running;

	if (!boot)
		return STORE_LOST;
	if (boot->standard != running)
		return boot->trial == running && !boot->bad[running] ? STORE_TRIAL : STORE_FOREIGN;
	if (boot->trial != other || boot->bad[other])
		return STORE_REST;
	if (boot->left == 0)
		return STORE_SPENT;
	return !boot->one_shot && state->target == other && boot->left < state->tries ?
		       STORE_BEGUN :
		       STORE_ARMED;
}

enum reconcile_record reconcile_record(const struct state *state, int running)
{
	static const enum reconcile_record others[PHASE_COUNT] = {
		[PHASE_IDLE] = RECORD_IDLE,
		[PHASE_INSTALLING] = RECORD_INSTALLING_OTHER,
		[PHASE_INSTALLED] = RECORD_INSTALLED_OTHER,
		[PHASE_TRYING] = RECORD_TRYING_OTHER,
		[PHASE_HEALTHY] = RECORD_HEALTHY_OTHER,
		[PHASE_COMMITTED] = RECORD_COMMITTED_OTHER,
		[PHASE_ROLLED_BACK] = RECORD_ROLLED_BACK_OTHER,
		[PHASE_FAILED] = RECORD_FAILED_OTHER,
	};
	int about = state->phase == PHASE_COMMITTED ? state->active : state->target;

	if (state->phase == PHASE_IDLE || about < 0)
		return RECORD_IDLE;
	return others[state->phase] + (about == running ? 1 : 0);
}

enum reconcile_act reconcile_table(enum reconcile_store store, enum reconcile_record record,
				   bool ahead, bool astray)
{
	/* clang-format off */
	static const unsigned char table[RECORD_COUNT][STORE_COUNT] = {
#define ROW(rest, armed, begun, spent, trial, foreign) \
	{ ACT_##rest, ACT_##armed, ACT_##begun, ACT_##spent, ACT_##trial, ACT_##foreign, ACT_RESTORE }
	[RECORD_IDLE]                = ROW(NOTHING,     NOTHING,     NOTHING,     GIVE_UP,     GATE,        GATE_STAY),
	[RECORD_INSTALLING_OTHER]    = ROW(INTERRUPTED, INTERRUPTED, INTERRUPTED, INTERRUPTED, GATE,        GATE_STAY),
	[RECORD_INSTALLING_RUNNING]  = ROW(GATE_STAY,   GATE_STAY,   GATE_STAY,   GATE_STAY,   BACK,        GATE_STAY),
	[RECORD_INSTALLED_OTHER]     = ROW(REARM,       REARM,       RETRY,       RETRY,       GATE,        GATE_STAY),
	[RECORD_INSTALLED_RUNNING]   = ROW(COMMIT,      COMMIT,      COMMIT,      COMMIT,      GATE,        GATE_STAY),
	[RECORD_TRYING_OTHER]        = ROW(RECORD_BACK, RETRY,       RETRY,       RETRY,       GATE,        GATE_STAY),
	[RECORD_TRYING_RUNNING]      = ROW(COMMIT,      COMMIT,      COMMIT,      COMMIT,      GATE,        GATE_STAY),
	[RECORD_HEALTHY_OTHER]       = ROW(RECORD_BACK, RETRY,       RETRY,       RETRY,       GATE,        GATE_STAY),
	[RECORD_HEALTHY_RUNNING]     = ROW(COMMIT,      COMMIT,      COMMIT,      COMMIT,      GATE,        GATE_STAY),
	[RECORD_COMMITTED_OTHER]     = ROW(GATE_STAY,   REDO_COMMIT, REDO_COMMIT, GIVE_UP,     GATE,        GATE_STAY),
	[RECORD_COMMITTED_RUNNING]   = ROW(NOTHING,     DISARM,      DISARM,      DISARM,      REDO_COMMIT, REDO_COMMIT),
	[RECORD_ROLLED_BACK_OTHER]   = ROW(NOTHING,     REDO_BAD,    REDO_BAD,    REDO_BAD,    GATE,        GATE_STAY),
	[RECORD_ROLLED_BACK_RUNNING] = ROW(GATE_STAY,   GATE_STAY,   GATE_STAY,   GATE_STAY,   BACK,        GATE_STAY),
	[RECORD_FAILED_OTHER]        = ROW(NOTHING,     REDO_BAD,    REDO_BAD,    REDO_BAD,    GATE,        GATE_STAY),
	[RECORD_FAILED_RUNNING]      = ROW(GATE_STAY,   GATE_STAY,   GATE_STAY,   GATE_STAY,   BACK,        GATE_STAY),
#undef ROW
	};
	/* clang-format on */

	/* The record says complete, the bootloader is not armed: cut before arming, or the new slot has given itself up and
	 * could not write the record. Giving up has a transaction of its own. */
	if (record == RECORD_INSTALLED_OTHER && store == STORE_REST && ahead)
		return ACT_RECORD_BACK;
	/* The record has committed the other slot, the bootloader starts this one: it has lost the commit, or somebody
	 * has chosen this one with the bootloader's own tools, and it must still pass. */
	if (record == RECORD_COMMITTED_OTHER && store == STORE_REST && astray)
		return ACT_REDO_COMMIT;
	return (enum reconcile_act)table[record][store];
}

/* The record knows SLOT for one that must not run: incomplete, given up, or below the floor. */
static bool is_unfit(const struct state *state, int slot)
{
	const struct state_slot *s = &state->slot[slot];

	return s->content == CONTENT_PARTIAL || s->content == CONTENT_BAD ||
	       (s->content != CONTENT_UNKNOWN && s->counter < state->floor);
}

/* See reconcile_table(). Never where the other slot is no better. */
static bool is_astray(const struct boot_state *boot, const struct state *state, int running)
{
	int other = 1 - running;

	if (!boot || is_unfit(state, other))
		return false;
	/* An older store may well say "bad" of what has been installed and committed since. */
	return boot->transaction < state->transaction ||
	       ((boot->bad[running] || is_unfit(state, running)) && !boot->bad[other]);
}

enum reconcile_act reconcile(const struct boot_state *boot, const struct state *state, int running,
			     bool trial_evidence)
{
	enum reconcile_store store = reconcile_store(boot, state, running);
	enum reconcile_record record = reconcile_record(state, running);
	bool ahead = boot && boot->transaction > state->transaction;
	bool astray = is_astray(boot, state, running);

	/* Lost since this trial was started: it goes on, and its end makes the store anew. */
	if (store == STORE_LOST && trial_evidence)
		store = STORE_TRIAL;
	return reconcile_table(store, record, ahead, astray);
}
