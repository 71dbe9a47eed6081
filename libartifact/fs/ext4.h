/* SPDX-License-Identifier: Apache-2.0 */
/* libext2fs over a blob, read-only. */
#ifndef ART_EXT4_H
#define ART_EXT4_H

#include <ext2fs/ext2fs.h>

#include "libartifact/blob.h"
#include "libartifact/region.h"

int art_ext4_open(ext2_filsys *out, struct art_blob *blob, struct art_err *err);

/* Never writes, whatever state libext2fs thinks it is in. */
void art_ext4_close(ext2_filsys fs);

/* Turn a libext2fs error into ours: when the blob below failed, its own error is the one that counts. */
int art_ext4_fail(ext2_filsys fs, errcode_t code, struct art_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

int art_ext4_regions(struct art_blob *blob, struct art_regions *out, struct art_err *err);

#endif
