// SPDX-License-Identifier: Apache-2.0
/*
 * Every chunk is a frame of its own that refers to the plain bytes before it in its group. Handing libzstd that prefix anew
 * for each chunk makes it index every byte some thirty times: measured on a Debian rootfs (205 MB in use), level 12 and
 * 256 KiB, 12.1 CPU seconds against 9.8 for one solid stream. So matches are looked for once over the whole group, in a window of
 * the prefix's size, and the sequences found are then cut at the chunks' borders and entropy-coded chunk by chunk:
 * 4.5 s for the same size (57.5 MB), 6.4 s and 54.6 MB with a window of 1 MiB. What the cut sequences give is decoded
 * again and compared; a chunk that fails goes the slow way.
 */
#include <stdlib.h>
#include <string.h>

#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_generateSequences, ZSTD_compressSequences */
#include <zstd.h>
#include <zstd_errors.h>

#include "libartifact/encode.h"
#include "libartifact/util.h"

/* The shortest piece of a match that is worth a sequence when a chunk's border has cut it. */
#define MATCH_MIN 4

/*
 * --level max tries every chunk with its prefix too, of at most so many times its own bytes: indexing the prefix is what that
 * costs, for a page as much as for a chunk of 256 KiB, and the short chunks, which are many, hold little of an image.
 */
#define SLOW_PREFIX 20

/* So many sequences a chunk has at most, its blocks' delimiters counted. */
#define CUT_MAX (ART_CHUNK_MAX / MATCH_MIN + ART_CHUNK_MAX / ZSTD_BLOCKSIZE_MAX)

struct art_encoder {
	bool slow;       /* prefix by prefix too, for --level max */
	uint32_t prefix;
	int level; /* of the quick way */
	ZSTD_CCtx *finder; /* looks for matches over a group */
	ZSTD_CCtx *coder;  /* codes the sequences of a chunk */
	ZSTD_CCtx *prefixed; /* compresses a chunk with its prefix */
	ZSTD_DCtx *decoder;
	ZSTD_Sequence *found;
	size_t found_room;
	size_t found_count;
	ZSTD_Sequence *cut;
	uint8_t *check;
	uint8_t *other; /* --level max: what the second way gives */
	bool no_memory; /* libzstd had too little in this group: another way would give other bytes */
};

/* Where the cutting of the group's sequences stands: what is left of the sequence begun. */
struct cursor {
	size_t next;
	size_t literals;
	size_t match;
	unsigned int offset;
};

/*
 * Our level to libzstd's. A small window makes each of libzstd's levels cheaper and weaker than in a solid stream, so a level of ours
 * borrows the search effort of a higher one, such that size (within 8 %) and CPU stay beside solid `zstd -N`.
 * Levels above 15 use the optimal parser, whose sequences libzstd 1.5.4 reports wrongly.
 */
static int effort(int level)
{
	static const int table[ART_LEVEL_MAX + 1] = { 0, 1, 3, 5, 6, 7, 8, 9, 9, 10, 10,
						      11, 12, 13, 14, 15, 15, 15, 15, 15 };

	return table[level];
}

static int window_log(uint32_t prefix)
{
	int log = 10;

	while (log < 20 && (UINT32_C(2) << log) <= prefix)
		log++;
	return log;
}

static bool set(ZSTD_CCtx *c, ZSTD_cParameter parameter, int value)
{
	return !ZSTD_isError(ZSTD_CCtx_setParameter(c, parameter, value));
}

/* Tables no larger than the window can fill: this is what bounds the memory of a thread. */
static bool set_up_finder(ZSTD_CCtx *c, int level, uint32_t prefix)
{
	int log = window_log(prefix);
	ZSTD_compressionParameters p = ZSTD_getCParams(level, ART_GROUP_MAX, 0);
	int chain = (int)p.chainLog < log + 1 ? (int)p.chainLog : log + 1;
	int hash = (int)p.hashLog < log + 1 ? (int)p.hashLog : log + 1;

	return set(c, ZSTD_c_compressionLevel, level) && set(c, ZSTD_c_windowLog, log) &&
	       set(c, ZSTD_c_chainLog, chain) && set(c, ZSTD_c_hashLog, hash);
}

static bool set_up_coder(ZSTD_CCtx *c, int level)
{
	return set(c, ZSTD_c_compressionLevel, level) && set(c, ZSTD_c_windowLog, 20) &&
	       set(c, ZSTD_c_hashLog, 10) && set(c, ZSTD_c_chainLog, 10) &&
	       set(c, ZSTD_c_blockDelimiters, ZSTD_sf_explicitBlockDelimiters);
}

/* What looks for matches has large tables: of a finder and a prefixed only the one in use keeps them with --level max. */
static bool new_finder(struct art_encoder *e)
{
	ZSTD_freeCCtx(e->finder);
	e->finder = ZSTD_createCCtx();
	return e->finder && set_up_finder(e->finder, effort(e->level), e->prefix);
}

static bool new_prefixed(struct art_encoder *e)
{
	ZSTD_freeCCtx(e->prefixed);
	e->prefixed = ZSTD_createCCtx();
	if (!e->prefixed)
		return false;
	if (!e->slow)
		return set(e->prefixed, ZSTD_c_compressionLevel, e->level);
	/* libzstd would take a table four times as large: measured, the same size and time. */
	return set(e->prefixed, ZSTD_c_compressionLevel, ART_LEVEL_MAX) &&
	       set(e->prefixed, ZSTD_c_hashLog, 20);
}

int art_encoder_new(struct art_encoder **out, int level, bool max, uint32_t prefix,
		    struct art_err *err)
{
	struct art_encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return art_fail_memory(err);
	e->slow = max;
	e->prefix = prefix;
	e->level = max ? ART_LEVEL_DEFAULT : level;
	e->coder = ZSTD_createCCtx();
	e->decoder = ZSTD_createDCtx();
	e->found_room = ZSTD_sequenceBound(ART_GROUP_MAX);
	/* Far more than is used; pages that are not touched cost nothing. */
	e->found = malloc(e->found_room * sizeof(*e->found));
	e->cut = malloc(CUT_MAX * sizeof(*e->cut));
	e->check = malloc(ZSTD_COMPRESSBOUND(ART_CHUNK_MAX));
	e->other = malloc(ART_CHUNK_MAX);
	if (!e->coder || !e->decoder || !e->found || !e->cut || !e->check || !e->other ||
	    !set_up_coder(e->coder, effort(e->level)) || !new_finder(e) || !new_prefixed(e)) {
		art_encoder_free(e);
		return art_fail_memory(err);
	}
	*out = e;
	return 0;
}

void art_encoder_free(struct art_encoder *e)
{
	if (!e)
		return;
	ZSTD_freeCCtx(e->finder);
	ZSTD_freeCCtx(e->coder);
	ZSTD_freeCCtx(e->prefixed);
	ZSTD_freeDCtx(e->decoder);
	free(e->found);
	free(e->cut);
	free(e->check);
	free(e->other);
	free(e);
}

/* The next LEN bytes' share of the sequences, put behind COUNT others in e->cut and ended by the delimiter of a
 * block; returns how many there are then. */
static size_t cut_block(struct art_encoder *e, struct cursor *at, size_t len, size_t count)
{
	size_t literals = 0, n;

	while (len > 0) {
		if (at->literals == 0 && at->match == 0) {
			if (at->next == e->found_count) {
				literals += len;
				break;
			}
			at->literals = e->found[at->next].litLength;
			at->match = e->found[at->next].matchLength;
			at->offset = e->found[at->next++].offset;
		}
		n = at->literals < len ? at->literals : len;
		literals += n;
		at->literals -= n;
		len -= n;
		n = at->match < len ? at->match : len;
		at->match -= n;
		len -= n;
		if (n < MATCH_MIN) {
			literals += n;
			continue;
		}
		e->cut[count++] = (ZSTD_Sequence){ at->offset, (unsigned int)literals,
						   (unsigned int)n, 0 };
		literals = 0;
	}
	e->cut[count++] = (ZSTD_Sequence){ 0, (unsigned int)literals, 0, 0 };
	return count;
}

/* A chunk's share, block by block, as a frame has them. */
static size_t cut_sequences(struct art_encoder *e, struct cursor *at, size_t len)
{
	size_t count = 0, n;

	for (; len > 0; len -= n) {
		n = len < ZSTD_BLOCKSIZE_MAX ? len : ZSTD_BLOCKSIZE_MAX;
		count = cut_block(e, at, n, count);
	}
	return count;
}

static bool failed(struct art_encoder *e, size_t result)
{
	if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation)
		e->no_memory = true;
	return ZSTD_isError(result);
}

/* Does the frame of N bytes at OUT give the chunk again? */
static bool decodes(struct art_encoder *e, const uint8_t *out, size_t n, const uint8_t *chunk,
		    size_t len, size_t prefix)
{
	size_t got;

	if (failed(e, ZSTD_DCtx_refPrefix(e->decoder, chunk - prefix, prefix)))
		return false;
	got = ZSTD_decompressDCtx(e->decoder, e->check, len, out, n);
	return !failed(e, got) && got == len && memcmp(e->check, chunk, len) == 0;
}

/* A chunk that is stored as it is. */
static struct art_stored store_raw(uint8_t *out, const uint8_t *chunk, uint32_t len)
{
	memcpy(out, chunk, len);
	return (struct art_stored){ ART_ROW_RAW, len };
}

/* With its prefix, at OUT, in less than LEN bytes; else raw. */
static struct art_stored encode_prefixed(struct art_encoder *e, const uint8_t *chunk,
					 uint32_t len, size_t prefix, uint8_t *out)
{
	size_t n;

	/* After a chunk that did not fit, libzstd takes no prefix before this. */
	ZSTD_CCtx_reset(e->prefixed, ZSTD_reset_session_only);
	failed(e, ZSTD_CCtx_refPrefix(e->prefixed, chunk - prefix, prefix));
	n = ZSTD_compress2(e->prefixed, out, len - 1, chunk, len);
	if (failed(e, n) || !decodes(e, out, n, chunk, len, prefix))
		return store_raw(out, chunk, len);
	return (struct art_stored){ ART_ROW_ZSTD, (uint32_t)n };
}

static struct art_stored encode_cut(struct art_encoder *e, struct cursor *at,
				    const uint8_t *chunk, uint32_t len, size_t prefix,
				    uint8_t *out)
{
	size_t count = cut_sequences(e, at, len);
	/* libzstd wants room for the worst case of a block; e->check has it. */
	size_t n = ZSTD_compressSequences(e->coder, e->check, ZSTD_COMPRESSBOUND(ART_CHUNK_MAX),
					  e->cut, count, chunk, len);

	if (failed(e, n))
		return encode_prefixed(e, chunk, len, prefix, out);
	if (n >= len)
		return store_raw(out, chunk, len);
	memcpy(out, e->check, n);
	if (!decodes(e, out, n, chunk, len, prefix))
		return encode_prefixed(e, chunk, len, prefix, out);
	return (struct art_stored){ ART_ROW_ZSTD, (uint32_t)n };
}

/* Both ways, and the shorter of what they give stays at OUT. */
static struct art_stored encode_slow(struct art_encoder *e, struct cursor *at,
				     const uint8_t *chunk, uint32_t len, size_t prefix,
				     uint8_t *out)
{
	struct art_stored quick = encode_cut(e, at, chunk, len, prefix, out);
	size_t near = (size_t)len * SLOW_PREFIX;
	struct art_stored slow =
		encode_prefixed(e, chunk, len, prefix < near ? prefix : near, e->other);

	if (slow.len >= quick.len)
		return quick;
	memcpy(out, e->other, slow.len);
	return slow;
}

int art_encoder_group(struct art_encoder *e, const uint8_t *plain, const uint32_t *lengths,
		      size_t count, uint8_t *out, struct art_stored *stored,
		      struct art_err *err)
{
	struct cursor at = { 0 };
	size_t total = 0, pos = 0, i;
	bool cut;

	for (i = 0; i < count; i++)
		total += lengths[i];
	if (total > ART_GROUP_MAX)
		return art_fail(err, ART_E_FAILED, "a group of %zu bytes is too large", total);
	/* An earlier group may have lost them. */
	if (!e->finder || !e->prefixed)
		return art_fail_memory(err);
	e->no_memory = false;
	e->found_count = ZSTD_generateSequences(e->finder, e->found, e->found_room, plain, total);
	cut = !failed(e, e->found_count);
	if (e->slow && !new_finder(e))
		return art_fail_memory(err);
	for (i = 0; i < count; i++) {
		size_t prefix = pos < e->prefix ? pos : e->prefix;

		if (!cut)
			stored[i] = encode_prefixed(e, plain + pos, lengths[i], prefix, out);
		else if (e->slow)
			stored[i] = encode_slow(e, &at, plain + pos, lengths[i], prefix, out);
		else
			stored[i] = encode_cut(e, &at, plain + pos, lengths[i], prefix, out);
		out += stored[i].len;
		pos += lengths[i];
	}
	if (e->no_memory || (e->slow && !new_prefixed(e)))
		return art_fail_memory(err);
	return 0;
}
