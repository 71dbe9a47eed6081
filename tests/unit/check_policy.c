// SPDX-License-Identifier: Apache-2.0
/* policy.json: whatever is not exactly a policy is refused, and one that cannot be read is not taken for none. */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libartifact/trust.h"
#include "libartifact/util.h"
#include "tests/unit/run.h"
#include "tests/unit/trust_dir.h"

#define GROUP "{\"group\":\"g\",\"threshold\":1,\"keys\":[\"%1$s\"]}"
#define ARTIFACT "\"artifact\":[" GROUP "]"

START_TEST(bad_policies)
{
	static const char *const bad[] = {
		"", " ", "[]", "null", "{}", "{\"format\":1}", "{\"format\":1,\"roles\":{}}",
		"{\"roles\":{" ARTIFACT "}}",
		"{\"format\":2,\"roles\":{" ARTIFACT "}}",
		"{\"format\":\"1\",\"roles\":{" ARTIFACT "}}",
		"{\"format\":1.0,\"roles\":{" ARTIFACT "}}",
		"{\"format\":1,\"format\":1,\"roles\":{" ARTIFACT "}}",
		"{\"format\":1,\"roles\":{" ARTIFACT "," ARTIFACT "}}",
		"{\"format\":1,\"roles\":{" ARTIFACT "}} x",
		"{\"format\":1,\"roles\":{" ARTIFACT "},\"comment\":\"\"}",
		"{\"format\":1,\"roles\":{" ARTIFACT ",\"Patch\":[]}}",
		"{\"format\":1,\"roles\":{\"patch\":[" GROUP "]}}",
		"{\"format\":1,\"roles\":{\"artifact\":{}}}",
		"{\"format\":1,\"roles\":{\"artifact\":null}}",
		"{\"format\":1,\"roles\":{\"artifact\":[null]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"keys\":[\"%1$s\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":0,\"keys\":[\"%1$s\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":0,\"keys\":[]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":-1,\"keys\":[\"%1$s\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":1.5,\"keys\":[\"%1$s\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":true,\"keys\":[\"%1$s\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":2,\"keys\":[\"%1$s\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":1,\"keys\":[]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":1}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"\",\"threshold\":1,\"keys\":[\"%1$s\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"threshold\":1,\"keys\":[\"%1$s\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":1,\"keys\":[\"%1$s\"],\"x\":1}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":1,\"keys\":[\"%1$s\",\"%1$s\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":2,\"keys\":[\"%1$s\",\"%1$s\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":1,\"keys\":[\"%1$s0\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":1,\"keys\":[\"%1$.63s\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":1,\"keys\":[\"%1$.63sZ\"]}]}}",
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":1,\"keys\":[7]}]}}",
		/* a key that is not there */
		"{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":1,\"keys\":"
		"[\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"]}]}}",
		"{\"format\":1,\"roles\":{" ARTIFACT "},\"revoked-keys\":\"%1$s\"}",
		"{\"format\":1,\"roles\":{" ARTIFACT "},\"revoked-keys\":[\"x\"]}",
		"{\"format\":1,\"roles\":{" ARTIFACT "},\"revoked-artifacts\":[1]}",
		/* In capitals a revocation would never match. */
		"{\"format\":1,\"roles\":{" ARTIFACT "},\"revoked-artifacts\":[\"%1$.63sA\"]}",
		"{\"format\":1,\"roles\":{" ARTIFACT "},\"revoked-keys\":[\"%1$.63sF\"]}",
		"{\"format\":1,\"roles\":{" ARTIFACT "},\"revoked-artifacts\":[\"%1$.63s\\u0000\"]}",
	};
	char text[2000];
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(bad); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), bad[i], id[0]);
#pragma GCC diagnostic pop
		put("policy.json", text);
		ck_assert_msg(load_code() == ART_E_POLICY_BAD, "policy %zu: %s", i, bad[i]);
	}
	snprintf(text, sizeof(text), "{\"format\":1,\"roles\":{" ARTIFACT "}}\n", id[0]);
	put("policy.json", text);
	ck_assert_int_eq(load_code(), 0);
	/* An empty role is never met, whoever signs. */
	policy("{\"format\":1,\"roles\":{\"artifact\":[]}}");
	{
		struct art_siglist list = { .count = 0 };

		sign(&list, 0);
		sign(&list, 1);
		ck_assert_int_eq(judged(&list), ART_E_SIG_THRESHOLD);
	}
}
END_TEST

START_TEST(policy_that_cannot_be_read)
{
	static char big[ART_MIB + 100], longest[PATH_MAX];
	struct art_trust *trust = NULL;
	char path[200];
	size_t n;

	path_of(path, "policy.json");
	/* A dangling link is not "no policy". */
	ck_assert_int_eq(symlink("nowhere", path), 0);
	ck_assert_int_eq(load_code(), ART_E_IO);
	ck_assert_int_eq(art_trust_load(&trust, dir, NULL), ART_E_IO);
	drop("policy.json");
	/* The keys can be reached, but that name is too long to ask for. */
	n = (size_t)snprintf(longest, sizeof(longest), "%s", dir);
	while (n + 2 <= PATH_MAX - 1 - strlen("/k0.pem"))
		n += (size_t)snprintf(longest + n, sizeof(longest) - n, "/.");
	ck_assert_int_eq(art_trust_load(&trust, longest, &why), ART_E_IO);
	ck_assert_int_eq(why.sys_errno, ENAMETOOLONG);
	ck_assert_ptr_nonnull(strstr(why.text, "cannot look for"));
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(load_code(), ART_E_IO);
	ck_assert_int_eq(rmdir(path), 0);
	memset(big, ' ', sizeof(big) - 1);
	put("policy.json", big);
	ck_assert_int_eq(load_code(), ART_E_POLICY_BAD);
	ck_assert_int_eq(art_trust_load(&trust, dir, NULL), ART_E_POLICY_BAD);
	drop("policy.json");
	ck_assert_int_eq(load_code(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");
	TCase *tc = tcase_create("policy");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bad_policies);
	tcase_add_test(tc, policy_that_cannot_be_read);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
