/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults inside one process: the test program is linked with ld's --wrap for each function in refuse.c, and the Nth call of them that
 * libartifact makes fails. Unlike the shims for LD_PRELOAD this reaches libcrypto, libzstd and libcurl as libartifact sees
 * them, and takes no process for each fault. Where the platform gives a function another name (32-bit time) it is simply not counted.
 */
#ifndef REFUSE_H
#define REFUSE_H

#include <stdbool.h>
#include <stdint.h>

enum refuse_kind {
	REFUSE_NOTHING,
	REFUSE_MEMORY, /* an allocation, also by libcrypto through libartifact */
	REFUSE_SYSTEM, /* a system call */
	REFUSE_CRYPTO,
	REFUSE_ZSTD,
	REFUSE_THREAD,
	REFUSE_CURL,
	REFUSE_JSON,
	REFUSE_IMAGE, /* libext2fs, libarchive, decompressors */
};

struct refuse_how {
	int sys_errno; /* of a system call; 0: EIO */
	bool nothing;  /* calls that count bytes count none instead of failing */
	bool half;     /* and these: half of them */
	bool lack;     /* libcrypto leaves word that it had no memory */
	bool device;   /* every file says that it is a block device (from the start, not only at call N) */
};

/* Let call N fail, from now on; 0: only count. A kind other than NOTHING: only calls of that kind count. */
void refuse_start(uint64_t n, enum refuse_kind only, const struct refuse_how *how);

/* For the stand-ins. */
bool refuse_due(enum refuse_kind kind, const char *name);
const struct refuse_how *refuse_now(void);

/* No more faults. What failed ("EVP_DigestUpdate"), or NULL when there were not so many calls. */
const char *refuse_stop(enum refuse_kind *kind);

#endif
