// SPDX-License-Identifier: Apache-2.0
/* For tests: the image builders and the filesystem readers from the command line, without an artifact around them. */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libartifact/digest.h"
#include "libartifact/fs/build.h"
#include "libartifact/fs/scan.h"
#include "libartifact/util.h"

static struct art_err err;

static int fail(void)
{
	fprintf(stderr, "fstool: %s\n", err.text);
	return art_code_exit(err.code);
}

/* build FILESYSTEM SOURCE OUT SIZE TIME SEED */
static int build(char **a)
{
	struct art_build_options opt = { .filesystem = a[0],
					 .size = strtoull(a[3], NULL, 10),
					 .time = strtoll(a[4], NULL, 10),
					 .uuid_seed = a[5],
					 .jobs = 2 };
	static char buf[65536];
	uint64_t size, at;
	int fd, out;

	if (art_build_image(&fd, &size, a[1], ".", &opt, &err) != 0)
		return fail();
	out = open(a[2], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (out < 0 || ftruncate(out, (off_t)size) != 0)
		return 1;
	for (at = 0; at < size;) {
		ssize_t n = pread(fd, buf, sizeof(buf), (off_t)at);

		if (n <= 0 || (!art_is_zero(buf, (size_t)n) &&
			       pwrite(out, buf, (size_t)n, (off_t)at) != n))
			return 1;
		at += (uint64_t)n;
	}
	return close(out) != 0;
}

struct test_blob {
	struct art_blob base;
	int fd;
};

static int blob_read(struct art_blob *blob, void *buf, size_t len, uint64_t off,
		     struct art_err *e)
{
	if (pread(((struct test_blob *)blob)->fd, buf, len, (off_t)off) == (ssize_t)len)
		return 0;
	return art_fail(e, ART_E_IO, "cannot read '%s'", blob->name);
}

static void blob_free(struct art_blob *blob)
{
	close(((struct test_blob *)blob)->fd);
}

static struct test_blob image = { .base = { .read = blob_read, .free = blob_free } };

static int open_image(const char *path)
{
	struct stat st;

	image.base.name = path;
	image.fd = open(path, O_RDONLY);
	if (image.fd < 0 || fstat(image.fd, &st) != 0)
		return -1;
	image.base.size = (uint64_t)st.st_size;
	return 0;
}

static int on_data(void *ctx, const void *bytes, size_t len, struct art_err *e)
{
	return art_digest_update(ctx, bytes, len, e);
}

static int on_xattr(void *ctx, const char *name, const void *value, size_t len)
{
	char *hex = malloc(2 * len + 1);

	art_hex_format(hex, value, len);
	json_object_set_new(ctx, name, json_string(hex));
	free(hex);
	return 0;
}

/* One JSON object a line; paths and targets as hex, because they may be anything. */
static int on_entry(void *ctx, const struct art_fs_entry *e, struct art_err *er)
{
	json_t *xattrs = json_object(), *line;
	uint8_t hash[32];
	char path[8192], target[8200] = "", hex[65] = "";
	int ret = 0;

	art_hex_format(path, (const uint8_t *)e->path, strlen(e->path));
	if (e->target)
		art_hex_format(target, (const uint8_t *)e->target, strlen(e->target));
	if (S_ISREG(e->mode)) {
		struct art_digest *d;

		ret = art_sha256_new(&d, er);
		if (ret == 0)
			ret = art_fs_read_node(ctx, e->node, on_data, d, er);
		if (ret == 0)
			ret = art_digest_final(d, hash, er);
		art_digest_free(d);
		art_hex_format(hex, hash, 32);
	}
	if (ret == 0)
		ret = art_fs_xattrs(ctx, e->node, on_xattr, xattrs, er);
	if (ret != 0)
		return ret;
	line = json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:i, s:i, s:I, s:i, s:s, s:s, s:o}", "path",
			 path, "mode", (int)e->mode, "uid", (json_int_t)e->uid, "gid",
			 (json_int_t)e->gid, "size", (json_int_t)e->size, "mtime",
			 (json_int_t)e->mtime, "major", (int)e->rdev_major, "minor",
			 (int)e->rdev_minor, "inode", (json_int_t)e->inode, "links", (int)e->links,
			 "target", target, "sha256", hex, "xattrs", xattrs);
	json_dumpf(line, stdout, JSON_COMPACT | JSON_SORT_KEYS);
	putchar('\n');
	json_decref(line);
	return 0;
}

static int list(char **a)
{
	struct art_fs *fs;
	int ret;

	if (open_image(a[0]) != 0)
		return 1;
	if (art_fs_open(&fs, &image.base, art_fs_detect(&image.base), &err) != 0)
		return fail();
	ret = art_fs_walk(fs, "/", -1, on_entry, fs, &err);
	art_fs_close(fs);
	return ret ? fail() : 0;
}

static int regions(char **a)
{
	static const char *const names[] = { "file", "small", "meta", "free", "block", "data" };
	struct art_regions r;
	size_t i;

	if (open_image(a[0]) != 0)
		return 1;
	if (art_fs_regions(&image.base, art_fs_detect(&image.base), &r, &err) != 0)
		return fail();
	for (i = 0; i < r.count; i++)
		printf("%s %llu %llu\n", names[r.list[i].type], (unsigned long long)r.list[i].offset,
		       (unsigned long long)r.list[i].length);
	free(r.list);
	return 0;
}

static int scan(char **a)
{
	struct art_packages p;
	struct art_fs *fs;
	const char *arch;

	if (open_image(a[0]) != 0)
		return 1;
	if (art_fs_open(&fs, &image.base, art_fs_detect(&image.base), &err) != 0 ||
	    art_scan_arch(fs, &arch, &err) != 0 || art_scan_packages(fs, &p, &err) != 0)
		return fail();
	printf("%s %s %zu\n", arch, p.manager ? p.manager : "-", p.count);
	art_packages_free(&p);
	art_fs_close(fs);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char **args);
	} commands[] = {
		{ "build", 6, build }, { "list", 1, list }, { "regions", 1, regions }, { "scan", 1, scan }
	};
	size_t i;

	for (i = 0; argc > 1 && i < ART_ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && argc == commands[i].args + 2)
			return commands[i].run(argv + 2);
	fprintf(stderr, "usage: fstool build|list|regions|scan ...\n");
	return 2;
}
