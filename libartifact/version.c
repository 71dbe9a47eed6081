// SPDX-License-Identifier: Apache-2.0
/*
 * Versions compare as in deb-version(7) without epoch. The grammar of format.md section 13 keeps ':' out, and keeps
 * ".." and a final '.' out, so that a range falls apart in one way only.
 */
#include <stddef.h>
#include <string.h>

#include "libartifact/util.h"
#include "libartifact/version.h"

#define VERSION_FIRST ART_UPPER ART_LOWER ART_DIGIT
#define VERSION_CHARS VERSION_FIRST ".+~-"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool art_version_is_valid(const char *version)
{
	if (!art_is_name(version, ART_VERSION_MAX, VERSION_FIRST, VERSION_CHARS))
		return false;
	return !strstr(version, "..") && version[strlen(version) - 1] != '.';
}

/* '~' sorts before the end, the end before letters, letters before all else. Digits end a
 * non-digit part, so they weigh as the end does. */
static int weight(const char *p, const char *end)
{
	if (p == end || is_digit(*p))
		return 0;
	if (*p == '~')
		return -1;
	if ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'))
		return *p;
	return *p + 256;
}

/* Two runs of digits, advancing both: without leading zeros the longer number is the larger. */
static int compare_numbers(const char **a, const char *a_end, const char **b, const char *b_end)
{
	int first = 0;

	while (*a < a_end && **a == '0')
		(*a)++;
	while (*b < b_end && **b == '0')
		(*b)++;
	while (*a < a_end && is_digit(**a) && *b < b_end && is_digit(**b)) {
		if (!first)
			first = **a - **b;
		(*a)++;
		(*b)++;
	}
	if (*a < a_end && is_digit(**a))
		return 1;
	if (*b < b_end && is_digit(**b))
		return -1;
	return first;
}

static int compare_part(const char *a, const char *a_end, const char *b, const char *b_end)
{
	while (a < a_end || b < b_end) {
		int diff;

		while ((a < a_end && !is_digit(*a)) || (b < b_end && !is_digit(*b))) {
			diff = weight(a, a_end) - weight(b, b_end);
			if (diff)
				return diff;
			/* Equal weights: both are the same character here, never an end. */
			a++;
			b++;
		}
		diff = compare_numbers(&a, a_end, &b, b_end);
		if (diff)
			return diff;
	}
	return 0;
}

/* Where the upstream part ends: at the last '-', or at the end. */
static const char *upstream_end(const char *version, size_t len)
{
	const char *dash = memrchr(version, '-', len);

	return dash ? dash : version + len;
}

static int compare_spans(const char *a, size_t a_len, const char *b, size_t b_len)
{
	const char *a_up = upstream_end(a, a_len);
	const char *b_up = upstream_end(b, b_len);
	const char *a_end = a + a_len;
	const char *b_end = b + b_len;
	int diff = compare_part(a, a_up, b, b_up);

	if (diff)
		return diff;
	/* Past the '-'; an absent revision is an empty one. */
	return compare_part(a_up < a_end ? a_up + 1 : a_end, a_end,
			    b_up < b_end ? b_up + 1 : b_end, b_end);
}

int art_version_compare(const char *a, const char *b)
{
	return compare_spans(a, strlen(a), b, strlen(b));
}

/* Both ends of RANGE; an open end has length 0. False: not of the grammar. */
struct range {
	const char *from;
	size_t from_len;
	const char *to;
	size_t to_len;
};

static bool is_valid_span(const char *text, size_t len)
{
	char copy[ART_VERSION_MAX + 1];

	if (len > ART_VERSION_MAX)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return art_version_is_valid(copy);
}

static void split_range(const char *range, struct range *r)
{
	const char *dots = strstr(range, "..");

	r->from = range;
	if (!dots) {
		r->from_len = strlen(range);
		r->to = r->from;
		r->to_len = r->from_len;
		return;
	}
	r->from_len = (size_t)(dots - range);
	r->to = dots + 2;
	r->to_len = strlen(r->to);
}

bool art_range_is_valid(const char *range)
{
	struct range r;

	if (strnlen(range, ART_RANGE_MAX + 1) > ART_RANGE_MAX)
		return false;
	split_range(range, &r);
	if (r.from_len == 0 && r.to_len == 0)
		return false;
	if (r.from_len && !is_valid_span(r.from, r.from_len))
		return false;
	if (r.to_len && !is_valid_span(r.to, r.to_len))
		return false;
	return !r.from_len || !r.to_len ||
	       compare_spans(r.from, r.from_len, r.to, r.to_len) <= 0;
}

bool art_range_has(const char *range, const char *version)
{
	size_t len = strlen(version);
	struct range r;

	split_range(range, &r);
	if (r.from_len && compare_spans(version, len, r.from, r.from_len) < 0)
		return false;
	return !r.to_len || compare_spans(version, len, r.to, r.to_len) <= 0;
}
