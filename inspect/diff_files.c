// SPDX-License-Identifier: Apache-2.0
/* The files and packages that two root filesystems differ in. */
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "inspect/diff.h"
#include "libartifact/fs/scan.h"
#include "libartifact/util.h"

struct node {
	char *path;
	char *target;
	mode_t mode;
	uint32_t uid, gid, major, minor;
	uint64_t size, node;
};

/* Bits in the order of append_change's names. */
enum {
	DIFFERS_CONTENT = 1 << 0,
	DIFFERS_TYPE = 1 << 1,
	DIFFERS_MODE = 1 << 2,
	DIFFERS_OWNER = 1 << 3,
	DIFFERS_DEVICE = 1 << 4,
	DIFFERS_XATTRS = 1 << 5,
};

struct tree {
	struct node *list;
	size_t count, room;
};

static void tree_free(struct tree *t)
{
	while (t->count > 0) {
		t->count--;
		free(t->list[t->count].path);
		free(t->list[t->count].target);
	}
	free(t->list);
}

static int add_node(void *ctx, const struct art_fs_entry *e, struct art_err *err)
{
	struct tree *t = ctx;
	struct node *n;

	if (t->count == t->room) {
		size_t room = t->room ? t->room * 2 : 1024;
		struct node *list = reallocarray(t->list, room, sizeof(*list));

		if (!list)
			return art_fail_memory(err);
		t->list = list;
		t->room = room;
	}
	n = &t->list[t->count];
	*n = (struct node){ .mode = e->mode,
			    .uid = e->uid,
			    .gid = e->gid,
			    .major = e->rdev_major,
			    .minor = e->rdev_minor,
			    .size = e->size,
			    .node = e->node };
	n->path = strdup(e->path);
	n->target = e->target ? strdup(e->target) : NULL;
	if (!n->path || (e->target && !n->target)) {
		free(n->path);
		free(n->target);
		return art_fail_memory(err);
	}
	t->count++;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->path, ((const struct node *)b)->path);
}

static int read_tree(struct art_fs *fs, struct tree *t, struct art_err *err)
{
	int code = art_fs_walk(fs, "/", -1, add_node, t, err);

	if (code == 0 && t->count)
		qsort(t->list, t->count, sizeof(*t->list), by_path);
	return code;
}

json_t *diff_text(const char *text)
{
	return cli_json() ? cli_json_text(text) : cli_printable_text(text);
}

struct lists {
	json_t *added, *removed, *changed;
};

static int lists_new(struct lists *l, json_t **out, struct art_err *err)
{
	*l = (struct lists){ json_array(), json_array(), json_array() };
	*out = json_pack("{s:o,s:o,s:o}", "added", l->added, "removed", l->removed,
			 "changed", l->changed);
	return *out ? 0 : art_fail_memory(err);
}

static int append(json_t *list, json_t *value, struct art_err *err)
{
	return json_array_append_new(list, value) < 0 ? art_fail_memory(err) : 0;
}

/* In what respects two entries of one path differ, their content apart. */
static unsigned int compare_inodes(const struct node *a, const struct node *b)
{
	unsigned int what = 0;

	if ((a->mode & S_IFMT) != (b->mode & S_IFMT))
		what |= DIFFERS_TYPE;
	if ((a->mode & 07777) != (b->mode & 07777))
		what |= DIFFERS_MODE;
	if (a->uid != b->uid || a->gid != b->gid)
		what |= DIFFERS_OWNER;
	if (a->major != b->major || a->minor != b->minor)
		what |= DIFFERS_DEVICE;
	if (S_ISLNK(a->mode) && S_ISLNK(b->mode) && strcmp(a->target, b->target) != 0)
		what |= DIFFERS_CONTENT;
	return what;
}

static int append_change(json_t *changed, const char *path, unsigned int what,
			 struct art_err *err)
{
	static const char *const names[] = { "content", "type",	  "mode",
					     "owner",	"device", "xattrs" };
	json_t *list = json_array();
	int code = list ? 0 : art_fail_memory(err);

	for (size_t i = 0; code == 0 && i < ART_ARRAY_SIZE(names); i++) {
		if (what & 1U << i)
			code = append(list, json_string(names[i]), err);
	}
	if (code == 0)
		code = append(
			changed,
			json_pack("{s:o,s:O}", "path", diff_text(path), "what", list),
			err);
	json_decref(list);
	return code;
}

static int compare_nodes(const struct diff_image *old, const struct diff_image *now,
			 const struct node *a, const struct node *b, struct lists *lists,
			 struct art_err *err)
{
	const struct diff_entry was = { old, a->node }, is = { now, b->node };
	unsigned int what = compare_inodes(a, b);
	bool same = true;
	int code = 0;

	if (S_ISREG(a->mode) && S_ISREG(b->mode)) {
		same = a->size == b->size;
		if (same)
			code = diff_same_content(&was, &is, &same, err);
	}
	if (!same)
		what |= DIFFERS_CONTENT;
	if (code == 0)
		code = diff_same_xattrs(&was, &is, &same, err);
	if (!same)
		what |= DIFFERS_XATTRS;
	return code < 0 || what == 0 ? code
				     : append_change(lists->changed, a->path, what, err);
}

static int merge(const struct diff_image *old, const struct diff_image *now, const struct tree *a,
		 const struct tree *b, struct lists *lists, struct art_err *err)
{
	size_t i = 0, j = 0;
	int code = 0;

	while (code == 0 && (i < a->count || j < b->count)) {
		int order = i == a->count   ? 1
			    : j == b->count ? -1
					    : by_path(&a->list[i], &b->list[j]);

		if (order < 0)
			code = append(lists->removed, diff_text(a->list[i++].path),
				      err);
		else if (order > 0)
			code = append(lists->added, diff_text(b->list[j++].path),
				      err);
		else
			code = compare_nodes(old, now, &a->list[i++], &b->list[j++],
					     lists, err);
	}
	return code;
}

int diff_files(const struct diff_image *old, const struct diff_image *now, json_t **out, struct art_err *err)
{
	struct tree a = { 0 }, b = { 0 };
	struct lists lists;
	int code = lists_new(&lists, out, err);

	if (code == 0)
		code = read_tree(old->fs, &a, err);
	if (code == 0)
		code = read_tree(now->fs, &b, err);
	if (code == 0)
		code = merge(old, now, &a, &b, &lists, err);
	tree_free(&a);
	tree_free(&b);
	return code;
}

static int by_package(const struct art_package *a, const struct art_package *b)
{
	int order = strcmp(a->name, b->name);

	return order ? order : strcmp(a->arch ? a->arch : "", b->arch ? b->arch : "");
}

static json_t *json_package(const struct art_package *p)
{
	return json_pack("{s:o,s:o,s:o}", "name", diff_text(p->name), "arch",
			 diff_text(p->arch ? p->arch : ""), "version",
			 diff_text(p->version));
}

static int merge_packages(const struct art_packages *a, const struct art_packages *b,
			  struct lists *lists, struct art_err *err)
{
	size_t i = 0, j = 0;
	int code = 0;

	while (code == 0 && (i < a->count || j < b->count)) {
		int order = i == a->count   ? 1
			    : j == b->count ? -1
					    : by_package(&a->list[i], &b->list[j]);

		if (order < 0) {
			code = append(lists->removed, json_package(&a->list[i++]), err);
		} else if (order > 0) {
			code = append(lists->added, json_package(&b->list[j++]), err);
		} else {
			const struct art_package *p = &a->list[i++], *q = &b->list[j++];

			if (strcmp(p->version, q->version) == 0)
				continue;
			code = append(lists->changed,
				      json_pack("{s:o,s:o,s:o,s:o}", "name",
						diff_text(p->name), "arch",
						diff_text(p->arch ? p->arch : ""),
						"old", diff_text(p->version), "new",
						diff_text(q->version)),
				      err);
		}
	}
	return code;
}

int diff_packages(struct art_fs *old, struct art_fs *now, json_t **out,
		  struct art_err *err)
{
	struct art_packages a = { 0 }, b = { 0 };
	struct lists lists;
	int code = lists_new(&lists, out, err);

	if (code == 0)
		code = art_scan_packages(old, &a, err);
	if (code == 0)
		code = art_scan_packages(now, &b, err);
	if (code == 0)
		code = merge_packages(&a, &b, &lists, err);
	art_packages_free(&a);
	art_packages_free(&b);
	return code;
}
