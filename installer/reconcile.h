/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What boot-check does about what it finds: the table of README.md, "Who is right about what". Pure: it looks at the two
 * stores and says what to do.
 */
#ifndef INSTALLER_RECONCILE_H
#define INSTALLER_RECONCILE_H

#include <stdbool.h>

#include "installer/boot.h"
#include "installer/state.h"

/* What the boot store says, seen from the slot that runs. A trial of a slot that is bad is none. */
enum reconcile_store {
	STORE_REST,    /* the running slot is the default, nothing is on trial */
	STORE_ARMED,   /* it is the default, the other is armed, and nothing shows that the trial has begun */
	STORE_BEGUN,   /* the same, and tries have been used */
	STORE_SPENT,   /* the same, and no try is left */
	STORE_TRIAL,   /* the running slot is on trial, the other one is the default */
	STORE_FOREIGN, /* the other one is the default, and the running slot is not on trial */
	STORE_LOST,    /* nothing valid in any copy */
	STORE_COUNT
};

/* What the state record says: its phase, and whether that is about the other slot or the running one. */
enum reconcile_record {
	RECORD_IDLE, /* nothing, or the record is lost */
	RECORD_INSTALLING_OTHER,
	RECORD_INSTALLING_RUNNING,
	RECORD_INSTALLED_OTHER,
	RECORD_INSTALLED_RUNNING,
	RECORD_TRYING_OTHER,
	RECORD_TRYING_RUNNING,
	RECORD_HEALTHY_OTHER,
	RECORD_HEALTHY_RUNNING,
	RECORD_COMMITTED_OTHER,
	RECORD_COMMITTED_RUNNING,
	RECORD_ROLLED_BACK_OTHER,
	RECORD_ROLLED_BACK_RUNNING,
	RECORD_FAILED_OTHER,
	RECORD_FAILED_RUNNING,
	RECORD_COUNT
};

enum reconcile_act {
	ACT_NOTHING,     /* all is at rest, or goes on at the next boot */
	ACT_GATE,        /* the trial: commit the running slot when it passes the gate, else give it up and reboot */
	ACT_GATE_STAY,   /* there is nothing better to go to: commit it when it passes, else stay */
	ACT_COMMIT,      /* the bootloader has committed the running slot: so does the record */
	ACT_REDO_COMMIT, /* the record's commit has not reached the bootloader, or was lost there: once more */
	ACT_REARM,       /* the other slot is complete and was never started: arm it, and reboot */
	ACT_RETRY,       /* it was started and tries are left: reboot into it (one-shot: arm it first) */
	ACT_GIVE_UP,     /* its tries are used up: mark it bad */
	ACT_BACK,        /* the running slot must not run: mark it bad, and reboot */
	ACT_RECORD_BACK, /* the bootloader has given the other slot up already: so does the record */
	ACT_REDO_BAD,    /* the record has given it up, the bootloader has not: once more */
	ACT_INTERRUPTED, /* an install was cut off: keep the target from booting, say so in the record */
	ACT_DISARM,      /* armed, and nothing is to be tried: commit the running slot once more, which ends the trial */
	ACT_RESTORE,     /* make the bootloader's store anew out of the record, then look again */
	ACT_COUNT
};

const char *reconcile_store_name(enum reconcile_store store);
const char *reconcile_record_name(enum reconcile_record record);
const char *reconcile_act_name(enum reconcile_act act);

/* BOOT NULL: the store is lost. */
enum reconcile_store reconcile_store(const struct boot_state *boot, const struct state *state,
				     int running);
enum reconcile_record reconcile_record(const struct state *state, int running);

/* The table. AHEAD: the store's transaction is higher than the record's; ASTRAY: it is lower, or the running slot is known for
 * one that must not run. Two cells depend on them. */
enum reconcile_act reconcile_table(enum reconcile_store store, enum reconcile_record record,
				   bool ahead, bool astray);

/* All three. TRIAL_EVIDENCE: the boot chain itself says that this boot is a trial (a lost store cannot). */
enum reconcile_act reconcile(const struct boot_state *boot, const struct state *state, int running,
			     bool trial_evidence);

#endif
