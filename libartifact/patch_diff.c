// SPDX-License-Identifier: Apache-2.0
/*
 * Making diff programs. Exact matches say where the new bytes may lie in the window; between two of them the border is put where most bytes
 * agree. What differs is given as distances and differences in streams of their own: they compress better apart.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/patch_diff.h"
#include "libartifact/util.h"
#include "libartifact/varint.h"

#define KEY_LEN 8
#define HASH_BITS 18
#define TRIES 24
/* A match elsewhere must be longer than what agrees on the way that we are on by so much. */
#define GAIN 8
#define MATCH_LIMIT 4096
#define NOWHERE UINT32_MAX

struct stream {
	uint8_t *bytes;
	size_t len, room;
};

struct art_differ {
	uint32_t *head; /* of the chain of places with the same hash */
	uint32_t *next;
	size_t window_room;
	struct stream control, gaps, values, extra;
	uint8_t *program;
	size_t program_room;
	const uint8_t *old;
	size_t old_len;
	const uint8_t *new;
	size_t len;
	uint32_t gap;   /* equal bytes since the last difference */
	size_t old_pos; /* where the last copy ended */
};

int art_differ_new(struct art_differ **out, size_t window, size_t record, struct art_err *err)
{
	struct art_differ *d = calloc(1, sizeof(*d));
	struct stream *s[4];
	bool bad;
	size_t i;

	if (!d)
		return art_fail_memory(err);
	s[0] = &d->control;
	s[1] = &d->gaps;
	s[2] = &d->values;
	s[3] = &d->extra;
	d->window_room = window;
	d->program_room = 4 * record + ART_DIFF_HEADER;
	d->head = malloc(((size_t)1 << HASH_BITS) * sizeof(*d->head));
	d->next = malloc(window * sizeof(*d->next));
	d->program = malloc(d->program_room);
	bad = !d->head || !d->next || !d->program;
	for (i = 0; i < ART_ARRAY_SIZE(s); i++) {
		s[i]->room = record;
		s[i]->bytes = malloc(record);
		bad = bad || !s[i]->bytes;
	}
	if (bad) {
		art_differ_free(d);
		return art_fail_memory(err);
	}
	*out = d;
	return 0;
}

void art_differ_free(struct art_differ *d)
{
	if (!d)
		return;
	free(d->head);
	free(d->next);
	free(d->program);
	free(d->control.bytes);
	free(d->gaps.bytes);
	free(d->values.bytes);
	free(d->extra.bytes);
	free(d);
}

/* False when a stream is full: such a program would not be worth having. */
static bool put_byte(struct stream *s, uint8_t byte)
{
	if (s->len == s->room)
		return false;
	s->bytes[s->len++] = byte;
	return true;
}

static bool put_number(struct stream *s, uint32_t n)
{
	if (s->room - s->len < ART_VARINT_MAX)
		return false;
	s->len = (size_t)(art_varint_put(s->bytes + s->len, n) - s->bytes);
	return true;
}

static uint32_t hash(const uint8_t *p)
{
	return (uint32_t)(art_get64(p) * 0x9e3779b97f4a7c15u >> (64 - HASH_BITS));
}

static void learn(struct art_differ *d)
{
	size_t i;

	memset(d->head, 0xff, ((size_t)1 << HASH_BITS) * sizeof(*d->head));
	/* Backwards, so that a chain begins with the first place. */
	for (i = d->old_len < KEY_LEN ? 0 : d->old_len - KEY_LEN + 1; i-- > 0;) {
		uint32_t h = hash(d->old + i);

		d->next[i] = d->head[h];
		d->head[h] = (uint32_t)i;
	}
}

static size_t equal_bytes(const uint8_t *a, const uint8_t *b, size_t max)
{
	size_t n = 0;

	while (n + 8 <= max && art_get64(a + n) == art_get64(b + n))
		n += 8;
	while (n < max && a[n] == b[n])
		n++;
	return n;
}

/* The longest match for the new bytes at I. */
static size_t find(const struct art_differ *d, size_t i, size_t *pos)
{
	size_t best = 0, left = d->len - i;
	uint32_t at;
	int tries = TRIES;

	if (left < KEY_LEN)
		return 0;
	if (left > MATCH_LIMIT)
		left = MATCH_LIMIT;
	for (at = d->head[hash(d->new + i)]; at != NOWHERE && tries-- > 0; at = d->next[at]) {
		size_t max = d->old_len - at < left ? d->old_len - at : left;
		size_t n;

		if (best >= max || d->old[at + best] != d->new[i + best])
			continue;
		n = equal_bytes(d->old + at, d->new + i, max);
		if (n > best) {
			best = n;
			*pos = at;
		}
	}
	return best < KEY_LEN ? 0 : best;
}

/* How many of the LEN new bytes at I agree with the old ones at POS. */
static size_t agreeing(const struct art_differ *d, size_t i, size_t pos, size_t len)
{
	size_t n = 0, k;

	for (k = 0; k < len && pos + k < d->old_len; k++)
		n += d->old[pos + k] == d->new[i + k];
	return n;
}

/* From FROM (old: POS) forward up to END, as far as more bytes agree than not. */
static size_t reach_forward(const struct art_differ *d, size_t from, size_t pos, size_t end)
{
	size_t best = 0, k;
	long score = 0, top = 0;

	for (k = 0; from + k < end && pos + k < d->old_len; k++) {
		score += d->old[pos + k] == d->new[from + k] ? 1 : -1;
		if (score > top) {
			top = score;
			best = k + 1;
		}
	}
	return best;
}

/* From I (old: POS) back down to FROM. */
static size_t reach_back(const struct art_differ *d, size_t i, size_t pos, size_t from)
{
	size_t best = 0, k;
	long score = 0, top = 0;

	for (k = 1; i >= from + k && pos >= k; k++) {
		score += d->old[pos - k] == d->new[i - k] ? 1 : -1;
		if (score > top) {
			top = score;
			best = k;
		}
	}
	return best;
}

/* Both ways reach over the LEN bytes at NEW: how many of them stay with the first? */
static size_t divide(const uint8_t *new, const uint8_t *first, const uint8_t *second, size_t len)
{
	size_t best = 0, k;
	long score = 0, top = 0;

	for (k = 0; k < len; k++) {
		score += (first[k] == new[k]) - (second[k] == new[k]);
		if (score > top) {
			top = score;
			best = k + 1;
		}
	}
	return best;
}

/* Copy LEN bytes from POS for those at FROM, then INSERT bytes of their own. */
static bool emit(struct art_differ *d, size_t from, size_t pos, size_t len, size_t insert)
{
	int64_t jump = (int64_t)pos - (int64_t)d->old_pos;
	size_t k;

	if (!put_number(&d->control, (uint32_t)len) || !put_number(&d->control, (uint32_t)insert) ||
	    !put_number(&d->control, (uint32_t)(jump < 0 ? -2 * jump - 1 : 2 * jump)))
		return false;
	for (k = 0; k < len; k++) {
		uint8_t by = (uint8_t)(d->new[from + k] - d->old[pos + k]);

		if (!by) {
			d->gap++;
			continue;
		}
		if (!put_number(&d->gaps, d->gap) || !put_byte(&d->values, by))
			return false;
		d->gap = 0;
	}
	d->old_pos = pos + len;
	if (insert > d->extra.room - d->extra.len)
		return false;
	memcpy(d->extra.bytes + d->extra.len, d->new + from + len, insert);
	d->extra.len += insert;
	return true;
}

static bool align(struct art_differ *d)
{
	size_t from = 0, on = 0; /* FROM goes on at ON of the window */
	size_t i = 0, pos = 0;

	while (i < d->len) {
		size_t m = find(d, i, &pos);
		size_t same = m ? agreeing(d, i, on + (i - from), m) : 0;
		size_t forward, back;

		if (m <= same + GAIN) {
			i += m && m == same ? m : 1;
			continue;
		}
		forward = reach_forward(d, from, on, i);
		back = reach_back(d, i, pos, from);
		if (from + forward > i - back) {
			size_t over = from + forward - (i - back);
			size_t keep = divide(d->new + i - back, d->old + on + forward - over,
					     d->old + pos - back, over);

			forward += keep;
			forward -= over;
			back -= keep;
		}
		if (!emit(d, from, on, forward, i - back - from - forward))
			return false;
		from = i - back;
		on = pos - back;
		i += m;
	}
	i = reach_forward(d, from, on, d->len);
	return emit(d, from, on, i, d->len - from - i);
}

static uint8_t *append(uint8_t *p, const struct stream *s)
{
	memcpy(p, s->bytes, s->len);
	return p + s->len;
}

size_t art_differ_run(struct art_differ *d, const uint8_t *window, size_t window_len,
		      const uint8_t *new, size_t len, const uint8_t **program)
{
	uint8_t *p;

	d->control.len = d->gaps.len = d->values.len = d->extra.len = 0;
	d->old = window;
	d->old_len = window_len;
	d->new = new;
	d->len = len;
	d->gap = 0;
	d->old_pos = 0;
	learn(d);
	if (!align(d))
		return 0;
	art_put32(d->program, (uint32_t)d->control.len);
	art_put32(d->program + 4, (uint32_t)d->gaps.len);
	art_put32(d->program + 8, (uint32_t)d->values.len);
	p = append(d->program + ART_DIFF_HEADER, &d->control);
	p = append(p, &d->gaps);
	p = append(p, &d->values);
	p = append(p, &d->extra);
	*program = d->program;
	return (size_t)(p - d->program);
}
