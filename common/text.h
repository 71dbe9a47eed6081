/* SPDX-License-Identifier: Apache-2.0 */
/* Text for people: sizes, times, and bytes of unknown origin made harmless for a
 * terminal. */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TEXT_SIZE_MAX 16

/* "0 B", "1023 B", "12.3 MiB", "1.0 EiB"; returns OUT. */
const char *text_size(char out[TEXT_SIZE_MAX], uint64_t bytes);

/* "0:07", "12:34", "3:04:05"; returns OUT. */
const char *text_duration(char out[TEXT_SIZE_MAX], uint64_t seconds);

/* ONE or MANY. */
const char *text_plural(uint64_t n, const char *one, const char *many);

/*
 * IN as it may be shown on a terminal: control characters, C1 controls, direction
 * overrides and bytes that are not UTF-8 become \xNN, a backslash becomes \\. Always
 * terminated; cut at a whole character when ROOM is too small. Returns the length that
 * was written.
 */
size_t text_escape(char *out, size_t room, const char *in, size_t len);

/* The same, to a stream. text_print_lines keeps line ends, puts INDENT before each line
 * but the first, and ends the last. */
void text_print(FILE *f, const char *in);
void text_print_lines(FILE *f, const char *in, const char *indent);

#endif
