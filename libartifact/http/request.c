// SPDX-License-Identifier: Apache-2.0
/*
 * Requests through libcurl, and the judgement of answers. Nothing a server says is believed
 * beyond what a header must look like: ranges are those asked for, no more bytes come than
 * announced, the entity of one server stays the same.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <stdio.h>
#include <unistd.h>

#include "libartifact/http/request.h"
#include "libartifact/util.h"

#define HEADERS_MAX ((size_t)64 * 1024)
#define DROPPED_MAX ((size_t)64 * 1024)
/* With no range support, a read in the middle may cost this much to get there. */
#define READ_OVER_MAX (16 * ART_MIB)

static int final(struct http_lane *l, int code, const char *text)
{
	l->answer.verdict = HTTP_FINAL;
	return art_fail(&l->fault, code, "'%s': %s", l->h->shown, text);
}

/* "bytes 0-99/1000", "bytes 0-99/" "*" or "bytes " "*" "/1000". */
static void parse_range(struct http_answer *a, const char *value)
{
	const char *total = strchr(value, '/');
	char end;

	a->total = HTTP_UNKNOWN;
	if (strncasecmp(value, "bytes ", 6) != 0 || !total)
		return;
	if (total[1] != '*' && sscanf(total + 1, "%" SCNu64, &a->total) != 1)
		return;
	a->has_range = sscanf(value + 6, "%" SCNu64 "-%" SCNu64 "%c", &a->first, &a->last,
			      &end) == 3 && end == '/';
}

static void copy_value(char *out, size_t size, const char *value)
{
	/* A value that does not fit is no use as a validator or address. */
	if (strlen(value) < size)
		strcpy(out, value);
}

static void parse_header(struct http_answer *a, const char *name, const char *value)
{
	if (strcasecmp(name, "etag") == 0)
		copy_value(a->etag, sizeof(a->etag), value);
	else if (strcasecmp(name, "last-modified") == 0)
		copy_value(a->modified, sizeof(a->modified), value);
	else if (strcasecmp(name, "location") == 0)
		copy_value(a->location, sizeof(a->location), value);
	else if (strcasecmp(name, "content-encoding") == 0)
		a->encoded = strcasecmp(value, "identity") != 0;
	else if (strcasecmp(name, "content-type") == 0)
		a->multipart = strncasecmp(value, "multipart/byteranges", 20) == 0;
	else if (strcasecmp(name, "content-range") == 0)
		parse_range(a, value);
	else if (strcasecmp(name, "content-length") == 0 &&
		 sscanf(value, "%" SCNu64, &a->length) != 1)
		a->length = HTTP_UNKNOWN;
}

/* The length of the whole file, as far as this answer tells it. */
static uint64_t whole_length(const struct http_answer *a)
{
	return a->status == 206 ? a->total : a->length;
}

static int check_same(struct http_lane *l)
{
	const struct http *h = l->h;
	struct http_answer *a = &l->answer;
	uint64_t size = whole_length(a);
	bool same = true;

	if (size != HTTP_UNKNOWN && h->base.size != HTTP_UNKNOWN && size != h->base.size)
		same = false;
	else if (http_is_elsewhere(h, http_asked(l)))
		same = true; /* another mirror has another ETag and another date */
	else if (h->etag[0] && a->etag[0])
		same = strcmp(h->etag, a->etag) == 0;
	else if (h->modified[0] && a->modified[0])
		same = strcmp(h->modified, a->modified) == 0;
	if (!same)
		return final(l, ART_E_NET, "the file was changed on the server while it was read");
	return 0;
}

static int judge_partial(struct http_lane *l)
{
	struct http_answer *a = &l->answer;
	char text[200];

	if (a->multipart || !a->has_range || a->total == HTTP_UNKNOWN)
		return final(l, ART_E_NET_RANGE, "the server's answer to a range request "
			     "does not say which bytes it holds");
	if (a->first != l->req_off || a->last < a->first || a->last >= a->total ||
	    (a->length != HTTP_UNKNOWN && a->length != a->last - a->first + 1) ||
	    (l->h->opt.parts_only && a->last >= l->req_end)) {
		snprintf(text, sizeof(text), "the server answered a request for bytes from %" PRIu64
			 "%s with bytes %" PRIu64 "-%" PRIu64 " of %" PRIu64, l->req_off,
			 a->first == l->req_off && a->last >= l->req_end ? ", and not to the end of the file," : "", a->first,
			 a->last, a->total);
		return final(l, ART_E_NET_RANGE, text);
	}
	l->body_end = a->last + 1;
	return 0;
}

/*
 * The whole file in answer to a request for a part of it. Once is how a server without ranges shows; one that had them and has
 * them no more is read from the front as well, once, and not for each part that is still missing.
 */
static int judge_whole(struct http_lane *l)
{
	struct http *h = l->h;

	if (h->opt.parts_only)
		return final(l, ART_E_NET_RANGE, "the server sends the whole file instead of the part "
			     "that was asked for, and a full download is not allowed");
	if (h->known && !h->no_ranges && l != h->queue[0]) {
		h->no_ranges = true;
		return ART_E_NET_RANGE;
	}
	if (l->req_off > READ_OVER_MAX && !h->in_order)
		return final(l, ART_E_NET_RANGE, "the server cannot serve ranges");
	h->no_ranges |= h->known;
	l->target = HTTP_UNKNOWN;
	l->skip += l->req_off;
	l->body_end = l->answer.length;
	return 0;
}

/* What the next answers from there must have too. */
static int note_entity(struct http_lane *l)
{
	struct http *h = l->h;
	char *from = strdup(http_asked(l));

	if (!from)
		return final(l, ART_E_NO_MEMORY, "out of memory");
	free(h->from);
	h->from = from;
	strcpy(h->etag, l->answer.etag);
	strcpy(h->modified, l->answer.modified);
	return 0;
}

static int judge_content(struct http_lane *l)
{
	struct http *h = l->h;
	struct http_answer *a = &l->answer;
	int code;

	if (a->encoded)
		return final(l, ART_E_NET, "the server sends the file compressed "
			     "(Content-Encoding), which was not asked for");
	if (h->known && check_same(l) < 0)
		return l->fault.code;
	code = a->status == 206 ? judge_partial(l) : judge_whole(l);
	if (code < 0)
		return code;
	if (!h->known) {
		h->known = true;
		h->no_ranges = a->status != 206;
		h->base.can_seek = !h->no_ranges;
	}
	if (http_is_elsewhere(h, http_asked(l)) && note_entity(l) < 0)
		return l->fault.code;
	if (h->base.size == HTTP_UNKNOWN)
		h->base.size = whole_length(a);
	a->verdict = HTTP_ACCEPT;
	return 0;
}

static const char *status_words(int status)
{
	switch (status) {
	case 401: return " (authentication is required)";
	case 403: return " (forbidden)";
	case 404: return " (not found)";
	case 407: return " (the proxy asks for authentication)";
	case 410: return " (gone)";
	case 416: return " (range not satisfiable)";
	}
	return "";
}

/* All headers are there. */
static void judge(struct http_lane *l)
{
	struct http_answer *a = &l->answer;
	char text[80];

	switch (a->status) {
	case 200:
	case 206:
		judge_content(l);
		return;
	case 301: case 302: case 303: case 307: case 308:
		a->verdict = HTTP_REDIRECT;
		return;
	case 408: case 429:
		a->verdict = HTTP_RETRY;
		return;
	case 416:
		/* An empty file has no first byte that could be asked for. */
		if (!l->h->known && l->req_off == 0) {
			a->verdict = HTTP_PAST_END;
			return;
		}
		break;
	}
	if (a->status >= 500 && a->status <= 599) {
		a->verdict = HTTP_RETRY;
		return;
	}
	snprintf(text, sizeof(text), "the server answered %d%s", a->status,
		 status_words(a->status));
	final(l, a->status == 416 ? ART_E_NET_RANGE : ART_E_NET, text);
}

static void new_answer(struct http_lane *l, const char *line)
{
	struct http_answer *a = &l->answer;
	size_t seen = a->header_bytes;

	memset(a, 0, sizeof(*a));
	a->header_bytes = seen;
	a->length = HTTP_UNKNOWN;
	a->total = HTTP_UNKNOWN;
	if (sscanf(line, "HTTP/%*s %d", &a->status) != 1)
		a->status = 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
	struct http_lane *l = ctx;
	struct http *h = l->h;
	struct http_answer *a = &l->answer;
	size_t len = size * count;
	char line[2300];
	char *value;

	h->received += len;
	a->header_bytes += len;
	if (a->header_bytes > HEADERS_MAX) {
		final(l, ART_E_NET, "the server's answer has too many headers");
		return 0;
	}
	if (len >= sizeof(line))
		return len;
	memcpy(line, bytes, len);
	line[len] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (strncmp(line, "HTTP/", 5) == 0) {
		new_answer(l, line);
	} else if (line[0] == '\0') {
		/* 1xx is followed by the real answer; a trailer's end is judged already. */
		if (a->status >= 200 && a->verdict == HTTP_NOTHING)
			judge(l);
		return a->verdict == HTTP_FINAL ? 0 : len;
	} else if (a->verdict == HTTP_NOTHING && (value = strchr(line, ':')) != NULL) {
		*value++ = '\0';
		value += strspn(value, " \t");
		value[strcspn(value, "\r\n")] = '\0';
		parse_header(a, line, value);
	}
	return len;
}

static size_t room(struct http_lane *l)
{
	if (l->len == 0)
		l->head = 0;
	if (l->head > 0 && HTTP_BUFFER - l->head - l->len < HTTP_BUFFER / 4) {
		memmove(l->buf, l->buf + l->head, l->len);
		l->head = 0;
	}
	return HTTP_BUFFER - l->head - l->len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
	struct http_lane *l = ctx;
	struct http *h = l->h;
	size_t len = size * count;
	size_t drop;

	if (l->answer.verdict != HTTP_ACCEPT) {
		h->received += len;
		l->answer.dropped += len;
		return l->answer.dropped > DROPPED_MAX ? 0 : len;
	}
	if (l->discard) {
		h->received += len;
		return len;
	}
	if (l->body_end != HTTP_UNKNOWN && len > l->body_end - (l->next - l->skip)) {
		final(l, ART_E_NET, "the server sent more bytes than it announced");
		return 0;
	}
	drop = l->skip < len ? (size_t)l->skip : len;
	if (len - drop > room(l)) {
		l->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	h->received += len;
	h->window_bytes += len;
	l->skip -= drop;
	memcpy(l->buf + l->head + l->len, bytes + drop, len - drop);
	l->len += len - drop;
	l->next += len - drop;
	h->progress += len - drop;
	return len;
}

static bool set_blob(CURL *easy, CURLoption option, uint8_t *bytes, size_t len)
{
	struct curl_blob blob = { bytes, len, CURL_BLOB_NOCOPY };

	return curl_easy_setopt(easy, option, &blob) == CURLE_OK;
}

#define SET(option, value) \
	(ok = ok && curl_easy_setopt(l->easy, option, value) == CURLE_OK)

static bool set_security(struct http_lane *l)
{
	struct http *h = l->h;
	bool ok = true;

	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (h->ca)
		ok = ok && set_blob(l->easy, CURLOPT_CAINFO_BLOB, h->ca, h->ca_len);
	if (h->cert)
		ok = ok && set_blob(l->easy, CURLOPT_SSLCERT_BLOB, h->cert, h->cert_len);
	if (h->key)
		ok = ok && set_blob(l->easy, CURLOPT_SSLKEY_BLOB, h->key, h->key_len);
	if (h->opt.proxy)
		SET(CURLOPT_PROXY, h->opt.proxy);
	return ok;
}

static bool set_transfer(struct http_lane *l)
{
	struct http *h = l->h;
	bool ok = true;

	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	/* A stream of the connection that is there, before a connection more. */
	SET(CURLOPT_PIPEWAIT, 1L);
	SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_USERAGENT, h->opt.user_agent);
	SET(CURLOPT_CONNECTTIMEOUT, (long)h->opt.connect_timeout);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	if (h->opt.rate)
		SET(CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)h->opt.rate);
	SET(CURLOPT_ERRORBUFFER, l->curl_text);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, l);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, l);
	SET(CURLOPT_PRIVATE, l);
	return ok;
}

int http_request_setup(struct http *h, struct art_err *err)
{
	size_t i;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return art_fail(err, ART_E_FAILED, "cannot start libcurl");
	h->multi = curl_multi_init();
	if (!h->multi)
		return art_fail_memory(err);
	for (i = 0; i < HTTP_LANES; i++) {
		struct http_lane *l = &h->lane[i];

		l->h = h;
		l->easy = curl_easy_init();
		if (!l->easy)
			return art_fail_memory(err);
		if (!set_security(l) || !set_transfer(l))
			return art_fail(err, ART_E_FAILED,
					"cannot set up libcurl: an option is not known to it");
	}
	return 0;
}

void http_request_free(struct http *h)
{
	size_t i;

	for (i = 0; i < HTTP_LANES; i++) {
		struct http_lane *l = &h->lane[i];

		http_request_stop(l);
		curl_easy_cleanup(l->easy);
		curl_slist_free_all(l->headers);
	}
	if (h->multi)
		curl_multi_cleanup(h->multi);
}

static bool add_header(struct http_lane *l, const char *line)
{
	struct curl_slist *list = curl_slist_append(l->headers, line);

	if (list)
		l->headers = list;
	return list != NULL;
}

static int set_headers(struct http_lane *l, uint64_t end, struct art_err *err)
{
	const struct http *h = l->h;
	char line[300];
	bool ok;

	curl_slist_free_all(l->headers);
	l->headers = NULL;
	ok = add_header(l, "Accept-Encoding: identity");
	if (h->no_ranges) {
		l->req_off = 0;
	} else if (end == HTTP_UNKNOWN) {
		snprintf(line, sizeof(line), "Range: bytes=%" PRIu64 "-", l->req_off);
		ok = ok && add_header(l, line);
	} else {
		snprintf(line, sizeof(line), "Range: bytes=%" PRIu64 "-%" PRIu64, l->req_off,
			 end - 1);
		ok = ok && add_header(l, line);
	}
	/* A weak ETag must not stand in If-Range; check_same() compares in any case. */
	if (ok && h->known && !h->no_ranges && !http_is_elsewhere(h, h->current) &&
	    (h->etag[0] == '"' || h->modified[0])) {
		snprintf(line, sizeof(line), "If-Range: %s",
			 h->etag[0] == '"' ? h->etag : h->modified);
		ok = add_header(l, line);
	}
	if (!ok || curl_easy_setopt(l->easy, CURLOPT_HTTPHEADER, l->headers) != CURLE_OK)
		return art_fail_memory(err);
	return 0;
}

int http_request_start(struct http_lane *l, uint64_t end, struct art_err *err)
{
	int code;

	http_request_stop(l);
	memset(&l->answer, 0, sizeof(l->answer));
	l->req_off = l->next;
	l->req_end = end;
	l->skip = 0;
	l->body_end = HTTP_UNKNOWN;
	l->curl_text[0] = '\0';
	l->waited_ms = 0;
	code = set_headers(l, end, err);
	if (code < 0)
		return code;
	/* Without ranges the body begins at 0, wherever we are. */
	if (l->h->no_ranges)
		l->skip = l->next;
	if (curl_easy_setopt(l->easy, CURLOPT_URL, l->h->current) != CURLE_OK ||
	    curl_multi_add_handle(l->h->multi, l->easy) != CURLM_OK)
		return art_fail_memory(err);
	l->running = true;
	l->h->requests++;
	return 0;
}

static void resume_paused(struct http *h)
{
	size_t i;

	for (i = 0; i < HTTP_LANES; i++) {
		struct http_lane *l = &h->lane[i];

		if (!l->paused || room(l) < HTTP_BUFFER / 4)
			continue;
		l->paused = false;
		curl_easy_pause(l->easy, CURLPAUSE_CONT);
	}
}

/* Milliseconds until more may be received at the rate that is allowed; requests of a few KiB are too short for libcurl's own limit. */
static int must_wait(struct http *h)
{
	uint64_t now = http_now_ms(), due;

	if (!h->opt.rate)
		return 0;
	due = h->rate_start + (h->received - h->rate_received) * 1000 / h->opt.rate;
	if (now > due + 1000) {
		/* What was not used is gone. */
		h->rate_start = now;
		h->rate_received = h->received;
	}
	return due <= now ? 0 : due - now < 1000 ? (int)(due - now) : 1000;
}

int http_request_drive(struct http *h, const struct http_lane *l, int fd, int timeout_ms,
		       struct art_err *err)
{
	struct curl_waitfd extra = { fd, CURL_WAIT_POLLIN, 0 };
	int active, left, wait = must_wait(h);
	CURLMcode code = CURLM_OK;
	CURLMsg *msg;

	resume_paused(h);
	if (wait > 0)
		timeout_ms = wait < timeout_ms ? wait : timeout_ms;
	else
		code = curl_multi_perform(h->multi, &active);
	while (code == CURLM_OK && (msg = curl_multi_info_read(h->multi, &left)) != NULL) {
		struct http_lane *done = NULL;

		if (msg->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &done) != CURLE_OK)
			continue;
		done->result = msg->data.result;
		done->finished = true;
	}
	if (wait > 0)
		usleep((useconds_t)timeout_ms * 1000);
	else if (code == CURLM_OK && !(l && (l->finished || l->len > 0)))
		code = curl_multi_poll(h->multi, &extra, fd >= 0, timeout_ms, NULL);
	if (code != CURLM_OK)
		return art_fail(err, ART_E_NET, "'%s': libcurl: %s", h->shown,
				curl_multi_strerror(code));
	return 0;
}

void http_request_stop(struct http_lane *l)
{
	if (l->running)
		curl_multi_remove_handle(l->h->multi, l->easy);
	l->running = false;
	l->paused = false;
	l->finished = false;
}

int http_request_reconnect(struct http *h, struct art_err *err)
{
	size_t i;

	for (i = 0; i < HTTP_LANES; i++)
		http_request_stop(&h->lane[i]);
	curl_multi_cleanup(h->multi);
	h->multi = curl_multi_init();
	return h->multi ? 0 : art_fail_memory(err);
}
