// SPDX-License-Identifier: Apache-2.0
/* mkartifact sign: one more signature in the reserved room. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "libartifact/writer.h"
#include "mkartifact/commands.h"
#include "mkartifact/load.h"
#include "mkartifact/signer.h"

enum { OPT_PASSPHRASE = 0x100 };

static const struct option options[] = {
	CLI_LONG_BASE,
	{ "key", required_argument, NULL, 'k' },
	{ "passphrase-file", required_argument, NULL, OPT_PASSPHRASE },
	{ 0 },
};

static const char *const help[] = {
	"usage: mkartifact sign --key KEY... [--passphrase-file FILE] ARTIFACT...",
	"",
	"Add a signature to each ARTIFACT. An older one by the same key is replaced; the payload is not touched.",
	"",
	"  -k, --key KEY              a PEM file, an encrypted PEM file, or a pkcs11: URI; repeatable",
	"      --passphrase-file FILE passphrase or PIN; without it a terminal is asked",
	"  -h, --help                 this text",
	"  -q, --quiet                errors only",
	"  -v, --verbose              say more",
	NULL,
};

struct signers {
	struct mk_signer **list;
	size_t count;
};

static int sign_file(const struct signers *s, const char *path, struct art_err *err)
{
	struct mk_load load = { .source = NULL };
	size_t i;
	int code = mk_load_open(&load, path, err);

	for (i = 0; !code && i < s->count; i++)
		code = mk_signer_sign(s->list[i], load.manifest, load.len, ART_PREAMBLE_ARTIFACT,
				      &load.list, err);
	if (!code)
		code = art_write_signatures(path, &load.list, err);
	if (!code)
		cli_info("'%s' has %zu signatures", path, load.list.count);
	mk_load_free(&load);
	return code;
}

static int sign_all(const char **keys, size_t key_count, const char *passphrase_file, char **paths,
		    struct art_err *err)
{
	struct signers s = { .list = calloc(key_count, sizeof(*s.list)) };
	int code = s.list ? 0 : art_fail_memory(err);

	/* All keys first: a mistyped passphrase must not leave half of the files signed. */
	while (!code && s.count < key_count) {
		code = mk_signer_open(&s.list[s.count], keys[s.count], passphrase_file, err);
		if (!code)
			s.count++;
	}
	for (; !code && *paths; paths++)
		code = sign_file(&s, *paths, err);
	while (s.count > 0)
		mk_signer_free(s.list[--s.count]);
	free(s.list);
	return code;
}

int mk_sign(int argc, char **argv)
{
	const char *keys[ART_SIG_LINES_MAX];
	const char *passphrase_file = NULL;
	struct art_err err = { .code = 0 };
	size_t key_count = 0;
	int c, status;

	while ((c = getopt_long(argc, argv, CLI_SHORT "k:", options, NULL)) != -1) {
		switch (c) {
		case CLI_OPT_HELP:
			cli_help(help);
			return 0;
		case 'k':
			if (key_count == ART_SIG_LINES_MAX)
				return cli_usage_error("more than %d keys", ART_SIG_LINES_MAX);
			keys[key_count++] = optarg;
			break;
		case OPT_PASSPHRASE:
			passphrase_file = optarg;
			break;
		default:
			status = cli_option(c);
			if (status)
				return status;
		}
	}
	if (key_count == 0)
		return cli_usage_error("sign: no --key given");
	if (optind == argc)
		return cli_usage_error("sign: no artifact given");
	return sign_all(keys, key_count, passphrase_file, argv + optind, &err) ? cli_fail(&err) : 0;
}
