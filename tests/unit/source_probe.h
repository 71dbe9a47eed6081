/* SPDX-License-Identifier: Apache-2.0 */
/* What the probes of sources share: bytes of a source to stdout, by arguments OFF:LEN and want:OFF:LEN. */
#ifndef SOURCE_PROBE_H
#define SOURCE_PROBE_H

#include <inttypes.h>
#include <stdio.h>

#include "libartifact/source.h"

static uint8_t probe_buf[100000];

static int probe_copy(struct art_source *src, uint64_t off, uint64_t len, struct art_err *err)
{
	while (len > 0) {
		size_t piece = len < sizeof(probe_buf) ? (size_t)len : sizeof(probe_buf);
		ssize_t n = src->ops->read_at(src, off, probe_buf, piece, err);

		if (n < 0)
			return (int)n;
		if (fwrite(probe_buf, 1, (size_t)n, stdout) != (size_t)n)
			return art_fail_errno(err, ART_E_IO, "cannot write");
		if ((size_t)n < piece)
			break;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int probe_one(struct art_source *src, const char *arg, struct art_err *err)
{
	uint64_t off, len;

	if (sscanf(arg, "want:%" SCNu64 ":%" SCNu64, &off, &len) == 2)
		return src->ops->want(src, off, len, err);
	if (sscanf(arg, "%" SCNu64 ":%" SCNu64, &off, &len) == 2)
		return probe_copy(src, off, len, err);
	return art_fail(err, ART_E_USAGE, "'%s' is no range", arg);
}

#endif
