/* SPDX-License-Identifier: Apache-2.0 */
/* Security modules and key services give an ECDSA signature as the two numbers r and s; the format wants DER. */
#ifndef MK_ECDSA_H
#define MK_ECDSA_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"

/* When ALGORITHM is an ECDSA one, *SIG is r and s for its curve: replace it by the DER form. Leave other
 * algorithms alone. Whether the signature is right is not looked at. */
int mk_ecdsa_from_raw(const char *algorithm, uint8_t **sig, size_t *len, struct art_err *err);

/* The same where *SIG may be in DER form already, or be nothing of either kind, and is then left alone. */
int mk_ecdsa_to_der(const char *algorithm, uint8_t **sig, size_t *len, struct art_err *err);

#endif
