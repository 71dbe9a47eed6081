/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes as people write them. */
#ifndef MK_SIZE_H
#define MK_SIZE_H

#include <stdint.h>

/* Digits, and K, M, G or T behind them (powers of 1024); at most MAX. 0, or -1 and *OUT as it was. */
int mk_size_parse(const char *text, uint64_t max, uint64_t *out);

#endif
