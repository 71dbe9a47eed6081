// SPDX-License-Identifier: Apache-2.0
/* Opening patches, and the indexes in them. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "installer/kept.h"
#include "installer/patch.h"
#include "libartifact/io.h"

/* Whatever is to be decoded is decoded by the child. */
static int decode(void *ctx, enum art_patch_codec codec, const uint8_t *window,
		  size_t window_len, const uint8_t *stored, size_t stored_len, uint8_t *out,
		  size_t len, struct art_err *err)
{
	struct patch *p = ctx;

	if (window && window != decoder_window(p->decoder))
		memcpy(decoder_window(p->decoder), window, window_len);
	return decoder_patch(p->decoder, codec, window_len, stored, stored_len, out, len, err);
}

int patch_open(struct patch *p, struct art_source *src, const struct art_trust *trust,
	       struct art_err *err)
{
	int code;

	memset(p, 0, sizeof(*p));
	p->src = src;
	p->dec = (struct art_patch_decoding){ decode, p };
	code = art_patch_open(&p->patch, src, err);
	if (code == 0)
		code = art_patch_authenticate(p->patch, trust, &p->verdict, err);
	if (code == 0)
		code = art_patch_parse(p->patch, err);
	if (code == 0)
		code = decoder_start(&p->decoder, 0, err);
	if (code < 0)
		patch_close(p);
	return code;
}

void patch_close(struct patch *p)
{
	decoder_free(p->decoder);
	art_patch_free(p->patch);
	art_source_free(p->src);
	memset(p, 0, sizeof(*p));
}

int patch_want(struct patch *p, uint64_t off, uint64_t end, struct art_err *err)
{
	if (!p->src->ops->want || !p->src->can_seek || end <= off)
		return 0;
	return p->src->ops->want(p->src, off, end - off, err);
}

const struct seed *patch_old(const struct patch *p, const struct seeds *seeds, const char *payload)
{
	size_t n = art_patch_find_payload(p->patch, payload), i;
	const struct art_patch_payload *mine;

	if (n == SIZE_MAX)
		return NULL;
	mine = &art_patch_manifest(p->patch)->payloads[n];
	for (i = 0; i < seeds->count; i++) {
		const struct seed *s = &seeds->seed[i];

		/* The target changes under our hands. */
		if (s->fd >= 0 && !s->target && s->payload && s->payload->size == mine->old_size &&
		    s->size >= mine->old_size &&
		    memcmp(s->payload->sha256, mine->old_sha256, ART_SHA256_LEN) == 0)
			return s;
	}
	return NULL;
}

static int read_old_index(const struct seeds *seeds, const struct seed *old, const char *payload,
			  size_t segment, const uint8_t sha256[ART_SHA256_LEN], uint8_t **out,
			  uint64_t *size, struct art_err *err)
{
	cleanup_close int fd = kept_open_index(seeds->directory, old->slot, payload, segment);
	const struct art_segment *seg = segment < old->payload->segment_count ?
						&old->payload->segments[segment] : NULL;
	ssize_t n;

	if (!seg || memcmp(seg->index_sha256, sha256, ART_SHA256_LEN) != 0 || fd < 0)
		return art_fail(err, ART_E_PATCH_OLD, "the index that the patch needs is not kept");
	*size = seg->index_size;
	*out = malloc((size_t)*size);
	if (!*out)
		return art_fail_memory(err);
	n = art_pread_full(fd, *out, (size_t)*size, 0, "index", err);
	if (n >= 0 && (size_t)n < *size)
		return art_fail(err, ART_E_PATCH_OLD, "the index that the patch needs is cut short");
	return n < 0 ? (int)n : 0;
}

int patch_index(struct patch *p, const struct seeds *seeds, const struct seed *old,
		const char *payload, size_t segment, const struct art_segment *seg,
		struct art_index **out, struct art_err *err)
{
	size_t n = art_patch_find_payload(p->patch, payload);
	const uint8_t *sha256;
	cleanup_free uint8_t *bytes = NULL;
	uint64_t size = 0;
	int code;

	if (n == SIZE_MAX || !old)
		return art_fail(err, ART_E_PATCH_OLD, "the patch is not for what the running slot holds");
	sha256 = art_patch_manifest(p->patch)->payloads[n].segments[segment].old_index_sha256;
	/* With the record table, in one request. */
	code = patch_want(p, art_patch_segment_offset(p->patch, n, segment),
			  art_patch_data_offset(p->patch, n, segment), err);
	if (code == 0 && sha256)
		code = read_old_index(seeds, old, payload, segment, sha256, &bytes, &size, err);
	return code < 0 ? code : art_patch_index(p->patch, n, segment, &p->dec, bytes, size, seg,
						 out, err);
}
