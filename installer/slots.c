// SPDX-License-Identifier: Apache-2.0
/* Slots: from the words of the configuration to device nodes, sizes and the one that runs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/fs.h>

#include "installer/slots.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

/* A device without udev has no /dev/disk; the kernel itself tells PARTNAME, and newer ones PARTUUID. */
static char *find_in_sysfs(const char *key, const char *value)
{
	DIR *dir = opendir("/sys/class/block");
	struct dirent *entry;
	char *found = NULL;

	while (dir && !found && (entry = readdir(dir))) {
		cleanup_free uint8_t *text = NULL;
		char path[512], want[256];
		char *line, *rest = NULL;
		size_t len;

		snprintf(path, sizeof(path), "/sys/class/block/%.200s/uevent", entry->d_name);
		snprintf(want, sizeof(want), "%s=%s", key, value);
		if (entry->d_name[0] == '.' || art_read_file(path, 4096, &text, &len, NULL) < 0)
			continue;
		for (line = strtok_r((char *)text, "\n", &rest); line && !found;
		     line = strtok_r(NULL, "\n", &rest))
			if (strcasecmp(line, want) == 0 &&
			    asprintf(&found, "/dev/%s", entry->d_name) < 0)
				found = NULL;
	}
	if (dir)
		closedir(dir);
	return found;
}

static char *by_link(const char *folder, const char *value)
{
	cleanup_free char *link = NULL;

	if (strchr(value, '/') || asprintf(&link, "/dev/disk/%s/%s", folder, value) < 0)
		return NULL;
	return realpath(link, NULL);
}

char *slot_resolve(const char *spec)
{
	char *path;

	if (strncmp(spec, "PARTUUID=", 9) == 0) {
		path = by_link("by-partuuid", spec + 9);
		return path ? path : find_in_sysfs("PARTUUID", spec + 9);
	}
	if (strncmp(spec, "PARTLABEL=", 10) == 0) {
		path = by_link("by-partlabel", spec + 10);
		return path ? path : find_in_sysfs("PARTNAME", spec + 10);
	}
	return realpath(spec, NULL);
}

static int measure(struct slot_part *part, struct art_err *err)
{
	/* A FIFO by mistake must not hold us up. */
	cleanup_close int fd = open(part->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", part->path);
	part->file_device = st.st_dev;
	part->file_inode = st.st_ino;
	if (S_ISREG(st.st_mode)) {
		part->size = (uint64_t)st.st_size;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return art_fail(err, ART_E_USAGE, "'%s' is neither a block device nor a file",
				part->path);
	part->is_block = true;
	part->device = st.st_rdev;
	if (ioctl(fd, BLKGETSIZE64, &part->size) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot size '%s'", part->path);
	return 0;
}

static int open_slot(struct slot *slot, const struct config_slot *c, struct art_err *err)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		struct slot_part *part = &slot->part[i];
		int code;

		part->payload = c->part[i].payload;
		part->path = slot_resolve(c->part[i].path);
		if (!part->path)
			return art_fail_errno(err, ART_E_IO, "cannot find '%s'", c->part[i].path);
		slot->count++;
		code = measure(part, err);
		if (code < 0)
			return code;
	}
	return 0;
}

/* By what they are, not by their names: a hard link has another path and is the same file. */
static bool is_same(const struct slot_part *a, const struct slot_part *b)
{
	if (a->is_block && b->is_block)
		return a->device == b->device;
	return a->file_device == b->file_device && a->file_inode == b->file_inode;
}

static int refuse_doubles(const struct slot slots[CONFIG_SLOTS], struct art_err *err)
{
	const struct slot_part *all[CONFIG_SLOTS * CONFIG_PARTS_MAX];
	size_t count = 0, i, j, s;

	for (s = 0; s < CONFIG_SLOTS; s++)
		for (i = 0; i < slots[s].count; i++)
			all[count++] = &slots[s].part[i];
	for (i = 0; i < count; i++)
		for (j = 0; j < i; j++)
			if (is_same(all[i], all[j]))
				return art_fail(err, ART_E_USAGE,
						"'%s' and '%s' are one partition or file, configured for two payloads",
						all[j]->path, all[i]->path);
	return 0;
}

int slots_open(struct slot slots[CONFIG_SLOTS], const struct config *config,
	       struct art_err *err)
{
	int code = 0, s;

	memset(slots, 0, CONFIG_SLOTS * sizeof(*slots));
	for (s = 0; s < CONFIG_SLOTS && code == 0; s++) {
		code = open_slot(&slots[s], &config->slot[s], err);
		if (code < 0)
			return art_wrap(err, "slot %c", 'a' + s);
	}
	return refuse_doubles(slots, err);
}

void slots_free(struct slot slots[CONFIG_SLOTS])
{
	size_t i, s;

	for (s = 0; s < CONFIG_SLOTS; s++)
		for (i = 0; i < slots[s].count; i++)
			free(slots[s].part[i].path);
	memset(slots, 0, CONFIG_SLOTS * sizeof(*slots));
}

const struct slot_part *slot_part(const struct slot *slot, const char *payload)
{
	size_t i;

	for (i = 0; i < slot->count; i++)
		if (strcmp(slot->part[i].payload, payload) == 0)
			return &slot->part[i];
	return NULL;
}

/* The device of `/`. -1: none, or one without a device of its own (overlay, network). */
static int root_device(dev_t *device)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	unsigned int major_number, minor_number;
	char line[4096], where[1024];
	int found = -1;

	/* The last mount on `/` is the one that is seen. */
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d %*d %u:%u %*s %1023s", &major_number, &minor_number,
			   where) == 3 &&
		    strcmp(where, "/") == 0) {
			*device = makedev(major_number, minor_number);
			found = major_number != 0 ? 0 : -1;
		}
	if (f)
		fclose(f);
	return found;
}

/* DEVICE is TARGET, or a device-mapper device (verity, crypt) over it. */
static bool lies_on(dev_t device, dev_t target, int depth)
{
	struct dirent *entry;
	bool found = false;
	char path[512];
	DIR *dir;

	if (device == target)
		return true;
	if (depth == 0)
		return false;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", major(device),
		 minor(device));
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		cleanup_free uint8_t *text = NULL;
		unsigned int a, b;
		size_t len;

		snprintf(path, sizeof(path), "/sys/class/block/%.200s/dev", entry->d_name);
		if (entry->d_name[0] == '.' || art_read_file(path, 64, &text, &len, NULL) < 0 ||
		    sscanf((char *)text, "%u:%u", &a, &b) != 2)
			continue;
		found = lies_on(makedev(a, b), target, depth - 1);
	}
	if (dir)
		closedir(dir);
	return found;
}

int slots_running(const struct slot slots[CONFIG_SLOTS], const struct boot_state *boot,
		  int *running, struct art_err *err)
{
	const struct slot_part *a = slot_part(&slots[0], "rootfs");
	const struct slot_part *b = slot_part(&slots[1], "rootfs");
	dev_t root;

	if (!a || !b)
		return art_fail(err, ART_E_USAGE, "a slot has no 'rootfs'");
	if (!a->is_block || !b->is_block) {
		if (boot->booted == BOOT_NONE)
			return art_fail(err, ART_E_STATE_WRONG,
					"cannot tell which slot runs: the slots are image files, and the boot backend does not say what it started");
		*running = boot->booted;
		return 0;
	}
	if (root_device(&root) < 0)
		return art_fail(err, ART_E_STATE_WRONG,
				"cannot tell which slot runs: '/' is on no block device");
	if (lies_on(root, a->device, 4))
		*running = 0;
	else if (lies_on(root, b->device, 4))
		*running = 1;
	else
		return art_fail(err, ART_E_STATE_WRONG,
				"cannot tell which slot runs: '/' is on device %u:%u, which is neither '%s' nor '%s'",
				major(root), minor(root), a->path, b->path);
	return 0;
}

/* The kernel does not mind writing an image file that a loop device has mounted. */
static bool behind_loop(const struct slot_part *part)
{
	bool found = false;
	int i;

	for (i = 0; i < 64 && !found; i++) {
		cleanup_free uint8_t *text = NULL;
		char name[64];
		struct stat st;
		size_t len;

		snprintf(name, sizeof(name), "/sys/block/loop%d/loop/backing_file", i);
		if (art_read_file(name, 4096, &text, &len, NULL) < 0)
			continue;
		((char *)text)[strcspn((char *)text, "\n")] = '\0';
		found = strcmp((char *)text, part->path) == 0 ||
			(stat((char *)text, &st) == 0 && st.st_dev == part->file_device &&
			 st.st_ino == part->file_inode);
	}
	return found;
}

bool slot_part_is(const struct slot_part *part, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	return part->is_block ? S_ISBLK(st.st_mode) && st.st_rdev == part->device :
				S_ISREG(st.st_mode) && st.st_dev == part->file_device &&
					st.st_ino == part->file_inode;
}

int slot_part_open(const struct slot_part *part, int *fd, struct art_err *err)
{
	*fd = open(part->path,
		   O_RDWR | O_CLOEXEC | O_NONBLOCK | (part->is_block ? O_EXCL : 0));
	if (*fd < 0 && errno == EBUSY)
		return art_fail(err, ART_E_STATE_BUSY, "'%s' is mounted or otherwise in use",
				part->path);
	if (*fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", part->path);
	/* Between judging the slots and this the name may have been given to another. */
	if (!slot_part_is(part, *fd)) {
		close(art_steal_fd(fd));
		return art_fail(err, ART_E_STATE_BUSY,
				"'%s' is no longer what it was a moment ago; try again", part->path);
	}
	if (!part->is_block && behind_loop(part)) {
		close(art_steal_fd(fd));
		return art_fail(err, ART_E_STATE_BUSY, "'%s' is in use by a loop device",
				part->path);
	}
	return 0;
}
