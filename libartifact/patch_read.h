/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a patch in the order of judgement (format.md section 16.6), from any source:
 * open -> authenticate (role patch) -> parse -> carried artifact -> for each segment index, records, data.
 * Nothing is decoded here: the caller brings a decoder, in a sandbox or not, which gets bytes that have been compared with what
 * is signed.
 */
#ifndef ART_PATCH_READ_H
#define ART_PATCH_READ_H

#include "libartifact/patch_manifest.h"
#include "libartifact/patch_table.h"
#include "libartifact/reader.h"

#define ART_PATCH_MANIFEST "patch.json"
#define ART_PATCH_SIG "patch.sig"
#define ART_PATCH_ARTIFACT "artifact.zst"
#define ART_PATCH_PIECE ((size_t)1024 * 1024)

/* STORED with WINDOW becomes exactly LEN bytes at OUT, or an error. Codec, lengths: within section 11. */
struct art_patch_decoding {
	int (*decode)(void *ctx, enum art_patch_codec codec, const uint8_t *window,
		      size_t window_len, const uint8_t *stored, size_t stored_len, uint8_t *out,
		      size_t len, struct art_err *err);
	void *ctx;
};

struct art_patch;

/* SRC stays the caller's and must outlive the patch. A file that is no patch: ART_E_TAR_NAME, mostly. */
int art_patch_open(struct art_patch **out, struct art_source *src, struct art_err *err);
void art_patch_free(struct art_patch *p);

const uint8_t *art_patch_manifest_bytes(const struct art_patch *p, size_t *len);
const uint8_t *art_patch_sig_bytes(const struct art_patch *p, size_t *len);

/* As for artifacts (reader.h), with the role and the preamble of patches. */
int art_patch_authenticate(struct art_patch *p, const struct art_trust *trust,
			   struct art_verdict *verdict, struct art_err *err);
void art_patch_skip_trust(struct art_patch *p);
int art_patch_parse(struct art_patch *p, struct art_err *err);
const struct art_patch_manifest *art_patch_manifest(const struct art_patch *p);
uint64_t art_patch_total_size(const struct art_patch *p);

/* File offset of the first byte of a segment's data member, and of the header of its index, the first of its three members. */
uint64_t art_patch_data_offset(const struct art_patch *p, size_t payload, size_t segment);
uint64_t art_patch_segment_offset(const struct art_patch *p, size_t payload, size_t segment);

/* The carried artifact.zst: the exact bytes of the new artifact's manifest.json and manifest.sig. Not authenticated by this: their
 * signature is judged as ever, for the role artifact. The caller frees both. */
int art_patch_artifact(struct art_patch *p, const struct art_patch_decoding *dec,
		       uint8_t **manifest, uint8_t **sig, struct art_err *err);

/* Is it for the artifact with these bytes of manifest.json, and does what is parsed from them agree? ART_E_PATCH_ARTIFACT. */
int art_patch_match_digest(const struct art_patch *p, const uint8_t *bytes, size_t len,
			   struct art_err *err);
int art_patch_match(const struct art_patch *p, const struct art_manifest *manifest,
		    struct art_err *err);

/* The payload of this name, or SIZE_MAX. */
size_t art_patch_find_payload(const struct art_patch *p, const char *name);

/*
 * The new index, made of the old one: OLD is the index member of the old segment (NULL where none is named), whose page table the
 * caller has compared with old-index-sha256 and whose shape is right. SEG is the new artifact's.
 */
int art_patch_index(struct art_patch *p, size_t payload, size_t segment,
		    const struct art_patch_decoding *dec, const uint8_t *old, uint64_t old_size,
		    const struct art_segment *seg, struct art_index **out, struct art_err *err);

/* The packed index as it is stored, for those who have no old index: header, digest, padding. */
int art_patch_check_index(struct art_patch *p, size_t payload, size_t segment,
			  struct art_err *err);

/* The record table, judged whole against SCOPE (whose old_size and data_size are set here), and the data member's header. After it,
 * records can be read at art_patch_data_offset() + data_off. The caller frees. */
int art_patch_records(struct art_patch *p, size_t payload, size_t segment,
		      struct art_patch_scope *scope, uint8_t **table, size_t *len,
		      size_t *count, struct art_err *err);

/* Stored bytes of a record into BUF, compared with their digest: ART_E_PATCH_RECORD. */
int art_patch_stored(struct art_patch *p, size_t payload, size_t segment,
		     const struct art_patch_record *r, uint8_t *buf, struct art_err *err);

/* The padding behind a segment's data; the end of the file. */
int art_patch_check_padding(struct art_patch *p, size_t payload, size_t segment,
			    struct art_err *err);
int art_patch_check_end(struct art_patch *p, struct art_err *err);

#endif
