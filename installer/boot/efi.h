/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two boot managers that a UEFI machine may have, as efi.c sees them: the firmware's own (efi_firmware.c) and systemd-boot
 * (efi_loader.c). Both have a variable that says which entry is the default and one that names an entry for the next boot alone, which is
 * gone when that boot begins.
 */
#ifndef INSTALLER_BOOT_EFI_H
#define INSTALLER_BOOT_EFI_H

#include <stdint.h>

#include "installer/boot.h"
#include "installer/boot/efivars.h"

#define EFI_ORDER_MAX 256 /* entries */

/* What the variables say, read afresh for each act. */
struct efi {
	int standard, next, booted; /* slots, or BOOT_NONE */
	char entry[CONFIG_SLOTS][EFI_ENTRY_MAX]; /* what the manager calls the slots */
	struct efi_words words;
	/* BootOrder, of the firmware alone. */
	unsigned int number[CONFIG_SLOTS];
	size_t count;
	uint8_t order[2 * EFI_ORDER_MAX];
};

struct efi_manager {
	const char *own;           /* name of the project's own variable (efivars.h) */
	const char *standard_name; /* of the variable with the default */
	const char *caution;       /* for boot_ops.caution */
	/* Are 'entry-a' and 'entry-b' such as it has? NULL: any text is. */
	int (*check)(const char *entry, struct art_err *err);
	/* All of E but .words. Neither slot is the default: .standard is BOOT_NONE, and that is no error. */
	int (*read)(struct efi *e, const struct config *c, struct art_err *err);
	/* Make S->standard the default and keep bad slots out. */
	int (*write_default)(const struct efi *e, const struct boot_state *s, struct art_err *err);
	/* Boot SLOT once. */
	int (*write_next)(const struct efi *e, int slot, struct art_err *err);
	int (*remove_next)(struct art_err *err);
};

#define EFI_CAUTION \
	"EFI variables are written by the firmware, and whether one survives a power cut in its write is the firmware's promise"

extern const struct efi_manager efi_firmware;
extern const struct efi_manager efi_systemd_boot;

#endif
