/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a URL through the network child, libexec/twinroot/artifact-fetch: the only part of the installer that
 * links libcurl, holds the client key and talks to servers. It is believed in nothing: frames have bounded
 * lengths, must belong to a request that was made, and what they carry is authenticated by the reader as ever.
 *
 * The parent holds one end of a socket pair, the child has the other as its standard input. All numbers are
 * little-endian. The parent sends
 *
 *	u32 op, u32 id, u64 offset, u64 length      then, for OPEN, LENGTH bytes of options
 *
 * OPEN (first, once) has a row of `key=value` NUL; WANT announces a range and has no answer; READ asks for one, of at most
 * FETCH_READ_MAX bytes, and up to FETCH_DEPTH may be under way. The child answers in order with
 *
 *	u32 type, u32 id, u32 length, u32 zero      then LENGTH bytes, at most FETCH_FRAME_MAX
 *
 * OPENED: u64 size (all ones: not known), u32 1 if it can seek, u32 zero. READ: frames DATA (at least one byte each), then one
 * END with u64 bytes received from the network and u64 requests made so far; fewer bytes than asked for mean the end of the file. ERROR in
 * place of any of these: u32 the negated error code, then text; the child is of no use after it. NOTE (id 0) between any two frames: u32
 * milliseconds that the child will wait at most before it tries again, then text that says why; at most FETCH_NOTES_MAX in all.
 * The child ends when the socket is closed, and is killed when its parent dies.
 */
#ifndef INSTALLER_FETCH_H
#define INSTALLER_FETCH_H

#include "libartifact/http/http.h"
#include "libartifact/source.h"

#define FETCH_FRAME_MAX 65536
#define FETCH_READ_MAX 262144
#define FETCH_DEPTH 4
#define FETCH_OPTIONS_MAX 16384

enum fetch_op { FETCH_OPEN = 1, FETCH_WANT, FETCH_READ };
enum fetch_type { FETCH_OPENED = 1, FETCH_DATA, FETCH_END, FETCH_ERROR, FETCH_NOTE };
#define FETCH_NOTES_MAX 100000
#define FETCH_REQUEST_SIZE 24
#define FETCH_HEADER_SIZE 16

struct fetch_options {
	struct art_http_options http; /* ca, certificate and key are read before rights are given up */
	const char *program;  /* NULL: LIBEXECDIR/twinroot/artifact-fetch */
	const char *user;     /* whom a child of root becomes; NULL: nobody; "": stays */
	unsigned int silence; /* seconds without a frame until the child is given up; 0: 1800 */
};

/*
 * Start the child and let it make the first request. The source's size and can_seek are as the child says. Any
 * failure of server, network or child is ART_E_NET (ART_E_NET_RANGE where the server has no ranges).
 */
int fetch_source_open(struct art_source **out, const char *url, const struct fetch_options *opt,
		      struct art_err *err);

/* Bytes received from the network, and in REQUESTS (may be NULL) the requests made, as the child counts them. Call it when nothing
 * more is to be read: what is under way is waited for and lost. */
uint64_t fetch_source_received(struct art_source *src, uint64_t *requests);

#endif
