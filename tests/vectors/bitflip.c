// SPDX-License-Identifier: Apache-2.0
/*
 * bitflip ARTIFACT KEYS [FIRST [STEP]]: the artifact is accepted as it is; with any single bit flipped, cut
 * at any length, or with bytes appended it must be refused as malformed (3), not trusted (4)
 * or not compatible (5), by the code of libartifact that a device uses. Prints how often each error was given.
 * FIRST leaves out what lies before that byte; STEP takes only every STEP-th bit and length, for runs
 * under slow checkers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/io.h"
#include "libartifact/util.h"
#include "tests/vectors/judge.h"

#define APPEND_MAX 1100
#define FILE_MAX (1024 * 1024)

static unsigned long counts[ART_I_COUNT];
static unsigned long accepted;

static int judge(const uint8_t *bytes, size_t len, const struct art_trust *trust)
{
	struct art_err err = { 0 };
	struct art_source *src = NULL;
	int code = art_source_open_memory(&src, bytes, len, &err);

	if (code == 0)
		code = judge_artifact(src, trust, NULL, &err);
	art_source_free(src);
	return code;
}

/* WHAT and AT say what was done to the bytes. */
static void must_refuse(const uint8_t *bytes, size_t len, const struct art_trust *trust,
			const char *what, size_t at)
{
	int code = judge(bytes, len, trust);
	int status = art_code_exit(code);

	if (code < 0)
		counts[-1 - code]++;
	if (status >= 3 && status <= 5)
		return;
	accepted++;
	printf("FAIL: %s %zu: %s\n", what, at, art_code_name(code));
}

static void report(const char *what)
{
	unsigned long sum = 0;
	size_t i;

	for (i = 0; i < ART_I_COUNT; i++)
		sum += counts[i];
	printf("%s: %lu refused", what, sum);
	for (i = 0; i < ART_I_COUNT; i++) {
		if (counts[i] > 0)
			printf(", %s %lu", art_code_name(-1 - (int)i), counts[i]);
	}
	putchar('\n');
	memset(counts, 0, sizeof(counts));
}

static int try_all(const uint8_t *file, size_t len, size_t first, size_t step,
		   const struct art_trust *trust)
{
	uint8_t *bytes = calloc(1, len + APPEND_MAX);
	size_t i;

	if (!bytes)
		return -1;
	memcpy(bytes, file, len);
	for (i = 8 * first; i < 8 * len; i += step) {
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		must_refuse(bytes, len, trust, "bit", i);
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	report("single bits");
	/* Memory of its own for each length, so that a checker sees a read behind the end. */
	for (i = first; i < len; i += step) {
		uint8_t *cut = malloc(i ? i : 1);

		if (!cut)
			break;
		memcpy(cut, file, i);
		must_refuse(cut, i, trust, "length", i);
		free(cut);
	}
	report("truncations");
	for (i = 1; i <= APPEND_MAX; i += step)
		must_refuse(bytes, len + i, trust, "appended zero bytes", i);
	bytes[len] = 'x';
	must_refuse(bytes, len + 1, trust, "appended byte", 1);
	report("appended bytes");
	free(bytes);
	return 0;
}

int main(int argc, char **argv)
{
	struct art_err err = { 0 };
	struct art_trust *trust = NULL;
	uint8_t *file = NULL;
	size_t len = 0, first = 0, step = 1;
	int code;

	if (argc < 3) {
		fprintf(stderr, "usage: bitflip ARTIFACT KEYS [FIRST [STEP]]\n");
		return 2;
	}
	if (argc > 3)
		first = strtoul(argv[3], NULL, 10);
	if (argc > 4)
		step = strtoul(argv[4], NULL, 10);
	code = art_trust_load(&trust, argv[2], &err);
	if (code == 0)
		code = art_read_file(argv[1], FILE_MAX, &file, &len, &err);
	if (code == 0)
		code = judge(file, len, trust);
	if (code == 0)
		code = try_all(file, len, first, step ? step : 1, trust);
	if (code < 0)
		printf("FAIL: '%s' as it is: %s %s\n", argv[1], art_code_name(code), err.text);
	free(file);
	art_trust_free(trust);
	return code < 0 || accepted > 0;
}
