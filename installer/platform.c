// SPDX-License-Identifier: Apache-2.0
/* What this machine runs and mounts. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "installer/platform.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

/* The architecture this program was built for is one that the device's user space runs. */
static const char *built_for(void)
{
#if defined(__x86_64__)
	return "x86_64";
#elif defined(__i386__)
	return "i386";
#elif defined(__aarch64__)
	return "aarch64";
#elif defined(__arm__) && defined(__ARM_PCS_VFP)
	return "armhf";
#elif defined(__arm__)
	return "armel";
#elif defined(__riscv) && __riscv_xlen == 64
	return "riscv64";
#elif defined(__riscv)
	return "riscv32";
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return "ppc64le";
#elif defined(__powerpc64__)
	return "ppc64";
#elif defined(__mips64) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return "mips64el";
#elif defined(__mips64)
	return "mips64";
#elif defined(__mips__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return "mipsel";
#elif defined(__mips__)
	return "mips";
#elif defined(__s390x__)
	return "s390x";
#elif defined(__loongarch64)
	return "loongarch64";
#else
	return NULL;
#endif
}

/* What the kernel runs besides: a 32-bit user space over a 64-bit kernel may be replaced by a 64-bit one. */
static const char *kernel_runs(const char *machine)
{
	static const char *const same[] = { "x86_64", "aarch64", "riscv64", "riscv32",
					    "ppc64le", "ppc64", "s390x", "loongarch64" };
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(same); i++)
		if (strcmp(machine, same[i]) == 0)
			return same[i];
	return NULL;
}

void platform_archs(const char *archs[3])
{
	struct utsname u;
	const char *built = built_for();
	const char *kernel = uname(&u) == 0 ? kernel_runs(u.machine) : NULL;
	size_t n = 0;

	if (built)
		archs[n++] = built;
	if (kernel && (!built || strcmp(kernel, built) != 0))
		archs[n++] = kernel;
	archs[n] = NULL;
}

/* A driver that is a module not loaded yet is not in /proc/filesystems. */
static bool has_module(const char *filesystem)
{
	char path[256], line[512], want[32];
	struct utsname u;
	bool found = false;
	FILE *f;

	if (uname(&u) < 0)
		return false;
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", u.release);
	snprintf(want, sizeof(want), "/%.16s.ko", filesystem);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, ":")] = '\0';
		found = strstr(line, want) != NULL;
	}
	if (f)
		fclose(f);
	return found;
}

/* A FAT boot partition is the bootloader's matter, not this kernel's. */
const char *const *platform_filesystems(struct platform_filesystems *fs)
{
	static const char *const modules[] = { "ext4", "squashfs", "erofs" };
	uint8_t *text = NULL;
	char *line, *rest = NULL;
	size_t len, n = 0, i;

	fs->text = NULL;
	if (art_read_file("/proc/filesystems", 16384, &text, &len, NULL) < 0)
		return NULL;
	fs->text = (char *)text;
	fs->list[n++] = "vfat";
	for (i = 0; i < ART_ARRAY_SIZE(modules); i++)
		if (has_module(modules[i]))
			fs->list[n++] = modules[i];
	for (line = strtok_r(fs->text, "\n", &rest); line && n < PLATFORM_FILESYSTEMS_MAX;
	     line = strtok_r(NULL, "\n", &rest))
		if (line[0] == '\t')
			fs->list[n++] = line + 1;
	fs->list[n] = NULL;
	return fs->list;
}
