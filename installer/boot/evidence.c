// SPDX-License-Identifier: Apache-2.0
/* The boot chain's own word on this boot: see evidence.h. What cannot be read is no evidence. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "installer/boot/efivars.h"
#include "installer/boot/evidence.h"
#include "installer/boot/words.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define FILE_MAX (64 * 1024)
/* What /proc/device-tree leads to (Documentation/ABI/testing/sysfs-firmware-ofw). */
#define BOOTLOADER_NODE "/sys/firmware/devicetree/base/chosen/bootloader/"
#define EFIVARS "/sys/firmware/efi/efivars/"
#define GLOBAL_GUID "8be4df61-93ca-11d2-aa0d-00e098032b8c"

static uint8_t *read_in(const char *root, const char *path, size_t *len)
{
	cleanup_free char *full = NULL;
	uint8_t *bytes = NULL;

	if (asprintf(&full, "%s%s", root, path) < 0) {
		full = NULL;
		return NULL;
	}
	return art_read_file(full, FILE_MAX, &bytes, len, NULL) < 0 ? NULL : bytes;
}

static bool command_line_says(const char *root)
{
	size_t len = 0;
	cleanup_free char *text = (char *)read_in(root, "/proc/cmdline", &len);
	char *word, *rest = NULL;

	if (!text)
		return false;
	for (word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
		if (strcmp(word, "twinroot.trial=1") == 0)
			return true;
	return false;
}

/* A cell of the device tree: 32 bits, big-endian. */
static unsigned int cell(const char *root, const char *path)
{
	size_t len = 0;
	cleanup_free uint8_t *bytes = read_in(root, path, &len);

	if (!bytes || len != 4)
		return 0;
	return (unsigned int)bytes[0] << 24 | (unsigned int)bytes[1] << 16 |
	       (unsigned int)bytes[2] << 8 | bytes[3];
}

void boot_evidence_firmware(const char *root, struct boot_firmware *out)
{
	out->partition = cell(root, BOOTLOADER_NODE "partition");
	out->tryboot = cell(root, BOOTLOADER_NODE "tryboot") != 0;
}

/* A variable of the firmware; the file begins with four bytes of attributes. */
static uint8_t *efi_variable(const char *root, const char *path, size_t least, size_t *len)
{
	uint8_t *bytes = read_in(root, path, len);

	if (bytes && *len >= 4 + least)
		return bytes;
	free(bytes);
	return NULL;
}

/* An own variable: the slot on trial, or BOOT_NONE. */
static int efi_trial(const char *root, const char *path, struct efi_words *words)
{
	size_t len = 0;
	cleanup_free uint8_t *own = efi_variable(root, path, 0, &len);

	if (!own || efi_words_parse(words, (char *)own + 4) < 0)
		return BOOT_NONE;
	return words->state.trial;
}

static bool firmware_says(const char *root)
{
	size_t len = 0, order_len = 0;
	cleanup_free uint8_t *current =
		efi_variable(root, EFIVARS "BootCurrent-" GLOBAL_GUID, 2, &len);
	cleanup_free uint8_t *order =
		efi_variable(root, EFIVARS "BootOrder-" GLOBAL_GUID, 2, &order_len);
	struct efi_words words;
	int trial = efi_trial(root, EFIVARS EFI_OWN_FIRMWARE "-" EFI_OWN_GUID, &words);
	unsigned int number[CONFIG_SLOTS];

	if (!current || !order || trial == BOOT_NONE ||
	    sscanf(words.entry[0], "%4x", &number[0]) != 1 ||
	    sscanf(words.entry[1], "%4x", &number[1]) != 1)
		return false;
	return art_get16(current + 4) == number[trial] &&
	       efi_order_first(order + 4, (order_len - 4) / 2, number) != trial;
}

/* Does a variable of systemd-boot name this entry? */
static bool loader_names(const char *root, const char *path, const char *entry)
{
	size_t len = 0;
	cleanup_free uint8_t *bytes = efi_variable(root, path, 2, &len);
	char text[EFI_ENTRY_MAX];

	return bytes && efi_text(text, bytes + 4, len - 4) == 0 && strcmp(text, entry) == 0;
}

static bool loader_says(const char *root)
{
	struct efi_words words;
	int trial = efi_trial(root, EFIVARS EFI_OWN_LOADER "-" EFI_OWN_GUID, &words);

	return trial != BOOT_NONE &&
	       loader_names(root, EFIVARS "LoaderEntrySelected-" EFI_LOADER_GUID,
			    words.entry[trial]) &&
	       loader_names(root, EFIVARS "LoaderEntryDefault-" EFI_LOADER_GUID,
			    words.entry[1 - trial]);
}

bool boot_evidence_trial_in(const char *root)
{
	struct boot_firmware firmware;

	boot_evidence_firmware(root, &firmware);
	return firmware.tryboot || command_line_says(root) || firmware_says(root) ||
	       loader_says(root);
}

bool boot_evidence_trial(void)
{
	return boot_evidence_trial_in("");
}
