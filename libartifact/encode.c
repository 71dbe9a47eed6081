// SPDX-License-Identifier: Apache-2.0
/*
 * Every chunk is a frame of its own that refers to the plain bytes before it in its group. Handing libzstd that prefix anew
 * for each chunk makes it index every byte some thirty times. So matches are looked for once over the whole group, in a window of
 * the prefix's size, and the sequences found are then cut at the chunks' borders and entropy-coded chunk by chunk. What the cut
 * sequences give is decoded again and compared; a chunk that fails goes the slow way.
 *
 * Programs and the rest are searched in different ways. Measured on a Debian root of 226 MB, 59 MB of it stored: with small tables
 * and matches of 3 bytes, libzstd's optimal parser, which weighs what each match costs, makes programs 3 to 5 % smaller than its
 * lazy parsers do, and the rest 3 % larger; with large tables it makes all 6 to 8 % smaller, for four times the processor.
 */
#include <stdlib.h>
#include <string.h>

#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_generateSequences, ZSTD_compressSequences */
#include <zstd.h>
#include <zstd_errors.h>

#include "libartifact/encode.h"
#include "libartifact/util.h"

/* The shortest match that a frame can say. */
#define MATCH_MIN 3

/* ZSTD_c_useBlockSplitter; later versions of libzstd have another name for it. */
#define BLOCK_SPLITTER ZSTD_c_experimentalParam13
#define OFF 2

/* libzstd 1.5.4 counts no room for the end of each block, of which the smallest window makes so many. */
#define FOUND_BLOCKS (ART_GROUP_MAX / 1024 + 1)

/* From so many bytes on libzstd finds one sequence at least, be it one of literals alone. */
#define FOUND_FROM 64

/* So many sequences a chunk has at most, its blocks' delimiters counted. */
#define CUT_MAX (ART_CHUNK_MAX / MATCH_MIN + ART_CHUNK_MAX / ZSTD_BLOCKSIZE_MAX)

struct art_encoder {
	uint32_t prefix;
	int level;
	ZSTD_CCtx *finder; /* looks for matches over a group */
	ZSTD_CCtx *coder;  /* codes the sequences of a chunk */
	ZSTD_CCtx *prefixed; /* compresses a chunk with its prefix */
	ZSTD_DCtx *decoder;
	ZSTD_Sequence *found;
	size_t found_room;
	size_t found_count;
	ZSTD_Sequence *cut;
	uint8_t *check;
	bool no_memory; /* libzstd had too little in this group: another way would give other bytes */
};

/* Where the cutting of the group's sequences stands: what is left of the sequence begun. */
struct cursor {
	size_t next;
	size_t literals;
	size_t match;
	unsigned int offset;
};

/* How to look for matches: a level of libzstd, and what differs from it; 0: as that level has it. */
struct search {
	uint8_t level;
	uint8_t match_min;
	uint8_t hash_log, chain_log, search_log;
	uint16_t target_length;
};

/*
 * Our levels, chosen such that size (within 8 %) and CPU stay beside solid `zstd -N`: a small window makes each of libzstd's levels
 * cheaper and weaker than in a solid stream. From 11 to 14 what is spent more is spent on programs.
 */
#define LAZY(n) { .level = (n), .match_min = 4 }
#define OPTIMAL(n) { .level = (n), .match_min = MATCH_MIN }
#define SMALL(hash, chain, search, target) \
	{ .level = 16, .match_min = MATCH_MIN, .hash_log = (hash), .chain_log = (chain), \
	  .search_log = (search), .target_length = (target) }

static const struct levels {
	struct search text;
	struct search programs; /* level 0: as text */
} table[ART_LEVEL_BEST + 1] = {
	[1] = { .text = { .level = 1 } },
	[2] = { .text = { .level = 3 } },
	[3] = { .text = LAZY(5) },
	[4] = { .text = LAZY(6) },
	[5] = { .text = LAZY(7) },
	[6] = { .text = LAZY(8) },
	[7] = { .text = LAZY(9) },
	[8] = { .text = LAZY(9) },
	[9] = { .text = LAZY(10) },
	[10] = { .text = LAZY(10), .programs = LAZY(12) },
	[11] = { .text = LAZY(10), .programs = SMALL(16, 17, 2, 12) },
	[12] = { .text = LAZY(10), .programs = SMALL(16, 17, 2, 16) },
	[13] = { .text = LAZY(12), .programs = SMALL(16, 18, 3, 24) },
	[14] = { .text = LAZY(12), .programs = SMALL(18, 19, 3, 32) },
	[15] = { .text = SMALL(18, 19, 3, 32) },
	[16] = { .text = { .level = 17, .match_min = MATCH_MIN, .search_log = 4 } },
	[17] = { .text = { .level = 18, .match_min = MATCH_MIN, .search_log = 4 } },
	[18] = { .text = OPTIMAL(18) },
	[19] = { .text = OPTIMAL(19) },
	[ART_LEVEL_BEST] = { .text = { .level = 19, .match_min = MATCH_MIN, .search_log = 9,
				       .target_length = 999 } },
};

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

/* A table no larger than the window can fill: this is what bounds the memory of a thread. */
static int table_log(unsigned int usual, uint8_t wanted, int window)
{
	int log = wanted ? wanted : (int)usual;

	return log < window + 1 ? log : window + 1;
}

static bool set_up_finder(ZSTD_CCtx *c, const struct search *s, uint32_t prefix)
{
	int log = window_log(prefix);
	ZSTD_compressionParameters p = ZSTD_getCParams(s->level, ART_GROUP_MAX, 0);

	/* What the splitter of blocks makes is not among the sequences that are reported. */
	return set(c, ZSTD_c_compressionLevel, s->level) && set(c, ZSTD_c_windowLog, log) &&
	       set(c, BLOCK_SPLITTER, OFF) &&
	       set(c, ZSTD_c_chainLog, table_log(p.chainLog, s->chain_log, log)) &&
	       set(c, ZSTD_c_hashLog, table_log(p.hashLog, s->hash_log, log)) &&
	       set(c, ZSTD_c_searchLog, s->search_log) && set(c, ZSTD_c_minMatch, s->match_min) &&
	       set(c, ZSTD_c_targetLength, s->target_length);
}

/*
 * It looks for nothing: the level is how hard libzstd tries for short tables of literals, the shortest match how
 * many sequences it takes.
 */
static bool set_up_coder(ZSTD_CCtx *c)
{
	return set(c, ZSTD_c_compressionLevel, ART_LEVEL_MAX) && set(c, ZSTD_c_windowLog, 20) &&
	       set(c, ZSTD_c_minMatch, MATCH_MIN) &&
	       set(c, ZSTD_c_hashLog, 10) && set(c, ZSTD_c_chainLog, 10) &&
	       set(c, ZSTD_c_blockDelimiters, ZSTD_sf_explicitBlockDelimiters);
}

int art_encoder_new(struct art_encoder **out, int level, uint32_t prefix, struct art_err *err)
{
	struct art_encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return art_fail_memory(err);
	e->prefix = prefix;
	e->level = level;
	e->finder = ZSTD_createCCtx();
	e->coder = ZSTD_createCCtx();
	e->prefixed = ZSTD_createCCtx();
	e->decoder = ZSTD_createDCtx();
	e->found_room = ZSTD_sequenceBound(ART_GROUP_MAX) + FOUND_BLOCKS;
	/* Far more than is used; pages that are not touched cost nothing. */
	e->found = malloc(e->found_room * sizeof(*e->found));
	e->cut = malloc(CUT_MAX * sizeof(*e->cut));
	e->check = malloc(ZSTD_COMPRESSBOUND(ART_CHUNK_MAX));
	if (!e->finder || !e->coder || !e->prefixed || !e->decoder || !e->found || !e->cut || !e->check ||
	    !set_up_coder(e->coder) ||
	    !set(e->prefixed, ZSTD_c_compressionLevel,
		 level < ART_LEVEL_BEST ? level : ART_LEVEL_MAX)) {
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

/* The matches of a group. False: there is no memory, or libzstd cannot, and each chunk is coded for itself. */
static bool find(struct art_encoder *e, const struct search *s, const uint8_t *plain, size_t len)
{
	/* After a group that failed, libzstd takes no parameters before this. */
	ZSTD_CCtx_reset(e->finder, ZSTD_reset_session_only);
	if (!set_up_finder(e->finder, s, e->prefix))
		return false;
	e->found_count = ZSTD_generateSequences(e->finder, e->found, e->found_room, plain, len);
	if (failed(e, e->found_count))
		return false;
	/* libzstd 1.5.4 keeps it to itself when there is no room for its tables. */
	if (e->found_count == 0 && len >= FOUND_FROM)
		e->no_memory = true;
	return !e->no_memory;
}

int art_encoder_group(struct art_encoder *e, const uint8_t *plain, const uint32_t *lengths,
		      size_t count, bool programs, uint8_t *out, struct art_stored *stored,
		      struct art_err *err)
{
	const struct levels *level = &table[e->level];
	struct cursor at = { 0 };
	size_t total = 0, pos = 0, i;
	bool cut;

	for (i = 0; i < count; i++)
		total += lengths[i];
	if (total > ART_GROUP_MAX)
		return art_fail(err, ART_E_FAILED, "a group of %zu bytes is too large", total);
	e->no_memory = false;
	cut = find(e, programs && level->programs.level ? &level->programs : &level->text, plain, total);
	for (i = 0; i < count; i++) {
		size_t prefix = pos < e->prefix ? pos : e->prefix;

		stored[i] = cut ? encode_cut(e, &at, plain + pos, lengths[i], prefix, out) :
				  encode_prefixed(e, plain + pos, lengths[i], prefix, out);
		out += stored[i].len;
		pos += lengths[i];
	}
	return e->no_memory ? art_fail_memory(err) : 0;
}
