// SPDX-License-Identifier: Apache-2.0
/*
 * Requests through libcurl, and the judgement of answers. Nothing a server says is believed
 * beyond what a header must look like: ranges are those asked for, no more bytes come than
 * announced, the entity stays the same.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <stdio.h>

#include "libartifact/http/request.h"
#include "libartifact/util.h"

#define HEADERS_MAX ((size_t)64 * 1024)
#define DROPPED_MAX ((size_t)64 * 1024)
/* With no range support, a read in the middle may cost this much to get there. */
#define READ_OVER_MAX (16 * ART_MIB)

static int final(struct http *h, int code, const char *text)
{
	h->answer.verdict = HTTP_FINAL;
	return art_fail(&h->fault, code, "'%s': %s", h->shown, text);
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

static int check_same(struct http *h)
{
	struct http_answer *a = &h->answer;
	uint64_t size = whole_length(a);
	bool same = true;

	if (size != HTTP_UNKNOWN && h->base.size != HTTP_UNKNOWN && size != h->base.size)
		same = false;
	else if (h->etag[0] && a->etag[0])
		same = strcmp(h->etag, a->etag) == 0;
	else if (h->modified[0] && a->modified[0])
		same = strcmp(h->modified, a->modified) == 0;
	if (!same)
		return final(h, ART_E_NET, "the file was changed on the server while it was read");
	return 0;
}

static int judge_partial(struct http *h)
{
	struct http_answer *a = &h->answer;
	char text[200];

	if (a->multipart || !a->has_range || a->total == HTTP_UNKNOWN)
		return final(h, ART_E_NET_RANGE, "the server's answer to a range request "
			     "does not say which bytes it holds");
	if (a->first != h->req_off || a->last < a->first || a->last >= a->total ||
	    (a->length != HTTP_UNKNOWN && a->length != a->last - a->first + 1)) {
		snprintf(text, sizeof(text), "the server answered a request for bytes from %" PRIu64
			 " with bytes %" PRIu64 "-%" PRIu64 " of %" PRIu64, h->req_off,
			 a->first, a->last, a->total);
		return final(h, ART_E_NET_RANGE, text);
	}
	h->body_end = a->last + 1;
	return 0;
}

static int judge_whole(struct http *h)
{
	if (h->req_off > READ_OVER_MAX && !h->in_order)
		return final(h, ART_E_NET_RANGE, "the server cannot serve ranges");
	h->skip += h->req_off;
	h->body_end = h->answer.length;
	return 0;
}

static int judge_content(struct http *h)
{
	struct http_answer *a = &h->answer;
	int code;

	if (a->encoded)
		return final(h, ART_E_NET, "the server sends the file compressed "
			     "(Content-Encoding), which was not asked for");
	if (h->known && check_same(h) < 0)
		return h->fault.code;
	code = a->status == 206 ? judge_partial(h) : judge_whole(h);
	if (code < 0)
		return code;
	if (!h->known) {
		h->known = true;
		h->no_ranges = a->status != 206;
		h->base.can_seek = !h->no_ranges;
		strcpy(h->etag, a->etag);
		strcpy(h->modified, a->modified);
	}
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
static void judge(struct http *h)
{
	struct http_answer *a = &h->answer;
	char text[80];

	switch (a->status) {
	case 200:
	case 206:
		judge_content(h);
		return;
	case 301: case 302: case 303: case 307: case 308:
		a->verdict = HTTP_REDIRECT;
		return;
	case 408: case 429:
		a->verdict = HTTP_RETRY;
		return;
	case 416:
		/* An empty file has no first byte that could be asked for. */
		if (!h->known && h->req_off == 0) {
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
	final(h, a->status == 416 ? ART_E_NET_RANGE : ART_E_NET, text);
}

static void new_answer(struct http *h, const char *line)
{
	struct http_answer *a = &h->answer;
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
	struct http *h = ctx;
	struct http_answer *a = &h->answer;
	size_t len = size * count;
	char line[2300];
	char *value;

	h->received += len;
	a->header_bytes += len;
	if (a->header_bytes > HEADERS_MAX) {
		final(h, ART_E_NET, "the server's answer has too many headers");
		return 0;
	}
	if (len >= sizeof(line))
		return len;
	memcpy(line, bytes, len);
	line[len] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (strncmp(line, "HTTP/", 5) == 0) {
		new_answer(h, line);
	} else if (line[0] == '\0') {
		/* 1xx is followed by the real answer; a trailer's end is judged already. */
		if (a->status >= 200 && a->verdict == HTTP_NOTHING)
			judge(h);
		return a->verdict == HTTP_FINAL ? 0 : len;
	} else if (a->verdict == HTTP_NOTHING && (value = strchr(line, ':')) != NULL) {
		*value++ = '\0';
		value += strspn(value, " \t");
		value[strcspn(value, "\r\n")] = '\0';
		parse_header(a, line, value);
	}
	return len;
}

static size_t room(struct http *h)
{
	if (h->len == 0)
		h->head = 0;
	if (h->head > 0 && HTTP_BUFFER - h->head - h->len < HTTP_BUFFER / 4) {
		memmove(h->buf, h->buf + h->head, h->len);
		h->head = 0;
	}
	return HTTP_BUFFER - h->head - h->len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
	struct http *h = ctx;
	size_t len = size * count;
	size_t drop;

	if (h->answer.verdict != HTTP_ACCEPT) {
		h->received += len;
		h->answer.dropped += len;
		return h->answer.dropped > DROPPED_MAX ? 0 : len;
	}
	if (h->discard) {
		h->received += len;
		return len;
	}
	if (h->body_end != HTTP_UNKNOWN && len > h->body_end - (h->next - h->skip)) {
		final(h, ART_E_NET, "the server sent more bytes than it announced");
		return 0;
	}
	drop = h->skip < len ? (size_t)h->skip : len;
	if (len - drop > room(h)) {
		h->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	h->received += len;
	h->window_bytes += len;
	h->skip -= drop;
	memcpy(h->buf + h->head + h->len, bytes + drop, len - drop);
	h->len += len - drop;
	h->next += len - drop;
	h->progress += len - drop;
	return len;
}

static bool set_blob(CURL *easy, CURLoption option, uint8_t *bytes, size_t len)
{
	struct curl_blob blob = { bytes, len, CURL_BLOB_NOCOPY };

	return curl_easy_setopt(easy, option, &blob) == CURLE_OK;
}

#define SET(option, value) \
	(ok = ok && curl_easy_setopt(h->easy, option, value) == CURLE_OK)

static bool set_security(struct http *h)
{
	bool ok = true;

	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (h->ca)
		ok = ok && set_blob(h->easy, CURLOPT_CAINFO_BLOB, h->ca, h->ca_len);
	if (h->cert)
		ok = ok && set_blob(h->easy, CURLOPT_SSLCERT_BLOB, h->cert, h->cert_len);
	if (h->key)
		ok = ok && set_blob(h->easy, CURLOPT_SSLKEY_BLOB, h->key, h->key_len);
	if (h->opt.proxy)
		SET(CURLOPT_PROXY, h->opt.proxy);
	return ok;
}

static bool set_transfer(struct http *h)
{
	bool ok = true;

	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_USERAGENT, h->opt.user_agent);
	SET(CURLOPT_CONNECTTIMEOUT, (long)h->opt.connect_timeout);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	if (h->opt.rate)
		SET(CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)h->opt.rate);
	SET(CURLOPT_ERRORBUFFER, h->curl_text);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, h);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, h);
	return ok;
}

int http_request_setup(struct http *h, struct art_err *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return art_fail(err, ART_E_FAILED, "cannot start libcurl");
	h->multi = curl_multi_init();
	h->easy = curl_easy_init();
	if (!h->multi || !h->easy)
		return art_fail_memory(err);
	if (!set_security(h) || !set_transfer(h))
		return art_fail(err, ART_E_FAILED, "cannot set up libcurl: an option is not known to it");
	return 0;
}

void http_request_free(struct http *h)
{
	http_request_stop(h);
	curl_easy_cleanup(h->easy);
	if (h->multi)
		curl_multi_cleanup(h->multi);
	curl_slist_free_all(h->headers);
}

static bool add_header(struct http *h, const char *line)
{
	struct curl_slist *list = curl_slist_append(h->headers, line);

	if (list)
		h->headers = list;
	return list != NULL;
}

static int set_headers(struct http *h, uint64_t end, struct art_err *err)
{
	char line[300];
	bool ok;

	curl_slist_free_all(h->headers);
	h->headers = NULL;
	ok = add_header(h, "Accept-Encoding: identity");
	if (h->no_ranges) {
		h->req_off = 0;
	} else if (end == HTTP_UNKNOWN) {
		snprintf(line, sizeof(line), "Range: bytes=%" PRIu64 "-", h->req_off);
		ok = ok && add_header(h, line);
	} else {
		snprintf(line, sizeof(line), "Range: bytes=%" PRIu64 "-%" PRIu64, h->req_off,
			 end - 1);
		ok = ok && add_header(h, line);
	}
	/* A weak ETag must not stand in If-Range; check_same() compares in any case. */
	if (ok && h->known && !h->no_ranges && (h->etag[0] == '"' || h->modified[0])) {
		snprintf(line, sizeof(line), "If-Range: %s",
			 h->etag[0] == '"' ? h->etag : h->modified);
		ok = add_header(h, line);
	}
	if (!ok || curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers) != CURLE_OK)
		return art_fail_memory(err);
	return 0;
}

int http_request_start(struct http *h, uint64_t end, struct art_err *err)
{
	int code;

	http_request_stop(h);
	memset(&h->answer, 0, sizeof(h->answer));
	h->req_off = h->next;
	h->req_end = end;
	h->skip = 0;
	h->body_end = HTTP_UNKNOWN;
	h->curl_text[0] = '\0';
	h->waited_ms = 0;
	h->window_bytes = 0;
	code = set_headers(h, end, err);
	if (code < 0)
		return code;
	/* Without ranges the body begins at 0, wherever we are. */
	if (h->no_ranges)
		h->skip = h->next;
	if (curl_easy_setopt(h->easy, CURLOPT_URL, h->current) != CURLE_OK ||
	    curl_multi_add_handle(h->multi, h->easy) != CURLM_OK)
		return art_fail_memory(err);
	h->running = true;
	h->requests++;
	return 0;
}

int http_request_drive(struct http *h, int timeout_ms, struct art_err *err)
{
	CURLMsg *msg;
	int active, left;
	CURLMcode code;

	if (h->paused && room(h) >= HTTP_BUFFER / 4) {
		h->paused = false;
		curl_easy_pause(h->easy, CURLPAUSE_CONT);
	}
	code = curl_multi_perform(h->multi, &active);
	while (code == CURLM_OK && (msg = curl_multi_info_read(h->multi, &left)) != NULL) {
		if (msg->msg == CURLMSG_DONE) {
			h->result = msg->data.result;
			h->finished = true;
		}
	}
	if (code == CURLM_OK && !h->finished && h->len == 0)
		code = curl_multi_poll(h->multi, NULL, 0, timeout_ms, NULL);
	if (code != CURLM_OK)
		return art_fail(err, ART_E_NET, "'%s': libcurl: %s", h->shown,
				curl_multi_strerror(code));
	return 0;
}

void http_request_stop(struct http *h)
{
	if (h->running)
		curl_multi_remove_handle(h->multi, h->easy);
	h->running = false;
	h->paused = false;
	h->finished = false;
}

static int check_redirect(struct http *h, const char *to, struct art_err *err)
{
	if (!art_is_url(to))
		return art_fail(err, ART_E_NET, "'%s': the server redirects to an address that is "
				"not http or https", h->shown);
	if (strncasecmp(h->current, "https:", 6) == 0 && strncasecmp(to, "https:", 6) != 0)
		return art_fail(err, ART_E_NET, "'%s': the server redirects from https to http, "
				"which is refused", h->shown);
	return 0;
}

int http_request_redirect(struct http *h, struct art_err *err)
{
	CURLU *url = curl_url();
	char *to = NULL;
	char *copy = NULL;
	int code;

	if (!url)
		return art_fail_memory(err);
	if (curl_url_set(url, CURLUPART_URL, h->current, 0) != CURLUE_OK ||
	    h->answer.location[0] == '\0' ||
	    curl_url_set(url, CURLUPART_URL, h->answer.location, CURLU_NON_SUPPORT_SCHEME) !=
	    CURLUE_OK || curl_url_get(url, CURLUPART_URL, &to, 0) != CURLUE_OK)
		code = art_fail(err, ART_E_NET, "'%s': the server redirects to no usable address",
				h->shown);
	else
		code = check_redirect(h, to, err);
	if (code == 0) {
		copy = strdup(to);
		code = copy ? 0 : art_fail_memory(err);
	}
	if (code == 0) {
		free(h->current);
		h->current = copy;
	}
	curl_free(to);
	curl_url_cleanup(url);
	return code;
}
