/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share. A broken promise traps, which the fuzzer reports like a crash. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define MUST(condition)                   \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

/* Every byte is looked at, so that the sanitizers see what may not be read. */
static inline void touch(const uint8_t *bytes, size_t len)
{
	volatile uint8_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum = (uint8_t)(sum + bytes[i]);
}

#endif
