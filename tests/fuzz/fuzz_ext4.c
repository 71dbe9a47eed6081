// SPDX-License-Identifier: Apache-2.0
/* An ext4 image: how it is cut, and everything that can be read of it, by walks, by paths and by the scans. */
#include <string.h>

#include "fuzz.h"
#include "libartifact/fs/fs.h"
#include "libartifact/fs/scan.h"
#include "libartifact/util.h"

/* An image may end in zeros that are not in the input, so that inputs stay small. */
#define MAX_IMAGE ((uint64_t)2 * 1024 * 1024)
/* Of one input: a file of terabytes without a block is no fault. */
#define MAX_ENTRIES 300
#define MAX_LOOKUPS 20
#define MAX_READ ((size_t)1024 * 1024)
#define FIRST_PIECE 4096

struct memory {
	struct art_blob base;
	const uint8_t *bytes;
	size_t len;
};

static int memory_read(struct art_blob *blob, void *buf, size_t len, uint64_t off,
		       struct art_err *err)
{
	struct memory *m = (struct memory *)blob;
	size_t there = off < m->len ? m->len - (size_t)off : 0;

	(void)err;
	if (there > len)
		there = len;
	if (there > 0)
		memcpy(buf, m->bytes + off, there);
	memset((uint8_t *)buf + there, 0, len - there);
	return 0;
}

static void layout(struct art_blob *blob)
{
	struct art_regions r;
	struct art_err err = { 0 };
	uint64_t end = 0;
	size_t i;

	/* A blob that can be read has regions, whatever is in it. */
	MUST(art_fs_regions(blob, "ext4", &r, &err) == 0);
	for (i = 0; i < r.count; i++) {
		MUST(r.list[i].offset == end && r.list[i].length > 0);
		MUST(r.list[i].type <= ART_REGION_DATA && r.list[i].type != ART_REGION_BLOCK);
		end += r.list[i].length;
	}
	MUST(end == blob->size);
	free(r.list);
}

struct visit {
	struct art_blob *blob;
	struct art_fs *fs;
	const struct art_fs_entry *entry;
	char *last;          /* the path before */
	size_t entries, got; /* so far; bytes of this file */
	size_t budget;       /* bytes of files that may yet be read */
	struct art_fs_extent extent[64];
	size_t extents, next;
};

static int attribute(void *ctx, const char *name, const void *value, size_t len)
{
	(void)ctx;
	touch((const uint8_t *)name, strlen(name));
	touch(value, len);
	if (strcmp(name, "system.posix_acl_access") == 0 || strcmp(name, "system.posix_acl_default") == 0)
		MUST(len >= 4 && len % 8 == 4 && art_get32(value) == 2);
	return 0;
}

static int extent(void *ctx, const struct art_fs_extent *e, struct art_err *err)
{
	struct visit *v = ctx;
	const struct art_fs_extent *last = v->extents ? &v->extent[v->extents - 1] : NULL;

	(void)err;
	MUST(e->len > 0 && e->plain);
	MUST(e->offset <= v->blob->size && e->len <= v->blob->size - e->offset);
	MUST(e->key < v->entry->size && e->len <= v->entry->size - e->key);
	MUST(!last || (e->key >= last->key && e->key - last->key >= last->len));
	if (v->extents == ART_ARRAY_SIZE(v->extent))
		return 1;
	v->extent[v->extents++] = *e;
	return 0;
}

/* The part of a piece that lies in an extent is what the extent names. */
static void compare(struct visit *v, const struct art_fs_extent *e, const uint8_t *bytes, size_t len)
{
	uint64_t from = e->key > v->got ? e->key : v->got;
	uint64_t to = e->key + e->len < v->got + len ? e->key + e->len : v->got + len;
	uint8_t *there;

	if (from >= to)
		return;
	there = malloc((size_t)(to - from));
	MUST(there);
	MUST(art_blob_read(v->blob, there, (size_t)(to - from), e->offset + (from - e->key), NULL) == 0);
	MUST(memcmp(there, bytes + (from - v->got), (size_t)(to - from)) == 0);
	free(there);
}

static int piece(void *ctx, const void *bytes, size_t len, struct art_err *err)
{
	struct visit *v = ctx;
	size_t i;

	(void)err;
	MUST(len > 0 && (v->got > 0 || len <= FIRST_PIECE) && len <= v->entry->size - v->got);
	touch(bytes, len);
	for (i = 0; i < v->extents; i++)
		compare(v, &v->extent[i], bytes, len);
	v->got += len;
	v->budget -= len < v->budget ? len : v->budget;
	return v->budget == 0;
}

static void file(struct visit *v)
{
	struct art_err err = { 0 };
	int ret;

	v->extents = 0;
	v->got = 0;
	if (art_fs_extents(v->fs, v->entry->node, extent, v, &err) != 0)
		v->extents = 0;
	if (v->budget == 0)
		return;
	ret = art_fs_read_node(v->fs, v->entry->node, piece, v, &err);
	MUST(ret != 0 || v->got == v->entry->size);
}

static int same(void *ctx, const struct art_fs_entry *e, struct art_err *err)
{
	struct visit *v = ctx;

	(void)err;
	MUST(strcmp(e->path, v->entry->path) == 0 && e->node == v->entry->node);
	return 0;
}

/* A directory comes before what is in it, and all names in it are sorted and once there. */
static void order(struct visit *v, const char *path)
{
	const char *a = v->last ? v->last : "", *b = path;

	while (*a && *a == *b) {
		a++;
		b++;
	}
	MUST(*b && (!*a || *a == '/' || (*b != '/' && (uint8_t)*a < (uint8_t)*b)));
	free(v->last);
	v->last = strdup(path);
	MUST(v->last);
}

static void name(const struct art_fs_entry *e)
{
	const char *leaf = strrchr(e->path, '/');

	MUST(e->path[0] == '/' && leaf);
	if (strcmp(e->path, "/") == 0)
		return;
	leaf++;
	MUST(*leaf && strlen(leaf) <= 255 && strcmp(leaf, ".") != 0 && strcmp(leaf, "..") != 0);
}

static int visit(void *ctx, const struct art_fs_entry *e, struct art_err *err)
{
	struct visit *v = ctx;
	struct art_err ignored = { 0 };

	(void)err;
	v->entry = e;
	name(e);
	order(v, e->path);
	MUST(e->size <= INT64_MAX && (e->mode & S_IFMT) != 0);
	MUST(!S_ISLNK(e->mode) == !e->target);
	MUST(!e->target || (strlen(e->target) == e->size && e->size > 0));
	art_fs_xattrs(v->fs, e->node, attribute, NULL, &ignored);
	if (S_ISREG(e->mode))
		file(v);
	if (v->entries < MAX_LOOKUPS)
		MUST(art_fs_walk(v->fs, e->path, 0, same, v, &ignored) == 0);
	return ++v->entries == MAX_ENTRIES;
}

static void scan(struct art_fs *fs)
{
	struct art_packages packages;
	struct art_err err = { 0 };
	const char *arch = NULL;
	char *value = NULL;
	size_t i;

	if (art_scan_arch(fs, &arch, &err) == 0)
		MUST(arch);
	if (art_scan_os_release(fs, "VERSION_ID", &value, &err) == 0)
		free(value);
	if (art_scan_packages(fs, &packages, &err) != 0)
		return;
	for (i = 0; i < packages.count; i++)
		MUST(packages.list[i].name[0] && packages.list[i].version && packages.list[i].arch);
	art_packages_free(&packages);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct memory m = { { .read = memory_read, .name = "image", .size = len }, bytes, len };
	struct visit v = { .blob = &m.base, .budget = MAX_READ };
	struct art_err err = { 0 };
	uint64_t size = art_fs_size(&m.base, "ext4");

	if (size > len && size <= MAX_IMAGE)
		m.base.size = size;
	layout(&m.base);
	if (art_fs_open(&v.fs, &m.base, "ext4", &err) != 0)
		return 0;
	art_fs_walk(v.fs, "/", -1, visit, &v, &err);
	free(v.last);
	/* Which read lists of many files whole: not where there are too many. */
	if (v.entries < MAX_ENTRIES)
		scan(v.fs);
	art_fs_close(v.fs);
	return 0;
}
