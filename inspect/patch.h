/* SPDX-License-Identifier: Apache-2.0 */
/* Patches in artifact-inspect. */
#ifndef INSPECT_PATCH_H
#define INSPECT_PATCH_H

#include "inspect/inspect.h"
#include "libartifact/patch_read.h"

/* As text; F holds a patch. */
int inspect_show_patch(const struct inspect_file *f, const char *digest, struct art_err *err);

/* Who signed F, and whether that counts (show.c). */
void inspect_show_signatures(const struct inspect_file *f);

#endif
