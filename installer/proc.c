// SPDX-License-Identifier: Apache-2.0
/* Programs of the integrator: boot scripts and hooks. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "installer/proc.h"
#include "libartifact/util.h"

int64_t proc_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Between fork and exec: only async-signal-safe calls. */
__attribute__((noreturn)) static void become(char *const argv[], char *const envp[],
					     int null_fd, int out_fd, int err_fd, int keep_fd)
{
	setpgid(0, 0);
	signal(SIGXFSZ, SIG_DFL);
	if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
	    dup2(err_fd, STDERR_FILENO) < 0)
		_exit(126);
	if (keep_fd >= 0)
		fcntl(keep_fd, F_SETFD, 0);
	execve(argv[0], argv, envp);
	_exit(127);
}

/* Make room for what comes: its end tells more than its beginning. */
static size_t drop_half(char *out, size_t used)
{
	size_t drop = used / 2;

	memmove(out, out + drop, used - drop);
	return used - drop;
}

/* Read until the program closes its output or the time is over. 0; 1: time over. TAIL: keep the last bytes, not the first. */
static int collect(int fd, int64_t deadline, char *out, size_t room, bool tail)
{
	size_t used = 0;

	while (true) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - proc_now();
		char waste[256];
		bool keep;
		ssize_t n;

		if (tail && used + 1 == room)
			used = drop_half(out, used);
		keep = used + 1 < room;

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

/* Wait for the program itself: it may have closed its output and gone on. 0; 1: time over; -1: its end cannot be known. */
static int wait_end(pid_t pid, int64_t deadline, int *status)
{
	while (true) {
		const struct timespec nap = { 0, 5000000 };
		pid_t got = waitpid(pid, status, WNOHANG);

		if (got == pid)
			return 0;
		if (got < 0 && errno != EINTR)
			return -1;
		if (proc_now() >= deadline)
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

struct job {
	char *const *argv;
	char *const *envp;
	unsigned int seconds;
	int keep_fd;
	char *out;
	size_t room;
	bool both; /* standard error goes into OUT too, and its end is kept */
};

/* *STATUS as of waitpid. ART_E_FAILED when it could not be started, or did not end in time. */
static int run(const struct job *j, int *status, struct art_err *err)
{
	cleanup_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int64_t deadline = proc_now() + (int64_t)j->seconds * 1000;
	int ends[2], late;
	pid_t pid;

	if (j->out)
		j->out[0] = '\0';
	if (null_fd < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return art_fail_errno(err, ART_E_FAILED, "cannot run '%s'", j->argv[0]);
	/* Ignored, as a parent may leave it to us, nobody would hear how the program ended. */
	signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (pid == 0)
		become(j->argv, j->envp, null_fd, j->out ? ends[1] : STDERR_FILENO,
		       j->both ? ends[1] : STDERR_FILENO, j->keep_fd);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return art_fail_errno(err, ART_E_FAILED, "cannot run '%s'", j->argv[0]);
	}
	late = j->out ? collect(ends[0], deadline, j->out, j->room, j->both) : 0;
	close(ends[0]);
	if (!late)
		late = wait_end(pid, deadline, status);
	if (late < 0)
		return art_fail_errno(err, ART_E_FAILED, "cannot wait for '%s'", j->argv[0]);
	if (late) {
		/* The child may not have made its group yet. */
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, status, 0);
		return art_fail(err, ART_E_FAILED, "'%s' did not end within %u seconds", j->argv[0],
				j->seconds);
	}
	return 0;
}

int proc_run(char *const argv[], char *const envp[], unsigned int seconds, int keep_fd,
	     char *out, size_t room, struct art_err *err)
{
	struct job j = { argv, envp, seconds, keep_fd, out, room, false };
	int status = 0, code = run(&j, &status, err);

	return code < 0 ? code : judge(argv[0], status, err);
}

int proc_ask(char *const argv[], char *const envp[], unsigned int seconds, char *out, size_t room,
	     int *status, struct art_err *err)
{
	struct job j = { argv, envp, seconds, -1, out, room, true };
	int end = 0, code = run(&j, &end, err);

	*status = -1;
	if (code < 0)
		return code;
	if (!WIFEXITED(end) || WEXITSTATUS(end) == 127)
		return judge(argv[0], end, err);
	*status = WEXITSTATUS(end);
	return 0;
}
