/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fault shims share: a counter in a file that all processes of a run map, so that it also counts in a
 * process that may not open files any more. $FAULT_FILE names it; $FAULT_AT is the call that fails (0: none, only
 * count), $FAULT_MODE is "once" or "from" (that call and all after it). With $FAULT_OWN only calls by the program itself
 * count, not those by shared libraries: few enough to try them all; with $FAULT_OF besides, those by the library with that in its
 * name. $FAULT_PROGRAM: in no other program than that.
 */
#ifndef FAULT_H
#define FAULT_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct fault {
	uint64_t calls;
	uint64_t hits;
};

static struct fault *fault;
static uint64_t fault_at;
static bool fault_from;
static uintptr_t fault_low;  /* the program's own code, */
static uintptr_t fault_high; /* or all there is */

/* The first object that is listed is the program. LIBRARY: what to look for instead, or NULL. */
static int fault_note_object(struct dl_phdr_info *info, size_t size, void *library)
{
	int i;

	(void)size;
	if (library && !strstr(info->dlpi_name, library))
		return 0;
	fault_low = UINTPTR_MAX;
	fault_high = 0;
	for (i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		uintptr_t end = start + info->dlpi_phdr[i].p_memsz;

		if (info->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		fault_low = start < fault_low ? start : fault_low;
		fault_high = end > fault_high ? end : fault_high;
	}
	return 1;
}

#define FAULT_DUE() fault_due(__builtin_return_address(0))

/* Only raw system calls: the shims stand in front of the library's. */
__attribute__((constructor)) static void fault_setup(void)
{
	const char *path = getenv("FAULT_FILE");
	const char *at = getenv("FAULT_AT");
	const char *mode = getenv("FAULT_MODE");
	const char *program = getenv("FAULT_PROGRAM");
	void *map;
	long fd;

	if (!path || !at || (program && strcmp(program, program_invocation_short_name) != 0))
		return;
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*fault), PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
	syscall(SYS_close, (int)fd);
	if (map == MAP_FAILED)
		return;
	fault_high = getenv("FAULT_OF") ? 0 : UINTPTR_MAX;
	if (getenv("FAULT_OWN"))
		dl_iterate_phdr(fault_note_object, getenv("FAULT_OF"));
	fault_at = strtoull(at, NULL, 10);
	fault_from = mode && !strcmp(mode, "from");
	fault = map;
}

/* Count a call that returns to CALLER; true when it is to fail. */
static bool fault_due(const void *caller)
{
	uint64_t n;

	if (!fault || (uintptr_t)caller < fault_low || (uintptr_t)caller >= fault_high)
		return false;
	n = __atomic_add_fetch(&fault->calls, 1, __ATOMIC_RELAXED);
	if (fault_at == 0 || n < fault_at || (n > fault_at && !fault_from))
		return false;
	__atomic_add_fetch(&fault->hits, 1, __ATOMIC_RELAXED);
	return true;
}

/* What comes after main is not the program's any more, but for example gcov's, which does not take failures. */
typedef int (*fault_main_fn)(int, char **, char **);
static fault_main_fn fault_main;

static int fault_run_main(int argc, char **argv, char **env)
{
	int status = fault_main(argc, argv, env);

	fault = NULL;
	return status;
}

typedef int (*fault_start_fn)(fault_main_fn, int, char **, void (*)(void), void (*)(void),
			      void (*)(void), void *);
int __libc_start_main(fault_main_fn program, int argc, char **argv, void (*init)(void),
		      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

int __libc_start_main(fault_main_fn program, int argc, char **argv, void (*init)(void),
		      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	fault_start_fn start = (fault_start_fn)dlsym(RTLD_NEXT, "__libc_start_main");

	fault_main = program;
	return start(fault_run_main, argc, argv, init, fini, rtld_fini, stack_end);
}

void exit(int status)
{
	void (*leave)(int) = (void (*)(int))dlsym(RTLD_NEXT, "exit");

	fault = NULL;
	leave(status);
	__builtin_unreachable();
}

#endif
