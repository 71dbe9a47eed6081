/* SPDX-License-Identifier: Apache-2.0 */
/* An artifact on a web server, through libcurl. Linked by artifact-inspect and by the installer's fetch child only. */
#ifndef ART_HTTP_H
#define ART_HTTP_H

#include "libartifact/source.h"

struct art_http_options {
	const char *user_agent;     /* NULL: twinroot/VERSION */
	const char *proxy;          /* NULL: from the environment as libcurl does */
	const char *ca_file;        /* NULL: the system's */
	const char *client_cert;    /* PEM; NULL: none */
	const char *client_key;
	uint64_t rate;              /* bytes a second, 0: no limit */
	unsigned int connect_timeout; /* seconds; 0: 30 */
	unsigned int stall_timeout; /* seconds below 1 KiB/s in all; 0: 60 */
	unsigned int retries;       /* after a drop, with back-off; 0 means the default, 8 */
	unsigned int first_retries; /* of the first request, until it is answered; 0: the same */
	unsigned int longest_wait;  /* seconds; who asks for more by Retry-After is given up; 0: what it may ask for is cut to 300 */
	unsigned int backoff_ms;    /* first wait, doubled each time up to 60 s; 0: 500 */
	uint64_t first;             /* bytes of the first request; 0: 128 KiB */
	bool parts_only;            /* a server that sends the whole file, or all to its end, for a part of it: ART_E_NET_RANGE */
	/* Called before each wait for the next try; may be NULL. */
	void (*waiting)(void *ctx, const char *why, uint64_t ms);
	void *waiting_ctx;
};

/*
 * A source over URL. Reads in order use one long response (after a first one of 128 KiB, so that a glance at the
 * manifest stays cheap), resumed with Range and If-Range after a drop; a read elsewhere starts a new ranged request. Ranges
 * given to `want` are fetched exactly as they are (those with a gap of at most 512 bytes together), several at once: over HTTP/2 as
 * streams of one connection, else over as many connections as there are lanes (6), one when a rate is set. Memory: 128 KiB a lane. The entity must not change under us (ETag or
 * Last-Modified and length are compared): ART_E_NET. Where a redirect leads to another host, only the length is: mirrors have
 * ETags and dates of their own, and whoever reads authenticates. A server without ranges still serves reads in order
 * (can_seek is false then), else ART_E_NET_RANGE.
 *
 * User, password and query of URL never stand in an error text. Answers 4xx other than 408 and 429 are final, the rest is
 * retried, later when the server says so by Retry-After. A server that was never reached is given up after 3 retries.
 */
int art_http_open(struct art_source **out, const char *url, const struct art_http_options *opt,
		  struct art_err *err);

/* The same in two steps, for a program that gives up rights in between: prepare reads the key files and does not
 * touch the network; start makes the first request, after which size and can_seek of the source are set. */
int art_http_prepare(struct art_source **out, const char *url,
		     const struct art_http_options *opt, struct art_err *err);
int art_http_start(struct art_source *src, struct art_err *err);

/* Let requests under way go on until FD can be read; at once when there are none. */
void art_http_idle(struct art_source *src, int fd);

/* Bytes received in bodies and headers, and requests made so far. */
void art_http_stats(const struct art_source *src, uint64_t *received, uint64_t *requests);

#endif
