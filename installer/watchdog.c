// SPDX-License-Identifier: Apache-2.0
/* Feeding happens in a timer's signal, so that it goes on while a check runs; but only for as long as the step may take. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <linux/watchdog.h>

#include "installer/proc.h"
#include "installer/watchdog.h"

static volatile int watchdog_fd = -1;
static volatile int64_t feed_until; /* proc_now() */

/* Async-signal-safe: clock_gettime and write. */
static void feed(int signal)
{
	int saved = errno;
	ssize_t n = 0;

	(void)signal;
	if (watchdog_fd >= 0 && proc_now() < feed_until)
		n = write(watchdog_fd, "", 1);
	/* A beat that failed is tried again with the next. */
	(void)n;
	errno = saved;
}

static void set_timer(time_t seconds)
{
	const struct itimerval beat = { .it_interval = { seconds, 0 }, .it_value = { seconds, 0 } };
	struct sigaction act;

	memset(&act, 0, sizeof(act));
	act.sa_handler = seconds > 0 ? feed : SIG_DFL;
	act.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &beat, NULL);
}

int watchdog_start(const char *path, unsigned int seconds, struct art_err *err)
{
	int timeout = (int)seconds;

	watchdog_fd = open(path, O_WRONLY | O_CLOEXEC);
	if (watchdog_fd < 0 && errno == EBUSY)
		return art_fail(err, ART_E_STATE_BUSY, "'%s' is fed by another program", path);
	if (watchdog_fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open the watchdog '%s'", path);
	/* A device with a fixed timeout refuses; then its own holds. */
	if (ioctl(watchdog_fd, WDIOC_SETTIMEOUT, &timeout) < 0 &&
	    ioctl(watchdog_fd, WDIOC_GETTIMEOUT, &timeout) < 0)
		timeout = (int)seconds;
	watchdog_allow((unsigned int)timeout);
	set_timer(timeout > 4 ? timeout / 4 : 1);
	return 0;
}

void watchdog_allow(unsigned int seconds)
{
	feed_until = proc_now() + (int64_t)seconds * 1000;
	feed(0);
}

void watchdog_stop(void)
{
	int fd = watchdog_fd;
	ssize_t n;

	if (fd < 0)
		return;
	set_timer(0);
	watchdog_fd = -1;
	/* "V" before closing means that the silence to come is meant. */
	n = write(fd, "V", 1);
	(void)n;
	close(fd);
}
