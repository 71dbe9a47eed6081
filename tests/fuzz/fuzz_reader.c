// SPDX-License-Identifier: Apache-2.0
/*
 * A whole artifact from memory: signature judged by the keys in $FUZZ_KEYS, then everything read and decoded whatever the
 * verdict was. Rows past a few MiB of plain data are left out, to stay fast.
 */
#include <string.h>

#include "fuzz.h"
#include "libartifact/blob.h"
#include "libartifact/reader.h"

#define PLAIN_MAX (8 * ART_MIB)

static struct art_trust *trust;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *keys = getenv("FUZZ_KEYS");
	struct art_err err;

	(void)argc;
	(void)argv;
	MUST(!keys || art_trust_load(&trust, keys, &err) == 0);
	return 0;
}

static void read_segment(struct art_reader *r, size_t payload, size_t segment)
{
	struct art_index *ix = NULL;
	uint64_t total = 0;
	struct art_err err;
	struct art_row row;
	uint8_t *stored;
	uint32_t i;

	if (art_reader_open_index(r, payload, segment, &ix, &err) < 0)
		return;
	stored = malloc(ART_CHUNK_MAX);
	for (i = 0; stored && i < art_index_rows(ix) && total < PLAIN_MAX; i++) {
		art_index_row(ix, i, &row);
		if (!art_row_is_stored(&row))
			continue;
		MUST(row.stored_len <= ART_CHUNK_MAX);
		if (art_reader_stored(r, payload, segment, &row, stored, &err) == 0)
			touch(stored, row.stored_len);
		total += row.plain_len;
	}
	art_reader_check_padding(r, art_reader_index_member(r, payload, segment) + 1, &err);
	free(stored);
	art_index_free(ix);
}

static void read_plain(struct art_reader *r, size_t payload)
{
	static uint8_t buf[65536];
	struct art_blob *blob = NULL;
	struct art_err err;
	uint64_t off;

	if (art_blob_open_payload(&blob, r, payload, &err) < 0)
		return;
	for (off = 0; off < blob->size && off < PLAIN_MAX; off += sizeof(buf)) {
		size_t n = blob->size - off < sizeof(buf) ? (size_t)(blob->size - off) : sizeof(buf);

		if (art_blob_read(blob, buf, n, off, &err) < 0)
			break;
		touch(buf, n);
	}
	art_blob_free(blob);
}

static void read_all(struct art_reader *r)
{
	const struct art_manifest *m = art_reader_manifest(r);
	struct art_err err;
	size_t i, s;

	for (i = 0; i < m->payload_count; i++) {
		for (s = 0; s < m->payloads[i].segment_count; s++)
			read_segment(r, i, s);
		read_plain(r, i);
	}
	for (i = 0; i < m->doc_count; i++) {
		uint8_t *doc = NULL;
		size_t len = 0;

		if (art_reader_doc(r, i, &doc, &len, &err) == 0)
			touch(doc, len);
		free(doc);
	}
	art_reader_check_end(r, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct art_source *src = NULL;
	struct art_reader *r = NULL;
	struct art_verdict verdict;
	struct art_err err;

	if (art_source_open_memory(&src, bytes, len, &err) < 0)
		return 0;
	if (art_reader_open(&r, src, &err) == 0) {
		/* Nothing is parsed without a verdict. */
		MUST(art_reader_parse(r, &err) < 0);
		if (trust)
			art_reader_authenticate(r, trust, ART_ROLE_ARTIFACT, &verdict, &err);
		art_reader_skip_trust(r);
		if (art_reader_parse(r, &err) == 0)
			read_all(r);
	}
	art_reader_free(r);
	art_source_free(src);
	return 0;
}
