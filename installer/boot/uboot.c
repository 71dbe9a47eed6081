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
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libuboot.h>

#include "installer/boot.h"
#include "installer/boot/place.h"
#include "libartifact/util.h"

#define PREFIX "twinroot_"
#define COPIES 2

/* What others keep in the environment; written back with ours where the copies take turns. */
struct other {
	struct other *next;
	char *value;
	char name[];
};

struct copy {
	const char *path;
	bool valid;
	uint64_t sequence;
	struct boot_state state;
	struct art_err why; /* a value that is not understood */
	struct other *others;
};

/* The copies at one moment. Read for each act: U-Boot tools may have written in between. */
struct store {
	struct copy copy[COPIES];
	int count;
	int current; /* -1: none is valid */
};

static void store_free(struct store *s)
{
	int i;

	for (i = 0; i < s->count; i++)
		while (s->copy[i].others) {
			struct other *next = s->copy[i].others->next;

			free(s->copy[i].others->value);
			free(s->copy[i].others);
			s->copy[i].others = next;
		}
	memset(s, 0, sizeof(*s));
}

/* The library locks the environment from here to env_close, and waits for its lock even within one process: never two at
 * once. *VALID: it has a right checksum; one that has not can still be written. */
static int env_open(const char *path, struct uboot_ctx **ctx, bool *valid, struct art_err *err)
{
	if (libuboot_initialize(ctx, NULL) < 0) {
		*ctx = NULL;
		return art_fail_memory(err);
	}
	if (libuboot_read_config(*ctx, path) < 0) {
		libuboot_exit(*ctx);
		return art_fail(err, ART_E_USAGE, "cannot use '%s' (see fw_env.config)", path);
	}
	*valid = libuboot_open(*ctx) >= 0;
	return 0;
}

static void env_close(struct uboot_ctx *ctx)
{
	libuboot_close(ctx);
	libuboot_exit(ctx);
}

static void read_words(struct copy *c, struct uboot_ctx *ctx)
{
	static const char *const names[] = { "default", "trial",  "left",
					     "bad",	"booted", "transaction" };
	cleanup_free char *sequence = libuboot_get_env(ctx, PREFIX "sequence");
	size_t i;

	if (sequence && strlen(sequence) <= 15)
		c->sequence = strtoull(sequence, NULL, 16);
	boot_state_init(&c->state);
	for (i = 0; i < ART_ARRAY_SIZE(names) && c->why.code == 0; i++) {
		char full[32];
		cleanup_free char *value = NULL;

		snprintf(full, sizeof(full), PREFIX "%s", names[i]);
		value = libuboot_get_env(ctx, full);
		if (value && boot_state_set(&c->state, names[i], value) < 0)
			art_fail(&c->why, ART_E_FAILED,
				 "variable '%s' is '%s', which is not understood", full, value);
	}
}

static int read_others(struct copy *c, struct uboot_ctx *ctx, struct art_err *err)
{
	void *var = NULL;

	while ((var = libuboot_iterator(ctx, var))) {
		const char *name = libuboot_getname(var), *value = libuboot_getvalue(var);
		struct other *o;

		if (strncmp(name, PREFIX, strlen(PREFIX)) == 0)
			continue;
		o = malloc(sizeof(*o) + strlen(name) + 1);
		if (!o)
			return art_fail_memory(err);
		strcpy(o->name, name);
		o->next = c->others;
		c->others = o;
		o->value = strdup(value);
		if (!o->value)
			return art_fail_memory(err);
	}
	return 0;
}

static int read_copy(struct copy *c, bool turns, struct art_err *err)
{
	struct uboot_ctx *ctx = NULL;
	int code = env_open(c->path, &ctx, &c->valid, err);

	if (code < 0)
		return code;
	if (c->valid)
		read_words(c, ctx);
	if (c->valid && turns)
		code = read_others(c, ctx, err);
	env_close(ctx);
	/* Where the copies take turns, the boot script passes over one that lacks these. */
	if (turns && (c->sequence == 0 || c->state.standard == BOOT_NONE))
		c->valid = false;
	return code;
}

static int store_read(struct store *s, const struct config *c, struct art_err *err)
{
	bool turns = c->boot_environment_copy != NULL;
	int i, code = 0;

	memset(s, 0, sizeof(*s));
	s->copy[0].path = c->boot_environment;
	s->copy[1].path = c->boot_environment_copy;
	s->current = -1;
	for (; s->count < (turns ? 2 : 1) && code == 0; s->count++)
		code = read_copy(&s->copy[s->count], turns, err);
	for (i = 0; i < s->count; i++)
		if (s->copy[i].valid &&
		    (s->current < 0 || s->copy[i].sequence > s->copy[s->current].sequence))
			s->current = i;
	return code;
}

/* A `device offset size` line of an fw_env.config, which is what the library takes for a copy. */
struct line {
	const char *config;
	char device[256];
	long long offset;
	unsigned long long size;
};

/* How many there are. */
static int read_lines(const char *path, struct line line[COPIES])
{
	FILE *f = fopen(path, "re");
	char text[512];
	int n = 0;

	while (f && n < COPIES && fgets(text, sizeof(text), f)) {
		line[n].config = path;
		n += sscanf(text, "%255s %lli %llx", line[n].device, &line[n].offset,
			    &line[n].size) == 3 &&
		     line[n].device[0] != '#';
	}
	if (f)
		fclose(f);
	return n;
}

/* Of both files, where the copies take turns. */
static int read_all_lines(const struct config *c, struct line line[COPIES])
{
	struct line copy[COPIES];
	int n = read_lines(c->boot_environment, line);

	if (n == 0 || !c->boot_environment_copy || read_lines(c->boot_environment_copy, copy) == 0)
		return n;
	line[1] = copy[0];
	return COPIES;
}

/* False: there is one copy, or the lines say nothing that is understood. */
static bool find_places(const struct line line[COPIES], int n, struct boot_place place[COPIES])
{
	int i;

	for (i = 0; i < n; i++)
		boot_place_find(&place[i], line[i].device, line[i].offset, line[i].size);
	return n == COPIES;
}

static int check_places(const struct config *c, struct art_err *err)
{
	struct line line[COPIES];
	struct boot_place place[COPIES];

	if (!find_places(line, read_all_lines(c, line), place) ||
	    !boot_place_overlap(&place[0], &place[1]))
		return 0;
	return art_fail(err, ART_E_USAGE,
			"the two copies of the environment overlap: '%s' at 0x%llx ('%s') and '%s' at 0x%llx ('%s')",
			line[0].device, line[0].offset, line[0].config, line[1].device,
			line[1].offset, line[1].config);
}

static int uboot_open(struct boot *b, const struct config *c, struct art_err *err)
{
	struct store s;
	int code = check_places(c, err);

	(void)b;
	if (code < 0)
		return code;
	code = store_read(&s, c, err);
	store_free(&s);
	return code;
}

static void uboot_close(struct boot *b)
{
	(void)b;
}

static int current_state(const struct store *store, struct boot_state *s, struct art_err *err)
{
	const struct copy *a = &store->copy[0], *b = &store->copy[1];
	int booted;

	if (store->current < 0)
		return art_fail(err, ART_E_BOOT_LOST, "no valid environment where '%s' points%s%s%s",
				a->path, b->path ? ", nor where '" : "", b->path ? b->path : "",
				b->path ? "' does" : "");
	if (store->copy[store->current].why.code < 0)
		return art_fail(err, ART_E_FAILED, "%s", store->copy[store->current].why.text);
	*s = store->copy[store->current].state;
	booted = boot_booted_from_cmdline();
	if (booted != BOOT_NONE)
		s->booted = booted;
	return 0;
}

static int uboot_get(struct boot *b, struct boot_state *s, struct art_err *err)
{
	struct store store;
	int code = store_read(&store, b->config, err);

	if (code == 0)
		code = current_state(&store, s, err);
	store_free(&store);
	return code;
}

/*
 * The library does not say when what it wrote did not reach the medium, and what is read again comes out of the cache. A
 * descriptor that was opened before the write hears of it.
 */
static void watch_open(const char *path, int fd[COPIES])
{
	struct line line[COPIES];
	int i, n = read_lines(path, line);

	for (i = 0; i < COPIES; i++)
		fd[i] = i < n ? open(line[i].device, O_RDWR | O_CLOEXEC | O_NONBLOCK) : -1;
}

static int watch_close(const char *path, int fd[COPIES], struct art_err *err)
{
	int i, code = 0;

	for (i = 0; i < COPIES; i++) {
		if (fd[i] < 0)
			continue;
		/* A character device (raw flash) has no cache to sync. */
		if (fsync(fd[i]) < 0 && errno != EINVAL && errno != ENOSYS && code == 0)
			code = art_fail_errno(err, ART_E_IO,
					      "cannot store the environment where '%s' points",
					      path);
		close(fd[i]);
	}
	return code;
}

static int set_number(struct uboot_ctx *ctx, const char *name, bool hex, uint64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), hex ? "%llx" : "%llu", (unsigned long long)n);
	return libuboot_set_env(ctx, name, text);
}

static int set_words(struct uboot_ctx *ctx, const struct boot_state *s, struct art_err *err)
{
	static const char *const slots[] = { "none", "a", "b" };
	static const char *const bads[] = { "none", "a", "b", "ab" };

	if (libuboot_set_env(ctx, PREFIX "default", slots[s->standard + 1]) < 0 ||
	    libuboot_set_env(ctx, PREFIX "trial", slots[s->trial + 1]) < 0 ||
	    set_number(ctx, PREFIX "left", false, s->left) < 0 ||
	    libuboot_set_env(ctx, PREFIX "bad", bads[s->bad[0] + 2 * s->bad[1]]) < 0 ||
	    set_number(ctx, PREFIX "transaction", false, s->transaction) < 0)
		return art_fail(err, ART_E_FAILED, "cannot set a variable");
	return 0;
}

static bool is_kept(const struct copy *from, const char *name)
{
	const struct other *o = from->others;

	while (o && strcmp(o->name, name) != 0)
		o = o->next;
	return o != NULL;
}

/* What others have deleted in the copy FROM since this one was written. */
static int remove_deleted(struct uboot_ctx *ctx, const struct copy *from, struct art_err *err)
{
	void *var = libuboot_iterator(ctx, NULL);

	while (var) {
		const char *name = libuboot_getname(var);

		/* Before the variable goes. */
		var = libuboot_iterator(ctx, var);
		if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 && !is_kept(from, name) &&
		    libuboot_set_env(ctx, name, NULL) < 0)
			return art_fail(err, ART_E_FAILED, "cannot remove the variable '%s'", name);
	}
	return 0;
}

/* What makes this copy the one that counts, and what others keep. */
static int set_turn(struct uboot_ctx *ctx, const struct copy *from, struct art_err *err)
{
	const struct other *o;
	int code = from ? remove_deleted(ctx, from, err) : 0;

	if (code < 0)
		return code;
	for (o = from ? from->others : NULL; o; o = o->next)
		if (libuboot_set_env(ctx, o->name, o->value) < 0)
			return art_fail(err, ART_E_FAILED, "cannot set a variable");
	if (set_number(ctx, PREFIX "sequence", true, (from ? from->sequence : 0) + 1) < 0)
		return art_fail(err, ART_E_FAILED, "cannot set a variable");
	return 0;
}

/* Write the whole of S in one store. */
static int write_state(struct store *store, const struct boot_state *s, struct art_err *err)
{
	bool turns = store->count == 2, valid;
	int n = turns && store->current == 0 ? 1 : 0;
	const char *path = store->copy[n].path;
	struct uboot_ctx *ctx = NULL;
	int watch[COPIES], synced, code = env_open(path, &ctx, &valid, err);

	if (code < 0)
		return code;
	watch_open(path, watch);
	code = set_words(ctx, s, err);
	if (code == 0 && turns)
		code = set_turn(ctx, store->current < 0 ? NULL : &store->copy[store->current],
				err);
	if (code == 0 && libuboot_env_store(ctx) < 0)
		code = art_fail(err, ART_E_IO, "cannot store the environment where '%s' points",
				path);
	env_close(ctx);
	synced = watch_close(path, watch, code == 0 ? err : NULL);
	return code < 0 ? code : synced;
}

/* One act: read, let CHANGE do its part, write. */
static int act(struct boot *b, void (*change)(struct boot_state *s, int slot, unsigned int tries),
	       int slot, unsigned int tries, const uint64_t *transaction, bool anew,
	       struct art_err *err)
{
	struct boot_state s;
	struct store store;
	int code = store_read(&store, b->config, err);

	boot_state_init(&s);
	if (code == 0 && !(anew && store.current < 0))
		code = current_state(&store, &s, err);
	if (code == 0) {
		if (change)
			change(&s, slot, tries);
		if (transaction)
			s.transaction = *transaction;
		code = write_state(&store, &s, err);
	}
	store_free(&store);
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

static const char *uboot_caution(struct boot *b)
{
	struct line line[COPIES];
	struct boot_place place[COPIES];

	if (!find_places(line, read_all_lines(b->config, line), place))
		return "the environment has one copy, which a cut write tears";
	return boot_place_caution(&place[0], &place[1]);
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
