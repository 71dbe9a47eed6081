// SPDX-License-Identifier: Apache-2.0
/* artifact-inspect image: the whole image of a payload again, sparse, and only when it is whole. */
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/progress.h"
#include "inspect/inspect.h"
#include "libartifact/blob.h"
#include "libartifact/io.h"

static int copy_image(struct art_out *out, struct art_blob *blob,
		      const struct art_payload *payload, struct art_err *err)
{
	struct art_digest *sha256 = NULL;
	uint8_t digest[ART_SHA256_LEN];
	int code = art_sha256_new(&sha256, err);

	if (code == 0)
		code = art_blob_copy(blob, 0, blob->size, out->fd, 0, out->path, sha256,
				     progress_update, err);
	if (code == 0)
		code = art_digest_final(sha256, digest, err);
	if (code == 0 && memcmp(digest, payload->sha256, ART_SHA256_LEN) != 0)
		code = art_fail(err, ART_E_IMAGE_DIGEST,
				"payload '%s' does not give the image that was signed", payload->name);
	if (code == 0 && ftruncate(out->fd, (off_t)blob->size) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot write '%s'", out->path);
	art_digest_free(sha256);
	return code;
}

static int write_image(struct inspect_file *f, const struct inspect_options *opt,
		       struct art_err *err)
{
	struct art_out out = ART_OUT_INIT;
	struct art_blob *blob = NULL;
	size_t payload = 0;
	int code = inspect_require_trust(f, opt, err);

	if (code == 0)
		code = inspect_find_payload(f, opt, &payload, err);
	if (code == 0)
		code = art_blob_open_payload(&blob, f->reader, payload, err);
	if (code == 0)
		code = art_out_open(&out, opt->output, 0644, err);
	if (code == 0) {
		progress_begin("decompressing", blob->size);
		code = copy_image(&out, blob, &art_reader_manifest(f->reader)->payloads[payload], err);
		progress_end();
	}
	if (code == 0)
		code = art_out_commit(&out, err);
	art_out_abort(&out);
	art_blob_free(blob);
	return code;
}

/* Before anything is opened: an image takes minutes. */
static int check_output(const struct inspect_options *opt, const char *input, struct art_err *err)
{
	int code;

	if (strcmp(opt->output, "-") == 0)
		return art_fail(err, ART_E_USAGE,
				"an image is not written to standard output, as its digest is known last: "
				"name a file with -o");
	code = art_out_check(opt->output, err);
	if (code == 0)
		code = art_out_check_input(opt->output, strcmp(input, "-") == 0 ? "/dev/stdin" : input, err);
	return code ? code : art_out_check_input(opt->output, opt->keys, err);
}

int inspect_image(const struct inspect_options *opt, int argc, char *const *argv)
{
	struct inspect_file f = { 0 };
	struct art_err err = { 0 };
	int code;

	(void)argc;
	if (!opt->output)
		return cli_usage_error("image: no output given (-o FILE)");
	code = check_output(opt, argv[0], &err);
	if (code == 0)
		code = inspect_open(&f, argv[0], opt, true, &err);
	if (code == 0)
		code = write_image(&f, opt, &err);
	inspect_close(&f);
	return code < 0 ? cli_fail(&err) : 0;
}
