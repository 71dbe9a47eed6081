// SPDX-License-Identifier: Apache-2.0
/* mkartifact delta: what a device that runs OLD needs to make NEW of it, in one small file. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "common/cli.h"
#include "common/progress.h"
#include "common/text.h"
#include "libartifact/fs/fs.h"
#include "libartifact/fs/tree.h"
#include "libartifact/io.h"
#include "libartifact/patch_write.h"
#include "mkartifact/commands.h"
#include "mkartifact/load.h"
#include "mkartifact/now.h"
#include "mkartifact/signer.h"

enum { OPT_PASSPHRASE = 0x100, OPT_DIRECTORY };

static const struct option options[] = {
	CLI_LONG_BASE,
	CLI_LONG_JSON,
	CLI_LONG_PROGRESS,
	{ "key", required_argument, NULL, 'k' },
	{ "output", required_argument, NULL, 'o' },
	{ "directory", required_argument, NULL, OPT_DIRECTORY },
	{ "passphrase-file", required_argument, NULL, OPT_PASSPHRASE },
	{ 0 },
};

static const char *const help[] = {
	"usage: mkartifact delta --key KEY... [-o FILE | --directory DIR] OLD NEW",
	"",
	"Make a patch with which a device that runs the artifact OLD gets NEW. Devices look for it beside NEW, as",
	"NEW.patches/<new image>-<old image>.patch, which is where it goes without -o or --directory.",
	"",
	"  -k, --key KEY              a PEM file, an encrypted PEM file, or a pkcs11: URI; repeatable",
	"  -o, --output FILE          write FILE",
	"      --directory DIR        write to DIR under the name that devices look for",
	"      --passphrase-file FILE passphrase or PIN; without it a terminal is asked",
	"      --json                 the result as JSON",
	"      --progress=HOW         auto, none, or json",
	"  -h, --help                 this text",
	"  -q, --quiet                errors only",
	"  -v, --verbose              say more",
	NULL,
};

struct delta {
	const char *keys[ART_SIG_LINES_MAX];
	size_t key_count;
	const char *passphrase_file;
	const char *output;
	const char *directory;
	struct mk_signer *signers[ART_SIG_LINES_MAX];
	size_t signer_count;
	struct mk_load old, new_;
	char *path;    /* of the patch */
	char *beside;  /* the directory for it */
	char *created;
	struct art_patch_sums sums;
};

static int temp(int *fd, struct art_err *err)
{
	return art_temp_file(fd, NULL, err);
}

static int blocks(int fd, struct art_blocks *out, struct art_err *err)
{
	struct art_blob *blob = NULL;
	int code = art_blob_open_fd(&blob, fd, ART_TEMP_NAME, err);

	if (code == 0)
		code = art_fs_blocks(blob, art_fs_detect(blob), out, err);
	art_blob_free(blob);
	return code;
}

static int sign(void *ctx, const uint8_t *manifest, size_t len, struct art_siglist *list,
		struct art_err *err)
{
	struct delta *d = ctx;
	size_t i;
	int code = 0;

	for (i = 0; code == 0 && i < d->signer_count; i++)
		code = mk_signer_sign(d->signers[i], manifest, len, ART_PREAMBLE_PATCH, list, err);
	return code;
}

/* Can the directory be made, when it is time? To know it at the end would be late. */
static int check_directory(const char *path, struct art_err *err)
{
	struct stat st;
	char *copy;
	int code = 0;

	if (stat(path, &st) == 0 || errno != ENOENT)
		return 0;
	copy = strdup(path);
	if (!copy)
		return art_fail_memory(err);
	if (access(dirname(copy), W_OK | X_OK) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot make the directory '%s'", path);
	free(copy);
	return code;
}

/* Not before there is something to put into it: one that failed would leave it behind. */
static int make_directory(void *ctx, struct art_err *err)
{
	const struct delta *d = ctx;

	if (d->beside && mkdir(d->beside, 0777) < 0 && errno != EEXIST)
		return art_fail_errno(err, ART_E_IO, "cannot make the directory '%s'", d->beside);
	return 0;
}

/* The path of the patch, and the directory for it. */
static int set_path(struct delta *d, const char *new_path, struct art_err *err)
{
	char name[ART_PATCH_NAME_LEN + 1];
	bool named = art_patch_name(name, art_reader_manifest(d->new_.reader),
				    art_reader_manifest(d->old.reader));

	if (!named)
		return art_fail(err, ART_E_USAGE, "'%s' and '%s' have no payload of the same name",
				d->old.source->name, d->new_.source->name);
	/* A payload that differs would have named it. */
	if (memcmp(name, name + ART_PATCH_NAME_OLD, 32) == 0)
		cli_warn("'%s' and '%s' hold the same images", d->old.source->name, new_path);
	if (d->output) {
		d->path = strdup(d->output);
		return d->path ? 0 : art_fail_memory(err);
	}
	if (d->directory)
		d->beside = strdup(d->directory);
	else if (asprintf(&d->beside, "%s.patches", new_path) < 0)
		d->beside = NULL;
	if (!d->beside || asprintf(&d->path, "%s/%s", d->beside, name) < 0) {
		d->path = NULL;
		return art_fail_memory(err);
	}
	return check_directory(d->beside, err);
}

static int check_path(const struct delta *d, char *const *inputs, struct art_err *err)
{
	size_t i;
	int code = art_out_check(d->path, err);

	for (i = 0; code == 0 && i < 2; i++)
		code = art_out_check_input(d->path, inputs[i], err);
	for (i = 0; code == 0 && i < d->key_count; i++)
		code = art_out_check_input(d->path, d->keys[i], err);
	if (code == 0)
		code = art_out_check_input(d->path, d->passphrase_file, err);
	return code;
}

static int run(struct delta *d, char *const *inputs, struct art_err *err)
{
	struct art_patch_options opt = { .temp = temp, .blocks = blocks, .prepare = make_directory,
					 .prepare_ctx = d, .progress = progress_update };
	int code = 0;

	for (; code == 0 && d->signer_count < d->key_count; d->signer_count += code == 0)
		code = mk_signer_open(&d->signers[d->signer_count], d->keys[d->signer_count],
				      d->passphrase_file, err);
	if (code == 0)
		code = mk_load_open(&d->old, inputs[0], err);
	if (code == 0)
		code = mk_load_open(&d->new_, inputs[1], err);
	if (code == 0 && (!d->old.source->can_seek || !d->new_.source->can_seek))
		code = art_fail(err, ART_E_USAGE, "delta reads here and there: give files, not pipes");
	if (code == 0)
		code = set_path(d, inputs[1], err);
	if (code == 0)
		code = check_path(d, inputs, err);
	if (code == 0)
		code = mk_time_now(&d->created, NULL, err);
	if (code < 0)
		return code;
	if (d->new_.list.count == 0)
		cli_warn("'%s' is unsigned, and a patch carries its signatures: sign it first", inputs[1]);
	opt.created = d->created;
	progress_begin("comparing", art_reader_manifest(d->new_.reader)->payloads[0].size);
	code = art_patch_write(d->path, d->old.reader, d->new_.reader, &opt, sign, d, &d->sums, err);
	progress_end();
	return code;
}

static void report(const struct delta *d)
{
	const struct art_patch_sums *s = &d->sums;
	const struct art_manifest *now = art_reader_manifest(d->new_.reader);
	char size[TEXT_SIZE_MAX], chunks[TEXT_SIZE_MAX], plain[TEXT_SIZE_MAX];
	json_t *o;

	if (s->left > 0)
		cli_warn("%s do not compress and are left out of the patch: devices take them from the artifact, and the patch alone is not enough",
			 text_size(plain, s->left));
	if (s->data >= s->stored && s->records > 0)
		cli_warn("the patch is not smaller than the chunks that it stands for: devices will take those");
	if (cli_json()) {
		o = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "file", d->path,
			      "name", now->name, "version", now->version, "size",
			      (json_int_t)s->size, "records", (json_int_t)s->records, "diffs",
			      (json_int_t)s->diffs, "blocks", (json_int_t)s->blocks, "chunks", (json_int_t)s->rows, "plain",
			      (json_int_t)s->plain, "chunk-bytes", (json_int_t)s->stored, "left-out", (json_int_t)s->left, "record-bytes", (json_int_t)s->data,
			      "table-bytes", (json_int_t)s->tables);
		if (o)
			json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else if (cli_level() >= CLI_WARN) {
		printf("%s: %s %s from %s, %s in place of %s of chunks\n", d->path, now->name,
		       now->version, art_reader_manifest(d->old.reader)->version,
		       text_size(size, s->size), text_size(chunks, s->stored));
	}
}

static int take_option(struct delta *d, int c)
{
	switch (c) {
	case 'k':
		if (d->key_count == ART_SIG_LINES_MAX)
			return cli_usage_error("more than %d keys", ART_SIG_LINES_MAX);
		d->keys[d->key_count++] = optarg;
		return 0;
	case 'o':
		d->output = optarg;
		return 0;
	case OPT_DIRECTORY:
		d->directory = optarg;
		return 0;
	case OPT_PASSPHRASE:
		d->passphrase_file = optarg;
		return 0;
	default:
		return cli_option(c);
	}
}

int mk_delta(int argc, char **argv)
{
	struct delta d = { .output = NULL };
	struct art_err err = { .code = 0 };
	int c, status;

	while ((c = getopt_long(argc, argv, CLI_SHORT "k:o:", options, NULL)) != -1) {
		if (c == CLI_OPT_HELP) {
			cli_help(help);
			return 0;
		}
		status = take_option(&d, c);
		if (status)
			return status;
	}
	if (argc - optind != 2)
		return cli_usage_error("delta: two artifacts are due, the old one and the new one");
	if (d.key_count == 0)
		return cli_usage_error("delta: no --key given");
	if (d.output && d.directory)
		return cli_usage_error("delta: --output and --directory exclude each other");
	if (d.output && strcmp(d.output, "-") == 0)
		return cli_usage_error("delta: a patch is not written to standard output, as its "
				       "beginning is known last");
	status = run(&d, argv + optind, &err) ? cli_fail(&err) : 0;
	if (status == 0)
		report(&d);
	while (d.signer_count > 0)
		mk_signer_free(d.signers[--d.signer_count]);
	mk_load_free(&d.old);
	mk_load_free(&d.new_);
	free(d.created);
	free(d.path);
	free(d.beside);
	return status;
}
