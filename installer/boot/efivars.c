// SPDX-License-Identifier: Apache-2.0
/* The text of the own EFI variable: see efivars.h. */
#include <stdio.h>
#include <string.h>

#include "installer/boot/efivars.h"
#include "installer/boot/words.h"
#include "libartifact/util.h"

#define MARK "twinroot "

int efi_words_parse(struct efi_words *out, const char *text)
{
	const char *second = strchr(text, '\n');
	char standard[2];

	memset(out, 0, sizeof(*out));
	boot_state_init(&out->state);
	if (!second || strncmp(text, MARK, strlen(MARK)) != 0 ||
	    boot_sealed(text, NULL) != BOOT_SEAL_GOOD ||
	    boot_words_parse(&out->state, text + strlen(MARK)) < 0 ||
	    sscanf(second + 1, "entries=%63[^, \n],%63[^, \n] default=%1[ab] write=%8u\n",
		   out->entry[0], out->entry[1], standard, &out->write) != 4)
		return -1;
	return boot_state_set(&out->state, "default", standard);
}

int efi_words_format(char out[EFI_WORDS_MAX], const struct efi_words *w, struct art_err *err)
{
	char words[BOOT_WORDS_MAX];

	boot_words_format(words, &w->state);
	snprintf(out, EFI_WORDS_MAX, MARK "%s\nentries=%s,%s default=%c write=%u\n", words,
		 w->entry[0], w->entry[1], 'a' + w->state.standard, w->write % 100000000);
	return boot_seal(out, EFI_WORDS_MAX, err);
}

int efi_text(char out[EFI_ENTRY_MAX], const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len / 2 && i < EFI_ENTRY_MAX; i++) {
		unsigned int c = art_get16(bytes + 2 * i);

		if (c > 0x7f)
			return -1;
		out[i] = (char)c;
		if (c == 0)
			return 0;
	}
	if (i == EFI_ENTRY_MAX)
		return -1;
	out[i] = '\0';
	return 0;
}

int efi_order_first(const uint8_t *order, size_t count, const unsigned int entry[CONFIG_SLOTS])
{
	size_t i;
	int slot;

	for (i = 0; i < count; i++)
		for (slot = 0; slot < CONFIG_SLOTS; slot++)
			if (art_get16(order + 2 * i) == entry[slot])
				return slot;
	return BOOT_NONE;
}
