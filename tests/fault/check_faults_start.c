// SPDX-License-Identifier: Apache-2.0
/*
 * As check_faults.c, for the first use of libcrypto: setting it up happens once in a process, so each try has one of its own, and no
 * other test is in this program that could have done it before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libartifact/digest.h"
#include "libartifact/util.h"
#include "tests/fault/refuse.h"
#include "tests/unit/keys.h"
#include "tests/unit/run.h"

enum first { FIRST_DIGEST, FIRST_KEY, FIRST_SIGNATURE, FIRST_PEM };
static char *first_pem;

static int use_first(enum first what, EVP_PKEY *key, struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN], *sig = NULL;
	struct art_key *out = NULL;
	char hex[2 * ART_SHA256_LEN + 1];
	size_t len;
	int code;

	if (what == FIRST_KEY)
		return art_key_from_pkey(&out, key, "key", err);
	if (what == FIRST_PEM)
		return art_key_parse(&out, first_pem, strlen(first_pem), "pem", err);
	if (what == FIRST_SIGNATURE)
		return art_key_sign(key, "x", 1, &sig, &len, err);
	code = art_sha256("x", 1, digest, err);
	if (code)
		return code;
	art_hex_format(hex, digest, sizeof(digest));
	return strcmp(hex, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
}

/* Where there is a leak checker: libcrypto leaves things behind when its own start fails. */
void __lsan_disable(void) __attribute__((weak));

/* False: there were fewer than N calls. libcrypto does without some of its allocations; the answer must be right then. */
static bool survives_first(enum first what, EVP_PKEY *key, uint64_t n)
{
	struct art_err err = { 0 };
	const char *name;
	int status, code;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (__lsan_disable)
			__lsan_disable();
		refuse_start(n, REFUSE_NOTHING, NULL);
		code = use_first(what, key, &err);
		name = refuse_stop(NULL);
		if (code == ART_E_NO_MEMORY || code == ART_E_FAILED || code == 0 || (key && code == ART_E_KEY_BAD))
			exit(name ? 2 : code != 0);
		fprintf(stderr, "%s (call %d): %s\n", name, (int)n, err.text);
		exit(1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2));
	return WEXITSTATUS(status) == 2;
}

START_TEST(libcrypto_does_not_start)
{
	EVP_PKEY *key = NULL;
	uint64_t n, step;

	if (_i != FIRST_DIGEST) {
		key = make_ed25519();
		first_pem = pem_of(key);
	}
	/* All that libcrypto allocates goes through libartifact (thousands: a sample, unless FULL=1); or, where a key was made
	 * first, nothing. */
	step = key || getenv("FULL") ? 1 : 17;
	for (n = 1; survives_first((enum first)_i, key, n); n += n < 20 ? 1 : step)
		;
	EVP_PKEY_free(key);
	free(first_pem);
	first_pem = NULL;
	ck_assert_uint_gt(n, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("faults at the start");
	TCase *t = tcase_create("first use");

	tcase_set_timeout(t, 600);
	tcase_add_loop_test(t, libcrypto_does_not_start, FIRST_DIGEST, FIRST_PEM + 1);
	suite_add_tcase(s, t);
	return run_suite(s);
}
