/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record table of a patch (format.md section 16.4): which rows of the new image each record makes, out of which extents of the old
 * image and of what precedes it in the new one, and the digest of its stored bytes.
 */
#ifndef ART_PATCH_TABLE_H
#define ART_PATCH_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"
#include "libartifact/index.h"

#define ART_PATCH_BLOCK 4096
#define ART_PATCH_EXTENTS 64
#define ART_PATCH_RUNS 256
#define ART_PATCH_WINDOW_MAX (4 * 1024 * 1024)
#define ART_PATCH_RECORD_MAX (1024 * 1024)
#define ART_PATCH_DIGEST 16
#define ART_PATCH_TABLE_MAX (4 * 1024 * 1024)
#define ART_PATCH_INDEX_MAX (4 * 1024 * 1024) /* of the stored form */

enum art_patch_codec { ART_PATCH_ZSTD, ART_PATCH_DIFF, ART_PATCH_BLOCKS, ART_PATCH_CODECS };
enum art_extent_source { ART_EXTENT_OLD, ART_EXTENT_NEW };

/* In bytes of an image, from its beginning; the last one of a source may end with it. */
struct art_extent {
	enum art_extent_source source;
	uint64_t offset;
	uint32_t len;
};

struct art_run { /* rows of the segment, one after the other */
	uint32_t first;
	uint32_t count;
};

struct art_patch_record {
	enum art_patch_codec codec;
	uint32_t run_count;
	struct art_run runs[ART_PATCH_RUNS];
	uint32_t extent_count;
	struct art_extent extents[ART_PATCH_EXTENTS];
	uint32_t plain_len;  /* the rows' lengths in all */
	uint32_t window_len; /* the extents' lengths in all */
	uint32_t stored_len;
	uint8_t digest[ART_PATCH_DIGEST];
	uint64_t data_off;   /* in the data member */
};

/* What the records of one segment are judged by. */
struct art_patch_scope {
	struct art_index *index; /* of the new segment; NULL: rows are not judged, plain_len is not known */
	uint64_t base;           /* where the segment begins in the new image */
	uint64_t old_size;       /* bytes of the old image */
	uint64_t data_size;      /* of the data member */
};

/* Reads a table of LEN bytes at BYTES, record by record: memory does not grow with it. */
struct art_patch_cursor {
	const struct art_patch_scope *scope;
	const uint8_t *p, *end;
	uint32_t next_row;  /* the first that the next record may have */
	uint64_t next_block;
	uint64_t data_off;
};

void art_patch_table_begin(struct art_patch_cursor *c, const struct art_patch_scope *scope,
			   const uint8_t *bytes, size_t len);

/* 1 and the next record; 0 at the end. ART_E_PATCH_TABLE: a rule of section 16.4 is broken. */
int art_patch_table_next(struct art_patch_cursor *c, struct art_patch_record *r,
			 struct art_err *err);

/* All records at once; use before any of them. Gives their number. */
int art_patch_table_judge(const struct art_patch_scope *scope, const uint8_t *bytes, size_t len,
			  size_t *count, struct art_err *err);

/* A table that grows. Records are added in order; plain_len, window_len and data_off are not looked at. */
struct art_patch_table {
	uint8_t *bytes;
	size_t len, room;
	uint32_t next_row;
	uint64_t next_block;
};
int art_patch_table_add(struct art_patch_table *t, const struct art_patch_record *r,
			struct art_err *err);
void art_patch_table_clear(struct art_patch_table *t);

#endif
