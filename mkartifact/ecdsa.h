/* SPDX-License-Identifier: Apache-2.0 */
/* Security modules and key services give an ECDSA signature as the two numbers r and s; the format wants DER. */
#ifndef MK_ECDSA_H
#define MK_ECDSA_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"

/*
 * When ALGORITHM is an ECDSA one and *SIG has exactly the length of r and s for its curve and is not DER, replace it
 * by its DER form; leave everything else alone. Whether the signature is right is not looked at.
 */
int mk_ecdsa_to_der(const char *algorithm, uint8_t **sig, size_t *len, struct art_err *err);

#endif
