/* SPDX-License-Identifier: Apache-2.0 */
/* The builders behind art_build_image. FD is a new, empty file. */
#ifndef ART_BUILD_INTERNAL_H
#define ART_BUILD_INTERNAL_H

#include "libartifact/fs/build.h"
#include "libartifact/fs/tree.h"

int art_build_ext4(int fd, uint64_t *size, struct art_tree *tree, const char *source,
		   const struct art_build_options *opt, struct art_err *err);

int art_build_squashfs(int fd, uint64_t *size, struct art_tree *tree,
		       const struct art_build_options *opt, struct art_err *err);

#endif
