/* SPDX-License-Identifier: Apache-2.0 */
/* Running an integrator's program: no shell, a clean environment, a time limit. */
#ifndef INSTALLER_PROC_H
#define INSTALLER_PROC_H

#include <stddef.h>

#include "libartifact/err.h"

/*
 * Run ARGV[0] (an absolute path) with ARGV and ENVP, standard input from /dev/null. Its standard output goes into OUT (cut and
 * terminated at ROOM; NULL: to standard error), its standard error stays ours. After SECONDS its process group is
 * killed. KEEP_FD (-1: none) is the one descriptor it inherits besides. 0 only when it exited with 0; otherwise ART_E_FAILED, which tells how it ended.
 */
int proc_run(char *const argv[], char *const envp[], unsigned int seconds, int keep_fd,
	     char *out, size_t room, struct art_err *err);

#endif
