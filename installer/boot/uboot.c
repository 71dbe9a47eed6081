// SPDX-License-Identifier: Apache-2.0
/*
 * U-Boot: variables of its environment, through libubootenv and an fw_env.config. All of an act goes out in one store
 * of the environment.
 *
 *	twinroot_default      a | b           the committed slot
 *	twinroot_trial        a | b | none    slot on trial
 *	twinroot_left         0 .. 9          tries left; the boot script counts down and saves
 *	twinroot_bad          none|a|b|ab     slots that must not be booted
 *	twinroot_transaction  number          of the last act
 *	twinroot_sequence     hexadecimal     only with `environment-copy`: rises with every write
 *
 * What was booted is on the kernel's command line; twinroot_booted is for boot scripts that cannot put it there.
 *
 * Copies. A U-Boot with a redundant environment of its own has two lines in fw_env.config, and the library does the
 * rest. Many have no usable environment, or one copy: there uboot/boot.cmd keeps two single copies itself, and so do we
 * (`environment` and `environment-copy`): that with a right checksum and the higher sequence counts (the first, if equal), and every
 * write goes to the other one. So a write that is cut tears what nobody needs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libuboot.h>

#include "installer/boot.h"
#include "libartifact/util.h"

#define PREFIX "twinroot_"
#define COPIES 2

/* The environments at one moment. Opened for each act: U-Boot tools may have written in between. */
struct store {
	const char *path[COPIES];
	struct uboot_ctx *ctx[COPIES];
	bool valid[COPIES];
	uint64_t sequence[COPIES];
	int count;
	int current; /* -1: none is valid */
};

static void store_close(struct store *s)
{
	int i;

	for (i = 0; i < s->count; i++)
		if (s->ctx[i]) {
			libuboot_close(s->ctx[i]);
			libuboot_exit(s->ctx[i]);
		}
	memset(s, 0, sizeof(*s));
}

static uint64_t get_sequence(struct uboot_ctx *ctx)
{
	cleanup_free char *text = libuboot_get_env(ctx, PREFIX "sequence");

	return text && strlen(text) <= 15 ? strtoull(text, NULL, 16) : 0;
}

static int open_copy(struct store *s, int i, struct art_err *err)
{
	if (libuboot_initialize(&s->ctx[i], NULL) < 0) {
		s->ctx[i] = NULL;
		return art_fail_memory(err);
	}
	if (libuboot_read_config(s->ctx[i], s->path[i]) < 0)
		return art_fail(err, ART_E_USAGE, "cannot use '%s' (see fw_env.config)", s->path[i]);
	s->valid[i] = libuboot_open(s->ctx[i]) >= 0;
	if (s->valid[i])
		s->sequence[i] = get_sequence(s->ctx[i]);
	return 0;
}

static int store_open(struct store *s, const struct config *c, struct art_err *err)
{
	int i, code = 0;

	memset(s, 0, sizeof(*s));
	s->path[0] = c->boot_environment;
	s->path[1] = c->boot_environment_copy;
	s->current = -1;
	for (; s->count < (s->path[1] ? 2 : 1) && code == 0; s->count++)
		code = open_copy(s, s->count, err);
	for (i = 0; i < s->count; i++)
		if (s->valid[i] && (s->current < 0 || s->sequence[i] > s->sequence[s->current]))
			s->current = i;
	return code;
}

static int uboot_open(struct boot *b, const struct config *c, struct art_err *err)
{
	struct store s;
	int code = store_open(&s, c, err);

	(void)b;
	store_close(&s);
	return code;
}

static void uboot_close(struct boot *b)
{
	(void)b;
}

static int read_state(const struct store *store, struct boot_state *s, struct art_err *err)
{
	static const char *const names[] = { "default", "trial",  "left",
					     "bad",	"booted", "transaction" };
	size_t i;

	if (store->current < 0)
		return art_fail(err, ART_E_BOOT_LOST, "no valid environment where '%s' points%s%s%s",
				store->path[0], store->path[1] ? ", nor where '" : "",
				store->path[1] ? store->path[1] : "", store->path[1] ? "' does" : "");
	for (i = 0; i < ART_ARRAY_SIZE(names); i++) {
		char full[32];
		cleanup_free char *value = NULL;

		snprintf(full, sizeof(full), PREFIX "%s", names[i]);
		value = libuboot_get_env(store->ctx[store->current], full);
		if (value && boot_state_set(s, names[i], value) < 0)
			return art_fail(err, ART_E_FAILED,
					"variable '%s' is '%s', which is not understood", full, value);
	}
	if (boot_booted_from_cmdline() != BOOT_NONE)
		s->booted = boot_booted_from_cmdline();
	return 0;
}

static int uboot_get(struct boot *b, struct boot_state *s, struct art_err *err)
{
	struct store store;
	int code = store_open(&store, b->config, err);

	if (code == 0)
		code = read_state(&store, s, err);
	store_close(&store);
	return code;
}

static int set_number(struct uboot_ctx *ctx, const char *name, bool hex, uint64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), hex ? "%llx" : "%llu", (unsigned long long)n);
	return libuboot_set_env(ctx, name, text);
}

/* What others keep in the environment goes along. */
static int copy_others(struct uboot_ctx *to, struct uboot_ctx *from)
{
	void *var = NULL;

	while ((var = libuboot_iterator(from, var)))
		if (strncmp(libuboot_getname(var), PREFIX, strlen(PREFIX)) != 0 &&
		    libuboot_set_env(to, libuboot_getname(var), libuboot_getvalue(var)) < 0)
			return -1;
	return 0;
}

/* Write the whole of S in one store. */
static int write_state(struct store *store, const struct boot_state *s, struct art_err *err)
{
	static const char *const slots[] = { "none", "a", "b" };
	static const char *const bads[] = { "none", "a", "b", "ab" };
	int n = store->count == 2 && store->current == 0 ? 1 : 0;
	uint64_t sequence = store->current < 0 ? 0 : store->sequence[store->current];
	struct uboot_ctx *ctx = store->ctx[n];

	if ((store->current >= 0 && store->current != n &&
	     copy_others(ctx, store->ctx[store->current]) < 0) ||
	    libuboot_set_env(ctx, PREFIX "default", slots[s->standard + 1]) < 0 ||
	    libuboot_set_env(ctx, PREFIX "trial", slots[s->trial + 1]) < 0 ||
	    set_number(ctx, PREFIX "left", false, s->left) < 0 ||
	    libuboot_set_env(ctx, PREFIX "bad", bads[s->bad[0] + 2 * s->bad[1]]) < 0 ||
	    set_number(ctx, PREFIX "transaction", false, s->transaction) < 0 ||
	    (store->count == 2 && set_number(ctx, PREFIX "sequence", true, sequence + 1) < 0))
		return art_fail(err, ART_E_FAILED, "cannot set a variable");
	if (libuboot_env_store(ctx) < 0)
		return art_fail(err, ART_E_IO, "cannot store the environment where '%s' points",
				store->path[n]);
	return 0;
}

/* One act: read, let CHANGE do its part, write. */
static int act(struct boot *b, void (*change)(struct boot_state *s, int slot, unsigned int tries),
	       int slot, unsigned int tries, const uint64_t *transaction, bool anew,
	       struct art_err *err)
{
	struct boot_state s;
	struct store store;
	int code = store_open(&store, b->config, err);

	boot_state_init(&s);
	if (code == 0 && !(anew && store.current < 0))
		code = read_state(&store, &s, err);
	if (code == 0) {
		if (change)
			change(&s, slot, tries);
		if (transaction)
			s.transaction = *transaction;
		code = write_state(&store, &s, err);
	}
	store_close(&store);
	return code;
}

static int uboot_arm(struct boot *b, int slot, unsigned int tries, uint64_t transaction,
		     struct art_err *err)
{
	return act(b, boot_state_arm, slot, tries, &transaction, false, err);
}

static int uboot_commit(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	return act(b, boot_state_commit, slot, 0, &transaction, true, err);
}

static int uboot_bad(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	return act(b, boot_state_bad, slot, 0, &transaction, false, err);
}

static int uboot_noop(struct boot *b, struct art_err *err)
{
	return act(b, NULL, 0, 0, NULL, false, err);
}

/* The number of `device offset size` lines, which is what the library takes for copies. */
static int count_copies(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[512], device[256];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += sscanf(line, "%255s %*i %*i", device) == 1 && device[0] != '#';
	if (f)
		fclose(f);
	return n;
}

static const char *uboot_caution(struct boot *b)
{
	if (b->config->boot_environment_copy || count_copies(b->config->boot_environment) > 1)
		return NULL;
	return "the environment has one copy, which a cut write tears";
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
	.caution = uboot_caution,
};
