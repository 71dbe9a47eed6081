// SPDX-License-Identifier: Apache-2.0
/* Writing: the reader accepts every byte, the image comes back, threads do not show, failures leave nothing. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "libartifact/blob.h"
#include "libartifact/encode.h"
#include "libartifact/io.h"
#include "libartifact/reader.h"
#include "libartifact/writer.h"
#include "tests/unit/run.h"

#define IMAGE ((size_t)12 * 1024 * 1024 + 512)

static char dir[] = "/tmp/twinroot-writer.XXXXXX";
static char path[sizeof(dir) + 16];
static int fd;
static uint8_t image[IMAGE];
static uint8_t got[IMAGE];
static uint64_t seed;
static struct art_err err;

static uint8_t noise(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint8_t)(seed >> 40);
}

static void put(const void *bytes, size_t len, uint64_t off)
{
	ck_assert_int_eq(art_pwrite_full(fd, bytes, len, off, "image", &err), 0);
}

/* Text, noise, zeros, and a megabyte that comes twice. */
static void setup(void)
{
	size_t i;

	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.artifact", dir);
	fd = memfd_create("image", MFD_CLOEXEC);
	seed = 1;
	for (i = 0; i < IMAGE; i++)
		image[i] = i < IMAGE / 3 ? "a text of few words "[noise() % 20] : noise();
	memset(image + 5 * ART_MIB, 0, 3 * ART_MIB);
	memcpy(image + 10 * ART_MIB, image + 9 * ART_MIB, ART_MIB);
	put(image, IMAGE, 0);
}

static int entries(void)
{
	struct dirent *e;
	DIR *d = opendir(dir);
	int count = 0;

	while ((e = readdir(d)))
		count += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	return count;
}

static void teardown(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
	close(fd);
}

static void set(char **field, const char *text)
{
	*field = strdup(text);
	ck_assert_ptr_nonnull(*field);
}

/* One payload, no documents. */
static struct art_manifest *manifest(void)
{
	struct art_manifest *m = art_manifest_new();

	set(&m->name, "demo");
	set(&m->version, "1.0");
	set(&m->created, "2026-01-02T03:04:05Z");
	set(&m->arch, "any");
	m->compatible = calloc(1, sizeof(*m->compatible));
	set(&m->compatible[m->compatible_count++], "box");
	m->payloads = calloc(1, sizeof(*m->payloads));
	set(&m->payloads[0].name, "rootfs");
	set(&m->payloads[0].kind, "rootfs-image");
	set(&m->payloads[0].filesystem, "raw");
	m->payload_count = 1;
	return m;
}

static struct art_write_options options(unsigned int jobs)
{
	return (struct art_write_options){ .level = 3, .jobs = jobs, .sig_room = 4096 };
}

static int write_image(uint64_t size, const struct art_regions *regions,
		       const struct art_write_options *opt)
{
	struct art_manifest *m = manifest();
	struct art_write_payload p = { fd, "image", size, regions, NULL };
	int code = art_write(path, m, &p, NULL, opt, NULL, NULL, &err);

	art_manifest_free(m);
	return code;
}

static struct art_reader *open_reader(struct art_source **src)
{
	const struct art_manifest *m;
	struct art_reader *r;

	ck_assert_int_eq(art_source_open_path(src, path, &err), 0);
	ck_assert_int_eq(art_reader_open(&r, *src, &err), 0);
	art_reader_skip_trust(r);
	ck_assert_msg(art_reader_parse(r, &err) == 0, "%s", err.text);
	/* A second time changes nothing: what was handed out stays. */
	m = art_reader_manifest(r);
	ck_assert_int_eq(art_reader_parse(r, &err), 0);
	ck_assert_ptr_eq(art_reader_manifest(r), m);
	return r;
}

/* Headers, indexes, paddings, end; SIZE bytes of plain image equal EXPECT. */
static void check_artifact(const uint8_t *expect, size_t size)
{
	struct art_source *src;
	struct art_reader *r = open_reader(&src);
	uint8_t digest[ART_SHA256_LEN];
	struct art_blob *blob;
	size_t i;

	for (i = 0; i < art_reader_member_count(r); i++) {
		ck_assert_int_eq(art_reader_check_header(r, i, &err), 0);
		ck_assert_int_eq(art_reader_check_padding(r, i, &err), 0);
	}
	ck_assert_int_eq(art_reader_check_end(r, &err), 0);
	ck_assert_int_eq(art_blob_open_payload(&blob, r, 0, &err), 0);
	ck_assert_uint_eq(blob->size, size);
	ck_assert_msg(art_blob_read(blob, got, size, 0, &err) == 0, "%s", err.text);
	ck_assert(memcmp(got, expect, size) == 0);
	ck_assert_int_eq(art_sha256(expect, size, digest, &err), 0);
	ck_assert_mem_eq(art_reader_manifest(r)->payloads[0].sha256, digest, sizeof(digest));
	art_blob_free(blob);
	art_reader_free(r);
	art_source_free(src);
}

/* How many rows of each type the first segment has. */
static void count_rows(uint32_t count[4])
{
	struct art_source *src;
	struct art_reader *r = open_reader(&src);
	struct art_index *ix;
	struct art_row row;
	uint32_t i;

	memset(count, 0, 4 * sizeof(*count));
	ck_assert_int_eq(art_reader_open_index(r, 0, 0, &ix, &err), 0);
	for (i = 0; i < art_index_rows(ix); i++) {
		art_index_row(ix, i, &row);
		count[row.type]++;
	}
	art_index_free(ix);
	art_reader_free(r);
	art_source_free(src);
}

START_TEST(round_trip)
{
	struct art_write_options opt = options(2);
	uint32_t count[4];
	struct stat st;

	ck_assert_int_eq(write_image(IMAGE, NULL, &opt), 0);
	check_artifact(image, IMAGE);
	count_rows(count);
	ck_assert_uint_gt(count[ART_ROW_ZSTD], 80);
	ck_assert_uint_gt(count[ART_ROW_RAW], 100);
	ck_assert_uint_eq(count[ART_ROW_ZERO], 1);
	/* The megabyte that comes twice, but for what its borders cost. */
	ck_assert_uint_gt(count[ART_ROW_COPY], 20);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_uint_eq((uint64_t)st.st_size % 512, 0);
	ck_assert_int_eq(entries(), 1);
}
END_TEST

START_TEST(the_last_level)
{
	struct art_write_options opt = options(2);

	opt.level = ART_LEVEL_BEST;
	ck_assert_int_eq(ftruncate(fd, (off_t)ART_MIB), 0);
	ck_assert_int_eq(write_image(ART_MIB, NULL, &opt), 0);
	check_artifact(image, ART_MIB);
}
END_TEST

START_TEST(threads_do_not_show)
{
	static const unsigned int jobs[] = { 1, 2, 4, 7 };
	uint8_t digests[ART_ARRAY_SIZE(jobs)][ART_SHA256_LEN];
	size_t i, len;

	for (i = 0; i < ART_ARRAY_SIZE(jobs); i++) {
		struct art_write_options opt = options(jobs[i]);
		uint8_t *bytes;

		ck_assert_int_eq(write_image(IMAGE, NULL, &opt), 0);
		ck_assert_int_eq(art_read_file(path, 2 * IMAGE, &bytes, &len, &err), 0);
		ck_assert_int_eq(art_sha256(bytes, len, digests[i], &err), 0);
		ck_assert_mem_eq(digests[i], digests[0], ART_SHA256_LEN);
		free(bytes);
	}
}
END_TEST

START_TEST(small_images)
{
	static const size_t sizes[] = { 512, 4096, 4608, 40960 };
	struct art_write_options opt = options(3);
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(sizes); i++) {
		ck_assert_int_eq(ftruncate(fd, (off_t)sizes[i]), 0);
		put(image, sizes[i], 0);
		ck_assert_int_eq(write_image(sizes[i], NULL, &opt), 0);
		check_artifact(image, sizes[i]);
	}
	/* Nothing but zeros: no stored row at all. */
	memset(image, 0, IMAGE);
	put(image, IMAGE, 0);
	ck_assert_int_eq(write_image(IMAGE, NULL, &opt), 0);
	check_artifact(image, IMAGE);
}
END_TEST

START_TEST(free_regions_are_zero)
{
	struct art_region list[] = {
		{ 0, 2 * ART_MIB, ART_REGION_FILE },
		{ 2 * ART_MIB, 2 * ART_MIB, ART_REGION_FREE },
		{ 4 * ART_MIB, IMAGE - 4 * ART_MIB, ART_REGION_DATA },
	};
	const struct art_regions r = { ART_ARRAY_SIZE(list), list };
	struct art_write_options opt = options(2);

	ck_assert_int_eq(write_image(IMAGE, &r, &opt), 0);
	memset(image + 2 * ART_MIB, 0, 2 * ART_MIB);
	check_artifact(image, IMAGE);
}
END_TEST

/* Two segments, data across the first border; quick, because holes are not read. */
START_TEST(several_segments)
{
	uint64_t size = ART_GIB + 512 * 1024, at = ART_GIB - 100 * 1024;
	struct art_write_options opt = options(2);
	struct art_source *src;
	struct art_reader *r;
	const struct art_payload *p;
	struct art_blob *blob;

	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	put(image, 300 * 1024, at);
	put(image, 8192, size - 8192);
	ck_assert_int_eq(write_image(size, NULL, &opt), 0);
	r = open_reader(&src);
	p = &art_reader_manifest(r)->payloads[0];
	ck_assert_uint_eq(p->segment_count, 2);
	ck_assert_uint_eq(p->segments[1].size, 512 * 1024);
	ck_assert_int_eq(art_blob_open_payload(&blob, r, 0, &err), 0);
	ck_assert_int_eq(art_blob_read(blob, got, 400 * 1024, at - 50 * 1024, &err), 0);
	ck_assert(art_is_zero(got, 50 * 1024));
	ck_assert(memcmp(got + 50 * 1024, image, 300 * 1024) == 0);
	ck_assert(art_is_zero(got + 350 * 1024, 50 * 1024));
	ck_assert_int_eq(art_blob_read(blob, got, 8192, size - 8192, &err), 0);
	ck_assert(memcmp(got, image, 8192) == 0);
	art_blob_free(blob);
	art_reader_free(r);
	art_source_free(src);
}
END_TEST

/* More rows than an index holds at the usual size. */
START_TEST(many_rows)
{
	struct art_write_options opt = options(2);
	uint64_t off;

	opt.level = 1;
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)ART_GIB), 0);
	for (off = 0; off < ART_GIB; off += 36 * 1024)
		put(image, 4096, off);
	ck_assert_msg(write_image(ART_GIB, NULL, &opt) == 0, "%s", err.text);
}
END_TEST

START_TEST(documents_and_two_payloads)
{
	struct art_manifest *m = manifest();
	struct art_write_payload p[] = { { fd, "image", IMAGE, NULL, NULL }, { fd, "boot", ART_MIB, NULL, NULL } };
	struct art_write_doc docs[] = { { "NOTES.txt", (const uint8_t *)"news\n", 5 },
					{ "empty", (const uint8_t *)"", 0 } };
	struct art_write_options opt = options(2);
	struct art_source *src;
	struct art_reader *r;
	struct art_blob *blob;
	uint8_t *bytes;
	size_t len;

	m->payloads = realloc(m->payloads, 2 * sizeof(*m->payloads));
	memset(&m->payloads[1], 0, sizeof(m->payloads[1]));
	set(&m->payloads[1].name, "boot");
	set(&m->payloads[1].kind, "boot-image");
	set(&m->payloads[1].filesystem, "vfat");
	m->payload_count = 2;
	m->docs = calloc(2, sizeof(*m->docs));
	set(&m->docs[0].name, docs[0].name);
	set(&m->docs[1].name, docs[1].name);
	m->doc_count = 2;
	ck_assert_int_eq(art_write(path, m, p, docs, &opt, NULL, NULL, &err), 0);
	art_manifest_free(m);
	check_artifact(image, IMAGE);
	r = open_reader(&src);
	ck_assert_int_eq(art_blob_open_payload(&blob, r, 1, &err), 0);
	ck_assert_int_eq(art_blob_read(blob, got, ART_MIB, 0, &err), 0);
	ck_assert(memcmp(got, image, ART_MIB) == 0);
	ck_assert_int_eq(art_reader_doc(r, 0, &bytes, &len, &err), 0);
	ck_assert_uint_eq(len, 5);
	ck_assert_mem_eq(bytes, "news\n", 5);
	free(bytes);
	art_blob_free(blob);
	art_reader_free(r);
	art_source_free(src);
}
END_TEST

/* What happens to the image while it is read for the second time. */
static void put_into_zeros(void *ctx, uint64_t done, uint64_t total)
{
	(void)total;
	if (done < 4 * ART_MIB)
		put(ctx, 1, 7 * ART_MIB);
}

static void put_after(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	if (done == total)
		put("x", 1, ART_MIB);
}

static void cut_short(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	(void)done;
	(void)total;
	ck_assert_int_eq(ftruncate(fd, (off_t)(9 * ART_MIB)), 0);
}

START_TEST(source_changes)
{
	static const art_progress_fn changes[] = { put_into_zeros, put_after, cut_short };
	static char byte[] = "x";
	struct art_write_options opt = options(2);

	opt.progress = changes[_i];
	opt.progress_ctx = byte;
	ck_assert_int_eq(write_image(IMAGE, NULL, &opt), ART_E_SOURCE_CHANGED);
	ck_assert_int_eq(entries(), 0);
}
END_TEST

static int refuse(void *ctx, const uint8_t *bytes, size_t len, struct art_siglist *list,
		  struct art_err *e)
{
	(void)ctx;
	(void)list;
	ck_assert_uint_eq(len % 4096, 0);
	ck_assert(bytes[0] == '{');
	return art_fail(e, ART_E_KEY_BAD, "no");
}

START_TEST(failures_leave_nothing)
{
	struct art_write_options opt = options(2);
	struct art_manifest *m = manifest();
	struct art_write_payload p = { fd, "image", IMAGE, NULL, NULL };
	uint8_t *bytes;
	size_t len;

	/* What was there stays. */
	ck_assert_int_eq(write_image(4096, NULL, &opt), 0);
	ck_assert_int_eq(art_write(path, m, &p, NULL, &opt, refuse, NULL, &err), ART_E_KEY_BAD);
	ck_assert_int_eq(entries(), 1);
	check_artifact(image, 4096);
	unlink(path);
	/* A manifest that no reader would take is found before the compressing. */
	free(m->name);
	set(&m->name, "no/name");
	ck_assert_int_eq(art_write(path, m, &p, NULL, &opt, NULL, NULL, &err),
			 ART_E_MANIFEST_VALUE);
	ck_assert_int_eq(entries(), 0);
	art_manifest_free(m);
	ck_assert_int_lt(art_read_file(path, 1, &bytes, &len, &err), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("writer");
	TCase *t = tcase_create("writer");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, the_last_level);
	tcase_add_test(t, threads_do_not_show);
	tcase_add_test(t, small_images);
	tcase_add_test(t, free_regions_are_zero);
	tcase_add_test(t, several_segments);
	tcase_add_test(t, many_rows);
	tcase_add_test(t, documents_and_two_payloads);
	tcase_add_loop_test(t, source_changes, 0, 3);
	tcase_add_test(t, failures_leave_nothing);
	suite_add_tcase(s, t);
	return run_suite(s);
}
