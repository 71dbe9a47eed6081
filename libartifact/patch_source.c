// SPDX-License-Identifier: Apache-2.0
/* The head of an artifact out of a patch. */
#include <stdlib.h>
#include <string.h>

#include "libartifact/patch_source.h"
#include "libartifact/tar.h"

struct head_source {
	struct art_source base;
	size_t len;
	uint8_t bytes[]; /* header, manifest.json, header, manifest.sig */
};

int art_patch_sniff(struct art_source *src, bool *is_patch, struct art_err *err)
{
	uint8_t block[ART_TAR_BLOCK];
	int code = art_source_read(src, 0, block, sizeof(block), err);

	*is_patch = code == 0 &&
		    memcmp(block, ART_PATCH_MANIFEST, sizeof(ART_PATCH_MANIFEST)) == 0;
	return code;
}

static ssize_t head_read_at(struct art_source *src, uint64_t off, void *buf, size_t len,
			    struct art_err *err)
{
	struct head_source *s = (struct head_source *)src;

	if (off > s->len || len > s->len - off)
		return art_fail(err, ART_E_PATCH_SHORT,
				"the patch does not carry this part of the artifact");
	memcpy(buf, s->bytes + off, len);
	return (ssize_t)len;
}

static void head_free(struct art_source *src)
{
	free(src);
}

static const struct art_source_ops head_ops = { head_read_at, NULL, head_free };

int art_patch_source_open(struct art_source **out, struct art_patch *patch,
			  const struct art_patch_decoding *dec, struct art_err *err)
{
	const struct art_patch_end *e = &art_patch_manifest(patch)->artifact;
	size_t a = (size_t)e->manifest_size, b = (size_t)e->signatures_size;
	cleanup_free uint8_t *manifest = NULL, *sig = NULL;
	struct head_source *s;
	uint8_t *p;
	int code = art_patch_artifact(patch, dec, &manifest, &sig, err);

	if (code < 0)
		return code;
	s = calloc(1, sizeof(*s) + 2 * ART_TAR_BLOCK + a + b);
	if (!s)
		return art_fail_memory(err);
	s->base.ops = &head_ops;
	s->base.name = "the artifact in the patch";
	s->base.size = UINT64_MAX;
	s->base.can_seek = true;
	p = s->bytes;
	art_tar_format(p, "manifest.json", a);
	memcpy(p + ART_TAR_BLOCK, manifest, a);
	p += ART_TAR_BLOCK + a;
	art_tar_format(p, "manifest.sig", b);
	memcpy(p + ART_TAR_BLOCK, sig, b);
	s->len = 2 * ART_TAR_BLOCK + a + b;
	*out = &s->base;
	return 0;
}
