// SPDX-License-Identifier: Apache-2.0
/* The text of the own EFI variable: see efivars.h. */
#include <stdio.h>
#include <string.h>

#include "installer/boot/efivars.h"
#include "installer/boot/words.h"

#define MARK "twinroot "

int efi_words_parse(struct efi_words *out, const char *text)
{
	const char *second = strchr(text, '\n');

	memset(out, 0, sizeof(*out));
	boot_state_init(&out->state);
	if (!second || strncmp(text, MARK, strlen(MARK)) != 0 ||
	    boot_sealed(text, NULL) != BOOT_SEAL_GOOD ||
	    boot_words_parse(&out->state, text + strlen(MARK)) < 0)
		return -1;
	return sscanf(second + 1, "entry=%4x write=%8u\n", &out->entry, &out->write) == 2 ? 0 :
											     -1;
}

int efi_words_format(char out[EFI_WORDS_MAX], const struct efi_words *w, struct art_err *err)
{
	char words[BOOT_WORDS_MAX];

	boot_words_format(words, &w->state);
	snprintf(out, EFI_WORDS_MAX, MARK "%s\nentry=%04x write=%u\n", words, w->entry & 0xffff,
		 w->write % 100000000);
	return boot_seal(out, EFI_WORDS_MAX, err);
}
