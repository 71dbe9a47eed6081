// SPDX-License-Identifier: Apache-2.0
/* Names of patches. */
#include <stdio.h>

#include "libartifact/patch_name.h"
#include "libartifact/util.h"

void art_patch_name(char out[ART_PATCH_NAME_LEN + 1], const uint8_t new_sha256[ART_SHA256_LEN],
		    const uint8_t old_sha256[ART_SHA256_LEN])
{
	char a[33], b[33];

	art_hex_format(a, new_sha256, 16);
	art_hex_format(b, old_sha256, 16);
	snprintf(out, ART_PATCH_NAME_LEN + 1, "%s-%s.patch", a, b);
}
