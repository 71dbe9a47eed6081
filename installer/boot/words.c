// SPDX-License-Identifier: Apache-2.0
/* Words and seals: see words.h. */
#include <stdio.h>
#include <string.h>

#include "installer/boot/words.h"
#include "libartifact/digest.h"
#include "libartifact/util.h"

#define SEAL "sum="
#define SEAL_BYTES 16

void boot_words_format(char out[BOOT_WORDS_MAX], const struct boot_state *s)
{
	static const char *const slots[] = { "none", "a", "b" };
	static const char *const bads[] = { "none", "a", "b", "ab" };

	snprintf(out, BOOT_WORDS_MAX, "trial=%s left=%u bad=%s transaction=%llu",
		 slots[s->trial + 1], s->left, bads[s->bad[0] + 2 * s->bad[1]],
		 (unsigned long long)s->transaction);
}

int boot_words_parse(struct boot_state *s, const char *text)
{
	char line[BOOT_WORDS_MAX], *word, *rest = NULL;
	size_t len = strcspn(text, "\r\n");

	if (len >= sizeof(line))
		return -1;
	memcpy(line, text, len);
	line[len] = '\0';
	for (word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(word, '=');

		if (!value)
			return -1;
		*value++ = '\0';
		if (boot_state_set(s, word, value) < 0)
			return -1;
	}
	return 0;
}

static int sum_of(const char *text, size_t len, char sum[2 * ART_SHA256_LEN + 1],
		  struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	int code = art_sha256(text, len, digest, err);

	if (code == 0)
		art_hex_format(sum, digest, SEAL_BYTES);
	return code;
}

int boot_seal(char *text, size_t room, struct art_err *err)
{
	char sum[2 * ART_SHA256_LEN + 1];
	size_t len = strlen(text);
	int code = sum_of(text, len, sum, err);

	if (code < 0)
		return code;
	if (snprintf(text + len, room - len, SEAL "%s\n", sum) >= (int)(room - len))
		return art_fail(err, ART_E_FAILED, "the words of the boot store do not fit");
	return 0;
}

int boot_sealed(const char *text, struct art_err *err)
{
	const size_t digits = 2 * (size_t)SEAL_BYTES;
	char sum[2 * ART_SHA256_LEN + 1];
	const char *seal = strstr(text, SEAL), *end;
	int code;

	if (!seal)
		return BOOT_SEAL_NONE;
	code = sum_of(text, (size_t)(seal - text), sum, err);
	if (code < 0)
		return code;
	seal += strlen(SEAL);
	if (strncmp(seal, sum, digits) != 0)
		return BOOT_SEAL_WRONG;
	end = seal + digits;
	return *end == '\n' && end[strspn(end, "\n")] == '\0' ? BOOT_SEAL_GOOD : BOOT_SEAL_WRONG;
}
