/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys, their ids, and the algorithm registry (format.md sections 4 and 12.1). */
#ifndef ART_KEY_H
#define ART_KEY_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "libartifact/err.h"

#define ART_KEY_ID_LEN 32
#define ART_KEY_ID_TEXT (2 * ART_KEY_ID_LEN + 1)
#define ART_SIG_MAX 8192 /* bytes of one signature, decoded */

struct art_key; /* a public key that passed the rules of section 4 */

/* From PEM text with exactly one PUBLIC KEY block and nothing else but white space around
 * it. ART_E_KEY_BAD otherwise. NAME is for messages. The caller frees. */
int art_key_parse(struct art_key **out, const char *pem, size_t len, const char *name,
		  struct art_err *err);
int art_key_load(struct art_key **out, const char *path, struct art_err *err);

/* From a libcrypto key (a signer's own); takes a reference, PKEY stays the caller's. */
int art_key_from_pkey(struct art_key **out, EVP_PKEY *pkey, const char *name,
		      struct art_err *err);
void art_key_free(struct art_key *key);

const char *art_key_id(const struct art_key *key);        /* 64 hex digits */
const char *art_key_algorithm(const struct art_key *key); /* registry name */

/* The algorithm a libcrypto key signs with; NULL when the registry has none. */
const char *art_algorithm_of(EVP_PKEY *pkey);

/* 0: SIG is a valid signature by KEY over the LEN bytes at TEXT. ART_E_SIG_INVALID: it is
 * not. Anything else: the check itself failed (never to be taken for valid). */
int art_key_verify(const struct art_key *key, const void *text, size_t len,
		   const uint8_t *sig, size_t sig_len, struct art_err *err);

/* Sign with a private libcrypto key by its registry algorithm. *SIG is the caller's. */
int art_key_sign(EVP_PKEY *private_key, const void *text, size_t len, uint8_t **sig,
		 size_t *sig_len, struct art_err *err);

#endif
