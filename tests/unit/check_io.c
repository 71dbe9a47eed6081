// SPDX-License-Identifier: Apache-2.0
/* Files, pipes, names and hex: io.c, source.c and util.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "libartifact/io.h"
#include "libartifact/source.h"
#include "libartifact/util.h"
#include "tests/unit/run.h"

static char dir[64];

static void setup(void)
{
	strcpy(dir, "check_io.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void teardown(void)
{
	ck_assert_int_eq(chdir(".."), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void put_file(const char *path, const void *bytes, size_t len)
{
	struct art_out out = ART_OUT_INIT;
	int before = access(path, F_OK);
	struct art_err err;

	ck_assert_int_eq(art_out_open(&out, path, 0640, &err), 0);
	ck_assert_int_eq(art_write_full(out.fd, bytes, len, path, &err), 0);
	ck_assert_int_eq(access(path, F_OK), before);
	ck_assert_int_eq(art_out_commit(&out, &err), 0);
	art_out_abort(&out);
}

START_TEST(out_appears_complete)
{
	struct art_err err;
	struct stat st;
	uint8_t *bytes;
	size_t len;

	put_file("x", "hello", 5);
	ck_assert_int_eq(stat("x", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(art_read_file("x", 5, &bytes, &len, &err), 0);
	ck_assert_uint_eq(len, 5);
	ck_assert_str_eq((char *)bytes, "hello");
	free(bytes);
	ck_assert_int_eq(art_read_file("x", 4, &bytes, &len, &err), ART_E_IO);
	unlink("x");
}
END_TEST

START_TEST(out_abort_leaves_nothing)
{
	struct art_out out = ART_OUT_INIT;
	struct art_err err;

	ck_assert_int_eq(art_out_open(&out, "y", 0600, &err), 0);
	art_out_abort(&out);
	art_out_abort(&out);
	ck_assert_int_eq(art_out_open(&out, "no/such/y", 0600, &err), ART_E_IO);
	ck_assert_int_eq(err.sys_errno, ENOENT);
	/* The directory is removed by teardown only when it is empty. */
}
END_TEST

/* Whoever is killed while writing leaves nothing behind. */
START_TEST(out_has_no_name_before_commit)
{
	int can = open(".", O_TMPFILE | O_RDWR, 0600);
	struct art_out out = ART_OUT_INIT;
	struct art_err err;

	if (can < 0)
		return;
	close(can);
	put_file("z", "old", 3);
	ck_assert_int_eq(art_out_open(&out, "./z", 0600, &err), 0);
	ck_assert_int_eq(unlink("z"), 0);
	ck_assert_int_eq(chdir(".."), 0);
	/* Empty, or this would fail. */
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(chdir(dir), 0);
	art_out_abort(&out);
	put_file("z", "old", 3);
	put_file("./z", "newer", 5);
	ck_assert_int_eq(unlink("z"), 0);
}
END_TEST

/* The directory is removed by teardown only when it is empty. */
START_TEST(unnamed)
{
	char byte = 0;
	int fd = art_open_unnamed(".");

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(art_pwrite_full(fd, "x", 1, 7, "it", NULL), 0);
	ck_assert_int_eq(art_pread_full(fd, &byte, 1, 7, "it", NULL), 1);
	ck_assert_int_eq(byte, 'x');
	close(fd);
	ck_assert_int_eq(art_open_unnamed("no/such"), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(holes_are_skipped)
{
	enum { HOLE = 1024 * 1024, DATA = 4096, SIZE = 2 * HOLE + DATA };
	int fd = art_open_unnamed(".");
	uint8_t bytes[DATA] = { 0 };

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	/* Zeros that were written are none. */
	ck_assert_int_eq(art_pwrite_full(fd, bytes, DATA, HOLE, "it", NULL), 0);
	ck_assert_uint_eq(art_skip_hole(fd, HOLE + 5, SIZE), HOLE + 5);
	/* Not every filesystem has holes. */
	if (lseek(fd, 0, SEEK_DATA) == HOLE) {
		ck_assert_uint_eq(art_skip_hole(fd, 5, SIZE), HOLE);
		ck_assert_uint_eq(art_skip_hole(fd, 5, HOLE), HOLE);
		ck_assert_uint_eq(art_skip_hole(fd, 5, HOLE - 1), HOLE - 1);
		ck_assert_uint_eq(art_skip_hole(fd, HOLE + DATA, SIZE), SIZE);
	}
	close(fd);
	ck_assert_uint_eq(art_skip_hole(-1, 5, SIZE), 5);
}
END_TEST

/* By both ways: without a name until then, and with a hidden one. */
static int place(const char *path, bool named, struct art_err *err)
{
	struct art_out out = ART_OUT_INIT;
	char hidden[] = ".hidden.XXXXXX";
	int code;

	if (named) {
		out = (struct art_out){ mkostemp(hidden, O_CLOEXEC), strdup(path), strdup(hidden), true };
		ck_assert_int_ge(out.fd, 0);
	} else {
		ck_assert_int_eq(art_out_open(&out, path, 0640, err), 0);
	}
	ck_assert_int_eq(art_write_full(out.fd, "placed", 6, path, err), 0);
	code = art_out_place(&out, err);
	art_out_abort(&out);
	ck_assert_int_eq(access(hidden, F_OK), -1);
	return code;
}

START_TEST(out_is_placed_where_nothing_is)
{
	static const char *const names[] = { "there", "link", "directory" };
	char long_name[256];
	struct art_err err;
	uint8_t *bytes;
	size_t len, i;

	memset(long_name, 'n', 255);
	long_name[255] = '\0';
	ck_assert_int_eq(place(long_name, _i, &err), 0);
	ck_assert_int_eq(art_read_file(long_name, 9, &bytes, &len, &err), 0);
	ck_assert_str_eq((char *)bytes, "placed");
	free(bytes);
	put_file("there", "x", 1);
	ck_assert_int_eq(symlink("nothing", "link"), 0);
	ck_assert_int_eq(mkdir("directory", 0700), 0);
	for (i = 0; i < ART_ARRAY_SIZE(names); i++) {
		ck_assert_int_eq(place(names[i], _i, &err), ART_E_IO);
		ck_assert_int_eq(err.sys_errno, EEXIST);
	}
	ck_assert_int_eq(art_read_file("there", 9, &bytes, &len, &err), 0);
	ck_assert_str_eq((char *)bytes, "x");
	free(bytes);
	ck_assert_int_eq(unlink(long_name) + unlink("there") + unlink("link") + rmdir("directory"), 0);
}
END_TEST

START_TEST(out_is_no_device_link_or_input)
{
	struct art_err err;

	put_file("a", "a", 1);
	ck_assert_int_eq(link("a", "b"), 0);
	ck_assert_int_eq(symlink("a", "l"), 0);
	ck_assert_int_eq(art_out_check("a", &err), 0);
	ck_assert_int_eq(art_out_check("nothing", &err), 0);
	ck_assert_int_eq(art_out_check("l", &err), ART_E_USAGE);
	ck_assert_int_eq(art_out_check("/dev/null", &err), ART_E_USAGE);
	ck_assert_int_eq(art_out_check(".", &err), ART_E_USAGE);
	ck_assert_int_eq(art_out_check_input("a", "nothing", &err), 0);
	ck_assert_int_eq(art_out_check_input("nothing", "a", &err), 0);
	ck_assert_int_eq(art_out_check_input("a", NULL, &err), 0);
	ck_assert_int_eq(art_out_check_input("a", "/dev/null", &err), 0);
	ck_assert_int_eq(art_out_check_input("a", "./b", &err), ART_E_USAGE);
	ck_assert_int_eq(art_out_check_input("a", "l", &err), ART_E_USAGE);
	ck_assert_int_eq(unlink("a") + unlink("b") + unlink("l"), 0);
}
END_TEST

START_TEST(write_past_a_full_device)
{
	struct art_err err;
	int fd = open("/dev/full", O_WRONLY);

	ck_assert_int_eq(art_write_full(fd, "x", 1, "/dev/full", &err), ART_E_SPACE);
	ck_assert_int_eq(art_pwrite_full(fd, "x", 1, 9, "/dev/full", &err), ART_E_SPACE);
	close(fd);
	ck_assert_int_eq(art_write_full(-1, "x", 1, "nothing", &err), ART_E_IO);
	ck_assert_int_eq(art_read_full(-1, dir, 1, "nothing", &err), ART_E_IO);
	ck_assert_int_eq(art_pread_full(-1, dir, 1, 0, "nothing", &err), ART_E_IO);
}
END_TEST

static uint8_t pattern[700000];

static void fill_pattern(void)
{
	size_t i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + i / 251);
}

static void expect(struct art_source *src, uint64_t off, size_t len)
{
	static uint8_t buf[sizeof(pattern)];
	struct art_err err;

	ck_assert_int_eq(art_source_read(src, off, buf, len, &err), 0);
	ck_assert_mem_eq(buf, pattern + off, len);
}

START_TEST(source_seeks_in_a_file)
{
	struct art_source *src;
	struct art_err err;
	uint8_t byte;

	fill_pattern();
	put_file("p", pattern, sizeof(pattern));
	ck_assert_int_eq(art_source_open_path(&src, "p", &err), 0);
	ck_assert(src->can_seek);
	ck_assert_uint_eq(src->size, sizeof(pattern));
	expect(src, 0, sizeof(pattern));
	expect(src, 699999, 1);
	expect(src, 5, 300000);
	ck_assert_int_eq(art_source_read(src, 700000, &byte, 1, &err), ART_E_TAR_TRUNCATED);
	ck_assert_int_eq(art_source_read(src, 699999, &byte, 2, &err), ART_E_TAR_TRUNCATED);
	art_source_free(src);
	unlink("p");
	ck_assert_int_eq(art_source_open_path(&src, "p", &err), ART_E_IO);
	ck_assert_int_eq(art_source_open_path(&src, ".", &err), ART_E_IO);
}
END_TEST

START_TEST(source_reads_a_pipe_forward)
{
	struct art_source *src;
	struct art_err err;
	uint8_t byte;
	int fd[2];

	fill_pattern();
	ck_assert_int_eq(pipe(fd), 0);
	if (fork() == 0) {
		close(fd[0]);
		_exit(art_write_full(fd[1], pattern, sizeof(pattern), "pipe", NULL) ? 1 : 0);
	}
	close(fd[1]);
	ck_assert_int_eq(art_source_open_fd(&src, fd[0], "pipe", &err), 0);
	ck_assert(!src->can_seek);
	ck_assert_uint_eq(src->size, UINT64_MAX);
	expect(src, 0, 512);
	expect(src, 512, 300000);
	expect(src, 600000, 10); /* over a gap longer than the look-ahead */
	ck_assert_int_eq(art_source_read(src, 100, &byte, 1, &err), ART_E_FAILED);
	expect(src, 699999, 1);
	ck_assert_int_eq(art_source_read(src, 800000, &byte, 1, &err), ART_E_TAR_TRUNCATED);
	art_source_free(src);
}
END_TEST

START_TEST(source_of_memory)
{
	struct art_source *src;
	struct art_err err;
	uint8_t byte;

	fill_pattern();
	ck_assert_int_eq(art_source_open_memory(&src, pattern, 1000, &err), 0);
	expect(src, 990, 10);
	ck_assert_int_eq(art_source_read(src, 999, &byte, 1, &err), 0);
	ck_assert_int_eq(art_source_read(src, 1000, &byte, 1, &err), ART_E_TAR_TRUNCATED);
	ck_assert_int_eq(art_source_read(src, UINT64_MAX, &byte, 1, &err),
			 ART_E_TAR_TRUNCATED);
	art_source_free(src);
	art_source_free(NULL);
}
END_TEST

START_TEST(hex_and_names)
{
	uint8_t bytes[3];
	char text[7];

	ck_assert_int_eq(art_hex_parse(bytes, 3, "00ff7a"), 0);
	art_hex_format(text, bytes, 3);
	ck_assert_str_eq(text, "00ff7a");
	ck_assert_int_eq(art_hex_parse(bytes, 3, "00fF7a"), -1);
	ck_assert_int_eq(art_hex_parse(bytes, 3, "00ff7"), -1);
	ck_assert_int_eq(art_hex_parse(bytes, 3, "00ff7a0"), -1);
	ck_assert_int_eq(art_hex_parse(bytes, 3, ""), -1);
	ck_assert(art_is_zero("\0\0\0", 3));
	ck_assert(!art_is_zero("\0\0\1", 3));
	ck_assert(!art_is_zero("\1\1\1", 3));
	ck_assert(art_is_zero("x", 0));
	ck_assert(art_is_name("abc", 3, NULL, ART_LOWER));
	ck_assert(!art_is_name("abcd", 3, NULL, ART_LOWER));
	ck_assert(!art_is_name("", 3, NULL, ART_LOWER));
	ck_assert(!art_is_name("-a", 3, ART_LOWER, ART_LOWER "-"));
	ck_assert(!art_is_name("a_", 3, ART_LOWER, ART_LOWER "-"));
}
END_TEST

START_TEST(errors)
{
	struct art_err err;

	errno = ENOSPC;
	ck_assert_int_eq(art_fail_errno(&err, ART_E_IO, "x"), ART_E_SPACE);
	errno = ENOMEM;
	ck_assert_int_eq(art_fail_errno(NULL, ART_E_IO, "x"), ART_E_NO_MEMORY);
	art_fail(&err, ART_E_TAR_NAME, "inner %d", 1);
	ck_assert_int_eq(art_wrap(&err, "outer"), ART_E_TAR_NAME);
	ck_assert_str_eq(err.text, "outer: inner 1");
	ck_assert_int_eq(art_wrap(NULL, "outer"), ART_E_FAILED);
	ck_assert_str_eq(art_code_name(0), "ok");
	ck_assert_str_eq(art_code_name(ART_E_NET_RANGE), "net-range");
	ck_assert_str_eq(art_code_name(-1000), "failed");
	ck_assert_int_eq(art_code_exit(0), 0);
	ck_assert_int_eq(art_code_exit(ART_E_SIG_NONE), 4);
	ck_assert_int_eq(art_code_exit(-1000), 1);
	ck_assert_int_eq(art_code_exit(5), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("io");
	TCase *t = tcase_create("io");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, out_appears_complete);
	tcase_add_test(t, out_abort_leaves_nothing);
	tcase_add_loop_test(t, out_is_placed_where_nothing_is, 0, 2);
	tcase_add_test(t, out_is_no_device_link_or_input);
	tcase_add_test(t, write_past_a_full_device);
	tcase_add_test(t, source_seeks_in_a_file);
	tcase_add_test(t, source_reads_a_pipe_forward);
	tcase_add_test(t, source_of_memory);
	tcase_add_test(t, hex_and_names);
	tcase_add_test(t, errors);
	tcase_add_test(t, out_has_no_name_before_commit);
	tcase_add_test(t, unnamed);
	tcase_add_test(t, holes_are_skipped);
	suite_add_tcase(s, t);
	return run_suite(s);
}
