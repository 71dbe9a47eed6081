// SPDX-License-Identifier: Apache-2.0
/*
 * UEFI machines, through libefivar: backend `efi` for the firmware's own boot manager, `systemd-boot` for that loader (efi.h). The committed
 * slot is the default; a trial is the entry for the next boot alone; the rest of what is to be known is in an own variable (efivars.h).
 *
 * An act takes up to three variables, and a power cut may lie between any two. So the one that decides what boots comes at the right
 * place, and what a cut leaves reads as the state before or after:
 *
 *	arm	own variable, next			cut: a trial with no try left, as after one that failed
 *	commit	default, next away, own variable	cut: committed; the trial in the own variable is over by that
 *	bad	next away, default, own variable	cut: not tried any more, not yet called bad
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdlib.h>
#include <string.h>

#include "installer/boot/efi.h"
#include "installer/boot/efi_variable.h"
#include "libartifact/util.h"

static const struct efi_manager *manager(const struct boot *b)
{
	return b->ops == &boot_efi ? &efi_firmware : &efi_systemd_boot;
}

/* What the firmware calls the slots is known only when its variables are read; here is what no reading can mend. */
static int efi_open(struct boot *b, const struct config *c, struct art_err *err)
{
	const struct efi_manager *m = manager(b);

	if (!c->boot_entry_a || !c->boot_entry_b)
		return art_fail(err, ART_E_USAGE, "'entry-a' and 'entry-b' of [boot] are required");
	if (m->check && (m->check(c->boot_entry_a, err) < 0 || m->check(c->boot_entry_b, err) < 0))
		return ART_E_USAGE;
	if (!efi_variables_supported())
		return art_fail(err, ART_E_USAGE,
				"this system has no EFI variables: it was not started by UEFI, or efivarfs is not mounted at /sys/firmware/efi/efivars");
	return 0;
}

static void efi_close(struct boot *b)
{
	(void)b;
}

/* Never written, or not whole: nothing is on trial, nothing is bad. */
static int read_words(struct efi *e, const char *name, struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t len = 0;
	efi_guid_t guid;
	int code = efi_variable_guid(&guid, EFI_OWN_GUID, err);

	if (code == 0)
		code = efi_variable_get(guid, name, &bytes, &len, err);
	if (code < 0)
		return code;
	if (!bytes || efi_words_parse(&e->words, (char *)bytes) < 0) {
		memset(&e->words, 0, sizeof(e->words));
		boot_state_init(&e->words.state);
	}
	return 0;
}

static int read_all(struct boot *b, struct efi *e, struct art_err *err)
{
	const struct efi_manager *m = manager(b);
	int code;

	memset(e, 0, sizeof(*e));
	code = m->read(e, b->config, err);
	if (code == 0 && strcmp(e->entry[0], e->entry[1]) == 0)
		code = art_fail(err, ART_E_USAGE, "'entry-a' and 'entry-b' of [boot] are the same");
	return code < 0 ? code : read_words(e, m->own, err);
}

static int state_of(const struct efi_manager *m, const struct efi *e, struct boot_state *s,
		    struct art_err *err)
{
	*s = e->words.state;
	s->standard = e->standard;
	s->booted = e->booted;
	s->one_shot = true;
	if (s->standard == BOOT_NONE)
		return art_fail(err, ART_E_BOOT_LOST,
				"the EFI variable '%s' names neither '%s' nor '%s'", m->standard_name,
				e->entry[0], e->entry[1]);
	/* A commit that was cut: the default is ahead of the own variable. */
	if (s->trial == s->standard && e->words.state.standard != s->standard)
		s->trial = BOOT_NONE;
	s->left = s->trial != BOOT_NONE && e->next == s->trial;
	return 0;
}

static int read_state(struct boot *b, struct efi *e, struct boot_state *s, struct art_err *err)
{
	int code = read_all(b, e, err);

	return code < 0 ? code : state_of(manager(b), e, s, err);
}

static int efi_get(struct boot *b, struct boot_state *s, struct art_err *err)
{
	struct efi e;

	return read_state(b, &e, s, err);
}

static int write_words(struct boot *b, const struct efi *e, const struct boot_state *s,
		       struct art_err *err)
{
	struct efi_words w = { .state = *s, .write = e->words.write + 1 };
	char text[EFI_WORDS_MAX];
	efi_guid_t guid;
	int code = efi_variable_guid(&guid, EFI_OWN_GUID, err);

	memcpy(w.entry, e->entry, sizeof(w.entry));
	w.state.left = 0;
	if (code == 0)
		code = efi_words_format(text, &w, err);
	return code < 0 ? code : efi_variable_set(guid, manager(b)->own, text, strlen(text), err);
}

static int efi_arm(struct boot *b, int slot, unsigned int tries, uint64_t transaction,
		   struct art_err *err)
{
	struct boot_state s;
	struct efi e;
	int code = read_state(b, &e, &s, err);

	if (code < 0)
		return code;
	boot_state_arm(&s, slot, tries);
	s.transaction = transaction;
	code = write_words(b, &e, &s, err);
	return code < 0 ? code : manager(b)->write_next(&e, slot, err);
}

/* A default that is lost, a BootOrder that the firmware has reset, is made anew. */
static int efi_commit(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	struct boot_state s;
	struct efi e;
	int code = read_state(b, &e, &s, err);

	if (code < 0 && code != ART_E_BOOT_LOST)
		return code;
	boot_state_commit(&s, slot, 0);
	s.transaction = transaction;
	code = manager(b)->write_default(&e, &s, err);
	if (code == 0 && e.next != BOOT_NONE)
		code = manager(b)->remove_next(err);
	return code < 0 ? code : write_words(b, &e, &s, err);
}

static int efi_bad(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	struct boot_state s;
	struct efi e;
	int code = read_state(b, &e, &s, err);

	if (code < 0)
		return code;
	boot_state_bad(&s, slot, 0);
	/* Never boot the default: the other is. With both bad the last one stays. */
	if (s.standard == slot && !s.bad[1 - slot])
		s.standard = 1 - slot;
	s.transaction = transaction;
	if (e.next == slot)
		code = manager(b)->remove_next(err);
	if (code == 0)
		code = manager(b)->write_default(&e, &s, err);
	return code < 0 ? code : write_words(b, &e, &s, err);
}

static int efi_noop(struct boot *b, struct art_err *err)
{
	struct boot_state s;
	struct efi e;
	int code = read_state(b, &e, &s, err);

	if (code == 0)
		code = manager(b)->write_default(&e, &s, err);
	return code < 0 ? code : write_words(b, &e, &s, err);
}

static const char *efi_caution(struct boot *b)
{
	return manager(b)->caution;
}

#define ACTS                                                                                \
	.open = efi_open, .close = efi_close, .get = efi_get, .arm = efi_arm,               \
	.commit = efi_commit, .bad = efi_bad, .noop = efi_noop, .caution = efi_caution

const struct boot_ops boot_efi = { .name = "efi", ACTS };
const struct boot_ops boot_systemd_boot = { .name = "systemd-boot", ACTS };
