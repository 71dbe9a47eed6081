// SPDX-License-Identifier: Apache-2.0
/* Stand-ins for what libartifact/fs calls besides (see refuse.h). */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <ext2fs/ext2fs.h>
#include <zstd.h>

#include "tests/fault/refuse_wrap.h"

WRAP_COUNT(send, (int fd, const void *buf, size_t len, int flags), (fd, buf, len, flags))
WRAP(SYSTEM, ssize_t, readlink, (const char *path, char *out, size_t len), (path, out, len), -1)
WRAP(SYSTEM, ssize_t, llistxattr, (const char *path, char *out, size_t len), (path, out, len), -1)
WRAP(SYSTEM, ssize_t, lgetxattr, (const char *path, const char *name, void *out, size_t len),
     (path, name, out, len), -1)
WRAP(SYSTEM, off_t, lseek64, (int fd, off_t off, int whence), (fd, off, whence), -1)
WRAP(SYSTEM, int, dup, (int fd), (fd), -1)
WRAP(SYSTEM, int, socketpair, (int family, int type, int protocol, int pair[2]),
     (family, type, protocol, pair), -1)
WRAP(SYSTEM, char *, mkdtemp, (char *name), (name), NULL)
WRAP(SYSTEM, int, posix_spawnp,
     (pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
      char *const argv[], char *const env[]), (pid, file, actions, attr, argv, env), EAGAIN)
WRAP(MEMORY, FILE *, open_memstream, (char **text, size_t *len), (text, len), NULL)

/* Interrupted; it never fails otherwise for a child that is there. */
pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
	if (!refuse_due(REFUSE_SYSTEM, "waitpid"))
		return __real_waitpid(pid, status, options);
	errno = EINTR;
	return -1;
}

/* The stream is closed, as it is when flushing it fails. */
int __real_fclose(FILE *file);
int __wrap_fclose(FILE *file);

int __wrap_fclose(FILE *file)
{
	bool fails = refuse_due(REFUSE_MEMORY, "fclose");
	int result = __real_fclose(file);

	return fails ? EOF : result;
}

WRAP(IMAGE, struct archive *, archive_read_new, (void), (), NULL)
WRAP(IMAGE, int, archive_read_open_fd, (struct archive *a, int fd, size_t size), (a, fd, size), ARCHIVE_FATAL)
WRAP(IMAGE, int, archive_read_open_filename, (struct archive *a, const char *name, size_t size),
     (a, name, size), ARCHIVE_FATAL)
WRAP(IMAGE, int, archive_read_next_header, (struct archive *a, struct archive_entry **e), (a, e),
     ARCHIVE_FATAL)
WRAP(IMAGE, int, archive_read_data_block, (struct archive *a, const void **bytes, size_t *len, int64_t *off),
     (a, bytes, len, off), ARCHIVE_FATAL)

WRAP(IMAGE, size_t, ZSTD_decompress, (void *out, size_t room, const void *in, size_t len),
     (out, room, in, len), (size_t)-1)

/* libext2fs: what it finds wrong is its word for a damaged image, so the error is the machine's. */
#define EXT2(name, params, args) WRAP(IMAGE, errcode_t, ext2fs_##name, params, args, EIO)
EXT2(open2, (const char *name, const char *options, int flags, int super, unsigned int size, io_manager m,
	     ext2_filsys *fs), (name, options, flags, super, size, m, fs))
EXT2(initialize, (const char *name, int flags, struct ext2_super_block *super, io_manager m, ext2_filsys *fs),
     (name, flags, super, m, fs))
EXT2(add_journal_inode, (ext2_filsys fs, blk_t blocks, int flags), (fs, blocks, flags))
EXT2(allocate_tables, (ext2_filsys fs), (fs))
EXT2(block_iterate3,
     (ext2_filsys fs, ext2_ino_t ino, int flags, char *buf,
      int (*fn)(ext2_filsys, blk64_t *, e2_blkcnt_t, blk64_t, int, void *), void *ctx),
     (fs, ino, flags, buf, fn, ctx))
EXT2(create_resize_inode, (ext2_filsys fs), (fs))
EXT2(dir_block_csum_set, (ext2_filsys fs, ext2_ino_t ino, struct ext2_dir_entry *e), (fs, ino, e))
EXT2(dir_iterate2,
     (ext2_filsys fs, ext2_ino_t ino, int flags, char *buf,
      int (*fn)(ext2_ino_t, int, struct ext2_dir_entry *, int, int, char *, void *), void *ctx),
     (fs, ino, flags, buf, fn, ctx))
EXT2(extent_fix_parents, (ext2_extent_handle_t h), (h))
EXT2(extent_insert, (ext2_extent_handle_t h, int flags, struct ext2fs_extent *extent), (h, flags, extent))
EXT2(extent_open2, (ext2_filsys fs, ext2_ino_t ino, struct ext2_inode *inode, ext2_extent_handle_t *h),
     (fs, ino, inode, h))
EXT2(file_open, (ext2_filsys fs, ext2_ino_t ino, int flags, ext2_file_t *file), (fs, ino, flags, file))
EXT2(file_read, (ext2_file_t file, void *buf, unsigned int want, unsigned int *got), (file, buf, want, got))
EXT2(flush2, (ext2_filsys fs, int flags), (fs, flags))
EXT2(get_next_inode, (ext2_inode_scan scan, ext2_ino_t *ino, struct ext2_inode *inode), (scan, ino, inode))
EXT2(open_inode_scan, (ext2_filsys fs, int blocks, ext2_inode_scan *scan), (fs, blocks, scan))
EXT2(new_range,
     (ext2_filsys fs, int flags, blk64_t goal, blk64_t len, ext2fs_block_bitmap map, blk64_t *first,
      blk64_t *count), (fs, flags, goal, len, map, first, count))
EXT2(read_block_bitmap, (ext2_filsys fs), (fs))
EXT2(read_inode_full, (ext2_filsys fs, ext2_ino_t ino, struct ext2_inode *inode, int size),
     (fs, ino, inode, size))
EXT2(write_inode_full, (ext2_filsys fs, ext2_ino_t ino, struct ext2_inode *inode, int size),
     (fs, ino, inode, size))
EXT2(iblk_add_blocks, (ext2_filsys fs, struct ext2_inode *inode, blk64_t count), (fs, inode, count))
EXT2(xattrs_open, (ext2_filsys fs, ext2_ino_t ino, struct ext2_xattr_handle **h), (fs, ino, h))
EXT2(xattrs_read, (struct ext2_xattr_handle *h), (h))
EXT2(xattrs_iterate,
     (struct ext2_xattr_handle *h, int (*fn)(char *, char *, size_t, void *), void *ctx), (h, fn, ctx))
EXT2(xattrs_write, (struct ext2_xattr_handle *h), (h))
EXT2(xattr_set, (struct ext2_xattr_handle *h, const char *name, const void *value, size_t len),
     (h, name, value, len))
EXT2(xattr_get, (struct ext2_xattr_handle *h, const char *name, void **value, size_t *len),
     (h, name, value, len))
