// SPDX-License-Identifier: Apache-2.0
/*
 * GRUB: an environment block of 1024 bytes, twice, each copy on a small partition of its own. GRUB only writes what it finds as a
 * file of some filesystem, so a partition holds a tar archive of one member: GRUB reads and writes it as it is, nothing ever
 * mounts it, and every write from here is the whole of it, in place. (grub-editenv truncates its file first, and a power cut
 * then leaves nothing.) A write goes to the copy that does not count. The boot script grub/twinroot.cfg judges the copies by the
 * same rules and counts the tries down.
 *
 *	twinroot_sequence     1000000000 ...  one more with each write from here; of ten digits, because GRUB compares numbers
 *	                                      but cannot add, and takes a leading zero for octal
 *	twinroot_default      a | b           the committed slot
 *	twinroot_trial        a | b | none    slot on trial
 *	twinroot_left         0 .. 9          tries left; GRUB counts down and leaves the sequence as it is
 *	twinroot_bad          none|a|b|ab     slots that must not be booted
 *	twinroot_transaction  number          of the last act
 *	twinroot_check        all of them     joined with '-': a copy that is half old and half new differs from it
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "installer/boot.h"
#include "installer/boot/place.h"
#include "installer/slots.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define BLOCK 1024
#define HEADER 512
#define MEMBER "twinroot"
#define ARCHIVE (HEADER + BLOCK + 1024) /* two empty sectors end an archive */
#define HEAD "# GRUB Environment Block\n"
#define PREFIX "twinroot_"
#define SEQUENCE_FIRST UINT64_C(1000000000)
#define SEQUENCE_LAST UINT64_C(1999999998) /* GRUB's numbers have 32 bits on some platforms */

enum { SEQUENCE, DEFAULT, TRIAL, LEFT, BAD, TRANSACTION, CHECK, NAMES };
static const char *const names[NAMES] = { "sequence", "default",     "trial", "left",
					  "bad",      "transaction", "check" };

struct grub {
	size_t count;
	char *path[2];
};

/* What one of them holds: valid, or the reason why not. */
struct copy {
	bool valid;
	uint64_t sequence;
	struct boot_state state;
	struct art_err why;
};

static void grub_close(struct boot *b)
{
	struct grub *g = b->own;
	size_t i;

	for (i = 0; g && i < g->count; i++)
		free(g->path[i]);
	free(g);
	b->own = NULL;
}

static int grub_open(struct boot *b, const struct config *c, struct art_err *err)
{
	const char *const spec[] = { c->boot_store, c->boot_store_copy };
	struct grub *g = calloc(1, sizeof(*g));

	if (!g)
		return art_fail_memory(err);
	b->own = g;
	if (!spec[0])
		return art_fail(err, ART_E_USAGE, "'store' of [boot] is missing");
	for (; g->count < 2 && spec[g->count]; g->count++) {
		g->path[g->count] = slots_resolve(spec[g->count]);
		if (!g->path[g->count])
			return art_fail_errno(err, ART_E_IO, "cannot find the boot store '%s'",
					      spec[g->count]);
	}
	if (g->count == 2 && strcmp(g->path[0], g->path[1]) == 0)
		return art_fail(err, ART_E_USAGE,
				"'store' and 'store-copy' of [boot] are both '%s'", g->path[0]);
	return 0;
}

/* The values in a block, cut in place, as GRUB finds them: of two with one name the last. */
static void collect(char *p, char *end, char *value[NAMES])
{
	char *equal, *line;
	size_t i;

	for (; p < end; p = line + 1) {
		equal = *p == '#' ? p : memchr(p, '=', (size_t)(end - p));
		line = equal ? memchr(equal, '\n', (size_t)(end - equal)) : NULL;
		if (!line)
			return;
		*line = '\0';
		if (*p == '#' || strncmp(p, PREFIX, strlen(PREFIX)) != 0)
			continue;
		*equal = '\0';
		for (i = 0; i < NAMES; i++)
			if (strcmp(p + strlen(PREFIX), names[i]) == 0)
				value[i] = equal + 1;
	}
}

/* All values as the check variable has them. */
static void join(char *out, size_t room, char *const value[NAMES])
{
	snprintf(out, room, "%s-%s-%s-%s-%s-%s", value[SEQUENCE], value[DEFAULT], value[TRIAL],
		 value[LEFT], value[BAD], value[TRANSACTION]);
}

/* Values that were written as they are, but not by us: such a copy counts, for GRUB has read it too, and stops us. */
static int understand(struct copy *c, char *const value[NAMES], struct art_err *err)
{
	int i;

	if (strlen(value[SEQUENCE]) != 10 || strspn(value[SEQUENCE], ART_DIGIT) != 10 ||
	    c->sequence < SEQUENCE_FIRST || c->sequence > SEQUENCE_LAST)
		return art_fail(err, ART_E_FAILED, "'twinroot_sequence' is '%s', which is not understood",
				value[SEQUENCE]);
	for (i = DEFAULT; i <= TRANSACTION; i++)
		if (boot_state_set(&c->state, names[i], value[i]) < 0)
			return art_fail(err, ART_E_FAILED,
					"'twinroot_%s' is '%s', which is not understood", names[i],
					value[i]);
	return 0;
}

static void decode(struct copy *c, char *text)
{
	char *value[NAMES] = { NULL };
	char check[BLOCK];
	int i;

	boot_state_init(&c->state);
	if (memcmp(text, HEAD, strlen(HEAD)) != 0) {
		art_fail(&c->why, ART_E_IO, "no GRUB environment block");
		return;
	}
	collect(text, text + BLOCK, value);
	for (i = 0; i < NAMES; i++)
		if (!value[i]) {
			art_fail(&c->why, ART_E_IO, "no variable 'twinroot_%s'", names[i]);
			return;
		}
	join(check, sizeof(check), value);
	if (strcmp(check, value[CHECK]) != 0) {
		art_fail(&c->why, ART_E_IO, "half written, or damaged");
		return;
	}
	if (strcmp(value[DEFAULT], "a") != 0 && strcmp(value[DEFAULT], "b") != 0) {
		art_fail(&c->why, ART_E_IO, "'twinroot_default' is '%s'", value[DEFAULT]);
		return;
	}
	c->valid = true;
	c->sequence = strtoull(value[SEQUENCE], NULL, 10);
	c->why.code = understand(c, value, &c->why);
}

/* The checksum field counts as spaces. */
static unsigned int tar_sum(const char header[HEADER])
{
	unsigned int sum = 8 * ' ';
	size_t i;

	for (i = 0; i < HEADER; i++)
		if (i < 148 || i >= 156)
			sum += (unsigned char)header[i];
	return sum;
}

/* Those fields that GRUB goes by, so that a copy which it would not find does not count here either. */
static bool is_tar(const char header[HEADER + 1])
{
	return strcmp(header, MEMBER) == 0 && memcmp(header + 257, "ustar", 5) == 0 &&
	       strtoul(header + 124, NULL, 8) == BLOCK &&
	       strtoul(header + 148, NULL, 8) == tar_sum(header);
}

static void tar_header(char header[HEADER])
{
	memset(header, 0, HEADER);
	strcpy(header, MEMBER);
	strcpy(header + 100, "0000644");
	strcpy(header + 108, "0000000");
	strcpy(header + 116, "0000000");
	snprintf(header + 124, 12, "%011o", BLOCK);
	strcpy(header + 136, "00000000000");
	header[156] = '0';
	memcpy(header + 257, "ustar\0" "00", 8);
	snprintf(header + 148, 8, "%06o", tar_sum(header));
	header[155] = ' ';
}

static void read_copy(const char *path, struct copy *c)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char archive[HEADER + BLOCK + 1];
	ssize_t n;

	memset(c, 0, sizeof(*c));
	if (fd < 0) {
		art_fail_errno(&c->why, ART_E_IO, "cannot open it");
		return;
	}
	n = art_pread_full(fd, archive, HEADER + BLOCK, 0, path, &c->why);
	if (n < 0)
		return;
	if (n < HEADER + BLOCK || !is_tar(archive)) {
		art_fail(&c->why, ART_E_IO, "no tar archive of a '" MEMBER "' of 1024 bytes");
		return;
	}
	archive[HEADER + BLOCK] = '\0';
	decode(c, archive + HEADER);
}

/* GRUB's countdown keeps the sequence. */
static bool is_newer(const struct copy *a, const struct copy *b)
{
	if (a->sequence == b->sequence)
		return a->state.left < b->state.left;
	return a->sequence > b->sequence;
}

/* The copy that counts, and the place that the next write goes to. */
static int load(struct boot *b, struct copy *out, size_t *next, struct art_err *err)
{
	struct grub *g = b->own;
	struct copy copy[2] = { { 0 } };
	size_t i, now;

	for (i = 0; i < g->count; i++)
		read_copy(g->path[i], &copy[i]);
	now = copy[1].valid && (!copy[0].valid || is_newer(&copy[1], &copy[0])) ? 1 : 0;
	*next = g->count == 1 ? 0 : 1 - now;
	*out = copy[now];
	if (out->valid && out->why.code == 0)
		return 0;
	if (out->valid)
		return art_fail(err, out->why.code, "'%s': %s", g->path[now], out->why.text);
	if (g->count == 1)
		return art_fail(err, ART_E_BOOT_LOST,
				"the boot store is lost: '%s': %s; boot-check makes it anew",
				g->path[0], copy[0].why.text);
	return art_fail(err, ART_E_BOOT_LOST,
			"both copies of the boot store are lost: '%s': %s; '%s': %s; boot-check makes them anew",
			g->path[0], copy[0].why.text, g->path[1], copy[1].why.text);
}

static int grub_get(struct boot *b, struct boot_state *s, struct art_err *err)
{
	struct copy c;
	size_t next;
	int code = load(b, &c, &next, err);

	if (code < 0)
		return code;
	*s = c.state;
	s->booted = boot_booted_from_cmdline();
	return 0;
}

static int encode(char block[BLOCK], uint64_t sequence, const struct boot_state *s,
		  struct art_err *err)
{
	static const char *const slots[] = { "none", "a", "b" };
	static const char *const bads[] = { "none", "a", "b", "ab" };
	char n[16], left[16], transaction[24], check[128];
	char *value[NAMES] = { n, (char *)slots[s->standard + 1], (char *)slots[s->trial + 1], left,
			       (char *)bads[s->bad[0] + 2 * s->bad[1]], transaction, check };
	int len = (int)strlen(HEAD), i;

	if (s->left > 9 || sequence > SEQUENCE_LAST)
		return art_fail(err, ART_E_FAILED, "GRUB cannot count %u tries, or write %llu",
				s->left, (unsigned long long)sequence);
	snprintf(n, sizeof(n), "%llu", (unsigned long long)sequence);
	snprintf(left, sizeof(left), "%u", s->left);
	snprintf(transaction, sizeof(transaction), "%llu", (unsigned long long)s->transaction);
	join(check, sizeof(check), value);
	memset(block, '#', BLOCK);
	memcpy(block, HEAD, (size_t)len);
	/* Far less than the 512 bytes that storage writes as one. */
	for (i = 0; i < NAMES; i++)
		len += snprintf(block + len, (size_t)(BLOCK - len), PREFIX "%s=%s\n", names[i],
				value[i]);
	block[len] = '#'; /* where snprintf put its NUL */
	return 0;
}

/* In place: no length changes, nothing is allocated, so a full disk has no say. */
static int write_copy(const char *path, const char archive[ARCHIVE], struct art_err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	char old[ARCHIVE];
	ssize_t n;
	int code;

	if (fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", path);
	n = art_pread_full(fd, old, ARCHIVE, 0, path, err);
	code = n < 0 ? (int)n : 0;
	if (code == 0 && n < ARCHIVE)
		code = art_fail(err, ART_E_IO, "'%s' is smaller than the boot store, %d bytes",
				path, ARCHIVE);
	if (code == 0)
		code = art_pwrite_full(fd, archive, ARCHIVE, 0, path, err);
	if (code == 0 && fdatasync(fd) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot sync '%s'", path);
	if (close(fd) < 0 && code == 0)
		code = art_fail_errno(err, ART_E_IO, "cannot close '%s'", path);
	return code;
}

/* One act: read, let CHANGE do its part, write to the copy that does not count. ANEW: a store that is lost is made again. */
static int act(struct boot *b, void (*change)(struct boot_state *s, int slot, unsigned int tries),
	       int slot, unsigned int tries, const uint64_t *transaction, bool anew,
	       struct art_err *err)
{
	struct grub *g = b->own;
	char archive[ARCHIVE] = { 0 };
	struct copy c;
	size_t next;
	int code = load(b, &c, &next, err);

	if (code == ART_E_BOOT_LOST && anew) {
		memset(&c, 0, sizeof(c));
		boot_state_init(&c.state);
		c.sequence = SEQUENCE_FIRST;
		code = 0;
	}
	if (code < 0)
		return code;
	if (change)
		change(&c.state, slot, tries);
	if (transaction)
		c.state.transaction = *transaction;
	tar_header(archive);
	code = encode(archive + HEADER, c.sequence + 1, &c.state, err);
	return code < 0 ? code : write_copy(g->path[next], archive, err);
}

static int grub_arm(struct boot *b, int slot, unsigned int tries, uint64_t transaction,
		    struct art_err *err)
{
	return act(b, boot_state_arm, slot, tries, &transaction, false, err);
}

static int grub_commit(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	return act(b, boot_state_commit, slot, 0, &transaction, true, err);
}

static int grub_bad(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	return act(b, boot_state_bad, slot, 0, &transaction, false, err);
}

/* It goes to the copy that does not count, so it also mends one that a power cut spoiled. */
static int grub_noop(struct boot *b, struct art_err *err)
{
	return act(b, NULL, 0, 0, NULL, false, err);
}

static const char *grub_caution(struct boot *b)
{
	struct grub *g = b->own;
	struct boot_place place[2];

	if (g->count == 1)
		return "the boot store has one copy: a power cut during its write may lose it, and then the slot that twinroot-settings.cfg names boots; give 'store-copy'";
	boot_place_find(&place[0], g->path[0], 0, ARCHIVE);
	boot_place_find(&place[1], g->path[1], 0, ARCHIVE);
	return boot_place_caution(&place[0], &place[1]);
}

const struct boot_ops boot_grub = {
	.name = "grub",
	.open = grub_open,
	.close = grub_close,
	.get = grub_get,
	.arm = grub_arm,
	.commit = grub_commit,
	.bad = grub_bad,
	.noop = grub_noop,
	.caution = grub_caution,
};
