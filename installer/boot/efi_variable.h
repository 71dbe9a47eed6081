/* SPDX-License-Identifier: Apache-2.0 */
/* EFI variables through libefivar. */
#ifndef INSTALLER_BOOT_EFI_VARIABLE_H
#define INSTALLER_BOOT_EFI_VARIABLE_H

#include <stddef.h>
#include <stdint.h>

#include <efivar/efivar.h>

#include "libartifact/err.h"

/* A variable, with a NUL behind its LEN bytes; the caller frees it. Not there: *OUT is NULL, and that is no error. */
int efi_variable_get(efi_guid_t guid, const char *name, uint8_t **out, size_t *len,
		     struct art_err *err);

/* Non-volatile, for boot and run time. */
int efi_variable_set(efi_guid_t guid, const char *name, const void *bytes, size_t len,
		     struct art_err *err);

int efi_variable_remove(efi_guid_t guid, const char *name, struct art_err *err);

/* TEXT is one of the project's own constants. */
int efi_variable_guid(efi_guid_t *out, const char *text, struct art_err *err);

#endif
