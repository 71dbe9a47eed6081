// SPDX-License-Identifier: Apache-2.0
/*
 * Rows out of records. They are taken in order, after everything that the device has already is in its place: the window of a record may
 * reach into what lies before it in the new image.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "installer/patch.h"
#include "libartifact/chunk.h"
#include "libartifact/io.h"

#define BLOCKS_IN_VAIN 2
/* The fetch child keeps no more ranges than 64 in mind. */
#define ANNOUNCED_MAX 60

struct maker {
	struct patch_job *job;
	size_t payload; /* of the patch */
	struct art_patch_scope scope;
	const uint8_t *table;
	size_t table_len;
	struct art_patch_record *record, *scout; /* the one at hand; one that is looked at ahead of it */
	uint64_t announced; /* the source has been told of what lies before this in the data member */
	uint32_t next;   /* rows before it are as good as they get */
};

/* Stored bytes of what is missing in the rows of RECORD; 0: nothing is. */
static uint64_t missing_in(const struct maker *m, const struct art_patch_record *r)
{
	uint64_t sum = 0;
	uint32_t i, k;

	for (i = 0; i < r->run_count; i++) {
		for (k = r->runs[i].first; k < r->runs[i].first + r->runs[i].count; k++) {
			struct art_row row;

			art_index_peek(m->job->index, k, &row);
			if (m->job->places[k] != SEED_DONE)
				sum += row.stored_len;
		}
	}
	return sum;
}

/* Ranges of the records that are needed. */
struct ranges {
	uint64_t bytes, count;
	uint64_t chunks; /* what their rows cost as chunks */
	uint64_t end;    /* of the last one, in the data member */
};

static int end_range(struct maker *m, struct ranges *sums, uint64_t first, bool tell,
		     struct art_err *err)
{
	uint64_t data = art_patch_data_offset(m->job->patch->patch, m->payload, m->job->segment);

	sums->bytes += sums->end - first;
	sums->count++;
	return tell ? patch_want(m->job->patch, data + first, data + sums->end, err) : 0;
}

/* From offset FROM of the data member on, up to LIMIT of them; with TELL the source hears of them. */
static int find_ranges(struct maker *m, uint64_t from, uint64_t limit, bool tell,
		       struct ranges *sums, struct art_err *err)
{
	struct art_patch_record *r = m->scout;
	uint64_t first = 0;
	struct art_patch_cursor c;
	int code, more;

	memset(sums, 0, sizeof(*sums));
	art_patch_table_begin(&c, &m->scope, m->table, m->table_len);
	while ((more = art_patch_table_next(&c, r, err)) > 0) {
		uint64_t chunks = r->data_off < from ? 0 : missing_in(m, r);

		if (chunks == 0)
			continue;
		sums->chunks += chunks;
		if (sums->end > 0 && r->data_off - sums->end > MERGE_GAP) {
			code = end_range(m, sums, first, tell, err);
			if (code < 0 || sums->count == limit)
				return code;
			first = r->data_off;
		} else if (sums->end == 0) {
			first = r->data_off;
		}
		sums->end = r->data_off + r->stored_len;
	}
	return more < 0 || sums->end == 0 ? more : end_range(m, sums, first, tell, err);
}

/* Either way's cost for the rows that records make: all others cost the same. */
static int weigh(struct maker *m, struct ranges *sums, struct art_err *err)
{
	struct patch_job *job = m->job;
	int code = find_ranges(m, 0, UINT64_MAX, false, sums, err);

	if (code < 0)
		return code;
	job->by_chunks += sums->chunks;
	job->by_patch += sums->bytes;
	job->used = sums->bytes > 0 && (job->always || sums->bytes < sums->chunks);
	return 0;
}

/* Before the record at hand is read: tell of it and of what follows, unless that has been done. */
static int announce(struct maker *m, struct art_err *err)
{
	struct ranges sums;
	int code;

	if (m->record->data_off < m->announced)
		return 0;
	code = find_ranges(m, m->record->data_off, ANNOUNCED_MAX, true, &sums, err);
	m->announced = sums.end;
	return code;
}

static int read_window(struct maker *m, struct art_err *err)
{
	const struct art_patch_record *r = m->record;
	struct patch_job *job = m->job;
	uint8_t *to = decoder_window(job->patch->decoder);
	uint32_t i;

	for (i = 0; i < r->extent_count; i++) {
		const struct art_extent *e = &r->extents[i];
		bool old = e->source == ART_EXTENT_OLD;
		ssize_t n = art_pread_full(old ? job->old->fd : job->target->fd, to, e->len,
					   e->offset, old ? job->old->path : job->target->part->path,
					   err);

		if (n < 0 || (size_t)n < e->len)
			return art_fail(err, ART_E_PATCH_OLD, "cannot read the window of a record");
		to += e->len;
	}
	return 0;
}

/* The rows of a record that are missing. Right ones are taken, wrong ones stay missing: *WRONG counts them. */
static int take_rows(struct maker *m, uint32_t *wrong, struct art_err *err)
{
	const struct art_patch_record *r = m->record;
	struct patch_job *job = m->job;
	const uint8_t *plain = m->job->plain_buf;
	uint32_t i, k;
	int code = 0;

	for (i = 0; i < r->run_count; i++) {
		for (k = r->runs[i].first; k < r->runs[i].first + r->runs[i].count && code == 0; k++) {
			struct art_row row;

			art_index_row(job->index, k, &row);
			if (job->places[k] == SEED_DONE) {
				plain += row.plain_len;
				continue;
			}
			if (art_row_check_plain(&row, plain, job->sha256, NULL) == 0) {
				code = job->take(job->ctx, &row, plain, err);
				job->places[k] = SEED_DONE;
				job->plain += row.plain_len;
			} else {
				++*wrong;
			}
			plain += row.plain_len;
		}
	}
	return code;
}

/* No record will be asked for any more. Where there is nothing else, that is the end, and the reason is the patch's. */
static int leave_aside(struct maker *m, const struct art_err *why, struct art_err *err)
{
	m->job->failed++;
	m->job->patch->broken = true;
	if (m->job->always) {
		if (err)
			*err = *why;
		return why->code;
	}
	cli_warn("the patch is left aside: %s", why->text);
	return 0;
}

/* The patch has failed us, this once or for good. */
static int give_up(struct maker *m, const struct art_err *why, struct art_err *err)
{
	if (why->code != ART_E_PATCH_RECORD && why->code != ART_E_PATCH_DECODE &&
	    why->code != ART_E_PATCH_OLD)
		return leave_aside(m, why, err);
	m->job->failed++;
	cli_info("a record of the patch is of no use: %s", why->text);
	return 0;
}

/*
 * What a libzstd of another version compresses is as good, and other bytes. Two records in vain tell that the others will be too: better
 * to fetch the chunks at once.
 */
static void note_blocks(struct maker *m, bool right)
{
	struct patch *p = m->job->patch;

	if (m->record->codec != ART_PATCH_BLOCKS)
		return;
	*(right ? &p->blocks_right : &p->blocks_wrong) += 1;
	/* A patch alone is all there is: what it can give is kept for the next try. */
	if (m->job->always || p->blocks_wrong < BLOCKS_IN_VAIN || p->blocks_wrong <= p->blocks_right)
		return;
	p->broken = true;
	cli_warn("the patch is left aside: this device's libzstd does not make the bytes of its squashfs blocks");
}

static int make_record(struct maker *m, struct art_err *err)
{
	struct patch_job *job = m->job;
	const struct art_patch_record *r = m->record;
	struct art_err why = { 0 };
	uint32_t wrong = 0;
	int code = announce(m, &why);

	if (code == 0)
		code = art_patch_stored(job->patch->patch, m->payload, job->segment, r, m->job->stored_buf,
					&why);
	job->records++;
	job->stored += r->stored_len;
	if (code == 0)
		code = read_window(m, &why);
	if (code == 0)
		code = job->patch->dec.decode(job->patch->dec.ctx, r->codec,
					      decoder_window(job->patch->decoder), r->window_len,
					      m->job->stored_buf, r->stored_len, m->job->plain_buf, r->plain_len,
					      &why);
	if (code < 0) {
		note_blocks(m, false);
		return give_up(m, &why, err);
	}
	code = take_rows(m, &wrong, err);
	note_blocks(m, wrong == 0);
	if (wrong > 0)
		job->failed++;
	if (wrong > 0)
		cli_info("%u chunks of a record are not as they should be: the old image has changed",
			 wrong);
	return code;
}

/* Copy rows up to END, whose originals are in place by now. */
static int copy_rows(struct maker *m, uint32_t end, struct art_err *err)
{
	struct patch_job *job = m->job;
	int code = 0;

	for (; m->next < end && code == 0; m->next++) {
		struct art_row row;

		if (job->places[m->next] == SEED_DONE)
			continue;
		art_index_peek(job->index, m->next, &row);
		if (row.type == ART_ROW_COPY && job->places[row.ref] == SEED_DONE) {
			code = job->copy(job->ctx, m->next, err);
			job->places[m->next] = SEED_DONE;
		}
	}
	return code;
}

static int make_all(struct maker *m, struct art_err *err)
{
	struct patch_job *job = m->job;
	struct art_patch_cursor c;
	int code, more;

	art_patch_table_begin(&c, &m->scope, m->table, m->table_len);
	while ((more = art_patch_table_next(&c, m->record, err)) > 0 && !job->patch->broken) {
		if (missing_in(m, m->record) == 0)
			continue;
		if (job->dry) {
			job->records++;
			job->stored += m->record->stored_len;
			continue;
		}
		code = copy_rows(m, m->record->runs[0].first, err);
		if (code == 0)
			code = target_flush(job->target, err);
		if (code == 0)
			code = make_record(m, err);
		if (code < 0)
			return code;
	}
	return more < 0 ? more : 0;
}

/* In a dry run: what they would have made. */
static int count_rows(struct maker *m, struct art_err *err)
{
	struct patch_job *job = m->job;
	struct art_patch_cursor c;
	int code;

	art_patch_table_begin(&c, &m->scope, m->table, m->table_len);
	while ((code = art_patch_table_next(&c, m->record, err)) > 0) {
		uint32_t i, k;

		for (i = 0; i < m->record->run_count; i++) {
			for (k = 0; k < m->record->runs[i].count; k++) {
				uint32_t n = m->record->runs[i].first + k;
				struct art_row row;

				art_index_row(job->index, n, &row);
				if (job->places[n] == SEED_DONE)
					continue;
				job->places[n] = SEED_DONE;
				job->plain += row.plain_len;
				code = job->take(job->ctx, &row, NULL, err);
			}
		}
	}
	return code;
}

static int run(struct maker *m, struct art_err *err)
{
	struct patch_job *job = m->job;
	cleanup_free uint8_t *table = NULL;
	struct art_err why = { 0 };
	struct ranges sums = { 0 };
	size_t count;
	int code = art_patch_records(job->patch->patch, m->payload, job->segment, &m->scope, &table,
				     &m->table_len, &count, &why);

	m->table = table;
	if (code == 0)
		code = weigh(m, &sums, &why);
	if (code < 0)
		return leave_aside(m, &why, err);
	if (!job->used)
		return 0;
	code = job->spend(job->ctx, sums.bytes, sums.count, err);
	if (code == 0)
		code = make_all(m, err);
	if (!job->dry && job->patch->broken && job->stored < sums.bytes)
		job->give_back(job->ctx, sums.bytes - job->stored);
	return code < 0 || !job->dry ? code : count_rows(m, err);
}

int patch_rows(struct patch_job *job, struct art_err *err)
{
	struct maker m = { .job = job };
	int code;

	m.payload = art_patch_find_payload(job->patch->patch, job->payload);
	if (job->patch->broken || m.payload == SIZE_MAX || !job->old)
		return 0;
	m.scope = (struct art_patch_scope){ .index = job->index, .base = job->base };
	m.record = malloc(sizeof(*m.record));
	m.scout = malloc(sizeof(*m.scout));
	code = m.record && m.scout ? run(&m, err) : art_fail_memory(err);
	free(m.record);
	free(m.scout);
	return code;
}
