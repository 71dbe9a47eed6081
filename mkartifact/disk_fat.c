// SPDX-License-Identifier: Apache-2.0
/*
 * A FAT filesystem out of a directory, through mkfs.vfat and mtools. They get names in order, a fixed time and an
 * environment of their own, so that neither the order of a directory nor somebody's ~/.mtoolsrc decides a byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libartifact/fs/tree.h"
#include "libartifact/util.h"
#include "mkartifact/disk.h"

/* The first second that FAT can tell. */
#define FAT_TIME_MIN INT64_C(315532800)
#define FAT16_FROM (4 * ART_MIB)
#define FAT32_FROM (512 * ART_MIB)
/* Below this, clusters as mkfs.vfat makes them are too few for FAT16. */
#define ROOMY_FROM (16 * ART_MIB)
/* Where a child finds the image. */
#define IMAGE "/proc/self/fd/3"

struct fat {
	struct disk *disk;
	const struct disk_part *part;
	struct art_tree tree;
	int image, log; /* above those that a child gets */
	char epoch[48], path[DISK_PATH_ROOM];
	struct art_err *err;
};

/* A command line that grows; its words are freed with it. */
struct words {
	char **list;
	size_t count;
};

static int add(struct fat *f, struct words *w, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int add(struct fat *f, struct words *w, const char *fmt, ...)
{
	char **list = reallocarray(w->list, w->count + 2, sizeof(*list));
	va_list ap;
	int made;

	if (!list)
		return art_fail_memory(f->err);
	w->list = list;
	va_start(ap, fmt);
	made = vasprintf(&list[w->count], fmt, ap);
	va_end(ap);
	if (made < 0)
		return art_fail_memory(f->err);
	list[++w->count] = NULL;
	return 0;
}

static void words_free(struct words *w)
{
	while (w->count > 0)
		free(w->list[--w->count]);
	free(w->list);
	*w = (struct words){ NULL, 0 };
}

/* What the program said, on one line. */
static void read_log(int log, char *text, size_t size)
{
	ssize_t got = pread(log, text, size - 1, 0);
	char *p;

	text[got > 0 ? got : 0] = '\0';
	for (p = text; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = p[1] ? ' ' : '\0';
}

static int spawn(struct fat *f, const struct words *w, pid_t *pid)
{
	static char zone[] = "TZ=UTC", locale[] = "LC_ALL=C", home[] = "HOME=/",
		    lenient[] = "MTOOLS_SKIP_CHECK=1";
	char *env[] = { f->path, f->epoch, zone, locale, home, lenient, NULL };
	posix_spawn_file_actions_t actions;
	int ret;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, f->log, 1);
	posix_spawn_file_actions_adddup2(&actions, f->log, 2);
	posix_spawn_file_actions_adddup2(&actions, f->image, 3);
	ret = posix_spawnp(pid, w->list[0], &actions, NULL, w->list, env);
	posix_spawn_file_actions_destroy(&actions);
	if (ret == 0)
		return 0;
	errno = ret;
	return art_fail_errno(f->err, ART_E_FAILED, "cannot run %s (of Debian's package %s)", w->list[0],
			      w->list[0][1] == 'k' ? "dosfstools" : "mtools");
}

static int run(struct fat *f, const struct words *w)
{
	char text[300];
	pid_t pid;
	int status, code;

	if (ftruncate(f->log, 0) < 0 || lseek(f->log, 0, SEEK_SET) < 0)
		return art_fail_errno(f->err, ART_E_IO, "cannot write a temporary file");
	code = spawn(f, w, &pid);
	if (code < 0)
		return code;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return art_fail_errno(f->err, ART_E_FAILED, "waiting for %s", w->list[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	read_log(f->log, text, sizeof(text));
	return art_fail(f->err, strstr(text, "Disk full") || strstr(text, "No space") ? ART_E_SPACE :
											ART_E_FAILED,
			"%s failed: %s", w->list[0], text);
}

/* Child programs of /usr/sbin, which an ordinary user's PATH lacks. */
static int set_path(struct fat *f)
{
	const char *path = getenv("PATH");

	if ((size_t)snprintf(f->path, sizeof(f->path), "PATH=%s:/usr/sbin:/sbin",
			     path && path[0] ? path : "/usr/bin:/bin") >= sizeof(f->path))
		return art_fail(f->err, ART_E_USAGE, "PATH is too long");
	/* posix_spawnp looks into our own. */
	if (setenv("PATH", f->path + 5, 1) < 0)
		return art_fail_memory(f->err);
	return 0;
}

unsigned int disk_fat_bits(const struct disk_part *p)
{
	if (p->fat)
		return (unsigned int)p->fat;
	return p->size < FAT16_FROM ? 12 : p->size < FAT32_FROM ? 16 : 32;
}

static int format(struct fat *f)
{
	const struct disk_part *p = f->part;
	struct words w = { NULL, 0 };
	char text[128], uuid[DISK_UUID_LEN + 1];
	int code;

	snprintf(text, sizeof(text), "twinroot-disk fat %s %s", f->disk->layout.id, p->name);
	code = disk_uuid(uuid, text, f->err);
	if (code == 0 && ftruncate(f->image, (off_t)p->size) < 0)
		code = art_fail_errno(f->err, ART_E_IO, "cannot make an image of %llu bytes",
				      (unsigned long long)p->size);
	if (code == 0)
		code = add(f, &w, "mkfs.vfat");
	if (code == 0)
		code = add(f, &w, "--invariant");
	if (code == 0)
		code = add(f, &w, "-F%u", disk_fat_bits(p));
	if (code == 0)
		code = add(f, &w, "-i%.8s", uuid);
	if (code == 0 && disk_fat_bits(p) == 16 && p->size < ROOMY_FROM)
		code = add(f, &w, "-s1");
	/* Boot code in the filesystem finds itself by the sectors before it. */
	if (code == 0)
		code = add(f, &w, "-h%llu", (unsigned long long)(p->start / DISK_SECTOR));
	if (code == 0 && p->volume)
		code = add(f, &w, "-n%s", p->volume);
	if (code == 0)
		code = add(f, &w, IMAGE);
	if (code == 0)
		code = run(f, &w);
	words_free(&w);
	return code;
}

/* What every reader of FAT takes, boot firmware too. */
static int check_name(struct fat *f, const struct art_tree_inode *dir, size_t i, const char *path)
{
	const struct art_tree_name *n = &dir->names[i];
	size_t len = strlen(n->name), at;

	for (at = 0; at < len; at++)
		if ((unsigned char)n->name[at] < ' ' || (unsigned char)n->name[at] > '~' ||
		    strchr("\"*/:<>?\\|", n->name[at]))
			break;
	if (at < len || n->name[len - 1] == '.' || n->name[len - 1] == ' ' || n->name[0] == ' ')
		return art_fail(f->err, ART_E_USAGE, "'%s/%s': FAT cannot hold this name", path, n->name);
	for (at = 0; at < i; at++)
		if (strcasecmp(dir->names[at].name, n->name) == 0)
			return art_fail(f->err, ART_E_USAGE, "'%s/%s' and '%s' are one name to FAT", path,
					n->name, dir->names[at].name);
	if (!S_ISDIR(n->inode->mode) && !S_ISREG(n->inode->mode))
		return art_fail(f->err, ART_E_USAGE,
				"'%s/%s': FAT holds files and directories only (cp -rL copies what links "
				"point at)",
				path, n->name);
	return 0;
}

static int make_directory(struct fat *f, const char *inside)
{
	struct words w = { NULL, 0 };
	int code = add(f, &w, "mmd");

	if (code == 0)
		code = add(f, &w, "-i" IMAGE);
	if (code == 0)
		code = add(f, &w, "::%s", inside);
	if (code == 0)
		code = run(f, &w);
	words_free(&w);
	return code;
}

/* The files of one directory, in one run of mcopy. */
static int copy_files(struct fat *f, const struct art_tree_inode *dir, const char *path,
		      const char *inside)
{
	struct words w = { NULL, 0 };
	size_t i, files = 0;
	int code = add(f, &w, "mcopy");

	if (code == 0)
		code = add(f, &w, "-i" IMAGE);
	for (i = 0; code == 0 && i < dir->name_count; i++) {
		if (!S_ISREG(dir->names[i].inode->mode))
			continue;
		files++;
		/* Not to be taken for an option or a drive. */
		code = add(f, &w, "%s%s/%s", path[0] == '/' ? "" : "./", path, dir->names[i].name);
	}
	if (code == 0)
		code = add(f, &w, "::%s/", inside);
	if (code == 0 && files > 0)
		code = run(f, &w);
	words_free(&w);
	return code;
}

static int copy_directory(struct fat *f, const struct art_tree_inode *dir, const char *path,
			  const char *inside)
{
	size_t i;
	int code = 0;

	for (i = 0; code == 0 && i < dir->name_count; i++)
		code = check_name(f, dir, i, path);
	if (code == 0)
		code = copy_files(f, dir, path, inside);
	for (i = 0; code == 0 && i < dir->name_count; i++) {
		cleanup_free char *below = NULL;
		cleanup_free char *name = NULL;

		if (!S_ISDIR(dir->names[i].inode->mode))
			continue;
		if (asprintf(&below, "%s/%s", path, dir->names[i].name) < 0 ||
		    asprintf(&name, "%s/%s", inside, dir->names[i].name) < 0)
			return art_fail_memory(f->err);
		code = make_directory(f, name);
		if (code == 0)
			code = copy_directory(f, dir->names[i].inode, below, name);
	}
	return code;
}

static int fill(struct fat *f)
{
	const char *path = f->part->directory;
	int code;

	if (!path)
		return 0;
	code = art_tree_init(&f->tree, f->disk->time, f->err);
	if (code == 0)
		code = art_tree_read_directory(&f->tree, path, f->err);
	if (code == 0)
		code = copy_directory(f, f->tree.root, path, "");
	art_tree_free(&f->tree);
	return code;
}

static int write_fat(struct fat *f)
{
	int64_t time = f->disk->time < FAT_TIME_MIN ? FAT_TIME_MIN : f->disk->time;
	int code = set_path(f);

	snprintf(f->epoch, sizeof(f->epoch), "SOURCE_DATE_EPOCH=%lld", (long long)time);
	if (code == 0)
		code = format(f);
	if (code == 0)
		code = fill(f);
	return code < 0 ? code : disk_copy(f->disk, f->image, f->part->name, f->part->size,
					   f->part->start, f->err);
}

int disk_fat_write(struct disk *d, const struct disk_part *p, struct art_err *err)
{
	struct fat f = { .disk = d, .part = p, .image = -1, .log = -1, .err = err };
	int image = -1, log = -1;
	int code = art_temp_file(&image, d->directory, err);

	if (code == 0)
		code = art_temp_file(&log, d->directory, err);
	if (code == 0) {
		/* A dup2 of a descriptor onto itself would leave it close-on-exec. */
		f.image = fcntl(image, F_DUPFD_CLOEXEC, 10);
		f.log = fcntl(log, F_DUPFD_CLOEXEC, 10);
		code = f.image < 0 || f.log < 0 ?
			       art_fail_errno(err, ART_E_IO, "cannot open a temporary file") :
			       write_fat(&f);
	}
	art_cleanup_close(&f.image);
	art_cleanup_close(&f.log);
	art_cleanup_close(&image);
	art_cleanup_close(&log);
	return code < 0 ? art_wrap(err, "[part.%s]", p->name) : 0;
}
