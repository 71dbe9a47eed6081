/* SPDX-License-Identifier: Apache-2.0 */
/* The body of OPEN (fetch.h). */
#ifndef INSTALLER_FETCH_OPTIONS_H
#define INSTALLER_FETCH_OPTIONS_H

#include <stdbool.h>

#include "installer/fetch.h"

/* All zeros to begin with. A password may be in it. */
struct fetch_text {
	char bytes[FETCH_OPTIONS_MAX];
	size_t len;
	bool full;
};

int fetch_options_write(struct fetch_text *t, const char *url, const struct fetch_options *opt,
			struct art_err *err);

#endif
