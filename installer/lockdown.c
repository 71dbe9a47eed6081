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

static int install(struct sock_filter *rules, size_t count)
{
	struct sock_fprog program = { .len = (unsigned short)count, .filter = rules };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

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

	return install(rules, ART_ARRAY_SIZE(rules));
}

int lockdown_downloads(void)
{
	static const uint32_t refused[] = {
		SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
		SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns,
		SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_init_module, SYS_finit_module,
		SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_add_key, SYS_request_key,
		SYS_keyctl, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_personality,
#ifdef SYS_io_uring_setup
		SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
#endif
#ifdef SYS_open_tree
		SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsmount,
#endif
	};
	struct sock_filter rules[2 * ART_ARRAY_SIZE(refused) + 7];
	size_t n = 0, i;

	rules[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(arch));
	rules[n++] = (struct sock_filter)IF(NATIVE, 1);
	rules[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	rules[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(nr));
	/* x32's numbers, where no other architecture has any. */
	rules[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
	rules[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	for (i = 0; i < ART_ARRAY_SIZE(refused); i++) {
		rules[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i], 0, 1);
		rules[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
							  SECCOMP_RET_ERRNO | EPERM);
	}
	rules[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return install(rules, n);
}

#else

int lockdown_by_filter(void)
{
	errno = ENOTSUP;
	return -1;
}

int lockdown_downloads(void)
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
