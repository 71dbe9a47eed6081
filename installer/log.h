/* SPDX-License-Identifier: Apache-2.0 */
/* The deployment log: JSON lines in the state directory, size-capped, with event names that never change. */
#ifndef INSTALLER_LOG_H
#define INSTALLER_LOG_H

#include <stdint.h>

/* The whole list; README.md says what each means, and a test compares the two. */
#define LOG_EVENTS(X)                                \
	X(STATE_LOST, "state-lost")                  \
	X(INSTALL_STARTED, "install-started")        \
	X(INSTALL_FAILED, "install-failed")          \
	X(INSTALLED, "installed")                    \
	X(WRITTEN, "written")                        \
	X(READ_BACK, "read-back")                    \
	X(REWRITTEN, "rewritten")                    \
	X(ARMED, "armed")                            \
	X(COMMITTED, "committed")                    \
	X(ROLLED_BACK, "rolled-back")                \
	X(MARKED_BAD, "marked-bad")                  \
	X(ADOPTED, "adopted")                        \
	X(HOOK_FAILED, "hook-failed")                \
	X(BOOT_CHECK, "boot-check")                  \
	X(TRIAL_STARTED, "trial-started")            \
	X(CHECK_FAILED, "check-failed")              \
	X(HEALTHY, "healthy")                        \
	X(STARTED_AGAIN, "started-again")            \
	X(STORE_RESTORED, "store-restored")

enum log_event {
#define X(id, name) LOG_##id,
	LOG_EVENTS(X)
#undef X
};

#define LOG_SIZE_MAX (256 * 1024) /* then the file becomes log.old */

struct log {
	const char *directory; /* the state directory */
	uint64_t transaction;
};

/* Append one line. FMT as json_pack wants it, an object ("{s:s}"), or NULL. A log that cannot be written
 * is a warning, never a reason to stop an update. */
void log_event(const struct log *log, enum log_event event, const char *fmt, ...);

#endif
