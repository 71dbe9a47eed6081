/* SPDX-License-Identifier: Apache-2.0 */
/* The time that goes into what is made: SOURCE_DATE_EPOCH, else now. */
#ifndef MK_NOW_H
#define MK_NOW_H

#include <stdint.h>

#include "libartifact/err.h"

/* As YYYY-MM-DDThh:mm:ssZ, which the caller frees, and in seconds (may be NULL). ART_E_USAGE. */
int mk_time_now(char **text, int64_t *seconds, struct art_err *err);

#endif
