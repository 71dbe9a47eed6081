/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest (format.md section 3) as a structure, read strictly and written canonically. */
#ifndef ART_MANIFEST_H
#define ART_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libartifact/digest.h"
#include "libartifact/err.h"
#include "libartifact/util.h"

#define ART_MANIFEST_MAX (256 * 1024)
#define ART_MANIFEST_UNIT 4096
#define ART_SEGMENT_SIZE ART_GIB
#define ART_IMAGE_MAX (UINT64_C(1) << 46)
#define ART_PREFIX_MAX (1024 * 1024)
#define ART_DOC_MAX (64 * ART_MIB)

struct art_pair { /* requires: key and range; provides: key and version */
	char *key;
	char *value;
};

struct art_segment {
	uint64_t offset;
	uint64_t size;
	uint64_t index_size;
	uint8_t index_sha256[ART_SHA256_LEN];
	uint64_t data_size;
};

struct art_payload {
	char *name;
	char *kind;
	char *filesystem;
	uint64_t size;
	uint8_t sha256[ART_SHA256_LEN];
	uint32_t prefix;
	size_t segment_count;
	struct art_segment *segments;
	char *ext; /* compact JSON or NULL */
};

struct art_doc {
	char *name;
	uint64_t size;
	uint8_t sha256[ART_SHA256_LEN];
};

/* All strings and arrays belong to the manifest; absent optional strings are NULL. */
struct art_manifest {
	char *name;
	char *version;
	char *created;
	uint32_t security_counter;
	size_t compatible_count;
	char **compatible;
	size_t hardware_count; /* 0: any */
	char **hardware;
	char *arch;
	size_t requires_count;
	struct art_pair *requires_;
	size_t provides_count;
	struct art_pair *provides;
	size_t feature_count;
	char **features;
	size_t payload_count;
	struct art_payload *payloads;
	size_t doc_count;
	struct art_doc *docs;
	char *description;
	bool security;
	char *advisory_url;
	size_t advisory_id_count;
	char **advisory_ids;
	char *support_until;
	char *ext; /* compact JSON or NULL */
};

/* A zeroed manifest to fill by hand (writers); every pointer in it must come from malloc. */
struct art_manifest *art_manifest_new(void);

/* Parse the exact bytes of manifest.json, which must be authenticated unless the caller only shows them.
 * Judges type, format and features first (so that a newer artifact says what it needs), then everything else. */
int art_manifest_parse(struct art_manifest **out, const uint8_t *bytes, size_t len,
		       struct art_err *err);
void art_manifest_free(struct art_manifest *m);

/* The canonical bytes: keys in the order of the spec's tables, two-space indentation, LF, spaces up
 * to a multiple of 4096. Runs art_manifest_parse over the result, so that nothing is written that
 * a reader would refuse. The caller frees *OUT. */
int art_manifest_format(const struct art_manifest *m, uint8_t **out, size_t *len,
			struct art_err *err);

#endif
