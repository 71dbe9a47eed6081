/* SPDX-License-Identifier: Apache-2.0 */
/* What the network child gives up before it talks to anybody. */
#ifndef INSTALLER_FETCH_CONFINE_H
#define INSTALLER_FETCH_CONFINE_H

#include "libartifact/err.h"

/*
 * End with PARENT; no new privileges, no core, no file written, few descriptors, bounded memory; as root become USER
 * ("": stay); where the kernel has landlock, read only what name resolution and TLS need; no program started, no look into other
 * processes (lockdown.h). Only landlock and seccomp's filters may be missing.
 */
int fetch_confine(long parent, const char *user, struct art_err *err);

#endif
