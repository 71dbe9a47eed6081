// SPDX-License-Identifier: Apache-2.0
/* artifact-inspect: look into an artifact and judge it. One table says which subcommands
 * there are and what they take. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <ext2fs/ext2fs.h>

#include "common/cli.h"
#include "inspect/inspect.h"
#include "libartifact/util.h"

enum {
	OPT_KEYS = 0x2000,
	OPT_DEEP,
	OPT_INSECURE,
	OPT_PAYLOAD,
	OPT_OLD,
	OPT_PATCH,
};

/* What a subcommand takes beyond the options of all. */
enum {
	TAKES_KEYS = 1 << 1,
	TAKES_DEEP = 1 << 2,
	TAKES_IMAGE = 1 << 3, /* --insecure, --payload */
	TAKES_LONG = 1 << 4,
	TAKES_DIRECTORY = 1 << 5,
	TAKES_OUTPUT = 1 << 6,
	TAKES_OLD = 1 << 7,
	TAKES_PATCH = 1 << 8,
};

static const struct command {
	const char *name;
	inspect_fn fn;
	unsigned int takes;
	int min, max; /* operands; -1: any number */
	const char *operands;
} commands[] = {
	{ "show", inspect_show, TAKES_KEYS, 1, 1, "FILE" },
	{ "verify", inspect_verify, TAKES_KEYS | TAKES_DEEP | TAKES_OLD, 1, 1, "FILE" },
	{ "ls", inspect_ls, TAKES_KEYS | TAKES_IMAGE | TAKES_LONG, 1, -1,
	  "FILE [PATH...]" },
	{ "cat", inspect_cat, TAKES_KEYS | TAKES_IMAGE, 2, -1, "FILE PATH..." },
	{ "extract", inspect_extract, TAKES_KEYS | TAKES_IMAGE | TAKES_DIRECTORY, 1, -1,
	  "FILE [PATH...]" },
	{ "image", inspect_image, TAKES_KEYS | TAKES_IMAGE | TAKES_OUTPUT, 1, 1, "FILE" },
	{ "packages", inspect_packages, TAKES_KEYS | TAKES_IMAGE, 1, 1, "FILE" },
	{ "diff", inspect_diff, TAKES_KEYS | TAKES_IMAGE | TAKES_PATCH, 2, 2, "OLD NEW" },
};

static const char *const help[] = {
	"Usage: artifact-inspect show [--keys DIR] FILE",
	"       artifact-inspect verify --keys DIR [--deep] [--old OLD] FILE",
	"       artifact-inspect ls --keys DIR [-l] [-R] FILE [PATH...]",
	"       artifact-inspect cat --keys DIR FILE PATH...",
	"       artifact-inspect extract --keys DIR [-C DIR] FILE [PATH...]",
	"       artifact-inspect image --keys DIR -o OUT FILE",
	"       artifact-inspect packages --keys DIR FILE",
	"       artifact-inspect diff --keys DIR [--patch PATCH] OLD NEW",
	"Look into a signed firmware artifact or patch. FILE is a path, '-' or an http(s) URL.",
	"",
	"      --keys DIR        trusted keys: a directory of PEM files, or one PEM file",
	"      --deep            verify: decompress too, check every chunk and the image",
	"      --old OLD         verify: the artifact that the patch FILE is for, to make the new image",
	"      --patch PATCH     diff: what a device would download with this patch",
	"      --payload NAME    look into this payload instead of the root filesystem",
	"      --insecure        read a filesystem that no signature vouches for",
	"  -l, --long            ls: mode, owner, size and time",
	"  -R, --recursive       ls: all that is below PATH",
	"  -C, --directory DIR   extract: where to; default: the current directory",
	"  -o, --output OUT      image: the whole image, sparse",
	"      --json            the result as JSON",
	"      --progress MODE   auto, none or json",
	"  -q, --quiet           errors only",
	"  -v, --verbose         more; twice: all",
	"  -h, --help            this text",
	"      --version         version, libraries, build",
	"",
	"Exit status: 0 done, 1 failed, 2 usage, 3 malformed, 4 not trusted, 5 not for this",
	"program, 6 input or output, 8 network.",
	NULL,
};

static const struct option options[] = {
	{ "keys", required_argument, NULL, OPT_KEYS },
	{ "deep", no_argument, NULL, OPT_DEEP },
	{ "old", required_argument, NULL, OPT_OLD },
	{ "patch", required_argument, NULL, OPT_PATCH },
	{ "payload", required_argument, NULL, OPT_PAYLOAD },
	{ "insecure", no_argument, NULL, OPT_INSECURE },
	{ "long", no_argument, NULL, 'l' },
	{ "recursive", no_argument, NULL, 'R' },
	{ "directory", required_argument, NULL, 'C' },
	{ "output", required_argument, NULL, 'o' },
	CLI_LONG_JSON,
	CLI_LONG_PROGRESS,
	CLI_LONG_BASE,
	{ NULL, 0, NULL, 0 },
};

static const struct option first_options[] = {
	CLI_LONG_JSON,	  CLI_LONG_PROGRESS,	CLI_LONG_BASE,
	CLI_LONG_VERSION, { NULL, 0, NULL, 0 },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ART_ARRAY_SIZE(commands); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	}
	return NULL;
}

/* Which subcommands an option belongs to; 0: all. */
static unsigned int owner_of(int c)
{
	switch (c) {
	case OPT_KEYS:
		return TAKES_KEYS;
	case OPT_DEEP:
		return TAKES_DEEP;
	case OPT_OLD:
		return TAKES_OLD;
	case OPT_PATCH:
		return TAKES_PATCH;
	case OPT_INSECURE:
	case OPT_PAYLOAD:
		return TAKES_IMAGE;
	case 'l':
	case 'R':
		return TAKES_LONG;
	case 'C':
		return TAKES_DIRECTORY;
	case 'o':
		return TAKES_OUTPUT;
	default:
		return 0;
	}
}

static void set_option(struct inspect_options *opt, int c)
{
	switch (c) {
	case OPT_KEYS:
		opt->keys = optarg;
		break;
	case OPT_DEEP:
		opt->deep = true;
		break;
	case OPT_INSECURE:
		opt->insecure = true;
		break;
	case OPT_PAYLOAD:
		opt->payload = optarg;
		break;
	case OPT_OLD:
		opt->old = optarg;
		break;
	case OPT_PATCH:
		opt->patch = optarg;
		break;
	case 'l':
		opt->is_long = true;
		break;
	case 'R':
		opt->recursive = true;
		break;
	case 'o':
		opt->output = optarg;
		break;
	default:
		opt->directory = optarg;
		break;
	}
}

/* As the synopsis has it, however it was written. */
static const char *name_of(int c)
{
	size_t i = 0;

	while (options[i].val != c)
		i++;
	return options[i].name;
}

/* Options and operands of one subcommand, whose name is ARGV[0]. */
static int run(const struct command *cmd, int argc, char **argv)
{
	struct inspect_options opt = { .directory = "." };
	int c, status;

	optind = 0;
	while ((c = getopt_long(argc, argv, "lRC:o:" CLI_SHORT, options, NULL)) != -1) {
		unsigned int owner = owner_of(c);

		if (c == CLI_OPT_HELP) {
			cli_help(help);
			return 0;
		}
		if (owner == 0) {
			status = cli_option(c);
			if (status)
				return status;
			continue;
		}
		if (!(cmd->takes & owner))
			return cli_usage_error("'%s' does not take --%s", cmd->name, name_of(c));
		set_option(&opt, c);
	}
	argc -= optind;
	argv += optind;
	if (argc < cmd->min || (cmd->max >= 0 && argc > cmd->max))
		return cli_usage_error("'%s' takes %s", cmd->name, cmd->operands);
	return cmd->fn(&opt, argc, argv);
}

static void print_version(void)
{
	struct cli_library more[] = { { "libext2fs", NULL }, { NULL, NULL } };

	ext2fs_get_library_version(&more[0].version, NULL);
	cli_version(more);
}

static int start(int argc, char **argv)
{
	const struct command *cmd;
	int c, status;

	while ((c = getopt_long(argc, argv, "+" CLI_SHORT, first_options, NULL)) != -1) {
		if (c == CLI_OPT_HELP) {
			cli_help(help);
			return 0;
		}
		if (c == CLI_OPT_VERSION) {
			print_version();
			return 0;
		}
		status = cli_option(c);
		if (status)
			return status;
	}
	if (optind == argc)
		return cli_usage_error("a command is missing");
	cmd = find_command(argv[optind]);
	if (!cmd)
		return cli_usage_error("'%s' is not a command", argv[optind]);
	return run(cmd, argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
	/* A reader that goes away is an output error like any other. */
	signal(SIGPIPE, SIG_IGN);
	cli_init("artifact-inspect");
	return cli_exit(start(argc, argv));
}
