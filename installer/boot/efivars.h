/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The project's own EFI variable, one for each boot manager: what the default and the next boot cannot say. A text of three lines,
 *
 *	twinroot trial=b left=0 bad=none transaction=12
 *	entries=0001,0002 default=a write=7
 *	sum=...
 *
 * `left` is always 0 there (the variable of the next boot is what counts); `entries` are what the manager calls the slots, the firmware
 * numbers (Boot0001), systemd-boot files ("twinroot-a.conf"), so that the text is understood without the configuration; `default` is what was
 * the default when it was written; `write` counts writes, because firmware passes over one that changes nothing.
 */
#ifndef INSTALLER_BOOT_EFIVARS_H
#define INSTALLER_BOOT_EFIVARS_H

#include "installer/boot.h"

#define EFI_OWN_FIRMWARE "TwinrootBoot"
#define EFI_OWN_LOADER "TwinrootLoader"
#define EFI_OWN_GUID "e9d5dc96-62a5-4a19-b4eb-154e85394102"
#define EFI_LOADER_GUID "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" /* systemd-boot's variables */
#define EFI_ENTRY_MAX 64 /* bytes, with the NUL */
#define EFI_WORDS_MAX 384

struct efi_words {
	struct boot_state state; /* standard, trial, bad, transaction */
	char entry[CONFIG_SLOTS][EFI_ENTRY_MAX];
	unsigned int write;
};

/* -1: not such a text, or not whole. */
int efi_words_parse(struct efi_words *out, const char *text);

int efi_words_format(char out[EFI_WORDS_MAX], const struct efi_words *w, struct art_err *err);

/* LEN bytes of UTF-16, to a NUL or the end, that are ASCII; -1: they are not, or too many. */
int efi_text(char out[EFI_ENTRY_MAX], const uint8_t *bytes, size_t len);

/* The slot whose entry comes first among COUNT entries of a BootOrder (16 bits each, little-endian), or BOOT_NONE. */
int efi_order_first(const uint8_t *order, size_t count, const unsigned int entry[CONFIG_SLOTS]);

#endif
