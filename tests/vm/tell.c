// SPDX-License-Identifier: Apache-2.0
/* The whole user space of grub_boot.py: says what slot's initrd this is and what the kernel was told, and restarts. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

static void tell(const char *name, const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	printf("\n@%s %s\n", name, text);
	fflush(stdout);
	close(fd);
}

int main(void)
{
	mount("proc", "/proc", "proc", 0, NULL);
	tell("slot", "/slot");
	tell("cmdline", "/proc/cmdline");
	reboot(RB_AUTOBOOT);
	return 1;
}
