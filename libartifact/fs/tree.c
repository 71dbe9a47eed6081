// SPDX-License-Identifier: Apache-2.0
/* The tree that an image is built from. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libartifact/fs/tree.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define MAX_DEPTH 512
#define MAX_LINKS 40
#define MAX_NAME 255

struct art_tree_inode *art_tree_inode_new(void)
{
	return calloc(1, sizeof(struct art_tree_inode));
}

static void inode_free(struct art_tree_inode *inode)
{
	size_t i;

	for (i = 0; i < inode->name_count; i++) {
		free(inode->names[i].name);
		art_tree_inode_drop(inode->names[i].inode);
	}
	for (i = 0; i < inode->xattr_count; i++) {
		free(inode->xattrs[i].name);
		free(inode->xattrs[i].value);
	}
	free(inode->names);
	free(inode->xattrs);
	free(inode->extents);
	free(inode->target);
	free(inode->path);
	free(inode);
}

void art_tree_inode_drop(struct art_tree_inode *inode)
{
	if (!inode)
		return;
	if (inode->links > 1)
		inode->links--;
	else
		inode_free(inode);
}

static struct art_tree_inode *directory_new(const struct art_tree *tree)
{
	struct art_tree_inode *dir = art_tree_inode_new();

	if (dir) {
		dir->mode = S_IFDIR | 0755;
		dir->mtime = tree->time;
		dir->links = 1;
	}
	return dir;
}

int art_tree_init(struct art_tree *tree, int64_t latest, struct art_err *err)
{
	*tree = (struct art_tree){ .time = latest, .spool = -1, .source = -1 };
	tree->root = directory_new(tree);
	return tree->root ? 0 : art_fail_memory(err);
}

void art_tree_free(struct art_tree *tree)
{
	art_tree_inode_drop(tree->root);
	art_cleanup_close(&tree->spool);
	art_cleanup_close(&tree->source);
	*tree = (struct art_tree){ .spool = -1, .source = -1 };
}

int art_tree_add_xattr(struct art_tree_inode *inode, const char *name, const void *value,
		       size_t len, struct art_err *err)
{
	struct art_tree_xattr *list, new;
	size_t at = 0;

	if (strlen(name) > 255)
		return art_fail(err, ART_E_FAILED, "the name of an extended attribute is longer than 255 bytes");
	while (at < inode->xattr_count && strcmp(inode->xattrs[at].name, name) < 0)
		at++;
	if (at < inode->xattr_count && strcmp(inode->xattrs[at].name, name) == 0)
		return 0; /* the same one under two keywords of a tarball */
	list = reallocarray(inode->xattrs, inode->xattr_count + 1, sizeof(*list));
	if (!list)
		return art_fail_memory(err);
	inode->xattrs = list;
	new.name = strdup(name);
	new.value = malloc(len + 1);
	new.len = len;
	if (!new.name || !new.value) {
		free(new.name);
		free(new.value);
		return art_fail_memory(err);
	}
	if (len > 0)
		memcpy(new.value, value, len);
	memmove(list + at + 1, list + at, (inode->xattr_count - at) * sizeof(*list));
	list[at] = new;
	inode->xattr_count++;
	return 0;
}

int art_tree_add_extent(struct art_tree_inode *inode, uint64_t logical, uint64_t length,
			uint64_t stored, struct art_err *err)
{
	size_t n = inode->extent_count;
	struct art_tree_extent *last = n ? &inode->extents[n - 1] : NULL, *list;

	if (length == 0)
		return 0;
	if (last && logical < last->logical + last->length)
		return art_fail(err, ART_E_FAILED, "data of a file are out of order");
	if (last && last->logical + last->length == logical &&
	    last->stored + last->length == stored) {
		last->length += length;
		return 0;
	}
	if ((n & (n - 1)) == 0) { /* full at each power of two */
		list = reallocarray(inode->extents, n ? 2 * n : 1, sizeof(*list));
		if (!list)
			return art_fail_memory(err);
		inode->extents = list;
	}
	inode->extents[inode->extent_count++] =
		(struct art_tree_extent){ logical, length, stored };
	return 0;
}

/* The place of NAME in a directory: where it is, or where it would be. */
static bool find(const struct art_tree_inode *dir, const char *name, size_t len, size_t *at)
{
	size_t low = 0, high = dir->name_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const char *have = dir->names[mid].name;
		int order = strncmp(have, name, len);

		if (order == 0 && have[len] == '\0') {
			*at = mid;
			return true;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*at = low;
	return false;
}

static int insert(struct art_tree_inode *dir, size_t at, const char *name, size_t len,
		  struct art_tree_inode *inode, struct art_err *err)
{
	size_t n = dir->name_count;
	char *text;

	if (len > MAX_NAME)
		return art_fail(err, ART_E_FAILED, "name '%.60s...' is longer than %d bytes", name,
				MAX_NAME);
	if ((n & (n - 1)) == 0) {
		struct art_tree_name *list = reallocarray(dir->names, n ? 2 * n : 1, sizeof(*list));

		if (!list)
			return art_fail_memory(err);
		dir->names = list;
	}
	text = strndup(name, len);
	if (!text)
		return art_fail_memory(err);
	memmove(dir->names + at + 1, dir->names + at, (n - at) * sizeof(*dir->names));
	dir->names[at] = (struct art_tree_name){ text, inode };
	dir->name_count++;
	return 0;
}

struct position {
	struct art_tree *tree;
	struct art_tree_inode *stack[MAX_DEPTH];
	size_t depth;
	unsigned int links;
	bool make; /* missing directories */
};

static int enter(struct position *at, const char *path, size_t len, struct art_err *err);

static int enter_one(struct position *at, const char *name, size_t len, struct art_err *err)
{
	struct art_tree_inode *dir = at->stack[at->depth], *child;
	size_t i;

	if (find(dir, name, len, &i)) {
		child = dir->names[i].inode;
	} else {
		int ret;

		if (!at->make)
			return art_fail(err, ART_E_FAILED, "directory '%.*s' is missing", (int)len, name);
		child = directory_new(at->tree);
		if (!child)
			return art_fail_memory(err);
		ret = insert(dir, i, name, len, child, err);
		if (ret != 0) {
			art_tree_inode_drop(child);
			return ret;
		}
	}
	if (S_ISLNK(child->mode)) {
		if (++at->links > MAX_LINKS)
			return art_fail(err, ART_E_FAILED, "too many symbolic links");
		if (child->target[0] == '/')
			at->depth = 0;
		return enter(at, child->target, strlen(child->target), err);
	}
	if (!S_ISDIR(child->mode))
		return art_fail(err, ART_E_FAILED, "'%.*s' is not a directory", (int)len, name);
	if (at->depth + 1 == MAX_DEPTH)
		return art_fail(err, ART_E_FAILED, "directories are nested too deep");
	at->stack[++at->depth] = child;
	return 0;
}

/* Go down the first LEN bytes of PATH. */
static int enter(struct position *at, const char *path, size_t len, struct art_err *err)
{
	const char *end = path + len;
	int ret = 0;

	while (ret == 0 && path < end) {
		size_t part = 0;

		while (path + part < end && path[part] != '/')
			part++;
		if (part == 2 && strncmp(path, "..", 2) == 0)
			at->depth -= at->depth > 0;
		else if (part > 0 && !(part == 1 && path[0] == '.'))
			ret = enter_one(at, path, part, err);
		path += part + (path + part < end);
	}
	return ret;
}

/* The directory that PATH lies in and the last name in it ("" for the root). '..' would make a path mean
 * something else after unpacking than before. */
static int locate(struct position *at, const char *path, const char **last, size_t *len,
		  struct art_err *err)
{
	size_t end = strlen(path), start, i;

	for (i = 0; i < end; i += strcspn(path + i, "/") + 1)
		if (strncmp(path + i, "..", 2) == 0 && (path[i + 2] == '/' || path[i + 2] == '\0'))
			return art_fail(err, ART_E_FAILED, "'%s' holds '..'", path);
	for (;;) {
		while (end > 0 && path[end - 1] == '/')
			end--;
		for (start = end; start > 0 && path[start - 1] != '/'; start--)
			;
		if (end - start != 1 || path[start] != '.')
			break;
		end = start;
	}
	at->stack[0] = at->tree->root;
	*last = path + start;
	*len = end - start;
	if (enter(at, path, start, err) != 0)
		return art_wrap(err, "'%s'", path);
	return 0;
}

static void take_over_directory(struct art_tree_inode *old, struct art_tree_inode *new)
{
	new->names = steal_ptr(old->names);
	new->name_count = old->name_count;
	old->name_count = 0;
}

static int replace(struct art_tree_inode *dir, size_t i, const char *path,
		   struct art_tree_inode *inode, struct art_err *err)
{
	struct art_tree_inode *old = dir->names[i].inode;

	if (S_ISDIR(old->mode) && S_ISDIR(inode->mode))
		take_over_directory(old, inode);
	else if (S_ISDIR(old->mode) && old->name_count > 0)
		return art_fail(err, ART_E_FAILED, "'%s' would replace a directory that is not empty",
				path);
	dir->names[i].inode = inode;
	art_tree_inode_drop(old);
	return 0;
}

static int put(struct art_tree *tree, const char *path, struct art_tree_inode *inode,
	       struct art_err *err)
{
	struct position at = { .tree = tree, .make = true };
	const char *name;
	size_t len, i;
	int ret;

	ret = locate(&at, path, &name, &len, err);
	if (ret != 0)
		return ret;
	if (len == 0) {
		if (!S_ISDIR(inode->mode))
			return art_fail(err, ART_E_FAILED, "the root of the tree is not a directory");
		take_over_directory(tree->root, inode);
		art_tree_inode_drop(tree->root);
		tree->root = inode;
		return 0;
	}
	if (find(at.stack[at.depth], name, len, &i))
		return replace(at.stack[at.depth], i, path, inode, err);
	return insert(at.stack[at.depth], i, name, len, inode, err);
}

int art_tree_put(struct art_tree *tree, const char *path, struct art_tree_inode *inode,
		 struct art_err *err)
{
	int ret;

	if (inode->mtime > tree->time) {
		inode->mtime = tree->time;
		inode->mtime_nsec = 0;
	}
	inode->links++;
	ret = put(tree, path, inode, err);
	if (ret != 0)
		art_tree_inode_drop(inode);
	return ret;
}

int art_tree_link(struct art_tree *tree, const char *path, const char *target,
		  struct art_err *err)
{
	struct position at = { .tree = tree };
	struct art_tree_inode *inode;
	const char *name;
	size_t len, i;
	int ret;

	ret = locate(&at, target, &name, &len, err);
	if (ret != 0)
		return ret;
	if (len == 0 || !find(at.stack[at.depth], name, len, &i))
		return art_fail(err, ART_E_FAILED, "'%s' is a hard link to '%s', which is missing",
				path, target);
	inode = at.stack[at.depth]->names[i].inode;
	if (S_ISDIR(inode->mode))
		return art_fail(err, ART_E_FAILED, "'%s' is a hard link to directory '%s'", path,
				target);
	return art_tree_put(tree, path, inode, err);
}

static int source_fd(struct art_tree *tree, const struct art_tree_inode *inode,
		     const char **name, struct art_err *err)
{
	if (!inode->path) {
		*name = "spooled data";
		return tree->spool;
	}
	*name = inode->path;
	if (tree->source_of == inode && tree->source >= 0)
		return tree->source;
	art_cleanup_close(&tree->source);
	tree->source_of = inode;
	tree->source = open(inode->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (tree->source < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", inode->path);
	return tree->source;
}

/* The first extent that ends after OFF. */
static size_t first_extent(const struct art_tree_inode *inode, uint64_t off)
{
	size_t low = 0, high = inode->extent_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (inode->extents[mid].logical + inode->extents[mid].length <= off)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int art_tree_read(struct art_tree *tree, const struct art_tree_inode *inode, uint8_t *buf,
		  size_t len, uint64_t off, struct art_err *err)
{
	size_t i = first_extent(inode, off);

	memset(buf, 0, len);
	for (; i < inode->extent_count && inode->extents[i].logical < off + len; i++) {
		const struct art_tree_extent *e = &inode->extents[i];
		uint64_t start = e->logical > off ? e->logical : off;
		uint64_t end = e->logical + e->length;
		const char *name;
		ssize_t got;
		int fd;

		if (end > off + len)
			end = off + len;
		fd = source_fd(tree, inode, &name, err);
		if (fd < 0)
			return fd;
		got = art_pread_full(fd, buf + (start - off), (size_t)(end - start),
				     e->stored + (start - e->logical), name, err);
		if (got < 0)
			return (int)got;
		if ((uint64_t)got != end - start)
			return art_fail(err, ART_E_SOURCE_CHANGED, "'%s' became shorter while it was read",
					name);
	}
	return 0;
}

void art_tree_forget(struct art_tree *tree, const struct art_tree_inode *inode)
{
	size_t i;

	if (inode->path || tree->spool < 0)
		return;
	/* Only to save room: where the filesystem cannot do it, the spool just stays large. */
	for (i = 0; i < inode->extent_count; i++)
		fallocate(tree->spool, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)inode->extents[i].stored, (off_t)inode->extents[i].length);
}
