// SPDX-License-Identifier: Apache-2.0
/*
 * A break-in through libcurl or the TLS library finds a process that may do little more than
 * talk to the network.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef HAVE_LINUX_LANDLOCK_H
#include <linux/landlock.h>
#endif

#include "installer/fetch/confine.h"
#include "installer/lockdown.h"
#include "libartifact/util.h"

#define MEMORY_MAX (512 * ART_MIB)
#define DESCRIPTORS_MAX 64

static int limit(int what, rlim_t value, struct art_err *err)
{
	const struct rlimit r = { value, value };

	if (setrlimit((__rlimit_resource_t)what, &r) != 0)
		return art_fail_errno(err, ART_E_FAILED, "cannot set a resource limit");
	return 0;
}

static int limits(struct art_err *err)
{
	int code = limit(RLIMIT_CORE, 0, err);

	/* The signal would end us where an error is enough. */
	signal(SIGXFSZ, SIG_IGN);
	if (code == 0)
		code = limit(RLIMIT_FSIZE, 0, err);
	if (code == 0)
		code = limit(RLIMIT_NOFILE, DESCRIPTORS_MAX, err);
#ifndef __SANITIZE_ADDRESS__ /* its shadow is larger than any limit */
	if (code == 0)
		code = limit(RLIMIT_AS, MEMORY_MAX, err);
#endif
	return code;
}

static int drop_user(const char *user, struct art_err *err)
{
	const struct passwd *pw;

	if (geteuid() != 0 || !*user)
		return 0;
	pw = getpwnam(user);
	if (!pw)
		return art_fail(err, ART_E_FAILED, "there is no user '%s' to download as", user);
	if (setgroups(0, NULL) != 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
		return art_fail_errno(err, ART_E_FAILED, "cannot become user '%s'", user);
	return 0;
}

#if defined(HAVE_LINUX_LANDLOCK_H) && defined(SYS_landlock_create_ruleset)
static void allow_reading(int rules, const char *path)
{
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
		.parent_fd = open(path, O_PATH | O_CLOEXEC),
	};

	if (beneath.parent_fd < 0)
		return;
	syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
	close(beneath.parent_fd);
}

static void landlock(void)
{
	/* All rights of the first version; a later kernel has them too. */
	const struct landlock_ruleset_attr attr = {
		.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
	};
	/* Names, certificates, and the modules that libc loads for names. */
	static const char *const readable[] = {
		"/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve", "/run/resolvconf",
		"/run/connman", "/run/NetworkManager",
	};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (rules < 0)
		return;
	for (size_t i = 0; i < ART_ARRAY_SIZE(readable); i++)
		allow_reading(rules, readable[i]);
	syscall(SYS_landlock_restrict_self, rules, 0);
	close(rules);
}
#else
static void landlock(void)
{
}
#endif

int fetch_confine(long parent, const char *user, struct art_err *err)
{
	int code = limits(err);

	if (code == 0)
		code = drop_user(user, err);
	if (code < 0)
		return code;
	/* Changing the user has cleared the first. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0) != 0)
		return art_fail_errno(err, ART_E_FAILED, "cannot confine the download program");
	if (getppid() != (pid_t)parent)
		return art_fail(err, ART_E_FAILED, "the installer is gone");
	landlock();
	/* The second line of defence, like landlock: an old kernel, or one without filters, downloads all the same. */
	(void)lockdown_downloads();
	return 0;
}
