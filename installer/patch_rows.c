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
/* As of the chunks (writer.c): a gap of this much is fetched with what lies around it. */
#define MERGE_GAP 512
/* The source drops what is announced beyond this; it is asked for when it is read. */
#define ANNOUNCED_MAX 200

struct maker {
	struct patch_job *job;
	size_t payload; /* of the patch */
	struct art_patch_scope scope;
	struct art_patch_record *record;
	uint8_t *stored; /* ART_PATCH_RECORD_MAX each */
	uint8_t *plain;
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

/* The ranges of the records that are needed: their sums, and with TELL the source hears of them. */
struct ranges {
	uint64_t bytes, count, chunks; /* CHUNKS: what their rows cost as chunks */
};

static int find_ranges(struct maker *m, const uint8_t *table, size_t len, bool tell,
		       struct ranges *sums, struct art_err *err)
{
	uint64_t data = art_patch_data_offset(m->job->patch->patch, m->payload, m->job->segment);
	uint64_t first = 0, end = 0;
	struct art_patch_cursor c;
	int code, more;

	memset(sums, 0, sizeof(*sums));
	art_patch_table_begin(&c, &m->scope, table, len);
	do {
		uint64_t chunks = 0;

		more = art_patch_table_next(&c, m->record, err);
		if (more > 0)
			chunks = missing_in(m, m->record);
		if (more > 0 && chunks == 0)
			continue;
		sums->chunks += chunks;
		if (more > 0 && end > 0 && m->record->data_off - end <= MERGE_GAP) {
			end = m->record->data_off + m->record->stored_len;
			continue;
		}
		if (end > 0) {
			sums->bytes += end - first;
			sums->count++;
		}
		code = tell && end > 0 && sums->count <= ANNOUNCED_MAX ?
			       patch_want(m->job->patch, data + first, data + end, err) : 0;
		if (code < 0)
			return code;
		first = m->record->data_off;
		end = first + m->record->stored_len;
	} while (more > 0);
	return more;
}

/* Either way's cost for the rows that records make: all others cost the same. */
static int weigh(struct maker *m, const uint8_t *table, size_t len, struct ranges *sums,
		 struct art_err *err)
{
	struct patch_job *job = m->job;
	int code = find_ranges(m, table, len, false, sums, err);

	if (code < 0)
		return code;
	job->by_chunks += sums->chunks;
	job->by_patch += sums->bytes;
	job->used = sums->bytes > 0 && (job->always || sums->bytes < sums->chunks);
	return 0;
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
	const uint8_t *plain = m->plain;
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

/* The patch has failed us, this once or for good. */
static void give_up(struct maker *m, const struct art_err *why)
{
	m->job->failed++;
	if (why->code != ART_E_PATCH_RECORD && why->code != ART_E_PATCH_DECODE &&
	    why->code != ART_E_PATCH_OLD)
		m->job->patch->broken = true;
	if (m->job->patch->broken)
		cli_warn("the patch is left aside: %s", why->text);
	else
		cli_info("a record of the patch is of no use: %s", why->text);
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
	int code = art_patch_stored(job->patch->patch, m->payload, job->segment, r, m->stored,
				    &why);

	job->records++;
	job->stored += r->stored_len;
	if (code == 0)
		code = read_window(m, &why);
	if (code == 0)
		code = job->patch->dec.decode(job->patch->dec.ctx, r->codec,
					      decoder_window(job->patch->decoder), r->window_len,
					      m->stored, r->stored_len, m->plain, r->plain_len,
					      &why);
	if (code < 0) {
		give_up(m, &why);
		note_blocks(m, false);
		return 0;
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

static int make_all(struct maker *m, const uint8_t *table, size_t len, struct art_err *err)
{
	struct patch_job *job = m->job;
	struct art_patch_cursor c;
	int code, more;

	art_patch_table_begin(&c, &m->scope, table, len);
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
static int count_rows(struct maker *m, const uint8_t *table, size_t len, struct art_err *err)
{
	struct patch_job *job = m->job;
	struct art_patch_cursor c;
	int code;

	art_patch_table_begin(&c, &m->scope, table, len);
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

/* No record of it will be asked for. */
static int leave_aside(struct maker *m, const struct art_err *why)
{
	m->job->failed++;
	m->job->patch->broken = true;
	cli_warn("the patch is left aside: %s", why->text);
	return 0;
}

static int run(struct maker *m, struct art_err *err)
{
	struct patch_job *job = m->job;
	cleanup_free uint8_t *table = NULL;
	struct art_err why = { 0 };
	struct ranges sums;
	size_t len, count;
	int code = art_patch_records(job->patch->patch, m->payload, job->segment, &m->scope, &table,
				     &len, &count, &why);

	if (code == 0)
		code = weigh(m, table, len, &sums, &why);
	if (code < 0)
		return leave_aside(m, &why);
	if (!job->used)
		return 0;
	code = job->spend(job->ctx, sums.bytes, sums.count, err);
	if (code < 0)
		return code;
	if (!job->dry && find_ranges(m, table, len, true, &sums, &why) < 0)
		return leave_aside(m, &why);
	code = make_all(m, table, len, err);
	return code < 0 || !job->dry ? code : count_rows(m, table, len, err);
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
	m.stored = malloc(ART_PATCH_RECORD_MAX);
	m.plain = malloc(ART_PATCH_RECORD_MAX);
	code = m.record && m.stored && m.plain ? run(&m, err) : art_fail_memory(err);
	free(m.record);
	free(m.stored);
	free(m.plain);
	return code;
}
