// SPDX-License-Identifier: Apache-2.0
/* What the network child gives up: each test confines a process of its own and tries. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include "installer/fetch/confine.h"
#include "tests/unit/run.h"

static char outside[] = "/tmp/twinroot-confine-XXXXXX";

/* The exit status of a child that has been confined and has run TRY; 200 where it could not be confined. */
static int confined(const char *user, int (*try)(void))
{
	pid_t me = getpid(), pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct art_err err = { 0 };

		if (fetch_confine(me, user, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			_exit(200);
		}
		_exit(try());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* How many of these calls did not fail as they must; a bit for each. */
static int fails(long result, int bit)
{
	return result < 0 && errno == EPERM ? 0 : bit;
}

static int try_calls(void)
{
	char name[] = "/bin/true", *argv[] = { name, NULL };
	int missed = 0;

	missed |= fails(execv("/bin/true", argv), 1);
	missed |= fails(ptrace(PTRACE_TRACEME, 0, NULL, NULL), 2);
	missed |= fails(unshare(CLONE_NEWNS), 4);
	missed |= fails(mount("none", "/tmp", "tmpfs", 0, NULL), 8);
	missed |= fails(syscall(SYS_keyctl, 0, -3, 0), 16);
	missed |= fails(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0), 32);
	missed |= fails(syscall(SYS_bpf, 0, NULL, 0), 64);
	return missed;
}

START_TEST(calls_are_refused)
{
	ck_assert_int_eq(confined("", try_calls), 0);
}
END_TEST

static int try_files(void)
{
	char text[8];
	int fd, missed = 0;

	fd = open("/etc/passwd", O_RDONLY);
	missed |= fd >= 0 && read(fd, text, sizeof(text)) == sizeof(text) ? 0 : 1;
	missed |= open(outside, O_RDONLY) < 0 && errno == EACCES ? 0 : 2;
	missed |= open("/tmp/twinroot-confine-new", O_WRONLY | O_CREAT, 0600) < 0 ? 0 : 4;
	missed |= open("/proc/self/mem", O_RDWR) < 0 ? 0 : 8;
	missed |= unlink(outside) < 0 ? 0 : 16;
	missed |= open("/etc/passwd", O_WRONLY) < 0 ? 0 : 32;
	return missed;
}

static bool have_landlock(void)
{
	/* LANDLOCK_CREATE_RULESET_VERSION. */
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 1;
}

START_TEST(files_are_out_of_reach)
{
	if (!have_landlock()) {
		fprintf(stderr, "this kernel has no landlock: nothing to test\n");
		return;
	}
	ck_assert_int_eq(confined("", try_files), 0);
}
END_TEST

static int try_limits(void)
{
	struct rlimit core, size, files;
	int missed = 0;

	getrlimit(RLIMIT_CORE, &core);
	getrlimit(RLIMIT_FSIZE, &size);
	getrlimit(RLIMIT_NOFILE, &files);
	missed |= core.rlim_max == 0 ? 0 : 1;
	missed |= size.rlim_max == 0 ? 0 : 2;
	missed |= files.rlim_max <= 64 ? 0 : 4;
	missed |= prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 8;
	missed |= prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 16;
	missed |= geteuid() != 0 && setuid(0) == 0 ? 32 : 0;
	return missed;
}

START_TEST(limits_are_set)
{
	ck_assert_int_eq(confined("", try_limits), 0);
}
END_TEST

static int try_user(void)
{
	return geteuid() == 0 || getuid() == 0 || getegid() == 0 || setuid(0) == 0;
}

START_TEST(root_is_given_up)
{
	if (geteuid() != 0) {
		fprintf(stderr, "not root: nothing to give up\n");
		return;
	}
	ck_assert_int_eq(confined("nobody", try_user), 0);
	ck_assert_int_eq(confined("no-such-user", try_user), 200);
}
END_TEST

START_TEST(ends_with_its_parent)
{
	struct art_err err = { 0 };
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(fetch_confine(1 + (long)getppid(), "", &err) == ART_E_FAILED ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("confine");
	TCase *t = tcase_create("confine");
	int fd = mkstemp(outside), status;

	if (fd < 0)
		return 1;
	close(fd);
	tcase_add_test(t, calls_are_refused);
	tcase_add_test(t, files_are_out_of_reach);
	tcase_add_test(t, limits_are_set);
	tcase_add_test(t, root_is_given_up);
	tcase_add_test(t, ends_with_its_parent);
	suite_add_tcase(s, t);
	status = run_suite(s);
	unlink(outside);
	return status;
}
