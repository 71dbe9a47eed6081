// SPDX-License-Identifier: Apache-2.0
/* One squashfs block decompressed. gzip, xz and lz4 are there when the build found their libraries. */
#include <config.h>

#include <zstd.h>
#ifdef WITH_ZLIB
#include <zlib.h>
#endif
#ifdef WITH_LZMA
#include <lzma.h>
#endif
#ifdef WITH_LZ4
#include <lz4.h>
#endif

#include "libartifact/fs/squash_unpack.h"
#include "libartifact/util.h"

static const char *const names[] = { "none", "gzip", "lzma", "lzo", "xz", "lz4", "zstd" };

static int damaged(struct art_err *err)
{
	return art_fail(err, ART_E_FAILED, "a squashfs block does not decompress");
}

static int unpack_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t *len,
		       struct art_err *err)
{
	size_t got = ZSTD_decompress(out, *len, in, in_len);

	if (ZSTD_isError(got))
		return damaged(err);
	*len = got;
	return 0;
}

#ifdef WITH_ZLIB
static int unpack_gzip(const uint8_t *in, size_t in_len, uint8_t *out, size_t *len,
		       struct art_err *err)
{
	uLongf got = *len;

	if (uncompress(out, &got, in, in_len) != Z_OK)
		return damaged(err);
	*len = got;
	return 0;
}
#endif

#ifdef WITH_LZMA
static int unpack_xz(const uint8_t *in, size_t in_len, uint8_t *out, size_t *len,
		     struct art_err *err)
{
	uint64_t memory = 64 * ART_MIB;
	size_t in_pos = 0, out_pos = 0;

	if (lzma_stream_buffer_decode(&memory, 0, NULL, in, &in_pos, in_len, out, &out_pos,
				      *len) != LZMA_OK)
		return damaged(err);
	*len = out_pos;
	return 0;
}
#endif

#ifdef WITH_LZ4
/* Lengths are a squashfs block's, 1 MiB at most. */
static int unpack_lz4(const uint8_t *in, size_t in_len, uint8_t *out, size_t *len,
		      struct art_err *err)
{
	int got = LZ4_decompress_safe((const char *)in, (char *)out, (int)in_len, (int)*len);

	if (got < 0)
		return damaged(err);
	*len = (size_t)got;
	return 0;
}
#endif

int squash_unpack(unsigned int method, const uint8_t *in, size_t in_len, uint8_t *out,
		  size_t *len, struct art_err *err)
{
	switch (method) {
#ifdef WITH_ZLIB
	case 1:
		return unpack_gzip(in, in_len, out, len, err);
#endif
#ifdef WITH_LZMA
	case 4:
		return unpack_xz(in, in_len, out, len, err);
#endif
#ifdef WITH_LZ4
	case 5:
		return unpack_lz4(in, in_len, out, len, err);
#endif
	case 6:
		return unpack_zstd(in, in_len, out, len, err);
	default:
		return squash_can_unpack(method, err);
	}
}

int squash_can_unpack(unsigned int method, struct art_err *err)
{
#ifdef WITH_ZLIB
	if (method == 1)
		return 0;
#endif
#ifdef WITH_LZMA
	if (method == 4)
		return 0;
#endif
#ifdef WITH_LZ4
	if (method == 5)
		return 0;
#endif
	if (method == 6)
		return 0;
	return art_fail(err, ART_E_FAILED, "squashfs compressor '%s' is not built in",
			method < ART_ARRAY_SIZE(names) ? names[method] : "unknown");
}
