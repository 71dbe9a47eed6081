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
	return FAULT_DUE() ? refuse() : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return FAULT_DUE() ? refuse() : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return FAULT_DUE() ? refuse() : __libc_realloc(old, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return FAULT_DUE() ? refuse() : __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
	void *p = FAULT_DUE() ? NULL : __libc_memalign(align, size);

	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

/*
 * libartifact lets libcrypto allocate through itself, which would make all of libcrypto's calls the program's own. Where
 * only those count, libcrypto keeps its allocator.
 */
typedef int (*set_functions)(void *take, void *change, void *give_back);
int CRYPTO_set_mem_functions(void *take, void *change, void *give_back);

int CRYPTO_set_mem_functions(void *take, void *change, void *give_back)
{
	set_functions real = (set_functions)dlsym(RTLD_NEXT, "CRYPTO_set_mem_functions");

	return getenv("FAULT_OWN") || !real ? 0 : real(take, change, give_back);
}
