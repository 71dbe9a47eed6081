// SPDX-License-Identifier: Apache-2.0
/* artifact-inspect ls and cat: into a filesystem image without unpacking it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <jansson.h>

#include "common/cli.h"
#include "common/text.h"
#include "inspect/inspect.h"
#include "libartifact/blob.h"
#include "libartifact/fs/fs.h"

struct listing {
	const struct inspect_options *opt;
	json_t *entries;
	bool first; /* the entry that the operand named */
};

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "link";
	case S_IFCHR:
		return "character-device";
	case S_IFBLK:
		return "block-device";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "unknown";
	}
}

static char type_letter(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return '-';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	default:
		return '?';
	}
}

static void mode_text(char out[11], mode_t mode)
{
	static const char bits[] = "rwxrwxrwx";

	out[0] = type_letter(mode);
	for (int i = 0; i < 9; i++)
		out[1 + i] = mode & (0400U >> i) ? bits[i] : '-';
	if (mode & S_ISUID)
		out[3] = mode & S_IXUSR ? 's' : 'S';
	if (mode & S_ISGID)
		out[6] = mode & S_IXGRP ? 's' : 'S';
	if (mode & S_ISVTX)
		out[9] = mode & S_IXOTH ? 't' : 'T';
	out[10] = '\0';
}

static void time_text(char out[32], int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(out, 32, "%" PRId64, seconds);
}

static void print_long(const struct art_fs_entry *e)
{
	char mode[11], when[32];

	mode_text(mode, e->mode);
	time_text(when, e->mtime);
	printf("%s %3" PRIu32 " %5" PRIu32 " %5" PRIu32 " ", mode, e->links, e->uid,
	       e->gid);
	if (S_ISCHR(e->mode) || S_ISBLK(e->mode))
		printf("%5" PRIu32 ",%4" PRIu32, e->rdev_major, e->rdev_minor);
	else
		printf("%10" PRIu64, e->size);
	printf(" %s ", when);
}

static json_t *json_entry(const struct art_fs_entry *e)
{
	char mode[8];
	json_t *o;

	snprintf(mode, sizeof(mode), "%04o", (unsigned int)(e->mode & 07777));
	o = json_pack("{s:o,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "path",
		      cli_json_text(e->path), "type", type_name(e->mode), "mode", mode,
		      "uid", (json_int_t)e->uid, "gid", (json_int_t)e->gid, "size",
		      (json_int_t)e->size, "mtime", (json_int_t)e->mtime, "inode",
		      (json_int_t)e->inode, "links", (json_int_t)e->links);
	if (!o)
		return NULL;
	if (e->target && json_object_set_new(o, "target", cli_json_text(e->target)) < 0)
		goto fail;
	if (S_ISCHR(e->mode) || S_ISBLK(e->mode)) {
		if (json_object_set_new(o, "major", json_integer(e->rdev_major)) < 0 ||
		    json_object_set_new(o, "minor", json_integer(e->rdev_minor)) < 0)
			goto fail;
	}
	return o;
fail:
	json_decref(o);
	return NULL;
}

static int list_entry(void *ctx, const struct art_fs_entry *e, struct art_err *err)
{
	struct listing *l = ctx;
	bool first = l->first;

	l->first = false;
	if (first && S_ISDIR(e->mode))
		return 0;
	if (cli_json())
		return json_array_append_new(l->entries, json_entry(e)) < 0
			       ? art_fail_memory(err)
			       : 0;
	if (l->opt->is_long)
		print_long(e);
	text_print(stdout, e->path);
	if (l->opt->is_long && e->target) {
		fputs(" -> ", stdout);
		text_print(stdout, e->target);
	}
	putchar('\n');
	return 0;
}

static int list_paths(struct art_fs *fs, const struct inspect_options *opt, int argc,
		      char *const *argv, struct art_err *err)
{
	struct listing l = { .opt = opt, .entries = json_array() };
	json_t *root;
	int code = l.entries ? 0 : art_fail_memory(err);

	for (int i = 0; code == 0 && i < (argc ? argc : 1); i++) {
		l.first = true;
		code = art_fs_walk(fs, argc ? argv[i] : "/", opt->recursive ? -1 : 1,
				   list_entry, &l, err);
	}
	if (code == 0 && cli_json()) {
		root = json_pack("{s:O}", "entries", l.entries);
		code = root ? cli_print_json(root, err) : art_fail_memory(err);
		json_decref(root);
	}
	json_decref(l.entries);
	return code;
}

static int to_stdout(void *ctx, const void *bytes, size_t len, struct art_err *err)
{
	(void)ctx;
	if (len > 0 && fwrite(bytes, len, 1, stdout) != 1)
		return art_fail_errno(err, ART_E_IO, "cannot write standard output");
	return 0;
}

static int cat_paths(struct art_fs *fs, int argc, char *const *argv, struct art_err *err)
{
	int code = 0;

	for (int i = 0; code == 0 && i < argc; i++)
		code = art_fs_read(fs, argv[i], to_stdout, NULL, err);
	return code;
}

static int with_fs(const struct inspect_options *opt, int argc, char *const *argv,
		   bool cat)
{
	struct inspect_file f = { 0 };
	struct art_err err = { 0 };
	struct art_blob *blob = NULL;
	struct art_fs *fs = NULL;
	int code, status = 0;

	code = inspect_open(&f, argv[0], opt, true, &err);
	if (code == 0)
		code = inspect_open_fs(&f, opt, false, &blob, &fs, &err);
	if (code == 0)
		code = cat ? cat_paths(fs, argc - 1, argv + 1, &err)
			   : list_paths(fs, opt, argc - 1, argv + 1, &err);
	if (code < 0)
		status = cli_fail(&err);
	art_fs_close(fs);
	art_blob_free(blob);
	inspect_close(&f);
	return status;
}

int inspect_ls(const struct inspect_options *opt, int argc, char *const *argv)
{
	return with_fs(opt, argc, argv, false);
}

int inspect_cat(const struct inspect_options *opt, int argc, char *const *argv)
{
	return with_fs(opt, argc, argv, true);
}
