/* SPDX-License-Identifier: Apache-2.0 */
/* The artifact that a patch carries, as far as it does, as a source for an art_reader: both first members and no more. */
#ifndef ART_PATCH_SOURCE_H
#define ART_PATCH_SOURCE_H

#include "libartifact/patch_read.h"
#include "libartifact/source.h"

/* Is SRC a patch, by the name of its first member? Reads no more than a pipe can read again. */
int art_patch_sniff(struct art_source *src, bool *is_patch, struct art_err *err);

/* Takes the members out of the patch. Reading behind them: ART_E_PATCH_SHORT. */
int art_patch_source_open(struct art_source **out, struct art_patch *patch,
			  const struct art_patch_decoding *dec, struct art_err *err);

#endif
