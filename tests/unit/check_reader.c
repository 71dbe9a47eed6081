// SPDX-License-Identifier: Apache-2.0
/* What the reader refuses by itself; what artifacts look like is the vectors' business. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "libartifact/reader.h"
#include "libartifact/tar.h"
#include "libartifact/util.h"
#include "tests/unit/run.h"

/* A manifest that is not one, and no signature: enough for all that comes before parsing. */
static uint8_t bytes[2 * (ART_TAR_BLOCK + ART_MANIFEST_UNIT)];
static struct art_source *src;
static struct art_reader *reader;
static struct art_err err;

static void setup(void)
{
	memset(bytes, ' ', sizeof(bytes));
	art_tar_format(bytes, "manifest.json", ART_MANIFEST_UNIT);
	art_tar_format(bytes + ART_TAR_BLOCK + ART_MANIFEST_UNIT, "manifest.sig", ART_MANIFEST_UNIT);
	ck_assert_int_eq(art_source_open_memory(&src, bytes, sizeof(bytes), &err), 0);
	ck_assert_int_eq(art_reader_open(&reader, src, &err), 0);
}

static void teardown(void)
{
	art_reader_free(reader);
	art_source_free(src);
}

/* Nothing parses a manifest that was not authenticated, or whose authentication failed. */
START_TEST(trust_comes_first)
{
	ck_assert_int_eq(art_reader_parse(reader, &err), ART_E_FAILED);
	ck_assert_ptr_null(art_reader_manifest(reader));
	ck_assert_int_eq(art_reader_authenticate(reader, NULL, ART_ROLE_ARTIFACT, NULL, &err), ART_E_SIG_SYNTAX);
	ck_assert_int_eq(art_reader_parse(reader, &err), ART_E_FAILED);
	memset(bytes + 2 * ART_TAR_BLOCK + ART_MANIFEST_UNIT, '\n', ART_MANIFEST_UNIT);
	teardown();
	ck_assert_int_eq(art_source_open_memory(&src, bytes, sizeof(bytes), &err), 0);
	ck_assert_int_eq(art_reader_open(&reader, src, &err), 0);
	ck_assert_int_eq(art_reader_authenticate(reader, NULL, ART_ROLE_ARTIFACT, NULL, &err), ART_E_KEY_NONE);
	ck_assert_int_eq(art_reader_parse(reader, &err), ART_E_FAILED);
}
END_TEST

/* Tools that only show say so; a manifest that does not parse stays unparsed. */
START_TEST(without_trust_by_word_only)
{
	art_reader_skip_trust(reader);
	ck_assert_int_eq(art_reader_parse(reader, &err), ART_E_MANIFEST_SYNTAX);
	ck_assert_ptr_null(art_reader_manifest(reader));
	ck_assert_int_eq(art_reader_parse(reader, &err), ART_E_MANIFEST_SYNTAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("reader");
	TCase *t = tcase_create("reader");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, trust_comes_first);
	tcase_add_test(t, without_trust_by_word_only);
	suite_add_tcase(s, t);
	return run_suite(s);
}
