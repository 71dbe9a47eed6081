/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine runs and mounts. */
#ifndef INSTALLER_PLATFORM_H
#define INSTALLER_PLATFORM_H

/* Names of architectures (format.md, `arch`) that user space may have here; ends with NULL. */
void platform_archs(const char *archs[3]);

#define PLATFORM_FILESYSTEMS_MAX 64

struct platform_filesystems {
	const char *list[PLATFORM_FILESYSTEMS_MAX + 1]; /* ends with NULL */
	char *text; /* the caller frees it, also after NULL was returned */
};

/* What the kernel mounts, with a module too that is not loaded yet; NULL: /proc does not say. */
const char *const *platform_filesystems(struct platform_filesystems *fs);

#endif
