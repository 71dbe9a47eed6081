/* SPDX-License-Identifier: Apache-2.0 */
/* The integrator's own checks: the programs of [checks] directory. */
#ifndef INSTALLER_CHECKS_H
#define INSTALLER_CHECKS_H

#include "installer/device.h"

#define CHECKS_OUTPUT_MAX 4096
/* A check that ends with this status has no verdict yet, and is asked again until the deadline. */
#define CHECKS_AGAIN 75

struct checks_result {
	char name[128];                 /* of the check that failed */
	char output[CHECKS_OUTPUT_MAX]; /* the end of what it printed */
};

/*
 * Run every check, in the order of their names, until one fails. PASS 1 is the first time in this boot, 2 after the settle time.
 * DEADLINE: proc_now() by which all must have passed. 0; ART_E_FAILED: RESULT tells which failed, ERR how. A missing directory is
 * no check; a file in it that cannot be run is one that fails.
 */
int checks_run(const struct device *d, unsigned int pass, int64_t deadline,
	       struct checks_result *result, struct art_err *err);

#endif
