/* SPDX-License-Identifier: Apache-2.0 */
/* Is libcrypto in a state to answer, and was its last answer about the input or about the machine? */
#ifndef ART_CRYPTO_H
#define ART_CRYPTO_H

#include <stdbool.h>

#include "libartifact/err.h"

/*
 * Call before anything else of libcrypto, and before an operation whose failure is to be told apart: sets it
 * up and empties its error queue. Without memory at its first use libcrypto goes on and crashes; here
 * that is ART_E_NO_MEMORY.
 */
int art_crypto_begin(struct art_err *err);

/* After a failure: true when libcrypto ran out of memory since the beginning. Empties the error queue. */
bool art_crypto_lacked_memory(void);

#endif
