// SPDX-License-Identifier: Apache-2.0
/*
 * Reading an artifact. The layout of the whole file follows from the manifest, so once that is trusted, each
 * header is compared with the one that is due at its place, and nothing is searched for.
 */
#include <stdlib.h>
#include <string.h>

#include "libartifact/chunk.h"
#include "libartifact/reader.h"
#include "libartifact/tar.h"
#include "libartifact/util.h"

struct art_reader {
	struct art_source *src;
	uint8_t *manifest_bytes;
	size_t manifest_len;
	uint8_t *sig_bytes;
	size_t sig_len;
	uint64_t first; /* file offset after manifest.sig */
	bool trusted;   /* authenticated, or the caller has asked to do without */
	struct art_manifest *manifest;
	size_t member_count;
	struct art_member *members;
	uint64_t total;
	struct art_digest *sha256;
};

int art_read_first(struct art_source *src, const char *name, uint64_t max, uint64_t *off,
		   uint8_t **bytes, size_t *len, struct art_err *err)
{
	uint8_t block[ART_TAR_BLOCK];
	uint64_t size;
	int code = art_source_read(src, *off, block, sizeof(block), err);

	if (code == 0)
		code = art_tar_parse(block, name, &size, err);
	if (code < 0)
		return code;
	if (size == 0 || size > max || size % ART_MANIFEST_UNIT != 0)
		return art_fail(err, ART_E_TAR_SIZE, "'%s' has an impossible size of %llu bytes",
				name, (unsigned long long)size);
	*bytes = malloc((size_t)size);
	if (!*bytes)
		return art_fail_memory(err);
	*len = (size_t)size;
	code = art_source_read(src, *off + ART_TAR_BLOCK, *bytes, *len, err);
	*off += ART_TAR_BLOCK + size;
	return code;
}

int art_reader_open(struct art_reader **out, struct art_source *src, struct art_err *err)
{
	struct art_reader *r = calloc(1, sizeof(*r));
	int code;

	if (!r)
		return art_fail_memory(err);
	r->src = src;
	code = art_sha256_new(&r->sha256, err);
	if (code == 0)
		code = art_read_first(src, "manifest.json", ART_MANIFEST_MAX, &r->first,
				      &r->manifest_bytes, &r->manifest_len, err);
	if (code == 0)
		code = art_read_first(src, "manifest.sig", ART_SIG_MEMBER_MAX, &r->first,
				      &r->sig_bytes, &r->sig_len, err);
	if (code < 0) {
		art_reader_free(r);
		return code;
	}
	*out = r;
	return 0;
}

void art_reader_free(struct art_reader *r)
{
	if (!r)
		return;
	art_manifest_free(r->manifest);
	art_digest_free(r->sha256);
	free(r->members);
	free(r->manifest_bytes);
	free(r->sig_bytes);
	free(r);
}

const uint8_t *art_reader_manifest_bytes(const struct art_reader *r, size_t *len)
{
	*len = r->manifest_len;
	return r->manifest_bytes;
}

const uint8_t *art_reader_sig_bytes(const struct art_reader *r, size_t *len)
{
	*len = r->sig_len;
	return r->sig_bytes;
}

int art_reader_authenticate(struct art_reader *r, const struct art_trust *trust,
			    enum art_role role, struct art_verdict *verdict,
			    struct art_err *err)
{
	struct art_siglist list = { 0 };
	int code = art_siglist_parse(&list, r->sig_bytes, r->sig_len, err);

	if (code == 0)
		code = art_trust_judge(trust, role, &list, r->manifest_bytes, r->manifest_len,
				       verdict, err);
	art_siglist_free(&list);
	r->trusted = code == 0;
	return code;
}

void art_reader_skip_trust(struct art_reader *r)
{
	r->trusted = true;
}

static void add_member(struct art_reader *r, uint64_t *off, uint64_t size)
{
	struct art_member *m = &r->members[r->member_count++];

	m->header = *off;
	m->offset = *off + ART_TAR_BLOCK;
	m->size = size;
	*off = m->offset + art_round_up(size, ART_TAR_BLOCK);
}

static struct art_member *last_member(struct art_reader *r)
{
	return &r->members[r->member_count - 1];
}

/* Sizes cannot overflow: each is at most 1 GiB, and there are fewer than 2^18 members. */
static int lay_out(struct art_reader *r, struct art_err *err)
{
	const struct art_manifest *m = r->manifest;
	uint64_t off = r->first;
	size_t count = m->doc_count, p, s, d;

	for (p = 0; p < m->payload_count; p++)
		count += 2 * m->payloads[p].segment_count;
	r->members = calloc(count, sizeof(*r->members));
	if (!r->members)
		return art_fail_memory(err);
	for (p = 0; p < m->payload_count; p++) {
		for (s = 0; s < m->payloads[p].segment_count; s++) {
			const struct art_segment *seg = &m->payloads[p].segments[s];

			add_member(r, &off, seg->index_size);
			art_tar_index_name(last_member(r)->name, m->payloads[p].name, s);
			add_member(r, &off, seg->data_size);
			art_tar_data_name(last_member(r)->name, m->payloads[p].name, s);
		}
	}
	for (d = 0; d < m->doc_count; d++) {
		add_member(r, &off, m->docs[d].size);
		art_tar_doc_name(last_member(r)->name, m->docs[d].name);
	}
	r->total = off + 2 * ART_TAR_BLOCK;
	return 0;
}

int art_reader_parse(struct art_reader *r, struct art_err *err)
{
	int code;

	if (!r->trusted)
		return art_fail(err, ART_E_FAILED, "the manifest has not been authenticated");
	if (r->manifest)
		return 0;
	code = art_manifest_parse(&r->manifest, r->manifest_bytes, r->manifest_len, err);
	if (code == 0)
		code = lay_out(r, err);
	if (code < 0)
		return code;
	if (r->src->size < r->total)
		return art_fail(err, ART_E_TAR_TRUNCATED, "'%s' has %llu bytes of %llu",
				r->src->name, (unsigned long long)r->src->size,
				(unsigned long long)r->total);
	if (r->src->size != UINT64_MAX && r->src->size > r->total)
		return art_fail(err, ART_E_TAR_TRAILING, "'%s' has %llu bytes, %llu too many",
				r->src->name, (unsigned long long)r->src->size,
				(unsigned long long)(r->src->size - r->total));
	return 0;
}

const struct art_manifest *art_reader_manifest(const struct art_reader *r)
{
	return r->manifest;
}

size_t art_reader_member_count(const struct art_reader *r)
{
	return r->member_count;
}

const struct art_member *art_reader_member(const struct art_reader *r, size_t i)
{
	return &r->members[i];
}

uint64_t art_reader_total_size(const struct art_reader *r)
{
	return r->total;
}

size_t art_reader_index_member(const struct art_reader *r, size_t payload, size_t segment)
{
	size_t before = 0, p;

	for (p = 0; p < payload; p++)
		before += 2 * r->manifest->payloads[p].segment_count;
	return before + 2 * segment;
}

size_t art_reader_doc_member(const struct art_reader *r, size_t doc)
{
	return r->member_count - r->manifest->doc_count + doc;
}

int art_reader_check_header(struct art_reader *r, size_t member, struct art_err *err)
{
	const struct art_member *m = &r->members[member];
	uint8_t block[ART_TAR_BLOCK];
	int code = art_source_read(r->src, m->header, block, sizeof(block), err);

	return code < 0 ? code : art_tar_expect(block, m->name, m->size, err);
}

int art_reader_check_padding(struct art_reader *r, size_t member, struct art_err *err)
{
	const struct art_member *m = &r->members[member];
	size_t len = (size_t)(art_round_up(m->size, ART_TAR_BLOCK) - m->size);
	uint8_t pad[ART_TAR_BLOCK];
	int code;

	if (len == 0)
		return 0;
	code = art_source_read(r->src, m->offset + m->size, pad, len, err);
	if (code == 0 && !art_is_zero(pad, len))
		code = art_fail(err, ART_E_TAR_PADDING, "the padding after '%s' is not zero", m->name);
	return code;
}

int art_reader_check_end(struct art_reader *r, struct art_err *err)
{
	uint8_t end[2 * ART_TAR_BLOCK];
	uint64_t off = r->total - sizeof(end);
	ssize_t n;
	int code = art_source_read(r->src, off, end, sizeof(end), err);

	if (code < 0)
		return code;
	if (!art_is_zero(end, sizeof(end)))
		return art_fail(err, ART_E_TAR_END, "the archive does not end with two zero blocks");
	n = r->src->ops->read_at(r->src, r->total, end, 1, err);
	if (n < 0)
		return (int)n;
	if (n > 0)
		return art_fail(err, ART_E_TAR_TRAILING, "bytes follow the end of '%s'", r->src->name);
	return 0;
}

/* The whole of a member into new memory, header and padding judged. */
static int read_member(struct art_reader *r, size_t member, uint8_t **out,
		       struct art_err *err)
{
	const struct art_member *m = &r->members[member];
	cleanup_free uint8_t *bytes = NULL;
	int code = art_reader_check_header(r, member, err);

	if (code < 0)
		return code;
	bytes = malloc((size_t)m->size + 1);
	if (!bytes)
		return art_fail_memory(err);
	bytes[m->size] = '\0';
	code = art_source_read(r->src, m->offset, bytes, (size_t)m->size, err);
	if (code < 0)
		return code;
	*out = steal_ptr(bytes);
	return 0;
}

int art_reader_open_index(struct art_reader *r, size_t payload, size_t segment,
			  struct art_index **out, struct art_err *err)
{
	const struct art_payload *p = &r->manifest->payloads[payload];
	size_t member = art_reader_index_member(r, payload, segment);
	struct art_index *ix = NULL;
	uint8_t *bytes = NULL;
	int code = read_member(r, member, &bytes, err);

	if (code == 0)
		code = art_index_open(&ix, bytes, &p->segments[segment], err);
	if (code == 0)
		code = art_reader_check_padding(r, member, err);
	if (code == 0)
		code = art_reader_check_header(r, member + 1, err);
	if (code < 0) {
		art_index_free(ix);
		return art_wrap(err, "payload '%s'", p->name);
	}
	*out = ix;
	return 0;
}

uint64_t art_reader_data_offset(const struct art_reader *r, size_t payload, size_t segment)
{
	return r->members[art_reader_index_member(r, payload, segment) + 1].offset;
}

int art_reader_stored(struct art_reader *r, size_t payload, size_t segment,
		      const struct art_row *row, uint8_t *buf, struct art_err *err)
{
	uint64_t off = art_reader_data_offset(r, payload, segment) + row->data_off;
	int code = art_source_read(r->src, off, buf, row->stored_len, err);

	return code < 0 ? code : art_row_check_stored(row, buf, r->sha256, err);
}

int art_reader_doc(struct art_reader *r, size_t doc, uint8_t **out, size_t *len,
		   struct art_err *err)
{
	const struct art_doc *d = &r->manifest->docs[doc];
	size_t member = art_reader_doc_member(r, doc);
	cleanup_free uint8_t *bytes = NULL;
	uint8_t digest[ART_SHA256_LEN];
	int code = read_member(r, member, &bytes, err);

	if (code == 0)
		code = art_digest_once(r->sha256, bytes, (size_t)d->size, digest, err);
	if (code < 0)
		return code;
	if (memcmp(digest, d->sha256, ART_SHA256_LEN) != 0)
		return art_fail(err, ART_E_DOC_DIGEST, "document '%s' does not match its digest",
				d->name);
	code = art_reader_check_padding(r, member, err);
	if (code < 0)
		return code;
	*len = (size_t)d->size;
	*out = steal_ptr(bytes);
	return 0;
}
