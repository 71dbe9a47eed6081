// SPDX-License-Identifier: Apache-2.0
/* Layout of ext4 images (ext4_map.c, map.c) and detection (detect.c). */
#include "libartifact/fs/map.h"
#include "tests/unit/fs_util.h"
#include "tests/unit/run.h"

#define FILES 40

static void setup(void)
{
	dir_make();
	sh("mkdir -p t/d; i=0; while [ $i -lt %d ]; do"
	   " head -c $((i * 3000)) /dev/zero | tr '\\0' \"$(printf \"\\\\$(printf %%o $((i + 48)))\")\""
	   " > t/d/f$i; i=$((i + 1)); done;"
	   " truncate -s 3M t/sparse; printf end >> t/sparse",
	   FILES);
}

static struct art_regions regions_of(struct art_blob *blob, const char *fs)
{
	struct art_regions r;
	struct art_err err = { 0 };
	uint64_t pos = 0;
	size_t i;

	ck_assert_msg(art_fs_regions(blob, fs, &r, &err) == 0, "%s", err.text);
	for (i = 0; i < r.count; i++) {
		ck_assert_uint_eq(r.list[i].offset, pos);
		ck_assert_uint_gt(r.list[i].length, 0);
		pos += r.list[i].length;
	}
	ck_assert_uint_eq(pos, blob->size);
	return r;
}

/* A FILE region's bytes are one of our files from its start: the letter says which, and so how long. Files of ext2
 * (WHOLE is false) have indirect blocks in the middle. */
static void check_file_region(struct art_blob *blob, const struct art_region *r, bool whole,
			      int *files)
{
	uint8_t *bytes = malloc(r->length);
	size_t size, i;

	ck_assert_int_eq(art_blob_read(blob, bytes, r->length, r->offset, NULL), 0);
	size = (size_t)(bytes[0] - 48) * 3000;
	ck_assert_uint_gt(size, 16384);
	if (whole)
		ck_assert_uint_eq(r->length, art_round_up(size, 1024 << (r->length % 4096 ? 0 : 2)));
	else if (size > r->length)
		size = r->length - 1023;
	ck_assert_uint_le(size, r->length);
	for (i = 0; i < size; i++)
		ck_assert_uint_eq(bytes[i], bytes[0]);
	(*files)++;
	free(bytes);
}

/* What is called free can be anything: fill it with rubbish, and the filesystem is still whole. */
static void spoil_free(int fd, const struct art_regions *r)
{
	uint8_t rubbish[65536];
	size_t i;

	memset(rubbish, 0xa5, sizeof(rubbish));
	for (i = 0; i < r->count; i++) {
		uint64_t off = r->list[i].offset, end = off + r->list[i].length;

		for (; r->list[i].type == ART_REGION_FREE && off < end; off += 1024)
			ck_assert_int_eq(pwrite(fd, rubbish, 1024, (off_t)off), 1024);
	}
}

static void check_layout(const char *options, bool whole)
{
	struct art_regions r;
	struct art_blob *blob;
	int fd, files = 0;
	size_t i, free_bytes = 0, small = 0;

	sh("rm -f i; truncate -s 24M i; mke2fs -q -F %s -d t i", options);
	fd = image_open("i", &blob);
	ck_assert_str_eq(art_fs_detect(blob), "ext4");
	ck_assert_uint_eq(art_fs_size(blob, "ext4"), 24 << 20);
	r = regions_of(blob, "ext4");
	for (i = 0; i < r.count; i++) {
		if (r.list[i].type == ART_REGION_FILE)
			check_file_region(blob, &r.list[i], whole, &files);
		if (r.list[i].type == ART_REGION_FREE)
			free_bytes += r.list[i].length;
		if (r.list[i].type == ART_REGION_SMALL)
			small += r.list[i].length;
	}
	ck_assert_int_ge(files, whole ? FILES - 6 : FILES / 2); /* f0 .. f5 are not above 16 KiB */
	ck_assert_uint_gt(small, 5 * 3000);
	ck_assert_uint_gt(free_bytes, 10 << 20);
	spoil_free(fd, &r);
	sh("e2fsck -fn i > log 2>&1 || { cat log; false; }");
	sh("rm -rf o; mkdir o; debugfs -R 'rdump / o' i 2>/dev/null; rm -rf o/lost+found; diff -r t o");
	free(r.list);
	art_blob_free(blob);
	close(fd);
}

START_TEST(layout_ext4)
{
	check_layout("-t ext4 -b 4096", true);
}
END_TEST

START_TEST(layout_ext4_1k)
{
	check_layout("-t ext4 -b 1024 -O ^metadata_csum,^64bit,^flex_bg", true);
}
END_TEST

START_TEST(layout_ext2)
{
	check_layout("-t ext2 -b 1024", false);
}
END_TEST

/* The first revision: no features, and inodes from 11 on are files whatever the superblock says. */
START_TEST(layout_ext2_old)
{
	check_layout("-t ext2 -b 1024 -r 0", false);
}
END_TEST

START_TEST(layout_sparse_super2)
{
	check_layout("-t ext4 -b 4096 -O sparse_super2,meta_bg,^resize_inode", true);
}
END_TEST

static void expect_unknown(struct art_blob *blob)
{
	struct art_regions r = regions_of(blob, "ext4");

	ck_assert_uint_eq(r.count, 1);
	ck_assert_int_eq(r.list[0].type, ART_REGION_DATA);
	free(r.list);
}

START_TEST(unclean)
{
	static const struct {
		off_t at;
		uint8_t clear, set;
	} cases[] = {
		{ 1024 + 96, 0, 4 }, /* needs recovery */
		{ 1024 + 58, 1, 0 }, /* not unmounted cleanly */
		{ 1024 + 58, 0, 2 }, /* errors seen */
	};
	struct art_blob *blob;
	size_t i;
	int fd;

	sh("truncate -s 8M i; mke2fs -q -F -t ext4 -O ^metadata_csum -d t i");
	fd = image_open("i", &blob);
	for (i = 0; i < ART_ARRAY_SIZE(cases); i++) {
		struct art_regions r = regions_of(blob, "ext4");
		uint8_t byte, changed;

		ck_assert_uint_gt(r.count, 10);
		free(r.list);
		ck_assert_int_eq(pread(fd, &byte, 1, cases[i].at), 1);
		changed = (uint8_t)((byte & ~cases[i].clear) | cases[i].set);
		ck_assert_int_eq(pwrite(fd, &changed, 1, cases[i].at), 1);
		expect_unknown(blob);
		ck_assert_int_eq(pwrite(fd, &byte, 1, cases[i].at), 1);
	}
	art_blob_free(blob);
	close(fd);
}
END_TEST

START_TEST(damaged)
{
	static const uint8_t rubbish[4096] = { 1, 2, 3 };
	struct art_blob *blob;
	int fd;

	sh("truncate -s 8M i; mke2fs -q -F -t ext4 -b 4096 -d t i");
	fd = image_open("i", &blob);
	ck_assert_int_eq(pwrite(fd, rubbish, sizeof(rubbish), 4096), 4096); /* descriptors */
	expect_unknown(blob);
	art_blob_free(blob);
	close(fd);
	/* Cut off, and with bytes after its end. */
	sh("mke2fs -q -F -t ext4 -b 4096 -d t i; cp i j; truncate -s 7M i; truncate -s 9M j");
	fd = image_open("i", &blob);
	expect_unknown(blob);
	art_blob_free(blob);
	close(fd);
	fd = image_open("j", &blob);
	{
		struct art_regions r = regions_of(blob, "ext4");

		ck_assert_int_eq(r.list[r.count - 1].type, ART_REGION_DATA);
		ck_assert_uint_eq(r.list[r.count - 1].offset, 8 << 20);
		free(r.list);
	}
	art_blob_free(blob);
	close(fd);
}
END_TEST

static struct art_regions regions_in(const char *name)
{
	struct art_blob *blob;
	int fd = image_open(name, &blob);
	struct art_regions r = regions_of(blob, "ext4");

	art_blob_free(blob);
	close(fd);
	return r;
}

static enum art_region_type type_at(const struct art_regions *r, uint64_t off)
{
	size_t i = 0;

	while (i < r->count && r->list[i].offset + r->list[i].length <= off)
		i++;
	ck_assert_uint_lt(i, r->count);
	return r->list[i].type;
}

/* In use by the bitmap is in use, though no file and no table has it. */
START_TEST(unclaimed)
{
	struct art_regions r;
	const uint64_t at = 6000 * 1024;

	sh("truncate -s 8M i; mke2fs -q -F -t ext2 -b 1024 -d t i");
	r = regions_in("i");
	ck_assert_int_eq(type_at(&r, at), ART_REGION_FREE);
	free(r.list);
	sh("debugfs -w -R 'setb 6000 10' i 2>/dev/null");
	r = regions_in("i");
	ck_assert_int_eq(type_at(&r, at - 1), ART_REGION_FREE);
	ck_assert_int_eq(type_at(&r, at), ART_REGION_META);
	ck_assert_int_eq(type_at(&r, at + 10 * 1024 - 1), ART_REGION_META);
	ck_assert_int_eq(type_at(&r, at + 10 * 1024), ART_REGION_FREE);
	free(r.list);
}
END_TEST

/* What a file claims counts, and no file has a block outside. */
START_TEST(blocks_out_of_place)
{
	struct art_regions r;

	sh("truncate -s 8M i; mke2fs -q -F -t ext2 -b 1024 -d t i; debugfs -w -R 'sif /d/f1 block[0] 8191' i 2>/dev/null");
	r = regions_in("i");
	ck_assert_int_eq(type_at(&r, 8190 * 1024), ART_REGION_FREE);
	ck_assert_int_eq(type_at(&r, 8191 * 1024), ART_REGION_SMALL);
	free(r.list);
	/* And bytes after the filesystem, which nobody judges. */
	sh("truncate -s 9M i");
	r = regions_in("i");
	ck_assert_int_eq(type_at(&r, 8191 * 1024), ART_REGION_SMALL);
	ck_assert_int_eq(type_at(&r, 8192 * 1024), ART_REGION_DATA);
	free(r.list);
	sh("truncate -s 8M i; debugfs -w -R 'sif /d/f1 block[0] 8192' i 2>/dev/null");
	r = regions_in("i");
	ck_assert_uint_eq(r.count, 1);
	ck_assert_int_eq(r.list[0].type, ART_REGION_DATA);
	free(r.list);
}
END_TEST

/* An image that ends within a block. */
START_TEST(odd_end)
{
	struct art_regions r;

	sh("truncate -s 8M i; mke2fs -q -F -t ext4 -b 4096 -d t i; truncate -s $((8 * 1024 * 1024 + 512)) i");
	r = regions_in("i");
	ck_assert_uint_gt(r.count, 10);
	ck_assert_int_eq(r.list[r.count - 1].type, ART_REGION_DATA);
	ck_assert_uint_eq(r.list[r.count - 1].offset, 8 << 20);
	ck_assert_uint_eq(r.list[r.count - 1].length, 512);
	free(r.list);
}
END_TEST

START_TEST(detection)
{
	struct art_regions r;
	struct art_blob *blob;
	int fd;

	sh("truncate -s 1000 short; truncate -s 1M zero");
	fd = image_open("short", &blob);
	ck_assert_ptr_null(art_fs_detect(blob));
	ck_assert_uint_eq(art_fs_size(blob, "ext4"), 0);
	art_blob_free(blob);
	close(fd);
	fd = image_open("zero", &blob);
	ck_assert_ptr_null(art_fs_detect(blob));
	r = regions_of(blob, NULL);
	ck_assert_uint_eq(r.count, 1);
	free(r.list);
	art_blob_free(blob);
	close(fd);
	sh("mksquashfs t q -quiet -no-progress >/dev/null");
	fd = image_open("q", &blob);
	ck_assert_str_eq(art_fs_detect(blob), "squashfs");
	ck_assert_uint_le(art_fs_size(blob, "squashfs"), blob->size);
	ck_assert_uint_gt(art_fs_size(blob, "squashfs"), blob->size - 4096);
	art_blob_free(blob);
	close(fd);
}
END_TEST

static void expect_cover(struct art_map *map, const struct art_region *want, size_t count)
{
	struct art_regions r;
	size_t i;

	ck_assert_int_eq(art_map_cover(map, 100, NULL, NULL, &r, NULL), 0);
	ck_assert_uint_eq(r.count, count);
	for (i = 0; i < r.count; i++) {
		ck_assert_uint_eq(r.list[i].offset, want[i].offset);
		ck_assert_uint_eq(r.list[i].length, want[i].length);
		ck_assert_int_eq(r.list[i].type, want[i].type);
	}
	free(r.list);
}

/* Overlaps are clipped, gaps filled, neighbours merged. */
START_TEST(cover)
{
	static const struct art_region want[] = {
		{ 0, 10, ART_REGION_META },  { 10, 20, ART_REGION_FILE },
		{ 30, 10, ART_REGION_FILE }, { 40, 20, ART_REGION_SMALL },
		{ 60, 40, ART_REGION_META },
	};
	struct art_map map = { NULL, 0, 0 };

	ck_assert_int_eq(art_map_add(&map, 50, 10, ART_REGION_SMALL, NULL), 0);
	ck_assert_int_eq(art_map_add(&map, 25, 15, ART_REGION_FILE, NULL), 0);
	ck_assert_int_eq(art_map_add(&map, 10, 20, ART_REGION_FILE, NULL), 0);
	ck_assert_int_eq(art_map_add(&map, 12, 3, ART_REGION_META, NULL), 0);
	ck_assert_int_eq(art_map_add(&map, 40, 10, ART_REGION_SMALL, NULL), 0);
	ck_assert_int_eq(art_map_add(&map, 90, UINT64_MAX - 90, ART_REGION_META, NULL), 0);
	ck_assert_int_eq(art_map_add(&map, 200, 10, ART_REGION_FILE, NULL), 0);
	expect_cover(&map, want, ART_ARRAY_SIZE(want));
}
END_TEST

/* Of two that begin alike the longer one, and of two alike the first type, whatever came first. */
START_TEST(cover_alike)
{
	static const struct art_region want[] = {
		{ 0, 20, ART_REGION_FILE }, { 20, 30, ART_REGION_SMALL }, { 50, 50, ART_REGION_FILE },
	};
	static const struct art_region all = { 0, 100, ART_REGION_META };
	struct art_map map = { NULL, 0, 0 };
	int i;

	for (i = 0; i < 2; i++) {
		const struct art_region some[] = { { 0, 10, ART_REGION_META }, { 0, 20, ART_REGION_FILE },
						   { 20, 30, ART_REGION_META }, { 20, 30, ART_REGION_SMALL },
						   { 50, UINT64_MAX - 20, ART_REGION_FILE }, { 70, 0, ART_REGION_META } };
		size_t k, n = ART_ARRAY_SIZE(some);

		for (k = 0; k < n; k++) {
			const struct art_region *r = &some[i ? n - 1 - k : k];

			ck_assert_int_eq(art_map_add(&map, r->offset, r->length, r->type, NULL), 0);
		}
		expect_cover(&map, want, ART_ARRAY_SIZE(want));
	}
	expect_cover(&map, &all, 1);
	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(art_map_add(&map, (uint64_t)(999 - i) / 10, 1, ART_REGION_META, NULL), 0);
	expect_cover(&map, &all, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ext4");
	TCase *tests = tcase_create("ext4");

	tcase_add_checked_fixture(tests, setup, dir_remove);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, layout_ext4);
	tcase_add_test(tests, layout_ext4_1k);
	tcase_add_test(tests, layout_ext2);
	tcase_add_test(tests, layout_ext2_old);
	tcase_add_test(tests, layout_sparse_super2);
	tcase_add_test(tests, unclaimed);
	tcase_add_test(tests, blocks_out_of_place);
	tcase_add_test(tests, odd_end);
	tcase_add_test(tests, unclean);
	tcase_add_test(tests, damaged);
	tcase_add_test(tests, detection);
	tcase_add_test(tests, cover);
	tcase_add_test(tests, cover_alike);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
