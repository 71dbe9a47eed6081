/* SPDX-License-Identifier: Apache-2.0 */
/* The result of an install. */
#ifndef INSTALLER_REPORT_H
#define INSTALLER_REPORT_H

#include "installer/candidate.h"
#include "installer/writer.h"

/* How what was missing came, or would come, to the target: "none", "chunks", "full", "patch" or "patch-and-chunks". */
const char *report_way(const struct write_sums *s);

struct report {
	const struct candidate *candidate;
	const struct write_sums *sums;
	int target; /* slot */
	bool dry;
};

/* On standard output, as the options of the command line want it. */
void report_install(const struct report *in);

#endif
