/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot backends. The bootloader's store alone says which slot boots and how many tries are left. Each act is one
 * write of that store (never two, a power cut lies between any two) and carries the transaction number.
 */
#ifndef INSTALLER_BOOT_H
#define INSTALLER_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "installer/conf.h"
#include "libartifact/err.h"

#define BOOT_NONE (-1)

/*
 * Slots are 0 (a) and 1 (b). A durable store counts the tries itself: `left` is what remains, and less than was armed is
 * the evidence that the boot chain has begun the trial. A one-shot store boots the trial once, however it ends: `left`
 * is 1 until that boot has been used up (as far as the store can tell), and the tries are counted in the state record.
 * In both, `trial` stays what was armed until commit or bad.
 */
struct boot_state {
	int standard;         /* the committed slot: boots when no trial is under way */
	int trial;            /* armed for a trial, or BOOT_NONE */
	unsigned int left;    /* tries left for the trial; one-shot: 1 or 0 */
	bool bad[2];          /* must not be booted */
	int booted;           /* what the boot chain says it started, or BOOT_NONE: not known */
	uint64_t transaction;
	bool one_shot;        /* arming does not survive a failed boot */
};

struct boot;

struct boot_ops {
	const char *name;
	int (*open)(struct boot *b, const struct config *c, struct art_err *err);
	void (*close)(struct boot *b);
	/* ART_E_BOOT_LOST when there is a store, and nothing valid in any copy of it. */
	int (*get)(struct boot *b, struct boot_state *s, struct art_err *err);
	/* Make SLOT bootable and boot it next, at most TRIES times (one-shot: once) unless it is committed.
	 * Arming the slot that runs on trial fills its tries up again. */
	int (*arm)(struct boot *b, int slot, unsigned int tries, uint64_t transaction,
		   struct art_err *err);
	/* Make SLOT what boots from now on; ends the trial. A store that is lost is made anew. */
	int (*commit)(struct boot *b, int slot, uint64_t transaction, struct art_err *err);
	/* Never boot SLOT; ends its trial. */
	int (*bad)(struct boot *b, int slot, uint64_t transaction, struct art_err *err);
	/* A complete write of the store that changes nothing: proof that the next act will work. */
	int (*noop)(struct boot *b, struct art_err *err);
	/* Optional: restart the machine the way that this boot chain needs for an armed trial; returns only when it
	 * failed. Without it the program of [boot] reboot does. */
	int (*reboot)(struct boot *b, struct art_err *err);
	/* Optional: NULL, or why a power cut during a write of this store may lose it (one copy only, a filesystem in
	 * between ...): said by `status`, and leaves the set-up out of the power-cut claim. */
	const char *(*caution)(struct boot *b);
};

struct boot {
	const struct boot_ops *ops;
	const struct config *config;
	int lock;  /* of the installer, or -1; a program that changes the store holds it too, so that one whose
		    * installer was killed never runs beside the next one's */
	void *own; /* the backend's */
};

extern const struct boot_ops boot_script;
extern const struct boot_ops boot_tryboot;
extern const struct boot_ops boot_grub;
#ifdef WITH_UBOOT
extern const struct boot_ops boot_uboot;
#endif
#ifdef WITH_EFI
extern const struct boot_ops boot_efi;
extern const struct boot_ops boot_systemd_boot;
#endif

/* The backend that [boot] names. ART_E_USAGE when there is none of that name in this build. CONFIG outlives B. */
int boot_open(struct boot *b, const struct config *config, struct art_err *err);
void boot_close(struct boot *b);

/* Each act is read back; a store that does not say what was asked for is ART_E_IO. */
int boot_get(struct boot *b, struct boot_state *s, struct art_err *err);
int boot_arm(struct boot *b, int slot, unsigned int tries, uint64_t transaction,
	     struct art_err *err);
int boot_commit(struct boot *b, int slot, uint64_t transaction, struct art_err *err);
int boot_bad(struct boot *b, int slot, uint64_t transaction, struct art_err *err);
int boot_noop(struct boot *b, struct art_err *err);

/* NULL, or what the backend has to say of its safety against power cuts. */
const char *boot_caution(struct boot *b);

/* For backends: one variable of the store as text, by its name without prefix (default, trial, left, bad, booted,
 * transaction, arming). -1: unknown name or wrong value. */
void boot_state_init(struct boot_state *s);
int boot_state_set(struct boot_state *s, const char *name, const char *value);

/* For backends: what each act does to a store that holds these words and is written whole. */
void boot_state_arm(struct boot_state *s, int slot, unsigned int tries);
void boot_state_commit(struct boot_state *s, int slot, unsigned int unused);
void boot_state_bad(struct boot_state *s, int slot, unsigned int unused);

/* For backends whose boot script puts `twinroot.slot=a` or `b` on the kernel's command line: that slot, or BOOT_NONE
 * when there is no such word or two that differ. */
int boot_booted_from_cmdline(void);
int boot_booted_from_text(const char *cmdline);

#endif
