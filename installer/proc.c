// SPDX-License-Identifier: Apache-2.0
/* Programs of the integrator: boot scripts and hooks. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "installer/proc.h"
#include "libartifact/util.h"

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Between fork and exec: only async-signal-safe calls. */
__attribute__((noreturn)) static void become(char *const argv[], char *const envp[],
					     int null_fd, int out_fd, int keep_fd)
{
	setpgid(0, 0);
	signal(SIGXFSZ, SIG_DFL);
	if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0)
		_exit(126);
	if (keep_fd >= 0)
		fcntl(keep_fd, F_SETFD, 0);
	execve(argv[0], argv, envp);
	_exit(127);
}

/* Read until the program closes its output or the time is over. 0; 1: time over. */
static int collect(int fd, int64_t deadline, char *out, size_t room)
{
	size_t used = 0;

	while (true) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - now_ms();
		char waste[256];
		bool keep = used + 1 < room;
		ssize_t n;

		if (left <= 0)
			return 1;
		n = poll(&p, 1, (int)left);
		if (n == 0)
			return 1;
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return 0;
		}
		n = read(fd, keep ? out + used : waste, keep ? room - 1 - used : sizeof(waste));
		if (n <= 0)
			return 0;
		if (keep)
			used += (size_t)n;
		out[used] = '\0';
	}
}

/* Wait for the program itself: it may have closed its output and gone on. 0; 1: time over. */
static int wait_end(pid_t pid, int64_t deadline, int *status)
{
	while (true) {
		const struct timespec nap = { 0, 5000000 };
		pid_t got = waitpid(pid, status, WNOHANG);

		if (got == pid)
			return 0;
		if (got < 0 && errno != EINTR)
			return 0;
		if (now_ms() >= deadline)
			return 1;
		nanosleep(&nap, NULL);
	}
}

static int judge(const char *path, int status, struct art_err *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return art_fail(err, ART_E_FAILED, "'%s' could not be run (or ended with status 127)",
				path);
	if (WIFEXITED(status))
		return art_fail(err, ART_E_FAILED, "'%s' ended with status %d", path,
				WEXITSTATUS(status));
	return art_fail(err, ART_E_FAILED, "'%s' was killed by signal %d", path,
			WTERMSIG(status));
}

int proc_run(char *const argv[], char *const envp[], unsigned int seconds, int keep_fd,
	     char *out, size_t room, struct art_err *err)
{
	cleanup_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int64_t deadline = now_ms() + (int64_t)seconds * 1000;
	int ends[2], status = 0, late;
	pid_t pid;

	if (out)
		out[0] = '\0';
	if (null_fd < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return art_fail_errno(err, ART_E_FAILED, "cannot run '%s'", argv[0]);
	pid = fork();
	if (pid == 0)
		become(argv, envp, null_fd, out ? ends[1] : STDERR_FILENO, keep_fd);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return art_fail_errno(err, ART_E_FAILED, "cannot run '%s'", argv[0]);
	}
	late = out ? collect(ends[0], deadline, out, room) : 0;
	close(ends[0]);
	if (!late)
		late = wait_end(pid, deadline, &status);
	if (late) {
		/* The child may not have made its group yet. */
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return art_fail(err, ART_E_FAILED, "'%s' did not end within %u seconds", argv[0],
				seconds);
	}
	return judge(argv[0], status, err);
}
