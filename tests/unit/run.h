/* SPDX-License-Identifier: Apache-2.0 */
/* The end of main of every Check program. */
#ifndef TEST_RUN_H
#define TEST_RUN_H

#include <stdlib.h>

#include <check.h>

/* $CK_VERBOSITY says how much is printed. */
static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
