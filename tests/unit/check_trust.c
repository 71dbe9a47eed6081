// SPDX-License-Identifier: Apache-2.0
/* The trust policy: who counts, how often, and that every absence is a refusal. */
#include <config.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libartifact/trust.h"
#include "tests/unit/run.h"
#include "tests/unit/trust_dir.h"

#ifdef WITH_TEST_KEYS
#define TEST_KEY_ANSWER 0
#else
#define TEST_KEY_ANSWER ART_E_KEY_TEST
#endif

START_TEST(any_key_without_policy)
{
	struct art_siglist list = { .count = 0 };
	struct art_trust *trust = load();

	ck_assert_uint_eq(art_trust_count(trust), KEYS);
	ck_assert_str_eq(art_key_id(art_trust_key(trust, 0)), id[0]);
	ck_assert_int_eq(judge(trust, &list), ART_E_SIG_NONE);
	ck_assert_str_eq(verdict.digest, digest);
	sign(&list, 3);
	ck_assert_int_eq(judge(trust, &list), 0);
	ck_assert_uint_eq(verdict.count, 1);
	ck_assert_int_eq(verdict.state[0], ART_SIG_VALID);
	ck_assert(!verdict.by_test_role);
	/* Roles that nobody was given. */
	ck_assert_int_eq(judge_role(trust, ART_ROLE_DOWNGRADE, &list), ART_E_SIG_THRESHOLD);
	ck_assert_int_eq(judge_role(trust, ART_ROLE_TEST, &list), ART_E_SIG_THRESHOLD);
	ck_assert_int_eq(judge_role(trust, 0, &list), ART_E_FAILED);
	ck_assert_int_eq(judge_role(trust, 5, &list), ART_E_FAILED);
	/* A signature made for an artifact is none for a patch, and the other way round. */
	ck_assert_int_eq(judge_role(trust, ART_ROLE_PATCH, &list), ART_E_SIG_INVALID);
	art_siglist_free(&list);
	sign_as(&list, 0, ART_PREAMBLE_PATCH);
	ck_assert_int_eq(judge(trust, &list), ART_E_SIG_INVALID);
	ck_assert_int_eq(judge_role(trust, ART_ROLE_PATCH, &list), 0);
	art_siglist_free(&list);
	art_trust_free(trust);
	art_trust_free(NULL);
}
END_TEST

START_TEST(nothing_trusted)
{
	struct art_siglist list = { .count = 0 };
	size_t i;
	char name[20];

	sign(&list, 0);
	ck_assert_int_eq(art_trust_judge(NULL, ART_ROLE_ARTIFACT, &list, manifest, sizeof(manifest),
					 &verdict, NULL), ART_E_KEY_NONE);
	for (i = 0; i < KEYS; i++) {
		snprintf(name, sizeof(name), "k%zu.pem", i);
		drop(name);
	}
	ck_assert_int_eq(load_code(), ART_E_KEY_NONE);
	put(".hidden.pem", "x");
	put("README", "x");
	put("pem", "x");
	ck_assert_int_eq(load_code(), ART_E_KEY_NONE);
	policy("{\"format\":1,\"roles\":{\"artifact\":[]}}");
	ck_assert_int_eq(load_code(), ART_E_KEY_NONE);
	art_siglist_free(&list);
}
END_TEST

START_TEST(line_states)
{
	struct art_siglist list = { .count = 0 };
	struct art_trust *trust;

	drop("k2.pem");
	trust = load();
	sign(&list, 2); /* unknown key */
	ck_assert_int_eq(judge(trust, &list), ART_E_SIG_UNTRUSTED);
	ck_assert_int_eq(verdict.state[0], ART_SIG_UNKNOWN_KEY);
	sign(&list, 0); /* damaged */
	list.sig[1].bytes[5] ^= 1;
	ck_assert_int_eq(judge(trust, &list), ART_E_SIG_INVALID);
	ck_assert_int_eq(verdict.state[1], ART_SIG_INVALID);
	sign(&list, 1); /* right signature, other algorithm's name */
	strcpy(list.sig[2].algorithm, "ecdsa-p256-sha256");
	ck_assert_int_eq(judge(trust, &list), ART_E_SIG_INVALID);
	ck_assert_int_eq(verdict.state[2], ART_SIG_WRONG_ALGORITHM);
	/* The algorithm belongs to the key, whatever the bytes are. */
	{
		struct art_siglist one = { .count = 1, .sig = { list.sig[2] } };

		ck_assert_int_eq(judge(trust, &one), ART_E_SIG_INVALID);
		ck_assert_int_eq(verdict.state[0], ART_SIG_WRONG_ALGORITHM);
	}
	/* None of them is fatal beside a good one; a key's second good line is a repetition. */
	sign(&list, 3);
	sign(&list, 3);
	sign(&list, 0);
	ck_assert_int_eq(judge(trust, &list), 0);
	ck_assert_uint_eq(verdict.count, 6);
	ck_assert_int_eq(verdict.state[3], ART_SIG_VALID);
	ck_assert_int_eq(verdict.state[4], ART_SIG_REPEATED);
	ck_assert_int_eq(verdict.state[5], ART_SIG_VALID);
	art_siglist_free(&list);
	/* One key's signature under another key's id. */
	sign(&list, 0);
	strcpy(list.sig[0].key_id, id[1]);
	ck_assert_int_eq(judge(trust, &list), ART_E_SIG_INVALID);
	art_siglist_free(&list);
	/* A changed manifest. */
	sign(&list, 0);
	ck_assert_int_eq(art_trust_judge(trust, ART_ROLE_ARTIFACT, &list, manifest,
					 sizeof(manifest) - 1, NULL, NULL), ART_E_SIG_INVALID);
	art_siglist_free(&list);
	art_trust_free(trust);
}
END_TEST

START_TEST(thresholds_and_groups)
{
	struct art_siglist list = { .count = 0 };

	policy("{\"format\":1,\"roles\":{\"artifact\":["
	       "{\"group\":\"release\",\"threshold\":2,\"keys\":[\"%s\",\"%s\",\"%s\"]},"
	       "{\"group\":\"other\",\"threshold\":1,\"keys\":[\"%s\"]}]}}",
	       id[0], id[1], id[2], id[3]);
	sign(&list, 0);
	sign(&list, 0); /* one key twice is one key */
	sign(&list, 3);
	ck_assert_int_eq(judged(&list), ART_E_SIG_THRESHOLD);
	ck_assert_ptr_nonnull(strstr(why.text, "1 of 2"));
	ck_assert_ptr_nonnull(strstr(why.text, "release"));
	sign(&list, 0);
	sign(&list, 1);
	sign(&list, 2);
	ck_assert_int_eq(judged(&list), ART_E_SIG_THRESHOLD);
	ck_assert_ptr_nonnull(strstr(why.text, "other"));
	sign(&list, 3);
	sign(&list, 1);
	sign(&list, 0);
	ck_assert_int_eq(judged(&list), 0);
	sign(&list, 0);
	list.sig[0].bytes[0] ^= 1;
	sign(&list, 3);
	sign(&list, 0);
	sign(&list, 2);
	ck_assert_int_eq(judged(&list), 0);
}
END_TEST

START_TEST(patch_role_of_a_policy)
{
	struct art_siglist list = { .count = 0 };
	struct art_trust *trust;

	policy("{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"a\",\"threshold\":1,\"keys\":[\"%s\"]}],"
	       "\"downgrade-permit\":[{\"group\":\"d\",\"threshold\":1,\"keys\":[\"%s\"]}]}}",
	       id[0], id[1]);
	trust = load();
	/* A policy that does not name the patch role gives it to nobody. */
	sign_as(&list, 0, ART_PREAMBLE_PATCH);
	ck_assert_int_eq(judge_role(trust, ART_ROLE_PATCH, &list), ART_E_SIG_THRESHOLD);
	art_siglist_free(&list);
	sign(&list, 1);
	ck_assert_int_eq(judge(trust, &list), ART_E_SIG_THRESHOLD);
	ck_assert_int_eq(judge_role(trust, ART_ROLE_DOWNGRADE, &list), 0);
	art_siglist_free(&list);
	art_trust_free(trust);
}
END_TEST

START_TEST(revocation)
{
	struct art_siglist list = { .count = 0 };

	policy("{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"a\",\"threshold\":1,\"keys\":[\"%s\",\"%s\"]}]},"
	       "\"revoked-keys\":[\"%s\"]}", id[0], id[1], id[0]);
	sign(&list, 0);
	ck_assert_int_eq(judged(&list), ART_E_SIG_UNTRUSTED);
	ck_assert_int_eq(verdict.state[0], ART_SIG_REVOKED);
	sign(&list, 0);
	sign(&list, 1);
	ck_assert_int_eq(judged(&list), 0);
	/* The file of a revoked key may be gone already. */
	drop("k0.pem");
	sign(&list, 0);
	ck_assert_int_eq(judged(&list), ART_E_SIG_UNTRUSTED);
	ck_assert_int_eq(verdict.state[0], ART_SIG_REVOKED);
	/* Two needed, two signed, one revoked. */
	policy("{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"a\",\"threshold\":2,\"keys\":[\"%s\",\"%s\"]}]},"
	       "\"revoked-keys\":[\"%s\"]}", id[1], id[2], id[2]);
	sign(&list, 1);
	sign(&list, 2);
	ck_assert_int_eq(judged(&list), ART_E_SIG_THRESHOLD);
	/* The artifact itself. */
	policy("{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"a\",\"threshold\":1,\"keys\":[\"%s\"]}]},"
	       "\"revoked-artifacts\":[\"%s\"]}", id[1], digest);
	sign(&list, 1);
	ck_assert_int_eq(judged(&list), ART_E_ARTIFACT_REVOKED);
	sign(&list, 2); /* whoever signed it */
	ck_assert_int_eq(judged(&list), ART_E_ARTIFACT_REVOKED);
	ck_assert_int_eq(judged(&list), ART_E_SIG_NONE);
	policy("{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"a\",\"threshold\":1,\"keys\":[\"%s\"]}]},"
	       "\"revoked-artifacts\":[\"%s\"]}", id[1], id[1]);
	sign(&list, 1);
	ck_assert_int_eq(judged(&list), 0);
}
END_TEST

START_TEST(test_role)
{
	struct art_siglist list = { .count = 0 };
	struct art_trust *trust;

	policy("{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"a\",\"threshold\":1,\"keys\":[\"%s\"]}],"
	       "\"test\":[{\"group\":\"t\",\"threshold\":1,\"keys\":[\"%s\"]}]},"
	       "\"revoked-artifacts\":[]}", id[0], id[1]);
	trust = load();
	sign(&list, 1);
	ck_assert_int_eq(judge(trust, &list), TEST_KEY_ANSWER);
	ck_assert(verdict.by_test_role);
	ck_assert_int_eq(judge_role(trust, ART_ROLE_TEST, &list), TEST_KEY_ANSWER);
	ck_assert_int_eq(judge_role(trust, ART_ROLE_DOWNGRADE, &list), ART_E_SIG_THRESHOLD);
	sign(&list, 0);
	ck_assert_int_eq(judge(trust, &list), 0);
	ck_assert(!verdict.by_test_role);
	art_siglist_free(&list);
	sign(&list, 2);
	ck_assert_int_eq(judge(trust, &list), ART_E_SIG_THRESHOLD);
	art_siglist_free(&list);
	art_trust_free(trust);
	/* Revocation binds test keys too. */
	policy("{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"a\",\"threshold\":1,\"keys\":[\"%s\"]}],"
	       "\"test\":[{\"group\":\"t\",\"threshold\":1,\"keys\":[\"%s\"]}]},"
	       "\"revoked-keys\":[\"%s\"]}", id[0], id[1], id[1]);
	sign(&list, 1);
	ck_assert_int_eq(judged(&list), ART_E_SIG_UNTRUSTED);
}
END_TEST

START_TEST(key_files)
{
	struct art_trust *trust;
	char path[200], *pem = pem_of(pkey[0]);

	/* The same key under two names counts as one. */
	put("other.pem", pem);
	trust = load();
	ck_assert_uint_eq(art_trust_count(trust), KEYS);
	art_trust_free(trust);
	put("other.pem", "");
	ck_assert_int_eq(load_code(), ART_E_KEY_BAD);
	drop("other.pem");
	path_of(path, "other.pem");
	ck_assert_int_eq(symlink("nowhere", path), 0);
	ck_assert_int_eq(load_code(), ART_E_IO);
	drop("other.pem");
	/* Nothing that would have to be waited for, or is no file of keys. */
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(load_code(), ART_E_IO);
	drop("other.pem");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(load_code(), ART_E_IO);
	ck_assert_int_eq(rmdir(path), 0);
	path_of(path, "policy.json");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(load_code(), ART_E_IO);
	drop("policy.json");
	/* A single file. */
	path_of(path, "k1.pem");
	ck_assert_int_eq(art_trust_load(&trust, path, NULL), 0);
	ck_assert_uint_eq(art_trust_count(trust), 1);
	ck_assert_str_eq(art_key_id(art_trust_key(trust, 0)), id[1]);
	art_trust_free(trust);
	path_of(path, "absent");
	ck_assert_int_eq(art_trust_load(&trust, path, NULL), ART_E_IO);
	free(pem);
}
END_TEST

START_TEST(too_many_keys)
{
	struct art_trust *trust;
	char name[20], path[200];
	size_t i;

	for (i = KEYS; i < 257; i++) {
		EVP_PKEY *one = make_ed25519();
		char *pem = pem_of(one);

		snprintf(name, sizeof(name), "m%03zu.pem", i);
		put(name, pem);
		if (i == 255) {
			trust = load();
			ck_assert_uint_eq(art_trust_count(trust), 256);
			art_trust_free(trust);
		}
		free(pem);
		EVP_PKEY_free(one);
	}
	ck_assert_int_eq(load_code(), ART_E_KEY_BAD);
	for (i = KEYS; i < 257; i++) {
		snprintf(name, sizeof(name), "m%03zu.pem", i);
		path_of(path, name);
		ck_assert_int_eq(remove(path), 0);
	}
}
END_TEST

START_TEST(state_names)
{
	ck_assert_str_eq(art_sig_state_name(ART_SIG_VALID), "valid");
	ck_assert_str_eq(art_sig_state_name(ART_SIG_INVALID), "invalid");
	ck_assert_str_eq(art_sig_state_name(ART_SIG_UNKNOWN_KEY), "unknown-key");
	ck_assert_str_eq(art_sig_state_name(ART_SIG_WRONG_ALGORITHM), "wrong-algorithm");
	ck_assert_str_eq(art_sig_state_name(ART_SIG_REVOKED), "revoked");
	ck_assert_str_eq(art_sig_state_name(ART_SIG_REPEATED), "repeated");
	ck_assert_str_eq(art_sig_state_name(0), "not-judged");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trust");
	TCase *tc = tcase_create("trust");

	/* 256 keys take seconds on a busy machine. */
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, any_key_without_policy);
	tcase_add_test(tc, nothing_trusted);
	tcase_add_test(tc, line_states);
	tcase_add_test(tc, thresholds_and_groups);
	tcase_add_test(tc, patch_role_of_a_policy);
	tcase_add_test(tc, revocation);
	tcase_add_test(tc, test_role);
	tcase_add_test(tc, key_files);
	tcase_add_test(tc, too_many_keys);
	tcase_add_test(tc, state_names);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
