/* SPDX-License-Identifier: Apache-2.0 */
/* The name under which a patch lies beside its artifact (format.md section 16). */
#ifndef ART_PATCH_NAME_H
#define ART_PATCH_NAME_H

#include <stdbool.h>

#include "libartifact/manifest.h"

/*
 * <new image SHA-256, 32 hex digits>-<old>.patch, after the first payload that both have and whose images differ; where all are equal, the
 * first that both have. False: they have none in common.
 */
#define ART_PATCH_NAME_OLD (32 + 1) /* where the old image's digits begin */
#define ART_PATCH_NAME_LEN (ART_PATCH_NAME_OLD + 32 + 6)
bool art_patch_name(char out[ART_PATCH_NAME_LEN + 1], const struct art_manifest *now,
		    const struct art_manifest *old);

#endif
