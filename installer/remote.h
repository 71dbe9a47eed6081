/* SPDX-License-Identifier: Apache-2.0 */
/* The REMOTE gate: can this release reach the server that the next one comes from? */
#ifndef INSTALLER_REMOTE_H
#define INSTALLER_REMOTE_H

#include "installer/device.h"

enum remote_answer {
	REMOTE_NONE,    /* nothing is configured that could be asked, or remote = ignore */
	REMOTE_REACHED, /* the server has answered */
	REMOTE_SILENT,  /* it has not; the fault may lie anywhere */
	REMOTE_CUT_OFF, /* nothing off this device is reachable: no carrier, lease, gateway or names */
};

/*
 * Ask once. Today that is the program of [checks] remote-program: status 0 means reached, 2 cut off, anything else silent.
 */
enum remote_answer remote_ask(const struct device *d);

#endif
