/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.sig and the text that is signed (format.md section 4). */
#ifndef ART_SIG_H
#define ART_SIG_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"
#include "libartifact/key.h"

#define ART_SIG_LINES_MAX 32
#define ART_SIG_MEMBER_MAX 65536
#define ART_SIG_MEMBER_DEFAULT 16384
#define ART_ALGORITHM_MAX 32
#define ART_PREAMBLE_ARTIFACT "twinroot-artifact-v1"
#define ART_PREAMBLE_PATCH "twinroot-patch-v1"

struct art_sig {
	char algorithm[ART_ALGORITHM_MAX + 1];
	char key_id[ART_KEY_ID_TEXT];
	uint8_t *bytes; /* owned by the list */
	size_t len;
};

struct art_siglist {
	size_t count;
	struct art_sig sig[ART_SIG_LINES_MAX];
};

/* Parse a whole member, padding included. ART_E_SIG_SYNTAX. An empty list is not an error
 * here. art_siglist_free also after a failure. */
int art_siglist_parse(struct art_siglist *list, const uint8_t *bytes, size_t len,
		      struct art_err *err);
void art_siglist_free(struct art_siglist *list);

/* Append a copy. A line of the same key id is replaced. ART_E_USAGE when the list is full. */
int art_siglist_add(struct art_siglist *list, const char *algorithm, const char *key_id,
		    const uint8_t *bytes, size_t len, struct art_err *err);

/* Write the lines into ROOM bytes, padded with LF. ART_E_USAGE when they do not fit. */
int art_siglist_format(const struct art_siglist *list, uint8_t *out, size_t room,
		       struct art_err *err);

/* The text to sign, terminated; returns its length. Worst case fits OUT. */
#define ART_SIGN_TEXT_MAX 320
int art_sign_text(char out[ART_SIGN_TEXT_MAX], const char *preamble, const char *algorithm,
		  const char *key_id, const uint8_t *manifest, size_t manifest_len,
		  size_t *text_len, struct art_err *err);

#endif
