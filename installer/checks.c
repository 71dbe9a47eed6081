// SPDX-License-Identifier: Apache-2.0
/* Running checks.d. Names are those that run-parts would take, so that what an editor leaves behind is no check. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cli.h"
#include "installer/checks.h"
#include "installer/proc.h"
#include "installer/watchdog.h"
#include "libartifact/util.h"

static int is_check(const struct dirent *entry)
{
	return art_is_name(entry->d_name, 120, NULL, ART_LOWER ART_UPPER ART_DIGIT "_-");
}

/* What a program prints goes into a log that is JSON. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x7f ||
		    ((unsigned char)*text < 0x20 && *text != '\n' && *text != '\t'))
			*text = '?';
}

/* Once. 0: passed; CHECKS_AGAIN: no verdict yet; negative: failed. */
static int ask(const struct device *d, const char *path, unsigned int pass, unsigned int seconds,
	       struct checks_result *result, struct art_err *err)
{
	char path_text[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang_text[] = "LC_ALL=C";
	char slot_text[32], version_text[128], pass_text[32];
	char *envp[] = { path_text, lang_text, slot_text, version_text, pass_text, NULL };
	char *argv[] = { (char *)(uintptr_t)path, NULL };
	int status, code;

	snprintf(slot_text, sizeof(slot_text), "TWINROOT_SLOT=%c", 'a' + d->running);
	snprintf(version_text, sizeof(version_text), "TWINROOT_VERSION=%s",
		 d->state.slot[d->running].version);
	snprintf(pass_text, sizeof(pass_text), "TWINROOT_PASS=%u", pass);
	watchdog_allow(seconds + 30);
	code = proc_ask(argv, envp, seconds, result->output, sizeof(result->output), &status, err);
	make_plain(result->output);
	if (code < 0 || status == 0 || status == CHECKS_AGAIN)
		return code < 0 ? code : status;
	return art_fail(err, ART_E_FAILED, "'%s' ended with status %d", path, status);
}

static int run_one(const struct device *d, const char *name, unsigned int pass, int64_t deadline,
		   struct checks_result *result, struct art_err *err)
{
	cleanup_free char *path = NULL;

	snprintf(result->name, sizeof(result->name), "%.120s", name);
	result->output[0] = '\0';
	if (asprintf(&path, "%s/%s", d->config.checks_directory, name) < 0) {
		path = NULL;
		return art_fail_memory(err);
	}
	while (true) {
		const struct timespec nap = { 2, 0 };
		int64_t left = (deadline - proc_now()) / 1000;
		int64_t limit = (int64_t)d->config.checks_timeout;
		int code;

		if (left <= 0)
			return art_fail(err, ART_E_FAILED,
					"'%s' had not passed when the deadline of %llu seconds was over",
					path, (unsigned long long)d->config.checks_deadline);
		code = ask(d, path, pass, (unsigned int)(left < limit ? left : limit), result, err);
		if (code <= 0)
			return code;
		nanosleep(&nap, NULL);
	}
}

int checks_run(const struct device *d, unsigned int pass, int64_t deadline,
	       struct checks_result *result, struct art_err *err)
{
	struct dirent **list = NULL;
	int i, n = scandir(d->config.checks_directory, &list, is_check, alphasort), code = 0;

	memset(result, 0, sizeof(*result));
	if (n < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (n < 0)
		return art_fail_errno(err, ART_E_FAILED, "cannot read '%s'",
				      d->config.checks_directory);
	for (i = 0; i < n; i++) {
		if (code == 0)
			code = run_one(d, list[i]->d_name, pass, deadline, result, err);
		if (code == 0)
			cli_info("check '%s' passed", list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return code;
}
