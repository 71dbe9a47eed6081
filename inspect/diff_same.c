// SPDX-License-Identifier: Apache-2.0
/* Whether one entry is the same in two images. */
#include <stdlib.h>
#include <string.h>

#include "inspect/diff.h"
#include "libartifact/digest.h"
#include "libartifact/util.h"

#define PIECE 65536

struct extents {
	struct art_fs_extent *list;
	size_t count, room;
};

static int add_extent(void *ctx, const struct art_fs_extent *extent, struct art_err *err)
{
	struct extents *e = ctx;

	if (e->count == e->room) {
		size_t room = e->room ? e->room * 2 : 16;
		struct art_fs_extent *list = reallocarray(e->list, room, sizeof(*list));

		if (!list)
			return art_fail_memory(err);
		e->list = list;
		e->room = room;
	}
	e->list[e->count++] = *extent;
	return 0;
}

static bool lies_in(const struct art_fs_extent *e, const struct art_blob *blob)
{
	return e->offset <= blob->size && e->len <= blob->size - e->offset;
}

/* Two runs of a file's own bytes, of one length: read, where the index does not tell. Holes between runs are not. */
static int compare_bytes(struct art_blob *a, const struct art_fs_extent *at, struct art_blob *b,
			 const struct art_fs_extent *bt, enum art_same *same, struct art_err *err)
{
	cleanup_free uint8_t *bytes = malloc(2 * PIECE);
	uint64_t done;
	size_t n;
	int code = 0;

	if (!bytes)
		return art_fail_memory(err);
	if (!lies_in(at, a) || !lies_in(bt, b))
		return 0;
	*same = ART_SAME_YES;
	for (done = 0; code == 0 && *same == ART_SAME_YES && done < at->len; done += n) {
		n = at->len - done < PIECE ? (size_t)(at->len - done) : PIECE;
		code = art_blob_read(a, bytes, n, at->offset + done, err);
		if (code == 0)
			code = art_blob_read(b, bytes + PIECE, n, bt->offset + done, err);
		if (code == 0 && memcmp(bytes, bytes + PIECE, n) != 0)
			*same = ART_SAME_NO;
	}
	return code;
}

static int compare_extents(const struct diff_image *old, const struct extents *a, const struct diff_image *now,
			   const struct extents *b, enum art_same *same, struct art_err *err)
{
	size_t i;
	int code = 0;

	*same = a->count == b->count ? ART_SAME_YES : ART_SAME_UNKNOWN;
	for (i = 0; *same == ART_SAME_YES && i < a->count; i++)
		if (a->list[i].len != b->list[i].len || a->list[i].key != b->list[i].key)
			*same = ART_SAME_UNKNOWN;
	for (i = 0; code == 0 && *same == ART_SAME_YES && i < a->count; i++) {
		code = art_blob_same(old->blob, a->list[i].offset, now->blob, b->list[i].offset,
				     a->list[i].len, same, err);
		if (code == 0 && *same == ART_SAME_UNKNOWN && a->list[i].plain && b->list[i].plain)
			code = compare_bytes(old->blob, &a->list[i], now->blob, &b->list[i], same,
					     err);
		if (*same == ART_SAME_NO && (!a->list[i].plain || !b->list[i].plain))
			*same = ART_SAME_UNKNOWN;
	}
	return code;
}

static int compare_by_index(const struct diff_entry *old, const struct diff_entry *now,
			    enum art_same *same, struct art_err *err)
{
	struct extents a = { 0 }, b = { 0 };
	int code = art_fs_extents(old->image->fs, old->node, add_extent, &a, err);

	*same = ART_SAME_UNKNOWN;
	if (code == 0)
		code = art_fs_extents(now->image->fs, now->node, add_extent, &b, err);
	if (code == 0)
		code = compare_extents(old->image, &a, now->image, &b, same, err);
	free(a.list);
	free(b.list);
	return code == ART_FS_UNKNOWN ? 0 : code;
}

static int add_bytes(void *ctx, const void *bytes, size_t len, struct art_err *err)
{
	return art_digest_update(ctx, bytes, len, err);
}

static int compare_by_reading(const struct diff_entry *old, const struct diff_entry *now,
			      bool *same, struct art_err *err)
{
	const struct diff_entry *const entry[2] = { old, now };
	uint8_t digest[2][ART_SHA256_LEN];
	struct art_digest *sha256 = NULL;
	int i, code = art_sha256_new(&sha256, err);

	for (i = 0; code == 0 && i < 2; i++) {
		code = art_fs_read_node(entry[i]->image->fs, entry[i]->node, add_bytes, sha256,
					err);
		if (code == 0)
			code = art_digest_final(sha256, digest[i], err);
	}
	*same = code == 0 && memcmp(digest[0], digest[1], ART_SHA256_LEN) == 0;
	art_digest_free(sha256);
	return code;
}

int diff_same_content(const struct diff_entry *old, const struct diff_entry *now, bool *same,
		      struct art_err *err)
{
	enum art_same known;
	int code = compare_by_index(old, now, &known, err);

	*same = known == ART_SAME_YES;
	if (code < 0 || known != ART_SAME_UNKNOWN)
		return code;
	return compare_by_reading(old, now, same, err);
}

struct xattr {
	char *name;
	uint8_t *value;
	size_t len;
};

struct xattrs {
	struct xattr *list;
	size_t count, room;
};

static int add_xattr(void *ctx, const char *name, const void *value, size_t len)
{
	struct xattrs *x = ctx;
	struct xattr *one;

	if (x->count == x->room) {
		size_t room = x->room ? x->room * 2 : 4;
		struct xattr *list = reallocarray(x->list, room, sizeof(*list));

		if (!list)
			return ART_E_NO_MEMORY;
		x->list = list;
		x->room = room;
	}
	one = &x->list[x->count];
	*one = (struct xattr){ .name = strdup(name), .value = malloc(len + 1), .len = len };
	if (one->value && len > 0)
		memcpy(one->value, value, len);
	x->count++;
	return one->name && one->value ? 0 : ART_E_NO_MEMORY;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct xattr *)a)->name, ((const struct xattr *)b)->name);
}

static void xattrs_free(struct xattrs *x)
{
	size_t i;

	for (i = 0; i < x->count; i++) {
		free(x->list[i].name);
		free(x->list[i].value);
	}
	free(x->list);
}

static int read_xattrs(const struct diff_entry *entry, struct xattrs *out, struct art_err *err)
{
	int code = art_fs_xattrs(entry->image->fs, entry->node, add_xattr, out, err);

	if (code == ART_E_NO_MEMORY)
		return art_fail_memory(err);
	if (code == 0 && out->count > 1)
		qsort(out->list, out->count, sizeof(*out->list), by_name);
	return code;
}

static bool equal_xattrs(const struct xattrs *a, const struct xattrs *b)
{
	size_t i;

	if (a->count != b->count)
		return false;
	for (i = 0; i < a->count; i++)
		if (by_name(&a->list[i], &b->list[i]) != 0 || a->list[i].len != b->list[i].len ||
		    memcmp(a->list[i].value, b->list[i].value, a->list[i].len) != 0)
			return false;
	return true;
}

int diff_same_xattrs(const struct diff_entry *old, const struct diff_entry *now, bool *same,
		     struct art_err *err)
{
	struct xattrs a = { 0 }, b = { 0 };
	int code = read_xattrs(old, &a, err);

	if (code == 0)
		code = read_xattrs(now, &b, err);
	*same = code == 0 && equal_xattrs(&a, &b);
	xattrs_free(&a);
	xattrs_free(&b);
	return code;
}
