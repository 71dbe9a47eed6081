// SPDX-License-Identifier: Apache-2.0
/* EFI variables: see efi_variable.h. */
#include <errno.h>
#include <stdlib.h>

#include "installer/boot/efi_variable.h"
#include "libartifact/util.h"

#define ATTRIBUTES                                                      \
	(EFI_VARIABLE_NON_VOLATILE | EFI_VARIABLE_BOOTSERVICE_ACCESS | \
	 EFI_VARIABLE_RUNTIME_ACCESS)

int efi_variable_get(efi_guid_t guid, const char *name, uint8_t **out, size_t *len,
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

int efi_variable_set(efi_guid_t guid, const char *name, const void *bytes, size_t len,
		     struct art_err *err)
{
	/* libefivar only reads them. */
	if (efi_set_variable(guid, name, (uint8_t *)(uintptr_t)bytes, len, ATTRIBUTES, 0644) < 0)
		return art_fail_errno(err, ART_E_IO,
				      "cannot write the EFI variable '%s' (efivarfs must be mounted read-write)",
				      name);
	return 0;
}

int efi_variable_remove(efi_guid_t guid, const char *name, struct art_err *err)
{
	if (efi_del_variable(guid, name) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot remove the EFI variable '%s'", name);
	return 0;
}

int efi_variable_guid(efi_guid_t *out, const char *text, struct art_err *err)
{
	if (efi_str_to_guid(text, out) < 0)
		return art_fail(err, ART_E_FAILED, "libefivar does not take a GUID");
	return 0;
}
