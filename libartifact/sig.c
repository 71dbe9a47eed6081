// SPDX-License-Identifier: Apache-2.0
/* manifest.sig: a strict line grammar, because it is read before anything is authenticated. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/base64.h"
#include "libartifact/digest.h"
#include "libartifact/sig.h"
#include "libartifact/util.h"

#define ID_LEN (ART_KEY_ID_TEXT - 1)
#define MEMBER_UNIT 4096

static bool is_algorithm(const char *text)
{
	return art_is_name(text, ART_ALGORITHM_MAX, NULL, ART_LOWER ART_DIGIT "-");
}

static bool is_key_id(const char *text)
{
	uint8_t id[ART_KEY_ID_LEN];

	return strlen(text) == ID_LEN && art_hex_parse(id, sizeof(id), text) == 0;
}

/* Copy a field of LEN bytes and terminate it; a NUL inside would hide what follows it. */
static bool copy_field(char *out, size_t max, const char *field, size_t len)
{
	if (len == 0 || len > max || memchr(field, '\0', len))
		return false;
	memcpy(out, field, len);
	out[len] = '\0';
	return true;
}

static bool parse_line(struct art_sig *sig, const char *line, size_t len, struct art_err *err)
{
	const char *space = memchr(line, ' ', len);
	size_t used;

	if (!space || !copy_field(sig->algorithm, ART_ALGORITHM_MAX, line, (size_t)(space - line)) ||
	    !is_algorithm(sig->algorithm))
		return false;
	used = (size_t)(space - line) + 1;
	if (len - used < ID_LEN + 1 || !copy_field(sig->key_id, ID_LEN, line + used, ID_LEN) ||
	    !is_key_id(sig->key_id) || line[used + ID_LEN] != ' ')
		return false;
	used += ID_LEN + 1;
	if (len == used || len - used > ART_BASE64_SIZE(ART_SIG_MAX))
		return false;
	sig->bytes = malloc((len - used) / 4 * 3 + 1);
	if (!sig->bytes) {
		art_fail_memory(err);
		return false;
	}
	return art_base64_decode(sig->bytes, &sig->len, line + used, len - used) == 0 &&
	       sig->len >= 1 && sig->len <= ART_SIG_MAX;
}

int art_siglist_parse(struct art_siglist *list, const uint8_t *bytes, size_t len,
		      struct art_err *err)
{
	const char *text = (const char *)bytes;
	size_t pos = 0;

	memset(list, 0, sizeof(*list));
	if (len < MEMBER_UNIT || len > ART_SIG_MEMBER_MAX || len % MEMBER_UNIT != 0)
		return art_fail(err, ART_E_SIG_SYNTAX, "a signature member cannot have %zu bytes", len);
	while (pos < len && text[pos] != '\n') {
		const char *end = memchr(text + pos, '\n', len - pos);
		struct art_err why = { .code = ART_E_SIG_SYNTAX };
		struct art_sig *sig;

		if (!end)
			return art_fail(err, ART_E_SIG_SYNTAX, "signature line %zu has no end",
					list->count + 1);
		if (list->count == ART_SIG_LINES_MAX)
			return art_fail(err, ART_E_SIG_SYNTAX, "more than %d signature lines",
					ART_SIG_LINES_MAX);
		/* Counted before it is judged, so that art_siglist_free sees its bytes. */
		sig = &list->sig[list->count++];
		if (!parse_line(sig, text + pos, (size_t)(end - text) - pos, &why)) {
			if (why.code == ART_E_NO_MEMORY)
				return art_fail_memory(err);
			return art_fail(err, ART_E_SIG_SYNTAX,
					"signature line %zu is not 'algorithm key-id base64'",
					list->count);
		}
		pos = (size_t)(end - text) + 1;
	}
	for (; pos < len; pos++)
		if (text[pos] != '\n')
			return art_fail(err, ART_E_SIG_SYNTAX,
					"something follows the signature lines");
	return 0;
}

void art_siglist_free(struct art_siglist *list)
{
	size_t i;

	if (!list)
		return;
	for (i = 0; i < list->count; i++)
		free(list->sig[i].bytes);
	memset(list, 0, sizeof(*list));
}

int art_siglist_add(struct art_siglist *list, const char *algorithm, const char *key_id,
		    const uint8_t *bytes, size_t len, struct art_err *err)
{
	struct art_sig *sig;
	uint8_t *copy;
	size_t i;

	if (!is_algorithm(algorithm) || !is_key_id(key_id) || len < 1 || len > ART_SIG_MAX)
		return art_fail(err, ART_E_USAGE, "not a possible signature line");
	for (i = 0; i < list->count; i++)
		if (strcmp(list->sig[i].key_id, key_id) == 0)
			break;
	if (i == ART_SIG_LINES_MAX)
		return art_fail(err, ART_E_USAGE, "no room for more than %d signatures",
				ART_SIG_LINES_MAX);
	copy = malloc(len);
	if (!copy)
		return art_fail_memory(err);
	memcpy(copy, bytes, len);
	sig = &list->sig[i];
	if (i == list->count)
		list->count++;
	else
		free(sig->bytes);
	snprintf(sig->algorithm, sizeof(sig->algorithm), "%s", algorithm);
	snprintf(sig->key_id, sizeof(sig->key_id), "%s", key_id);
	sig->bytes = copy;
	sig->len = len;
	return 0;
}

int art_siglist_format(const struct art_siglist *list, uint8_t *out, size_t room,
		       struct art_err *err)
{
	size_t used = 0, i;

	for (i = 0; i < list->count; i++) {
		const struct art_sig *sig = &list->sig[i];
		size_t head = strlen(sig->algorithm) + ID_LEN + 2;
		/* One more byte than the text: its LF, where the encoder writes a NUL. */
		size_t line = head + ART_BASE64_SIZE(sig->len) + 1;

		if (line > room - used)
			return art_fail(err, ART_E_USAGE,
					"%zu signatures do not fit the %zu bytes reserved for them",
					list->count, room);
		memcpy(out + used, sig->algorithm, strlen(sig->algorithm));
		out[used + strlen(sig->algorithm)] = ' ';
		memcpy(out + used + head - ID_LEN - 1, sig->key_id, ID_LEN);
		out[used + head - 1] = ' ';
		art_base64_encode((char *)out + used + head, sig->bytes, sig->len);
		out[used + line - 1] = '\n';
		used += line;
	}
	memset(out + used, '\n', room - used);
	return 0;
}

int art_sign_text(char out[ART_SIGN_TEXT_MAX], const char *preamble, const char *algorithm,
		  const char *key_id, const uint8_t *manifest, size_t manifest_len,
		  size_t *text_len, struct art_err *err)
{
	uint8_t digest[ART_SHA512_LEN];
	char hex[2 * ART_SHA512_LEN + 1];
	int n, code;

	if (!is_algorithm(algorithm) || !is_key_id(key_id))
		return art_fail(err, ART_E_FAILED, "not an algorithm and a key id to sign for");
	code = art_sha512(manifest, manifest_len, digest, err);
	if (code < 0)
		return code;
	art_hex_format(hex, digest, sizeof(digest));
	n = snprintf(out, ART_SIGN_TEXT_MAX, "%s\n%s\n%s\n%s\n", preamble, algorithm, key_id, hex);
	/* A negative N too. */
	if ((size_t)n >= ART_SIGN_TEXT_MAX)
		return art_fail(err, ART_E_FAILED, "the text to sign is too long");
	*text_len = (size_t)n;
	return 0;
}
