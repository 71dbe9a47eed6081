// SPDX-License-Identifier: Apache-2.0
/*
 * U-Boot: variables of its environment, through libubootenv and an fw_env.config. All of an act goes out in one store
 * of the environment; with two copies the older one is written, and U-Boot takes the other if that is torn.
 *
 *	twinroot_default      a | b           the committed slot
 *	twinroot_trial        a | b | none    slot on trial
 *	twinroot_left         0 .. 9          tries left; the boot script counts down and saves
 *	twinroot_bad          none|a|b|ab     slots that must not be booted
 *	twinroot_booted       a | b | unknown set by the boot script: the slot it starts
 *	twinroot_transaction  number          of the last act
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libuboot.h>

#include "installer/boot.h"

#define PREFIX "twinroot_"

/* Opened for each act: U-Boot tools may have written in between. */
static int env_open(struct boot *b, struct uboot_ctx **out, struct art_err *err)
{
	const char *path = b->config->boot_environment;
	struct uboot_ctx *ctx = NULL;

	if (libuboot_initialize(&ctx, NULL) < 0)
		return art_fail_memory(err);
	if (libuboot_read_config(ctx, path) < 0) {
		libuboot_exit(ctx);
		return art_fail(err, ART_E_USAGE, "cannot use '%s' (see fw_env.config)", path);
	}
	if (libuboot_open(ctx) < 0) {
		libuboot_exit(ctx);
		return art_fail(err, ART_E_IO, "no valid environment where '%s' points", path);
	}
	*out = ctx;
	return 0;
}

static void env_close(struct uboot_ctx *ctx)
{
	libuboot_close(ctx);
	libuboot_exit(ctx);
}

static int uboot_open(struct boot *b, const struct config *c, struct art_err *err)
{
	struct uboot_ctx *ctx = NULL;
	int code;

	(void)c;
	code = env_open(b, &ctx, err);
	if (code == 0)
		env_close(ctx);
	return code;
}

static void uboot_close(struct boot *b)
{
	(void)b;
}

static int uboot_get(struct boot *b, struct boot_state *s, struct art_err *err)
{
	static const char *const names[] = { "default", "trial",  "left",
					     "bad",	"booted", "transaction" };
	struct uboot_ctx *ctx = NULL;
	int code = env_open(b, &ctx, err);
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]) && code == 0; i++) {
		char full[32];
		char *value;

		snprintf(full, sizeof(full), PREFIX "%s", names[i]);
		value = libuboot_get_env(ctx, full);
		if (value && boot_state_set(s, names[i], value) < 0)
			code = art_fail(err, ART_E_FAILED, "variable '%s' is '%s', which is not understood",
					full, value);
		free(value);
	}
	if (ctx)
		env_close(ctx);
	return code;
}

/* Write the whole of S in one store. */
static int put(struct boot *b, const struct boot_state *s, struct art_err *err)
{
	static const char *const slots[] = { "none", "a", "b" };
	static const char *const bads[] = { "none", "a", "b", "ab" };
	struct uboot_ctx *ctx = NULL;
	char left[16], transaction[32];
	int code = env_open(b, &ctx, err);

	if (code < 0)
		return code;
	snprintf(left, sizeof(left), "%u", s->left);
	snprintf(transaction, sizeof(transaction), "%llu", (unsigned long long)s->transaction);
	if (libuboot_set_env(ctx, PREFIX "default", slots[s->standard + 1]) < 0 ||
	    libuboot_set_env(ctx, PREFIX "trial", slots[s->trial + 1]) < 0 ||
	    libuboot_set_env(ctx, PREFIX "left", left) < 0 ||
	    libuboot_set_env(ctx, PREFIX "bad", bads[s->bad[0] + 2 * s->bad[1]]) < 0 ||
	    libuboot_set_env(ctx, PREFIX "transaction", transaction) < 0)
		code = art_fail(err, ART_E_FAILED, "cannot set a variable");
	else if (libuboot_env_store(ctx) < 0)
		code = art_fail(err, ART_E_IO, "cannot store the environment where '%s' points",
				b->config->boot_environment);
	env_close(ctx);
	return code;
}

static int uboot_arm(struct boot *b, int slot, unsigned int tries, uint64_t transaction,
		     struct art_err *err)
{
	struct boot_state s;
	int code = boot_get(b, &s, err);

	if (code < 0)
		return code;
	s.trial = slot;
	s.left = tries;
	s.bad[slot] = false;
	s.transaction = transaction;
	return put(b, &s, err);
}

static int uboot_commit(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	struct boot_state s;
	int code = boot_get(b, &s, err);

	if (code < 0)
		return code;
	s.standard = slot;
	s.trial = BOOT_NONE;
	s.left = 0;
	s.bad[slot] = false;
	s.transaction = transaction;
	return put(b, &s, err);
}

static int uboot_bad(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	struct boot_state s;
	int code = boot_get(b, &s, err);

	if (code < 0)
		return code;
	if (s.trial == slot) {
		s.trial = BOOT_NONE;
		s.left = 0;
	}
	s.bad[slot] = true;
	s.transaction = transaction;
	return put(b, &s, err);
}

static int uboot_noop(struct boot *b, struct art_err *err)
{
	struct boot_state s;
	int code = boot_get(b, &s, err);

	return code < 0 ? code : put(b, &s, err);
}

const struct boot_ops boot_uboot = {
	.name = "uboot",
	.open = uboot_open,
	.close = uboot_close,
	.get = uboot_get,
	.arm = uboot_arm,
	.commit = uboot_commit,
	.bad = uboot_bad,
	.noop = uboot_noop,
};
