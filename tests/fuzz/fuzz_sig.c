// SPDX-License-Identifier: Apache-2.0
/* The lines of manifest.sig, padded here so that mutations count. What is accepted is written and read again. */
#include <string.h>

#include "fuzz.h"
#include "libartifact/sig.h"
#include "libartifact/util.h"

static void check_again(const struct art_siglist *list)
{
	static uint8_t out[ART_SIG_MEMBER_MAX];
	struct art_siglist again;
	struct art_err err;
	size_t i;

	memset(&again, 0, sizeof(again));
	MUST(art_siglist_format(list, out, sizeof(out), &err) == 0);
	MUST(art_siglist_parse(&again, out, sizeof(out), &err) == 0);
	MUST(again.count == list->count);
	for (i = 0; i < list->count; i++) {
		MUST(!strcmp(list->sig[i].algorithm, again.sig[i].algorithm));
		MUST(!strcmp(list->sig[i].key_id, again.sig[i].key_id));
		MUST(list->sig[i].len == again.sig[i].len);
		MUST(!memcmp(list->sig[i].bytes, again.sig[i].bytes, again.sig[i].len));
	}
	art_siglist_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	size_t padded = (size_t)art_round_up(len ? len : 1, 4096);
	struct art_siglist list;
	struct art_err err;
	uint8_t *copy = malloc(padded);

	if (!copy)
		return 0;
	memset(copy, '\n', padded);
	if (len)
		memcpy(copy, bytes, len);
	memset(&list, 0, sizeof(list));
	if (art_siglist_parse(&list, copy, padded, &err) == 0)
		check_again(&list);
	art_siglist_free(&list);
	free(copy);
	return 0;
}
