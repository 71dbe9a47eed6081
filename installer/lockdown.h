/* SPDX-License-Identifier: Apache-2.0 */
/* The door that a process shuts behind itself before it looks at bytes that it does not believe. */
#ifndef INSTALLER_LOCKDOWN_H
#define INSTALLER_LOCKDOWN_H

/*
 * Leave the calling thread read, write, exit and rt_sigreturn; any other system call kills it. For good, and without new
 * privileges. Where the process is already under a seccomp filter (a unit of systemd with hardening, a container), the kernel
 * refuses seccomp's strict mode, and a filter of the same four calls is put on top instead. Returns 0, or -1 with errno set: then
 * nothing has been shut. exit_group, which _exit() calls, is not left: end with syscall(SYS_exit).
 */
int lockdown_compute_only(void);

/*
 * For a process that talks to the network with a large library: whatever starts programs, looks into other processes, changes what
 * is mounted, or reaches into parts of the kernel that no download needs fails with EPERM from now on, for good. A call in another
 * calling convention kills the process. Returns 0, or -1 with errno set (ENOTSUP: an architecture that this is not written for).
 */
int lockdown_downloads(void);

/* The filter of lockdown_compute_only() alone, for a test. */
int lockdown_by_filter(void);

#endif
