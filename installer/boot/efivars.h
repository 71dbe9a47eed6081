/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The project's own EFI variable: what BootOrder and BootNext cannot say. A text of three lines,
 *
 *	twinroot trial=b left=0 bad=none transaction=12
 *	entries=0001,0002 default=a write=7
 *	sum=...
 *
 * `left` is always 0 there (BootNext is what counts); `entries` are the Boot#### of the slots, so that the text is understood without
 * the configuration; `default` is what BootOrder said when it was written; `write` counts writes, because firmware
 * passes over one that changes nothing.
 */
#ifndef INSTALLER_BOOT_EFIVARS_H
#define INSTALLER_BOOT_EFIVARS_H

#include "installer/boot.h"

#define EFI_OWN_NAME "TwinrootBoot"
#define EFI_OWN_GUID "e9d5dc96-62a5-4a19-b4eb-154e85394102"
#define EFI_WORDS_MAX 256

struct efi_words {
	struct boot_state state; /* standard, trial, bad, transaction */
	unsigned int entry[CONFIG_SLOTS];
	unsigned int write;
};

/* -1: not such a text, or not whole. */
int efi_words_parse(struct efi_words *out, const char *text);

int efi_words_format(char out[EFI_WORDS_MAX], const struct efi_words *w, struct art_err *err);

/* The slot whose entry comes first among COUNT entries of a BootOrder (16 bits each, little-endian), or BOOT_NONE. */
int efi_order_first(const uint8_t *order, size_t count, const unsigned int entry[CONFIG_SLOTS]);

#endif
