// SPDX-License-Identifier: Apache-2.0
/* A tarball, in whatever compression libarchive reads, into a tree. Numbers count, user and group names do not. */
#include <config.h>

/* libarchive returns the time_t that the system's libraries were built with, which may be the short one. */
#if SIZEOF_TIME_T < 8
#undef _TIME_BITS
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "libartifact/fs/tree.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define BLOCK ((size_t)256 * 1024)
#define MAX_ACL 1024

struct tar_in {
	struct art_tree *tree;
	struct archive *archive;
	const char *name; /* for messages */
	struct art_err *err;
};

static int fail_archive(struct tar_in *in)
{
	const char *text = archive_error_string(in->archive);
	int number = archive_errno(in->archive);
	int code = number == ENOMEM ? ART_E_NO_MEMORY : number == EIO ? ART_E_IO : ART_E_FAILED;

	return art_fail(in->err, code, "cannot read tarball '%s': %s", in->name,
			text ? text : "unknown fault");
}

/* A name that the locale cannot show is right all the same: libarchive then hands out its bytes. */
static bool is_harmless(struct tar_in *in)
{
	const char *text = archive_error_string(in->archive);

	return text && strstr(text, "converted from");
}

static int store(struct tar_in *in, struct art_tree_inode *inode)
{
	struct art_tree *tree = in->tree;
	const void *bytes;
	size_t len;
	la_int64_t off;
	int ret;

	while ((ret = archive_read_data_block(in->archive, &bytes, &len, &off)) == ARCHIVE_OK) {
		if (len == 0)
			continue;
		if (off < 0 || (uint64_t)off > inode->size || len > inode->size - (uint64_t)off)
			return art_fail(in->err, ART_E_FAILED, "a file is longer than its size");
		ret = art_pwrite_full(tree->spool, bytes, len, tree->spool_used, "temporary file",
				      in->err);
		if (ret == 0)
			ret = art_tree_add_extent(inode, (uint64_t)off, len, tree->spool_used,
						  in->err);
		if (ret != 0)
			return ret;
		tree->spool_used += len;
	}
	return ret == ARCHIVE_EOF ? 0 : fail_archive(in);
}

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

static int by_tag(const void *a, const void *b)
{
	const struct acl_entry *x = a, *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* The numbers of the kernel's ACL attributes. */
static uint16_t acl_tag(int tag)
{
	switch (tag) {
	case ARCHIVE_ENTRY_ACL_USER_OBJ:
		return 0x01;
	case ARCHIVE_ENTRY_ACL_USER:
		return 0x02;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
		return 0x04;
	case ARCHIVE_ENTRY_ACL_GROUP:
		return 0x08;
	case ARCHIVE_ENTRY_ACL_MASK:
		return 0x10;
	case ARCHIVE_ENTRY_ACL_OTHER:
		return 0x20;
	default:
		return 0;
	}
}

static int read_acl(struct tar_in *in, struct archive_entry *e, int type,
		    struct acl_entry list[MAX_ACL], size_t *count)
{
	int kind, permset, tag, id;
	const char *name;

	*count = 0;
	if (archive_entry_acl_reset(e, type) == 0)
		return 0;
	while (archive_entry_acl_next(e, type, &kind, &permset, &tag, &id, &name) == ARCHIVE_OK) {
		bool named = tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;

		if (kind != type || acl_tag(tag) == 0)
			continue;
		if (named && id < 0)
			return art_fail(in->err, ART_E_FAILED,
					"an ACL names '%.60s' without its number", name ? name : "");
		if (*count == MAX_ACL)
			return art_fail(in->err, ART_E_FAILED, "an ACL has more than %d entries", MAX_ACL);
		list[(*count)++] = (struct acl_entry){ acl_tag(tag), (uint16_t)(permset & 7),
						       named ? (uint32_t)id : UINT32_MAX };
	}
	return 0;
}

/* libarchive takes ACLs out of the attributes; they go back into them. */
static int add_acl(struct tar_in *in, struct archive_entry *e, struct art_tree_inode *inode,
		   int type, const char *name)
{
	struct acl_entry list[MAX_ACL];
	uint8_t value[4 + 8 * MAX_ACL];
	size_t count, i;
	int ret;

	if (archive_entry_acl_count(e, type) == 0)
		return 0;
	ret = read_acl(in, e, type, list, &count);
	if (ret != 0 || count == 0)
		return ret;
	qsort(list, count, sizeof(*list), by_tag);
	art_put32(value, 2);
	for (i = 0; i < count; i++) {
		art_put16(value + 4 + 8 * i, list[i].tag);
		art_put16(value + 6 + 8 * i, list[i].perm);
		art_put32(value + 8 + 8 * i, list[i].id);
	}
	return art_tree_add_xattr(inode, name, value, 4 + 8 * count, in->err);
}

static int add_xattrs(struct tar_in *in, struct archive_entry *e, struct art_tree_inode *inode)
{
	const char *name;
	const void *value;
	size_t len;
	int ret = 0;

	archive_entry_xattr_reset(e);
	while (ret == 0 && archive_entry_xattr_next(e, &name, &value, &len) == ARCHIVE_OK)
		ret = art_tree_add_xattr(inode, name, value, len, in->err);
	if (ret == 0)
		ret = add_acl(in, e, inode, ARCHIVE_ENTRY_ACL_TYPE_ACCESS,
			      "system.posix_acl_access");
	if (ret == 0)
		ret = add_acl(in, e, inode, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT,
			      "system.posix_acl_default");
	return ret;
}

static int add_target(struct tar_in *in, struct archive_entry *e, struct art_tree_inode *inode)
{
	const char *target = archive_entry_symlink(e);

	if (!target)
		target = archive_entry_symlink_utf8(e);
	if (!target || !target[0] || strlen(target) > 4095)
		return art_fail(in->err, ART_E_FAILED, "a symbolic link has no target, or too long a one");
	inode->target = strdup(target);
	inode->size = strlen(target);
	return inode->target ? 0 : art_fail_memory(in->err);
}

static int fill(struct tar_in *in, struct archive_entry *e, struct art_tree_inode *inode)
{
	la_int64_t uid = archive_entry_uid(e), gid = archive_entry_gid(e);
	int ret;

	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return art_fail(in->err, ART_E_FAILED, "owner or group is out of range");
	inode->mode = archive_entry_filetype(e) | (archive_entry_perm(e) & 07777);
	inode->uid = (uint32_t)uid;
	inode->gid = (uint32_t)gid;
	inode->mtime = archive_entry_mtime(e);
	inode->mtime_nsec = (uint32_t)archive_entry_mtime_nsec(e);
	ret = add_xattrs(in, e, inode);
	if (ret != 0)
		return ret;
	switch (inode->mode & S_IFMT) {
	case S_IFREG:
		if (archive_entry_size(e) < 0)
			return art_fail(in->err, ART_E_FAILED, "a file has no size");
		inode->size = (uint64_t)archive_entry_size(e);
		return store(in, inode);
	case S_IFLNK:
		return add_target(in, e, inode);
	case S_IFCHR:
	case S_IFBLK:
		if (archive_entry_rdevmajor(e) > 0xfff || archive_entry_rdevminor(e) > 0xfffff)
			return art_fail(in->err, ART_E_FAILED, "a device number is out of range");
		inode->rdev_major = (uint32_t)archive_entry_rdevmajor(e);
		inode->rdev_minor = (uint32_t)archive_entry_rdevminor(e);
		return 0;
	case S_IFDIR:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	default:
		return art_fail(in->err, ART_E_FAILED, "an entry of an unknown type");
	}
}

static int read_entry(struct tar_in *in, struct archive_entry *e)
{
	const char *path = archive_entry_pathname(e), *target;
	struct art_tree_inode *inode;
	int ret;

	if (!path)
		path = archive_entry_pathname_utf8(e);
	if (!path || !path[0])
		return art_fail(in->err, ART_E_FAILED, "tarball '%s' holds an entry without a name",
				in->name);
	target = archive_entry_hardlink(e);
	if (!target)
		target = archive_entry_hardlink_utf8(e);
	if (target) {
		ret = art_tree_link(in->tree, path, target, in->err);
		return ret ? art_wrap(in->err, "tarball '%s'", in->name) : 0;
	}
	inode = art_tree_inode_new();
	if (!inode)
		return art_fail_memory(in->err);
	ret = fill(in, e, inode);
	if (ret != 0) {
		art_tree_inode_drop(inode);
		return art_wrap(in->err, "tarball '%s': '%s'", in->name, path);
	}
	ret = art_tree_put(in->tree, path, inode, in->err);
	return ret ? art_wrap(in->err, "tarball '%s'", in->name) : 0;
}

static int read_entries(struct tar_in *in)
{
	struct archive_entry *e;
	bool any = false;

	for (;;) {
		int ret = archive_read_next_header(in->archive, &e);

		if (ret == ARCHIVE_EOF)
			break;
		if (ret != ARCHIVE_OK && !(ret == ARCHIVE_WARN && is_harmless(in)))
			return fail_archive(in);
		ret = read_entry(in, e);
		if (ret != 0)
			return ret;
		any = true;
	}
	if (!any)
		return art_fail(in->err, ART_E_FAILED, "tarball '%s' is empty", in->name);
	return 0;
}

int art_tree_read_tar(struct art_tree *tree, const char *path, struct art_err *err)
{
	bool standard_input = strcmp(path, "-") == 0;
	struct tar_in in = { .tree = tree, .name = standard_input ? "standard input" : path,
			     .err = err };
	int ret;

	in.archive = archive_read_new();
	if (!in.archive)
		return art_fail_memory(err);
	archive_read_support_filter_all(in.archive);
	archive_read_support_format_tar(in.archive);
	if (standard_input)
		ret = archive_read_open_fd(in.archive, STDIN_FILENO, BLOCK);
	else
		ret = archive_read_open_filename(in.archive, path, BLOCK);
	ret = ret == ARCHIVE_OK ? read_entries(&in) : fail_archive(&in);
	archive_read_free(in.archive);
	return ret;
}
