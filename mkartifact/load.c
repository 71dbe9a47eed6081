// SPDX-License-Identifier: Apache-2.0
/* Reading an artifact that exists already. */
#include "libartifact/patch_source.h"
#include "mkartifact/load.h"

static int load(struct mk_load *load, const char *path, struct art_err *err)
{
	const uint8_t *sig;
	size_t sig_len;
	bool is_patch = false;
	int code = art_source_open_path(&load->source, path, err);

	if (!code)
		code = art_reader_open(&load->reader, load->source, err);
	if (code == ART_E_TAR_NAME && art_patch_sniff(load->source, &is_patch, NULL) == 0 && is_patch)
		code = art_fail(err, ART_E_USAGE, "it is a patch, and an artifact is due");
	if (code)
		return code;
	sig = art_reader_sig_bytes(load->reader, &sig_len);
	code = art_siglist_parse(&load->list, sig, sig_len, err);
	if (code)
		return code;
	art_reader_skip_trust(load->reader);
	code = art_reader_parse(load->reader, err);
	load->manifest = art_reader_manifest_bytes(load->reader, &load->len);
	return code;
}

int mk_load_open(struct mk_load *l, const char *path, struct art_err *err)
{
	int code = load(l, path, err);

	return code ? art_wrap(err, "'%s'", path) : 0;
}

void mk_load_free(struct mk_load *load)
{
	art_siglist_free(&load->list);
	art_reader_free(load->reader);
	art_source_free(load->source);
	*load = (struct mk_load){ .source = NULL };
}
