/* SPDX-License-Identifier: Apache-2.0 */
/* A tree as a tar stream for mksquashfs: sorted, every directory named but the root, hard links after their first name. */
#ifndef ART_TAR_OUT_H
#define ART_TAR_OUT_H

#include "libartifact/fs/tree.h"

/* To a stream socket: when the reader is gone, the result is ART_E_IO and no SIGPIPE. */
int art_tree_write_tar(struct art_tree *tree, int socket, struct art_err *err);

/* What squashfs has a place for: no ACLs, and seconds in 32 bits without sign. */
bool art_tree_is_squash_xattr(const char *name);
int64_t art_tree_squash_time(int64_t t);

#endif
