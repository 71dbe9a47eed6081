// SPDX-License-Identifier: Apache-2.0
/* artifact-inspect packages: what is installed in the root filesystem. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "common/cli.h"
#include "common/text.h"
#include "inspect/inspect.h"
#include "libartifact/blob.h"
#include "libartifact/fs/fs.h"
#include "libartifact/fs/scan.h"

static int print_json(const struct art_packages *p, struct art_err *err)
{
	json_t *list = json_array(), *root;
	int code;

	for (size_t i = 0; list && i < p->count; i++) {
		const struct art_package *k = &p->list[i];
		json_t *o = json_pack(
			"{s:o,s:o,s:o,s:o?,s:o?}", "name", cli_json_text(k->name),
			"version", cli_json_text(k->version), "arch",
			cli_json_text(k->arch ? k->arch : ""), "source",
			k->source ? cli_json_text(k->source) : NULL, "source-version",
			k->source_version ? cli_json_text(k->source_version) : NULL);

		if (!o || json_array_append_new(list, o) < 0) {
			json_decref(list);
			return art_fail_memory(err);
		}
	}
	root = json_pack("{s:s?,s:o}", "manager", p->manager, "packages", list);
	code = root ? cli_print_json(root, err) : art_fail_memory(err);
	json_decref(root);
	return code;
}

static int print(const struct art_packages *p, struct art_err *err)
{
	if (cli_json())
		return print_json(p, err);
	for (size_t i = 0; i < p->count; i++) {
		const struct art_package *k = &p->list[i];

		text_print(stdout, k->name);
		putchar('\t');
		text_print(stdout, k->version);
		putchar('\t');
		text_print(stdout, k->arch ? k->arch : "");
		putchar('\n');
	}
	if (!p->manager)
		cli_warn("no package list of dpkg, opkg or apk in this image");
	return 0;
}

int inspect_packages(const struct inspect_options *opt, int argc, char *const *argv)
{
	struct art_packages packages = { 0 };
	struct inspect_file f = { 0 };
	struct art_err err = { 0 };
	struct art_blob *blob = NULL;
	struct art_fs *fs = NULL;
	int code, status = 0;

	(void)argc;
	code = inspect_open(&f, argv[0], opt, true, &err);
	if (code == 0)
		code = inspect_open_fs(&f, opt, false, &blob, &fs, &err);
	if (code == 0)
		code = art_scan_packages(fs, &packages, &err);
	if (code == 0)
		code = print(&packages, &err);
	if (code < 0)
		status = cli_fail(&err);
	art_packages_free(&packages);
	art_fs_close(fs);
	art_blob_free(blob);
	inspect_close(&f);
	return status;
}
