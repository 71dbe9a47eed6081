// SPDX-License-Identifier: Apache-2.0
/*
 * The Raspberry Pi's own firmware: autoboot.txt on the first FAT partition says which boot partition is started, and which one
 * instead after `reboot "0 tryboot"`, once. All of it is one sector that is overwritten in place, never truncated or
 * renamed, so that each act is one sector write:
 *
 *	[all]
 *	tryboot_a_b=1
 *	boot_partition=N                      of the committed slot
 *	[tryboot]
 *	boot_partition=M                      of the other one
 *	# twinroot trial=b left=1 bad=none transaction=12
 *	# sum=...                             over all before it
 *	newlines up to 512 bytes
 *
 * The firmware's lines come first: a file that lost its end still boots. What the firmware does with them is taken from its
 * documentation (see README.md beside this file). It tells in the device tree what it started, and whether as a try.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>
#include <linux/reboot.h>

#include "installer/boot.h"
#include "installer/boot/evidence.h"
#include "installer/boot/words.h"
#include "installer/proc.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define SECTOR 512 /* also the most that the firmware reads */
#define MARK "# twinroot "
#define TRY_ARGUMENT "0 tryboot" /* partition 0: let autoboot.txt decide */

static unsigned int partition_of(const struct boot *b, int slot)
{
	return (unsigned int)(slot ? b->config->boot_partition_b : b->config->boot_partition_a);
}

static int slot_of(const struct boot *b, unsigned int partition)
{
	int slot;

	for (slot = 0; slot < CONFIG_SLOTS; slot++)
		if (partition && partition_of(b, slot) == partition)
			return slot;
	return BOOT_NONE;
}

static int tryboot_open(struct boot *b, const struct config *c, struct art_err *err)
{
	(void)b;
	if (!c->boot_autoboot || !c->boot_partition_a || !c->boot_partition_b)
		return art_fail(err, ART_E_USAGE,
				"'autoboot', 'partition-a' and 'partition-b' of [boot] are required");
	if (c->boot_partition_a == c->boot_partition_b)
		return art_fail(err, ART_E_USAGE,
				"'partition-a' and 'partition-b' of [boot] are the same");
	return 0;
}

static void tryboot_close(struct boot *b)
{
	(void)b;
}

/* The file's directory, for fsync and to see whether it is on FAT. */
static int open_directory(const char *path)
{
	cleanup_free char *folder = strndup(path, (size_t)(strrchr(path, '/') - path) + 1);

	return folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static bool beside_fat(const char *path)
{
	cleanup_close int fd = open_directory(path);
	struct statfs fs;

	return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == MSDOS_SUPER_MAGIC;
}

static int lost(const struct boot *b, const char *how, struct art_err *err)
{
	return art_fail(err, ART_E_BOOT_LOST, "'%s' %s", b->config->boot_autoboot, how);
}

static int read_file(const struct boot *b, char text[SECTOR + 1], struct art_err *err)
{
	const char *path = b->config->boot_autoboot;
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char sector[SECTOR + 1];
	ssize_t n;

	/* Made in a directory that is only the mount point, a new one would please everybody but the firmware. */
	if (fd < 0 && errno == ENOENT && beside_fat(path))
		return lost(b, "is gone", err);
	if (fd < 0)
		return art_fail_errno(err, ART_E_IO,
				      "cannot open '%s' (is its partition mounted?)", path);
	n = art_read_full(fd, sector, sizeof(sector), path, err);
	if (n < 0)
		return (int)n;
	if (n != SECTOR)
		return lost(b, "has not 512 bytes", err);
	if (memchr(sector, 0, SECTOR))
		return lost(b, "is damaged (it has NUL bytes)", err);
	memcpy(text, sector, SECTOR);
	text[SECTOR] = '\0';
	return 0;
}

struct autoboot {
	unsigned int all, try; /* boot_partition, 0: not given */
	bool a_b;
	const char *words;     /* in the text, or NULL */
};

static void parse(struct autoboot *out, const char *text)
{
	unsigned int nowhere, *section = &out->all;
	const char *line = text;

	memset(out, 0, sizeof(*out));
	while (*line) {
		unsigned int n;

		if (strncmp(line, "[all]", 5) == 0)
			section = &out->all;
		else if (strncmp(line, "[tryboot]", 9) == 0)
			section = &out->try;
		else if (*line == '[')
			section = &nowhere;
		else if (sscanf(line, "boot_partition=%3u", &n) == 1)
			*section = n;
		else if (strncmp(line, "tryboot_a_b=1", 13) == 0)
			out->a_b = section == &out->all;
		else if (strncmp(line, MARK, strlen(MARK)) == 0)
			out->words = line + strlen(MARK);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
}

static int from_text(const struct boot *b, struct boot_state *s, const char *text,
		     struct art_err *err)
{
	struct autoboot file;
	int sealed = boot_sealed(text, err);

	if (sealed < 0)
		return sealed;
	parse(&file, text);
	/* One that the factory made has no words yet. */
	if (sealed == BOOT_SEAL_WRONG || (sealed == BOOT_SEAL_NONE) != !file.words ||
	    (file.words && boot_words_parse(s, file.words) < 0))
		return lost(b, "is damaged (its checksum is wrong)", err);
	if (!file.a_b || !file.all || !file.try || file.all == file.try)
		return lost(b, "does not name two boot partitions with tryboot_a_b=1", err);
	s->standard = slot_of(b, file.all);
	if (s->standard == BOOT_NONE || slot_of(b, file.try) == BOOT_NONE)
		return art_fail(err, ART_E_USAGE,
				"'%s' names the boot partitions %u and %u, but 'partition-a' and 'partition-b' of [boot] are %u and %u",
				b->config->boot_autoboot, file.all, file.try, partition_of(b, 0),
				partition_of(b, 1));
	return 0;
}

static int tryboot_get(struct boot *b, struct boot_state *s, struct art_err *err)
{
	struct boot_firmware firmware;
	char text[SECTOR + 1];
	int code = read_file(b, text, err);

	boot_evidence_firmware("", &firmware);
	s->booted = slot_of(b, firmware.partition);
	s->one_shot = true;
	return code < 0 ? code : from_text(b, s, text, err);
}

static int compose(const struct boot *b, const struct boot_state *s, char sector[SECTOR],
		   struct art_err *err)
{
	char words[BOOT_WORDS_MAX];
	size_t len;
	int code;

	boot_words_format(words, s);
	snprintf(sector, SECTOR,
		 "[all]\ntryboot_a_b=1\nboot_partition=%u\n[tryboot]\nboot_partition=%u\n" MARK
		 "%s\n# ",
		 partition_of(b, s->standard), partition_of(b, 1 - s->standard), words);
	code = boot_seal(sector, SECTOR, err);
	len = strlen(sector);
	memset(sector + len, '\n', SECTOR - len);
	return code;
}

/* A file that was whole keeps its length and its place on the medium. */
static int store(int fd, const char *path, const char sector[SECTOR], struct art_err *err)
{
	struct stat before;
	int code;

	if (fstat(fd, &before) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot stat '%s'", path);
	code = art_pwrite_full(fd, sector, SECTOR, 0, path, err);
	if (code < 0)
		return code;
	if ((before.st_size > SECTOR && ftruncate(fd, SECTOR) < 0) ||
	    (before.st_size == SECTOR ? fdatasync(fd) : fsync(fd)) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot write '%s'", path);
	/* So that reading back asks the medium; as far as it may. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

static int sync_directory(const char *path, struct art_err *err)
{
	cleanup_close int fd = open_directory(path);

	if (fd < 0 || fsync(fd) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot sync the directory of '%s'", path);
	return 0;
}

static int put(struct boot *b, const struct boot_state *s, struct art_err *err)
{
	const char *path = b->config->boot_autoboot;
	char sector[SECTOR];
	int fd, code = compose(b, s, sector, err);
	bool made;

	if (code < 0)
		return code;
	made = access(path, F_OK) < 0 && errno == ENOENT;
	fd = open(path, O_WRONLY | O_CLOEXEC | (made ? O_CREAT : 0), 0644);
	if (fd < 0)
		return art_fail_errno(err, ART_E_IO,
				      "cannot write '%s' (its partition must be mounted read-write)",
				      path);
	code = store(fd, path, sector, err);
	if (close(fd) < 0 && code == 0)
		code = art_fail_errno(err, ART_E_IO, "cannot write '%s'", path);
	return code == 0 && made ? sync_directory(path, err) : code;
}

/* One act: read, let CHANGE do its part, write. ANEW: also where nothing can be read. */
static int act(struct boot *b, void (*change)(struct boot_state *s, int slot, unsigned int tries),
	       int slot, const uint64_t *transaction, bool anew, struct art_err *err)
{
	struct boot_state s;
	int code;

	boot_state_init(&s);
	code = tryboot_get(b, &s, err);
	if (code == ART_E_BOOT_LOST && anew) {
		boot_state_init(&s);
		code = 0;
	}
	if (code < 0)
		return code;
	if (change)
		change(&s, slot, 1);
	if (transaction)
		s.transaction = *transaction;
	return put(b, &s, err);
}

/* The firmware starts what [all] names, good or bad. With both bad it goes on with the last default. */
static void change_bad(struct boot_state *s, int slot, unsigned int unused)
{
	boot_state_bad(s, slot, unused);
	if (s->standard == slot && !s->bad[1 - slot])
		s->standard = 1 - slot;
}

static int tryboot_arm(struct boot *b, int slot, unsigned int tries, uint64_t transaction,
		       struct art_err *err)
{
	(void)tries;
	return act(b, boot_state_arm, slot, &transaction, false, err);
}

static int tryboot_commit(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	return act(b, boot_state_commit, slot, &transaction, true, err);
}

static int tryboot_bad(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	return act(b, change_bad, slot, &transaction, false, err);
}

static int tryboot_noop(struct boot *b, struct art_err *err)
{
	return act(b, NULL, 0, NULL, false, err);
}

static int reboot_plainly(struct boot *b, struct art_err *err)
{
	char path_text[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *argv[] = { b->config->boot_reboot, NULL };
	char *envp[] = { path_text, NULL };

	return proc_run(argv, envp, (unsigned int)b->config->boot_timeout, -1, NULL, 0, err);
}

/* The try is written down as used before it begins: afterwards, on the slot that the firmware fell back to, nothing else tells. */
static int tryboot_reboot(struct boot *b, struct art_err *err)
{
	struct boot_state s;
	int code = boot_get(b, &s, err);

	if (code < 0)
		return code;
	if (s.trial == BOOT_NONE || s.trial == s.standard || s.left == 0 || s.bad[s.trial])
		return reboot_plainly(b, err);
	s.left = 0;
	code = put(b, &s, err);
	if (code < 0)
		return code;
	sync();
	/* glibc's reboot() has no place for the argument. */
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART2,
		TRY_ARGUMENT);
	code = art_fail_errno(err, ART_E_FAILED, "cannot reboot with \"" TRY_ARGUMENT "\"");
	s.left = 1;
	(void)put(b, &s, NULL);
	return code;
}

static const char *tryboot_caution(struct boot *b)
{
	/* The partition is not mounted, and a copy lies in the mount point. */
	if (!beside_fat(b->config->boot_autoboot))
		return "autoboot.txt is not on a FAT filesystem, so the firmware reads another one, if any: mount its partition";
	return "autoboot.txt is one sector in one copy on a FAT filesystem; a card that loses it in a write starts either slot until boot-check has made it anew";
}

const struct boot_ops boot_tryboot = {
	.name = "tryboot",
	.open = tryboot_open,
	.close = tryboot_close,
	.get = tryboot_get,
	.arm = tryboot_arm,
	.commit = tryboot_commit,
	.bad = tryboot_bad,
	.noop = tryboot_noop,
	.reboot = tryboot_reboot,
	.caution = tryboot_caution,
};
