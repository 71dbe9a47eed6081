// SPDX-License-Identifier: Apache-2.0
/*
 * Writing a payload. Rows are taken in order. A stored row that the target lacks is decoded by the child, which needs the
 * history of its group: rows that were right already are fed to it from the target, but only when a row after them is
 * missing, and no more than the prefix.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/progress.h"
#include "installer/decoder.h"
#include "installer/writer.h"
#include "libartifact/chunk.h"
#include "libartifact/io.h"

#define NO_ROW UINT32_MAX

struct writer {
	struct write_job *job;
	struct target *target;
	const struct art_payload *payload;
	struct decoder *decoder; /* started for the first row that needs it */
	uint8_t *stored;         /* ART_CHUNK_MAX each, out of the child's reach */
	uint8_t *plain;
	size_t segment;
	struct art_index *index;
	uint64_t base;           /* plain offset of the segment */
	uint32_t group;          /* first row of the group we are in */
	uint32_t last;           /* last row in the decoder's history, or NO_ROW */
	bool reset;              /* the decoder has not been told of this group yet */
};

/* The oldest row that the decoder has. */
static int take_one(struct writer *w, struct art_err *err)
{
	struct art_row row;
	bool fed;
	int code = decoder_result(w->decoder, &row, w->plain, &fed, err);

	if (code < 0 || fed)
		return code;
	w->job->sums.written += row.plain_len;
	w->job->sums.chunks++;
	return target_write(w->target, w->plain, row.plain_len, w->base + row.plain_off, err);
}

static int drain(struct writer *w, struct art_err *err)
{
	int code = 0;

	while (w->decoder && decoder_pending(w->decoder) > 0 && code == 0)
		code = take_one(w, err);
	return code;
}

/* Hand a row over. BYTES are ours and authenticated before the child can see them. */
static int hand_over(struct writer *w, const struct art_row *row, const uint8_t *bytes,
		     size_t len, bool feed, struct art_err *err)
{
	struct art_row copy = *row;
	uint8_t *room;

	while (!(room = decoder_room(w->decoder))) {
		int code = take_one(w, err);

		if (code < 0)
			return code;
	}
	memcpy(room, bytes, len);
	/* The child forgets by the flag; the group's first row may have stayed away. */
	copy.group_start = w->reset;
	w->reset = false;
	return decoder_submit(w->decoder, &copy, feed, err);
}

/* Rows FROM..TO-1 of the group that are stored rows go into the history, from the target. */
static int feed_rows(struct writer *w, uint32_t from, uint32_t to, struct art_err *err)
{
	uint32_t i;
	int code = 0;

	for (i = from; i < to && code == 0; i++) {
		struct art_row row;
		ssize_t n;

		art_index_row(w->index, i, &row);
		if (!art_row_is_stored(&row))
			continue;
		n = art_pread_full(w->target->fd, w->stored, row.plain_len,
				   w->base + row.plain_off, w->target->part->path, err);
		if (n < 0)
			return (int)n;
		/* Wrong bytes here give a chunk that does not match its digest, and no harm. */
		code = hand_over(w, &row, w->stored, (size_t)n, true, err);
	}
	return code;
}

/* The history that row I needs and the decoder lacks. */
static int complete_history(struct writer *w, uint32_t i, struct art_err *err)
{
	uint32_t from = w->last == NO_ROW ? w->group : w->last + 1;
	uint32_t k = i;
	uint64_t have = 0;

	/* Back until the prefix is full. Older history may stay away: only the last bytes count. */
	while (k > from && have < w->payload->prefix) {
		struct art_row row;

		art_index_row(w->index, --k, &row);
		if (art_row_is_stored(&row))
			have += row.plain_len;
	}
	return feed_rows(w, k, i, err);
}

static int fetch_row(struct writer *w, const struct art_row *row, uint32_t i,
		     struct art_err *err)
{
	struct write_job *job = w->job;
	int code = 0;

	job->sums.fetched += row->stored_len;
	if (job->dry) {
		job->sums.written += row->plain_len;
		job->sums.chunks++;
		return 0;
	}
	if (!w->decoder)
		code = decoder_start(&w->decoder, w->payload->prefix, err);
	if (code == 0)
		code = complete_history(w, i, err);
	if (code == 0)
		code = art_reader_stored(job->candidate->reader, job->payload, w->segment, row,
					 w->stored, err);
	if (code == 0)
		code = hand_over(w, row, w->stored, row->stored_len, false, err);
	w->last = i;
	return code;
}

static int copy_row(struct writer *w, const struct art_row *row, uint32_t i,
		    struct art_err *err)
{
	struct art_row from;
	ssize_t n;
	int code;

	w->job->sums.written += row->plain_len;
	w->job->sums.chunks++;
	if (w->job->dry)
		return 0;
	art_index_row(w->index, row->ref, &from);
	code = drain(w, err);
	if (code == 0)
		code = target_flush(w->target, err);
	if (code < 0)
		return code;
	n = art_pread_full(w->target->fd, w->plain, from.plain_len, w->base + from.plain_off,
			   w->target->part->path, err);
	if (n < 0)
		return (int)n;
	if (art_row_check_plain(row, w->plain, w->target->sha256, err) < 0)
		return art_fail(err, ART_E_VERIFY_STORAGE,
				"'%s' gives back something else than was written for chunk %u",
				w->target->part->path, row->ref);
	/* Back to where the rows are read in order. */
	art_index_row(w->index, i, &from);
	return target_write(w->target, w->plain, row->plain_len, w->base + row->plain_off, err);
}

static int write_row(struct writer *w, uint32_t i, struct art_err *err)
{
	struct write_sums *sums = &w->job->sums;
	struct art_row row;
	uint64_t changed = 0;
	bool right;
	int code;

	art_index_row(w->index, i, &row);
	if (row.type == ART_ROW_ZERO) {
		code = target_zero(w->target, w->base + row.plain_off, row.plain_len, w->job->dry,
				   &changed, err);
		sums->zeroed += changed;
		sums->same += row.plain_len - changed;
		return code;
	}
	if (row.group_start) {
		w->group = i;
		w->last = NO_ROW;
		w->reset = true;
	}
	code = target_is_right(w->target, &row, w->base + row.plain_off, &right, err);
	if (code < 0)
		return code;
	if (right) {
		sums->same += row.plain_len;
		return 0;
	}
	return row.type == ART_ROW_COPY ? copy_row(w, &row, i, err) : fetch_row(w, &row, i, err);
}

static int keep_index(struct writer *w, struct art_err *err)
{
	const struct art_segment *seg = &w->payload->segments[w->segment];
	char name[64];

	if (!w->job->kept)
		return 0;
	snprintf(name, sizeof(name), "%.32s.%04u.index", w->payload->name,
		 (unsigned int)w->segment);
	return kept_add(w->job->kept, name, art_index_bytes(w->index), (size_t)seg->index_size,
			err);
}

static int write_segment(struct writer *w, struct art_err *err)
{
	const struct art_segment *seg = &w->payload->segments[w->segment];
	struct art_reader *reader = w->job->candidate->reader;
	size_t member = art_reader_index_member(reader, w->job->payload, w->segment) + 1;
	uint32_t i, rows;
	int code;

	w->base = seg->offset;
	w->last = NO_ROW;
	w->group = 0;
	w->target->last_right = true;
	code = art_reader_open_index(reader, w->job->payload, w->segment, &w->index, err);
	if (code == 0)
		code = keep_index(w, err);
	rows = code == 0 ? art_index_rows(w->index) : 0;
	for (i = 0; i < rows && code == 0; i++) {
		code = write_row(w, i, err);
		if (i % 16 == 0)
			progress_update(NULL, w->job->sums.same + w->job->sums.written +
						      w->job->sums.zeroed,
					w->payload->size);
	}
	if (code == 0)
		code = drain(w, err);
	if (code == 0)
		code = target_flush(w->target, err);
	/* The bytes of a server are not fetched for the sake of their padding. */
	if (code == 0 && !w->job->candidate->is_remote)
		code = art_reader_check_padding(reader, member, err);
	art_index_free(w->index);
	w->index = NULL;
	return code;
}

int writer_run(struct write_job *job, struct art_err *err)
{
	struct writer w = { .job = job, .target = job->target };
	int code = 0;

	w.payload = &job->candidate->manifest->payloads[job->payload];
	w.plain = malloc(ART_CHUNK_MAX);
	w.stored = malloc(ART_CHUNK_MAX);
	if (!w.plain || !w.stored) {
		free(w.plain);
		free(w.stored);
		return art_fail_memory(err);
	}
	progress_begin(job->dry ? "comparing" : "writing", w.payload->size);
	for (w.segment = 0; w.segment < w.payload->segment_count && code == 0; w.segment++)
		code = write_segment(&w, err);
	progress_end();
	decoder_free(w.decoder);
	free(w.plain);
	free(w.stored);
	return code < 0 ? art_wrap(err, "payload '%s'", w.payload->name) : 0;
}
