/* SPDX-License-Identifier: Apache-2.0 */
/* An artifact on a web server, through libcurl. Linked by artifact-inspect and by the installer's fetch child only. */
#ifndef ART_HTTP_H
#define ART_HTTP_H

#include "libartifact/source.h"

struct art_http_options {
	const char *user_agent;
	const char *proxy;          /* NULL: from the environment as libcurl does */
	const char *ca_file;        /* NULL: the system's */
	const char *client_cert;    /* PEM; NULL: none */
	const char *client_key;
	uint64_t rate;              /* bytes a second, 0: no limit */
	unsigned int connect_timeout; /* seconds; 0: 30 */
	unsigned int stall_timeout; /* seconds below 1 KiB/s; 0: 60 */
	unsigned int retries;       /* after a drop, with back-off; 0 means the default, 8 */
};

/*
 * A source over URL. Sequential reads use one long response, resumed with Range and If-Range after a drop; a read
 * elsewhere starts a new ranged request. The entity must not change under us (ETag or Last-Modified and length are
 * compared): ART_E_NET. A server without ranges still serves reads in order, else ART_E_NET_RANGE.
 */
int art_http_open(struct art_source **out, const char *url, const struct art_http_options *opt,
		  struct art_err *err);

/* Bytes received in bodies and headers, and requests made so far. */
void art_http_stats(const struct art_source *src, uint64_t *received, uint64_t *requests);

/* "http://" or "https://" in front, any case. */
bool art_is_url(const char *text);

#endif
