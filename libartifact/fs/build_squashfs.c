// SPDX-License-Identifier: Apache-2.0
/*
 * A squashfs image through mksquashfs, which reads a tar stream made from the tree, so that tarballs and directories
 * take one way. Its tar mode (4.5.1) takes owner and time of the root directory neither from the stream nor from its
 * options; a second run, which appends an empty directory, does take the options, and rewrites the tables only.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libartifact/fs/build_internal.h"
#include "libartifact/fs/tar_out.h"
#include "libartifact/util.h"

extern char **environ;

struct squash_build {
	struct art_tree *tree;
	const struct art_build_options *opt;
	int image, log; /* above those that the child gets */
	struct art_err *err;
};

bool art_tree_is_squash_xattr(const char *name)
{
	static const char *const kept[] = { "user.", "trusted.", "security." };
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(kept); i++)
		if (strncmp(name, kept[i], strlen(kept[i])) == 0)
			return true;
	return false;
}

int64_t art_tree_squash_time(int64_t t)
{
	return t < 0 ? 0 : t > UINT32_MAX ? UINT32_MAX : t;
}

/* mksquashfs refuses its time options when this is set. */
static char **child_environment(void)
{
	size_t n = 0, i, used = 0;
	char **list;

	while (environ[n])
		n++;
	list = calloc(n + 1, sizeof(*list));
	for (i = 0; list && i < n; i++)
		if (strncmp(environ[i], "SOURCE_DATE_EPOCH=", 18) != 0)
			list[used++] = environ[i];
	return list;
}

#define MAX_ARGS 40

struct arguments {
	char *list[MAX_ARGS];
	size_t count;
	char text[MAX_ARGS][24];
};

static void add(struct arguments *a, const char *word)
{
	a->list[a->count++] = (char *)word;
}

static void add_number(struct arguments *a, const char *name, long long value)
{
	add(a, name);
	snprintf(a->text[a->count], sizeof(a->text[0]), "%lld", value);
	add(a, a->text[a->count]);
}

static void add_mode(struct arguments *a, const char *name, mode_t mode)
{
	add(a, name);
	snprintf(a->text[a->count], sizeof(a->text[0]), "%o", mode & 07777u);
	add(a, a->text[a->count]);
}

/* In the child descriptor 3 is the image. */
static void add_common(struct arguments *a, const struct squash_build *b, const char *source)
{
	const struct art_tree_inode *root = b->tree->root;
	static const char *const words[] = { "/proc/self/fd/3", "-no-progress", "-quiet",
					     "-reproducible", "-no-recovery", "-mem", "256M" };
	size_t i;

	add(a, "mksquashfs");
	add(a, source);
	for (i = 0; i < ART_ARRAY_SIZE(words); i++)
		add(a, words[i]);
	add_number(a, "-processors", b->opt->jobs ? b->opt->jobs : 1);
	add_number(a, "-mkfs-time", (long long)art_tree_squash_time(b->opt->time));
	add_mode(a, "-root-mode", root->mode);
	add_number(a, "-root-uid", root->uid);
	add_number(a, "-root-gid", root->gid);
	add_number(a, "-root-time", (long long)art_tree_squash_time(root->mtime));
}

static int spawn(struct squash_build *b, struct arguments *a, int input, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	char **env = child_environment();
	int ret;

	if (!env)
		return art_fail_memory(b->err);
	posix_spawn_file_actions_init(&actions);
	if (input >= 0)
		posix_spawn_file_actions_adddup2(&actions, input, 0);
	else
		posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, b->log, 1);
	posix_spawn_file_actions_adddup2(&actions, b->log, 2);
	posix_spawn_file_actions_adddup2(&actions, b->image, 3);
	ret = posix_spawnp(pid, "mksquashfs", &actions, NULL, a->list, env);
	posix_spawn_file_actions_destroy(&actions);
	free(env);
	if (ret == 0)
		return 0;
	errno = ret;
	return art_fail_errno(b->err, ART_E_FAILED, "cannot run mksquashfs (of squashfs-tools)");
}

/* The last thing that mksquashfs said, on one line. */
static void read_log(int log, char *text, size_t size)
{
	off_t end = lseek(log, 0, SEEK_END);
	off_t start = end > (off_t)size - 1 ? end - (off_t)size + 1 : 0;
	ssize_t got = pread(log, text, size - 1, start);
	char *p;

	text[got > 0 ? got : 0] = '\0';
	for (p = text; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = p[1] ? ' ' : '\0';
}

/* RET is how the stream went. */
static int reap(struct squash_build *b, pid_t pid, int ret)
{
	char text[300];
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return art_fail_errno(b->err, ART_E_FAILED, "waiting for mksquashfs");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return ret;
	/* When we broke off, our reason counts; when it went away by itself, its words. */
	if (ret != 0 && ret != ART_E_IO)
		return ret;
	read_log(b->log, text, sizeof(text));
	return art_fail(b->err, strstr(text, "No space") ? ART_E_SPACE : ART_E_FAILED,
			"mksquashfs failed: %s", text);
}

static int pack_stream(struct squash_build *b)
{
	struct arguments a = { .count = 0 };
	int pair[2], input, ret;
	pid_t pid;

	add_common(&a, b, "-");
	add(&a, "-tar");
	add(&a, "-noappend");
	add(&a, "-exports");
	add_number(&a, "-b", 131072);
	add(&a, "-comp");
	add(&a, "zstd");
	add_number(&a, "-Xcompression-level", 15);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return art_fail_errno(b->err, ART_E_FAILED, "cannot make a socket");
	input = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);
	close(pair[1]);
	ret = input < 0 ? art_fail_errno(b->err, ART_E_FAILED, "cannot make a socket") :
			  spawn(b, &a, input, &pid);
	if (input >= 0)
		close(input);
	if (ret != 0) {
		close(pair[0]);
		return ret;
	}
	ret = art_tree_write_tar(b->tree, pair[0], b->err);
	/* A stream that was broken off must not look complete. */
	if (ret != 0 && ret != ART_E_IO)
		kill(pid, SIGKILL);
	close(pair[0]);
	return reap(b, pid, ret);
}

static int set_root(struct squash_build *b)
{
	const char *tmp = getenv("TMPDIR");
	struct arguments a = { .count = 0 };
	char *empty;
	pid_t pid;
	int ret;

	if (asprintf(&empty, "%s/twinroot-XXXXXX", tmp && tmp[0] ? tmp : "/tmp") < 0)
		return art_fail_memory(b->err);
	if (!mkdtemp(empty)) {
		ret = art_fail_errno(b->err, ART_E_IO, "cannot make directory '%s'", empty);
	} else {
		add_common(&a, b, empty);
		ret = spawn(b, &a, -1, &pid);
		if (ret == 0)
			ret = reap(b, pid, 0);
		rmdir(empty);
	}
	free(empty);
	return ret;
}

static int check_root(struct squash_build *b)
{
	const struct art_tree_inode *root = b->tree->root;
	size_t i;

	for (i = 0; i < root->xattr_count; i++)
		if (art_tree_is_squash_xattr(root->xattrs[i].name))
			return art_fail(b->err, ART_E_FAILED,
					"the root directory has attribute '%s', which mksquashfs would lose; "
					"remove it, or make an ext4 image", root->xattrs[i].name);
	return 0;
}

int art_build_squashfs(int fd, uint64_t *size, struct art_tree *tree,
		       const struct art_build_options *opt, struct art_err *err)
{
	struct squash_build b = { .tree = tree, .opt = opt, .image = -1, .log = -1, .err = err };
	cleanup_close int log = -1;
	off_t end;
	int ret;

	ret = check_root(&b);
	if (ret == 0)
		ret = art_temp_file(&log, NULL, err);
	if (ret != 0)
		return ret;
	/* A dup2 of a descriptor onto itself would leave it close-on-exec. */
	b.log = fcntl(log, F_DUPFD_CLOEXEC, 10);
	b.image = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	if (b.log < 0 || b.image < 0)
		ret = art_fail_errno(err, ART_E_IO, "cannot open the new image");
	if (ret == 0)
		ret = pack_stream(&b);
	if (ret == 0)
		ret = set_root(&b);
	art_cleanup_close(&b.log);
	art_cleanup_close(&b.image);
	end = lseek(fd, 0, SEEK_END);
	if (ret == 0 && end <= 0)
		ret = art_fail(err, ART_E_FAILED, "mksquashfs made nothing");
	*size = end > 0 ? (uint64_t)end : 0;
	return ret;
}
