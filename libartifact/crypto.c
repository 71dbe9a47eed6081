// SPDX-License-Identifier: Apache-2.0
/*
 * The state of libcrypto. It answers "unsupported" or just "no" for many things that in truth failed for want of
 * memory, so its allocations go through here, where a failure is noticed. Where another user of libcrypto was first in this
 * process it keeps its own allocator, and only what libcrypto reports is known.
 */
#include <pthread.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "libartifact/crypto.h"

static _Thread_local bool memory_failed;

static void *noticing_malloc(size_t size, const char *file, int line)
{
	void *p = malloc(size);

	(void)file;
	(void)line;
	if (!p)
		memory_failed = true;
	return p;
}

static void *noticing_realloc(void *old, size_t size, const char *file, int line)
{
	void *p;

	(void)file;
	(void)line;
	if (size == 0) {
		free(old);
		return NULL;
	}
	p = realloc(old, size);
	if (!p)
		memory_failed = true;
	return p;
}

static void plain_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static bool usable;

/* libcrypto does not try again, and does not always see for itself what it then lacks. */
static void set_up(void)
{
	CRYPTO_set_mem_functions(noticing_malloc, noticing_realloc, plain_free);
	usable = OSSL_LIB_CTX_get0_global_default();
	ERR_clear_error();
	usable = usable && !memory_failed;
}

int art_crypto_begin(struct art_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, set_up);
	if (!usable)
		return art_fail_memory(err);
	memory_failed = false;
	ERR_clear_error();
	return 0;
}

bool art_crypto_lacked_memory(void)
{
	bool lacked = memory_failed;
	unsigned long code;

	while ((code = ERR_get_error()) != 0)
		lacked |= ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
	return lacked;
}
