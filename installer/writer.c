// SPDX-License-Identifier: Apache-2.0
/*
 * Writing a payload, segment by segment and each in three passes over its rows: what does the target hold already; what do seeds hold,
 * and where must zeros be; and what is left, from the source. A row from there is decoded by the child, which needs the history of
 * its group: rows that came another way are fed to it from the target, but only when a row after them is missing, and no more
 * than the prefix.
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
#include "libartifact/util.h"

#define NO_ROW UINT32_MAX

_Static_assert(ART_PATCH_RECORD_MAX <= ART_CHUNK_MAX, "records are read into the buffers of chunks");

/* Ranges that are announced and not read yet. */
#define AHEAD_MAX 32

struct writer {
	struct write_job *job;
	struct target *target;
	const struct art_payload *payload;
	struct decoder *decoder; /* started for the first row that needs it */
	uint8_t *stored;         /* ART_CHUNK_MAX each, out of the child's reach */
	uint8_t *plain;
	size_t segment;
	struct art_index *index;
	uint32_t rows;
	uint64_t *places;        /* of each row: where a seed has it, SEED_NONE or SEED_DONE */
	uint64_t base;           /* plain offset of the segment */
	const struct seed *old;  /* what the patch is for, or NULL */
	uint32_t ahead_row;      /* rows before it are announced */
	size_t ahead_count;
	uint64_t ahead[AHEAD_MAX]; /* where announced ranges end in the data member */
	uint32_t group;          /* first row of the group we are in */
	uint32_t last;           /* last row in the decoder's history, or NO_ROW */
	bool reset;              /* the decoder has not been told of this group yet */
};

static void show(const struct writer *w, uint32_t i)
{
	const struct write_sums *s = &w->job->sums;

	if (i % 16 == 0)
		progress_update(NULL, s->same + s->written + s->zeroed, w->payload->size);
}

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

	w->job->sums.repeated += row->plain_len;
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

/* Which rows the target holds as they are to be. Zero rows are judged when their turn to be written comes. */
static int look(struct writer *w, struct art_err *err)
{
	uint32_t i;
	int code = 0;

	for (i = 0; i < w->rows && code == 0; i++) {
		struct art_row row;
		bool right = false;

		art_index_row(w->index, i, &row);
		w->places[i] = SEED_NONE;
		if (row.type == ART_ROW_ZERO)
			continue;
		code = target_is_right(w->target, &row, w->base + row.plain_off, &right, err);
		if (!right)
			continue;
		w->places[i] = SEED_DONE;
		w->job->sums.same += row.plain_len;
		/* A page of zeros among other content is a chunk like any. */
		if (art_is_zero(w->target->scratch, row.plain_len))
			w->job->sums.blank += row.plain_len;
		show(w, i);
	}
	return code;
}

/* Everything that needs nothing from the source, in order: what lies ahead in the target is still old, and may be wanted here. */
static int settle_row(struct writer *w, uint32_t i, struct art_err *err)
{
	struct write_sums *sums = &w->job->sums;
	uint64_t place = w->places[i], changed = 0, off;
	uint8_t *room = w->plain;
	struct art_row row;
	int code = 0;

	art_index_row(w->index, i, &row);
	off = w->base + row.plain_off;
	if (row.type == ART_ROW_ZERO) {
		code = target_zero(w->target, off, row.plain_len, w->job->dry, &changed, err);
		sums->zeroed += changed;
		sums->same += row.plain_len - changed;
		sums->blank += row.plain_len - changed;
		w->places[i] = SEED_DONE;
		return code;
	}
	if (place == SEED_DONE || place == SEED_NONE)
		return 0;
	w->places[i] = SEED_NONE;
	if (!w->job->dry)
		code = target_room(w->target, off, row.plain_len, &room, err);
	/* A seed that has changed meanwhile: then it is fetched. */
	if (code < 0 || !seeds_read(w->job->seeds, place, &row, room))
		return code;
	w->places[i] = SEED_DONE;
	sums->copied += row.plain_len;
	sums->written += row.plain_len;
	sums->chunks++;
	return w->job->dry ? 0 : target_fill(w->target, row.plain_len, err);
}

static int settle(struct writer *w, struct art_err *err)
{
	uint32_t i;
	int code = seeds_find(w->job->seeds, w->index, w->base, w->places, err);

	for (i = 0; i < w->rows && code == 0; i++) {
		code = settle_row(w, i, err);
		show(w, i);
	}
	return code < 0 ? code : target_flush(w->target, err);
}

/* A row that the patch has made, and that is right. */
static int take_patched(void *ctx, const struct art_row *row, const uint8_t *plain,
			struct art_err *err)
{
	struct writer *w = ctx;

	w->job->sums.written += row->plain_len;
	w->job->sums.chunks++;
	if (w->job->dry)
		return 0;
	return target_write(w->target, plain, row->plain_len, w->base + row->plain_off, err);
}

static int copy_early(void *ctx, uint32_t i, struct art_err *err)
{
	struct writer *w = ctx;
	struct art_row row;

	art_index_row(w->index, i, &row);
	return copy_row(w, &row, i, err);
}

/* What was counted on before anything was changed may fail: a record of a patch, a seed, the storage. */
static int spend(struct write_job *job, uint64_t bytes, struct art_err *err)
{
	job->sums.download += bytes;
	if (job->dry || !job->allowance)
		return 0;
	if (bytes > *job->allowance)
		return art_fail(err, ART_E_NET_RANGE,
				"%s, and a full download is refused ([download] full = never); what is right stays",
				job->excess);
	*job->allowance -= bytes;
	return 0;
}

static int spend_records(void *ctx, uint64_t bytes, uint64_t ranges, struct art_err *err)
{
	struct writer *w = ctx;

	w->job->sums.ranges += ranges;
	return spend(w->job, bytes, err);
}

static void give_back_records(void *ctx, uint64_t bytes)
{
	struct write_job *job = ((struct writer *)ctx)->job;

	job->sums.download -= bytes;
	if (job->allowance)
		*job->allowance += bytes;
}

/* What a patch can make of the rest. */
static int patch(struct writer *w, struct art_err *err)
{
	struct write_sums *sums = &w->job->sums;
	struct candidate *c = w->job->candidate;
	struct patch_job job = { .patch = &c->patch, .payload = w->payload->name,
				 .segment = w->segment, .old = w->old, .index = w->index,
				 .places = w->places, .base = w->base, .target = w->target,
				 .sha256 = w->target->sha256, .stored_buf = w->stored,
				 .plain_buf = w->plain, .always = c->patch_only,
				 .dry = w->job->dry, .take = take_patched,
				 .spend = spend_records, .give_back = give_back_records,
				 .copy = copy_early,
				 .ctx = w };
	int code = patch_rows(&job, err);

	sums->patched += job.plain;
	sums->records += job.stored;
	sums->failed += job.failed;
	sums->by_patch += job.by_patch;
	sums->by_chunks += job.by_chunks;
	return code < 0 ? code : target_flush(w->target, err);
}

/* Without chunks to fall back on: what is missing now stays missing. The target keeps what it has. */
static int fail_short(struct writer *w, struct art_err *err)
{
	uint64_t plain = 0, stored = 0;
	struct art_row row;
	uint32_t i;

	for (i = 0; i < w->rows; i++) {
		art_index_peek(w->index, i, &row);
		if (w->places[i] == SEED_DONE || !art_row_is_stored(&row))
			continue;
		plain += row.plain_len;
		stored += row.stored_len;
	}
	if (plain == 0)
		return 0;
	return art_fail(err, ART_E_PATCH_SHORT,
			"%llu bytes of the image are neither on this device nor made by the patch; install the artifact itself (%llu bytes of it are needed), what is right stays",
			(unsigned long long)plain, (unsigned long long)stored);
}

/* The next stored row at or after I that has to be fetched; w->rows when there is none. */
static uint32_t next_missing(const struct writer *w, uint32_t i)
{
	struct art_row row;

	for (; i < w->rows; i++) {
		if (w->places[i] == SEED_DONE)
			continue;
		art_index_peek(w->index, i, &row);
		if (art_row_is_stored(&row))
			break;
	}
	return i;
}

/* One range from row I on, over gaps that are cheaper to read than a request of its own. Moves *I behind it. */
static void next_range(struct writer *w, uint32_t *i, uint64_t *off, uint64_t *end)
{
	struct art_row row;

	art_index_row(w->index, *i, &row);
	*off = row.data_off;
	do {
		*end = row.data_off + row.stored_len;
		*i = next_missing(w, *i + 1);
		if (*i < w->rows)
			art_index_row(w->index, *i, &row);
	} while (*i < w->rows && row.data_off - *end <= MERGE_GAP);
}

/* Tell the source of ranges to come, so that it can ask for the next before it has the last. */
static int announce(struct writer *w, struct art_err *err)
{
	struct write_job *job = w->job;
	struct art_source *src = job->candidate->src;
	uint64_t data = art_reader_data_offset(job->candidate->reader, job->payload, w->segment);
	int code = 0;

	while (code == 0 && w->ahead_count < AHEAD_MAX) {
		uint64_t off, end;

		w->ahead_row = next_missing(w, w->ahead_row);
		if (w->ahead_row == w->rows)
			break;
		next_range(w, &w->ahead_row, &off, &end);
		job->sums.ranges++;
		code = spend(job, end - off, err);
		if (code < 0)
			return code;
		if (job->dry)
			continue;
		w->ahead[w->ahead_count++] = end;
		if (src->ops->want)
			code = src->ops->want(src, data + off, end - off, err);
	}
	return code;
}

static void arrived(struct writer *w, const struct art_row *row)
{
	if (w->ahead_count > 0 && row->data_off + row->stored_len >= w->ahead[0])
		memmove(w->ahead, w->ahead + 1, --w->ahead_count * sizeof(w->ahead[0]));
}

/* The rows that are missing, from the source; the history that they need is in the target by now. */
static int fetch(struct writer *w, struct art_err *err)
{
	uint32_t i;
	int code = 0;

	for (i = 0; i < w->rows && code == 0; i++) {
		struct art_row row;

		art_index_row(w->index, i, &row);
		if (row.group_start) {
			w->group = i;
			w->last = NO_ROW;
			w->reset = true;
		}
		if (w->places[i] == SEED_DONE)
			continue;
		if (row.type == ART_ROW_COPY) {
			code = copy_row(w, &row, i, err);
			continue;
		}
		code = announce(w, err);
		if (code == 0)
			code = fetch_row(w, &row, i, err);
		arrived(w, &row);
		show(w, i);
	}
	return code < 0 ? code : drain(w, err);
}

static int keep_index(struct writer *w, const char *name, struct art_err *err)
{
	const struct art_segment *seg = &w->payload->segments[w->segment];

	if (!w->job->kept)
		return 0;
	return kept_add(w->job->kept, name, art_index_bytes(w->index), (size_t)seg->index_size,
			err);
}

/* A patch that cannot give the index is of no use for its records either. */
static int patched_index(struct writer *w, const struct art_segment *seg, struct art_err *err)
{
	struct patch *p = &w->job->candidate->patch;
	int code;

	if (p->broken)
		return art_fail(err, ART_E_PATCH_DECODE, "the patch is of no use");
	code = patch_index(p, w->job->seeds, w->old, w->payload->name, w->segment, seg, &w->index,
			   err);
	if (code == 0)
		return 0;
	p->broken = true;
	if (!w->job->candidate->patch_only)
		cli_warn("the patch is left aside: %s", err->text);
	return code;
}

static int open_index(struct writer *w, struct art_err *err)
{
	struct write_job *job = w->job;
	const struct art_segment *seg = &w->payload->segments[w->segment];
	size_t member = art_reader_index_member(job->candidate->reader, job->payload, w->segment);
	const struct art_member *m = art_reader_member(job->candidate->reader, member);
	struct art_source *src = job->candidate->src;
	char name[KEPT_NAME_MAX];
	uint8_t *bytes = NULL;
	int code = 0;

	kept_index_name(name, w->payload->name, w->segment);
	/* A pipe has to be read over it in any case. */
	if (job->kept && src->can_seek)
		code = kept_find(job->kept, name, (size_t)seg->index_size, &bytes, err);
	if (code == 0 && bytes && art_index_open(&w->index, bytes, seg, NULL) == 0)
		return 0;
	if (code == 0 && job->candidate->patch.patch && patched_index(w, seg, err) == 0)
		return keep_index(w, name, err);
	if (code == 0 && job->candidate->patch_only)
		return err->code;
	if (code == 0 && src->ops->want)
		code = src->ops->want(src, m->header, m[1].offset - m->header, err);
	if (code == 0)
		code = art_reader_open_index(job->candidate->reader, job->payload, w->segment,
					     &w->index, err);
	return code < 0 ? code : keep_index(w, name, err);
}

static int write_segment(struct writer *w, struct art_err *err)
{
	struct candidate *c = w->job->candidate;
	struct art_reader *reader = c->reader;
	size_t member = art_reader_index_member(reader, w->job->payload, w->segment) + 1;
	int code;

	w->base = w->payload->segments[w->segment].offset;
	w->last = NO_ROW;
	w->group = 0;
	w->ahead_row = 0;
	w->ahead_count = 0;
	w->target->last_right = true;
	code = open_index(w, err);
	w->rows = code == 0 ? art_index_rows(w->index) : 0;
	w->places = malloc((w->rows + 1) * sizeof(*w->places));
	if (!w->places)
		code = art_fail_memory(err);
	if (code == 0)
		code = look(w, err);
	if (code == 0)
		code = settle(w, err);
	if (code == 0 && c->patch.patch)
		code = patch(w, err);
	if (code == 0 && c->patch_only)
		code = fail_short(w, err);
	if (code == 0)
		code = fetch(w, err);
	if (code == 0)
		code = target_flush(w->target, err);
	/* The bytes of a server are not fetched for the sake of their padding. */
	if (code == 0 && !c->is_remote && !c->patch_only)
		code = art_reader_check_padding(reader, member, err);
	free(w->places);
	w->places = NULL;
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
	if (job->candidate->patch.patch)
		w.old = patch_old(&job->candidate->patch, job->seeds, w.payload->name);
	progress_begin(job->dry ? "comparing" : "writing", w.payload->size);
	for (w.segment = 0; w.segment < w.payload->segment_count && code == 0; w.segment++)
		code = write_segment(&w, err);
	progress_end();
	decoder_free(w.decoder);
	free(w.plain);
	free(w.stored);
	return code < 0 ? art_wrap(err, "payload '%s'", w.payload->name) : 0;
}
