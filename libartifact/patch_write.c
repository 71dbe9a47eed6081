// SPDX-License-Identifier: Apache-2.0
/*
 * Laying a patch into a file. What is signed comes first and is known last, so that the members behind it are gathered in a temporary
 * file.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libartifact/io.h"
#include "libartifact/patch_codec.h"
#include "libartifact/patch_index.h"
#include "libartifact/patch_plan.h"
#include "libartifact/patch_read.h"
#include "libartifact/sig.h"
#include "libartifact/tar.h"

struct patch_writer {
	struct art_reader *old, *new_;
	const struct art_patch_options *opt;
	struct art_patch_manifest *m;
	struct art_patch_sums *sums;
	struct art_patch_encoder *encoder; /* for what is carried */
	int body;      /* the members behind patch.sig */
	uint64_t off;  /* where the next of them goes */
	int data;      /* the records of a segment */
};

static int put_header(struct patch_writer *w, const char *name, uint64_t size,
		      struct art_err *err)
{
	uint8_t block[ART_TAR_BLOCK];
	int code;

	art_tar_format(block, name, size);
	code = art_pwrite_full(w->body, block, sizeof(block), w->off, ART_TEMP_NAME, err);
	w->off += sizeof(block);
	return code;
}

static int put_member(struct patch_writer *w, const char *name, const uint8_t *bytes, size_t len,
		      uint8_t sha256[ART_SHA256_LEN], struct art_err *err)
{
	static const uint8_t zeros[ART_TAR_BLOCK];
	size_t pad = (size_t)(art_round_up(len, ART_TAR_BLOCK) - len);
	int code = put_header(w, name, len, err);

	if (code == 0)
		code = art_sha256(bytes, len, sha256, err);
	if (code == 0)
		code = art_pwrite_full(w->body, bytes, len, w->off, ART_TEMP_NAME, err);
	if (code == 0)
		code = art_pwrite_full(w->body, zeros, pad, w->off + len, ART_TEMP_NAME, err);
	w->off += len + pad;
	return code;
}

/* LEN bytes at the beginning of FROM to OFF of TO. */
static int copy_bytes(int from, int to, const char *to_name, uint64_t len, uint64_t off,
		      struct art_err *err)
{
	cleanup_free uint8_t *buf = malloc(ART_MIB);
	uint64_t done = 0;

	if (!buf)
		return art_fail_memory(err);
	while (done < len) {
		size_t n = len - done < ART_MIB ? (size_t)(len - done) : (size_t)ART_MIB;
		ssize_t got = art_pread_full(from, buf, n, done, ART_TEMP_NAME, err);
		int code = got < 0 ? (int)got : 0;

		if (code == 0 && (size_t)got < n)
			code = art_fail(err, ART_E_IO, "%s has become shorter", ART_TEMP_NAME);
		if (code == 0)
			code = art_pwrite_full(to, buf, n, off + done, to_name, err);
		if (code < 0)
			return code;
		done += n;
	}
	return 0;
}

static int put_data(struct patch_writer *w, const char *name, uint64_t size, struct art_err *err)
{
	int code = put_header(w, name, size, err);

	if (code == 0)
		code = copy_bytes(w->data, w->body, ART_TEMP_NAME, size, w->off, err);
	w->off += size;
	/* The gap reads as zeros: the file is new. */
	w->off = art_round_up(w->off, ART_TAR_BLOCK);
	if (code == 0 && ftruncate(w->body, (off_t)w->off) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot extend %s", ART_TEMP_NAME);
	return code;
}

/* Manifest and signatures of the new artifact. */
static int put_artifact(struct patch_writer *w, struct art_err *err)
{
	struct art_patch_end *e = &w->m->artifact;
	size_t manifest_len, sig_len, stored_len;
	const uint8_t *manifest = art_reader_manifest_bytes(w->new_, &manifest_len);
	const uint8_t *sig = art_reader_sig_bytes(w->new_, &sig_len);
	cleanup_free uint8_t *both = malloc(manifest_len + sig_len);
	const uint8_t *stored;
	int code;

	if (!both)
		return art_fail_memory(err);
	memcpy(both, manifest, manifest_len);
	memcpy(both + manifest_len, sig, sig_len);
	e->manifest_size = manifest_len;
	e->signatures_size = sig_len;
	code = art_patch_pack(w->encoder, NULL, 0, both, manifest_len + sig_len, &stored,
			      &stored_len, err);
	if (code < 0)
		return code;
	e->stored_size = stored_len;
	return put_member(w, ART_PATCH_ARTIFACT, stored, stored_len, e->stored_sha256, err);
}

static int set_end(struct art_patch_end *e, struct art_reader *r, struct art_err *err)
{
	const struct art_manifest *m = art_reader_manifest(r);
	size_t len;
	const uint8_t *bytes = art_reader_manifest_bytes(r, &len);

	e->name = strdup(m->name);
	e->version = strdup(m->version);
	if (!e->name || !e->version)
		return art_fail_memory(err);
	return art_sha256(bytes, len, e->digest, err);
}

/* The columns of a segment's index; none (*LEN 0) when the payload is not that long. */
static int get_columns(struct art_reader *r, size_t payload, size_t segment, uint8_t **out,
		       size_t *len, struct art_err *err)
{
	const struct art_payload *p = &art_reader_manifest(r)->payloads[payload];
	struct art_index *ix = NULL;
	int code;

	*len = 0;
	*out = NULL;
	if (segment >= p->segment_count)
		return 0;
	code = art_reader_open_index(r, payload, segment, &ix, err);
	if (code == 0)
		code = art_patch_columns(art_index_bytes(ix), p->segments[segment].index_size, out,
					 len, err);
	art_index_free(ix);
	return code;
}

/* Piece by piece: its stored length, then its frame. */
static int pack_pieces(struct patch_writer *w, const uint8_t *old, size_t old_len,
		       const uint8_t *now, size_t len, uint8_t *out, size_t *out_len,
		       struct art_err *err)
{
	size_t done, n, stored_len;
	const uint8_t *stored;

	*out_len = 0;
	for (done = 0; done < len; done += n) {
		int code;

		n = len - done < ART_PATCH_PIECE ? len - done : ART_PATCH_PIECE;
		code = art_patch_pack(w->encoder, old, old_len, now + done, n, &stored,
				      &stored_len, err);
		if (code < 0)
			return code;
		art_put32(out + *out_len, (uint32_t)stored_len);
		memcpy(out + *out_len + 4, stored, stored_len);
		*out_len += 4 + stored_len;
	}
	return 0;
}

static int put_index(struct patch_writer *w, size_t old_payload, size_t new_payload,
		     size_t segment, struct art_patch_segment *seg, struct art_err *err)
{
	const struct art_payload *old = &art_reader_manifest(w->old)->payloads[old_payload];
	cleanup_free uint8_t *before = NULL, *now = NULL, *out = NULL;
	char name[ART_TAR_NAME_MAX + 1];
	size_t before_len, len, out_len;
	int code = get_columns(w->old, old_payload, segment, &before, &before_len, err);

	if (code == 0)
		code = get_columns(w->new_, new_payload, segment, &now, &len, err);
	if (code < 0)
		return code;
	out = malloc(len + len / 128 + 4096);
	if (!out)
		return art_fail_memory(err);
	code = pack_pieces(w, before, before_len, now, len, out, &out_len, err);
	if (code == 0 && before_len) {
		seg->old_index_sha256 = malloc(ART_SHA256_LEN);
		if (!seg->old_index_sha256)
			return art_fail_memory(err);
		memcpy(seg->old_index_sha256, old->segments[segment].index_sha256, ART_SHA256_LEN);
	}
	seg->index_size = out_len;
	w->sums->tables += out_len;
	art_tar_index_name(name, old->name, segment);
	return code < 0 ? code : put_member(w, name, out, out_len, seg->index_sha256, err);
}

static int put_segment(struct patch_writer *w, struct art_patch_pair *pair, size_t segment,
		       const char *payload, struct art_patch_segment *seg, struct art_err *err)
{
	struct art_patch_table table = { 0 };
	char name[ART_TAR_NAME_MAX + 1];
	uint64_t before = w->sums->data;
	int code = art_patch_pair_segment(pair, segment, w->data, &table, w->sums, err);

	if (code == 0 && table.len > ART_PATCH_TABLE_MAX)
		code = art_fail(err, ART_E_FAILED, "the patch needs more records than it may have");
	seg->records_size = table.len;
	seg->data_size = w->sums->data - before;
	w->sums->tables += table.len;
	art_tar_records_name(name, payload, segment);
	if (code == 0)
		code = put_member(w, name, table.bytes ? table.bytes : (const uint8_t *)"", table.len,
				  seg->records_sha256, err);
	art_patch_table_clear(&table);
	art_tar_data_name(name, payload, segment);
	return code < 0 ? code : put_data(w, name, seg->data_size, err);
}

static int put_payload(struct patch_writer *w, size_t old_payload, size_t new_payload,
		       struct art_err *err)
{
	const struct art_payload *old = &art_reader_manifest(w->old)->payloads[old_payload];
	const struct art_payload *now = &art_reader_manifest(w->new_)->payloads[new_payload];
	struct art_patch_payload *p = &w->m->payloads[w->m->payload_count++];
	struct art_patch_pair *pair = NULL;
	size_t s;
	int code;

	p->name = strdup(now->name);
	p->segments = calloc(now->segment_count, sizeof(*p->segments));
	if (!p->name || !p->segments)
		return art_fail_memory(err);
	p->segment_count = now->segment_count;
	p->size = now->size;
	p->old_size = old->size;
	memcpy(p->sha256, now->sha256, ART_SHA256_LEN);
	memcpy(p->old_sha256, old->sha256, ART_SHA256_LEN);
	code = art_patch_pair_open(&pair, w->old, old_payload, w->new_, new_payload, w->opt, err);
	for (s = 0; code == 0 && s < p->segment_count; s++) {
		code = put_index(w, old_payload, new_payload, s, &p->segments[s], err);
		if (code == 0)
			code = put_segment(w, pair, s, p->name, &p->segments[s], err);
	}
	art_patch_pair_free(pair);
	return code;
}

static int put_payloads(struct patch_writer *w, struct art_err *err)
{
	const struct art_manifest *old = art_reader_manifest(w->old);
	const struct art_manifest *now = art_reader_manifest(w->new_);
	size_t i, k;
	int code = 0;

	w->m->payloads = calloc(now->payload_count, sizeof(*w->m->payloads));
	if (!w->m->payloads)
		return art_fail_memory(err);
	for (i = 0; code == 0 && i < now->payload_count; i++)
		for (k = 0; code == 0 && k < old->payload_count; k++)
			if (strcmp(now->payloads[i].name, old->payloads[k].name) == 0)
				code = put_payload(w, k, i, err);
	if (code == 0 && w->m->payload_count == 0)
		code = art_fail(err, ART_E_USAGE, "the two artifacts have no payload of the same name");
	return code;
}

static int put_head(const struct art_out *out, const char *name, const uint8_t *bytes, size_t len,
		    uint64_t off, struct art_err *err)
{
	uint8_t block[ART_TAR_BLOCK];
	int code;

	art_tar_format(block, name, len);
	code = art_pwrite_full(out->fd, block, sizeof(block), off, out->path, err);
	return code < 0 ? code :
			  art_pwrite_full(out->fd, bytes, len, off + sizeof(block), out->path, err);
}

/* In as few units of 4096 bytes as will do: nobody adds a signature to a patch later. */
static int format_signatures(const struct art_siglist *list, uint8_t **sig, size_t *len,
			     struct art_err *err)
{
	int code = ART_E_USAGE;

	*sig = malloc(ART_SIG_MEMBER_MAX);
	if (!*sig)
		return art_fail_memory(err);
	for (*len = ART_MANIFEST_UNIT; *len <= ART_SIG_MEMBER_MAX; *len += ART_MANIFEST_UNIT) {
		code = art_siglist_format(list, *sig, *len, err);
		if (code != ART_E_USAGE)
			break;
	}
	return code;
}

/* Manifest, signatures, the body behind them, and the end. */
static int assemble(struct patch_writer *w, const struct art_out *out, art_sign_fn sign,
		    void *sign_ctx, struct art_err *err)
{
	struct art_siglist list = { 0 };
	cleanup_free uint8_t *manifest = NULL, *sig = NULL;
	static const uint8_t end[2 * ART_TAR_BLOCK];
	size_t len, sig_len = 0;
	uint64_t off;
	int code = art_patch_manifest_format(w->m, &manifest, &len, err);

	if (code == 0 && sign)
		code = sign(sign_ctx, manifest, len, &list, err);
	if (code == 0)
		code = format_signatures(&list, &sig, &sig_len, err);
	art_siglist_free(&list);
	if (code == 0)
		code = put_head(out, ART_PATCH_MANIFEST, manifest, len, 0, err);
	if (code < 0)
		return code;
	off = ART_TAR_BLOCK + len;
	code = put_head(out, ART_PATCH_SIG, sig, sig_len, off, err);
	off += ART_TAR_BLOCK + sig_len;
	if (code == 0)
		code = copy_bytes(w->body, out->fd, out->path, w->off, off, err);
	off += w->off;
	w->sums->size = off + sizeof(end);
	return code < 0 ? code : art_pwrite_full(out->fd, end, sizeof(end), off, out->path, err);
}

static int write_patch(struct patch_writer *w, const char *path, art_sign_fn sign,
		       void *sign_ctx, struct art_err *err)
{
	struct art_out out = ART_OUT_INIT;
	int code = art_patch_encoder_new(&w->encoder, err);

	if (code == 0)
		code = w->opt->temp(&w->body, err);
	if (code == 0)
		code = w->opt->temp(&w->data, err);
	if (code == 0)
		code = set_end(&w->m->artifact, w->new_, err);
	if (code == 0)
		code = set_end(&w->m->old, w->old, err);
	if (code == 0)
		code = put_artifact(w, err);
	if (code == 0)
		code = put_payloads(w, err);
	if (code == 0 && w->opt->prepare)
		code = w->opt->prepare(w->opt->prepare_ctx, err);
	if (code == 0)
		code = art_out_open(&out, path, 0644, err);
	if (code == 0)
		code = assemble(w, &out, sign, sign_ctx, err);
	if (code == 0)
		code = art_out_commit(&out, err);
	art_out_abort(&out);
	return code;
}

int art_patch_write(const char *path, struct art_reader *old, struct art_reader *new_,
		    const struct art_patch_options *opt, art_sign_fn sign, void *sign_ctx,
		    struct art_patch_sums *sums, struct art_err *err)
{
	struct patch_writer w = { .old = old, .new_ = new_, .opt = opt, .sums = sums,
				  .body = -1, .data = -1 };
	int code;

	memset(sums, 0, sizeof(*sums));
	w.m = art_patch_manifest_new();
	if (!w.m)
		return art_fail_memory(err);
	w.m->created = strdup(opt->created);
	code = w.m->created ? write_patch(&w, path, sign, sign_ctx, err) : art_fail_memory(err);
	art_patch_manifest_free(w.m);
	art_patch_encoder_free(w.encoder);
	if (w.body >= 0)
		close(w.body);
	if (w.data >= 0)
		close(w.data);
	return code;
}
