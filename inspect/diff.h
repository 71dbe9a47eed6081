/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of artifact-inspect diff. Each fills a JSON value, from which the text for
 * people is printed too. */
#ifndef INSPECT_DIFF_H
#define INSPECT_DIFF_H

#include <jansson.h>

#include "inspect/inspect.h"
#include "libartifact/blob.h"
#include "libartifact/fs/fs.h"
#include "libartifact/index.h"

struct diff_image {
	struct art_blob *blob;
	struct art_fs *fs;
};

/* {"field": {"old", "new"}}: every top-level field of the manifest that differs, payloads
 * left out. */
int diff_manifest(struct inspect_file *old, struct inspect_file *now, json_t **out,
		  struct art_err *err);

/* A name out of an image, for the lists of diff_packages and diff_files: for JSON as it is; for people as it is to be printed, which
 * cannot be made of the former. NULL: out of memory. */
json_t *diff_text(const char *text);

/* {"added": [{name, version}], "removed": [...], "changed": [{name, old, new}]} */
int diff_packages(struct art_fs *old, struct art_fs *now, json_t **out,
		  struct art_err *err);

/* {"added": [path], "removed": [path], "changed": [{path, what: [...]}]} */
int diff_files(const struct diff_image *old, const struct diff_image *now, json_t **out, struct art_err *err);

/* An entry of the image, by its node. */
struct diff_entry {
	const struct diff_image *image;
	uint64_t node;
};

/* Whether two regular files of one size have the same content: by the chunk index where that tells, else both are read. */
int diff_same_content(const struct diff_entry *old, const struct diff_entry *now, bool *same,
		      struct art_err *err);

/* Whether both have the same extended attributes, capabilities and ACLs among them. */
int diff_same_xattrs(const struct diff_entry *old, const struct diff_entry *now, bool *same,
		     struct art_err *err);

/* What a device that has OLD would download for NEW without a patch. IMAGE may be the open payload NUMBER of OLD; or NULL. */
int diff_download(struct inspect_file *old, struct inspect_file *now, struct art_blob *image, size_t number,
		  json_t **out, struct art_err *err);

/* A stored chunk of an artifact. */
struct diff_chunk {
	uint32_t len; /* plain bytes */
	uint32_t stored;
	uint64_t offset; /* in the file */
	const char *payload;
	uint64_t base;   /* of its segment in the payload */
	bool found; /* on the device */
	uint8_t head[ART_HEAD_LEN];
	uint8_t digest[ART_PLAIN_DIGEST];
};

struct diff_chunks {
	struct diff_chunk *list;
	size_t count, room;
};

/* Is a chunk of these plain bytes among CHUNKS, which are sorted? */
bool diff_chunks_have(const struct diff_chunks *chunks, const struct art_row *row);

/* Mark of MISSING what IMAGE, the payload NUMBER of OLD, has at the pages of chunks that are not among NOW. */
int diff_pages(struct inspect_file *old, size_t number, struct art_blob *image, const struct diff_chunks *now,
	       const struct diff_chunks *missing, struct art_err *err);

/* With the patch --patch, or the one that lies beside a local NEW: {"file", "total", "size"}; null: there is none, or the one beside
 * NEW is not good, of which a warning tells. TOTAL counts the head of the artifact, which a device reads first. */
int diff_patch(struct inspect_file *old, struct inspect_file *now, const struct inspect_options *opt,
	       json_t **out, struct art_err *err);

#endif
