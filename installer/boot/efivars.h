/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The project's own EFI variable: what BootOrder and BootNext cannot say. A text of three lines,
 *
 *	twinroot trial=b left=0 bad=none transaction=12
 *	entry=0002 write=7
 *	sum=...
 *
 * `left` is always 0 there (BootNext is what counts); `entry` is the Boot#### of the trial, so that it is understood without the
 * configuration; `write` counts writes, because firmware passes over one that changes nothing.
 */
#ifndef INSTALLER_BOOT_EFIVARS_H
#define INSTALLER_BOOT_EFIVARS_H

#include "installer/boot.h"

#define EFI_OWN_NAME "TwinrootBoot"
#define EFI_OWN_GUID "e9d5dc96-62a5-4a19-b4eb-154e85394102"
#define EFI_WORDS_MAX 256

struct efi_words {
	struct boot_state state; /* trial, bad, transaction */
	unsigned int entry;
	unsigned int write;
};

/* -1: not such a text, or not whole. */
int efi_words_parse(struct efi_words *out, const char *text);

int efi_words_format(char out[EFI_WORDS_MAX], const struct efi_words *w, struct art_err *err);

#endif
