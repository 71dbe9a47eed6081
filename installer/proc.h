/* SPDX-License-Identifier: Apache-2.0 */
/* Running an integrator's program: no shell, a clean environment, a time limit. */
#ifndef INSTALLER_PROC_H
#define INSTALLER_PROC_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"

/*
 * Run ARGV[0] (an absolute path) with ARGV and ENVP, standard input from /dev/null. Its standard output goes into OUT (cut and
 * terminated at ROOM; NULL: to standard error), its standard error stays ours. After SECONDS its process group is
 * killed. KEEP_FD (-1: none) is the one descriptor it inherits besides. 0 only when it exited with 0; otherwise ART_E_FAILED, which tells how it ended.
 */
int proc_run(char *const argv[], char *const envp[], unsigned int seconds, int keep_fd,
	     char *out, size_t room, struct art_err *err);

/*
 * The same for a program that judges: standard output and error go into OUT together, of which the last bytes are kept. *STATUS is its exit
 * status, or -1 when it did not end by itself (err says how). 0 whenever it ended by itself.
 */
int proc_ask(char *const argv[], char *const envp[], unsigned int seconds, char *out, size_t room,
	     int *status, struct art_err *err);

/* Milliseconds of a clock that only goes forward, and goes on in suspend. */
int64_t proc_now(void);

#endif
