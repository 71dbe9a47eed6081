// SPDX-License-Identifier: Apache-2.0
/* A directory into a tree: what lstat says, in the order of names. Contents are read when the image is written. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "libartifact/fs/tree.h"
#include "libartifact/util.h"

#define MAX_XATTR 65536

/* Inodes with more than one link that have been met. */
struct seen {
	dev_t dev;
	ino_t ino;
	char *path; /* in the tree */
};

struct dir_in {
	struct art_tree *tree;
	const char *base;
	struct seen *seen;
	size_t seen_count;
	char *xattr_names, *xattr_value; /* MAX_XATTR each; too much for the stack of a walk */
	struct art_err *err;
};

static int add_xattrs(struct dir_in *in, const char *path, struct art_tree_inode *inode)
{
	char *names = in->xattr_names, *value = in->xattr_value;
	ssize_t len = llistxattr(path, names, MAX_XATTR);
	const char *name;
	int ret = 0;

	if (len < 0)
		return errno == ENOTSUP ? 0 : art_fail_errno(in->err, ART_E_IO, "attributes of '%s'", path);
	for (name = names; ret == 0 && name < names + len; name += strlen(name) + 1) {
		ssize_t got = lgetxattr(path, name, value, MAX_XATTR);

		if (got < 0)
			return art_fail_errno(in->err, ART_E_IO, "attribute '%s' of '%s'", name, path);
		ret = art_tree_add_xattr(inode, name, value, (size_t)got, in->err);
	}
	return ret;
}

/* Holes stay holes where the filesystem tells of them. */
static int add_extents(struct dir_in *in, const char *path, struct art_tree_inode *inode)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	off_t at = 0, size = (off_t)inode->size;

	if (fd < 0)
		return art_fail_errno(in->err, ART_E_IO, "cannot open '%s'", path);
	while (at < size) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;
		int ret;

		if (data < 0 && errno == ENXIO)
			return 0;
		hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		/* Guessing would give other bytes for the same input. */
		if (hole < 0)
			return art_fail_errno(in->err, ART_E_IO, "cannot find the holes of '%s'", path);
		if (hole > size)
			hole = size;
		if (data >= size)
			return 0;
		ret = art_tree_add_extent(inode, (uint64_t)data, (uint64_t)(hole - data),
					  (uint64_t)data, in->err);
		if (ret != 0)
			return ret;
		at = hole;
	}
	return 0;
}

static int add_target(struct dir_in *in, const char *path, struct art_tree_inode *inode)
{
	char target[4096];
	ssize_t len = readlink(path, target, sizeof(target));

	if (len < 0)
		return art_fail_errno(in->err, ART_E_IO, "cannot read link '%s'", path);
	if (len == 0 || len == (ssize_t)sizeof(target))
		return art_fail(in->err, ART_E_FAILED, "the target of link '%s' is too long", path);
	inode->target = strndup(target, (size_t)len);
	inode->size = (uint64_t)len;
	return inode->target ? 0 : art_fail_memory(in->err);
}

static int fill(struct dir_in *in, const char *path, const struct stat *st,
		struct art_tree_inode *inode)
{
	int ret = 0;

	inode->mode = st->st_mode;
	inode->uid = st->st_uid;
	inode->gid = st->st_gid;
	inode->mtime = st->st_mtim.tv_sec;
	inode->mtime_nsec = (uint32_t)st->st_mtim.tv_nsec;
	if (S_ISREG(st->st_mode)) {
		inode->size = (uint64_t)st->st_size;
		inode->path = strdup(path);
		if (!inode->path)
			return art_fail_memory(in->err);
		ret = add_extents(in, path, inode);
	} else if (S_ISLNK(st->st_mode)) {
		ret = add_target(in, path, inode);
	} else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		inode->rdev_major = major(st->st_rdev);
		inode->rdev_minor = minor(st->st_rdev);
	}
	return ret ? ret : add_xattrs(in, path, inode);
}

/* 1: it was a further name of something known. */
static int link_known(struct dir_in *in, const char *name, const struct stat *st)
{
	struct seen *list;
	size_t i;

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return 0;
	for (i = 0; i < in->seen_count; i++)
		if (in->seen[i].ino == st->st_ino && in->seen[i].dev == st->st_dev) {
			int ret = art_tree_link(in->tree, name, in->seen[i].path, in->err);

			return ret ? ret : 1;
		}
	list = reallocarray(in->seen, in->seen_count + 1, sizeof(*list));
	if (!list)
		return art_fail_memory(in->err);
	in->seen = list;
	list[in->seen_count].dev = st->st_dev;
	list[in->seen_count].ino = st->st_ino;
	list[in->seen_count].path = strdup(name);
	if (!list[in->seen_count].path)
		return art_fail_memory(in->err);
	in->seen_count++;
	return 0;
}

static int read_one(struct dir_in *in, const char *name);

static int read_names(struct dir_in *in, const char *name, const char *path)
{
	struct dirent **list;
	int count = scandir(path, &list, NULL, NULL), i, ret = 0;

	if (count < 0)
		return art_fail_errno(in->err, ART_E_IO, "cannot read directory '%s'", path);
	/* The tree sorts; the order in which things are met decides nothing. */
	for (i = 0; i < count; i++) {
		const char *entry = list[i]->d_name;
		char *child;

		if (ret == 0 && strcmp(entry, ".") != 0 && strcmp(entry, "..") != 0) {
			if (asprintf(&child, "%s%s%s", name, name[0] ? "/" : "", entry) < 0) {
				ret = art_fail_memory(in->err);
			} else {
				ret = read_one(in, child);
				free(child);
			}
		}
		free(list[i]);
	}
	free(list);
	return ret;
}

static int read_one(struct dir_in *in, const char *name)
{
	cleanup_free char *path = NULL;
	struct art_tree_inode *inode;
	struct stat st;
	int ret;

	if (asprintf(&path, "%s%s%s", in->base, name[0] ? "/" : "", name) < 0) {
		path = NULL;
		return art_fail_memory(in->err);
	}
	/* The tree itself may be named through a link; nothing in it may. */
	if ((name[0] ? lstat(path, &st) : stat(path, &st)) != 0)
		return art_fail_errno(in->err, ART_E_IO, "cannot read '%s'", path);
	ret = link_known(in, name, &st);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	inode = art_tree_inode_new();
	if (!inode)
		return art_fail_memory(in->err);
	ret = fill(in, path, &st, inode);
	if (ret != 0) {
		art_tree_inode_drop(inode);
		return ret;
	}
	ret = art_tree_put(in->tree, name, inode, in->err);
	if (ret == 0 && S_ISDIR(st.st_mode))
		ret = read_names(in, name, path);
	return ret;
}

int art_tree_read_directory(struct art_tree *tree, const char *path, struct art_err *err)
{
	struct dir_in in = { .tree = tree, .base = path, .err = err };
	int ret;

	in.xattr_names = malloc(MAX_XATTR);
	in.xattr_value = malloc(MAX_XATTR);
	ret = in.xattr_names && in.xattr_value ? read_one(&in, "") : art_fail_memory(err);

	while (in.seen_count > 0)
		free(in.seen[--in.seen_count].path);
	free(in.seen);
	free(in.xattr_names);
	free(in.xattr_value);
	return ret;
}
