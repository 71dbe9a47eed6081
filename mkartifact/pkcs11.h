/* SPDX-License-Identifier: Apache-2.0 */
/* Between pkcs11.c (token, session, signing) and pkcs11_key.c (the public half of a key on a token). */
#ifndef MK_PKCS11_H
#define MK_PKCS11_H

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>

#include "libartifact/key.h"

struct mk_p11 {
	CK_FUNCTION_LIST *module;
	CK_SESSION_HANDLE session;
};

/* An attribute of at most 8 KiB; NULL: the token does not say. The caller frees. */
uint8_t *mk_p11_get(const struct mk_p11 *p, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
		    size_t *len);

/* Up to MAX objects that fit the COUNT attributes of TEMPLATE. */
int mk_p11_find(const struct mk_p11 *p, CK_ATTRIBUTE *template, CK_ULONG count,
		CK_OBJECT_HANDLE *found, CK_ULONG max, CK_ULONG *found_count, struct art_err *err);

/* The public half of the private key OBJECT: from its own attributes, else from the public key or the certificate with
 * the same CKA_ID. It need not be right: a signature is verified with it. NAME is for messages. */
int mk_p11_public_key(const struct mk_p11 *p, CK_OBJECT_HANDLE object, const char *name,
		      struct art_key **out, struct art_err *err);

#endif
