/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a filesystem reader offers to fs.c. A node is whatever the reader addresses an inode by. Readers hand out
 * what they find; fs.c judges names, follows links, sorts and guards against loops, for all of them alike.
 */
#ifndef ART_FS_INTERNAL_H
#define ART_FS_INTERNAL_H

#include "libartifact/fs/fs.h"

struct art_fs_node {
	mode_t mode;
	uint32_t uid, gid;
	uint64_t size;
	int64_t mtime;
	uint32_t rdev_major, rdev_minor;
	uint64_t inode; /* the number that a person would see */
	uint32_t links;
};

/* NAME is not terminated and may hold anything. Non-zero ends the listing with that value. */
typedef int (*art_fs_name_fn)(void *ctx, const char *name, size_t len, uint64_t node,
			      struct art_err *err);

struct art_fs_ops {
	int (*stat)(struct art_fs *fs, uint64_t node, struct art_fs_node *out,
		    struct art_err *err);
	int (*list)(struct art_fs *fs, uint64_t node, art_fs_name_fn fn, void *ctx,
		    struct art_err *err);
	/* The first piece is at most 4 KiB, so that whoever wants a header pays for no more. */
	int (*read)(struct art_fs *fs, uint64_t node, art_fs_data_fn fn, void *ctx,
		    struct art_err *err);
	/* See art_fs_extents. */
	int (*extents)(struct art_fs *fs, uint64_t node, art_fs_extent_fn fn, void *ctx,
		       struct art_err *err);
	/* A new string of exactly SIZE bytes and a NUL after them; fs.c has checked SIZE. */
	int (*target)(struct art_fs *fs, uint64_t node, size_t size, char **out,
		      struct art_err *err);
	int (*xattrs)(struct art_fs *fs, uint64_t node, art_fs_xattr_fn fn, void *ctx,
		      struct art_err *err);
	void (*close)(struct art_fs *fs);
};

struct art_fs_place;

/* Readers embed this as their first member. */
struct art_fs {
	const struct art_fs_ops *ops;
	const char *name; /* of the blob */
	uint64_t root;
};

/* As art_fs_size, but a blob that cannot be read is an error. */
int art_fs_read_size(struct art_blob *blob, const char *filesystem, uint64_t *size, struct art_err *err);

int art_ext4_fs_open(struct art_fs **out, struct art_blob *blob, struct art_err *err);
int art_squash_fs_open(struct art_fs **out, struct art_blob *blob, struct art_err *err);

#endif
