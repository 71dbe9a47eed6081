// SPDX-License-Identifier: Apache-2.0
/* The manifest's text, framed and padded here so that mutations count. What is accepted is written and read again. */
#include <string.h>

#include "fuzz.h"
#include "libartifact/manifest.h"

static void check_again(const struct art_manifest *m)
{
	struct art_manifest *again = NULL;
	uint8_t *first = NULL, *second = NULL;
	size_t first_len = 0, second_len = 0;
	struct art_err err = { 0 };
	int code = art_manifest_format(m, &first, &first_len, &err);

	if (code) {
		/* Indentation may make a large one too large; nothing else may be wrong with it. */
		MUST(code == ART_E_MANIFEST_VALUE && strstr(err.text, "would have"));
		return;
	}
	MUST(art_manifest_parse(&again, first, first_len, &err) == 0);
	MUST(art_manifest_format(again, &second, &second_len, &err) == 0);
	MUST(first_len == second_len && !memcmp(first, second, first_len));
	free(first);
	free(second);
	art_manifest_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	size_t padded = (size_t)art_round_up(len + 1, ART_MANIFEST_UNIT);
	struct art_manifest *m = NULL;
	struct art_err err = { 0 };
	uint8_t *copy = malloc(padded);
	int code;

	if (!copy)
		return 0;
	memset(copy, ' ', padded);
	if (len)
		memcpy(copy, bytes, len);
	copy[len] = '\n';
	code = art_manifest_parse(&m, copy, padded, &err);
	MUST((code == 0) == (m != NULL));
	MUST(code == 0 || (err.code == code && err.text[0]));
	if (m)
		check_again(m);
	art_manifest_free(m);
	free(copy);
	return 0;
}
