// SPDX-License-Identifier: Apache-2.0
/* For LD_PRELOAD: libefivar over a directory of ordinary files. efivarfs replaces a variable by each write; a plain file has to be
 * emptied first. With $EFISHIM_CUT=N the power goes before the N-th write. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <efivar/efivar.h>

static void file_of(char *path, size_t room, efi_guid_t guid, const char *name)
{
	char *text = NULL;

	if (efi_guid_to_str(&guid, &text) < 0)
		abort();
	snprintf(path, room, "%s/%s-%s", getenv("EFIVARFS_PATH"), name, text);
	free(text);
}

static void count_write(void)
{
	static int writes;
	const char *cut = getenv("EFISHIM_CUT");

	if (cut && ++writes == atoi(cut))
		_exit(99);
}

int efi_set_variable(efi_guid_t guid, const char *name, uint8_t *data, size_t data_size,
		     uint32_t attributes, mode_t mode)
{
	uint8_t bytes[4096];
	char path[512];
	ssize_t done;
	int fd;

	count_write();
	file_of(path, sizeof(path), guid, name);
	if (data_size > sizeof(bytes) - 4)
		abort();
	memcpy(bytes, &attributes, 4);
	memcpy(bytes + 4, data, data_size);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	if (fd < 0)
		return -1;
	done = write(fd, bytes, data_size + 4);
	return close(fd) == 0 && done == (ssize_t)data_size + 4 ? 0 : -1;
}

int efi_del_variable(efi_guid_t guid, const char *name)
{
	char path[512];

	count_write();
	file_of(path, sizeof(path), guid, name);
	return unlink(path);
}
