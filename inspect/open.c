// SPDX-License-Identifier: Apache-2.0
/* Opening and judging an artifact, and finding the image in it that a subcommand is
 * about. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/text.h"
#include "inspect/inspect.h"
#include "libartifact/blob.h"
#include "libartifact/fs/fs.h"
#include "libartifact/http/http.h"
#include "libartifact/io.h"
#include "libartifact/tar.h"
#include "libartifact/url.h"
#include "libartifact/util.h"

int inspect_wrap(struct art_err *err, const char *name)
{
	cleanup_free char *shown = NULL;

	if (!art_is_url(name))
		return art_wrap(err, "%s", name);
	shown = art_url_show(name);
	/* Network errors name it themselves. */
	return shown && !strstr(err->text, shown) ? art_wrap(err, "%s", shown) : err->code;
}

static const char *temp_directory(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/tmp";
}

const char *inspect_temp_name(void)
{
	static char name[4200];

	snprintf(name, sizeof(name), "a temporary file in %s (TMPDIR)", temp_directory());
	return name;
}

int inspect_temp_file(int *fd, struct art_err *err)
{
	const char *dir = temp_directory();

	*fd = art_open_unnamed(dir);
	if (*fd < 0)
		return art_fail_errno(err, ART_E_IO,
				      "cannot make a temporary file in '%s'", dir);
	return 0;
}

/* One of the two members that have been read already; its header is the only one that the profile allows. */
static int copy_member(int to, const char *name, const uint8_t *bytes, size_t len, struct art_err *err)
{
	uint8_t block[ART_TAR_BLOCK];
	int code;

	art_tar_format(block, name, len);
	code = art_write_full(to, block, sizeof(block), inspect_temp_name(), err);
	return code ? code : art_write_full(to, bytes, len, inspect_temp_name(), err);
}

/* What the manifest announces and one byte more, so that an end which does not come is seen. */
static int copy_all(int to, struct inspect_file *f, struct art_err *err)
{
	cleanup_free uint8_t *buf = malloc(ART_MIB);
	uint64_t off, end = art_reader_total_size(f->reader) + 1;
	size_t manifest_len, sig_len;
	const uint8_t *manifest = art_reader_manifest_bytes(f->reader, &manifest_len);
	const uint8_t *sig = art_reader_sig_bytes(f->reader, &sig_len);
	ssize_t n = 1;
	int code;

	if (!buf)
		return art_fail_memory(err);
	code = copy_member(to, "manifest.json", manifest, manifest_len, err);
	if (code == 0)
		code = copy_member(to, "manifest.sig", sig, sig_len, err);
	for (off = 2 * ART_TAR_BLOCK + manifest_len + sig_len; code == 0 && n > 0 && off < end; off += (uint64_t)n) {
		size_t want = end - off < ART_MIB ? (size_t)(end - off) : ART_MIB;

		n = f->src->ops->read_at(f->src, off, buf, want, err);
		if (n < 0)
			return (int)n;
		code = art_write_full(to, buf, (size_t)n, inspect_temp_name(), err);
	}
	return code;
}

#ifdef WITH_HTTP
static int open_url(struct inspect_file *f, const char *url, struct art_err *err)
{
	const struct art_http_options opt = { .waiting = cli_waiting };
	int code = art_http_open(&f->src, url, &opt, err);

	f->is_url = code == 0;
	return code;
}

static void say_traffic(const struct inspect_file *f)
{
	uint64_t received, requests;

	if (!f->is_url)
		return;
	art_http_stats(f->src, &received, &requests);
	cli_info("'%s': %" PRIu64 " bytes received, %" PRIu64 " %s", f->src->name, received,
		 requests, text_plural(requests, "request", "requests"));
}
#else
static int open_url(struct inspect_file *f, const char *url, struct art_err *err)
{
	(void)f;
	(void)url; /* a password may be in it */
	return art_fail(err, ART_E_USAGE, "this build has no http: it cannot read URLs");
}

static void say_traffic(const struct inspect_file *f)
{
	(void)f;
}
#endif

/* Make a pipe, or a server without ranges, seek, at the price of room in TMPDIR. */
static int spool(struct inspect_file *f, struct art_err *err)
{
	struct art_source *seeking = NULL;
	int fd = -1, code;

	cli_info("reading '%s' into a temporary file", f->src->name);
	code = inspect_temp_file(&fd, err);
	if (code < 0)
		return code;
	code = copy_all(fd, f, err);
	if (code == 0 && lseek(fd, 0, SEEK_SET) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot read back '%s'", inspect_temp_name());
	if (code < 0) {
		close(fd);
		return code;
	}
	code = art_source_open_fd(&seeking, fd, f->src->name, err);
	if (code < 0)
		return code;
	say_traffic(f);
	art_reader_free(f->reader);
	f->reader = NULL;
	art_source_free(f->src);
	f->src = seeking;
	f->is_url = false;
	return 0;
}

static int open_source(struct inspect_file *f, const char *name, struct art_err *err)
{
	return art_is_url(name) ? open_url(f, name, err) : art_source_open_path(&f->src, name, err);
}

const uint8_t *inspect_signed_bytes(const struct inspect_file *f, size_t *len)
{
	if (f->patch)
		return art_patch_manifest_bytes(f->patch, len);
	return art_reader_manifest_bytes(f->reader, len);
}

uint64_t inspect_total_size(const struct inspect_file *f)
{
	return f->patch ? art_patch_total_size(f->patch) : art_reader_total_size(f->reader);
}

static int authenticate(struct inspect_file *f, struct art_err *err)
{
	if (f->patch)
		return art_patch_authenticate(f->patch, f->trust, &f->verdict, err);
	return art_reader_authenticate(f->reader, f->trust, ART_ROLE_ARTIFACT, &f->verdict, err);
}

static void skip_trust(struct inspect_file *f)
{
	if (f->patch)
		art_patch_skip_trust(f->patch);
	else
		art_reader_skip_trust(f->reader);
}

static int open_reader(struct inspect_file *f, const char *name, bool patches,
		       struct art_err *err)
{
	bool is_patch = false;
	int code = art_reader_open(&f->reader, f->src, err);

	/* Going back to the beginning costs a request of its own: artifacts are spared it. */
	if (code != ART_E_TAR_NAME || art_patch_sniff(f->src, &is_patch, NULL) < 0 || !is_patch)
		return code;
	if (!patches)
		return art_fail(err, ART_E_USAGE, "'%s' is a patch: only show and verify take one",
				name);
	return art_patch_open(&f->patch, f->src, err);
}

/* From the first byte up to the parsed manifest. */
static int judge(struct inspect_file *f, const char *name, bool patches, struct art_err *err)
{
	const uint8_t *bytes;
	size_t len;
	int code = open_reader(f, name, patches, err);

	if (code < 0)
		return code;
	bytes = f->patch ? art_patch_sig_bytes(f->patch, &len) :
			   art_reader_sig_bytes(f->reader, &len);
	art_siglist_free(&f->sigs);
	code = art_siglist_parse(&f->sigs, bytes, len, err);
	if (code < 0)
		return code;
	if (f->trust) {
		code = authenticate(f, err);
		f->trusted = code == 0;
	} else {
		skip_trust(f);
	}
	if (code < 0)
		return code;
	return f->patch ? art_patch_parse(f->patch, err) : art_reader_parse(f->reader, err);
}

static int open_file(struct inspect_file *f, const char *name, const struct inspect_options *opt,
		     bool seek, bool patches, struct art_err *err)
{
	int code = 0;

	if (opt->keys)
		code = art_trust_load(&f->trust, opt->keys, err);
	if (code == 0)
		code = open_source(f, name, err);
	if (code == 0)
		code = judge(f, name, patches, err);
	if (code < 0 || !seek || f->src->can_seek)
		return code;
	/* Nobody fills our disk who was not found good; and the copy is judged again, being another source. */
	code = spool(f, err);
	return code < 0 ? code : judge(f, name, patches, err);
}

int inspect_open(struct inspect_file *f, const char *name,
		 const struct inspect_options *opt, bool seek, struct art_err *err)
{
	return open_file(f, name, opt, seek, false, err);
}

int inspect_open_any(struct inspect_file *f, const char *name,
		     const struct inspect_options *opt, bool seek, struct art_err *err)
{
	return open_file(f, name, opt, seek, true, err);
}

void inspect_close(struct inspect_file *f)
{
	if (f->src)
		say_traffic(f);
	art_siglist_free(&f->sigs);
	art_reader_free(f->reader);
	art_patch_free(f->patch);
	art_source_free(f->src);
	art_trust_free(f->trust);
	memset(f, 0, sizeof(*f));
}

int inspect_require_trust(const struct inspect_file *f, const struct inspect_options *opt,
			  struct art_err *err)
{
	if (f->trusted || opt->insecure)
		return 0;
	return art_fail(
		err, ART_E_KEY_NONE,
		"nobody vouches for the image in '%s': give --keys DIR, or --insecure to read it "
		"all the same",
		f->src->name);
}

int inspect_find_payload(const struct inspect_file *f, const struct inspect_options *opt,
			 size_t *payload, struct art_err *err)
{
	const struct art_manifest *m = art_reader_manifest(f->reader);
	size_t i;

	for (i = 0; i < m->payload_count; i++) {
		const struct art_payload *p = &m->payloads[i];

		if (opt->payload ? strcmp(p->name, opt->payload) == 0
				 : strcmp(p->kind, "rootfs-image") == 0) {
			*payload = i;
			return 0;
		}
	}
	if (opt->payload)
		return art_fail(err, ART_E_FAILED, "'%s' has no payload '%s'",
				f->src->name, opt->payload);
	return art_fail(err, ART_E_FAILED,
			"'%s' has no root filesystem: name a payload with --payload",
			f->src->name);
}

int inspect_open_fs(struct inspect_file *f, const struct inspect_options *opt,
		    bool cached, struct art_blob **blob, struct art_fs **fs,
		    struct art_err *err)
{
	size_t payload;
	int fd, code = inspect_require_trust(f, opt, err);

	if (code == 0)
		code = inspect_find_payload(f, opt, &payload, err);
	if (code == 0)
		code = art_blob_open_payload(blob, f->reader, payload, err);
	if (code == 0 && cached)
		code = inspect_temp_file(&fd, err);
	if (code == 0 && cached)
		code = art_blob_keep(*blob, fd, inspect_temp_name(), err);
	if (code == 0)
		code = art_fs_open(
			fs, *blob,
			art_reader_manifest(f->reader)->payloads[payload].filesystem,
			err);
	return code;
}
