// SPDX-License-Identifier: Apache-2.0
/*
 * artifact-inspect extract: files out of an image. Names and links in an image are
 * somebody else's idea: each directory on the way is opened by itself without following
 * links, nothing that exists is overwritten, a file appears when it is whole, and device
 * nodes and ownership are made by root only.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/text.h"
#include "inspect/inspect.h"
#include "libartifact/blob.h"
#include "libartifact/fs/fs.h"
#include "libartifact/io.h"

struct made_dir { /* to get its mode and time when everything is in it */
	char *path;
	mode_t mode;
	int64_t mtime;
};

struct made_file { /* for hard links */
	uint64_t inode;
	char *path;
};

struct extract {
	int root;
	bool is_root;
	struct art_fs *fs;
	struct made_dir *dirs;
	size_t dir_count;
	struct made_file *files;
	size_t file_count;
	size_t skipped; /* device nodes */
};

static bool is_plain_name(const char *name, size_t len)
{
	return len > 0 && len < 256 && !(len <= 2 && strncmp(name, "..", len) == 0);
}

/*
 * Open the directory that PATH ("/a/b/c": "/a/b") lies in, below the root, step by step;
 * directories that are missing are made. *LEAF is the last name, inside PATH. A link in
 * the place of a directory is refused.
 */
static int open_parent(struct extract *x, const char *path, int *out, const char **leaf,
		       struct art_err *err)
{
	int at = fcntl(x->root, F_DUPFD_CLOEXEC, 3);

	if (at < 0)
		return art_fail_errno(err, ART_E_IO, "cannot extract '%s'", path);
	for (;;) {
		const char *end;
		char name[256];
		int next;

		path += strspn(path, "/");
		end = path + strcspn(path, "/");
		if (!is_plain_name(path, (size_t)(end - path))) {
			close(at);
			return art_fail(err, ART_E_FAILED,
					"a name in the image is not allowed: '%s'", path);
		}
		if (!*end) {
			*out = at;
			*leaf = path;
			return 0;
		}
		memcpy(name, path, (size_t)(end - path));
		name[end - path] = '\0';
		if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
			next = -1;
		else
			next = openat(at, name,
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			art_fail_errno(err, ART_E_IO, "cannot go into '%s'", name);
		close(at);
		if (next < 0)
			return err ? err->code : ART_E_IO;
		at = next;
		path = end;
	}
}

static int remember_dir(struct extract *x, const struct art_fs_entry *e,
			struct art_err *err)
{
	struct made_dir *d = reallocarray(x->dirs, x->dir_count + 1, sizeof(*d));

	if (!d)
		return art_fail_memory(err);
	x->dirs = d;
	d[x->dir_count] = (struct made_dir){ strdup(e->path), e->mode & 07777, e->mtime };
	if (!d[x->dir_count].path)
		return art_fail_memory(err);
	x->dir_count++;
	return 0;
}

static int remember_file(struct extract *x, const struct art_fs_entry *e,
			 struct art_err *err)
{
	struct made_file *f = reallocarray(x->files, x->file_count + 1, sizeof(*f));

	if (!f)
		return art_fail_memory(err);
	x->files = f;
	f[x->file_count] = (struct made_file){ e->inode, strdup(e->path) };
	if (!f[x->file_count].path)
		return art_fail_memory(err);
	x->file_count++;
	return 0;
}

struct sink {
	int fd;
	const char *name;
	uint64_t size;
};

/* Blocks of zero bytes become holes. */
static int to_file(void *ctx, const void *bytes, size_t len, struct art_err *err)
{
	struct sink *s = ctx;

	s->size += len;
	if (art_is_zero(bytes, len) && len >= 4096) {
		if (lseek(s->fd, (off_t)len, SEEK_CUR) < 0)
			return art_fail_errno(err, ART_E_IO, "cannot write '%s'",
					      s->name);
		return 0;
	}
	return art_write_full(s->fd, bytes, len, s->name, err);
}

static int set_xattr(void *ctx, const char *name, const void *value, size_t len)
{
	/* What this user or filesystem may not have is left out; it is no reason to stop.
	 */
	if (fsetxattr(*(int *)ctx, name, value, len, 0) < 0)
		cli_debug("extended attribute '%s' is left out: %s", name,
			  strerror(errno));
	return 0;
}

static int set_owner(struct extract *x, int at, const char *leaf,
		     const struct art_fs_entry *e, struct art_err *err)
{
	if (x->is_root && fchownat(at, leaf, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot set the owner of '%s'",
				      e->path);
	return 0;
}

static void fill_times(struct timespec times[2], int64_t mtime)
{
	times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	times[1] = (struct timespec){ .tv_sec = (time_t)mtime };
}

static int set_time(int at, const char *leaf, const struct art_fs_entry *e,
		    struct art_err *err)
{
	struct timespec times[2];

	fill_times(times, e->mtime);
	if (utimensat(at, leaf, times, AT_SYMLINK_NOFOLLOW) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot set the time of '%s'",
				      e->path);
	return 0;
}

/* By errno. */
static int fail_make(const struct art_fs_entry *e, struct art_err *err)
{
	if (errno == EEXIST)
		return art_fail(err, ART_E_IO,
				"'%s' is there already, and nothing is overwritten: remove it, or name another "
				"directory with -C", e->path);
	return art_fail_errno(err, ART_E_IO, "cannot make '%s'", e->path);
}

static int fill_file(struct extract *x, int fd, const struct art_fs_entry *e,
		     struct art_err *err)
{
	struct sink sink = { fd, e->path, 0 };
	struct timespec times[2];
	int code = art_fs_read_node(x->fs, e->node, to_file, &sink, err);

	if (code == 0 && ftruncate(fd, (off_t)sink.size) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot write '%s'", e->path);
	if (code == 0 && x->is_root && fchown(fd, e->uid, e->gid) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot set the owner of '%s'",
				      e->path);
	if (code == 0)
		code = art_fs_xattrs(x->fs, e->node, set_xattr, &fd, err);
	/* Last: an earlier change of owner or content would take set-id bits away.
	 * Without the right owner they would be somebody else's rights. */
	if (code == 0 && fchmod(fd, e->mode & (x->is_root ? 07777 : 0777)) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot set the mode of '%s'",
				      e->path);
	fill_times(times, e->mtime);
	if (code == 0 && futimens(fd, times) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot set the time of '%s'",
				      e->path);
	return code;
}

/* WHY names a path of no use to anybody; without an errno it is for want of memory. */
static int fail_out(const struct art_err *why, const struct art_fs_entry *e, struct art_err *err)
{
	errno = why->sys_errno ? why->sys_errno : ENOMEM;
	return fail_make(e, err);
}

/* It appears under its name when it is whole. */
static int write_file(struct extract *x, const char *path, const struct art_fs_entry *e,
		      struct art_err *err)
{
	struct art_out out = ART_OUT_INIT;
	struct art_err why = { 0 };
	int code;

	if (art_out_open(&out, path, 0600, &why) < 0)
		return fail_out(&why, e, err);
	code = fill_file(x, out.fd, e, err);
	if (code == 0 && art_out_place(&out, &why) < 0)
		code = fail_out(&why, e, err);
	art_out_abort(&out);
	return code;
}

static int make_file(struct extract *x, int at, const char *leaf,
		     const struct art_fs_entry *e, struct art_err *err)
{
	char path[NAME_MAX + 64];
	struct stat st;
	int code;

	/* Known before a large file is written; the name is given to none that exists in any case. */
	if (fstatat(at, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return fail_make(e, err);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", at, leaf);
	code = write_file(x, path, e, err);
	if (code == 0 && e->links > 1)
		code = remember_file(x, e, err);
	return code;
}

/* The owner and attributes that it has in the image; mode and time when everything is in it. */
static int adopt_dir(struct extract *x, int at, const char *leaf, int fd,
		     const struct art_fs_entry *e, struct art_err *err)
{
	int code = remember_dir(x, e, err);

	if (code == 0)
		code = art_fs_xattrs(x->fs, e->node, set_xattr, &fd, err);
	return code ? code : set_owner(x, at, leaf, e, err);
}

/* 1: PATH is now another name of a file that has been extracted before. */
static int try_link(struct extract *x, int at, const char *leaf,
		    const struct art_fs_entry *e, struct art_err *err)
{
	const char *from_leaf;
	int from, code;

	for (size_t i = 0; i < x->file_count; i++) {
		if (x->files[i].inode != e->inode)
			continue;
		code = open_parent(x, x->files[i].path, &from, &from_leaf, err);
		if (code < 0)
			return code;
		if (linkat(from, from_leaf, at, leaf, 0) < 0)
			code = fail_make(e, err);
		close(from);
		return code < 0 ? code : 1;
	}
	return 0;
}

static int make_dir(struct extract *x, int at, const char *leaf,
		    const struct art_fs_entry *e, struct art_err *err)
{
	bool made = mkdirat(at, leaf, 0700) == 0;
	int fd, code;

	if (!made && errno != EEXIST)
		return fail_make(e, err);
	fd = openat(at, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && !made && (errno == ENOTDIR || errno == ELOOP)) {
		errno = EEXIST;
		return fail_make(e, err);
	}
	if (fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot go into '%s'", e->path);
	/* One that was there before is its owner's, not the image's. */
	code = made ? adopt_dir(x, at, leaf, fd, e, err) : 0;
	close(fd);
	return code;
}

static int make_special(struct extract *x, int at, const char *leaf,
			const struct art_fs_entry *e, struct art_err *err)
{
	bool is_device = S_ISCHR(e->mode) || S_ISBLK(e->mode);
	int code;

	if (S_ISSOCK(e->mode) || (is_device && !x->is_root)) {
		cli_info("left out: '%s'", e->path);
		x->skipped++;
		return 0;
	}
	if (S_ISLNK(e->mode))
		code = symlinkat(e->target ? e->target : "", at, leaf);
	else
		code = mknodat(at, leaf, (e->mode & S_IFMT) | 0600,
			       is_device ? makedev(e->rdev_major, e->rdev_minor) : 0);
	if (code < 0)
		return fail_make(e, err);
	code = set_owner(x, at, leaf, e, err);
	/* Nobody else can have put a link in its place, or the directory is theirs
	 * already. */
	if (code == 0 && !S_ISLNK(e->mode) && fchmodat(at, leaf, e->mode & 07777, 0) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot set the mode of '%s'",
				      e->path);
	if (code == 0)
		code = set_time(at, leaf, e, err);
	if (code < 0)
		unlinkat(at, leaf, 0);
	return code;
}

static int extract_entry(void *ctx, const struct art_fs_entry *e, struct art_err *err)
{
	struct extract *x = ctx;
	const char *leaf;
	int at, code;

	if (e->path[strspn(e->path, "/")] == '\0')
		return 0; /* the root itself: the directory that was given */
	code = open_parent(x, e->path, &at, &leaf, err);
	if (code < 0)
		return code;
	if (S_ISREG(e->mode)) {
		code = e->links > 1 ? try_link(x, at, leaf, e, err) : 0;
		if (code == 0)
			code = make_file(x, at, leaf, e, err);
		else if (code > 0)
			code = 0;
	} else if (S_ISDIR(e->mode)) {
		code = make_dir(x, at, leaf, e, err);
	} else {
		code = make_special(x, at, leaf, e, err);
	}
	close(at);
	return code;
}

static int finish_dir(struct extract *x, const struct made_dir *d, struct art_err *err)
{
	struct art_fs_entry e = { .path = d->path, .mtime = d->mtime };
	const char *leaf;
	int at, fd, code = open_parent(x, e.path, &at, &leaf, err);

	if (code < 0)
		return code;
	fd = openat(at, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, d->mode) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot set the mode of '%s'", e.path);
	if (fd >= 0)
		close(fd);
	if (code == 0)
		code = set_time(at, leaf, &e, err);
	close(at);
	return code;
}

/* Modes and times of all directories, innermost first, also when CODE tells of an error before, which stays the one that is told. */
static int finish_dirs(struct extract *x, int code, struct art_err *err)
{
	for (size_t i = x->dir_count; i-- > 0;) {
		int one = finish_dir(x, &x->dirs[i], code < 0 ? NULL : err);

		code = code < 0 ? code : one;
	}
	return code;
}

static void extract_free(struct extract *x)
{
	while (x->dir_count > 0)
		free(x->dirs[--x->dir_count].path);
	while (x->file_count > 0)
		free(x->files[--x->file_count].path);
	free(x->dirs);
	free(x->files);
	if (x->root >= 0)
		close(x->root);
}

static int extract_paths(struct extract *x, const char *directory, int argc,
			 char *const *argv, struct art_err *err)
{
	int code = 0;

	x->is_root = geteuid() == 0;
	x->root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->root < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", directory);
	for (int i = 0; code == 0 && i < (argc ? argc : 1); i++)
		code = art_fs_walk(x->fs, argc ? argv[i] : "/", -1, extract_entry, x,
				   err);
	code = finish_dirs(x, code, err);
	if (code == 0 && x->skipped)
		cli_warn(
			"%zu device %s left out: only root can make them", x->skipped,
			text_plural(x->skipped, "node or socket", "nodes or sockets"));
	return code;
}

int inspect_extract(const struct inspect_options *opt, int argc, char *const *argv)
{
	struct extract x = { .root = -1 };
	struct inspect_file f = { 0 };
	struct art_err err = { 0 };
	struct art_blob *blob = NULL;
	int code, status = 0;

	code = inspect_open(&f, argv[0], opt, true, &err);
	if (code == 0)
		code = inspect_open_fs(&f, opt, argc < 2, &blob, &x.fs, &err);
	if (code == 0)
		code = extract_paths(&x, opt->directory, argc - 1, argv + 1, &err);
	if (code < 0)
		status = cli_fail(&err);
	art_fs_close(x.fs);
	extract_free(&x);
	art_blob_free(blob);
	inspect_close(&f);
	return status;
}
