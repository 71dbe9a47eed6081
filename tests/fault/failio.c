// SPDX-License-Identifier: Apache-2.0
/*
 * LD_PRELOAD shim: the Nth call of read, pread, write, pwrite, fsync, fdatasync, open, openat or close fails (see
 * fault.h; all callers count). $FAULT_HOW: "eio", "enospc" (calls that write; others EIO), "eintr", "short" (half the bytes; calls without a
 * count are let through), "kill" (SIGKILL before the call is made), or "lost"
 * (only pwrite counts; it says it wrote and did not, like a failing card), or "sector" (nothing counts: byte $FAULT_OFFSET of the file
 * $FAULT_TARGET cannot be read until it is written, as after a write that a power cut tore). EINTR is only for calls with a count. A failing close does close, as on
 * Linux. Calls inside libc itself are not seen.
 */
/* The plain names below are defined; the build's 64-bit offsets would rename them. */
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "fault.h"

enum how { HOW_EIO, HOW_ENOSPC, HOW_EINTR, HOW_SHORT, HOW_KILL, HOW_LOST, HOW_SECTOR };

static enum how how(void)
{
	static const char *const names[] = { "eio",  "enospc", "eintr", "short",
					     "kill", "lost",   "sector" };
	const char *text = getenv("FAULT_HOW");
	unsigned int i;

	for (i = 0; text && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(text, names[i]))
			return (enum how)i;
	return HOW_EIO;
}

/* A call without a count: all that can be wrong with it is that it fails. */
static bool refused_name(bool writes)
{
	enum how kind = how();

	if (kind == HOW_LOST || kind == HOW_SECTOR || !fault_due(NULL) || kind == HOW_SHORT || kind == HOW_EINTR)
		return false;
	if (kind == HOW_KILL)
		syscall(SYS_kill, (int)syscall(SYS_getpid), SIGKILL);
	errno = kind == HOW_ENOSPC && writes ? ENOSPC : EIO;
	return true;
}

/* Count a call with LEN bytes. True: fail with errno set. A short count is put into *LEN. */
static bool refused(size_t *len, bool writes)
{
	if (how() == HOW_LOST || how() == HOW_SECTOR || !fault_due(NULL))
		return false;
	switch (how()) {
	case HOW_SHORT:
		if (*len > 1)
			*len /= 2;
		return false;
	case HOW_EINTR:
		errno = EINTR;
		return true;
	case HOW_KILL:
		syscall(SYS_kill, (int)syscall(SYS_getpid), SIGKILL);
		return true;
	case HOW_ENOSPC:
		errno = writes ? ENOSPC : EIO;
		return true;
	default:
		errno = EIO;
		return true;
	}
}

/* Is the bad sector among these bytes, and bad still? `calls`, of no use in this mode, says that it has been written. */
static bool has_sector(int fd, off_t off, size_t len)
{
	const char *path = getenv("FAULT_TARGET"), *at = getenv("FAULT_OFFSET");
	struct stat want, have;
	off_t sector;

	if (how() != HOW_SECTOR || !fault || fault->calls || !path || !at)
		return false;
	sector = (off_t)strtoull(at, NULL, 10);
	return off <= sector && sector < off + (off_t)len && stat(path, &want) == 0 &&
	       fstat(fd, &have) == 0 && want.st_dev == have.st_dev && want.st_ino == have.st_ino;
}

ssize_t read(int fd, void *buf, size_t len)
{
	return refused(&len, false) ? -1 : syscall(SYS_read, fd, buf, len);
}

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	if (has_sector(fd, off, len)) {
		fault->hits++;
		errno = EIO;
		return -1;
	}
	return refused(&len, false) ? -1 : syscall(SYS_pread64, fd, buf, len, off);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	return refused(&len, true) ? -1 : syscall(SYS_write, fd, buf, len);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	if (has_sector(fd, off, len))
		fault->calls = 1;
	if (how() == HOW_LOST)
		return fault_due(NULL) ? (ssize_t)len : syscall(SYS_pwrite64, fd, buf, len, off);
	return refused(&len, true) ? -1 : syscall(SYS_pwrite64, fd, buf, len, off);
}

int fallocate(int fd, int mode, off_t off, off_t len)
{
	if (has_sector(fd, off, (size_t)len))
		fault->calls = 1;
	return (int)syscall(SYS_fallocate, fd, mode, off, len);
}

int fsync(int fd)
{
	return refused_name(true) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return refused_name(true) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int close(int fd)
{
	bool fails = refused_name(false);
	int saved = errno;
	int result = (int)syscall(SYS_close, fd);

	if (!fails || result < 0)
		return result;
	errno = saved;
	return -1;
}

int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return refused_name((flags & O_ACCMODE) != O_RDONLY) ?
		       -1 :
		       (int)syscall(SYS_openat, dir, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return openat(AT_FDCWD, path, flags, mode);
}

/* What programs with 64-bit offsets call, and with _FORTIFY_SOURCE. */
ssize_t pread64(int fd, void *buf, size_t len, off_t off) __attribute__((alias("pread")));
ssize_t pwrite64(int fd, const void *buf, size_t len, off_t off) __attribute__((alias("pwrite")));
int fallocate64(int fd, int mode, off_t off, off_t len) __attribute__((alias("fallocate")));
int openat64(int dir, const char *path, int flags, ...) __attribute__((alias("openat")));
int open64(const char *path, int flags, ...) __attribute__((alias("open")));

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
ssize_t __pread_chk(int fd, void *buf, size_t len, off_t off, size_t room);
ssize_t __pread64_chk(int fd, void *buf, size_t len, off_t off, size_t room);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	if (len > room)
		abort();
	return read(fd, buf, len);
}

ssize_t __pread_chk(int fd, void *buf, size_t len, off_t off, size_t room)
{
	if (len > room)
		abort();
	return pread(fd, buf, len, off);
}

ssize_t __pread64_chk(int fd, void *buf, size_t len, off_t off, size_t room)
	__attribute__((alias("__pread_chk")));

int __open_2(const char *path, int flags)
{
	return openat(AT_FDCWD, path, flags, 0);
}

int __openat_2(int dir, const char *path, int flags)
{
	return openat(dir, path, flags, 0);
}

int __open64_2(const char *path, int flags) __attribute__((alias("__open_2")));
int __openat64_2(int dir, const char *path, int flags) __attribute__((alias("__openat_2")));
