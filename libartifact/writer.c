// SPDX-License-Identifier: Apache-2.0
/*
 * Laying an artifact into a file in one go: the plans say how long every index will be, so the data of a
 * segment is written to its place as it is made, then its index before it, and at last the manifest at
 * the front, for which room was left.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libartifact/dedup.h"
#include "libartifact/index.h"
#include "libartifact/io.h"
#include "libartifact/plan.h"
#include "libartifact/plan_earlier.h"
#include "libartifact/pool.h"
#include "libartifact/sig.h"
#include "libartifact/tar.h"
#include "libartifact/util.h"
#include "libartifact/writer.h"

#define CHUNK_DEFAULT (32 * 1024)
#define ROWS_MAX (ART_PAGES_MAX * ART_PAGE_ROWS)

struct image {
	struct art_view view;
	struct art_plan plan;
	struct stat before;
};

struct writer {
	struct art_out out;
	struct art_manifest *m;
	const struct art_write_options *opt;
	struct image *images;
	size_t manifest_room;
	uint64_t off; /* where the next member's header goes */
	uint64_t done, total;
	struct art_pool *pool;
	struct art_digest *sha256;
	struct art_digest *image_sha256;
};

/* A segment on its way. */
struct segment {
	struct art_segment *seg;
	struct art_row *rows;
	uint32_t row_count;
	struct art_dedup *dedup;
	struct art_job *job; /* being filled, or NULL */
	uint64_t data;       /* file offset of the next stored bytes */
};

static int put(struct writer *w, const void *bytes, size_t len, uint64_t off,
	       struct art_err *err)
{
	return art_pwrite_full(w->out.fd, bytes, len, off, w->out.path, err);
}

static int put_header(struct writer *w, const char *name, uint64_t size, uint64_t off,
		      struct art_err *err)
{
	uint8_t block[ART_TAR_BLOCK];

	art_tar_format(block, name, size);
	return put(w, block, sizeof(block), off, err);
}

/* The number of cuts that lie in the segment starting with cut FIRST. */
static uint32_t cuts_in_segment(const struct art_plan *plan, size_t first)
{
	uint64_t sum = 0;
	size_t i;

	for (i = first; i < plan->count && sum < ART_SEGMENT_SIZE; i++)
		sum += plan->cuts[i].len;
	return (uint32_t)(i - first);
}

static bool plan_fits(const struct art_plan *plan)
{
	size_t first = 0;

	while (first < plan->count) {
		uint32_t n = cuts_in_segment(plan, first);

		if (n > ROWS_MAX)
			return false;
		first += n;
	}
	return true;
}

/* Finer where earlier images have what the new one has; not where the index had too many rows then. */
static int plan_by_earlier(struct image *im, struct art_earlier *earlier, struct art_err *err)
{
	struct art_plan finer = { .count = 0 };
	int code = art_earlier_cut(earlier, &im->plan, &im->view, &finer, err);

	if (code == 0 && plan_fits(&finer)) {
		art_plan_clear(&im->plan);
		im->plan = finer;
	} else {
		art_plan_clear(&finer);
	}
	return code;
}

/* Coarser and coarser until the index fits; at last without regard to files. */
static int plan_image(struct image *im, uint32_t chunk, struct art_err *err)
{
	int code;

	for (;;) {
		code = art_plan_make(&im->plan, &im->view, chunk, err);
		if (code < 0 || plan_fits(&im->plan))
			return code;
		art_plan_clear(&im->plan);
		if (chunk == ART_CHUNK_MAX)
			return art_fail(err, ART_E_FAILED, "'%s' needs more chunks than an index holds",
					im->view.name);
		chunk *= 2;
	}
}

static int set_segments(struct art_payload *p, const struct image *im, struct art_err *err)
{
	size_t count = (size_t)((im->view.size + ART_SEGMENT_SIZE - 1) / ART_SEGMENT_SIZE);
	size_t first = 0, i;

	free(p->segments);
	p->segments = calloc(count, sizeof(*p->segments));
	if (!p->segments)
		return art_fail_memory(err);
	p->segment_count = count;
	for (i = 0; i < count; i++) {
		struct art_segment *seg = &p->segments[i];
		uint32_t rows = cuts_in_segment(&im->plan, first);

		first += rows;
		seg->offset = i * ART_SEGMENT_SIZE;
		seg->size = i + 1 < count ? ART_SEGMENT_SIZE : im->view.size - seg->offset;
		seg->index_size = art_index_size(rows);
		/* Until it is known: as many digits as it can ever have. */
		seg->data_size = seg->size;
	}
	return 0;
}

static int plan_payloads(struct writer *w, const struct art_write_payload *payloads,
			 struct art_err *err)
{
	size_t i;
	int code = 0;

	w->images = calloc(w->m->payload_count, sizeof(*w->images));
	if (!w->images)
		return art_fail_memory(err);
	for (i = 0; code == 0 && i < w->m->payload_count; i++) {
		struct image *im = &w->images[i];
		struct art_payload *p = &w->m->payloads[i];

		im->view = (struct art_view){ payloads[i].fd, payloads[i].source, payloads[i].size,
					      payloads[i].regions, 0 };
		if (fstat(im->view.fd, &im->before) < 0)
			return art_fail_errno(err, ART_E_IO, "cannot examine '%s'", im->view.name);
		code = plan_image(im, CHUNK_DEFAULT, err);
		if (code == 0 && payloads[i].earlier)
			code = plan_by_earlier(im, payloads[i].earlier, err);
		p->size = im->view.size;
		p->prefix = ART_PREFIX_DEFAULT;
		if (code == 0)
			code = set_segments(p, im, err);
		w->total += im->view.size;
	}
	return code;
}

/* Take the oldest finished job's chunks into the file and the rows. */
static int collect(struct writer *w, struct segment *s, struct art_err *err)
{
	struct art_job *job = art_pool_collect(w->pool);
	size_t len = 0, i;
	int code;

	if (!job)
		return 0;
	code = job->code;
	if (code < 0 && err)
		*err = job->err;
	for (i = 0; code == 0 && i < job->count; i++) {
		struct art_row *row = &s->rows[job->rows[i]];

		row->type = job->stored[i].type;
		row->stored_len = job->stored[i].len;
		memcpy(row->stored_digest, job->digests[i], ART_STORED_DIGEST);
		len += row->stored_len;
	}
	if (code == 0)
		code = put(w, job->out, len, s->data, err);
	s->data += len;
	art_pool_release(w->pool, job);
	return code;
}

static void submit(struct writer *w, struct segment *s)
{
	if (s->job && s->job->count > 0)
		art_pool_submit(w->pool, s->job);
	s->job = NULL;
}

static int next_job(struct writer *w, struct segment *s, struct art_err *err)
{
	int code = 0;

	submit(w, s);
	while (code == 0 && !(s->job = art_pool_get(w->pool)))
		code = collect(w, s, err);
	return code;
}

/* Zero rows that are not holes are looked at again: they must still be zero. */
static int hash_zeros(struct writer *w, struct image *im, uint64_t off, uint64_t len,
		      struct art_err *err)
{
	static const uint8_t zeros[64 * 1024];
	uint8_t buf[sizeof(zeros)];
	bool hole = art_view_hole(&im->view, off, off + len) == off + len;
	int code = 0;

	while (code == 0 && len > 0) {
		size_t n = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);

		if (!hole) {
			code = art_view_read(&im->view, buf, n, off, err);
			if (code == 0 && !art_is_zero(buf, n))
				code = art_fail(err, ART_E_SOURCE_CHANGED,
						"'%s' changed while it was read", im->view.name);
		}
		if (code == 0)
			code = art_digest_update(w->image_sha256, zeros, n, err);
		off += n;
		len -= n;
	}
	return code;
}

/* One chunk: read into the job, hashed; a chunk seen before becomes a copy row. */
static int add_chunk(struct writer *w, struct image *im, struct segment *s, uint64_t off,
		     const struct art_cut *cut, struct art_err *err)
{
	struct art_row *row = &s->rows[s->row_count];
	uint8_t digest[ART_SHA256_LEN], head[ART_SHA256_LEN];
	uint32_t same = s->row_count;
	uint8_t *plain;
	int code = 0;

	if (!s->job || cut->group || s->job->count == ART_JOB_CHUNKS)
		code = next_job(w, s, err);
	if (code < 0)
		return code;
	plain = s->job->plain + s->job->plain_len;
	code = art_view_read(&im->view, plain, cut->len, off, err);
	if (code == 0)
		code = art_digest_update(w->image_sha256, plain, cut->len, err);
	if (code == 0)
		code = art_digest_once(w->sha256, plain, cut->len, digest, err);
	if (code == 0)
		code = art_digest_once(w->sha256, plain,
				       cut->len < ART_HEAD_SPAN ? cut->len : ART_HEAD_SPAN, head, err);
	if (code < 0)
		return code;
	memcpy(row->head, head, sizeof(row->head));
	memcpy(row->plain_digest, digest, ART_PLAIN_DIGEST);
	if (art_dedup_find(s->dedup, digest, cut->len, &same)) {
		row->type = ART_ROW_COPY;
		row->ref = same;
		return 0;
	}
	row->group_start = s->job->count == 0;
	s->job->rows[s->job->count] = s->row_count;
	s->job->lengths[s->job->count++] = cut->len;
	s->job->plain_len += cut->len;
	s->job->program_len += cut->program ? cut->len : 0;
	return 0;
}

static int write_rows(struct writer *w, struct image *im, struct segment *s,
		      const struct art_cut *cuts, uint32_t count, struct art_err *err)
{
	uint64_t off = s->seg->offset;
	int code = 0;

	while (code == 0 && s->row_count < count) {
		const struct art_cut *cut = &cuts[s->row_count];
		struct art_row *row = &s->rows[s->row_count];

		row->plain_len = cut->len;
		row->type = ART_ROW_ZERO;
		code = cut->zero ? hash_zeros(w, im, off, cut->len, err) :
				   add_chunk(w, im, s, off, cut, err);
		off += cut->len;
		s->row_count++;
		w->done += cut->len;
		if (w->opt->progress)
			w->opt->progress(w->opt->progress_ctx, w->done, w->total);
	}
	submit(w, s);
	for (;;) {
		struct art_job *left = code == 0 ? art_pool_collect(w->pool) : NULL;

		if (!left)
			return code;
		code = collect(w, s, err);
	}
}

static int write_index(struct writer *w, struct segment *s, const char *name,
		       struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	uint64_t size;
	int code = art_index_pack(s->rows, s->row_count, &bytes, &size, s->seg->index_sha256, err);

	if (code == 0)
		code = put_header(w, name, size, w->off, err);
	if (code == 0)
		code = put(w, bytes, (size_t)size, w->off + ART_TAR_BLOCK, err);
	return code;
}

static int write_segment(struct writer *w, size_t payload, size_t number, size_t first,
			 struct art_err *err)
{
	struct image *im = &w->images[payload];
	struct art_payload *p = &w->m->payloads[payload];
	uint32_t count = cuts_in_segment(&im->plan, first);
	struct segment s = { .seg = &p->segments[number] };
	uint64_t data_header = w->off + ART_TAR_BLOCK + art_round_up(s.seg->index_size, ART_TAR_BLOCK);
	char name[ART_TAR_NAME_MAX + 1];
	int code;

	s.data = data_header + ART_TAR_BLOCK;
	s.rows = calloc(count, sizeof(*s.rows));
	code = s.rows ? art_dedup_new(&s.dedup, count, err) : art_fail_memory(err);
	if (code == 0)
		code = write_rows(w, im, &s, &im->plan.cuts[first], count, err);
	s.seg->data_size = s.data - data_header - ART_TAR_BLOCK;
	art_tar_index_name(name, p->name, number);
	if (code == 0)
		code = write_index(w, &s, name, err);
	art_tar_data_name(name, p->name, number);
	if (code == 0)
		code = put_header(w, name, s.seg->data_size, data_header, err);
	w->off = data_header + ART_TAR_BLOCK + art_round_up(s.seg->data_size, ART_TAR_BLOCK);
	art_dedup_free(s.dedup);
	free(s.rows);
	return code;
}

static int check_unchanged(const struct image *im, struct art_err *err)
{
	struct stat now;

	if (fstat(im->view.fd, &now) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot examine '%s'", im->view.name);
	if (now.st_size != im->before.st_size ||
	    now.st_mtim.tv_sec != im->before.st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != im->before.st_mtim.tv_nsec)
		return art_fail(err, ART_E_SOURCE_CHANGED, "'%s' changed while it was read",
				im->view.name);
	return 0;
}

static int write_payload(struct writer *w, size_t payload, struct art_err *err)
{
	struct art_payload *p = &w->m->payloads[payload];
	struct image *im = &w->images[payload];
	size_t first = 0, i;
	int code = 0;

	for (i = 0; code == 0 && i < p->segment_count; i++) {
		code = write_segment(w, payload, i, first, err);
		first += cuts_in_segment(&im->plan, first);
	}
	if (code == 0)
		code = art_digest_final(w->image_sha256, p->sha256, err);
	return code < 0 ? code : check_unchanged(im, err);
}

static int set_docs(struct art_manifest *m, const struct art_write_doc *docs,
		    struct art_err *err)
{
	size_t i;
	int code = 0;

	for (i = 0; code == 0 && i < m->doc_count; i++) {
		m->docs[i].size = docs[i].len;
		code = art_sha256(docs[i].bytes, docs[i].len, m->docs[i].sha256, err);
	}
	return code;
}

static int write_docs(struct writer *w, const struct art_write_doc *docs, struct art_err *err)
{
	char name[ART_TAR_NAME_MAX + 1];
	size_t i;
	int code = 0;

	for (i = 0; code == 0 && i < w->m->doc_count; i++) {
		art_tar_doc_name(name, w->m->docs[i].name);
		code = put_header(w, name, docs[i].len, w->off, err);
		if (code == 0)
			code = put(w, docs[i].bytes, docs[i].len, w->off + ART_TAR_BLOCK, err);
		w->off += ART_TAR_BLOCK + art_round_up(docs[i].len, ART_TAR_BLOCK);
	}
	return code;
}

/* The manifest as it would be with the longest numbers: the room it needs. */
static int measure_manifest(struct writer *w, struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;

	return art_manifest_format(w->m, &bytes, &w->manifest_room, err);
}

static int write_front(struct writer *w, art_sign_fn sign, void *sign_ctx,
		       struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL, *manifest = NULL, *sig = NULL;
	struct art_siglist list = { 0 };
	uint64_t sig_header = ART_TAR_BLOCK + w->manifest_room;
	size_t len;
	int code = art_manifest_format(w->m, &bytes, &len, err);

	if (code < 0)
		return code;
	if (len > w->manifest_room)
		return art_fail(err, ART_E_FAILED, "the manifest outgrew the room left for it");
	manifest = malloc(w->manifest_room);
	sig = malloc(w->opt->sig_room);
	if (!manifest || !sig)
		return art_fail_memory(err);
	memset(manifest, ' ', w->manifest_room);
	memcpy(manifest, bytes, len);
	if (sign)
		code = sign(sign_ctx, manifest, w->manifest_room, &list, err);
	if (code == 0)
		code = art_siglist_format(&list, sig, w->opt->sig_room, err);
	art_siglist_free(&list);
	if (code == 0)
		code = put_header(w, "manifest.json", w->manifest_room, 0, err);
	if (code == 0)
		code = put(w, manifest, w->manifest_room, ART_TAR_BLOCK, err);
	if (code == 0)
		code = put_header(w, "manifest.sig", w->opt->sig_room, sig_header, err);
	if (code == 0)
		code = put(w, sig, w->opt->sig_room, sig_header + ART_TAR_BLOCK, err);
	return code;
}

static int write_all(struct writer *w, const struct art_write_payload *payloads,
		     const struct art_write_doc *docs, art_sign_fn sign, void *sign_ctx,
		     struct art_err *err)
{
	size_t i;
	int code = plan_payloads(w, payloads, err);

	if (code == 0)
		code = set_docs(w->m, docs, err);
	if (code == 0)
		code = measure_manifest(w, err);
	w->off = 2 * ART_TAR_BLOCK + w->manifest_room + w->opt->sig_room;
	for (i = 0; code == 0 && i < w->m->payload_count; i++)
		code = write_payload(w, i, err);
	if (code == 0)
		code = write_docs(w, docs, err);
	if (code == 0)
		code = write_front(w, sign, sign_ctx, err);
	/* Paddings and the two blocks at the end are holes. */
	if (code == 0 && ftruncate(w->out.fd, (off_t)(w->off + 2 * ART_TAR_BLOCK)) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot write '%s'", w->out.path);
	return code;
}

int art_write(const char *path, struct art_manifest *m, const struct art_write_payload *payloads,
	      const struct art_write_doc *docs, const struct art_write_options *opt,
	      art_sign_fn sign, void *sign_ctx, struct art_err *err)
{
	struct writer w = { .out = ART_OUT_INIT, .m = m, .opt = opt };
	size_t i;
	int code = art_out_open(&w.out, path, 0644, err);

	if (code == 0)
		code = art_pool_new(&w.pool, opt->jobs, opt->level, ART_PREFIX_DEFAULT, err);
	if (code == 0)
		code = art_sha256_new(&w.sha256, err);
	if (code == 0)
		code = art_sha256_new(&w.image_sha256, err);
	if (code == 0)
		code = write_all(&w, payloads, docs, sign, sign_ctx, err);
	if (code == 0)
		code = art_out_commit(&w.out, err);
	art_out_abort(&w.out);
	art_pool_free(w.pool);
	art_digest_free(w.sha256);
	art_digest_free(w.image_sha256);
	for (i = 0; w.images && i < m->payload_count; i++)
		art_plan_clear(&w.images[i].plan);
	free(w.images);
	return code;
}
