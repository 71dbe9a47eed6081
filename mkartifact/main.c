// SPDX-License-Identifier: Apache-2.0
/* mkartifact: finds the subcommand, which does the rest. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/cli.h"
#include "libartifact/util.h"
#include "mkartifact/commands.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "create", mk_create, "make an artifact out of a root filesystem" },
	{ "sign", mk_sign, "add a signature; the payload is not touched" },
	{ "digest", mk_digest, "print the text to be signed elsewhere" },
	{ "attach", mk_attach, "put in a signature that was made elsewhere" },
	{ "delta", mk_delta, "make a patch from one artifact to another" },
	{ "keygen", mk_keygen, "make a key pair" },
#ifdef WITH_DISK
	{ "disk", mk_disk, "make a factory disk image" },
#endif
};

static const struct option options[] = {
	CLI_LONG_BASE,
	CLI_LONG_VERSION,
	{ 0 },
};

static void help(void)
{
	size_t i;

	puts("usage: mkartifact [-qv] COMMAND [OPTION...] [FILE...]\n"
	     "\n"
	     "Make and sign firmware artifacts. COMMAND is one of:");
	for (i = 0; i < ART_ARRAY_SIZE(commands); i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
	puts("\n"
	     "  -h, --help     this text; after COMMAND: its options\n"
	     "  -q, --quiet    errors only\n"
	     "  -v, --verbose  say more\n"
	     "      --version  version and libraries");
}

static int run(int argc, char **argv)
{
	size_t i;
	int c, status;

	while ((c = getopt_long(argc, argv, "+" CLI_SHORT, options, NULL)) != -1) {
		if (c == CLI_OPT_HELP) {
			help();
			return 0;
		}
		if (c == CLI_OPT_VERSION) {
			cli_version(NULL);
			return 0;
		}
		status = cli_option(c);
		if (status)
			return status;
	}
	if (optind == argc)
		return cli_usage_error("no command given");
	for (i = 0; i < ART_ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[optind], commands[i].name) != 0)
			continue;
		argc -= optind;
		argv[optind] = argv[0];
		argv += optind;
		optind = 0; /* start afresh */
		return commands[i].run(argc, argv);
	}
	return cli_usage_error("there is no command '%s'", argv[optind]);
}

int main(int argc, char **argv)
{
	cli_init("mkartifact");
	return cli_exit(run(argc, argv));
}
