// SPDX-License-Identifier: Apache-2.0
/* The reconciliation table: it is the published one, and whatever pair of stores there is, what must never be done is not. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "installer/reconcile.h"
#include "tests/unit/run.h"

static struct boot_state boot_of(unsigned int i)
{
	struct boot_state b = { .standard = (int)(i & 1), .booted = BOOT_NONE };

	b.trial = (int)((i >> 1) % 3) - 1;
	b.left = (i / 6) % 3 == 2 ? 3 : (i / 6) % 3;
	b.bad[0] = (i / 18) & 1;
	b.bad[1] = (i / 36) & 1;
	b.one_shot = (i / 72) & 1;
	b.transaction = 10 + (i / 144) % 3;
	return b;
}
#define BOOTS (144 * 3)

static struct state state_of(unsigned int i)
{
	struct state s = { .transaction = 11, .tries = 3 };

	s.phase = (enum state_phase)(i % PHASE_COUNT);
	s.active = (int)((i / PHASE_COUNT) % 3) - 1;
	s.target = (int)((i / PHASE_COUNT / 3) % 3) - 1;
	return s;
}
#define STATES (PHASE_COUNT * 9)

/* One row of the published table: its cells, without the marks of the footnotes. */
static int split(char *line, char *cell[STORE_COUNT + 1])
{
	int n = 0;
	char *p = strtok(line, "|\n");

	for (; p && n <= STORE_COUNT; p = strtok(NULL, "|\n")) {
		char *mark;

		p += strspn(p, " ");
		mark = strstr(p, " (");
		if (mark)
			*mark = '\0';
		while (*p && p[strlen(p) - 1] == ' ')
			p[strlen(p) - 1] = '\0';
		if (*p)
			cell[n++] = p;
	}
	return n;
}

START_TEST(published)
{
	const char *srcdir = getenv("srcdir");
	char path[512], line[1024];
	int seen[RECORD_COUNT] = { 0 }, r, s;
	FILE *f;

	snprintf(path, sizeof(path), "%s/installer/README.md", srcdir ? srcdir : ".");
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		char *cell[STORE_COUNT + 1];

		if (split(line, cell) != STORE_COUNT + 1)
			continue;
		for (r = 0; r < RECORD_COUNT; r++) {
			if (strcmp(cell[0], reconcile_record_name((enum reconcile_record)r)) != 0)
				continue;
			seen[r]++;
			for (s = 0; s < STORE_COUNT; s++)
				ck_assert_str_eq(cell[s + 1],
						 reconcile_act_name(reconcile_table(
							 (enum reconcile_store)s,
							 (enum reconcile_record)r, false, false)));
		}
	}
	fclose(f);
	for (r = 0; r < RECORD_COUNT; r++)
		ck_assert_int_eq(seen[r], 1);
}
END_TEST

START_TEST(footnotes)
{
	int s, r, ahead, astray;

	for (s = 0; s < STORE_COUNT; s++)
		for (r = 0; r < RECORD_COUNT; r++)
			for (ahead = 0; ahead < 2; ahead++)
				for (astray = 0; astray < 2 - ahead; astray++) {
					enum reconcile_act plain = reconcile_table(
						(enum reconcile_store)s, (enum reconcile_record)r,
						false, false);
					enum reconcile_act act = reconcile_table(
						(enum reconcile_store)s, (enum reconcile_record)r,
						ahead, astray);

					if (s == STORE_REST && r == RECORD_INSTALLED_OTHER && ahead)
						ck_assert_int_eq(act, ACT_RECORD_BACK);
					else if (s == STORE_REST && r == RECORD_COMMITTED_OTHER &&
						 astray)
						ck_assert_int_eq(act, ACT_REDO_COMMIT);
					else
						ck_assert_int_eq(act, plain);
				}
}
END_TEST

/* Over every pair that can be written down, not only those that a run can leave astray. */
START_TEST(never)
{
	unsigned int i, j;
	int running;

	for (i = 0; i < BOOTS; i++)
		for (j = 0; j < STATES; j++)
			for (running = 0; running < 2; running++) {
				struct boot_state b = boot_of(i);
				struct state s = state_of(j);
				int other = 1 - running;
				enum reconcile_act act = reconcile(&b, &s, running, false);
				int about_other = s.target == other;

				/* A slot that may be incomplete, or was given up, is not started. */
				if (about_other &&
				    (s.phase == PHASE_INSTALLING || s.phase == PHASE_FAILED ||
				     s.phase == PHASE_ROLLED_BACK)) {
					ck_assert(act != ACT_REARM && act != ACT_RETRY);
					if (b.standard == running && b.trial == other && !b.bad[other])
						ck_assert(act == ACT_REDO_BAD ||
							  act == ACT_INTERRUPTED);
				}
				/* The running slot is left only for a committed one, or for one to be tried. */
				if (act == ACT_BACK)
					ck_assert(b.standard == other && b.trial == running);
				/* Nothing is committed without the gate unless the bootloader or the record had
				 * committed it before. */
				if (act == ACT_COMMIT) {
					ck_assert_int_eq(b.standard, running);
					ck_assert(s.phase != PHASE_COMMITTED);
				}
				if (act == ACT_REDO_COMMIT)
					ck_assert(s.phase == PHASE_COMMITTED);
				/* A trial that runs goes through the gate, or back. */
				if (b.standard == other && b.trial == running && !b.bad[running])
					ck_assert(act == ACT_GATE || act == ACT_BACK ||
						  act == ACT_REDO_COMMIT);
				/* At rest nothing is done. */
				if (b.standard == running && b.trial == BOOT_NONE &&
				    ((s.phase == PHASE_COMMITTED && s.active == running) ||
				     s.phase == PHASE_IDLE))
					ck_assert_int_eq(act, ACT_NOTHING);
				/* With the store lost it is made anew before anything else, unless this is a trial. */
				ck_assert_int_eq(reconcile(NULL, &s, running, false), ACT_RESTORE);
				act = reconcile(NULL, &s, running, true);
				ck_assert(act == ACT_GATE || act == ACT_BACK ||
					  act == ACT_REDO_COMMIT);
			}
}
END_TEST

/* The record has committed the other slot, and the store starts this one. */
START_TEST(another_default)
{
	struct boot_state b = { .standard = 0, .trial = BOOT_NONE, .transaction = 11 };
	struct state s = { .phase = PHASE_COMMITTED, .active = 1, .target = BOOT_NONE,
			   .transaction = 11, .floor = 5 };

	s.slot[0] = (struct state_slot){ .content = CONTENT_GOOD, .counter = 5 };
	s.slot[1] = s.slot[0];
	ck_assert_int_eq(reconcile(&b, &s, 0, false), ACT_GATE_STAY);
	s.slot[0].counter = 4;
	ck_assert_int_eq(reconcile(&b, &s, 0, false), ACT_REDO_COMMIT);
	s.slot[0].counter = 5;
	s.slot[0].content = CONTENT_PARTIAL;
	ck_assert_int_eq(reconcile(&b, &s, 0, false), ACT_REDO_COMMIT);
	s.slot[0].content = CONTENT_UNKNOWN;
	ck_assert_int_eq(reconcile(&b, &s, 0, false), ACT_GATE_STAY);
	b.bad[0] = true;
	ck_assert_int_eq(reconcile(&b, &s, 0, false), ACT_REDO_COMMIT);
	/* Out of one that must not run into another is no way. */
	b.bad[1] = true;
	ck_assert_int_eq(reconcile(&b, &s, 0, false), ACT_GATE_STAY);
	b.bad[1] = false;
	s.slot[1].content = CONTENT_BAD;
	ck_assert_int_eq(reconcile(&b, &s, 0, false), ACT_GATE_STAY);
	/* A store that has lost the commit is older than what it says of the slot. */
	s.slot[1].content = CONTENT_GOOD;
	b.bad[0] = false;
	b.bad[1] = true;
	b.transaction = 10;
	ck_assert_int_eq(reconcile(&b, &s, 0, false), ACT_REDO_COMMIT);
}
END_TEST

START_TEST(evidence)
{
	struct boot_state b = { .standard = 0, .trial = 1, .left = 3, .booted = BOOT_NONE };
	struct state s = { .phase = PHASE_INSTALLED, .active = 0, .target = 1, .tries = 3 };

	ck_assert_int_eq(reconcile_store(&b, &s, 0), STORE_ARMED);
	b.left = 2;
	ck_assert_int_eq(reconcile_store(&b, &s, 0), STORE_BEGUN);
	b.left = 0;
	ck_assert_int_eq(reconcile_store(&b, &s, 0), STORE_SPENT);
	b.left = 1;
	b.one_shot = true;
	ck_assert_int_eq(reconcile_store(&b, &s, 0), STORE_ARMED);
	b.bad[1] = true;
	ck_assert_int_eq(reconcile_store(&b, &s, 0), STORE_REST);
	ck_assert_int_eq(reconcile_store(&b, &s, 1), STORE_FOREIGN);
	b.bad[1] = false;
	ck_assert_int_eq(reconcile_store(&b, &s, 1), STORE_TRIAL);
	ck_assert_int_eq(reconcile_store(NULL, &s, 1), STORE_LOST);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reconcile");
	TCase *tc = tcase_create("reconcile");

	tcase_add_test(tc, published);
	tcase_add_test(tc, footnotes);
	tcase_add_test(tc, never);
	tcase_add_test(tc, another_default);
	tcase_add_test(tc, evidence);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
