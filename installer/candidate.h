/* SPDX-License-Identifier: Apache-2.0 */
/* An artifact offered to this device: opened once, authenticated, judged; then read from the same source. */
#ifndef INSTALLER_CANDIDATE_H
#define INSTALLER_CANDIDATE_H

#include "installer/device.h"
#include "installer/patch.h"
#include "libartifact/reader.h"

struct candidate {
	struct art_source *src;
	struct art_reader *reader;
	struct art_trust *trust;
	const struct art_manifest *manifest; /* the reader's */
	struct art_verdict verdict;
	uint8_t digest[ART_SHA256_LEN];
	bool by_url;        /* it came over the network */
	bool is_remote;     /* and its chunks would */
	struct patch patch; /* PATCH.PATCH NULL: there is none */
	bool patch_only;    /* SRC is what the patch carries of the artifact: no chunks */
};

/* Open SRC, an artifact or a patch ("-", a path, or a URL where the fetch child is built in), judge signature and manifest. candidate_close also after a
 * failure. Nothing of the payload has been read when it returns. */
int candidate_open(struct candidate *c, const struct device *d, const char *src,
		   struct art_err *err);
void candidate_close(struct candidate *c);

/* What has gone over the network for it. False: it is no remote one. */
struct candidate_traffic {
	uint64_t received; /* bytes of bodies and headers */
	uint64_t requests;
};
bool candidate_traffic(const struct candidate *c, struct candidate_traffic *out);

/*
 * Look for the patch from what the running slot holds, beside the remote artifact that was opened as SRC. None, or one that is not fit
 * for use, is no error: there are chunks.
 */
void candidate_find_patch(struct candidate *c, const struct device *d, const char *src);

/* Does it fit this device in slot TARGET? */
int candidate_fits(const struct candidate *c, const struct device *d, int target,
		   struct art_err *err);

/* Documents in file order and the end of the file; what stays unread of a remote source is left out. */
int candidate_check_rest(struct candidate *c, struct art_err *err);

#endif
