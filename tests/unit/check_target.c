// SPDX-License-Identifier: Apache-2.0
/* Gathered writes: whatever their lengths, gaps and order, the partition holds what was written and nothing else. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "installer/target.h"
#include "libartifact/io.h"
#include "tests/unit/run.h"

#define SIZE (16 * 1024 * 1024)
#define MIB ((size_t)1024 * 1024)

static char path[] = "check_target-XXXXXX";
static struct slot_part part;
static struct target target;
static struct art_err err;
static uint8_t want[SIZE], got[SIZE];
static uint64_t seed;

static size_t draw(size_t limit)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (size_t)(seed >> 33) % limit;
}

static void setup(void)
{
	struct stat st;
	int fd;

	strcpy(path, "check_target-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	memset(want, 0x55, sizeof(want));
	ck_assert_int_eq(art_pwrite_full(fd, want, SIZE, 0, path, &err), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	close(fd);
	part = (struct slot_part){ .payload = "rootfs", .path = path, .file_device = st.st_dev,
				   .file_inode = st.st_ino, .size = SIZE };
	ck_assert_int_eq(target_open(&target, &part, &err), 0);
	seed = 1;
}

static void teardown(void)
{
	target_close(&target);
	unlink(path);
}

static void write_some(size_t off, size_t len)
{
	bool in_place = draw(2) == 0;
	uint8_t *room;
	size_t i;

	for (i = off; i < off + len; i++)
		want[i] = (uint8_t)draw(256);
	if (!in_place) {
		ck_assert_int_eq(target_write(&target, want + off, len, off, &err), 0);
		return;
	}
	ck_assert_int_eq(target_room(&target, off, len, &room, &err), 0);
	memcpy(room, want + off, len);
	ck_assert_int_eq(target_fill(&target, len, &err), 0);
}

static void holds_what_was_written(void)
{
	ck_assert_int_eq(target_flush(&target, &err), 0);
	ck_assert_int_eq(art_pread_full(target.fd, got, SIZE, 0, path, &err), SIZE);
	ck_assert_mem_eq(got, want, SIZE);
}

START_TEST(in_order)
{
	size_t off, len;

	seed += (uint64_t)_i;
	off = draw(2) * draw(5000);
	for (; off < SIZE; off += len) {
		len = draw(4) == 0 ? draw(MIB) + 1 : draw(40000) + 1;
		len = len < SIZE - off ? len : SIZE - off;
		write_some(off, len);
	}
	holds_what_was_written();
}
END_TEST

START_TEST(with_gaps_and_back)
{
	size_t i, off = 0, len;

	seed += (uint64_t)_i;
	for (i = 0; i < 200; i++) {
		len = draw(100000) + 1;
		off = draw(3) == 0 ? draw(SIZE) : off + draw(2) * draw(9000);
		off = off < SIZE - len ? off : SIZE - len;
		write_some(off, len);
		off += len;
	}
	holds_what_was_written();
}
END_TEST

/* Room that was asked for and not filled: a seed that had something else. */
START_TEST(room_not_filled)
{
	uint8_t *room;

	write_some(0, 1000);
	ck_assert_int_eq(target_room(&target, 1000, MIB, &room, &err), 0);
	memset(room, 0xff, MIB);
	write_some(3000, 1000);
	ck_assert_int_eq(target_room(&target, 4000, 1000, &room, &err), 0);
	memset(room, 0xff, 1000);
	holds_what_was_written();
}
END_TEST

/* The largest at once, to the last byte; not one byte more. */
START_TEST(ends)
{
	uint8_t *room;

	write_some(SIZE - MIB, MIB);
	ck_assert_int_eq(target_write(&target, want, 1, SIZE, &err), ART_E_FAILED);
	ck_assert_int_eq(target_write(&target, want, 2, SIZE - 1, &err), ART_E_FAILED);
	ck_assert_int_eq(target_room(&target, 0, MIB + 1, &room, &err), ART_E_FAILED);
	ck_assert_int_eq(target_room(&target, UINT64_MAX, 1, &room, &err), ART_E_FAILED);
	holds_what_was_written();
}
END_TEST

/* What cannot be written is said when it is: at a boundary, else when it is flushed. */
START_TEST(failing_writes)
{
	close(target.fd);
	target.fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(target.fd, 0);
	memset(got, 1, sizeof(got));
	ck_assert_int_eq(target_write(&target, got, 1000, 0, &err), 0);
	ck_assert_int_eq(target_write(&target, got, MIB, 1000, &err), ART_E_IO);
	ck_assert_int_eq(target_flush(&target, &err), ART_E_IO);
	ck_assert_int_eq(target_write(&target, got, 1000, 0, &err), 0);
	ck_assert_int_eq(target_sync(&target, &err), ART_E_IO);
	ck_assert_int_eq(target_sync(&target, &err), 0);
	holds_what_was_written();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("target");
	TCase *t = tcase_create("target");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, in_order, 0, 8);
	tcase_add_loop_test(t, with_gaps_and_back, 0, 8);
	tcase_add_test(t, room_not_filled);
	tcase_add_test(t, ends);
	tcase_add_test(t, failing_writes);
	suite_add_tcase(s, t);
	return run_suite(s);
}
