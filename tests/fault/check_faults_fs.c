// SPDX-License-Identifier: Apache-2.0
/*
 * As check_faults.c, for filesystem images: whatever is refused while one is built or read, the outcome is the same to the byte, or
 * an error.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/xattr.h>

#include "libartifact/digest.h"
#include "libartifact/fs/build.h"
#include "libartifact/fs/scan.h"
#include "libartifact/io.h"
#include "tests/fault/refuse.h"
#include "tests/unit/fs_util.h"
#include "tests/unit/run.h"

static char outcome[2 * ART_SHA256_LEN + 1];

static const char *in_dir(const char *name)
{
	static char paths[4][sizeof(dir) + 64];
	static unsigned int next;
	char *p = paths[next++ % 4];

	snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static void setup(void)
{
	dir_make();
	sh("mkdir -p t/etc t/usr/bin t/var/lib/dpkg; printf 'ID=test\\nIMAGE_VERSION=\"1.0\"\\n' >t/etc/os-release;"
	   "printf 'Package: p\\nStatus: install ok installed\\nVersion: 1\\nArchitecture: all\\nSource: s (2)\\n\\n' "
	   ">t/var/lib/dpkg/status; cp /bin/true t/usr/bin/sh; ln t/usr/bin/sh t/usr/bin/hard;"
	   "ln -s usr/bin t/bin; ln -s \"$(printf %%0100d 7)\" t/long; mkfifo t/pipe;"
	   "truncate -s 300K t/etc/holes; echo x >>t/etc/holes; echo y | dd of=t/etc/holes conv=notrunc bs=1 seek=9000 2>dd.log");
	/* Not every filesystem has them. */
	setxattr(in_dir("t/etc/os-release"), "user.note", "value", 5, 0);
	sh("tar --xattrs --numeric-owner -C t -cf t.tar .; mkdir empty");
}

static int hash(const void *bytes, size_t len)
{
	uint8_t digest[ART_SHA256_LEN];

	ck_assert_int_eq(art_sha256(bytes, len, digest, NULL), 0);
	art_hex_format(outcome, digest, sizeof(digest));
	return 0;
}

static int build(const char *filesystem, const char *source, struct art_err *err)
{
	struct art_build_options opt = { .filesystem = filesystem, .time = 1700000000, .uuid_seed = "a 1", .jobs = 1 };
	cleanup_close int fd = -1;
	uint64_t size = 0;
	char *bytes;
	int ret = art_build_image(&fd, &size, in_dir(source), in_dir("empty"), &opt, err);

	refuse_stop(NULL);
	if (ret != 0) {
		ck_assert_int_eq(fd, -1);
		return ret;
	}
	bytes = malloc(size);
	ck_assert_int_eq(art_pread_full(fd, bytes, size, 0, "image", NULL), (int)size);
	hash(bytes, size);
	free(bytes);
	return 0;
}

static int build_ext4_directory(struct art_err *err)
{
	return build("ext4", "t", err);
}

static int build_ext4_tarball(struct art_err *err)
{
	return build("ext4", "t.tar", err);
}

static int build_squashfs_directory(struct art_err *err)
{
	return build("squashfs", "t", err);
}

static int build_squashfs_tarball(struct art_err *err)
{
	return build("squashfs", "t.tar", err);
}

/* An image of each kind, its blob and its reader. */
static struct art_blob *blob;
static int blob_fd = -1;
static struct art_fs *fs;

static void make_images(void)
{
	sh("[ -e i.ext4 ] || { truncate -s 8M i.ext4; mke2fs -q -F -t ext4 -d t i.ext4;"
	   " mksquashfs t i.squashfs -noappend -comp zstd -quiet -no-progress >/dev/null; }");
}

static void open_ext4(void)
{
	make_images();
	blob_fd = image_open("i.ext4", &blob);
}

static void open_squashfs(void)
{
	make_images();
	blob_fd = image_open("i.squashfs", &blob);
}

static void drop_image(void)
{
	art_fs_close(fs);
	art_blob_free(blob);
	close(blob_fd);
	fs = NULL;
	blob = NULL;
}

struct story {
	char text[16384];
	size_t len;
};

/* No assertions while faults are on: Check allocates too. */
static int tell(struct story *s, const void *bytes, size_t len)
{
	if (len > sizeof(s->text) - s->len)
		return ART_E_USAGE;
	memcpy(s->text + s->len, bytes, len);
	s->len += len;
	return 0;
}

static int on_data(void *ctx, const void *bytes, size_t len, struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	int code = art_sha256(bytes, len, digest, err);

	return code ? code : tell(ctx, digest, sizeof(digest));
}

static int on_xattr(void *ctx, const char *name, const void *value, size_t len)
{
	tell(ctx, name, strlen(name));
	return tell(ctx, value, len);
}

static int on_extent(void *ctx, const struct art_fs_extent *e, struct art_err *err)
{
	(void)err;
	tell(ctx, &e->offset, sizeof(e->offset));
	tell(ctx, &e->len, sizeof(e->len));
	return tell(ctx, &e->key, sizeof(e->key));
}

static int on_entry(void *ctx, const struct art_fs_entry *e, struct art_err *err)
{
	struct story *s = ctx;
	int ret = 0;

	tell(s, e->path, strlen(e->path));
	tell(s, &e->mode, sizeof(e->mode));
	tell(s, e->target ? e->target : "-", e->target ? strlen(e->target) : 1);
	if (S_ISREG(e->mode))
		ret = art_fs_read_node(fs, e->node, on_data, s, err);
	if (ret == 0 && S_ISREG(e->mode))
		ret = art_fs_extents(fs, e->node, on_extent, s, err);
	if (ret == ART_FS_UNKNOWN)
		ret = 0;
	return ret ? ret : art_fs_xattrs(fs, e->node, on_xattr, s, err);
}

static int read_image(const char *filesystem, struct art_err *err)
{
	static struct story s;
	int ret;

	s.len = 0;
	ret = art_fs_open(&fs, blob, filesystem, err);
	if (ret == 0)
		ret = art_fs_walk(fs, "/", -1, on_entry, &s, err);
	refuse_stop(NULL);
	return ret ? ret : hash(s.text, s.len);
}

static int lay_out(const char *filesystem, struct art_err *err)
{
	struct art_regions regions = { 0 };
	int ret = art_fs_regions(blob, filesystem, &regions, err);

	refuse_stop(NULL);
	if (ret == 0)
		hash(&regions.count, sizeof(regions.count));
	free(regions.list);
	return ret;
}

static int list_blocks(struct art_err *err)
{
	struct art_blocks blocks = { 0 };
	int ret = art_fs_blocks(blob, "squashfs", &blocks, err);

	refuse_stop(NULL);
	if (ret == 0)
		hash(&blocks.count, sizeof(blocks.count));
	free(blocks.list);
	return ret;
}

static int lay_out_ext4(struct art_err *err)
{
	return lay_out("ext4", err);
}

static int lay_out_squashfs(struct art_err *err)
{
	return lay_out("squashfs", err);
}

static int read_ext4(struct art_err *err)
{
	return read_image("ext4", err);
}

static int read_squashfs(struct art_err *err)
{
	return read_image("squashfs", err);
}

static int scan_image(struct art_err *err)
{
	struct art_packages list = { 0 }, again = { 0 };
	cleanup_free char *version = NULL;
	cleanup_free uint8_t *doc = NULL;
	const char *arch = NULL;
	size_t len = 0;
	int ret = art_fs_open(&fs, blob, "ext4", err);

	if (ret == 0)
		ret = art_scan_arch(fs, &arch, err);
	if (ret == 0)
		ret = art_scan_os_release(fs, "IMAGE_VERSION", &version, err);
	if (ret == 0)
		ret = art_scan_packages(fs, &list, err);
	if (ret == 0)
		ret = art_sbom_spdx(&list, "demo", version, "2026-01-02T03:04:05Z", &doc, &len, err);
	if (ret == 0)
		ret = art_sbom_parse(doc, len, &again, err);
	refuse_stop(NULL);
	if (ret == 0) {
		ck_assert_uint_eq(again.count, list.count);
		hash(doc, len);
	}
	art_packages_free(&list);
	art_packages_free(&again);
	return ret;
}

static const struct trial {
	const char *name;
	int (*run)(struct art_err *err);
	void (*prepare)(void);
} trials[] = {
	{ "build ext4 from a directory", build_ext4_directory, NULL },
	{ "build ext4 from a tarball", build_ext4_tarball, NULL },
	{ "build squashfs from a directory", build_squashfs_directory, NULL },
	{ "build squashfs from a tarball", build_squashfs_tarball, NULL },
	{ "read ext4", read_ext4, open_ext4 },
	{ "read squashfs", read_squashfs, open_squashfs },
	{ "lay out ext4", lay_out_ext4, open_ext4 },
	{ "lay out squashfs", lay_out_squashfs, open_squashfs },
	{ "list blocks of squashfs", list_blocks, open_squashfs },
	{ "scan", scan_image, open_ext4 },
};

static int count_files(void)
{
	struct dirent **list;
	int n = scandir(in_dir("empty"), &list, NULL, NULL), i;

	for (i = 0; i < n; i++)
		free(list[i]);
	free(list);
	return n - 2;
}

/* A filesystem may have no attributes; a scan takes a damaged place for one that is not there;
 * a damaged image is one region. */
static bool may_differ(const struct trial *t, const char *name, enum refuse_kind kind,
		       const struct refuse_how *how)
{
	return (!strcmp(name, "llistxattr") && how && how->sys_errno == EOPNOTSUPP) ||
	       (kind == REFUSE_IMAGE && (t->run == scan_image || t->run == lay_out_ext4 || t->run == lay_out_squashfs || t->run == list_blocks));
}

/* Everything that stops short, until nothing does. The first run, without faults, says what is right. */
static void sweep(const struct trial *t, const struct refuse_how *how, enum refuse_kind only)
{
	char right[sizeof(outcome)];
	struct art_err err;
	enum refuse_kind kind;
	const char *name;
	uint64_t n;
	int ret, status;

	for (n = 0;; n++) {
		if (t->prepare)
			t->prepare();
		memset(&err, 0, sizeof(err));
		strcpy(outcome, "nothing");
		refuse_start(n, only, how);
		ret = t->run(&err);
		name = refuse_stop(&kind);
		if (t->prepare)
			drop_image();
		if (n == 0) {
			ck_assert_msg(ret == 0, "%s: %s", t->name, err.text);
			strcpy(right, outcome);
			continue;
		}
		if (!name)
			break;
		ck_assert_int_eq(count_files(), 0);
		if (ret == 0 && may_differ(t, name, kind, how))
			continue;
		if (ret == 0) {
			ck_assert_msg(!strcmp(outcome, right), "%s: another outcome when %s fails (call %d)", t->name,
				      name, (int)n);
			continue;
		}
		ck_assert_int_eq(err.code, ret);
		ck_assert_msg(err.text[0] != '\0', "%s: no words about %s", t->name, name);
		status = art_code_exit(ret);
		ck_assert_msg(status == 1 || status == 6, "%s: status %d for %s: %s", t->name, status, name, err.text);
	}
	ck_assert_uint_gt(n, 1);
}

START_TEST(refused_one_by_one)
{
	sweep(&trials[_i], NULL, REFUSE_NOTHING);
}
END_TEST

START_TEST(other_answers_of_the_system)
{
	static const struct refuse_how hows[] = {
		{ .sys_errno = EINTR }, { .half = true }, { .sys_errno = ENOSPC }, { .sys_errno = EOPNOTSUPP },
	};
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(hows); i++)
		sweep(&trials[_i], &hows[i], REFUSE_SYSTEM);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("faults fs");
	TCase *t = tcase_create("faults fs");

	tcase_set_timeout(t, 900);
	tcase_add_checked_fixture(t, setup, dir_remove);
	tcase_add_loop_test(t, refused_one_by_one, 0, ART_ARRAY_SIZE(trials));
	tcase_add_loop_test(t, other_answers_of_the_system, 0, ART_ARRAY_SIZE(trials));
	suite_add_tcase(s, t);
	return run_suite(s);
}
