// SPDX-License-Identifier: Apache-2.0
/*
 * Read a URL through art_http, in order or at given places, and write the bytes to stdout. For tests/e2e/http.sh.
 *
 *	http_probe [OPTION=VALUE...] URL [want:OFF:LEN | OFF:LEN]...
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/http/http.h"
#include "tests/unit/source_probe.h"

static int set(struct art_http_options *opt, const char *arg)
{
	const char *value = strchr(arg, '=');
	const char *const names[] = { "ca=", "cert=", "key=", "proxy=" };
	const char **const texts[] = { &opt->ca_file, &opt->client_cert, &opt->client_key,
				       &opt->proxy };

	for (size_t i = 0; i < 4; i++)
		if (strncmp(arg, names[i], strlen(names[i])) == 0) {
			*texts[i] = value + 1;
			return 1;
		}
	if (strncmp(arg, "rate=", 5) == 0)
		opt->rate = strtoull(value + 1, NULL, 10);
	else if (strncmp(arg, "retries=", 8) == 0)
		opt->retries = (unsigned int)atoi(value + 1);
	else if (strncmp(arg, "stall=", 6) == 0)
		opt->stall_timeout = (unsigned int)atoi(value + 1);
	else
		return 0;
	return 1;
}

static int run(char **args, const struct art_http_options *opt, struct art_err *err)
{
	struct art_source *src;
	uint64_t received, requests;
	int code = art_http_open(&src, args[0], opt, err);

	if (code < 0)
		return code;
	if (!args[1])
		code = probe_copy(src, 0, UINT64_MAX, err);
	for (args++; *args && code == 0; args++)
		code = probe_one(src, *args, err);
	art_http_stats(src, &received, &requests);
	fprintf(stderr, "received %" PRIu64 " requests %" PRIu64 " seek %d\n", received, requests,
		src->can_seek);
	art_source_free(src);
	return code;
}

int main(int argc, char **argv)
{
	struct art_http_options opt = { .backoff_ms = 20 };
	struct art_err err = { 0 };
	int code;

	(void)argc;
	for (argv++; *argv && set(&opt, *argv); argv++)
		;
	if (!*argv)
		return 2;
	code = run(argv, &opt, &err);
	if (code < 0)
		fprintf(stderr, "http_probe: %s [%s]\n", err.text, art_code_name(code));
	if (fflush(stdout) != 0)
		return 6;
	return art_code_exit(code);
}
