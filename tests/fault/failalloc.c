// SPDX-License-Identifier: Apache-2.0
/* LD_PRELOAD shim: the Nth allocation fails (see fault.h). Needs glibc's own names of its allocator. */
#include <errno.h>

#include "fault.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t align, size_t size);

static void *refuse(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t size)
{
	return fault_due() ? refuse() : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fault_due() ? refuse() : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fault_due() ? refuse() : __libc_realloc(old, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return fault_due() ? refuse() : __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
	void *p = fault_due() ? NULL : __libc_memalign(align, size);

	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}
