/* SPDX-License-Identifier: Apache-2.0 */
/* What `mkartifact create` has been asked for: filled in by create_options.c, carried out by create.c. */
#ifndef MK_CREATE_H
#define MK_CREATE_H

#include <stdbool.h>
#include <stdint.h>

#include "libartifact/manifest.h"
#include "libartifact/sig.h"

#define MK_DOCS_MAX 16
#define MK_EARLIER_MAX 16
#define MK_FROM_MAX 16

struct mk_create {
	struct art_manifest *m; /* everything that options say about it */
	char *out;
	char *rootfs;
	char *boot;
	char *fs;               /* of an image that is to be built */
	uint64_t size;          /* of an image that is to be built; 0: find out */
	size_t key_count;
	char *keys[ART_SIG_LINES_MAX];
	bool is_unsigned;
	char *passphrase_file;
	size_t doc_count;
	char *docs[MK_DOCS_MAX]; /* paths */
	size_t earlier_count;
	char *earlier[MK_EARLIER_MAX]; /* paths of artifacts */
	int level;
	unsigned int jobs;
	bool no_sbom;
	size_t from_count;
	char *from[MK_FROM_MAX]; /* paths of option files */
};

/* Parse ARGV. -1: go on; otherwise the exit status, everything has been said. */
int mk_create_options(struct mk_create *c, int argc, char **argv);
void mk_create_clear(struct mk_create *c);

#endif
