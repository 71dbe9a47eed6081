/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filesystem images: what they are, how they are laid out, what is in them. Host side only; the installer does not
 * link this. ext4 through libext2fs, squashfs through squashfs-tools.
 */
#ifndef ART_FS_H
#define ART_FS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "libartifact/blob.h"
#include "libartifact/region.h"

/* "ext4" (also ext2 and ext3), "squashfs", "erofs", "vfat", or NULL, by superblock. */
const char *art_fs_detect(struct art_blob *blob);

/* The size that the superblock claims; 0 when unknown. */
uint64_t art_fs_size(struct art_blob *blob, const char *filesystem);

/* Regions for cutting. An image that cannot be read as its filesystem gives one DATA region and 0. */
int art_fs_regions(struct art_blob *blob, const char *filesystem, struct art_regions *out,
		   struct art_err *err);

/* Its blocks of zstd, for patches. An image that has none, or cannot be read as its filesystem, gives none and 0. */
int art_fs_blocks(struct art_blob *blob, const char *filesystem, struct art_blocks *out,
		  struct art_err *err);

/* Reading. */
struct art_fs;
/* Whether art_fs_open knows this filesystem. */
bool art_fs_is_read(const char *filesystem);
int art_fs_open(struct art_fs **out, struct art_blob *blob, const char *filesystem,
		struct art_err *err);
void art_fs_close(struct art_fs *fs);

struct art_fs_entry {
	const char *path;   /* absolute, within the image, links in it resolved */
	mode_t mode;
	uint32_t uid, gid;
	uint64_t size;
	int64_t mtime;
	uint32_t rdev_major, rdev_minor;
	uint64_t inode;
	uint64_t node;      /* for the functions below that take one, of this image, as long as it is open */
	uint32_t links;
	const char *target; /* symbolic links, else NULL */
};

/* Extended attributes of an entry, called once for each; ACLs in the form that getxattr(2) gives. */
typedef int (*art_fs_xattr_fn)(void *ctx, const char *name, const void *value, size_t len);

/* Calls FN for PATH itself and, if it is a directory and DEPTH > 0, what is below it (-1: all), in sorted order.
 * A symbolic link at the end of PATH is reported itself, unless a '/' follows it; links on the way are followed.
 * FN returns 0 to go on, else the walk ends with that value. A path that is not there: ART_E_FAILED. */
typedef int (*art_fs_walk_fn)(void *ctx, const struct art_fs_entry *entry, struct art_err *err);
int art_fs_walk(struct art_fs *fs, const char *path, int depth, art_fs_walk_fn fn, void *ctx,
		struct art_err *err);

/* Whether CODE (with ERR, which was there) says that a path is not in the image: what is damaged is something else. */
bool art_fs_is_absent(int code, const struct art_err *err);

/* The bytes of a regular file in order (symbolic links in PATH are followed inside the image). By the node that a walk has reported no path
 * is searched, which in a directory of thousands is thousands of names each time. */
typedef int (*art_fs_data_fn)(void *ctx, const void *bytes, size_t len, struct art_err *err);
int art_fs_read(struct art_fs *fs, const char *path, art_fs_data_fn fn, void *ctx,
		struct art_err *err);
int art_fs_read_node(struct art_fs *fs, uint64_t node, art_fs_data_fn fn, void *ctx,
		     struct art_err *err);
int art_fs_read_file(struct art_fs *fs, const char *path, size_t max, uint8_t **out,
		     size_t *len, struct art_err *err);
/*
 * Where a regular file's content lies in the image, in order. Two files of one size whose extents agree in number, lengths and keys, and in
 * the bytes that they name, have the same content, also in two images of one filesystem type.
 */
struct art_fs_extent {
	uint64_t offset, len; /* in the image */
	uint64_t key;         /* what else the content depends on */
	bool plain;           /* the bytes are the file's own: others there are other content */
};
typedef int (*art_fs_extent_fn)(void *ctx, const struct art_fs_extent *extent, struct art_err *err);
#define ART_FS_UNKNOWN 1 /* from art_fs_extents: nothing can be said, the file must be read */
int art_fs_extents(struct art_fs *fs, uint64_t node, art_fs_extent_fn fn, void *ctx,
		   struct art_err *err);

int art_fs_xattrs(struct art_fs *fs, uint64_t node, art_fs_xattr_fn fn, void *ctx,
		  struct art_err *err);

#endif
