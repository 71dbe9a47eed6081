// SPDX-License-Identifier: Apache-2.0
/* Keeping manifest, signatures and indexes of what is installed. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cli.h"
#include "installer/kept.h"
#include "libartifact/io.h"
#include "libartifact/manifest.h"
#include "libartifact/sig.h"
#include "libartifact/util.h"

static char *place(const char *directory, int slot, const char *suffix)
{
	char *path = NULL;

	if (asprintf(&path, "%s/slot-%c%s", directory, 'a' + slot, suffix) < 0)
		return NULL;
	return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *level)
{
	(void)st;
	(void)type;
	(void)level;
	return remove(path);
}

/* Whatever is there: this module makes directories of files only, and e2fsck other things. */
static int remove_all(const char *path, struct art_err *err)
{
	if (nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		return art_fail_errno(err, ART_E_IO, "cannot remove '%s'", path);
	return 0;
}

/* What else stands under the name would be waited for, or is somebody's. */
static bool is_file(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Does slot-X.new belong to this manifest? */
static bool is_same(const char *path, const void *manifest, size_t len)
{
	cleanup_free char *name = NULL;
	cleanup_free uint8_t *have = NULL;
	size_t have_len = 0;

	return asprintf(&name, "%s/manifest.json", path) >= 0 && is_file(name) &&
	       art_read_file(name, ART_MANIFEST_MAX, &have, &have_len, NULL) == 0 &&
	       have_len == len && memcmp(have, manifest, len) == 0;
}

int kept_begin(struct kept *k, const char *directory, int slot, const void *manifest,
	       size_t len, struct art_err *err)
{
	cleanup_free char *path = place(directory, slot, ".new");
	int code = 0;

	k->directory = directory;
	k->slot = slot;
	k->fd = -1;
	if (!path)
		return art_fail_memory(err);
	if (!is_same(path, manifest, len))
		code = remove_all(path, err);
	if (code < 0)
		return code;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return art_fail_errno(err, ART_E_IO, "cannot make '%s'", path);
	k->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", path);
	return kept_add(k, "manifest.json", manifest, len, err);
}

int kept_find(const struct kept *k, const char *name, size_t size, uint8_t **bytes,
	      struct art_err *err)
{
	cleanup_close int fd = openat(k->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	*bytes = NULL;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return 0;
	*bytes = malloc(size);
	if (!*bytes)
		return art_fail_memory(err);
	n = art_pread_full(fd, *bytes, size, 0, name, NULL);
	if (n == (ssize_t)size)
		return 0;
	/* It can be had again from where it came. */
	free(*bytes);
	*bytes = NULL;
	return 0;
}

void kept_index_name(char name[KEPT_NAME_MAX], const char *payload, size_t segment)
{
	snprintf(name, KEPT_NAME_MAX, "%.32s.%04u.index", payload, (unsigned int)segment);
}

int kept_open_index(const char *directory, int slot, const char *payload, size_t segment)
{
	cleanup_free char *path = NULL;
	char name[KEPT_NAME_MAX];

	kept_index_name(name, payload, segment);
	if (asprintf(&path, "%s/slot-%c/%s", directory, 'a' + slot, name) < 0)
		return -1;
	return is_file(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

int kept_add(struct kept *k, const char *name, const void *bytes, size_t len,
	     struct art_err *err)
{
	cleanup_free char *directory = place(k->directory, k->slot, ".new/");
	cleanup_free char *path = NULL;
	int fd, code = 0;

	if (!directory || asprintf(&path, "%s%s", directory, name) < 0)
		return art_fail_memory(err);
	if (!is_file(path))
		code = remove_all(path, err);
	if (code < 0)
		return code;
	fd = openat(k->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot create '%s'", path);
	code = art_write_full(fd, bytes, len, path, err);
	if (code == 0 && fdatasync(fd) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot sync '%s'", path);
	if (close(fd) < 0 && code == 0)
		code = art_fail_errno(err, ART_E_IO, "cannot write '%s'", path);
	return code;
}

static int sync_directory(const char *path, struct art_err *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		return art_fail_errno(err, ART_E_IO, "cannot sync '%s'", path);
	return 0;
}

/* Exchange is one step; without it the old one is moved away first, and a cut in between leaves none, which costs
 * a seed and nothing else. */
static int swap(const char *new, const char *old, const char *trash, struct art_err *err)
{
	if (renameat2(AT_FDCWD, new, AT_FDCWD, old, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno != ENOENT && errno != EINVAL && errno != ENOSYS)
		return art_fail_errno(err, ART_E_IO, "cannot rename '%s'", new);
	if (rename(old, trash) < 0 && errno != ENOENT)
		return art_fail_errno(err, ART_E_IO, "cannot rename '%s'", old);
	if (rename(new, old) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot rename '%s'", new);
	return 0;
}

int kept_commit(struct kept *k, struct art_err *err)
{
	cleanup_free char *new = place(k->directory, k->slot, ".new");
	cleanup_free char *old = place(k->directory, k->slot, "");
	cleanup_free char *trash = place(k->directory, k->slot, ".old");
	struct art_err why = { 0 };
	int code = 0;

	if (!new || !old || !trash)
		return art_fail_memory(err);
	if (fsync(k->fd) < 0 && errno != EINVAL)
		return art_fail_errno(err, ART_E_IO, "cannot sync '%s'", new);
	close(art_steal_fd(&k->fd));
	code = remove_all(trash, err);
	if (code == 0)
		code = swap(new, old, trash, err);
	if (code == 0)
		code = sync_directory(k->directory, err);
	if (code < 0)
		return code;
	/* What was there before, under either name. The new one is in place: what stays is in nobody's way. */
	if (remove_all(new, &why) < 0 || remove_all(trash, &why) < 0)
		cli_warn("%s", why.text);
	return 0;
}

void kept_abort(struct kept *k)
{
	if (k->fd >= 0)
		close(art_steal_fd(&k->fd));
}

static int read_kept(const char *directory, int slot, const char *name, size_t max,
		     uint8_t **bytes, size_t *len, struct art_err *err)
{
	cleanup_free char *path = place(directory, slot, name);

	*bytes = NULL;
	if (!path)
		return art_fail_memory(err);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (!is_file(path))
		return art_fail(err, ART_E_IO, "'%s' is no regular file", path);
	return art_read_file(path, max, bytes, len, err);
}

int kept_manifest(const char *directory, int slot, uint8_t **bytes, size_t *len,
		  struct art_err *err)
{
	return read_kept(directory, slot, "/manifest.json", ART_MANIFEST_MAX, bytes, len, err);
}

int kept_signatures(const char *directory, int slot, uint8_t **bytes, size_t *len,
		    struct art_err *err)
{
	return read_kept(directory, slot, "/manifest.sig", ART_SIG_MEMBER_MAX, bytes, len, err);
}
