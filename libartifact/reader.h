/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading an artifact in the order of judgement (format.md section 10), from any source.
 * open -> authenticate -> parse -> (compatibility, by the caller) -> members in file order.
 * The reader owns manifest and signature bytes; it believes nothing from the source that
 * it has not compared with what is signed.
 */
#ifndef ART_READER_H
#define ART_READER_H

#include "libartifact/index.h"
#include "libartifact/manifest.h"
#include "libartifact/sig.h"
#include "libartifact/source.h"
#include "libartifact/trust.h"

struct art_reader;

/* Reads both headers and both members. SRC stays the caller's and must outlive the reader. */
int art_reader_open(struct art_reader **out, struct art_source *src, struct art_err *err);
void art_reader_free(struct art_reader *r);

const uint8_t *art_reader_manifest_bytes(const struct art_reader *r, size_t *len);
const uint8_t *art_reader_sig_bytes(const struct art_reader *r, size_t *len);

/* Header and bytes of one of the two members that a file begins with, at OFF, which moves behind it. The caller frees *BYTES,
 * also after a failure. */
int art_read_first(struct art_source *src, const char *name, uint64_t max, uint64_t *off,
		   uint8_t **bytes, size_t *len, struct art_err *err);

/* Judge the signatures. VERDICT may be NULL. */
int art_reader_authenticate(struct art_reader *r, const struct art_trust *trust,
			    enum art_role role, struct art_verdict *verdict,
			    struct art_err *err);

/* Parse the manifest and lay out the members; compares with the source's size when known. Refuses
 * (ART_E_FAILED) before art_reader_authenticate succeeded, unless art_reader_skip_trust was called. */
int art_reader_parse(struct art_reader *r, struct art_err *err);

/* For tools that only show: parse without a verdict. Never in the installer. */
void art_reader_skip_trust(struct art_reader *r);

const struct art_manifest *art_reader_manifest(const struct art_reader *r);

/* Members after manifest.sig, in file order. */
struct art_member {
	char name[100];
	uint64_t header;  /* file offset of the header block */
	uint64_t offset;  /* file offset of the first byte */
	uint64_t size;
};
size_t art_reader_member_count(const struct art_reader *r);
const struct art_member *art_reader_member(const struct art_reader *r, size_t i);
uint64_t art_reader_total_size(const struct art_reader *r);

/* Positions of the members of a segment or document in that list. */
size_t art_reader_index_member(const struct art_reader *r, size_t payload, size_t segment);
size_t art_reader_doc_member(const struct art_reader *r, size_t doc);

/* Read and judge one member's header; its padding; the two end blocks and the end of the file. */
int art_reader_check_header(struct art_reader *r, size_t member, struct art_err *err);
int art_reader_check_padding(struct art_reader *r, size_t member, struct art_err *err);
int art_reader_check_end(struct art_reader *r, struct art_err *err);

/* Header, whole index, padding, and then the data member's header: after it, stored bytes of row i are at
 * art_reader_data_offset() + row.data_off. The caller frees the index. */
int art_reader_open_index(struct art_reader *r, size_t payload, size_t segment,
			  struct art_index **out, struct art_err *err);
uint64_t art_reader_data_offset(const struct art_reader *r, size_t payload, size_t segment);

/* Stored bytes of ROW into BUF (row->stored_len bytes), compared with their digest. */
int art_reader_stored(struct art_reader *r, size_t payload, size_t segment,
		      const struct art_row *row, uint8_t *buf, struct art_err *err);

/* A whole document, compared with its digest. The caller frees. */
int art_reader_doc(struct art_reader *r, size_t doc, uint8_t **out, size_t *len,
		   struct art_err *err);

#endif
