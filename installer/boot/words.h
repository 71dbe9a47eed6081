/* SPDX-License-Identifier: Apache-2.0 */
/* What backends keep as text in stores that have no fields of their own for it: words, and a seal that tells whether all of them
 * are as they were written. */
#ifndef INSTALLER_BOOT_WORDS_H
#define INSTALLER_BOOT_WORDS_H

#include "installer/boot.h"

#define BOOT_WORDS_MAX 96 /* bytes of formatted words with their NUL */

/* "trial=b left=1 bad=none transaction=12" */
void boot_words_format(char out[BOOT_WORDS_MAX], const struct boot_state *s);

/* The words up to the end of the line. -1: one is not understood. */
int boot_words_parse(struct boot_state *s, const char *text);

/* Append "sum=", the first half of the SHA-256 of all of TEXT before that in hex, and a newline. */
int boot_seal(char *text, size_t room, struct art_err *err);

enum boot_sealed { BOOT_SEAL_NONE, BOOT_SEAL_WRONG, BOOT_SEAL_GOOD };

/* WRONG also when anything but newlines follows it. Fails (negative) only where the machine does. */
int boot_sealed(const char *text, struct art_err *err);

#endif
