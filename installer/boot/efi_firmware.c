// SPDX-License-Identifier: Apache-2.0
/* The firmware's own boot manager: the default is the first of the two slots' entries in BootOrder, the next boot is BootNext. */
#include <stdio.h>
#include <string.h>

#include "installer/boot/efi.h"
#include "installer/boot/efi_variable.h"
#include "libartifact/util.h"

#define NO_ENTRY 0x10000u

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

/* Firmware forgets entries, and one that is not there would be armed in vain. */
static int check_entry(unsigned int number, struct art_err *err)
{
	cleanup_free uint8_t *option = NULL;
	char name[16];
	size_t len = 0;
	int code;

	snprintf(name, sizeof(name), "Boot%04X", number);
	code = efi_variable_get(EFI_GLOBAL_GUID, name, &option, &len, err);
	if (code < 0 || option)
		return code;
	return art_fail(err, ART_E_USAGE, "there is no EFI boot entry '%s'; make one with efibootmgr(8)",
			name);
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
		return check_entry(*out, err);
	/* To the end, or libefivar goes on from there the next time. */
	while (efi_get_next_variable_name(&guid, &name) > 0) {
		cleanup_free uint8_t *option = NULL;
		size_t len = 0;

		if (efi_guid_cmp(guid, &global) != 0 || entry_number(name) == NO_ENTRY ||
		    efi_variable_get(global, name, &option, &len, NULL) < 0 || !option ||
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

/* One 16-bit number; NO_ENTRY where there is no such variable. */
static int read_number(const char *name, unsigned int *out, struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t len = 0;
	int code = efi_variable_get(EFI_GLOBAL_GUID, name, &bytes, &len, err);

	*out = bytes && len == 2 ? art_get16(bytes) : NO_ENTRY;
	return code;
}

static int read_order(struct efi *e, struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t len = 0;
	int code = efi_variable_get(EFI_GLOBAL_GUID, "BootOrder", &bytes, &len, err);

	if (code < 0)
		return code;
	if (len > sizeof(e->order) - 2 * CONFIG_SLOTS)
		return art_fail(err, ART_E_IO, "the EFI variable 'BootOrder' has %zu entries", len / 2);
	e->count = len / 2;
	if (bytes)
		memcpy(e->order, bytes, 2 * e->count);
	return 0;
}

static int slot_of(const struct efi *e, unsigned int entry)
{
	return entry == e->number[0] ? 0 : entry == e->number[1] ? 1 : BOOT_NONE;
}

static int firmware_read(struct efi *e, const struct config *c, struct art_err *err)
{
	const char *const entry[CONFIG_SLOTS] = { c->boot_entry_a, c->boot_entry_b };
	unsigned int next = NO_ENTRY, current = NO_ENTRY;
	int slot, code = 0;

	for (slot = 0; slot < CONFIG_SLOTS && code == 0; slot++) {
		code = find_entry(entry[slot], &e->number[slot], err);
		snprintf(e->entry[slot], EFI_ENTRY_MAX, "%04x", e->number[slot] & 0xffff);
	}
	if (code == 0)
		code = read_order(e, err);
	if (code == 0)
		code = read_number("BootNext", &next, err);
	if (code == 0)
		code = read_number("BootCurrent", &current, err);
	if (code < 0)
		return code;
	e->standard = efi_order_first(e->order, e->count, e->number);
	e->next = slot_of(e, next);
	e->booted = slot_of(e, current);
	return 0;
}

/* The slots' entries go where the first of them was: a stick that boots before them goes on doing so. A bad slot's is left out, unless it
 * is the default because both are bad. */
static int write_order(const struct efi *e, const struct boot_state *s, struct art_err *err)
{
	uint8_t order[2 * EFI_ORDER_MAX + 4];
	size_t i, at = 0, n = 0;

	while (at < e->count && slot_of(e, art_get16(e->order + 2 * at)) == BOOT_NONE)
		at++;
	if (at == e->count)
		at = 0;
	for (i = 0; i <= e->count; i++) {
		if (i == at) {
			art_put16(order + 2 * n++, (uint16_t)e->number[s->standard]);
			if (!s->bad[1 - s->standard])
				art_put16(order + 2 * n++, (uint16_t)e->number[1 - s->standard]);
		}
		if (i < e->count && slot_of(e, art_get16(e->order + 2 * i)) == BOOT_NONE)
			art_put16(order + 2 * n++, art_get16(e->order + 2 * i));
	}
	return efi_variable_set(EFI_GLOBAL_GUID, "BootOrder", order, 2 * n, err);
}

static int write_next(const struct efi *e, int slot, struct art_err *err)
{
	uint8_t next[2];

	art_put16(next, (uint16_t)e->number[slot]);
	return efi_variable_set(EFI_GLOBAL_GUID, "BootNext", next, 2, err);
}

static int remove_next(struct art_err *err)
{
	return efi_variable_remove(EFI_GLOBAL_GUID, "BootNext", err);
}

const struct efi_manager efi_firmware = {
	.own = EFI_OWN_FIRMWARE,
	.standard_name = "BootOrder",
	.caution = EFI_CAUTION,
	.read = firmware_read,
	.write_default = write_order,
	.write_next = write_next,
	.remove_next = remove_next,
};
