/* SPDX-License-Identifier: Apache-2.0 */
/* Versions and ranges (format.md section 13). */
#ifndef ART_VERSION_H
#define ART_VERSION_H

#include <stdbool.h>

#define ART_VERSION_MAX 64
#define ART_RANGE_MAX (2 * ART_VERSION_MAX + 2)

bool art_version_is_valid(const char *version);

/* < 0, 0, > 0 as Debian orders them. Both must be valid. */
int art_version_compare(const char *a, const char *b);

bool art_range_is_valid(const char *range);

/* True when VERSION lies in RANGE. Both must be valid. */
bool art_range_has(const char *range, const char *version);

#endif
