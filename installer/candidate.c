// SPDX-License-Identifier: Apache-2.0
/* From a path to an authenticated, compatible artifact, in the order of judgement. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cli.h"
#include "installer/candidate.h"
#include "installer/platform.h"
#ifdef WITH_FETCH
#include "installer/fetch.h"
#endif
#include "libartifact/compat.h"
#include "libartifact/io.h"
#include "libartifact/patch_name.h"
#include "libartifact/url.h"
#include "libartifact/version.h"

#define ATTRIBUTES_MAX 64
#define DOC_PIECE ((size_t)64 * 1024)
/* Manifest and signatures of the usual sizes with their headers. */
#define FIRST_OF_ARTIFACT (4096 + 16384 + 2 * 512)
/* The same of a patch, and the artifact's in it: then it is known whether the rest is wanted. */
#define FIRST_OF_PATCH (16 * 1024)

/* Artifact and patch are two sources, and where the patch came in the artifact's place there is one. */
enum part { PART_ARTIFACT, PART_PATCH };

#ifdef WITH_FETCH
static int open_url(struct art_source **out, const struct device *d, const char *url,
		    enum part part, struct art_err *err)
{
	/* The device's identity is for TLS only; over plain http nobody asks for it. */
	bool tls = strncasecmp(url, "https:", 6) == 0;
	struct fetch_options opt = {
		.program = device_fetch_program(d),
		.http = {
			.proxy = d->config.download_proxy,
			.ca_file = d->config.download_ca,
			.client_cert = tls ? d->config.fleet_certificate : NULL,
			.client_key = tls ? d->config.fleet_key : NULL,
			.rate = d->config.download_rate,
			.first = FIRST_OF_ARTIFACT,
			.parts_only = d->config.download_full_never != 0,
			.waiting = cli_waiting,
		},
	};

	/* The artifact must be had; a patch need not be waited for. */
	if (part == PART_PATCH) {
		opt.http.first = FIRST_OF_PATCH;
		opt.http.first_retries = 1;
		opt.http.retries = 2;
		opt.http.stall_timeout = 20;
		opt.http.longest_wait = 5;
	}
	return fetch_source_open(out, url, &opt, err);
}

static void add_traffic(struct art_source *src, struct candidate_traffic *out)
{
	uint64_t requests;

	out->received += fetch_source_received(src, &requests);
	out->requests += requests;
}

static void get_traffic(const struct candidate *c, struct candidate_traffic *out)
{
	memset(out, 0, sizeof(*out));
	if (!c->patch_only)
		add_traffic(c->src, out);
	if (c->patch.src)
		add_traffic(c->patch.src, out);
}
#else
static void get_traffic(const struct candidate *c, struct candidate_traffic *out)
{
	(void)c;
	memset(out, 0, sizeof(*out));
}

static int open_url(struct art_source **out, const struct device *d, const char *url,
		    enum part part, struct art_err *err)
{
	(void)out;
	(void)d;
	(void)url; /* a password may be in it */
	(void)part;
	return art_fail(err, ART_E_USAGE, "the source is a URL, and this build cannot download");
}
#endif

bool candidate_traffic(const struct candidate *c, struct candidate_traffic *out)
{
	if (c->by_url)
		get_traffic(c, out);
	return c->by_url;
}

static int open_source(struct candidate *c, const struct device *d, const char *src,
		       struct art_err *err)
{
	c->by_url = art_is_url(src);
	c->is_remote = c->by_url;
	if (c->by_url)
		return open_url(&c->src, d, src, PART_ARTIFACT, err);
	return art_source_open_path(&c->src, src, err);
}

/* A patch in place of an artifact: its source becomes the patch's, and what it carries the artifact's. */
static int enter_patch(struct candidate *c, struct art_err *err)
{
	bool can_seek = c->src->can_seek;
	const uint8_t *bytes;
	size_t len;
	int code = patch_open(&c->patch, steal_ptr(c->src), c->trust, err);

	if (code == 0)
		code = art_patch_source_open(&c->src, c->patch.patch, &c->patch.dec, err);
	if (code == 0)
		code = art_reader_open(&c->reader, c->src, err);
	if (code < 0)
		return code;
	c->patch_only = true;
	c->is_remote = false;
	c->src->can_seek = can_seek;
	bytes = art_reader_manifest_bytes(c->reader, &len);
	return art_patch_match_digest(c->patch.patch, bytes, len, err);
}

static int open_any(struct candidate *c, struct art_err *err)
{
	bool is_patch = false;
	int code = art_reader_open(&c->reader, c->src, err);

	/* Going back to the beginning may cost a request of its own: artifacts are spared it. */
	if (code == ART_E_TAR_NAME && art_patch_sniff(c->src, &is_patch, NULL) == 0 && is_patch)
		code = enter_patch(c, err);
	return code;
}

int candidate_open(struct candidate *c, const struct device *d, const char *src,
		   struct art_err *err)
{
	int code;

	memset(c, 0, sizeof(*c));
	/* The policy is judged before the artifact; it also costs nothing to fail here. */
	code = art_trust_load(&c->trust, d->config.trust_keys, err);
	if (code == 0)
		code = open_source(c, d, src, err);
	if (code == 0)
		code = open_any(c, err);
	if (code == 0)
		code = art_reader_authenticate(c->reader, c->trust, ART_ROLE_ARTIFACT,
					       &c->verdict, err);
	if (code == 0)
		code = art_reader_parse(c->reader, err);
	if (code == 0 && c->patch_only)
		code = art_patch_match(c->patch.patch, art_reader_manifest(c->reader), err);
	if (code < 0)
		return code;
	c->manifest = art_reader_manifest(c->reader);
	if (art_hex_parse(c->digest, sizeof(c->digest), c->verdict.digest) < 0)
		return art_fail(err, ART_E_FAILED, "the verdict has no artifact digest");
	return 0;
}

/* Where the patch would be; NULL: there can be none. The caller frees. */
static char *patch_url(const struct candidate *c, const struct device *d, const char *src)
{
	struct art_manifest *old = NULL;
	char name[ART_PATCH_NAME_LEN + 1], *url = NULL;
	bool named;

	if (device_kept_manifest(d, d->running, &old, NULL) != 0 || !old)
		return NULL;
	named = art_patch_name(name, c->manifest, old);
	art_manifest_free(old);
	/* Nothing can be put behind a query. */
	if (!named || strpbrk(src, "?#") || asprintf(&url, "%s.patches/%s", src, name) < 0)
		return NULL;
	return url;
}

static int open_patch(struct candidate *c, const struct device *d, const char *url,
		      struct art_err *err)
{
	struct art_source *src = NULL;
	const uint8_t *bytes;
	size_t len;
	int code = open_url(&src, d, url, PART_PATCH, err);

	if (code == 0)
		code = patch_open(&c->patch, src, c->trust, err);
	if (code < 0)
		return code;
	bytes = art_reader_manifest_bytes(c->reader, &len);
	code = art_patch_match_digest(c->patch.patch, bytes, len, err);
	if (code == 0)
		code = art_patch_match(c->patch.patch, c->manifest, err);
	if (code < 0)
		patch_close(&c->patch);
	return code;
}

void candidate_find_patch(struct candidate *c, const struct device *d, const char *src)
{
	cleanup_free char *url = NULL;
	struct art_err why = { 0 };
	int code;

	if (!c->is_remote || c->patch.patch)
		return;
	url = patch_url(c, d, src);
	if (!url)
		return;
	code = open_patch(c, d, url, &why);
	if (code == ART_E_NET || code == ART_E_NET_RANGE)
		cli_info("no patch: %s", why.text);
	else if (code < 0)
		cli_warn("the patch beside '%s' is left aside: %s", c->src->name, why.text);
}

void candidate_close(struct candidate *c)
{
	art_reader_free(c->reader);
	art_source_free(c->src);
	patch_close(&c->patch);
	art_trust_free(c->trust);
	memset(c, 0, sizeof(*c));
}

struct provides {
	struct art_pair *list;
	size_t count;
	char *text;                 /* of the attributes file */
	struct art_manifest *kept;  /* of the running artifact */
};

static int attribute_fail(const struct device *d, const char *line, struct art_err *err)
{
	return art_fail(err, ART_E_USAGE, "'%s': '%s' is not 'key=version'",
			d->config.device_attributes, line);
}

/* Lines `key=version`; '#' begins a comment line. */
static int read_attributes(struct provides *p, const struct device *d, struct art_err *err)
{
	char *line, *rest = NULL;
	uint8_t *text = NULL;
	size_t len;

	if (!d->config.device_attributes)
		return 0;
	if (art_read_file(d->config.device_attributes, 8192, &text, &len, err) < 0)
		return art_wrap(err, "attributes");
	p->text = (char *)text;
	for (line = strtok_r(p->text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *value;

		if (line[0] == '#')
			continue;
		value = strchr(line, '=');
		if (!value)
			return attribute_fail(d, line, err);
		*value++ = '\0';
		if (!art_is_name(line, 64, NULL, ART_LOWER ART_DIGIT "._-") ||
		    !art_version_is_valid(value))
			return attribute_fail(d, line, err);
		if (p->count == ATTRIBUTES_MAX)
			return art_fail(err, ART_E_USAGE, "'%s' has more than %d lines",
					d->config.device_attributes, ATTRIBUTES_MAX);
		p->list[p->count++] = (struct art_pair){ line, value };
	}
	return 0;
}

static int find_provides(struct provides *p, const struct device *d, struct art_err *err)
{
	size_t i;
	int code;

	memset(p, 0, sizeof(*p));
	p->list = calloc(2 * ATTRIBUTES_MAX, sizeof(*p->list));
	if (!p->list)
		return art_fail_memory(err);
	code = read_attributes(p, d, err);
	if (code == 0)
		code = device_kept_manifest(d, d->running, &p->kept, err);
	if (code < 0)
		return code;
	for (i = 0; p->kept && i < p->kept->provides_count && i < ATTRIBUTES_MAX; i++)
		p->list[p->count++] = p->kept->provides[i];
	return 0;
}

/* True when NAME is a word of LIST. */
static bool is_listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (list && *list) {
		size_t word = strcspn(list, " \t");

		if (word == len && strncmp(list, name, len) == 0)
			return true;
		list += word + strspn(list + word, " \t");
	}
	return false;
}

/* What an older release has left in a partition would boot together with the new one. */
static int check_complete(const struct art_manifest *m, const struct art_device *dev,
			  const char *optional, struct art_err *err)
{
	size_t i, j;

	for (i = 0; i < dev->part_count; i++) {
		const char *name = dev->parts[i].payload;

		for (j = 0; j < m->payload_count; j++)
			if (strcmp(m->payloads[j].name, name) == 0)
				break;
		if (j == m->payload_count && !is_listed(optional, name))
			return art_fail(err, ART_E_COMPAT_PAYLOAD,
					"artifact has no payload '%s', this device's slots have a partition for it",
					name);
	}
	return 0;
}

/* Image and indexes are those that the patch is from. */
static bool is_base(const struct art_patch_payload *patch, const struct art_payload *old)
{
	size_t i;

	if (old->size != patch->old_size ||
	    memcmp(old->sha256, patch->old_sha256, ART_SHA256_LEN) != 0)
		return false;
	for (i = 0; i < patch->segment_count; i++) {
		const uint8_t *index = patch->segments[i].old_index_sha256;

		if (index && (i >= old->segment_count ||
			      memcmp(old->segments[i].index_sha256, index, ART_SHA256_LEN) != 0))
			return false;
	}
	return true;
}

/* A patch alone makes its images out of what the running slot holds, or nothing. */
static int check_base(const struct candidate *c, const struct art_manifest *running,
		      struct art_err *err)
{
	const struct art_patch_manifest *patch = art_patch_manifest(c->patch.patch);
	size_t i, k, n;

	if (!running)
		return art_fail(err, ART_E_PATCH_OLD,
				"it is not known what the running slot holds, and a patch alone needs it: adopt its artifact first, or install the new artifact itself");
	for (i = 0; i < c->manifest->payload_count; i++) {
		const char *name = c->manifest->payloads[i].name;

		n = art_patch_find_payload(c->patch.patch, name);
		if (n == SIZE_MAX)
			return art_fail(err, ART_E_PATCH_OLD,
					"the patch lacks payload '%s', and there is no artifact beside it",
					name);
		for (k = 0; k < running->payload_count; k++)
			if (strcmp(running->payloads[k].name, name) == 0)
				break;
		if (k == running->payload_count ||
		    !is_base(&patch->payloads[n], &running->payloads[k]))
			return art_fail(err, ART_E_PATCH_OLD,
					"the patch is not for what the running slot holds (payload '%s')",
					name);
	}
	return 0;
}

int candidate_fits(const struct candidate *c, const struct device *d, int target,
		   struct art_err *err)
{
	struct art_device_slot_part parts[CONFIG_PARTS_MAX];
	const struct slot *slot = &d->slots[target];
	const char *running = d->state.slot[d->running].version;
	struct art_device dev = { 0 };
	struct platform_filesystems fs;
	struct provides p;
	const char *archs[3];
	size_t i;
	int code = find_provides(&p, d, err);

	platform_archs(archs);
	dev.type = d->config.device_type;
	dev.hardware = d->config.device_hardware;
	dev.archs = archs;
	dev.provides = p.list;
	dev.provides_count = p.count;
	for (i = 0; i < slot->count; i++) {
		/* A payload needs its place in both slots, or it could never be switched back. */
		if (!slot_part(&d->slots[1 - target], slot->part[i].payload))
			continue;
		parts[dev.part_count].payload = slot->part[i].payload;
		parts[dev.part_count++].size = slot->part[i].size;
	}
	dev.parts = parts;
	dev.filesystems = platform_filesystems(&fs);
	dev.running_version = running[0] ? running : p.kept ? p.kept->version : NULL;
	dev.deny_downgrade = d->config.deny_downgrade;
	if (code == 0)
		code = device_floor(d, &dev.counter_floor, err);
	if (code == 0)
		code = art_compat_check(c->manifest, &dev, err);
	if (code == 0)
		code = check_complete(c->manifest, &dev, d->config.device_optional, err);
	if (code == 0 && c->patch_only)
		code = check_base(c, p.kept, err);
	free(fs.text);
	art_manifest_free(p.kept);
	free(p.text);
	free(p.list);
	return code;
}

/* A document may have 64 MiB; it is hashed as it passes. */
static int check_doc(struct candidate *c, size_t n, struct art_digest *sha, uint8_t *buf,
		     struct art_err *err)
{
	size_t member = art_reader_doc_member(c->reader, n);
	const struct art_member *m = art_reader_member(c->reader, member);
	uint8_t digest[ART_SHA256_LEN];
	uint64_t off;
	int code = art_reader_check_header(c->reader, member, err);

	for (off = 0; off < m->size && code == 0; off += DOC_PIECE) {
		uint64_t left = m->size - off;
		size_t len = left < DOC_PIECE ? (size_t)left : DOC_PIECE;

		code = art_source_read(c->src, m->offset + off, buf, len, err);
		if (code == 0)
			code = art_digest_update(sha, buf, len, err);
	}
	if (code == 0)
		code = art_digest_final(sha, digest, err);
	if (code == 0 && memcmp(digest, c->manifest->docs[n].sha256, sizeof(digest)) != 0)
		code = art_fail(err, ART_E_DOC_DIGEST, "document '%s' does not match its digest",
				c->manifest->docs[n].name);
	return code < 0 ? code : art_reader_check_padding(c->reader, member, err);
}

int candidate_check_rest(struct candidate *c, struct art_err *err)
{
	cleanup_free uint8_t *buf = NULL;
	struct art_digest *sha = NULL;
	size_t i;
	int code;

	if (c->is_remote)
		return 0;
	/* Documents are not carried. */
	if (c->patch_only)
		return c->patch.broken ? 0 : art_patch_check_end(c->patch.patch, err);
	buf = malloc(DOC_PIECE);
	if (!buf)
		return art_fail_memory(err);
	code = art_sha256_new(&sha, err);
	for (i = 0; i < c->manifest->doc_count && code == 0; i++)
		code = check_doc(c, i, sha, buf, err);
	art_digest_free(sha);
	return code < 0 ? code : art_reader_check_end(c->reader, err);
}
