// SPDX-License-Identifier: Apache-2.0
/* The GRUB store: whatever a cut leaves of one copy, the state is the one before the write or the one after. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "installer/boot.h"

#define ARCHIVE 2560
#define WRITTEN (512 + 320) /* beyond it only padding */

static char path[2][64];
static struct config config;
static struct boot boot;
static struct art_err err;

static void put(int copy, const char archive[ARCHIVE])
{
	int fd = open(path[copy], O_WRONLY | O_CREAT, 0600);

	ck_assert_int_eq(pwrite(fd, archive, ARCHIVE, 0), ARCHIVE);
	close(fd);
}

static void take(int copy, char archive[ARCHIVE])
{
	int fd = open(path[copy], O_RDONLY);

	ck_assert_int_eq(pread(fd, archive, ARCHIVE, 0), ARCHIVE);
	close(fd);
}

/* A store as it comes from the factory: what GNU tar made of a block. */
static void factory(char archive[ARCHIVE])
{
	unsigned int sum = 8 * ' ';
	int i;

	memset(archive, 0, ARCHIVE);
	memset(archive + 512, '#', 1024);
	strcpy(archive, "twinroot");
	strcpy(archive + 100, "0000644");
	strcpy(archive + 124, "00000002000");
	strcpy(archive + 136, "15000000000");
	memcpy(archive + 257, "ustar\00000", 8);
	for (i = 0; i < 512; i++)
		sum += (unsigned char)archive[i];
	snprintf(archive + 148, 8, "%06o", sum);
	archive[512 + sprintf(archive + 512,
			      "# GRUB Environment Block\ntwinroot_sequence=1000000000\ntwinroot_default=a\n"
			      "twinroot_trial=none\ntwinroot_left=0\ntwinroot_bad=none\ntwinroot_transaction=0\n"
			      "twinroot_check=1000000000-a-none-0-none-0\n")] = '#';
}

static void setup(void)
{
	char archive[ARCHIVE];
	int i;

	factory(archive);
	for (i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "check_grub.XXXXXX");
		close(mkstemp(path[i]));
		put(i, archive);
	}
	memset(&config, 0, sizeof(config));
	config.boot_backend = (char *)"grub";
	config.boot_store = path[0];
	config.boot_store_copy = path[1];
	ck_assert_int_eq(boot_open(&boot, &config, &err), 0);
}

static void teardown(void)
{
	boot_close(&boot);
	unlink(path[0]);
	unlink(path[1]);
}

START_TEST(acts)
{
	struct boot_state s;

	ck_assert_int_eq(boot_arm(&boot, 1, 3, 1, &err), 0);
	ck_assert_int_eq(boot_noop(&boot, &err), 0);
	ck_assert_int_eq(boot_get(&boot, &s, &err), 0);
	ck_assert(s.standard == 0 && s.trial == 1 && s.left == 3 && s.transaction == 1);
	ck_assert(!s.bad[0] && !s.bad[1] && !s.one_shot);
	ck_assert_int_eq(boot_commit(&boot, 1, 2, &err), 0);
	ck_assert_int_eq(boot_bad(&boot, 0, 3, &err), 0);
	ck_assert_int_eq(boot_arm(&boot, 0, 9, 4, &err), 0);
	ck_assert_int_eq(boot_bad(&boot, 1, 5, &err), 0);
	ck_assert_int_eq(boot_get(&boot, &s, &err), 0);
	ck_assert(s.standard == 1 && s.trial == 0 && s.left == 9 && s.transaction == 5);
	ck_assert(!s.bad[0] && s.bad[1]);
	ck_assert_int_eq(boot_bad(&boot, 0, 6, &err), 0);
	ck_assert_int_eq(boot_get(&boot, &s, &err), 0);
	ck_assert(s.trial == BOOT_NONE && s.left == 0 && s.bad[0] && s.bad[1]);
	ck_assert_int_ne(boot_arm(&boot, 0, 10, 7, &err), 0);
}
END_TEST

/* What GRUB does: one try less in the other copy, under the same sequence. Then the tries are filled up again. */
START_TEST(countdown)
{
	char archive[ARCHIVE];
	struct boot_state s;
	int i, now = 0;

	ck_assert_int_eq(boot_arm(&boot, 1, 9, 7, &err), 0);
	take(0, archive);
	if (!strstr(archive + 512, "twinroot_trial=b"))
		take(1, archive);
	else
		now = 1;
	for (i = 8; i >= 0; i--) {
		*(strstr(archive + 512, "twinroot_left=") + 14) = (char)('0' + i);
		*(strstr(archive + 512, "-b-") + 3) = (char)('0' + i);
		put(now, archive);
		now = 1 - now;
		ck_assert_int_eq(boot_get(&boot, &s, &err), 0);
		ck_assert_uint_eq(s.left, (unsigned int)i);
	}
	ck_assert_int_eq(boot_arm(&boot, 1, 9, 7, &err), 0);
}
END_TEST

static int is_before(const struct boot_state *s)
{
	return s->trial == 1 && s->left == 3 && s->transaction == 2;
}

static int is_after(const struct boot_state *s)
{
	return s->standard == 1 && s->trial == BOOT_NONE && s->left == 0 && s->transaction == 3;
}

/* The write of a commit, known as which copy it went to and what was there before. */
static int commit_written(char old[ARCHIVE], char new[ARCHIVE])
{
	char before[2][ARCHIVE];
	int copy;

	ck_assert_int_eq(boot_bad(&boot, 1, 1, &err), 0);
	ck_assert_int_eq(boot_arm(&boot, 1, 3, 2, &err), 0);
	take(0, before[0]);
	take(1, before[1]);
	ck_assert_int_eq(boot_commit(&boot, 1, 3, &err), 0);
	take(0, new);
	copy = memcmp(new, before[0], ARCHIVE) == 0;
	take(copy, new);
	memcpy(old, before[copy], ARCHIVE);
	return copy;
}

static void judge(size_t cut)
{
	struct boot_state s;

	ck_assert_int_eq(boot_get(&boot, &s, &err), 0);
	ck_assert_msg(is_before(&s) || is_after(&s), "cut at %zu: neither", cut);
	/* The next act works; not after every cut, for each is two syncs. */
	if (cut % 16)
		return;
	ck_assert_int_eq(boot_arm(&boot, 0, 1, 4, &err), 0);
	ck_assert_int_eq(boot_bad(&boot, 0, 5, &err), 0);
}

START_TEST(torn_at_every_byte)
{
	char old[ARCHIVE], new[ARCHIVE], torn[ARCHIVE], other[ARCHIVE];
	int copy = commit_written(old, new);
	size_t cut;

	take(1 - copy, other);
	for (cut = 0; cut <= WRITTEN; cut++) {
		memcpy(torn, old, ARCHIVE);
		memcpy(torn, new, cut);
		put(copy, torn);
		judge(cut);
		put(1 - copy, other);
		memcpy(torn, new, ARCHIVE);
		memcpy(torn, old, cut);
		put(copy, torn);
		judge(cut);
		put(1 - copy, other);
	}
}
END_TEST

START_TEST(garbled_at_every_byte)
{
	char old[ARCHIVE], new[ARCHIVE], other[ARCHIVE];
	int copy = commit_written(old, new);
	size_t at;

	take(1 - copy, other);
	for (at = 0; at < WRITTEN; at++) {
		new[at] ^= 0x11;
		put(copy, new);
		new[at] ^= 0x11;
		judge(at);
		put(1 - copy, other);
	}
}
END_TEST

START_TEST(lost)
{
	char nothing[ARCHIVE] = { 0 };
	struct boot_state s;

	put(0, nothing);
	ck_assert_int_eq(boot_get(&boot, &s, &err), 0);
	put(1, nothing);
	ck_assert_int_eq(boot_get(&boot, &s, &err), ART_E_BOOT_LOST);
	ck_assert_ptr_nonnull(strstr(err.text, "both copies of the boot store are lost"));
	ck_assert_int_eq(boot_arm(&boot, 1, 3, 1, &err), ART_E_BOOT_LOST);
	take(0, nothing);
	ck_assert_int_eq(nothing[0], 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("grub");
	TCase *tc = tcase_create("grub");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, acts);
	tcase_add_test(tc, countdown);
	tcase_add_test(tc, torn_at_every_byte);
	tcase_add_test(tc, garbled_at_every_byte);
	tcase_add_test(tc, lost);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
