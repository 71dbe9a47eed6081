/* SPDX-License-Identifier: Apache-2.0 */
/* A private key on a security module, named by a pkcs11: URI (RFC 7512). */
#ifndef MK_TOKEN_H
#define MK_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/key.h"

struct mk_token;

/*
 * Find the one private key that URI names, log in, and read its public half. The PIN comes from the URI's
 * pin-source, else from PIN_FILE, else from a terminal. ART_E_KEY_BAD: no such key, more than one, not a key of the
 * format, wrong PIN; ART_E_USAGE: a faulty URI. The caller frees.
 */
int mk_token_open(struct mk_token **out, const char *uri, const char *pin_file,
		  struct art_err *err);
const struct art_key *mk_token_key(const struct mk_token *token);

/* A signature in the form of the registry (ECDSA: DER). Not verified here. The caller frees *SIG. */
int mk_token_sign(struct mk_token *token, const void *text, size_t len, uint8_t **sig,
		  size_t *sig_len, struct art_err *err);
void mk_token_free(struct mk_token *token);

#endif
