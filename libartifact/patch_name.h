/* SPDX-License-Identifier: Apache-2.0 */
/* The name under which a patch lies beside its artifact (format.md section 16). */
#ifndef ART_PATCH_NAME_H
#define ART_PATCH_NAME_H

#include "libartifact/digest.h"

/* <new image SHA-256, 32 hex digits>-<old>.patch, after the first payload of the patch. */
#define ART_PATCH_NAME_LEN (32 + 1 + 32 + 6)
void art_patch_name(char out[ART_PATCH_NAME_LEN + 1], const uint8_t new_sha256[ART_SHA256_LEN],
		    const uint8_t old_sha256[ART_SHA256_LEN]);

#endif
