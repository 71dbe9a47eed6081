// SPDX-License-Identifier: Apache-2.0
/* Boot stores that are files, and the evidence of a trial: damage is always seen, and nothing but a trial looks like one. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "installer/boot.h"
#include "installer/boot/efivars.h"
#include "installer/boot/evidence.h"
#include "installer/boot/place.h"
#include "installer/boot/words.h"
#include "tests/unit/run.h"

#define SECTOR 512
#define GLOBAL "8be4df61-93ca-11d2-aa0d-00e098032b8c"

static char root[64];
static char path[128];
static struct art_err err;
static struct config config;
static struct boot boot;
static char backend[] = "tryboot", reboot[] = "/bin/true";

static void setup(void)
{
	snprintf(root, sizeof(root), "%s/check_boot.XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/autoboot.txt", root);
	memset(&config, 0, sizeof(config));
	config.boot_backend = backend;
	config.boot_autoboot = path;
	config.boot_reboot = reboot;
	config.boot_timeout = 10;
	config.boot_partition_a = 2;
	config.boot_partition_b = 3;
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0);
}

static void write_file(const char *name, const void *bytes, size_t len)
{
	FILE *f = fopen(name, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static void read_sector(char sector[SECTOR])
{
	FILE *f = fopen(path, "rb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(sector, 1, SECTOR, f), SECTOR);
	ck_assert_int_eq(fgetc(f), EOF);
	fclose(f);
}

static void make_factory(void)
{
	char sector[SECTOR];
	int n = snprintf(sector, sizeof(sector),
			 "[all]\r\ntryboot_a_b=1\r\nboot_partition=2\n[tryboot]\nboot_partition=3\n");

	memset(sector + n, '\n', sizeof(sector) - (size_t)n);
	write_file(path, sector, sizeof(sector));
	ck_assert_int_eq(boot_open(&boot, &config, &err), 0);
}

static struct boot_state state_now(void)
{
	struct boot_state s;

	ck_assert_int_eq(boot_get(&boot, &s, &err), 0);
	return s;
}

START_TEST(tryboot_acts)
{
	struct boot_state s;

	make_factory();
	s = state_now();
	ck_assert(s.standard == 0 && s.trial == BOOT_NONE && s.one_shot && !s.bad[0] && !s.bad[1]);
	ck_assert_int_eq(boot_noop(&boot, &err), 0);
	ck_assert_int_eq(boot_bad(&boot, 1, 7, &err), 0);
	s = state_now();
	ck_assert(s.standard == 0 && s.bad[1] && s.transaction == 7);
	ck_assert_int_eq(boot_arm(&boot, 1, 3, 8, &err), 0);
	s = state_now();
	ck_assert(s.standard == 0 && s.trial == 1 && s.left == 1 && !s.bad[1]);
	ck_assert_int_eq(boot_noop(&boot, &err), 0);
	ck_assert_int_eq(boot_commit(&boot, 1, 9, &err), 0);
	s = state_now();
	ck_assert(s.standard == 1 && s.trial == BOOT_NONE && s.left == 0);
	/* Nothing is armed: the ordinary program. */
	ck_assert_int_eq(boot.ops->reboot(&boot, &err), 0);
	boot_close(&boot);
}
END_TEST

/* Never boot the default: the other is. With both bad it stays. */
START_TEST(tryboot_both_bad)
{
	struct boot_state s;

	make_factory();
	ck_assert_int_eq(boot_bad(&boot, 0, 1, &err), 0);
	s = state_now();
	ck_assert(s.standard == 1 && s.bad[0] && !s.bad[1]);
	ck_assert_int_eq(boot_bad(&boot, 1, 2, &err), 0);
	s = state_now();
	ck_assert(s.standard == 1 && s.bad[0] && s.bad[1]);
	boot_close(&boot);
}
END_TEST

/* Damage is never taken for a state, and a commit makes the file anew. */
START_TEST(tryboot_every_bit)
{
	char good[SECTOR], wrong[SECTOR];
	struct boot_state s;
	size_t i;

	make_factory();
	ck_assert_int_eq(boot_arm(&boot, 1, 3, 8, &err), 0);
	read_sector(good);
	for (i = 0; i < (size_t)SECTOR * 8; i++) {
		memcpy(wrong, good, SECTOR);
		wrong[i / 8] = (char)(wrong[i / 8] ^ (1 << i % 8));
		write_file(path, wrong, SECTOR);
		ck_assert_msg(boot_get(&boot, &s, &err) == ART_E_BOOT_LOST, "bit %zu", i);
	}
	for (i = 0; i < SECTOR; i++) {
		write_file(path, good, i);
		ck_assert_msg(boot_get(&boot, &s, &err) == ART_E_BOOT_LOST, "length %zu", i);
	}
	ck_assert_int_eq(boot_arm(&boot, 1, 3, 9, &err), ART_E_BOOT_LOST);
	ck_assert_int_eq(boot_commit(&boot, 1, 9, &err), 0);
	s = state_now();
	ck_assert(s.standard == 1 && s.trial == BOOT_NONE && s.transaction == 9);
	read_sector(good);
	boot_close(&boot);
}
END_TEST

START_TEST(tryboot_configuration)
{
	make_factory();
	boot_close(&boot);
	config.boot_partition_b = 2;
	ck_assert_int_eq(boot_open(&boot, &config, &err), ART_E_USAGE);
	config.boot_partition_b = 0;
	ck_assert_int_eq(boot_open(&boot, &config, &err), ART_E_USAGE);
	config.boot_partition_b = 5;
	ck_assert_int_eq(boot_open(&boot, &config, &err), 0);
	ck_assert_int_eq(boot_noop(&boot, &err), ART_E_USAGE);
	boot_close(&boot);
}
END_TEST

START_TEST(words)
{
	static const char *const wrong[] = { "trial", "trial=c", "left=x", "other=1",
					     "trial=a  bad=q" };
	struct boot_state s, back;
	char text[BOOT_WORDS_MAX];
	size_t i;

	boot_state_init(&s);
	s.bad[0] = s.bad[1] = true;
	s.trial = 0;
	s.left = 9;
	s.transaction = UINT64_C(999999999999999999);
	boot_words_format(text, &s);
	boot_state_init(&back);
	ck_assert_int_eq(boot_words_parse(&back, text), 0);
	ck_assert(back.trial == 0 && back.left == 9 && back.bad[0] && back.bad[1] &&
		  back.transaction == s.transaction);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_eq(boot_words_parse(&back, wrong[i]), -1);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(boot_words_parse(&back, text), -1);
}
END_TEST

/* A file below the root, with its directories. */
static void put_below(const char *name, const void *bytes, size_t len)
{
	char full[512], *p;

	snprintf(full, sizeof(full), "%s%s", root, name);
	for (p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
	write_file(full, bytes, len);
}

static void put_text(const char *name, const char *text)
{
	put_below(name, text, strlen(text));
}

START_TEST(evidence_command_line)
{
	static const struct {
		const char *text;
		bool trial;
	} lines[] = {
		{ "root=/dev/x twinroot.trial=1 quiet\n", true },
		{ "twinroot.trial=1", true },
		{ "root=/dev/x\n", false },
		{ "twinroot.trial=0\n", false },
		{ "xtwinroot.trial=1 twinroot.trial=10 twinroot.trial\n", false },
		{ "", false },
	};
	size_t i;

	ck_assert(!boot_evidence_trial_in(root));
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		put_text("/proc/cmdline", lines[i].text);
		ck_assert_msg(boot_evidence_trial_in(root) == lines[i].trial, "%s", lines[i].text);
	}
}
END_TEST

START_TEST(evidence_firmware)
{
	static const char *const node = "/sys/firmware/devicetree/base/chosen/bootloader/";
	char name[128];
	struct boot_firmware f;

	snprintf(name, sizeof(name), "%spartition", node);
	put_below(name, "\0\0\0\3", 4);
	boot_evidence_firmware(root, &f);
	ck_assert(f.partition == 3 && !f.tryboot);
	snprintf(name, sizeof(name), "%stryboot", node);
	put_below(name, "\0\0\0\0", 4);
	ck_assert(!boot_evidence_trial_in(root));
	put_below(name, "\0\0\1", 3);
	ck_assert(!boot_evidence_trial_in(root));
	put_below(name, "\0\0\0\1", 4);
	ck_assert(boot_evidence_trial_in(root));
	boot_evidence_firmware(root, &f);
	ck_assert(f.tryboot);
}
END_TEST

static void put_own(int trial, unsigned int entry_b, bool spoil)
{
	char bytes[4 + EFI_WORDS_MAX] = { 7 };
	struct efi_words w = { .entry = { "0001" }, .write = 12 };

	snprintf(w.entry[1], EFI_ENTRY_MAX, "%04x", entry_b);
	boot_state_init(&w.state);
	w.state.trial = trial;
	w.state.standard = 0;
	ck_assert_int_eq(efi_words_format(bytes + 4, &w, &err), 0);
	if (spoil)
		bytes[20] ^= 1;
	put_below("/sys/firmware/efi/efivars/" EFI_OWN_FIRMWARE "-" EFI_OWN_GUID, bytes,
		  4 + strlen(bytes + 4));
}

START_TEST(evidence_efi)
{
	const char *current = "/sys/firmware/efi/efivars/BootCurrent-" GLOBAL;
	const char *order = "/sys/firmware/efi/efivars/BootOrder-" GLOBAL;

	put_below(order, "\7\0\0\0\1\0\2\0", 8);
	put_own(1, 2, false);
	ck_assert(!boot_evidence_trial_in(root));
	put_below(current, "\6\0\0\0\1\0", 6);
	ck_assert(!boot_evidence_trial_in(root));
	put_below(current, "\6\0\0\0\2\0", 6);
	ck_assert(boot_evidence_trial_in(root));
	put_own(1, 2, true);
	ck_assert(!boot_evidence_trial_in(root));
	put_own(BOOT_NONE, 2, false);
	ck_assert(!boot_evidence_trial_in(root));
	put_own(1, 3, false);
	ck_assert(!boot_evidence_trial_in(root));
	put_own(1, 2, false);
	put_below(order, "\7\0\0\0\7\0\1\0\2\0", 10);
	ck_assert(boot_evidence_trial_in(root));
	put_below(order, "\7\0\0\0\7\0\2\0\1\0", 10);
	ck_assert(!boot_evidence_trial_in(root));
	put_below(order, "\7\0\0\0\2\0\1\0", 8);
	ck_assert(!boot_evidence_trial_in(root));
	put_below(order, "\7\0\0\0", 4);
	ck_assert(!boot_evidence_trial_in(root));
}
END_TEST

#define EFIVARS "/sys/firmware/efi/efivars/"

/* A variable of systemd-boot: attributes, and UTF-16. */
static void put_loader(const char *name, const char *text, unsigned int spoil)
{
	char bytes[4 + 2 * 80] = { 7 }, name_below[160];
	size_t i, n = strlen(text) + 1;

	for (i = 0; i < n; i++)
		bytes[4 + 2 * i] = text[i];
	bytes[5] = (char)spoil;
	snprintf(name_below, sizeof(name_below), EFIVARS "%s-" EFI_LOADER_GUID, name);
	put_below(name_below, bytes, 4 + 2 * n);
}

static void put_loader_own(int trial)
{
	char bytes[4 + EFI_WORDS_MAX] = { 7 };
	struct efi_words w = { .entry = { "tw-a.conf", "tw-b.conf" }, .write = 12 }, back;

	boot_state_init(&w.state);
	w.state.trial = trial;
	w.state.standard = 0;
	ck_assert_int_eq(efi_words_format(bytes + 4, &w, &err), 0);
	ck_assert_int_eq(efi_words_parse(&back, bytes + 4), 0);
	ck_assert_str_eq(back.entry[0], "tw-a.conf");
	ck_assert_str_eq(back.entry[1], "tw-b.conf");
	ck_assert_int_eq(back.write, 12);
	put_below(EFIVARS EFI_OWN_LOADER "-" EFI_OWN_GUID, bytes, 4 + strlen(bytes + 4));
}

START_TEST(evidence_loader)
{
	put_loader_own(1);
	ck_assert(!boot_evidence_trial_in(root));
	put_loader("LoaderEntrySelected", "tw-b.conf", 0);
	ck_assert(!boot_evidence_trial_in(root));
	put_loader("LoaderEntryDefault", "tw-a.conf", 0);
	ck_assert(boot_evidence_trial_in(root));
	put_loader("LoaderEntrySelected", "tw-a.conf", 0);
	ck_assert(!boot_evidence_trial_in(root));
	put_loader("LoaderEntrySelected", "tw-b.con", 0);
	ck_assert(!boot_evidence_trial_in(root));
	put_loader("LoaderEntrySelected", "tw-b.conf", 1);
	ck_assert(!boot_evidence_trial_in(root));
	put_loader("LoaderEntrySelected", "tw-b.conf", 0);
	put_loader("LoaderEntryDefault", "tw-b.conf", 0);
	ck_assert(!boot_evidence_trial_in(root));
	put_loader("LoaderEntryDefault", "other.conf", 0);
	ck_assert(!boot_evidence_trial_in(root));
	put_loader("LoaderEntryDefault", "tw-a.conf", 0);
	ck_assert(boot_evidence_trial_in(root));
	put_loader_own(BOOT_NONE);
	ck_assert(!boot_evidence_trial_in(root));
}
END_TEST

START_TEST(efi_texts)
{
	uint8_t bytes[2 * EFI_ENTRY_MAX] = { 'a', 0, 'b', 0 };
	char text[EFI_ENTRY_MAX];

	ck_assert_int_eq(efi_text(text, bytes, 6), 0);
	ck_assert_str_eq(text, "ab");
	ck_assert_int_eq(efi_text(text, bytes, 4), 0);
	ck_assert_str_eq(text, "ab");
	ck_assert_int_eq(efi_text(text, bytes, 3), 0);
	ck_assert_str_eq(text, "a");
	ck_assert_int_eq(efi_text(text, bytes, 0), 0);
	ck_assert_str_eq(text, "");
	for (size_t i = 0; i < EFI_ENTRY_MAX; i++)
		bytes[2 * i] = 'x';
	ck_assert_int_eq(efi_text(text, bytes, sizeof(bytes)), -1);
	ck_assert_int_eq(efi_text(text, bytes, sizeof(bytes) - 2), 0);
	ck_assert_uint_eq(strlen(text), EFI_ENTRY_MAX - 1);
	bytes[0] = 0x80;
	ck_assert_int_eq(efi_text(text, bytes, 6), -1);
}
END_TEST

/* A sysfs with two disks, 8:0 with three partitions and 8:16, and a flash device of 128 KiB blocks. */
static void make_sysfs(void)
{
	static const struct {
		const char *number, *folder, *start;
	} nodes[] = {
		{ "8:0", "sda", NULL },
		{ "8:1", "sda/sda1", "2048\n" },
		{ "8:2", "sda/sda2", "10240\n" },
		{ "8:3", "sda/sda3", "10239\n" },
		{ "8:16", "sdb", NULL },
	};
	char name[512], target[128];
	size_t i;

	put_text("/dev/char/90:0/erasesize", "131072\n");
	put_text("/dev/block/none", "");
	for (i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		snprintf(name, sizeof(name), "/devices/%s/dev", nodes[i].folder);
		snprintf(target, sizeof(target), "%s\n", nodes[i].number);
		put_text(name, target);
		snprintf(name, sizeof(name), "/devices/%s/size", nodes[i].folder);
		put_text(name, "32768\n");
		snprintf(name, sizeof(name), "/devices/%s/start", nodes[i].folder);
		if (nodes[i].start)
			put_text(name, nodes[i].start);
		snprintf(name, sizeof(name), "%s/dev/block/%s", root, nodes[i].number);
		snprintf(target, sizeof(target), "../../devices/%s", nodes[i].folder);
		ck_assert_int_eq(symlink(target, name), 0);
	}
}

static struct boot_place place_at(mode_t mode, unsigned int major, unsigned int minor,
				  int64_t offset)
{
	const struct stat st = { .st_mode = mode, .st_rdev = makedev(major, minor), .st_ino = minor };
	struct boot_place p;

	boot_place_of(&p, root, &st, offset, 0x4000);
	return p;
}

START_TEST(places)
{
	static const struct {
		mode_t mode;
		unsigned int major;
		unsigned int minor[2];
		int64_t offset[2];
		bool overlap;
		const char *caution;
	} pairs[] = {
		/* One partition. */
		{ S_IFBLK, 8, { 1, 1 }, { 0, 0x400000 }, false, NULL },
		{ S_IFBLK, 8, { 1, 1 }, { 0x400000, 0 }, false, NULL },
		{ S_IFBLK, 8, { 1, 1 }, { 0, 0x3fc000 }, false, "within 4 MiB" },
		{ S_IFBLK, 8, { 1, 1 }, { 0, 0x4000 }, false, "within 4 MiB" },
		{ S_IFBLK, 8, { 1, 1 }, { 0, 0x3fff }, true, "within 4 MiB" },
		{ S_IFBLK, 8, { 1, 1 }, { 0, 0 }, true, "within 4 MiB" },
		/* The last 16 KiB of 16 MiB. */
		{ S_IFBLK, 8, { 1, 1 }, { 0xffc000, -0x4000 }, true, "within 4 MiB" },
		{ S_IFBLK, 8, { 1, 1 }, { 0, -0x4000 }, false, NULL },
		/* The first reaches into the unit of the second, which starts at 8 MiB - 8 KiB. */
		{ S_IFBLK, 8, { 0, 0 }, { 0x3fe000, 0x7fe000 }, false, "within 4 MiB" },
		/* Partitions, which begin 4 MiB apart and a sector less. */
		{ S_IFBLK, 8, { 1, 2 }, { 0, 0 }, false, NULL },
		{ S_IFBLK, 8, { 1, 3 }, { 0, 0 }, false, "within 4 MiB" },
		{ S_IFBLK, 8, { 1, 0 }, { 0, 0x100000 }, true, "within 4 MiB" },
		{ S_IFBLK, 8, { 0, 16 }, { 0, 0 }, false, NULL },
		/* Flash that says its blocks, flash that does not, files. */
		{ S_IFCHR, 90, { 0, 0 }, { 0, 0x20000 }, false, NULL },
		{ S_IFCHR, 90, { 0, 0 }, { 0, 0x10000 }, false, "one erase block" },
		{ S_IFCHR, 90, { 0, 0 }, { 0, 0 }, true, "one erase block" },
		{ S_IFCHR, 90, { 0, 2 }, { 0, 0 }, false, NULL },
		{ S_IFCHR, 90, { 2, 2 }, { 0, 0x4000 }, false, NULL },
		{ S_IFREG, 0, { 5, 5 }, { 0, 0x800000 }, false, "is a file" },
		{ S_IFREG, 0, { 5, 5 }, { 0, 0x2000 }, true, "is a file" },
		{ S_IFREG, 0, { 5, 6 }, { 0, 0 }, false, "is a file" },
	};
	struct boot_place a, b;
	const char *caution;
	size_t i;

	make_sysfs();
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		a = place_at(pairs[i].mode, pairs[i].major, pairs[i].minor[0], pairs[i].offset[0]);
		b = place_at(pairs[i].mode, pairs[i].major, pairs[i].minor[1], pairs[i].offset[1]);
		ck_assert_msg(boot_place_overlap(&a, &b) == pairs[i].overlap, "pair %zu", i);
		ck_assert_msg(boot_place_overlap(&b, &a) == pairs[i].overlap, "pair %zu", i);
		caution = boot_place_caution(&a, &b);
		ck_assert_msg(!caution == !pairs[i].caution, "pair %zu: %s", i, caution);
		ck_assert_msg(!caution || strstr(caution, pairs[i].caution), "pair %zu: %s", i,
			      caution);
	}
}
END_TEST

/* UBI volumes go by names that are none of files. */
START_TEST(places_by_name)
{
	struct boot_place a, b;

	boot_place_find(&a, "/dev/ubi0:env", 0, 0x4000);
	boot_place_find(&b, "/dev/ubi0:env-copy", 0, 0x4000);
	ck_assert(!boot_place_overlap(&a, &b));
	ck_assert_ptr_null(boot_place_caution(&a, &b));
	ck_assert(boot_place_overlap(&a, &a));
}
END_TEST

/* A program whose `get` prints LEN bytes: lines that say nothing new, and the transaction as the last. */
static void make_script(char program[128], size_t len)
{
	static const char last[] = "transaction=123456\n";
	char text[4096];
	size_t n = (size_t)snprintf(text, sizeof(text), "#!/bin/sh\ncat <<'END'\ndefault=a\n");
	size_t end = n + len - strlen("default=a\n") - strlen(last);

	while (end - n >= 14)
		n += (size_t)sprintf(text + n, "left=0\n");
	n += (size_t)sprintf(text + n, "left=%0*d\n", (int)(end - n - 6), 0);
	n += (size_t)sprintf(text + n, "%sEND\n", last);
	snprintf(program, 128, "%s/boot.sh", root);
	write_file(program, text, n);
	ck_assert_int_eq(chmod(program, 0700), 0);
}

/* What a program says is never cut: a number that has lost its end would be another one. */
START_TEST(script_says_much)
{
	struct boot_state s;
	char program[128];
	size_t len;

	config.boot_backend = (char *)"script";
	config.boot_script = program;
	for (len = 2040; len <= 2080; len++) {
		make_script(program, len);
		ck_assert_int_eq(boot_open(&boot, &config, &err), 0);
		if (len <= 2048) {
			ck_assert_msg(boot_get(&boot, &s, &err) == 0, "%zu: %s", len, err.text);
			ck_assert_uint_eq(s.transaction, 123456);
		} else {
			ck_assert_msg(boot_get(&boot, &s, &err) == ART_E_FAILED, "%zu", len);
			ck_assert_ptr_nonnull(strstr(err.text, "boot.sh get' says more than 2048 bytes"));
		}
		boot_close(&boot);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot");
	TCase *t = tcase_create("boot");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, tryboot_acts);
	tcase_add_test(t, tryboot_both_bad);
	tcase_add_test(t, tryboot_every_bit);
	tcase_add_test(t, tryboot_configuration);
	tcase_add_test(t, script_says_much);
	tcase_add_test(t, words);
	tcase_add_test(t, evidence_command_line);
	tcase_add_test(t, evidence_firmware);
	tcase_add_test(t, evidence_efi);
	tcase_add_test(t, evidence_loader);
	tcase_add_test(t, efi_texts);
	tcase_add_test(t, places);
	tcase_add_test(t, places_by_name);
	suite_add_tcase(s, t);
	return run_suite(s);
}
