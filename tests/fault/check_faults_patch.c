// SPDX-License-Identifier: Apache-2.0
/*
 * As check_faults.c, for patches: whatever is refused while one is made or judged, it is a patch that gives the new image, or an error
 * and no file; and a good patch is not called bad for it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <check.h>
#include <zstd.h>

#include "libartifact/digest.h"
#include "libartifact/io.h"
#include "libartifact/patch_check.h"
#include "libartifact/patch_write.h"
#include "tests/fault/refuse.h"
#include "tests/unit/run.h"

#define BLOCK ((size_t)8192)
#define BLOCKS 6
#define IMAGE ((size_t)128 * 1024)

static char dir[] = "/tmp/twinroot-faults-patch.XXXXXX";
/* Of the old image and the new one: where their compressed blocks lie. */
static struct art_block lists[2][BLOCKS];
static bool with_blocks;
static char outcome[2 * ART_SHA256_LEN + 1];

static const char *in_dir(const char *name)
{
	static char paths[4][sizeof(dir) + 64];
	static unsigned int next;
	char *p = paths[next++ % 4];

	snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static uint32_t seed;

static uint8_t noise(void)
{
	seed = seed * 1664525 + 1013904223;
	return (uint8_t)(seed >> 24);
}

/* Compressed blocks, text, noise, and zeros; NEW differs from the old one a little everywhere. */
static void fill_image(uint8_t *image, struct art_block *list, bool new_)
{
	uint8_t plain[BLOCK];
	size_t at = 96, i, k;

	seed = 5;
	for (i = 0; i < BLOCKS; i++) {
		for (k = 0; k < BLOCK; k++)
			plain[k] = i == 2 ? noise() : (uint8_t)"some words in it "[(noise() / 2) % 17];
		if (new_)
			memcpy(plain + 3000, "what is new", 11);
		list[i] = (struct art_block){ at, (uint32_t)ZSTD_compress(image + at, IMAGE - at, plain, BLOCK, 7), false };
		at += list[i].length;
	}
	for (i = 64 * 1024; i < 112 * 1024; i++) {
		image[i] = i < 80 * 1024 ? noise() : (uint8_t)"of a text of few words"[(noise() / 3) % 22];
		if (new_ && i % 500 == 0)
			image[i]++;
	}
}

static char *copy(const char *text)
{
	char *p = strdup(text);

	ck_assert_ptr_nonnull(p);
	return p;
}

static void make_artifact(const char *name, const char *version, const uint8_t *image)
{
	struct art_write_options opt = { .level = 3, .jobs = 1, .sig_room = 4096 };
	struct art_manifest *m = art_manifest_new();
	int fd = open(in_dir("image"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct art_write_payload p = { fd, "image", IMAGE, NULL, NULL };
	struct art_err err;

	ck_assert_int_eq(pwrite(fd, image, IMAGE, 0), IMAGE);
	m->name = copy("demo");
	m->version = copy(version);
	m->created = copy("2026-01-02T03:04:05Z");
	m->arch = copy("any");
	m->compatible = calloc(1, sizeof(*m->compatible));
	m->compatible[m->compatible_count++] = copy("box");
	m->payloads = calloc(1, sizeof(*m->payloads));
	m->payload_count = 1;
	m->payloads[0].name = copy("rootfs");
	m->payloads[0].kind = copy("rootfs-image");
	m->payloads[0].filesystem = copy("raw");
	ck_assert_msg(art_write(in_dir(name), m, &p, NULL, &opt, NULL, NULL, &err) == 0, "%s", err.text);
	art_manifest_free(m);
	close(fd);
	unlink(in_dir("image"));
}

static int temp(int *fd, struct art_err *err)
{
	*fd = memfd_create("temp", MFD_CLOEXEC);
	return *fd < 0 ? art_fail_errno(err, ART_E_IO, "cannot make a temporary file") : 0;
}

/* Which image is meant: the new one is asked for first. */
static unsigned int asked;

static int blocks(int fd, struct art_blocks *out, struct art_err *err)
{
	const struct art_block *list = lists[asked++ % 2 == 0];

	(void)fd;
	out->list = malloc(sizeof(lists[0]));
	if (!out->list)
		return art_fail_memory(err);
	memcpy(out->list, list, sizeof(lists[0]));
	out->level = 7;
	out->count = BLOCKS;
	return 0;
}

struct opened {
	struct art_source *source;
	struct art_reader *reader;
};

static int open_artifact(struct opened *o, const char *name, struct art_err *err)
{
	int code = art_source_open_path(&o->source, in_dir(name), err);

	if (code == 0)
		code = art_reader_open(&o->reader, o->source, err);
	if (code < 0)
		return code;
	art_reader_skip_trust(o->reader);
	return art_reader_parse(o->reader, err);
}

static void close_artifact(struct opened *o)
{
	art_reader_free(o->reader);
	art_source_free(o->source);
}

static int make_patch(struct art_err *err)
{
	struct art_patch_options opt = { .created = "2026-01-02T03:04:05Z", .temp = temp,
					 .blocks = with_blocks ? blocks : NULL };
	struct opened old = { 0 }, now = { 0 };
	struct art_patch_sums sums;
	int code = open_artifact(&old, "old", err);

	asked = 0;
	if (code == 0)
		code = open_artifact(&now, "new", err);
	if (code == 0)
		code = art_patch_write(in_dir("patch"), old.reader, now.reader, &opt, NULL, NULL, &sums, err);
	close_artifact(&old);
	close_artifact(&now);
	return code;
}

static int judge_patch(const char *name, struct art_err *err)
{
	struct art_patch_check c = { .temp = temp };
	struct art_source *source = NULL;
	struct opened old = { 0 };
	int code = open_artifact(&old, "old", err);

	if (code == 0)
		code = art_source_open_path(&source, in_dir(name), err);
	if (code == 0)
		code = art_patch_open(&c.patch, source, err);
	if (code == 0) {
		c.old = old.reader;
		art_patch_skip_trust(c.patch);
		code = art_patch_parse(c.patch, err);
	}
	if (code == 0)
		code = art_patch_check_head(&c, err);
	if (code == 0)
		code = art_patch_check_payload(&c, 0, err);
	if (code == 0)
		code = art_patch_check_end(c.patch, err);
	refuse_stop(NULL);
	if (code == 0) {
		ck_assert_uint_gt(c.records, 0);
		ck_assert_uint_gt(c.made, 0);
		ck_assert_uint_eq(c.missing, 0);
	}
	art_patch_check_free(&c);
	art_patch_free(c.patch);
	art_source_free(source);
	close_artifact(&old);
	return code;
}

static int judge_good(struct art_err *err)
{
	return judge_patch("good", err);
}

static void hash_patch(void)
{
	uint8_t *bytes = malloc(4 * IMAGE), digest[ART_SHA256_LEN];
	int fd = open(in_dir("patch"), O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, bytes, 4 * IMAGE);

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(art_sha256(bytes, (size_t)n, digest, NULL), 0);
	art_hex_format(outcome, digest, sizeof(digest));
	free(bytes);
	close(fd);
}

static void setup(void)
{
	uint8_t *image = calloc(1, IMAGE);
	struct art_err err;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	fill_image(image, lists[0], false);
	make_artifact("old", "1.0", image);
	memset(image, 0, IMAGE);
	fill_image(image, lists[1], true);
	make_artifact("new", "2.0", image);
	free(image);
	with_blocks = true;
	ck_assert_msg(make_patch(&err) == 0, "%s", err.text);
	ck_assert_int_eq(rename(in_dir("patch"), in_dir("good")), 0);
}

static void teardown(void)
{
	static const char *const names[] = { "old", "new", "good", "patch" };
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(names); i++)
		unlink(in_dir(names[i]));
	ck_assert_int_eq(rmdir(dir), 0);
	strcpy(strrchr(dir, '.'), ".XXXXXX");
}

/* What was made under a fault is another patch at most (libzstd was asked again, or left out), never a wrong one. */
static void judge_made(const char *right, const char *name)
{
	struct art_err err = { 0 };

	hash_patch();
	if (strcmp(outcome, right) != 0)
		ck_assert_msg(judge_patch("patch", &err) == 0, "a wrong patch when %s fails: %s", name, err.text);
	unlink(in_dir("patch"));
}

static void sweep(int (*run)(struct art_err *err), const struct refuse_how *how, enum refuse_kind only)
{
	char right[sizeof(outcome)] = "";
	struct art_err err;
	enum refuse_kind kind;
	const char *name;
	uint64_t n;
	int ret, status;

	for (n = 0;; n++) {
		memset(&err, 0, sizeof(err));
		refuse_start(n, only, how);
		ret = run(&err);
		name = refuse_stop(&kind);
		if (n == 0) {
			ck_assert_msg(ret == 0, "%s", err.text);
			if (run == make_patch)
				hash_patch();
			strcpy(right, outcome);
		} else if (ret != 0) {
			ck_assert_int_eq(err.code, ret);
			ck_assert_msg(err.text[0] != '\0', "no words about %s", name);
			status = art_code_exit(ret);
			/* A file that ends at once, and a decompressor that refuses, are the artifact's fault as far as can be seen. */
			ck_assert_msg(status == 1 || status == 6 || kind == REFUSE_ZSTD || (status == 3 && how && how->nothing),
				      "status %d for %s: %s", status, name, err.text);
		}
		/* Only once it is whole has it a name: the last error is that of bringing the name to the medium. */
		if (run == make_patch && access(in_dir("patch"), F_OK) == 0)
			judge_made(right, name);
		else
			ck_assert_msg(run != make_patch || ret != 0, "no file, and no error");
		if (n > 0 && !name)
			break;
	}
	ck_assert_uint_gt(n, 1);
}

START_TEST(made_with_blocks)
{
	sweep(make_patch, NULL, REFUSE_NOTHING);
}
END_TEST

START_TEST(made_without_blocks)
{
	with_blocks = false;
	sweep(make_patch, NULL, REFUSE_NOTHING);
}
END_TEST

START_TEST(judged)
{
	sweep(judge_good, NULL, REFUSE_NOTHING);
}
END_TEST

START_TEST(other_answers_of_the_system)
{
	static const struct refuse_how hows[] = { { .half = true }, { .nothing = true } };

	sweep(make_patch, &hows[_i], REFUSE_SYSTEM);
	sweep(judge_good, &hows[_i], REFUSE_SYSTEM);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("faults patch");
	TCase *t = tcase_create("faults patch");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 900);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, made_with_blocks);
	tcase_add_test(t, made_without_blocks);
	tcase_add_test(t, judged);
	tcase_add_loop_test(t, other_answers_of_the_system, 0, 2);
	return run_suite(s);
}
