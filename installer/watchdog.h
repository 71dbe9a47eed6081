/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hardware watchdog while a slot is on trial: if boot-check itself, or the kernel under it, comes to a stop, the
 * machine resets, which costs a try. One of it in a process.
 */
#ifndef INSTALLER_WATCHDOG_H
#define INSTALLER_WATCHDOG_H

#include "libartifact/err.h"

/* Open PATH and set it to SECONDS (the device may round). ART_E_STATE_BUSY: somebody else feeds it already, who must do
 * it well; ART_E_IO: there is none. */
int watchdog_start(const char *path, unsigned int seconds, struct art_err *err);

/* Feed it for the next SECONDS, whatever this process does; then no more unless this is called again. */
void watchdog_allow(unsigned int seconds);

/* Hand it back, stopped where the device lets itself be stopped. */
void watchdog_stop(void);

#endif
