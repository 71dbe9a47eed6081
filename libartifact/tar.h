/* SPDX-License-Identifier: Apache-2.0 */
/* The strict tar profile (format.md section 2): a header is a function of name and size. */
#ifndef ART_TAR_H
#define ART_TAR_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"

#define ART_TAR_BLOCK 512
#define ART_TAR_NAME_MAX 99
#define ART_TAR_SIZE_MAX UINT64_C(8589934591) /* 11 octal digits */

/* Make the one header that NAME and SIZE have. NAME and SIZE must be in their limits. */
void art_tar_format(uint8_t block[ART_TAR_BLOCK], const char *name, uint64_t size);

/*
 * Judge a header in the order of section 2. NAME is the name that is due. A member whose
 * size is not known before (manifest.json, manifest.sig): *SIZE receives it.
 */
int art_tar_parse(const uint8_t block[ART_TAR_BLOCK], const char *name, uint64_t *size,
		  struct art_err *err);

/* As above, and the size must be SIZE. */
int art_tar_expect(const uint8_t block[ART_TAR_BLOCK], const char *name, uint64_t size,
		   struct art_err *err);

/* The members' names (format.md section 1). NAME: of a payload or document, within its limits. */
void art_tar_index_name(char out[ART_TAR_NAME_MAX + 1], const char *name, size_t segment);
void art_tar_data_name(char out[ART_TAR_NAME_MAX + 1], const char *name, size_t segment);
void art_tar_records_name(char out[ART_TAR_NAME_MAX + 1], const char *name, size_t segment);
void art_tar_doc_name(char out[ART_TAR_NAME_MAX + 1], const char *name);

#endif
