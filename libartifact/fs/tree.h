/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What shall go into an image: a whole tree of names and inodes in memory, file contents beside it. A tarball's contents
 * go to a spool (an unlinked temporary file), so that the image's size, its number of inodes and its layout can be
 * chosen when everything is known, whatever the order of the tarball, and standard input is read once.
 */
#ifndef ART_TREE_H
#define ART_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "libartifact/err.h"

struct art_tree_inode;

struct art_tree_name {
	char *name;
	struct art_tree_inode *inode;
};

struct art_tree_xattr {
	char *name; /* "user.x"; ACLs as getxattr(2) gives them */
	uint8_t *value;
	size_t len;
};

/* A run of file bytes that is not a hole. */
struct art_tree_extent {
	uint64_t logical, length;
	uint64_t stored; /* offset in the spool, or in the source file itself */
};

struct art_tree_inode {
	mode_t mode;
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_nsec;
	uint64_t size;
	uint32_t rdev_major, rdev_minor;
	char *target;                      /* symbolic links */
	char *path;                        /* the source file; NULL: contents are in the spool */
	struct art_tree_name *names;       /* directories, sorted by name */
	size_t name_count;
	struct art_tree_xattr *xattrs;     /* sorted by name */
	size_t xattr_count;
	struct art_tree_extent *extents;   /* sorted, without overlap */
	size_t extent_count;
	size_t links;                      /* names of it; 1 for the root */
	uint32_t number;                   /* the builder's: its number in the image */
};

struct art_tree {
	struct art_tree_inode *root;
	int64_t time;         /* nothing is later than this */
	int spool;            /* -1: none */
	uint64_t spool_used;
	int source;           /* the descriptor of the source file read last; -1: none */
	const struct art_tree_inode *source_of;
};

int art_tree_init(struct art_tree *tree, int64_t latest, struct art_err *err);
void art_tree_free(struct art_tree *tree);

struct art_tree_inode *art_tree_inode_new(void);
void art_tree_inode_drop(struct art_tree_inode *inode); /* one name less; freed with the last */
int art_tree_add_xattr(struct art_tree_inode *inode, const char *name, const void *value,
		       size_t len, struct art_err *err);
int art_tree_add_extent(struct art_tree_inode *inode, uint64_t logical, uint64_t length,
			uint64_t stored, struct art_err *err);

/* Put INODE under PATH; the tree takes it over (also on failure). What is there already is replaced as GNU tar
 * would; directories on the way are made; links on the way are followed inside the tree. */
int art_tree_put(struct art_tree *tree, const char *path, struct art_tree_inode *inode,
		 struct art_err *err);

/* PATH becomes another name of what TARGET names. */
int art_tree_link(struct art_tree *tree, const char *path, const char *target,
		  struct art_err *err);

/* Bytes of a regular file; holes read as zeros. OFF + LEN may pass the end: zeros. */
int art_tree_read(struct art_tree *tree, const struct art_tree_inode *inode, uint8_t *buf,
		  size_t len, uint64_t off, struct art_err *err);

/* The spool's room for what was read of INODE is given back to the filesystem; it cannot be read again. */
void art_tree_forget(struct art_tree *tree, const struct art_tree_inode *inode);

/* Fill a tree. */
int art_tree_read_directory(struct art_tree *tree, const char *path, struct art_err *err);
int art_tree_read_tar(struct art_tree *tree, const char *path, struct art_err *err);

/* An unlinked temporary file in TMPDIR, else in DIRECTORY, else in /var/tmp. */
int art_temp_file(int *fd, const char *directory, struct art_err *err);

#endif
