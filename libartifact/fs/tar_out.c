// SPDX-License-Identifier: Apache-2.0
/*
 * Writing tar as mksquashfs 4.5.1 reads it rightly: pax records for what does not fit into a header, but long targets of
 * symbolic links in the GNU way, because it takes the leading '/' off those in a pax record.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "libartifact/fs/tar_out.h"
#include "libartifact/util.h"

#define BLOCK 512
#define PIECE ((size_t)256 * 1024)

struct tar_out {
	struct art_tree *tree;
	int socket;
	uint8_t *buf;
	char **first_names; /* by the inode's number */
	size_t count;
	struct art_err *err;
};

static int put(struct tar_out *t, const void *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = send(t->socket, (const char *)bytes + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return art_fail_errno(t->err, ART_E_IO, "mksquashfs does not take the data");
		done += (size_t)n;
	}
	return 0;
}

static int pad(struct tar_out *t, uint64_t len)
{
	static const uint8_t zero[BLOCK];

	return len % BLOCK ? put(t, zero, BLOCK - len % BLOCK) : 0;
}

/* Octal and a NUL; what does not fit is in a pax record, and 0 here. */
static void octal(char *field, size_t width, uint64_t value)
{
	size_t i = width - 1;

	if (width < 22 && value >> (3 * (width - 1)) != 0)
		value = 0;
	field[i] = '\0';
	while (i > 0) {
		field[--i] = (char)('0' + (value & 7));
		value >>= 3;
	}
}

struct header {
	const char *name, *link;
	char type;
	uint32_t mode, uid, gid, major, minor;
	uint64_t size;
	int64_t mtime;
};

static int put_header(struct tar_out *t, const struct header *h)
{
	char b[BLOCK] = { 0 };
	unsigned int sum = 0;
	size_t i;

	memcpy(b, h->name, strnlen(h->name, 100));
	octal(b + 100, 8, h->mode);
	octal(b + 108, 8, h->uid);
	octal(b + 116, 8, h->gid);
	octal(b + 124, 12, h->size);
	octal(b + 136, 12, (uint64_t)h->mtime);
	memset(b + 148, ' ', 8);
	b[156] = h->type;
	if (h->link)
		memcpy(b + 157, h->link, strnlen(h->link, 100));
	memcpy(b + 257, "ustar\00000", 8);
	octal(b + 329, 8, h->major);
	octal(b + 337, 8, h->minor);
	for (i = 0; i < BLOCK; i++)
		sum += (uint8_t)b[i];
	octal(b + 148, 7, sum);
	return put(t, b, BLOCK);
}

static int put_extra(struct tar_out *t, const char *name, char type, const void *bytes,
		     size_t len)
{
	struct header h = { .name = name, .type = type, .mode = 0644, .size = len };
	int ret = put_header(t, &h);

	if (ret == 0)
		ret = put(t, bytes, len);
	return ret ? ret : pad(t, len);
}

/* "LENGTH KEY=VALUE\n", where the length counts itself. */
static int add_record(struct tar_out *t, FILE *pax, const char *key, const void *value, size_t len)
{
	size_t body = strlen(key) + len + 3, total = body + 1, digits;

	do {
		digits = (size_t)snprintf(NULL, 0, "%zu", total);
		if (total == body + digits)
			break;
		total = body + digits;
	} while (true);
	fprintf(pax, "%zu %s=", total, key);
	fwrite(value, 1, len, pax);
	return putc('\n', pax) == EOF ? art_fail_memory(t->err) : 0;
}

static int add_number(struct tar_out *t, FILE *pax, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return add_record(t, pax, key, text, strlen(text));
}

static int add_xattrs(struct tar_out *t, FILE *pax, const struct art_tree_inode *inode)
{
	char key[300];
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < inode->xattr_count; i++) {
		const struct art_tree_xattr *x = &inode->xattrs[i];

		if (!art_tree_is_squash_xattr(x->name))
			continue;
		if ((size_t)snprintf(key, sizeof(key), "SCHILY.xattr.%s", x->name) >= sizeof(key))
			return art_fail(t->err, ART_E_FAILED, "an attribute's name is too long");
		ret = add_record(t, pax, key, x->value, x->len);
	}
	return ret;
}

static int add_records(struct tar_out *t, FILE *pax, const struct header *h,
		       const struct art_tree_inode *inode)
{
	const uint32_t id_max = 07777777;
	int ret = 0;

	if (strlen(h->name) > 100)
		ret = add_record(t, pax, "path", h->name, strlen(h->name));
	if (ret == 0 && h->type == '1' && strlen(h->link) > 100)
		ret = add_record(t, pax, "linkpath", h->link, strlen(h->link));
	if (ret == 0 && h->uid > id_max)
		ret = add_number(t, pax, "uid", h->uid);
	if (ret == 0 && h->gid > id_max)
		ret = add_number(t, pax, "gid", h->gid);
	if (ret == 0 && h->size >> 33 != 0)
		ret = add_number(t, pax, "size", h->size);
	if (ret == 0 && h->type != '1')
		ret = add_xattrs(t, pax, inode);
	return ret;
}

static int put_records(struct tar_out *t, const struct header *h,
		       const struct art_tree_inode *inode)
{
	char *text = NULL;
	size_t len = 0;
	FILE *pax = open_memstream(&text, &len);
	int ret;

	if (!pax)
		return art_fail_memory(t->err);
	ret = add_records(t, pax, h, inode);
	if (fclose(pax) != 0 && ret == 0)
		ret = art_fail_memory(t->err);
	if (ret == 0 && len > 0)
		ret = put_extra(t, "pax", 'x', text, len);
	free(text);
	if (ret == 0 && h->type == '2' && strlen(h->link) > 100)
		ret = put_extra(t, "././@LongLink", 'K', h->link, strlen(h->link) + 1);
	return ret;
}

static int put_data(struct tar_out *t, const struct art_tree_inode *inode)
{
	uint64_t off;

	for (off = 0; off < inode->size;) {
		size_t len = inode->size - off < PIECE ? (size_t)(inode->size - off) : PIECE;
		int ret = art_tree_read(t->tree, inode, t->buf, len, off, t->err);

		if (ret == 0)
			ret = put(t, t->buf, len);
		if (ret != 0)
			return ret;
		off += len;
	}
	art_tree_forget(t->tree, inode);
	return pad(t, inode->size);
}

static char type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return '5';
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFIFO:
		return '6';
	default:
		return '0';
	}
}

/* The first name of a file with several is kept for the others. */
static int first_name(struct tar_out *t, struct art_tree_inode *inode, const char *path)
{
	char **list = reallocarray(t->first_names, t->count + 2, sizeof(*list));

	if (!list)
		return art_fail_memory(t->err);
	t->first_names = list;
	list[t->count + 1] = strdup(path);
	if (!list[t->count + 1])
		return art_fail_memory(t->err);
	inode->number = (uint32_t)++t->count;
	return 0;
}

static int put_inode(struct tar_out *t, struct art_tree_inode *inode, const char *path)
{
	struct header h = { .name = path,
			    .link = inode->target,
			    .type = type_of(inode->mode),
			    .mode = inode->mode & 07777,
			    .uid = inode->uid,
			    .gid = inode->gid,
			    .major = inode->rdev_major,
			    .minor = inode->rdev_minor,
			    .mtime = art_tree_squash_time(inode->mtime) };
	bool several = inode->links > 1 && h.type != '5';
	int ret = 0;

	if (several && inode->number != 0) {
		h.type = '1';
		h.link = t->first_names[inode->number];
	} else if (several) {
		ret = first_name(t, inode, path);
	}
	if (h.type == '0')
		h.size = inode->size;
	if (ret == 0)
		ret = put_records(t, &h, inode);
	if (ret == 0)
		ret = put_header(t, &h);
	return ret == 0 && h.type == '0' ? put_data(t, inode) : ret;
}

static int put_names(struct tar_out *t, const struct art_tree_inode *dir, const char *at)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < dir->name_count; i++) {
		struct art_tree_inode *inode = dir->names[i].inode;
		char *path;

		if (asprintf(&path, "%s%s%s", at, at[0] ? "/" : "", dir->names[i].name) < 0)
			return art_fail_memory(t->err);
		if (S_ISSOCK(inode->mode))
			ret = art_fail(t->err, ART_E_FAILED, "'%s' is a socket, which tar does not know", path);
		else
			ret = put_inode(t, inode, path);
		if (ret == 0 && S_ISDIR(inode->mode))
			ret = put_names(t, inode, path);
		free(path);
	}
	return ret;
}

int art_tree_write_tar(struct art_tree *tree, int socket, struct art_err *err)
{
	static const uint8_t end[2 * BLOCK];
	struct tar_out t = { .tree = tree, .socket = socket, .err = err };
	int ret;

	t.buf = malloc(PIECE);
	if (!t.buf)
		return art_fail_memory(err);
	ret = put_names(&t, tree->root, "");
	if (ret == 0)
		ret = put(&t, end, sizeof(end));
	while (t.count > 0)
		free(t.first_names[t.count--]);
	free(t.first_names);
	free(t.buf);
	return ret;
}
