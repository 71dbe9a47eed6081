/* SPDX-License-Identifier: Apache-2.0 */
/* What manifest.json and patch.json have in common: their frame, the heads of their objects, and fields (struct art_json_field). */
#ifndef ART_MANIFEST_FIELD_H
#define ART_MANIFEST_FIELD_H

#include "libartifact/json.h"

/* The object from the first byte, one LF, then spaces up to a multiple of 4096. */
int art_manifest_check_frame(const uint8_t *bytes, size_t len, struct art_err *err);

/* TEXT framed in that way; the caller frees *OUT. */
int art_manifest_frame(const char *text, uint8_t **out, size_t *len, struct art_err *err);

/* "type" (must be TYPE) and "format", in this order and, with "features", before everything else: a newer file may have keys that are not
 * known here, and says so in these three. */
int art_manifest_judge_first(const struct art_json *top, const char *type, struct art_err *err);

int art_field_judged(const struct art_json *v, void *out, struct art_err *err); /* those three */
int art_field_name(const struct art_json *v, void *member, struct art_err *err);
int art_field_version(const struct art_json *v, void *member, struct art_err *err);
int art_field_time(const struct art_json *v, void *member, struct art_err *err);
int art_field_payload_name(const struct art_json *v, void *member, struct art_err *err);
int art_field_image_size(const struct art_json *v, void *member, struct art_err *err);
int art_field_data_size(const struct art_json *v, void *member, struct art_err *err);
int art_field_sha256(const struct art_json *v, void *member, struct art_err *err);

#endif
