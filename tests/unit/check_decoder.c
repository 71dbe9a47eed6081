// SPDX-License-Identifier: Apache-2.0
/* The decoder child: it decodes in order, dies alone, and is not believed. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <zstd.h>

#include <check.h>

#include "installer/decoder.h"
#include "installer/lockdown.h"
#include "libartifact/chunk.h"
#include "tests/unit/run.h"

#define CHUNK 20000
#define ROWS 300

static uint8_t image[ROWS * CHUNK];
static uint8_t plain[ART_CHUNK_MAX];
static struct decoder *decoder;
static ZSTD_CCtx *cctx;

static void setup(void)
{
	struct art_err err;
	size_t i;

	for (i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)(i * i >> 7 ^ i / 3000);
	cctx = ZSTD_createCCtx();
	ck_assert_int_eq(decoder_start(&decoder, 65536, &err), 0);
}

static void teardown(void)
{
	decoder_free(decoder);
	ZSTD_freeCCtx(cctx);
}

static struct art_row make_row(uint32_t i, uint8_t *room)
{
	struct art_row row = { .type = ART_ROW_ZSTD, .number = i, .plain_len = CHUNK };
	uint32_t first = i - i % 100;
	size_t prefix = (size_t)(i - first) * CHUNK;
	uint8_t digest[ART_SHA256_LEN];

	if (prefix > 65536)
		prefix = 65536;
	row.group_start = i == first;
	ZSTD_CCtx_refPrefix(cctx, image + i * CHUNK - prefix, prefix);
	row.stored_len = (uint32_t)ZSTD_compress2(cctx, room, ART_CHUNK_MAX, image + i * CHUNK,
						  CHUNK);
	ck_assert_int_eq(art_sha256(image + i * CHUNK, CHUNK, digest, NULL), 0);
	memcpy(row.plain_digest, digest, ART_PLAIN_DIGEST);
	return row;
}

static int take(uint32_t *next)
{
	struct art_row row;
	struct art_err err;
	bool fed;
	int code = decoder_result(decoder, &row, plain, &fed, &err);

	if (code < 0)
		return code;
	ck_assert_uint_eq(row.number, *next);
	ck_assert_int_eq(fed, row.number % 5 == 3);
	if (!fed)
		ck_assert_mem_eq(plain, image + row.number * CHUNK, CHUNK);
	(*next)++;
	return 0;
}

START_TEST(decodes_in_order)
{
	uint32_t i, next = 0;
	struct art_row row;
	struct art_err err;

	for (i = 0; i < ROWS; i++) {
		while (!decoder_room(decoder))
			ck_assert_int_eq(take(&next), 0);
		row = make_row(i, decoder_room(decoder));
		if (i % 5 == 3)
			memcpy(decoder_room(decoder), image + i * CHUNK, CHUNK);
		ck_assert_int_eq(decoder_submit(decoder, &row, i % 5 == 3, &err), 0);
	}
	while (decoder_pending(decoder))
		ck_assert_int_eq(take(&next), 0);
	ck_assert_uint_eq(next, ROWS);
	ck_assert_int_eq(take(&next), ART_E_FAILED);
}
END_TEST

START_TEST(is_not_believed)
{
	uint32_t next = 0;
	struct art_err err;
	struct art_row row = make_row(0, decoder_room(decoder));

	row.plain_digest[15] ^= 1;
	ck_assert_int_eq(decoder_submit(decoder, &row, false, &err), 0);
	ck_assert_int_eq(take(&next), ART_E_CHUNK_PLAIN);
	row = make_row(0, decoder_room(decoder));
	row.plain_len++;
	ck_assert_int_eq(decoder_submit(decoder, &row, false, &err), 0);
	ck_assert_int_eq(take(&next), ART_E_CHUNK_DECODE);
	row.type = ART_ROW_COPY;
	ck_assert_int_eq(decoder_submit(decoder, &row, false, &err), ART_E_FAILED);
}
END_TEST

/* The only child of this process. */
static pid_t child_of_mine(void)
{
	char path[64];
	FILE *f;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%d", &pid), 1);
	fclose(f);
	return pid;
}

static void expect_line(pid_t pid, const char *line)
{
	char path[64], have[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(have, sizeof(have), f))
		found = found || strcmp(have, line) == 0;
	fclose(f);
	ck_assert_msg(found, "no %s", line);
}

START_TEST(is_locked_up)
{
	uint32_t next = 0;
	struct art_err err;
	struct art_row row = make_row(0, decoder_room(decoder));
	char path[64];
	struct dirent *e;
	int open_files = 0;
	pid_t pid = child_of_mine();
	DIR *dir;

	/* Once it has answered it is past the door. */
	ck_assert_int_eq(decoder_submit(decoder, &row, false, &err), 0);
	ck_assert_int_eq(take(&next), 0);
	expect_line(pid, "Seccomp:\t1\n");
	expect_line(pid, "NoNewPrivs:\t1\n");
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while ((e = readdir(dir)) != NULL)
		open_files += e->d_name[0] != '.';
	closedir(dir);
	ck_assert_int_eq(open_files, 1);
}
END_TEST

static void allow_all(void)
{
	struct sock_filter rule = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .len = 1, .filter = &rule };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* As a unit of systemd with RestrictRealtime=yes or a container is: the kernel refuses strict mode there. */
START_TEST(works_under_a_filter)
{
	uint32_t next = 0;
	struct decoder *mine;
	struct art_err err;
	struct art_row row;
	pid_t pid;

	decoder_free(decoder);
	decoder = NULL;
	allow_all();
	ck_assert_int_eq(decoder_start(&mine, 65536, &err), 0);
	decoder = mine;
	pid = child_of_mine();
	row = make_row(0, decoder_room(decoder));
	ck_assert_int_eq(decoder_submit(decoder, &row, false, &err), 0);
	ck_assert_int_eq(take(&next), 0);
	expect_line(pid, "Seccomp:\t2\n");
	expect_line(pid, "Seccomp_filters:\t2\n");
}
END_TEST

/* What is left and what is not, in either mode. How a child ends that has tried a call: the signal, or minus its status. */
static int try_call(int (*shut)(void), long number, long a, const char *b, long c)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (shut() < 0)
			_exit(99);
		syscall(number, a, b, c);
		syscall(SYS_exit, 7);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

START_TEST(the_filter_leaves_four_calls)
{
	int killed[2] = { SIGKILL, SIGSYS }, i;
	int (*shut[2])(void) = { lockdown_compute_only, lockdown_by_filter };

	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(try_call(shut[i], SYS_write, -1, "", 0), -7);
		ck_assert_int_eq(try_call(shut[i], SYS_read, -1, NULL, 0), -7);
		ck_assert_int_eq(try_call(shut[i], SYS_getpid, 0, NULL, 0), killed[i]);
		ck_assert_int_eq(try_call(shut[i], SYS_exit_group, 0, NULL, 0), killed[i]);
		ck_assert_int_eq(try_call(shut[i], SYS_openat, -100, "/", 0), killed[i]);
		/* Numbers beyond those of any kernel, x32's among them. */
		ck_assert_int_eq(try_call(shut[i], 0x40000000 + SYS_write, -1, "", 0), killed[i]);
	}
}
END_TEST

START_TEST(death_is_an_error)
{
	uint32_t next = 0;
	struct art_err err;
	struct art_row row = make_row(0, decoder_room(decoder));

	ck_assert_int_eq(kill(child_of_mine(), SIGKILL), 0);
	if (decoder_submit(decoder, &row, false, &err) == 0)
		ck_assert_int_eq(take(&next), ART_E_FAILED);
	decoder_free(NULL);
}
END_TEST

/* For boot-check, which must know whether the kernel of a new release lets it work. */
START_TEST(is_tested)
{
	struct art_err err;
	uint32_t next = 0;
	struct art_row row;

	ck_assert_int_eq(decoder_test(decoder, &err), 0);
	ck_assert_uint_eq(decoder_pending(decoder), 0);
	row = make_row(0, decoder_room(decoder));
	ck_assert_int_eq(decoder_submit(decoder, &row, false, &err), 0);
	ck_assert_int_eq(take(&next), 0);
	ck_assert_int_eq(kill(child_of_mine(), SIGKILL), 0);
	ck_assert_int_eq(decoder_test(decoder, &err), ART_E_FAILED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("decoder");
	TCase *t = tcase_create("decoder");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, decodes_in_order);
	tcase_add_test(t, is_not_believed);
	tcase_add_test(t, is_locked_up);
	tcase_add_test(t, works_under_a_filter);
	tcase_add_test(t, the_filter_leaves_four_calls);
	tcase_add_test(t, death_is_an_error);
	tcase_add_test(t, is_tested);
	suite_add_tcase(s, t);
	return run_suite(s);
}
