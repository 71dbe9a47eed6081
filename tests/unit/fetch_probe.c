// SPDX-License-Identifier: Apache-2.0
/*
 * Read a URL through the network child and write the bytes to stdout. For tests/e2e/fetch.sh.
 *
 *	fetch_probe PROGRAM [OPTION=VALUE...] URL [want:OFF:LEN | OFF:LEN | pause:FILE]...
 *
 * pause: makes FILE and waits until it is gone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "installer/fetch.h"
#include "tests/unit/source_probe.h"

static int wait_gone(const char *path, struct art_err *err)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return art_fail_errno(err, ART_E_IO, "cannot make '%s'", path);
	fclose(f);
	while (access(path, F_OK) == 0)
		usleep(20000);
	return 0;
}

static int one(struct art_source *src, const char *arg, struct art_err *err)
{
	if (strncmp(arg, "pause:", 6) == 0)
		return wait_gone(arg + 6, err);
	return probe_one(src, arg, err);
}

static int set(struct fetch_options *opt, const char *arg)
{
	const char *value = strchr(arg, '=');

	if (strncmp(arg, "ca=", 3) == 0)
		opt->http.ca_file = value + 1;
	else if (strncmp(arg, "cert=", 5) == 0)
		opt->http.client_cert = value + 1;
	else if (strncmp(arg, "key=", 4) == 0)
		opt->http.client_key = value + 1;
	else if (strncmp(arg, "user=", 5) == 0)
		opt->user = value + 1;
	else if (strncmp(arg, "retries=", 8) == 0)
		opt->http.retries = (unsigned int)atoi(value + 1);
	else if (strncmp(arg, "silence=", 8) == 0)
		opt->silence = (unsigned int)atoi(value + 1);
	else
		return 0;
	return 1;
}

static int run(char **args, const struct fetch_options *opt, struct art_err *err)
{
	struct art_source *src;
	uint64_t received, requests;
	int code = fetch_source_open(&src, args[0], opt, err);

	if (code < 0)
		return code;
	if (!args[1])
		code = probe_copy(src, 0, UINT64_MAX, err);
	for (args++; *args && code == 0; args++)
		code = one(src, *args, err);
	received = fetch_source_received(src, &requests);
	fprintf(stderr, "received %" PRIu64 " requests %" PRIu64 "\n", received, requests);
	art_source_free(src);
	return code;
}

int main(int argc, char **argv)
{
	struct fetch_options opt = { .http = { .backoff_ms = 20 } };
	struct art_err err = { 0 };
	int code;

	if (argc < 3)
		return 2;
	opt.program = argv[1];
	for (argv += 2; *argv && set(&opt, *argv); argv++)
		;
	if (!*argv)
		return 2;
	code = run(argv, &opt, &err);
	if (code < 0)
		fprintf(stderr, "fetch_probe: %s [%s]\n", err.text, art_code_name(code));
	if (fflush(stdout) != 0)
		return 6;
	return art_code_exit(code);
}
