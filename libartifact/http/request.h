/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answer; shared by request.c (libcurl) and http.c (the source). */
#ifndef ART_HTTP_REQUEST_H
#define ART_HTTP_REQUEST_H

#include <curl/curl.h>

#include "libartifact/http/http.h"

#define HTTP_BUFFER ((size_t)256 * 1024)
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

struct http {
	struct art_source base;
	struct art_http_options opt; /* strings are our own */
	char *url;                   /* as given, with its secrets */
	char *current;               /* where redirects led; reset after a failure */
	char *shown;
	uint8_t *cert, *key, *ca;    /* read at the start: later there may be no right to */
	size_t cert_len, key_len, ca_len;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;

	/* What the first answer said; later ones must agree. */
	bool known;
	bool no_ranges;
	char etag[256];
	char modified[64];

	/* The running request: plain offsets of the file. */
	bool running, paused, discard, finished;
	bool in_order;     /* it goes on where the reader is: worth reading over the start */
	CURLcode result;
	uint64_t req_off;
	uint64_t req_end;  /* HTTP_UNKNOWN: to the end of the file */
	uint64_t body_end; /* where this body ends */
	uint64_t skip;     /* bytes of the body to drop before NEXT */
	struct http_answer answer;
	struct art_err fault;
	char curl_text[CURL_ERROR_SIZE];

	/* Bytes [next - len, next) of the file are in buf + head. */
	uint64_t next;
	size_t head, len;
	uint8_t buf[HTTP_BUFFER];

	/* Patience. */
	unsigned int failures;
	uint64_t progress;   /* body bytes kept since the last failure */
	uint64_t waited_ms;  /* of the stall window */
	uint64_t window_bytes;
	uint64_t received, requests;

	/* Ranges announced by `want`, in order. */
	struct { uint64_t off, end; } want[64];
	size_t want_count;
	uint64_t target; /* where what is being asked for ends; also over several requests */
	uint64_t window; /* length of a request nobody announced */
};

/* Once for each source: the handle with everything that does not change. */
int http_request_setup(struct http *h, struct art_err *err);
void http_request_free(struct http *h);

/* Ask for [h->next, end). The answer is judged in the callbacks. */
int http_request_start(struct http *h, uint64_t end, struct art_err *err);

/* Let libcurl work, waiting at most TIMEOUT_MS when no byte came. Sets h->finished and h->result. */
int http_request_drive(struct http *h, int timeout_ms, struct art_err *err);

/* Stop a request; the connection is lost unless it was finished. */
void http_request_stop(struct http *h);

/* Go to answer.location: refused from https to http and to other protocols. */
int http_request_redirect(struct http *h, struct art_err *err);

#endif
