// SPDX-License-Identifier: Apache-2.0
/*
 * mkartifact digest and attach: signing where this program cannot run (an air-gapped host, a key service). What
 * comes back is believed only after it has been verified.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "libartifact/io.h"
#include "libartifact/key.h"
#include "libartifact/util.h"
#include "libartifact/writer.h"
#include "mkartifact/commands.h"
#include "mkartifact/ecdsa.h"
#include "mkartifact/load.h"

enum { OPT_PUBLIC = 0x100 };

static const char *const digest_help[] = {
	"usage: mkartifact digest --public PUB ARTIFACT",
	"",
	"Print the text that the private half of PUB (a PEM file) is to sign, to the byte.",
	"",
	"      --public PUB  the public key",
	"  -h, --help        this text",
	"  -q, --quiet       errors only",
	"  -v, --verbose     say more",
	NULL,
};

static const char *const attach_help[] = {
	"usage: mkartifact attach ARTIFACT PUB SIGNATURE",
	"",
	"Verify SIGNATURE (a file of its bytes; ECDSA as DER or as r and s) with the public key PUB over the text",
	"that 'mkartifact digest' prints, and put it into ARTIFACT.",
	"",
	"  -h, --help     this text",
	"  -q, --quiet    errors only",
	"  -v, --verbose  say more",
	NULL,
};

static int text_for(const struct mk_load *load, const struct art_key *key,
		    char text[ART_SIGN_TEXT_MAX], size_t *len, struct art_err *err)
{
	return art_sign_text(text, ART_PREAMBLE_ARTIFACT, art_key_algorithm(key), art_key_id(key),
			     load->manifest, load->len, len, err);
}

static int print_text(const char *pub, const char *path, struct art_err *err)
{
	struct mk_load load = { .source = NULL };
	struct art_key *key = NULL;
	char text[ART_SIGN_TEXT_MAX];
	size_t len = 0;
	int code = art_key_load(&key, pub, err);

	if (!code)
		code = mk_load_open(&load, path, err);
	if (!code)
		code = text_for(&load, key, text, &len, err);
	/* What could not be written is found by cli_exit. */
	if (!code)
		fwrite(text, 1, len, stdout);
	mk_load_free(&load);
	art_key_free(key);
	return code;
}

int mk_digest(int argc, char **argv)
{
	static const struct option options[] = {
		CLI_LONG_BASE,
		{ "public", required_argument, NULL, OPT_PUBLIC },
		{ 0 },
	};
	struct art_err err = { .code = 0 };
	const char *pub = NULL;
	int c, status;

	while ((c = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		if (c == CLI_OPT_HELP) {
			cli_help(digest_help);
			return 0;
		}
		if (c == OPT_PUBLIC) {
			pub = optarg;
			continue;
		}
		status = cli_option(c);
		if (status)
			return status;
	}
	if (!pub)
		return cli_usage_error("digest: no --public key given");
	if (argc - optind != 1)
		return cli_usage_error("digest: exactly one artifact is needed");
	return print_text(pub, argv[optind], &err) ? cli_fail(&err) : 0;
}

static int attach(const char *path, const char *pub, const char *sig_path, struct art_err *err)
{
	struct mk_load load = { .source = NULL };
	struct art_key *key = NULL;
	cleanup_free uint8_t *sig = NULL;
	char text[ART_SIGN_TEXT_MAX];
	size_t len = 0, sig_len = 0;
	int code = art_key_load(&key, pub, err);

	if (!code)
		code = art_read_file(sig_path, ART_SIG_MAX, &sig, &sig_len, err);
	if (!code)
		code = mk_load_open(&load, path, err);
	if (!code)
		code = text_for(&load, key, text, &len, err);
	if (!code)
		code = mk_ecdsa_to_der(art_key_algorithm(key), &sig, &sig_len, err);
	if (!code && art_key_verify(key, text, len, sig, sig_len, err) != 0)
		code = art_fail(err, ART_E_SIG_INVALID,
				"'%s' is not a signature of '%s' by key '%s': nothing was attached",
				sig_path, path, pub);
	if (!code)
		code = art_siglist_add(&load.list, art_key_algorithm(key), art_key_id(key), sig, sig_len,
				       err);
	if (!code)
		code = art_write_signatures(path, &load.list, err);
	if (!code)
		cli_info("'%s' has %zu signatures", path, load.list.count);
	mk_load_free(&load);
	art_key_free(key);
	return code;
}

int mk_attach(int argc, char **argv)
{
	static const struct option options[] = { CLI_LONG_BASE, { 0 } };
	struct art_err err = { .code = 0 };
	int c, status;

	while ((c = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		if (c == CLI_OPT_HELP) {
			cli_help(attach_help);
			return 0;
		}
		status = cli_option(c);
		if (status)
			return status;
	}
	if (argc - optind != 3)
		return cli_usage_error("attach: an artifact, a public key and a signature are needed");
	argv += optind;
	return attach(argv[0], argv[1], argv[2], &err) ? cli_fail(&err) : 0;
}
