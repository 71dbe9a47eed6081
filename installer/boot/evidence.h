/* SPDX-License-Identifier: Apache-2.0 */
/* What the boot chain itself says of this boot, for a program that cannot read its configuration. */
#ifndef INSTALLER_BOOT_EVIDENCE_H
#define INSTALLER_BOOT_EVIDENCE_H

#include <stdbool.h>

/* True when the boot chain says that this boot is a trial. */
bool boot_evidence_trial(void);

#endif
