// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: what does libartifact say of these manifest files? One line each: the error's name, and its text. With
 * --format first, a manifest that is accepted is written out canonically instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/io.h"
#include "libartifact/manifest.h"

static int probe(const char *path, int format)
{
	struct art_manifest *m = NULL;
	struct art_err err = { 0 };
	uint8_t *bytes = NULL, *again = NULL;
	size_t len = 0;
	int code = art_read_file(path, 4 * ART_MIB, &bytes, &len, &err);

	if (code == 0)
		code = art_manifest_parse(&m, bytes, len, &err);
	if (code == 0 && format)
		code = art_manifest_format(m, &again, &len, &err);
	if (code == 0 && format)
		fwrite(again, 1, len, stdout);
	else
		printf("%s\t%s\n", art_code_name(code), err.text);
	art_manifest_free(m);
	free(bytes);
	free(again);
	return code;
}

int main(int argc, char **argv)
{
	int format = argc > 1 && !strcmp(argv[1], "--format");
	int code = 0;
	int i;

	for (i = 1 + format; i < argc; i++)
		code = probe(argv[i], format);
	return art_code_exit(code);
}
