// SPDX-License-Identifier: Apache-2.0
/* Running diff programs. Their bytes were signed, but they came out of a decompressor: nothing in them is believed. */
#include <stdbool.h>
#include <string.h>

#include "libartifact/patch_diff.h"
#include "libartifact/util.h"
#include "libartifact/varint.h"

struct stream {
	const uint8_t *p, *end;
};

struct machine {
	struct stream control, gaps, values, extra;
	const uint8_t *window;
	size_t window_len;
	size_t pos;     /* in the window */
	uint64_t gap;   /* bytes that agree before the next difference */
	bool ended;     /* no difference follows */
};

static int decode_fail(struct art_err *err, const char *what)
{
	return art_fail(err, ART_E_PATCH_DECODE, "a diff program %s", what);
}

static bool get_number(struct stream *s, uint64_t *out)
{
	return art_varint_get(&s->p, s->end, out);
}

static bool next_gap(struct machine *m)
{
	m->ended = m->gaps.p == m->gaps.end;
	return m->ended || get_number(&m->gaps, &m->gap);
}

/* The differences in LEN bytes that were copied to OUT. */
static bool adjust(struct machine *m, uint8_t *out, size_t len)
{
	size_t k = 0;

	while (!m->ended) {
		if (m->gap >= len - k) {
			m->gap -= len - k;
			return true;
		}
		k += m->gap;
		if (m->values.p == m->values.end)
			return false;
		out[k++] += *m->values.p++;
		if (!next_gap(m))
			return false;
	}
	return true;
}

static bool step(struct machine *m, uint8_t *out, size_t room, size_t *made)
{
	uint64_t copy, insert, jump;
	int64_t pos;

	if (!get_number(&m->control, &copy) || !get_number(&m->control, &insert) ||
	    !get_number(&m->control, &jump))
		return false;
	/* Neither side can overflow: numbers have 63 bits. */
	pos = (int64_t)m->pos + (jump & 1 ? -(int64_t)(jump / 2) - 1 : (int64_t)(jump / 2));
	if (pos < 0 || (uint64_t)pos > m->window_len || copy > m->window_len - (size_t)pos ||
	    copy > room || insert > room - copy ||
	    insert > (size_t)(m->extra.end - m->extra.p))
		return false;
	memcpy(out, m->window + pos, copy);
	if (!adjust(m, out, copy))
		return false;
	memcpy(out + copy, m->extra.p, insert);
	m->extra.p += insert;
	m->pos = (size_t)pos + copy;
	*made = (size_t)(copy + insert);
	return true;
}

int art_diff_apply(const uint8_t *program, size_t program_len, const uint8_t *window,
		   size_t window_len, uint8_t *out, size_t len, struct art_err *err)
{
	struct machine m = { .window = window, .window_len = window_len };
	struct stream *s[] = { &m.control, &m.gaps, &m.values };
	const uint8_t *p = program + ART_DIFF_HEADER, *end = program + program_len;
	size_t done = 0, made, i;

	if (program_len < ART_DIFF_HEADER)
		return decode_fail(err, "has no header");
	for (i = 0; i < ART_ARRAY_SIZE(s); i++) {
		uint32_t n = art_get32(program + 4 * i);

		if (n > (size_t)(end - p))
			return decode_fail(err, "has streams longer than itself");
		*s[i] = (struct stream){ p, p + n };
		p += n;
	}
	m.extra = (struct stream){ p, end };
	if (!next_gap(&m))
		return decode_fail(err, "has a bad number");
	for (; m.control.p < m.control.end; done += made)
		if (!step(&m, out + done, len - done, &made))
			return decode_fail(err, "goes out of bounds");
	if (done != len || !m.ended || m.values.p != m.values.end || m.extra.p != m.extra.end)
		return decode_fail(err, "does not give what is due");
	return 0;
}
