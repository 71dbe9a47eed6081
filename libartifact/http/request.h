/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answer; shared by request.c (libcurl), place.c (where it goes), http.c (which request is made when) and open.c (the source). */
#ifndef ART_HTTP_REQUEST_H
#define ART_HTTP_REQUEST_H

#include <curl/curl.h>

#include "libartifact/http/http.h"

#define HTTP_BUFFER ((size_t)128 * 1024)
#define HTTP_LANES 6
#define HTTP_REDIRECTS 5
#define HTTP_UNKNOWN UINT64_MAX

enum http_verdict {
	HTTP_NOTHING, /* no complete header yet */
	HTTP_ACCEPT,
	HTTP_REDIRECT,
	HTTP_RETRY,   /* the server asks for patience */
	HTTP_PAST_END,
	HTTP_FINAL,   /* http.fault says why */
};

struct http_answer {
	enum http_verdict verdict;
	int status;
	char etag[256];
	char modified[64];
	char location[2048];
	bool encoded;
	bool multipart;
	bool has_range;
	uint64_t first, last, total; /* of Content-Range; total: HTTP_UNKNOWN for '*' */
	uint64_t length;             /* of Content-Length, or HTTP_UNKNOWN */
	size_t header_bytes;
	size_t dropped;              /* body bytes of an answer that is not used */
};

struct http;

/* One request under way, or what has come of it: bytes [next - len, next) of the file are in buf + head. */
struct http_lane {
	struct http *h;
	CURL *easy;
	struct curl_slist *headers;
	uint64_t target;   /* where what this lane is for ends, also over several requests; HTTP_UNKNOWN: at the end of the file */
	bool running, paused, discard, finished;
	CURLcode result;
	uint64_t req_off;
	uint64_t req_end;  /* HTTP_UNKNOWN: to the end of the file */
	uint64_t body_end; /* where this body ends */
	uint64_t skip;     /* bytes of the body to drop before NEXT */
	struct http_answer answer;
	struct art_err fault;
	char curl_text[CURL_ERROR_SIZE];
	uint64_t waited_ms; /* of the stall window */
	uint64_t next;
	size_t head, len;
	uint8_t buf[HTTP_BUFFER];
};

struct http {
	struct art_source base;
	struct art_http_options opt; /* strings are our own */
	char *url;                   /* as given, with its secrets */
	char *current;               /* where redirects led; reset after a failure */
	char *shown;
	uint8_t *cert, *key, *ca;    /* read at the start: later there may be no right to */
	size_t cert_len, key_len, ca_len;
	CURLM *multi;

	/* What the first answer said; later ones must agree. */
	bool known;
	bool no_ranges;
	char *from;                  /* the URL that gave ETag and Last-Modified */
	char etag[256];
	char modified[64];

	struct http_lane lane[HTTP_LANES];
	struct http_lane *queue[HTTP_LANES]; /* those in use, in the order of reading; the reader is in the first */
	size_t queued;
	bool in_order;     /* the first goes on where the reader is: worth reading over the start */

	/* Patience. */
	unsigned int failures;
	uint64_t progress;   /* body bytes kept since the last failure */
	uint64_t window_bytes; /* body bytes of all lanes in the stall window */
	uint64_t received, requests;
	uint64_t rate_start, rate_received;

	/* Ranges announced by `want` and not asked for yet, in order. */
	struct { uint64_t off, end; } want[64];
	size_t want_count;
	uint64_t window; /* length of a request nobody announced */
};

uint64_t http_now_ms(void);

/* Of struct art_source_ops. */
ssize_t http_read_at(struct art_source *src, uint64_t off, void *buf, size_t len,
		     struct art_err *err);
int http_want(struct art_source *src, uint64_t off, uint64_t len, struct art_err *err);

/* Once for each source: the handles with everything that does not change. */
int http_request_setup(struct http *h, struct art_err *err);
void http_request_free(struct http *h);

/* Ask for [l->next, end). The answer is judged in the callbacks. */
int http_request_start(struct http_lane *l, uint64_t end, struct art_err *err);

/* Let libcurl work on all lanes, waiting at most TIMEOUT_MS unless L has bytes or is finished, or FD (if not -1) can be read. Sets
 * finished and result of lanes. */
int http_request_drive(struct http *h, const struct http_lane *l, int fd, int timeout_ms,
		       struct art_err *err);

/* Stop a request; the connection is lost unless it was finished. */
void http_request_stop(struct http_lane *l);

/* Stop all requests and close all connections, those too that wait for the next. What came of them stays. */
int http_request_reconnect(struct http *h, struct art_err *err);

/* Where the lane's last request went, and what its Location is relative to. */
const char *http_asked(const struct http_lane *l);

/* Is URL at another server than the one whose ETag and Last-Modified we know? True when we know none. */
bool http_is_elsewhere(const struct http *h, const char *url);

/* Go to answer.location: refused from https to http and to other protocols. */
int http_request_redirect(struct http_lane *l, struct art_err *err);

#endif
