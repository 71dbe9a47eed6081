/* SPDX-License-Identifier: Apache-2.0 */
/* patch.json (format.md section 16.2) as a structure, read strictly and written canonically. */
#ifndef ART_PATCH_MANIFEST_H
#define ART_PATCH_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/digest.h"
#include "libartifact/manifest.h"

struct art_patch_segment {
	uint64_t index_size; /* of the members */
	uint8_t index_sha256[ART_SHA256_LEN];
	uint64_t records_size;
	uint8_t records_sha256[ART_SHA256_LEN];
	uint64_t data_size;
	uint8_t *old_index_sha256; /* page table of the old segment's index, or NULL: none is needed */
};

struct art_patch_payload {
	char *name;
	uint64_t size;
	uint8_t sha256[ART_SHA256_LEN];
	uint64_t old_size;
	uint8_t old_sha256[ART_SHA256_LEN];
	size_t segment_count;
	struct art_patch_segment *segments;
};

struct art_patch_end { /* the artifact at one end of the patch */
	char *name;
	char *version;
	uint8_t digest[ART_SHA256_LEN]; /* of its manifest.json */
	/* Of the new one only: what the patch carries of it. */
	uint64_t manifest_size;
	uint64_t signatures_size;
	uint64_t stored_size;
	uint8_t stored_sha256[ART_SHA256_LEN];
};

/* All strings and arrays belong to the manifest. */
struct art_patch_manifest {
	char *created;
	struct art_patch_end artifact; /* the new one */
	struct art_patch_end old;
	size_t payload_count;
	struct art_patch_payload *payloads;
};

struct art_patch_manifest *art_patch_manifest_new(void);
void art_patch_manifest_free(struct art_patch_manifest *m);

/* As art_manifest_parse and art_manifest_format, with the same error codes. */
int art_patch_manifest_parse(struct art_patch_manifest **out, const uint8_t *bytes, size_t len,
			     struct art_err *err);
int art_patch_manifest_format(const struct art_patch_manifest *m, uint8_t **out, size_t *len,
			      struct art_err *err);

#endif
