// SPDX-License-Identifier: Apache-2.0
/* mkartifact create: from root filesystem to signed artifact. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "common/cli.h"
#include "common/progress.h"
#include "common/text.h"
#include "libartifact/fs/build.h"
#include "libartifact/fs/scan.h"
#include "libartifact/io.h"
#include "libartifact/plan_earlier.h"
#include "libartifact/writer.h"
#include "mkartifact/commands.h"
#include "mkartifact/create.h"
#include "mkartifact/load.h"
#include "mkartifact/now.h"
#include "mkartifact/signer.h"

#define PAYLOADS_MAX 2
#define SBOM_NAME "sbom.spdx.json"

/* One image on its way into the artifact. */
struct input {
	int fd;
	struct art_blob *blob;
	const char *filesystem;
	struct art_regions regions;
	struct art_earlier *earlier;
};

struct job {
	struct mk_create c;
	size_t input_count;
	struct input inputs[PAYLOADS_MAX];
	struct art_write_doc docs[MK_DOCS_MAX + 1];
	size_t doc_count;
	struct mk_signer *signers[ART_SIG_LINES_MAX];
	size_t signer_count;
	size_t signature_count; /* fewer when a key is given twice */
	int64_t time;
};

static int set_created(struct job *j, struct art_err *err)
{
	struct tm tm;
	char *end;

	if (!j->c.m->created)
		return mk_time_now(&j->c.m->created, &j->time, err);
	memset(&tm, 0, sizeof(tm));
	end = strptime(j->c.m->created, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!end || *end)
		return art_fail(err, ART_E_USAGE, "--created '%s' is not YYYY-MM-DDThh:mm:ssZ",
				j->c.m->created);
	j->time = timegm(&tm);
	return 0;
}

/* Keys first: a wrong passphrase is worth knowing before minutes of compression. */
static int open_signers(struct job *j, struct art_err *err)
{
	int code = 0;

	while (code == 0 && j->signer_count < j->c.key_count) {
		code = mk_signer_open(&j->signers[j->signer_count], j->c.keys[j->signer_count],
				      j->c.passphrase_file, err);
		if (code == 0)
			j->signer_count++;
	}
	return code;
}

static int build(struct job *j, struct input *in, const char *source, struct art_err *err)
{
	const char *slash = strrchr(j->c.out, '/');
	char directory[4096], seed[160];
	struct art_build_options opt = { .filesystem = j->c.fs ? j->c.fs : "ext4",
					 .size = j->c.size, .time = j->time, .uuid_seed = seed,
					 .jobs = j->c.jobs };
	uint64_t size;

	snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - j->c.out + 1) : 2,
		 slash ? j->c.out : "./");
	snprintf(seed, sizeof(seed), "%s %s", j->c.m->name, j->c.m->version ? j->c.m->version : "");
	cli_info("building an %s image from '%s'", opt.filesystem, source);
	return art_build_image(&in->fd, &size, source, directory, &opt, err);
}

/* An image as it is, or one built from what is not an image. */
static int open_source(struct job *j, struct input *in, const char *source, bool may_build,
		       struct art_err *err)
{
	struct stat st;
	int code;

	if (strcmp(source, "-") == 0)
		return may_build ? build(j, in, source, err) :
				   art_fail(err, ART_E_USAGE, "--boot takes an image file");
	in->fd = open(source, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0 || fstat(in->fd, &st) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", source);
	if (!S_ISDIR(st.st_mode)) {
		code = art_blob_open_fd(&in->blob, in->fd, source, err);
		if (code < 0)
			return code;
		in->filesystem = art_fs_detect(in->blob);
	}
	if (in->filesystem || (!may_build && in->blob)) {
		/* The options are about what may be built: a boot image beside it is none of their business. */
		if (may_build && (j->c.size || (j->c.fs && in->filesystem && strcmp(j->c.fs, in->filesystem) != 0)))
			return art_fail(err, ART_E_USAGE, "'%s' is an image already: --fs and --size are "
					"for directories and tarballs", source);
		return 0;
	}
	if (!may_build)
		return art_fail(err, ART_E_USAGE, "--boot takes an image file, not '%s'", source);
	art_blob_free(in->blob);
	in->blob = NULL;
	close(in->fd);
	in->fd = -1;
	return build(j, in, source, err);
}

static int add_payload(struct job *j, const char *name, const char *kind, const char *source,
		       bool may_build, struct art_err *err)
{
	struct art_manifest *m = j->c.m;
	struct input *in = &j->inputs[j->input_count++];
	struct art_payload *p = &m->payloads[m->payload_count++];
	int code;

	in->fd = -1;
	code = open_source(j, in, source, may_build, err);
	if (code == 0 && !in->blob) {
		code = art_blob_open_fd(&in->blob, in->fd, source, err);
		in->filesystem = code == 0 ? art_fs_detect(in->blob) : NULL;
	}
	if (code < 0)
		return code;
	if (in->blob->size == 0 || in->blob->size % 512 != 0)
		return art_fail(err, ART_E_USAGE, "'%s' has %llu bytes, not a multiple of 512", source,
				(unsigned long long)in->blob->size);
	if (in->filesystem && art_fs_size(in->blob, in->filesystem) > in->blob->size)
		return art_fail(err, ART_E_USAGE, "'%s' is cut off: its filesystem has %llu bytes, the file %llu",
				source, (unsigned long long)art_fs_size(in->blob, in->filesystem),
				(unsigned long long)in->blob->size);
	p->name = strdup(name);
	p->kind = strdup(kind);
	p->filesystem = strdup(in->filesystem ? in->filesystem : "raw");
	if (!p->name || !p->kind || !p->filesystem)
		return art_fail_memory(err);
	return art_fs_regions(in->blob, in->filesystem, &in->regions, err);
}

static int open_payloads(struct job *j, struct art_err *err)
{
	int code = 0;

	j->c.m->payloads = calloc(PAYLOADS_MAX, sizeof(*j->c.m->payloads));
	if (!j->c.m->payloads)
		return art_fail_memory(err);
	if (j->c.rootfs)
		code = add_payload(j, "rootfs", "rootfs-image", j->c.rootfs, true, err);
	if (code == 0 && j->c.boot)
		code = add_payload(j, "boot", "boot-image", j->c.boot, false, err);
	return code;
}

static int add_doc(struct job *j, const char *name, uint8_t *bytes, size_t len,
		   struct art_err *err)
{
	struct art_manifest *m = j->c.m;
	struct art_doc *docs = realloc(m->docs, (m->doc_count + 1) * sizeof(*docs));

	if (!docs) {
		free(bytes);
		return art_fail_memory(err);
	}
	m->docs = docs;
	memset(&docs[m->doc_count], 0, sizeof(*docs));
	docs[m->doc_count].name = strdup(name);
	j->docs[j->doc_count] = (struct art_write_doc){ docs[m->doc_count].name, bytes, len };
	j->doc_count++;
	return docs[m->doc_count++].name ? 0 : art_fail_memory(err);
}

static int add_sbom(struct job *j, struct art_fs *fs, struct art_err *err)
{
	struct art_packages packages = { 0 };
	uint8_t *bytes = NULL;
	size_t len;
	int code = art_scan_packages(fs, &packages, err);

	if (code == 0 && packages.manager)
		code = art_sbom_spdx(&packages, j->c.m->name, j->c.m->version, j->c.m->created, &bytes,
				     &len, err);
	if (code == 0 && bytes)
		code = add_doc(j, SBOM_NAME, bytes, len, err);
	else if (code == 0)
		cli_info("no package list found in the image: no SBOM");
	art_packages_free(&packages);
	return code;
}

/* Once its journal is replayed the image is another one. */
static void warn_of_journal(const struct input *in, const char *source)
{
	enum { INCOMPAT = 1024 + 0x60, RECOVER = 4 };
	uint8_t features[4];

	if (in->filesystem && strcmp(in->filesystem, "ext4") == 0 &&
	    art_blob_read(in->blob, features, sizeof(features), INCOMPAT, NULL) == 0 &&
	    (art_get32(features) & RECOVER))
		cli_warn("'%s' was not unmounted: its journal changes it at the first mount, and version, architecture and package list are those of before; run e2fsck -p on it",
			 source);
}

/* What the image says about itself, where no option has said it. */
static int scan(struct job *j, struct art_err *err)
{
	struct art_manifest *m = j->c.m;
	struct art_fs *fs = NULL;
	const char *arch = NULL;
	int code = 0;

	if (j->c.rootfs)
		warn_of_journal(&j->inputs[0], j->c.rootfs);
	if (j->c.rootfs)
		code = art_fs_open(&fs, j->inputs[0].blob, j->inputs[0].filesystem, err);
	if (code < 0 && m->arch && m->version && j->c.no_sbom)
		return 0;
	if (code < 0)
		return art_wrap(err, "cannot look into '%s' (--arch, --version and --no-sbom do without)",
				j->c.rootfs);
	if (fs && !m->arch) {
		code = art_scan_arch(fs, &arch, err);
		m->arch = code == 0 ? strdup(arch) : NULL;
	}
	if (code == 0 && fs && !m->version)
		code = art_scan_os_release(fs, "IMAGE_VERSION", &m->version, err);
	if (code == 0 && !m->version)
		code = art_fail(err, ART_E_USAGE, "no version: the image's os-release has no IMAGE_VERSION, "
				"so --version is needed");
	if (code == 0 && !m->arch)
		code = art_fail(err, ART_E_USAGE, "no architecture: give --arch");
	if (code == 0 && fs && !j->c.no_sbom)
		code = add_sbom(j, fs, err);
	art_fs_close(fs);
	return code;
}

static int read_docs(struct job *j, struct art_err *err)
{
	size_t i;
	int code = 0;

	for (i = 0; code == 0 && i < j->c.doc_count; i++) {
		const char *slash = strrchr(j->c.docs[i], '/');
		uint8_t *bytes;
		size_t len;

		code = art_read_file(j->c.docs[i], ART_DOC_MAX, &bytes, &len, err);
		if (code == 0)
			code = add_doc(j, slash ? slash + 1 : j->c.docs[i], bytes, len, err);
	}
	return code;
}

static int sign(void *ctx, const uint8_t *manifest, size_t len, struct art_siglist *list,
		struct art_err *err)
{
	struct job *j = ctx;
	size_t i;
	int code = 0;

	for (i = 0; code == 0 && i < j->signer_count; i++)
		code = mk_signer_sign(j->signers[i], manifest, len, ART_PREAMBLE_ARTIFACT, list, err);
	j->signature_count = list->count;
	return code;
}

/* What an earlier release has of the images that are to be written. */
static int learn(struct job *j, struct art_reader *old, struct art_err *err)
{
	const struct art_manifest *was = art_reader_manifest(old);
	size_t i, k;
	int code = 0;

	for (i = 0; i < j->input_count && code == 0; i++) {
		struct input *in = &j->inputs[i];

		if (!in->earlier)
			code = art_earlier_new(&in->earlier, err);
		for (k = 0; k < was->payload_count && code == 0; k++) {
			struct art_blob *image = NULL;

			if (strcmp(was->payloads[k].name, j->c.m->payloads[i].name) != 0)
				continue;
			progress_begin("comparing", was->payloads[k].size);
			code = art_blob_open_payload(&image, old, k, err);
			if (code == 0)
				code = art_earlier_add(in->earlier, image, progress_update, err);
			progress_end();
			art_blob_free(image);
		}
	}
	return code;
}

static int read_earlier(struct job *j, const char *path, struct art_err *err)
{
	struct mk_load load = { .source = NULL };
	int code = mk_load_open(&load, path, err);

	if (code == 0) {
		code = load.source->can_seek ? learn(j, load.reader, err) :
					       art_fail(err, ART_E_USAGE, "give a file, not a pipe");
		if (code < 0)
			art_wrap(err, "'%s'", path);
	}
	mk_load_free(&load);
	return code;
}

static int write_artifact(struct job *j, struct art_err *err)
{
	struct art_write_payload payloads[PAYLOADS_MAX];
	struct art_write_options opt = { .level = j->c.level, .jobs = j->c.jobs,
					 .sig_room = ART_SIG_MEMBER_DEFAULT,
					 .progress = progress_update };
	uint64_t total = 0;
	size_t i;
	int code;

	for (i = 0; i < j->input_count; i++) {
		struct input *in = &j->inputs[i];

		payloads[i] = (struct art_write_payload){ in->fd, in->blob->name, in->blob->size,
							  in->regions.count ? &in->regions : NULL,
							  in->earlier };
		total += in->blob->size;
	}
	progress_begin("compressing", total);
	code = art_write(j->c.out, j->c.m, payloads, j->docs, &opt, j->signer_count ? sign : NULL, j,
			 err);
	progress_end();
	/* A value that an option set and the format refuses is the caller's mistake, not a bad artifact. */
	if (code < 0 && art_code_exit(code) == 3 && err->code == code)
		err->code = ART_E_USAGE;
	return code;
}

static void report(const struct job *j)
{
	const struct art_manifest *m = j->c.m;
	char size[TEXT_SIZE_MAX], plain[TEXT_SIZE_MAX];
	struct stat st;
	uint64_t total = 0;
	json_t *o;
	size_t i;

	if (stat(j->c.out, &st) < 0)
		return;
	for (i = 0; i < m->payload_count; i++)
		total += m->payloads[i].size;
	if (cli_json()) {
		o = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "file", j->c.out, "name", m->name,
			      "version", m->version, "arch", m->arch, "size", (json_int_t)st.st_size,
			      "image-size", (json_int_t)total, "signatures", (json_int_t)j->signature_count);
		if (o)
			json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else if (cli_level() >= CLI_WARN) {
		printf("%s: %s %s for %s, %s out of %s, %zu signature%s\n", j->c.out, m->name, m->version,
		       m->arch, text_size(size, (uint64_t)st.st_size), text_size(plain, total),
		       j->signature_count, j->signature_count == 1 ? "" : "s");
	}
	if (j->signer_count == 0)
		cli_warn("'%s' is UNSIGNED: no device installs it before `mkartifact sign`", j->c.out);
}

static int check_out(const struct job *j, struct art_err *err)
{
	const struct mk_create *c = &j->c;
	size_t i;
	int code = art_out_check(c->out, err);

	if (code == 0)
		code = art_out_check_input(c->out, c->rootfs, err);
	if (code == 0)
		code = art_out_check_input(c->out, c->boot, err);
	if (code == 0)
		code = art_out_check_input(c->out, c->passphrase_file, err);
	for (i = 0; code == 0 && i < c->from_count; i++)
		code = art_out_check_input(c->out, c->from[i], err);
	for (i = 0; code == 0 && i < c->key_count; i++)
		code = art_out_check_input(c->out, c->keys[i], err);
	for (i = 0; code == 0 && i < c->doc_count; i++)
		code = art_out_check_input(c->out, c->docs[i], err);
	for (i = 0; code == 0 && i < c->earlier_count; i++)
		code = art_out_check_input(c->out, c->earlier[i], err);
	return code;
}

static int create(struct job *j, struct art_err *err)
{
	size_t i;
	int code = check_out(j, err);

	if (code == 0)
		code = set_created(j, err);
	if (code == 0)
		code = open_signers(j, err);
	if (code == 0)
		code = read_docs(j, err);
	if (code == 0)
		code = open_payloads(j, err);
	if (code == 0)
		code = scan(j, err);
	for (i = 0; i < j->c.earlier_count && code == 0; i++)
		code = read_earlier(j, j->c.earlier[i], err);
	if (code == 0)
		code = write_artifact(j, err);
	return code;
}

int mk_create(int argc, char **argv)
{
	struct job *j = calloc(1, sizeof(*j));
	struct art_err err = { .code = 0 };
	int status;

	if (!j) {
		art_fail_memory(&err);
		return cli_fail(&err);
	}
	status = mk_create_options(&j->c, argc, argv);
	if (status < 0) {
		status = create(j, &err) < 0 ? cli_fail(&err) : 0;
		if (status == 0)
			report(j);
	}
	while (j->input_count > 0) {
		struct input *in = &j->inputs[--j->input_count];

		art_blob_free(in->blob);
		art_earlier_free(in->earlier);
		free(in->regions.list);
		if (in->fd >= 0)
			close(in->fd);
	}
	while (j->doc_count > 0)
		free((void *)(uintptr_t)j->docs[--j->doc_count].bytes);
	while (j->signer_count > 0)
		mk_signer_free(j->signers[--j->signer_count]);
	mk_create_clear(&j->c);
	free(j);
	return status;
}
