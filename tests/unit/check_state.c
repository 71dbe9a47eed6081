// SPDX-License-Identifier: Apache-2.0
/* The state record: whatever becomes of one block, the other counts; nothing invalid is ever taken. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "installer/state.h"
#include "tests/unit/run.h"

static char path[64];
static struct art_err err;

static void setup(void)
{
	snprintf(path, sizeof(path), "check_state.XXXXXX");
	close(mkstemp(path));
	unlink(path);
}

static void teardown(void)
{
	unlink(path);
}

static struct state sample(uint64_t transaction)
{
	struct state s = { .transaction = transaction,
			   .phase = PHASE_INSTALLED,
			   .active = 0,
			   .target = 1,
			   .tries = 3,
			   .floor = 7 };

	strcpy(s.reason, "because");
	s.slot[1].content = CONTENT_COMPLETE;
	s.slot[1].counter = 9;
	s.slot[1].time = 1700000000;
	memset(s.slot[1].digest, 0xab, sizeof(s.slot[1].digest));
	memset(s.slot[1].name, 'n', STATE_NAME_MAX);
	memset(s.slot[1].version, 'v', STATE_NAME_MAX);
	return s;
}

/* Write two records, so that both blocks hold one: 1 in the first, 2 in the second. */
static void write_two(void)
{
	struct state_file f;
	struct state s, a = sample(1), b = sample(2);

	ck_assert_int_eq(state_open(&f, path, true, &s, &err), 0);
	ck_assert_int_eq(f.health, STATE_NEW);
	/* The first write fills both blocks, the next goes to the first again. */
	ck_assert_int_eq(state_write(&f, &a, &err), 0);
	ck_assert_int_eq(state_write(&f, &a, &err), 0);
	b.sequence = a.sequence;
	ck_assert_int_eq(state_write(&f, &b, &err), 0);
	state_close(&f);
}

static enum state_health reopen(struct state *s)
{
	struct state_file f;

	ck_assert_int_eq(state_open(&f, path, false, s, &err), 0);
	state_close(&f);
	return f.health;
}

static void poke(int block, size_t off, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY);

	ck_assert_int_eq(pwrite(fd, bytes, len, (off_t)block * STATE_STRIDE + (off_t)off),
			 (ssize_t)len);
	close(fd);
}

static void peek(int block, uint8_t out[STATE_BLOCK])
{
	int fd = open(path, O_RDONLY);

	ck_assert_int_eq(pread(fd, out, STATE_BLOCK, (off_t)block * STATE_STRIDE), STATE_BLOCK);
	close(fd);
}

START_TEST(round_trip)
{
	struct state s = sample(5), back;
	uint8_t block[STATE_BLOCK];

	s.sequence = 12;
	ck_assert_int_eq(state_encode(&s, block, &err), 0);
	ck_assert_int_eq(state_decode(&back, block, &err), 0);
	ck_assert_uint_eq(back.sequence, 12);
	ck_assert_uint_eq(back.transaction, 5);
	ck_assert_int_eq(back.phase, PHASE_INSTALLED);
	ck_assert_int_eq(back.active, 0);
	ck_assert_int_eq(back.target, 1);
	ck_assert_uint_eq(back.tries, 3);
	ck_assert_uint_eq(back.floor, 7);
	ck_assert_str_eq(back.reason, "because");
	ck_assert_int_eq(back.slot[1].content, CONTENT_COMPLETE);
	ck_assert_uint_eq(back.slot[1].counter, 9);
	ck_assert_uint_eq(back.slot[1].time, 1700000000);
	ck_assert_mem_eq(back.slot[1].digest, s.slot[1].digest, ART_SHA256_LEN);
	ck_assert_str_eq(back.slot[1].name, s.slot[1].name);
	ck_assert_str_eq(back.slot[1].version, s.slot[1].version);
	ck_assert_int_eq(back.slot[0].content, CONTENT_UNKNOWN);
}
END_TEST

START_TEST(missing_and_new)
{
	struct state_file f;
	struct state s;

	ck_assert_int_eq(reopen(&s), STATE_NEW);
	ck_assert_int_eq(s.active, -1);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(state_open(&f, path, true, &s, &err), 0);
	state_close(&f);
	ck_assert_int_eq(f.health, STATE_NEW);
	ck_assert_int_eq(reopen(&s), STATE_NEW);
}
END_TEST

/* Cut in its first write, a record has lost nothing; once that is done, neither block is empty. */
START_TEST(first_write)
{
	uint8_t block[STATE_BLOCK];
	struct state_file f;
	struct state s = sample(1);
	int n;

	ck_assert_int_eq(state_open(&f, path, true, &s, &err), 0);
	state_close(&f);
	poke(0, 0, "TWINSTAT", 8);
	ck_assert_int_eq(reopen(&s), STATE_NEW);
	ck_assert_int_eq(state_open(&f, path, true, &s, &err), 0);
	ck_assert_int_eq(f.health, STATE_NEW);
	ck_assert_int_eq(state_write(&f, &s, &err), 0);
	state_close(&f);
	for (n = 0; n < 2; n++) {
		peek(n, block);
		ck_assert_int_eq(state_decode(&s, block, &err), 0);
	}
	ck_assert_int_eq(reopen(&s), STATE_OK);
}
END_TEST

START_TEST(newest_counts)
{
	struct state s;

	write_two();
	ck_assert_int_eq(reopen(&s), STATE_OK);
	ck_assert_uint_eq(s.transaction, 2);
}
END_TEST

/* A write of the third record into block 0, cut after every number of bytes (the rest is what was there):
 * the state is the second or the third, and the third only when it is whole. */
START_TEST(torn_at_every_byte)
{
	struct state s, third = sample(3);
	uint8_t old[STATE_BLOCK], new[STATE_BLOCK], torn[STATE_BLOCK];
	size_t cut;

	write_two();
	peek(0, old);
	third.sequence = 5;
	ck_assert_int_eq(state_encode(&third, new, &err), 0);
	for (cut = 0; cut <= STATE_BLOCK; cut++) {
		bool whole;

		memcpy(torn, old, sizeof(torn));
		memcpy(torn, new, cut);
		whole = memcmp(torn, new, sizeof(new)) == 0;
		poke(0, 0, torn, sizeof(torn));
		reopen(&s);
		ck_assert_uint_eq(s.transaction, whole ? 3 : 2);
	}
}
END_TEST

/* Every single byte of a block wrong: that block does not count, whichever it is. */
START_TEST(garbled_at_every_byte)
{
	uint8_t good[STATE_BLOCK];
	struct state s;
	size_t i;
	int n;

	write_two();
	for (n = 0; n < 2; n++) {
		peek(n, good);
		for (i = 0; i < STATE_BLOCK; i++) {
			uint8_t wrong = good[i] ^ 0x10;

			poke(n, i, &wrong, 1);
			ck_assert_int_eq(reopen(&s), STATE_ONE_COPY);
			ck_assert_uint_eq(s.transaction, n == 0 ? 2 : 1);
			poke(n, i, &good[i], 1);
		}
	}
	ck_assert_int_eq(reopen(&s), STATE_OK);
}
END_TEST

/* Each block: right, never written, garbled, cut off. Every pair. */
START_TEST(every_pair)
{
	static const uint8_t zero[STATE_BLOCK];
	uint8_t noise[STATE_BLOCK];
	int a, b;

	memset(noise, 0x5a, sizeof(noise));
	for (a = 0; a < 3; a++)
		for (b = 0; b < 4; b++) {
			struct state s;
			enum state_health health;

			unlink(path);
			write_two();
			if (a > 0)
				poke(0, 0, a == 1 ? zero : noise, STATE_BLOCK);
			if (b == 1 || b == 2)
				poke(1, 0, b == 1 ? zero : noise, STATE_BLOCK);
			if (b == 3)
				ck_assert_int_eq(truncate(path, STATE_STRIDE + 100), 0);
			health = reopen(&s);
			if (a == 0 || b == 0)
				ck_assert_uint_eq(s.transaction, b == 0 ? 2 : 1);
			if (a == 0 || b == 0)
				ck_assert_int_eq(health, a == 2 || b >= 2 ? STATE_ONE_COPY : STATE_OK);
			else
				ck_assert_int_eq(health, a == 1 || b == 1 ? STATE_NEW : STATE_LOST);
			if (health == STATE_LOST || health == STATE_NEW) {
				ck_assert_int_eq(s.phase, PHASE_IDLE);
				ck_assert_int_eq(s.active, -1);
			}
		}
}
END_TEST

/* A write goes to the block that does not count, never to the one that does. */
START_TEST(writes_beside_the_good_one)
{
	uint8_t before[STATE_BLOCK], after[STATE_BLOCK], bad = 0xee;
	struct state_file f;
	struct state s;
	int broken;

	for (broken = 0; broken < 2; broken++) {
		unlink(path);
		write_two();
		poke(broken, 20, &bad, 1);
		peek(1 - broken, before);
		ck_assert_int_eq(state_open(&f, path, true, &s, &err), 0);
		s.transaction = 77;
		ck_assert_int_eq(state_write(&f, &s, &err), 0);
		state_close(&f);
		peek(1 - broken, after);
		ck_assert_mem_eq(before, after, STATE_BLOCK);
		ck_assert_int_eq(reopen(&s), STATE_OK);
		ck_assert_uint_eq(s.transaction, 77);
	}
}
END_TEST

/* Values out of range under a right digest. */
START_TEST(out_of_range)
{
	struct state s = sample(1);
	uint8_t block[STATE_BLOCK];

	s.phase = PHASE_COUNT;
	ck_assert_int_eq(state_encode(&s, block, &err), 0);
	ck_assert_int_ne(state_decode(&s, block, &err), 0);
	s = sample(1);
	s.target = 2;
	ck_assert_int_eq(state_encode(&s, block, &err), 0);
	ck_assert_int_ne(state_decode(&s, block, &err), 0);
	s = sample(1);
	s.slot[0].content = CONTENT_COUNT;
	ck_assert_int_eq(state_encode(&s, block, &err), 0);
	ck_assert_int_ne(state_decode(&s, block, &err), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state");
	TCase *tc = tcase_create("state");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, missing_and_new);
	tcase_add_test(tc, first_write);
	tcase_add_test(tc, newest_counts);
	tcase_add_test(tc, torn_at_every_byte);
	tcase_add_test(tc, garbled_at_every_byte);
	tcase_add_test(tc, every_pair);
	tcase_add_test(tc, writes_beside_the_good_one);
	tcase_add_test(tc, out_of_range);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
