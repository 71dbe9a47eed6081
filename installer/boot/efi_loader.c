// SPDX-License-Identifier: Apache-2.0
/*
 * systemd-boot, through the variables of its interface (https://systemd.io/BOOT_LOADER_INTERFACE): LoaderEntryDefault is the default, LoaderEntryOneShot
 * the next boot; systemd-boot removes that one before it starts the entry, and says in LoaderEntrySelected what it has started. Entries are called as
 * their files below loader/entries or EFI/Linux, in UTF-16 with a NUL.
 */
#include <string.h>

#include "installer/boot/efi.h"
#include "installer/boot/efi_variable.h"
#include "libartifact/util.h"

#define STANDARD "LoaderEntryDefault"
#define NEXT "LoaderEntryOneShot"
#define SELECTED "LoaderEntrySelected"

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len > n && strcmp(text + len - n, end) == 0;
}

/* systemd-boot takes a value as a pattern, and cuts "+3" out of the name of a file that it counts boots in. */
static int check(const char *entry, struct art_err *err)
{
	if (art_is_name(entry, EFI_ENTRY_MAX - 1, ART_LOWER ART_DIGIT, ART_LOWER ART_DIGIT "._-") &&
	    (ends_in(entry, ".conf") || ends_in(entry, ".efi")))
		return 0;
	return art_fail(err, ART_E_USAGE,
			"'%s' is no name for an entry here: lower-case letters, digits, '.', '_' and '-', ending in .conf or .efi, are due; systemd-boot's own counters ('+3') are not used",
			entry);
}

/* The slot that a variable names, or BOOT_NONE. */
static int read_slot(const struct efi *e, const char *name, int *slot, struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	char text[EFI_ENTRY_MAX];
	size_t len = 0;
	efi_guid_t guid;
	int code = efi_variable_guid(&guid, EFI_LOADER_GUID, err);

	*slot = BOOT_NONE;
	if (code == 0)
		code = efi_variable_get(guid, name, &bytes, &len, err);
	if (code < 0 || !bytes || efi_text(text, bytes, len) < 0)
		return code;
	for (int i = 0; i < CONFIG_SLOTS; i++)
		if (strcmp(text, e->entry[i]) == 0)
			*slot = i;
	return 0;
}

static int loader_read(struct efi *e, const struct config *c, struct art_err *err)
{
	int code;

	/* efi.c has asked `check`: they fit. */
	strncpy(e->entry[0], c->boot_entry_a, EFI_ENTRY_MAX - 1);
	strncpy(e->entry[1], c->boot_entry_b, EFI_ENTRY_MAX - 1);
	code = read_slot(e, STANDARD, &e->standard, err);
	if (code == 0)
		code = read_slot(e, NEXT, &e->next, err);
	if (code == 0)
		code = read_slot(e, SELECTED, &e->booted, err);
	return code;
}

static int write_entry(const struct efi *e, const char *name, int slot, struct art_err *err)
{
	const char *entry = e->entry[slot];
	uint8_t bytes[2 * EFI_ENTRY_MAX];
	size_t i, n = strlen(entry) + 1;
	efi_guid_t guid;
	int code = efi_variable_guid(&guid, EFI_LOADER_GUID, err);

	for (i = 0; i < n; i++)
		art_put16(bytes + 2 * i, (uint8_t)entry[i]);
	return code < 0 ? code : efi_variable_set(guid, name, bytes, 2 * n, err);
}

/* Nothing but the default is ever started by itself, so that a bad slot needs no mark here. */
static int write_default(const struct efi *e, const struct boot_state *s, struct art_err *err)
{
	return write_entry(e, STANDARD, s->standard, err);
}

static int write_next(const struct efi *e, int slot, struct art_err *err)
{
	return write_entry(e, NEXT, slot, err);
}

static int remove_next(struct art_err *err)
{
	efi_guid_t guid;
	int code = efi_variable_guid(&guid, EFI_LOADER_GUID, err);

	return code < 0 ? code : efi_variable_remove(guid, NEXT, err);
}

const struct efi_manager efi_systemd_boot = {
	.own = EFI_OWN_LOADER,
	.standard_name = STANDARD,
	.caution = EFI_CAUTION "; the kernels of both slots lie on one FAT filesystem",
	.check = check,
	.read = loader_read,
	.write_default = write_default,
	.write_next = write_next,
	.remove_next = remove_next,
};
