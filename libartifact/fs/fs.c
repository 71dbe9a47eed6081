// SPDX-License-Identifier: Apache-2.0
/*
 * Paths in an image. Names and links in an image are not to be trusted: a name with a '/' or a NUL is refused, links
 * are followed inside the image and only so often, and a directory that is met twice ends the walk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/fs/ext4.h"
#include "libartifact/fs/internal.h"
#include "libartifact/fs/map.h"
#include "libartifact/fs/squash.h"
#include "libartifact/util.h"

#define MAX_DEPTH 512
#define MAX_LINKS 40
#define MAX_NAME 255
#define MAX_TARGET 4096

bool art_fs_is_read(const char *filesystem)
{
	return filesystem && (strcmp(filesystem, "ext4") == 0 || strcmp(filesystem, "squashfs") == 0);
}

int art_fs_open(struct art_fs **out, struct art_blob *blob, const char *filesystem,
		struct art_err *err)
{
	*out = NULL;
	if (filesystem && strcmp(filesystem, "ext4") == 0)
		return art_ext4_fs_open(out, blob, err);
	if (filesystem && strcmp(filesystem, "squashfs") == 0)
		return art_squash_fs_open(out, blob, err);
	return art_fail(err, ART_E_FAILED, "cannot look into '%s': filesystem '%s'", blob->name,
			filesystem ? filesystem : "unknown");
}

void art_fs_close(struct art_fs *fs)
{
	if (fs)
		fs->ops->close(fs);
}

int art_fs_regions(struct art_blob *blob, const char *filesystem, struct art_regions *out,
		   struct art_err *err)
{
	int ret = ART_E_FAILED;

	*out = (struct art_regions){ 0, NULL };
	if (filesystem && strcmp(filesystem, "ext4") == 0)
		ret = art_ext4_regions(blob, out, err);
	else if (filesystem && strcmp(filesystem, "squashfs") == 0)
		ret = art_squash_regions(blob, out, err);
	if (ret == 0)
		return 0;
	/* What is no good image of its kind is still bytes; what cannot be read at all is an error. */
	if (ret != ART_E_FAILED)
		return ret;
	if (err)
		*err = (struct art_err){ 0 };
	return art_map_whole(blob->size, ART_REGION_DATA, out, err);
}

int art_fs_blocks(struct art_blob *blob, const char *filesystem, struct art_blocks *out,
		  struct art_err *err)
{
	int ret;

	*out = (struct art_blocks){ 0, 0, NULL };
	if (!filesystem || strcmp(filesystem, "squashfs") != 0)
		return 0;
	ret = art_squash_blocks(blob, out, err);
	if (ret != ART_E_FAILED)
		return ret;
	if (err)
		*err = (struct art_err){ 0 };
	return 0;
}

/* A directory's names, sorted. */
struct name {
	char *text;
	uint64_t node;
};

struct names {
	struct name *list;
	size_t count, room;
};

static void names_free(struct names *names)
{
	while (names->count > 0)
		free(names->list[--names->count].text);
	free(names->list);
}

/* 1: to be left out; negative: refused. */
static int judge_name(const char *name, size_t len, struct art_err *err)
{
	if (len > 0 && len < 3 && memcmp(name, "..", len) == 0)
		return 1;
	if (len == 0 || len > MAX_NAME || memchr(name, '/', len) || memchr(name, '\0', len))
		return art_fail(err, ART_E_FAILED, "a directory holds a name that is not allowed");
	return 0;
}

static int collect(void *ctx, const char *name, size_t len, uint64_t node, struct art_err *err)
{
	struct names *names = ctx;
	char *text;
	int ret;

	ret = judge_name(name, len, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (names->count == names->room) {
		size_t room = names->room ? names->room * 2 : 64;
		struct name *list = reallocarray(names->list, room, sizeof(*list));

		if (!list)
			return art_fail_memory(err);
		names->list = list;
		names->room = room;
	}
	text = strndup(name, len);
	if (!text)
		return art_fail_memory(err);
	names->list[names->count++] = (struct name){ text, node };
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static int names_read(struct art_fs *fs, uint64_t dir, struct names *names, struct art_err *err)
{
	size_t i;
	int ret;

	ret = fs->ops->list(fs, dir, collect, names, err);
	if (ret != 0)
		return ret;
	if (names->count > 0)
		qsort(names->list, names->count, sizeof(*names->list), by_name);
	for (i = 1; i < names->count; i++)
		if (strcmp(names->list[i - 1].text, names->list[i].text) == 0)
			return art_fail(err, ART_E_FAILED, "a directory holds '%s' twice",
					names->list[i].text);
	return 0;
}

struct lookup {
	const char *name;
	size_t len;
	uint64_t node;
};

static int match(void *ctx, const char *name, size_t len, uint64_t node, struct art_err *err)
{
	struct lookup *l = ctx;
	int ret = judge_name(name, len, err);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (len != l->len || memcmp(name, l->name, len) != 0)
		return 0;
	l->node = node;
	return 1;
}

/* Where a path has got to: the directories from the root down, and what they are called. */
struct art_fs_place {
	uint64_t nodes[MAX_DEPTH];
	size_t ends[MAX_DEPTH]; /* length of the path up to each */
	size_t depth;           /* of the last one; the root is 0 */
	char *path;             /* "" is the root */
	struct art_fs_node stat;
};

static int push(struct art_fs_place *at, uint64_t node, const char *name, size_t len,
		struct art_err *err)
{
	size_t used = at->ends[at->depth];
	char *path;

	if (at->depth + 1 == MAX_DEPTH)
		return art_fail(err, ART_E_FAILED, "directories in the image are nested too deep");
	path = realloc(at->path, used + len + 2);
	if (!path)
		return art_fail_memory(err);
	path[used] = '/';
	memcpy(path + used + 1, name, len);
	path[used + 1 + len] = '\0';
	at->path = path;
	at->depth++;
	at->nodes[at->depth] = node;
	at->ends[at->depth] = used + 1 + len;
	return 0;
}

static void pop(struct art_fs_place *at)
{
	if (at->depth > 0)
		at->depth--;
	at->path[at->ends[at->depth]] = '\0';
}

static int read_target(struct art_fs *fs, uint64_t node, uint64_t size, char **out,
		       struct art_err *err)
{
	int ret;

	if (size == 0 || size > MAX_TARGET)
		return art_fail(err, ART_E_FAILED, "a symbolic link of %llu bytes",
				(unsigned long long)size);
	ret = fs->ops->target(fs, node, (size_t)size, out, err);
	if (ret == 0 && strlen(*out) != size) {
		free(*out);
		*out = NULL;
		return art_fail(err, ART_E_FAILED, "a symbolic link holds a NUL");
	}
	return ret;
}

/* Put the link's target in front of what is left of the path. */
static int follow(struct art_fs *fs, struct art_fs_place *at, char **todo, const char *rest,
		  struct art_err *err)
{
	cleanup_free char *target = NULL;
	char *joined;
	size_t need;
	int ret;

	ret = read_target(fs, at->nodes[at->depth], at->stat.size, &target, err);
	if (ret != 0)
		return ret;
	need = strlen(target) + strlen(rest) + 2;
	if (need > 16 * (size_t)MAX_TARGET)
		return art_fail(err, ART_E_FAILED, "symbolic links make too long a path");
	joined = malloc(need);
	if (!joined)
		return art_fail_memory(err);
	strcpy(stpcpy(stpcpy(joined, target), "/"), rest);
	pop(at);
	if (target[0] == '/') {
		at->depth = 0;
		at->path[0] = '\0';
	}
	free(*todo);
	*todo = joined;
	return 0;
}

static int fail_absent(const struct art_fs *fs, const char *path, struct art_err *err)
{
	art_fail(err, ART_E_FAILED, "'%s' is not in '%s'", path, fs->name);
	if (err)
		err->sys_errno = ENOENT;
	return ART_E_FAILED;
}

bool art_fs_is_absent(int code, const struct art_err *err)
{
	return code == ART_E_FAILED && err->sys_errno == ENOENT;
}

/* One component down from a directory. */
static int descend(struct art_fs *fs, struct art_fs_place *at, const char *name, size_t len,
		   const char *path, struct art_err *err)
{
	struct lookup l = { name, len, 0 };
	int ret;

	if (!S_ISDIR(at->stat.mode))
		return fail_absent(fs, path, err);
	ret = fs->ops->list(fs, at->nodes[at->depth], match, &l, err);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return fail_absent(fs, path, err);
	return push(at, l.node, name, len, err);
}

static bool is_dots(const char *name, size_t len, size_t count)
{
	return len == count && strncmp(name, "..", count) == 0;
}

static int resolve_steps(struct art_fs *fs, const char *path, bool follow_last,
			 struct art_fs_place *at, char **todo, struct art_err *err)
{
	const char *rest = *todo;
	unsigned int links = 0;
	int ret;

	ret = fs->ops->stat(fs, fs->root, &at->stat, err);
	while (ret == 0) {
		const char *name;
		size_t len;

		name = rest + strspn(rest, "/");
		len = strcspn(name, "/");
		if (len == 0)
			return 0;
		rest = name + len;
		if (is_dots(name, len, 1))
			continue;
		if (is_dots(name, len, 2))
			pop(at);
		else
			ret = descend(fs, at, name, len, path, err);
		if (ret == 0)
			ret = fs->ops->stat(fs, at->nodes[at->depth], &at->stat, err);
		if (ret != 0 || !S_ISLNK(at->stat.mode) || (*rest == '\0' && !follow_last))
			continue;
		if (++links > MAX_LINKS)
			return art_fail(err, ART_E_FAILED, "too many symbolic links in '%s'", path);
		ret = follow(fs, at, todo, rest, err);
		rest = *todo;
		if (ret == 0)
			ret = fs->ops->stat(fs, at->nodes[at->depth], &at->stat, err);
	}
	return ret;
}

static int resolve(struct art_fs *fs, const char *path, bool follow_last, struct art_fs_place **out,
		   struct art_err *err)
{
	struct art_fs_place *at = calloc(1, sizeof(*at));
	char *todo = strdup(path);
	int ret;

	if (at)
		at->path = calloc(1, 1);
	if (!at || !at->path || !todo) {
		ret = art_fail_memory(err);
	} else {
		at->nodes[0] = fs->root;
		ret = resolve_steps(fs, path, follow_last, at, &todo, err);
	}
	free(todo);
	if (ret != 0 && at) {
		free(at->path);
		free(at);
		at = NULL;
	}
	*out = at;
	return ret;
}

static void place_free(struct art_fs_place *at)
{
	if (at)
		free(at->path);
	free(at);
}

/* Directories that were visited: a hard-linked one would make a walk endless or exponential. */
struct walk {
	struct art_fs *fs;
	struct art_fs_place *at;
	art_fs_walk_fn fn;
	void *ctx;
	uint64_t *seen; /* open addressing; 0 is free */
	size_t count, room;
};

static size_t slot_of(const uint64_t *seen, size_t room, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (room - 1);

	while (seen[i] != 0 && seen[i] != key)
		i = (i + 1) & (room - 1);
	return i;
}

static int seen_grow(struct walk *w, struct art_err *err)
{
	size_t room = w->room ? w->room * 2 : 256, i;
	uint64_t *seen = calloc(room, sizeof(*seen));

	if (!seen)
		return art_fail_memory(err);
	for (i = 0; i < w->room; i++)
		if (w->seen[i] != 0)
			seen[slot_of(seen, room, w->seen[i])] = w->seen[i];
	free(w->seen);
	w->seen = seen;
	w->room = room;
	return 0;
}

static int seen_add(struct walk *w, uint64_t node, struct art_err *err)
{
	uint64_t key = node + 1;
	size_t i;

	if (2 * w->count >= w->room) {
		int ret = seen_grow(w, err);

		if (ret != 0)
			return ret;
	}
	i = slot_of(w->seen, w->room, key);
	if (w->seen[i] == key)
		return art_fail(err, ART_E_FAILED, "directory '%s' is linked twice", w->at->path);
	w->seen[i] = key;
	w->count++;
	return 0;
}

static int report(struct walk *w, struct art_err *err)
{
	const struct art_fs_node *st = &w->at->stat;
	cleanup_free char *target = NULL;
	struct art_fs_entry e = {
		.path = w->at->depth ? w->at->path : "/",
		.mode = st->mode,
		.uid = st->uid,
		.gid = st->gid,
		.size = st->size,
		.mtime = st->mtime,
		.rdev_major = st->rdev_major,
		.rdev_minor = st->rdev_minor,
		.inode = st->inode,
		.node = w->at->nodes[w->at->depth],
		.links = st->links,
	};

	if (S_ISLNK(st->mode)) {
		int ret = read_target(w->fs, w->at->nodes[w->at->depth], st->size, &target, err);

		if (ret != 0) {
			art_wrap(err, "'%s'", e.path);
			return ret;
		}
		e.target = target;
	}
	return w->fn(w->ctx, &e, err);
}

static int walk_one(struct walk *w, int depth, struct art_err *err);

static int walk_below(struct walk *w, int depth, struct art_err *err)
{
	uint64_t node = w->at->nodes[w->at->depth];
	struct names names = { NULL, 0, 0 };
	size_t i;
	int ret;

	ret = seen_add(w, node, err);
	if (ret == 0) {
		ret = names_read(w->fs, node, &names, err);
		if (ret < 0)
			art_wrap(err, "'%s'", w->at->path);
	}
	for (i = 0; ret == 0 && i < names.count; i++) {
		ret = push(w->at, names.list[i].node, names.list[i].text,
			   strlen(names.list[i].text), err);
		if (ret != 0)
			break;
		ret = w->fs->ops->stat(w->fs, names.list[i].node, &w->at->stat, err);
		if (ret == 0)
			ret = walk_one(w, depth, err);
		pop(w->at);
	}
	names_free(&names);
	return ret;
}

static int walk_one(struct walk *w, int depth, struct art_err *err)
{
	bool is_dir = S_ISDIR(w->at->stat.mode);
	int ret = report(w, err);

	if (ret != 0 || !is_dir || depth == 0)
		return ret;
	return walk_below(w, depth < 0 ? depth : depth - 1, err);
}

int art_fs_walk(struct art_fs *fs, const char *path, int depth, art_fs_walk_fn fn, void *ctx,
		struct art_err *err)
{
	struct walk w = { .fs = fs, .fn = fn, .ctx = ctx };
	int ret;

	ret = resolve(fs, path, false, &w.at, err);
	if (ret != 0)
		return ret;
	ret = walk_one(&w, depth, err);
	free(w.seen);
	place_free(w.at);
	return ret;
}

static int find_file(struct art_fs *fs, const char *path, uint64_t *node, struct art_err *err)
{
	struct art_fs_place *at = NULL;
	int ret = resolve(fs, path, true, &at, err);

	if (ret == 0 && !S_ISREG(at->stat.mode))
		ret = art_fail(err, ART_E_FAILED, "'%s' is not a regular file", path);
	if (ret == 0)
		*node = at->nodes[at->depth];
	place_free(at);
	return ret;
}

int art_fs_read(struct art_fs *fs, const char *path, art_fs_data_fn fn, void *ctx,
		struct art_err *err)
{
	uint64_t node;
	int ret = find_file(fs, path, &node, err);

	return ret ? ret : fs->ops->read(fs, node, fn, ctx, err);
}

int art_fs_read_node(struct art_fs *fs, uint64_t node, art_fs_data_fn fn, void *ctx,
		     struct art_err *err)
{
	return fs->ops->read(fs, node, fn, ctx, err);
}

int art_fs_extents(struct art_fs *fs, uint64_t node, art_fs_extent_fn fn, void *ctx,
		   struct art_err *err)
{
	return fs->ops->extents(fs, node, fn, ctx, err);
}

struct buffer {
	uint8_t *bytes;
	size_t len, room, max;
};

static int gather(void *ctx, const void *bytes, size_t len, struct art_err *err)
{
	struct buffer *b = ctx;

	if (len > b->max - b->len)
		return art_fail(err, ART_E_FAILED, "larger than %zu bytes", b->max);
	if (len > b->room - b->len) {
		size_t room = (b->len + len) * 2;
		uint8_t *grown = realloc(b->bytes, room + 1);

		if (!grown)
			return art_fail_memory(err);
		b->bytes = grown;
		b->room = room;
	}
	memcpy(b->bytes + b->len, bytes, len);
	b->len += len;
	return 0;
}

int art_fs_read_file(struct art_fs *fs, const char *path, size_t max, uint8_t **out,
		     size_t *len, struct art_err *err)
{
	struct buffer b = { .max = max };
	int ret;

	b.bytes = malloc(1);
	if (!b.bytes)
		return art_fail_memory(err);
	ret = art_fs_read(fs, path, gather, &b, err);
	if (ret != 0) {
		free(b.bytes);
		return ret;
	}
	b.bytes[b.len] = '\0';
	*out = b.bytes;
	*len = b.len;
	return 0;
}

int art_fs_xattrs(struct art_fs *fs, uint64_t node, art_fs_xattr_fn fn, void *ctx,
		  struct art_err *err)
{
	return fs->ops->xattrs(fs, node, fn, ctx, err);
}
