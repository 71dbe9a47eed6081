// SPDX-License-Identifier: Apache-2.0
/*
 * UEFI's own boot manager, through libefivar. The committed slot is the first of the two slots' entries in BootOrder; a trial is BootNext, which
 * the firmware clears before it starts it; the rest of what is to be known is in an own variable (efivars.h).
 *
 * An act takes up to three variables, and a power cut may lie between any two. So the one that decides what boots comes at the right
 * place, and what a cut leaves reads as the state before or after:
 *
 *	arm	own variable, BootNext			cut: a trial with no try left, as after one that failed
 *	commit	BootOrder, BootNext away, own variable	cut: committed; the trial in the own variable is over by that
 *	bad	BootNext away, BootOrder, own variable	cut: not tried any more, not yet called bad
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <efivar/efivar.h>

#include "installer/boot.h"
#include "installer/boot/efivars.h"
#include "libartifact/util.h"

#define ORDER_MAX 256 /* entries */
#define ATTRIBUTES                                                      \
	(EFI_VARIABLE_NON_VOLATILE | EFI_VARIABLE_BOOTSERVICE_ACCESS | \
	 EFI_VARIABLE_RUNTIME_ACCESS)
#define NO_ENTRY 0x10000u

/* What the firmware's variables say, read afresh for each act. */
struct efi {
	unsigned int entry[CONFIG_SLOTS];
	size_t count;
	uint8_t order[2 * ORDER_MAX];
	unsigned int next;    /* BootNext, or NO_ENTRY */
	unsigned int current; /* BootCurrent, or NO_ENTRY */
	struct efi_words words;
};

/* A variable, with a NUL behind it. Not there: *OUT is NULL, and that is no error. */
static int get_variable(efi_guid_t guid, const char *name, uint8_t **out, size_t *len,
			struct art_err *err)
{
	uint8_t *bytes = NULL, *longer;
	uint32_t attributes = 0;

	*out = NULL;
	*len = 0;
	if (efi_get_variable(guid, name, &bytes, len, &attributes) < 0) {
		if (errno == ENOENT)
			return 0;
		return art_fail_errno(err, ART_E_IO, "cannot read the EFI variable '%s'", name);
	}
	longer = realloc(bytes, *len + 1);
	if (!longer) {
		free(bytes);
		return art_fail_memory(err);
	}
	longer[*len] = '\0';
	*out = longer;
	return 0;
}

static int set_variable(efi_guid_t guid, const char *name, uint8_t *bytes, size_t len,
			struct art_err *err)
{
	if (efi_set_variable(guid, name, bytes, len, ATTRIBUTES, 0644) < 0)
		return art_fail_errno(err, ART_E_IO,
				      "cannot write the EFI variable '%s' (efivarfs must be mounted read-write)",
				      name);
	return 0;
}

/* The description of a load option (UCS-2 after six bytes) is LABEL, which is ASCII. */
static bool has_label(const uint8_t *option, size_t len, const char *label)
{
	size_t i, n = strlen(label);

	if (len < 6 + 2 * (n + 1))
		return false;
	for (i = 0; i <= n; i++)
		if (art_get16(option + 6 + 2 * i) != (uint8_t)label[i])
			return false;
	return true;
}

/* The number in "Boot0001", or NO_ENTRY. */
static unsigned int entry_number(const char *name)
{
	unsigned int n;
	int end = 0;

	if (strlen(name) == 8 && sscanf(name, "Boot%4x%n", &n, &end) == 1 && end == 8)
		return n;
	return NO_ENTRY;
}

/* "Boot0001" is that entry, anything else a label; the number of a label changes when firmware makes its entries anew. */
static int find_entry(const char *value, unsigned int *out, struct art_err *err)
{
	const efi_guid_t global = EFI_GLOBAL_GUID;
	efi_guid_t *guid = NULL;
	char *name = NULL;
	bool twice = false;

	*out = entry_number(value);
	if (*out != NO_ENTRY)
		return 0;
	/* To the end, or libefivar goes on from there the next time. */
	while (efi_get_next_variable_name(&guid, &name) > 0) {
		cleanup_free uint8_t *option = NULL;
		size_t len = 0;

		if (efi_guid_cmp(guid, &global) != 0 || entry_number(name) == NO_ENTRY ||
		    get_variable(global, name, &option, &len, NULL) < 0 || !option ||
		    !has_label(option, len, value))
			continue;
		twice = *out != NO_ENTRY;
		*out = entry_number(name);
	}
	if (*out != NO_ENTRY && !twice)
		return 0;
	return art_fail(err, ART_E_USAGE,
			twice ? "more than one EFI boot entry is called '%s'; say which by its number, as Boot0001" :
				"no EFI boot entry is called '%s'; make one with efibootmgr(8)",
			value);
}

/* The numbers are known only when the variables are read; here is what no reading can mend. */
static int efi_open(struct boot *b, const struct config *c, struct art_err *err)
{
	(void)b;
	if (!c->boot_entry_a || !c->boot_entry_b)
		return art_fail(err, ART_E_USAGE, "'entry-a' and 'entry-b' of [boot] are required");
	if (!efi_variables_supported())
		return art_fail(err, ART_E_USAGE,
				"this system has no EFI variables: it was not started by UEFI, or efivarfs is not mounted at /sys/firmware/efi/efivars");
	return 0;
}

static void efi_close(struct boot *b)
{
	(void)b;
}

/* One 16-bit number; NO_ENTRY where there is no such variable. */
static int read_number(const char *name, unsigned int *out, struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t len = 0;
	int code = get_variable(EFI_GLOBAL_GUID, name, &bytes, &len, err);

	*out = bytes && len == 2 ? art_get16(bytes) : NO_ENTRY;
	return code;
}

static int read_order(struct efi *e, struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t len = 0;
	int code = get_variable(EFI_GLOBAL_GUID, "BootOrder", &bytes, &len, err);

	if (code < 0)
		return code;
	if (len > sizeof(e->order) - 2 * CONFIG_SLOTS)
		return art_fail(err, ART_E_IO, "the EFI variable 'BootOrder' has %zu entries", len / 2);
	e->count = len / 2;
	if (bytes)
		memcpy(e->order, bytes, 2 * e->count);
	return 0;
}

/* Never written, or not whole: nothing is on trial, nothing is bad. */
static int read_words(struct efi *e, efi_guid_t guid, struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t len = 0;
	int code = get_variable(guid, EFI_OWN_NAME, &bytes, &len, err);

	if (code < 0)
		return code;
	if (!bytes || efi_words_parse(&e->words, (char *)bytes) < 0) {
		memset(&e->words, 0, sizeof(e->words));
		boot_state_init(&e->words.state);
	}
	return 0;
}

static int own_guid(efi_guid_t *guid, struct art_err *err)
{
	if (efi_str_to_guid(EFI_OWN_GUID, guid) < 0)
		return art_fail(err, ART_E_FAILED, "libefivar does not take a GUID");
	return 0;
}

static int slot_of(const struct efi *e, unsigned int entry)
{
	return entry == e->entry[0] ? 0 : entry == e->entry[1] ? 1 : BOOT_NONE;
}

static int read_all(struct boot *b, struct efi *e, struct art_err *err)
{
	efi_guid_t guid;
	int code = own_guid(&guid, err);

	memset(e, 0, sizeof(*e));
	if (code == 0)
		code = find_entry(b->config->boot_entry_a, &e->entry[0], err);
	if (code == 0)
		code = find_entry(b->config->boot_entry_b, &e->entry[1], err);
	if (code == 0 && e->entry[0] == e->entry[1])
		code = art_fail(err, ART_E_USAGE, "'entry-a' and 'entry-b' of [boot] are the same");
	if (code == 0)
		code = read_order(e, err);
	if (code == 0)
		code = read_number("BootNext", &e->next, err);
	if (code == 0)
		code = read_number("BootCurrent", &e->current, err);
	return code < 0 ? code : read_words(e, guid, err);
}

static int state_of(const struct efi *e, struct boot_state *s, struct art_err *err)
{
	*s = e->words.state;
	s->standard = efi_order_first(e->order, e->count, e->entry);
	s->booted = slot_of(e, e->current);
	s->one_shot = true;
	if (s->standard == BOOT_NONE)
		return art_fail(err, ART_E_BOOT_LOST, "neither Boot%04X nor Boot%04X is in BootOrder",
				e->entry[0], e->entry[1]);
	/* A commit that was cut: BootOrder is ahead of the own variable. */
	if (s->trial == s->standard && e->words.state.standard != s->standard)
		s->trial = BOOT_NONE;
	s->left = s->trial != BOOT_NONE && e->next == e->entry[s->trial];
	return 0;
}

static int efi_get(struct boot *b, struct boot_state *s, struct art_err *err)
{
	struct efi e;
	int code = read_all(b, &e, err);

	return code < 0 ? code : state_of(&e, s, err);
}

/* The slots' entries go where the first of them was: a stick that boots before them goes on doing so. A bad slot's is left out, unless it
 * is the default because both are bad. */
static int write_order(const struct efi *e, const struct boot_state *s, struct art_err *err)
{
	uint8_t order[2 * ORDER_MAX + 4];
	size_t i, at = 0, n = 0;

	while (at < e->count && slot_of(e, art_get16(e->order + 2 * at)) == BOOT_NONE)
		at++;
	if (at == e->count)
		at = 0;
	for (i = 0; i <= e->count; i++) {
		if (i == at) {
			art_put16(order + 2 * n++, (uint16_t)e->entry[s->standard]);
			if (!s->bad[1 - s->standard])
				art_put16(order + 2 * n++, (uint16_t)e->entry[1 - s->standard]);
		}
		if (i < e->count && slot_of(e, art_get16(e->order + 2 * i)) == BOOT_NONE)
			art_put16(order + 2 * n++, art_get16(e->order + 2 * i));
	}
	return set_variable(EFI_GLOBAL_GUID, "BootOrder", order, 2 * n, err);
}

static int drop_next(const struct efi *e, int slot, struct art_err *err)
{
	if (e->next != e->entry[slot] || efi_del_variable(EFI_GLOBAL_GUID, "BootNext") == 0)
		return 0;
	return art_fail_errno(err, ART_E_IO, "cannot remove the EFI variable 'BootNext'");
}

static int write_words(const struct efi *e, const struct boot_state *s, struct art_err *err)
{
	struct efi_words w = { .state = *s, .write = e->words.write + 1 };
	char text[EFI_WORDS_MAX];
	efi_guid_t guid;
	int code = own_guid(&guid, err);

	w.entry[0] = e->entry[0];
	w.entry[1] = e->entry[1];
	w.state.left = 0;
	if (code == 0)
		code = efi_words_format(text, &w, err);
	if (code < 0)
		return code;
	return set_variable(guid, EFI_OWN_NAME, (uint8_t *)text, strlen(text), err);
}

static int read_state(struct boot *b, struct efi *e, struct boot_state *s, struct art_err *err)
{
	int code = read_all(b, e, err);

	return code < 0 ? code : state_of(e, s, err);
}

static int efi_arm(struct boot *b, int slot, unsigned int tries, uint64_t transaction,
		   struct art_err *err)
{
	struct boot_state s;
	struct efi e;
	uint8_t next[2];
	int code = read_state(b, &e, &s, err);

	if (code < 0)
		return code;
	boot_state_arm(&s, slot, tries);
	s.transaction = transaction;
	art_put16(next, (uint16_t)e.entry[slot]);
	code = write_words(&e, &s, err);
	return code < 0 ? code : set_variable(EFI_GLOBAL_GUID, "BootNext", next, 2, err);
}

/* A BootOrder that the firmware has reset is made anew. */
static int efi_commit(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	struct boot_state s;
	struct efi e;
	int code = read_state(b, &e, &s, err);

	if (code < 0 && code != ART_E_BOOT_LOST)
		return code;
	boot_state_commit(&s, slot, 0);
	s.transaction = transaction;
	code = write_order(&e, &s, err);
	if (code == 0)
		code = drop_next(&e, 0, err);
	if (code == 0)
		code = drop_next(&e, 1, err);
	return code < 0 ? code : write_words(&e, &s, err);
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
	code = drop_next(&e, slot, err);
	if (code == 0)
		code = write_order(&e, &s, err);
	return code < 0 ? code : write_words(&e, &s, err);
}

static int efi_noop(struct boot *b, struct art_err *err)
{
	struct boot_state s;
	struct efi e;
	int code = read_state(b, &e, &s, err);

	if (code == 0)
		code = set_variable(EFI_GLOBAL_GUID, "BootOrder", e.order, 2 * e.count, err);
	return code < 0 ? code : write_words(&e, &s, err);
}

static const char *efi_caution(struct boot *b)
{
	(void)b;
	return "EFI variables are written by the firmware, and whether one survives a power cut in its write is the firmware's promise";
}

const struct boot_ops boot_efi = {
	.name = "efi",
	.open = efi_open,
	.close = efi_close,
	.get = efi_get,
	.arm = efi_arm,
	.commit = efi_commit,
	.bad = efi_bad,
	.noop = efi_noop,
	.caution = efi_caution,
};
