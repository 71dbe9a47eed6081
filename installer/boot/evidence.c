// SPDX-License-Identifier: Apache-2.0
/* Evidence without configuration: the kernel's command line. */
#include <string.h>

#include "installer/boot/evidence.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

bool boot_evidence_trial(void)
{
	cleanup_free uint8_t *text = NULL;
	char *word, *rest = NULL;
	bool trial = false;
	size_t len;

	if (art_read_file("/proc/cmdline", 65536, &text, &len, NULL) < 0)
		return false;
	for (word = strtok_r((char *)text, " \n", &rest); word;
	     word = strtok_r(NULL, " \n", &rest))
		if (strncmp(word, "twinroot.trial=", 15) == 0)
			trial = strcmp(word + 15, "1") == 0;
	return trial;
}
