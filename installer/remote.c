// SPDX-License-Identifier: Apache-2.0
/* Asking the server, by the integrator's program until the fleet client is there. */
#include <stdio.h>

#include "common/cli.h"
#include "installer/proc.h"
#include "installer/remote.h"
#include "installer/watchdog.h"

#define CUT_OFF 2

enum remote_answer remote_ask(const struct device *d)
{
	char path_text[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang_text[] = "LC_ALL=C";
	char *argv[] = { d->config.checks_remote_program, NULL };
	char *envp[] = { path_text, lang_text, NULL };
	unsigned int seconds = (unsigned int)d->config.checks_timeout;
	struct art_err err = { 0 };
	char out[1024];
	int status;

	if (!argv[0] || d->config.checks_remote == CONFIG_REMOTE_IGNORE)
		return REMOTE_NONE;
	watchdog_allow(seconds + 30);
	if (proc_ask(argv, envp, seconds, out, sizeof(out), &status, &err) < 0) {
		cli_warn("%s", err.text);
		return REMOTE_SILENT;
	}
	if (status == 0)
		return REMOTE_REACHED;
	cli_info("'%s' ended with status %d: %s", argv[0], status, out);
	return status == CUT_OFF ? REMOTE_CUT_OFF : REMOTE_SILENT;
}
