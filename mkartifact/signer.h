/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private key behind `--key KEY`: a PEM file, an encrypted PEM file, or a pkcs11: URI.
 * Secrets come from a file or from a terminal without echo, never from the command line, and
 * every buffer that held one is wiped.
 */
#ifndef MK_SIGNER_H
#define MK_SIGNER_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"
#include "libartifact/sig.h"

struct mk_signer;

/*
 * Open the key. PASSPHRASE_FILE (NULL: none given) holds the passphrase of an encrypted PEM file
 * or the PIN of a token; its last newline is not part of it. Without one a terminal is asked, and
 * without a terminal it fails. ART_E_KEY_BAD: no usable private key, wrong passphrase or PIN;
 * ART_E_IO: cannot be read; ART_E_USAGE: a URI or a passphrase file that makes no sense.
 * The caller frees with mk_signer_free.
 */
int mk_signer_open(struct mk_signer **out, const char *key_spec, const char *passphrase_file,
		   struct art_err *err);

/*
 * Sign a finished manifest with PREAMBLE (ART_PREAMBLE_*) and add the line to LIST; an older line
 * of the same key is replaced. The signature has been verified with the public key before it
 * is added. May be called for more than one manifest.
 */
int mk_signer_sign(struct mk_signer *signer, const uint8_t *manifest, size_t len,
		   const char *preamble, struct art_siglist *list, struct art_err *err);

/* Wipes what it held. free(NULL) rule. */
void mk_signer_free(struct mk_signer *signer);

#endif
