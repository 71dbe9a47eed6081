// SPDX-License-Identifier: Apache-2.0
/* Seccomp, in the mode that the kernel lets this process have: see seccomp(2). */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "installer/lockdown.h"
#include "libartifact/util.h"

/* The numbers below mean these calls in one calling convention only: i386's 15 is chmod, x86-64's is rt_sigreturn. */
#if defined(__x86_64__) && !defined(__ILP32__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define NATIVE AUDIT_ARCH_I386
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define NATIVE AUDIT_ARCH_AARCH64
#elif defined(__arm__) && defined(__ARMEL__)
#define NATIVE AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE AUDIT_ARCH_RISCV64
#elif defined(__mips__) && defined(__MIPSEL__) && defined(_ABIO32)
#define NATIVE AUDIT_ARCH_MIPSEL
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define NATIVE AUDIT_ARCH_PPC64LE
#endif

#ifdef NATIVE

#define FIELD(name) (uint32_t)offsetof(struct seccomp_data, name)
/* Go on DISTANCE instructions after the next one where the accumulator is VALUE. */
#define IF(value, distance) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, distance, 0)

int lockdown_by_filter(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(nr)),
		IF(SYS_read, 4),
		IF(SYS_write, 3),
		IF(SYS_exit, 2),
		IF(SYS_rt_sigreturn, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ART_ARRAY_SIZE(rules), .filter = rules };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#else

int lockdown_by_filter(void)
{
	errno = ENOTSUP;
	return -1;
}

#endif

int lockdown_compute_only(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0)
		return 0;
	return lockdown_by_filter();
}
