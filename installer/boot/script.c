// SPDX-License-Identifier: Apache-2.0
/*
 * The boot backend of an integrator's own program: `PROGRAM get|arm SLOT TRIES|commit SLOT|bad SLOT|noop`. The
 * contract is in artifact-install(8). No shell in between, a clean environment, a time limit.
 */
#include <stdio.h>
#include <string.h>

#include "installer/boot.h"
#include "installer/proc.h"

#define SAYS_MAX 2048

static int script_open(struct boot *b, const struct config *c, struct art_err *err)
{
	(void)b;
	if (!c->boot_script)
		return art_fail(err, ART_E_USAGE, "'script' of [boot] is missing");
	return 0;
}

static void script_close(struct boot *b)
{
	(void)b;
}

static int call(struct boot *b, const char *verb, int slot, unsigned int tries,
		uint64_t transaction, char *out, size_t room, struct art_err *err)
{
	char slot_text[2] = { (char)('a' + slot), '\0' };
	char tries_text[16], transaction_text[64], verb_text[16];
	char path_text[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang_text[] = "LC_ALL=C";
	char *argv[] = { b->config->boot_script, verb_text, slot_text, tries_text, NULL };
	char *envp[] = { path_text, lang_text, transaction_text, NULL };

	snprintf(verb_text, sizeof(verb_text), "%s", verb);
	snprintf(tries_text, sizeof(tries_text), "%u", tries);
	snprintf(transaction_text, sizeof(transaction_text), "TWINROOT_TRANSACTION=%llu",
		 (unsigned long long)transaction);
	if (slot < 0)
		argv[2] = NULL;
	else if (tries == 0)
		argv[3] = NULL;
	return proc_run(argv, envp, (unsigned int)b->config->boot_timeout, b->lock, out, room,
			err);
}

static int script_get(struct boot *b, struct boot_state *s, struct art_err *err)
{
	char out[SAYS_MAX + 2], *line, *next;
	int code = call(b, "get", -1, 0, 0, out, sizeof(out), err);

	if (code < 0)
		return code;
	/* Cut somewhere: a number that has lost its end is another one. */
	if (strlen(out) > SAYS_MAX)
		return art_fail(err, ART_E_FAILED, "'%s get' says more than %d bytes",
				b->config->boot_script, SAYS_MAX);
	for (line = out; *line; line = next) {
		char *value;

		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		value = strchr(line, '=');
		if (value)
			*value++ = '\0';
		if (!value || boot_state_set(s, line, value) < 0)
			return art_fail(err, ART_E_FAILED,
					"'%s get' says '%s%s%s', which is not understood",
					b->config->boot_script, line, value ? "=" : "",
					value ? value : "");
	}
	return 0;
}

static int script_arm(struct boot *b, int slot, unsigned int tries, uint64_t transaction,
		      struct art_err *err)
{
	return call(b, "arm", slot, tries, transaction, NULL, 0, err);
}

static int script_commit(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	return call(b, "commit", slot, 0, transaction, NULL, 0, err);
}

static int script_bad(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	return call(b, "bad", slot, 0, transaction, NULL, 0, err);
}

static int script_noop(struct boot *b, struct art_err *err)
{
	return call(b, "noop", -1, 0, 0, NULL, 0, err);
}

const struct boot_ops boot_script = {
	.name = "script",
	.open = script_open,
	.close = script_close,
	.get = script_get,
	.arm = script_arm,
	.commit = script_commit,
	.bad = script_bad,
	.noop = script_noop,
};
