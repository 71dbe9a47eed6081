// SPDX-License-Identifier: Apache-2.0
/* artifact-install: global options and the table of subcommands. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/progress.h"
#include "installer/commands.h"
#include "libartifact/util.h"

static const char *const help[] = {
	"usage: artifact-install [-c CONFIG] COMMAND [OPTION]... [SRC]",
	"Install signed artifacts onto the slot that does not run, and switch to it safely.",
	"",
	"  install          check an artifact and write it to the other slot, to be tried at the next boot",
	"  fit              tell whether an artifact is trusted and fits this device",
	"  status           slots, boot order and state",
	"  boot-check       at every boot: find out what booted, check it, commit it or go back",
	"  commit           keep the slot that runs on trial",
	"  rollback         give up the trial, or try the previous artifact again",
	"  mark-bad         never boot the slot that does not run",
	"  adopt            record that the running slot holds this artifact, after comparing it",
	"",
	"  -c, --config=FILE   instead of " SYSCONFDIR "/twinroot/install.conf",
	"  -q, --quiet         errors only",
	"  -v, --verbose       more messages, and the stable name of an error",
	"      --version       version, libraries and hardening",
	"  -h, --help          this text; COMMAND --help for that command",
	NULL,
};

static const struct {
	const char *name;
	int (*run)(const char *config, int argc, char **argv);
} commands[] = {
	{ "install", command_install },	  { "fit", command_fit },
	{ "status", command_status },	  { "commit", command_commit },
	{ "rollback", command_rollback }, { "mark-bad", command_mark_bad },
	{ "adopt", command_adopt },	  { "boot-check", command_boot_check },
};

int command_options(int argc, char **argv, const char *const *lines, int min, int max)
{
	static const struct option options[] = { CLI_LONG_BASE, CLI_LONG_JSON,
						 CLI_LONG_PROGRESS, { 0 } };
	int c, status;

	optind = 0;
	while ((c = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		if (c == CLI_OPT_HELP) {
			cli_help(lines);
			return cli_exit(0);
		}
		status = cli_option(c);
		if (status != 0)
			return cli_exit(status);
	}
	if (argc - optind < min || argc - optind > max)
		return cli_exit(cli_usage_error("%s: %s", argv[0],
						argc - optind < min ? "an operand is missing" :
								      "too many operands"));
	return -1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
						 CLI_LONG_BASE,
						 CLI_LONG_VERSION,
						 { 0 } };
	const char *config = NULL;
	size_t i;
	int c, status;

	cli_init("artifact-install");
	/* What is made here may tell of keys and hosts. */
	umask(077);
	while ((c = getopt_long(argc, argv, "+c:" CLI_SHORT, options, NULL)) != -1) {
		switch (c) {
		case 'c':
			config = optarg;
			break;
		case CLI_OPT_HELP:
			cli_help(help);
			return cli_exit(0);
		case CLI_OPT_VERSION:
			cli_version(NULL);
			return cli_exit(0);
		default:
			status = cli_option(c);
			if (status != 0)
				return cli_exit(status);
		}
	}
	if (optind == argc)
		return cli_exit(cli_usage_error("a command is missing"));
	for (i = 0; i < ART_ARRAY_SIZE(commands); i++)
		if (strcmp(argv[optind], commands[i].name) == 0)
			return commands[i].run(config, argc - optind, argv + optind);
	return cli_exit(cli_usage_error("there is no command '%s'", argv[optind]));
}
