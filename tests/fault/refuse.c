// SPDX-License-Identifier: Apache-2.0
/* What stands in for the functions that are wrapped (see refuse.h); the list for the linker is in local.mk. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "libartifact/key.h"
#include "tests/fault/refuse_wrap.h"

static struct {
	bool on;
	uint64_t at, calls;
	enum refuse_kind only, kind;
	struct refuse_how how;
	const char *name;
} state;

void refuse_start(uint64_t n, enum refuse_kind only, const struct refuse_how *how)
{
	memset(&state, 0, sizeof(state));
	if (how)
		state.how = *how;
	state.at = n;
	state.only = only;
	__atomic_store_n(&state.on, true, __ATOMIC_SEQ_CST);
}

const char *refuse_stop(enum refuse_kind *kind)
{
	__atomic_store_n(&state.on, false, __ATOMIC_SEQ_CST);
	if (kind)
		*kind = state.kind;
	return state.name;
}

const struct refuse_how *refuse_now(void)
{
	return &state.how;
}

/* Is this the call? Threads of the library count too. */
bool refuse_due(enum refuse_kind kind, const char *name)
{
	if (!__atomic_load_n(&state.on, __ATOMIC_SEQ_CST) || (state.only && state.only != kind))
		return false;
	if (__atomic_add_fetch(&state.calls, 1, __ATOMIC_SEQ_CST) != state.at)
		return false;
	state.kind = kind;
	state.name = name;
	if (kind == REFUSE_MEMORY)
		errno = ENOMEM;
	if (kind == REFUSE_CRYPTO && state.how.lack)
		ERR_raise(ERR_LIB_EVP, ERR_R_MALLOC_FAILURE);
	if (kind == REFUSE_SYSTEM)
		errno = state.how.sys_errno ? state.how.sys_errno : EIO;
	return true;
}

WRAP(MEMORY, void *, malloc, (size_t size), (size), NULL)
WRAP(MEMORY, void *, calloc, (size_t count, size_t size), (count, size), NULL)
WRAP(MEMORY, void *, realloc, (void *old, size_t size), (old, size), NULL)
WRAP(MEMORY, void *, reallocarray, (void *old, size_t count, size_t size), (old, count, size), NULL)
WRAP(MEMORY, char *, strdup, (const char *text), (text), NULL)
WRAP(MEMORY, char *, strndup, (const char *text, size_t len), (text, len), NULL)

int __wrap_asprintf(char **out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int __wrap_asprintf(char **out, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (refuse_due(REFUSE_MEMORY, "asprintf"))
		return -1;
	va_start(ap, fmt);
	n = vasprintf(out, fmt, ap);
	va_end(ap);
	return n;
}

WRAP_COUNT(read, (int fd, void *buf, size_t len), (fd, buf, len))
WRAP_COUNT(pread64, (int fd, void *buf, size_t len, off_t off), (fd, buf, len, off))
WRAP_COUNT(write, (int fd, const void *buf, size_t len), (fd, buf, len))
WRAP_COUNT(pwrite64, (int fd, const void *buf, size_t len, off_t off), (fd, buf, len, off))
WRAP_COUNT(copy_file_range, (int from, off_t *in, int to, off_t *out, size_t len, unsigned int flags),
	   (from, in, to, out, len, flags))
int __real_fstat64(int fd, struct stat *st);
int __wrap_fstat64(int fd, struct stat *st);

int __wrap_fstat64(int fd, struct stat *st)
{
	int result = refuse_due(REFUSE_SYSTEM, "fstat64") ? -1 : __real_fstat64(fd, st);

	if (result == 0 && state.on && state.how.device)
		st->st_mode = (st->st_mode & ~(mode_t)S_IFMT) | S_IFBLK;
	return result;
}

WRAP(SYSTEM, int, stat64, (const char *path, struct stat *st), (path, st), -1)
WRAP(SYSTEM, int, lstat64, (const char *path, struct stat *st), (path, st), -1)
WRAP(SYSTEM, int, fsync, (int fd), (fd), -1)
WRAP(SYSTEM, int, fchmod, (int fd, mode_t mode), (fd, mode), -1)
WRAP(SYSTEM, int, ftruncate64, (int fd, off_t len), (fd, len), -1)
WRAP(SYSTEM, int, rename, (const char *from, const char *to), (from, to), -1)
WRAP(SYSTEM, int, mkostemp64, (char *name, int flags), (name, flags), -1)
WRAP(SYSTEM, char *, realpath, (const char *path, char *out), (path, out), NULL)
WRAP(SYSTEM, int, linkat, (int a, const char *from, int b, const char *to, int flags),
     (a, from, b, to, flags), -1)
WRAP(SYSTEM, int, scandir64,
     (const char *dir, struct dirent ***list, int (*wanted)(const struct dirent *),
      int (*order)(const struct dirent **, const struct dirent **)), (dir, list, wanted, order), -1)

/* It does close, as on Linux; a descriptor left behind would hide a leak of libartifact's. */
int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_close(int fd)
{
	bool fails = refuse_due(REFUSE_SYSTEM, "close");
	int saved = errno;
	int result = __real_close(fd);

	if (!fails)
		return result;
	errno = saved;
	return -1;
}

WRAP_VARIADIC(open64, const char *, path, 0)
WRAP_VARIADIC(fcntl64, int, fd, 0)

/* A file that plays a block device has a size too. */
int __real_ioctl(int fd, unsigned long which, ...);
int __wrap_ioctl(int fd, unsigned long which, ...);

int __wrap_ioctl(int fd, unsigned long which, ...)
{
	void *more;
	va_list ap;

	va_start(ap, which);
	more = va_arg(ap, void *);
	va_end(ap);
	if (refuse_due(REFUSE_SYSTEM, "ioctl"))
		return -1;
	if (!state.on || !state.how.device || which != BLKGETSIZE64)
		return __real_ioctl(fd, which, more);
	*(uint64_t *)more = (uint64_t)lseek(fd, 0, SEEK_END);
	return lseek(fd, 0, SEEK_SET) == 0 ? 0 : -1;
}

WRAP(THREAD, int, pthread_create,
     (pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg),
     (thread, attr, run, arg), EAGAIN)

WRAP(CRYPTO, OSSL_LIB_CTX *, OSSL_LIB_CTX_get0_global_default, (void), (), NULL)
WRAP(CRYPTO, EVP_MD *, EVP_MD_fetch, (OSSL_LIB_CTX *ctx, const char *name, const char *query),
     (ctx, name, query), NULL)
WRAP(CRYPTO, EVP_MD_CTX *, EVP_MD_CTX_new, (void), (), NULL)
WRAP(CRYPTO, int, EVP_DigestInit_ex2, (EVP_MD_CTX *ctx, const EVP_MD *md, const OSSL_PARAM *params),
     (ctx, md, params), 0)
WRAP(CRYPTO, int, EVP_DigestUpdate, (EVP_MD_CTX *ctx, const void *bytes, size_t len),
     (ctx, bytes, len), 0)
WRAP(CRYPTO, int, EVP_DigestFinal_ex, (EVP_MD_CTX *ctx, unsigned char *out, unsigned int *len),
     (ctx, out, len), 0)
WRAP(CRYPTO, int, EVP_DigestVerifyInit_ex,
     (EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const char *md, OSSL_LIB_CTX *lib, const char *props,
      EVP_PKEY *key, const OSSL_PARAM *params), (ctx, pctx, md, lib, props, key, params), 0)
WRAP(CRYPTO, int, EVP_DigestVerify,
     (EVP_MD_CTX *ctx, const unsigned char *sig, size_t sig_len, const unsigned char *text, size_t len),
     (ctx, sig, sig_len, text, len), -1)
WRAP(CRYPTO, int, EVP_DigestSignInit_ex,
     (EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const char *md, OSSL_LIB_CTX *lib, const char *props,
      EVP_PKEY *key, const OSSL_PARAM *params), (ctx, pctx, md, lib, props, key, params), 0)
WRAP(CRYPTO, EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_pkey,
     (OSSL_LIB_CTX *lib, EVP_PKEY *key, const char *props), (lib, key, props), NULL)
WRAP(CRYPTO, int, EVP_PKEY_CTX_set_rsa_padding, (EVP_PKEY_CTX *ctx, int padding), (ctx, padding), 0)
WRAP(CRYPTO, int, EVP_PKEY_CTX_set_rsa_pss_saltlen, (EVP_PKEY_CTX *ctx, int len), (ctx, len), 0)
WRAP(CRYPTO, int, EVP_PKEY_CTX_set_rsa_mgf1_md_name,
     (EVP_PKEY_CTX *ctx, const char *md, const char *props), (ctx, md, props), 0)
WRAP(CRYPTO, int, EVP_PKEY_public_check, (EVP_PKEY_CTX *ctx), (ctx), 0)
WRAP(CRYPTO, int, EVP_PKEY_get_bits, (const EVP_PKEY *key), (key), 0)
WRAP(CRYPTO, int, EVP_PKEY_get_group_name,
     (const EVP_PKEY *key, char *name, size_t size, size_t *len), (key, name, size, len), 0)
WRAP(CRYPTO, int, EVP_PKEY_get_utf8_string_param,
     (const EVP_PKEY *key, const char *name, char *text, size_t size, size_t *len),
     (key, name, text, size, len), 0)
WRAP(CRYPTO, int, EVP_PKEY_get_bn_param, (const EVP_PKEY *key, const char *name, BIGNUM **bn),
     (key, name, bn), 0)
WRAP(CRYPTO, const char *, EVP_PKEY_get0_type_name, (const EVP_PKEY *key), (key), NULL)
WRAP(CRYPTO, int, BN_bn2binpad, (const BIGNUM *bn, unsigned char *out, int len), (bn, out, len), -1)
WRAP(CRYPTO, int, i2d_PUBKEY, (const EVP_PKEY *key, unsigned char **out), (key, out), -1)
WRAP(CRYPTO, EVP_PKEY *, d2i_PUBKEY, (EVP_PKEY **key, const unsigned char **in, long len),
     (key, in, len), NULL)

/* Only a yes can be refused. */
int __real_EVP_PKEY_is_a(const EVP_PKEY *key, const char *name);
int __wrap_EVP_PKEY_is_a(const EVP_PKEY *key, const char *name);

int __wrap_EVP_PKEY_is_a(const EVP_PKEY *key, const char *name)
{
	int answer = __real_EVP_PKEY_is_a(key, name);

	return answer == 1 && refuse_due(REFUSE_CRYPTO, "EVP_PKEY_is_a") ? 0 : answer;
}

/* An answer that succeeds and cannot be: another length than a key of this type has. */
int __real_EVP_PKEY_get_raw_public_key(const EVP_PKEY *key, unsigned char *out, size_t *len);
int __wrap_EVP_PKEY_get_raw_public_key(const EVP_PKEY *key, unsigned char *out, size_t *len);

int __wrap_EVP_PKEY_get_raw_public_key(const EVP_PKEY *key, unsigned char *out, size_t *len)
{
	bool fails = refuse_due(REFUSE_CRYPTO, "EVP_PKEY_get_raw_public_key");

	if (fails && !state.how.half)
		return 0;
	return __real_EVP_PKEY_get_raw_public_key(key, out, len) == 1 ? (*len -= fails, 1) : 0;
}

/* Likewise: a signature of no length, or of one that no signature has. */
int __real_EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *sig, size_t *sig_len,
			  const unsigned char *text, size_t len);
int __wrap_EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *sig, size_t *sig_len,
			  const unsigned char *text, size_t len);

int __wrap_EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *sig, size_t *sig_len,
			  const unsigned char *text, size_t len)
{
	if (!refuse_due(REFUSE_CRYPTO, "EVP_DigestSign"))
		return __real_EVP_DigestSign(ctx, sig, sig_len, text, len);
	if (sig || !(state.how.half || state.how.nothing))
		return 0;
	*sig_len = state.how.half ? ART_SIG_MAX + 1 : 0;
	return 1;
}

#define ZSTD_BAD ((size_t)-1)
WRAP(ZSTD, ZSTD_CCtx *, ZSTD_createCCtx, (void), (), NULL)
WRAP(ZSTD, ZSTD_DCtx *, ZSTD_createDCtx, (void), (), NULL)
WRAP(ZSTD, ZSTD_DCtx *, ZSTD_createDCtx_advanced, (ZSTD_customMem memory), (memory), NULL)
WRAP(ZSTD, size_t, ZSTD_CCtx_setParameter, (ZSTD_CCtx *ctx, ZSTD_cParameter p, int value),
     (ctx, p, value), ZSTD_BAD)
WRAP(ZSTD, size_t, ZSTD_CCtx_refPrefix, (ZSTD_CCtx *ctx, const void *prefix, size_t len),
     (ctx, prefix, len), ZSTD_BAD)
WRAP(ZSTD, size_t, ZSTD_DCtx_refPrefix, (ZSTD_DCtx *ctx, const void *prefix, size_t len),
     (ctx, prefix, len), ZSTD_BAD)
WRAP(ZSTD, size_t, ZSTD_compress2, (ZSTD_CCtx *ctx, void *out, size_t room, const void *in, size_t len),
     (ctx, out, room, in, len), ZSTD_BAD)
WRAP(ZSTD, size_t, ZSTD_generateSequences,
     (ZSTD_CCtx *ctx, ZSTD_Sequence *out, size_t room, const void *in, size_t len),
     (ctx, out, room, in, len), ZSTD_BAD)
WRAP(ZSTD, size_t, ZSTD_compressSequences,
     (ZSTD_CCtx *ctx, void *out, size_t room, const ZSTD_Sequence *cut, size_t count, const void *in,
      size_t len), (ctx, out, room, cut, count, in, len), ZSTD_BAD)

size_t __real_ZSTD_decompressDCtx(ZSTD_DCtx *ctx, void *out, size_t room, const void *in, size_t len);
size_t __wrap_ZSTD_decompressDCtx(ZSTD_DCtx *ctx, void *out, size_t room, const void *in, size_t len);

size_t __wrap_ZSTD_decompressDCtx(ZSTD_DCtx *ctx, void *out, size_t room, const void *in, size_t len)
{
	bool fails = refuse_due(REFUSE_ZSTD, "ZSTD_decompressDCtx");
	size_t n = fails && !state.how.half ? ZSTD_BAD : __real_ZSTD_decompressDCtx(ctx, out, room, in, len);

	return fails && state.how.half ? n - 1 : n;
}
