// SPDX-License-Identifier: Apache-2.0
/*
 * A source over http(s): which request is made when, and patience with servers and networks
 * that fail. What is read is not authenticated; here it is only made sure that all bytes are of
 * one and the same file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include "config.h"
#include "libartifact/http/request.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define FIRST_WINDOW (128 * ART_KIB)
/* Reading over so much is cheaper than a new request. */
#define NEAR (64 * ART_KIB)
#define SLOW_PER_SECOND 1024
#define BACKOFF_MAX_MS 60000
#define RETRY_AFTER_MAX_S 300
#define FIRST_CONTACT_RETRIES 3
#define KEY_FILE_MAX ((size_t)256 * 1024)
#define CA_FILE_MAX ((size_t)4 * 1024 * 1024)

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Between half of MS and MS, so that a fleet does not come back in step. */
static void sleep_about(uint64_t ms)
{
	struct timespec ts;
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint32_t)now_ms();
	ms = ms / 2 + random % (ms / 2 + 1);
	ts.tv_sec = (time_t)(ms / 1000);
	ts.tv_nsec = (long)(ms % 1000) * 1000000;
	nanosleep(&ts, NULL);
}

/* Faults that another try cannot mend. */
static bool is_final(CURLcode result)
{
	switch (result) {
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_OUT_OF_MEMORY:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return true;
	default:
		return false;
	}
}

static const char *curl_words(const struct http *h)
{
	return h->curl_text[0] ? h->curl_text : curl_easy_strerror(h->result);
}

static int give_up(struct http *h, const char *why, struct art_err *err)
{
	return art_fail(err, ART_E_NET, "'%s': %s; gave up after %u retries", h->shown, why,
			h->failures - 1);
}

/* Something failed that may pass: wait, and forget where redirects led. */
static int wait_to_retry(struct http *h, const char *why, struct art_err *err)
{
	unsigned int limit = h->opt.retries;
	uint64_t ms = h->opt.backoff_ms;
	curl_off_t after = 0;
	char *again;

	if (!h->known && h->answer.verdict == HTTP_NOTHING && limit > FIRST_CONTACT_RETRIES)
		limit = FIRST_CONTACT_RETRIES;
	if (h->progress >= NEAR)
		h->failures = 0;
	h->progress = 0;
	if (++h->failures > limit)
		return give_up(h, why, err);
	for (unsigned int i = 1; i < h->failures && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	if (h->answer.verdict == HTTP_RETRY &&
	    curl_easy_getinfo(h->easy, CURLINFO_RETRY_AFTER, &after) == CURLE_OK && after > 0) {
		if (after > RETRY_AFTER_MAX_S)
			after = RETRY_AFTER_MAX_S;
		/* Twice, since half of it may be taken off: never earlier than asked for. */
		if (ms < (uint64_t)after * 2000)
			ms = (uint64_t)after * 2000;
	}
	http_request_stop(h);
	again = strdup(h->url);
	if (!again)
		return art_fail_memory(err);
	free(h->current);
	h->current = again;
	sleep_about(ms);
	return 0;
}

/* A request has ended. 0: go on with what is missing. */
static int settle(struct http *h, unsigned int *redirects, struct art_err *err)
{
	char why[CURL_ERROR_SIZE + 40];

	switch (h->answer.verdict) {
	case HTTP_FINAL:
		http_request_stop(h);
		if (err)
			*err = h->fault;
		return h->fault.code;
	case HTTP_PAST_END:
		h->known = true;
		h->base.size = 0;
		http_request_stop(h);
		return 0;
	case HTTP_REDIRECT:
		if (++*redirects > HTTP_REDIRECTS)
			return art_fail(err, ART_E_NET, "'%s': more than %d redirects", h->shown,
					HTTP_REDIRECTS);
		http_request_stop(h);
		return http_request_redirect(h, err);
	case HTTP_RETRY:
		snprintf(why, sizeof(why), "the server answered %d", h->answer.status);
		return wait_to_retry(h, why, err);
	case HTTP_ACCEPT:
		if (h->result != CURLE_OK || h->skip > 0 ||
		    (h->body_end != HTTP_UNKNOWN && h->next < h->body_end))
			break;
		if (h->base.size == HTTP_UNKNOWN)
			h->base.size = h->next;
		http_request_stop(h);
		return 0;
	case HTTP_NOTHING:
		break;
	}
	if (h->result == CURLE_OK)
		h->result = CURLE_PARTIAL_FILE;
	if (is_final(h->result))
		return art_fail(err, ART_E_NET, "'%s': %s", h->shown, curl_words(h));
	snprintf(why, sizeof(why), "%s", curl_words(h));
	return wait_to_retry(h, why, err);
}

/* True when the last STALL_TIMEOUT seconds of waiting brought less than 1 KiB each. */
static bool is_stalled(struct http *h, uint64_t ms)
{
	uint64_t slow = SLOW_PER_SECOND;
	uint64_t wanted;

	if (h->opt.rate && h->opt.rate / 2 < slow)
		slow = h->opt.rate / 2;
	wanted = slow * h->opt.stall_timeout;
	h->waited_ms += ms;
	if (h->window_bytes > 0 && h->window_bytes >= wanted) {
		h->waited_ms = 0;
		h->window_bytes = 0;
	}
	return h->waited_ms >= (uint64_t)h->opt.stall_timeout * 1000;
}

/* Wait until the running request gave bytes, or ended. */
static int pump(struct http *h, struct art_err *err)
{
	char why[80];
	uint64_t start;
	int code;

	do {
		start = now_ms();
		code = http_request_drive(h, 500, err);
		if (code < 0)
			return code;
		if (h->finished || h->len > 0)
			return 0;
	} while (!is_stalled(h, now_ms() - start));
	snprintf(why, sizeof(why), "less than %d bytes a second for %u seconds",
		 SLOW_PER_SECOND, h->opt.stall_timeout);
	return wait_to_retry(h, why, err);
}

/* The announced range that H->NEXT lies in, with the near ones after it; or the window. */
static uint64_t request_end(struct http *h)
{
	uint64_t end = 0;
	size_t used = 0;

	for (size_t i = 0; i < h->want_count; i++) {
		uint64_t reach = end ? end : h->next;

		if (h->want[i].off > reach + (end ? NEAR : 0) ||
		    (!end && h->want[i].end <= h->next)) {
			if (end)
				break;
			continue;
		}
		if (h->want[i].end > end)
			end = h->want[i].end;
		used = i + 1;
	}
	if (end) {
		h->want_count -= used;
		memmove(h->want, h->want + used, h->want_count * sizeof(h->want[0]));
	} else if (h->window != HTTP_UNKNOWN) {
		end = h->next + h->window;
		/* Who reads on to its end reads in order: one long answer from there. */
		h->window = HTTP_UNKNOWN;
	} else {
		return HTTP_UNKNOWN;
	}
	return h->base.size != HTTP_UNKNOWN && end >= h->base.size ? HTTP_UNKNOWN : end;
}

static bool at_end(const struct http *h)
{
	return h->known && h->base.size != HTTP_UNKNOWN && h->next >= h->base.size;
}

/* Bytes into the buffer: 1; the end of the file: 0. */
static int fill(struct http *h, struct art_err *err)
{
	unsigned int redirects = 0;
	int code = 0;

	while (h->len == 0 && !at_end(h)) {
		if (!h->running) {
			if (h->target <= h->next)
				h->target = request_end(h);
			code = http_request_start(h, h->target, err);
		}
		if (code == 0)
			code = pump(h, err);
		if (code == 0 && h->running && h->finished) {
			if (h->answer.verdict != HTTP_REDIRECT)
				redirects = 0;
			code = settle(h, &redirects, err);
		}
		if (code < 0) {
			http_request_stop(h);
			return code;
		}
	}
	if (h->len > 0)
		h->in_order = true;
	return h->len > 0;
}

/* Let the little that is left of a request arrive, so that its connection can be used again. */
static void drain(struct http *h)
{
	uint64_t start = now_ms();

	h->discard = true;
	while (!h->finished && now_ms() - start < 2000)
		if (http_request_drive(h, 100, NULL) < 0)
			break;
	h->discard = false;
}

static int go_to(struct http *h, uint64_t off, struct art_err *err)
{
	uint64_t start = h->next - h->len;

	if (off >= start && off <= h->next) {
		h->head += (size_t)(off - start);
		h->len -= (size_t)(off - start);
		return 0;
	}
	if (off < start && h->no_ranges)
		return art_fail(err, ART_E_NET_RANGE, "'%s': the server cannot serve ranges, so the "
				"file can only be read from front to back", h->shown);
	h->len = 0;
	if (off > h->next && (h->no_ranges || (h->running && off - h->next <= NEAR &&
					      off < h->req_end))) {
		if (h->running)
			h->skip += off - h->next;
		h->next = off;
		return 0;
	}
	if (h->running && h->body_end != HTTP_UNKNOWN && h->body_end - h->next <= NEAR &&
	    h->answer.verdict == HTTP_ACCEPT)
		drain(h);
	http_request_stop(h);
	h->next = off;
	h->target = 0;
	h->in_order = false;
	h->window = FIRST_WINDOW;
	return 0;
}

static ssize_t http_read_at(struct art_source *src, uint64_t off, void *buf, size_t len,
			    struct art_err *err)
{
	struct http *h = (struct http *)src;
	uint8_t *out = buf;
	size_t done = 0;
	int code;

	if (h->known && src->size != HTTP_UNKNOWN && off >= src->size)
		return 0;
	code = go_to(h, off, err);
	if (code < 0)
		return code;
	while (done < len) {
		size_t take = h->len < len - done ? h->len : len - done;

		memcpy(out + done, h->buf + h->head, take);
		h->head += take;
		h->len -= take;
		done += take;
		if (done == len)
			break;
		code = fill(h, err);
		if (code < 0)
			return code;
		if (code == 0)
			break;
	}
	return (ssize_t)done;
}

static int http_want(struct art_source *src, uint64_t off, uint64_t len, struct art_err *err)
{
	struct http *h = (struct http *)src;
	uint64_t end;

	if (__builtin_add_overflow(off, len, &end))
		return art_fail(err, ART_E_FAILED, "'%s': a range beyond the end of the file", src->name);
	if (len == 0)
		return 0;
	if (h->want_count > 0 && h->want[h->want_count - 1].end == off) {
		h->want[h->want_count - 1].end = end;
		return 0;
	}
	/* Only a hint: the oldest is forgotten first. */
	if (h->want_count == ART_ARRAY_SIZE(h->want))
		memmove(h->want, h->want + 1, --h->want_count * sizeof(h->want[0]));
	h->want[h->want_count].off = off;
	h->want[h->want_count++].end = end;
	return 0;
}

static void wipe_free(uint8_t *bytes, size_t len)
{
	if (bytes)
		explicit_bzero(bytes, len);
	free(bytes);
}

static void http_free(struct art_source *src)
{
	struct http *h = (struct http *)src;

	http_request_free(h);
	wipe_free(h->key, h->key_len);
	free(h->cert);
	free(h->ca);
	if (h->url)
		explicit_bzero(h->url, strlen(h->url));
	free(h->url);
	free(h->current);
	free(h->shown);
	free((char *)h->opt.user_agent);
	free((char *)h->opt.proxy);
	free(h);
}

static const struct art_source_ops http_ops = {
	.read_at = http_read_at,
	.want = http_want,
	.free = http_free,
};

static const char *dup_or_null(const char *text, bool *ok)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		*ok = false;
	return copy;
}

static int copy_options(struct http *h, const char *url, const struct art_http_options *opt,
			struct art_err *err)
{
	bool ok = true;

	h->opt = *opt;
	h->opt.user_agent = dup_or_null(opt->user_agent ? opt->user_agent :
					"twinroot/" PACKAGE_VERSION, &ok);
	h->opt.proxy = dup_or_null(opt->proxy, &ok);
	if (!opt->connect_timeout)
		h->opt.connect_timeout = 30;
	if (!opt->stall_timeout)
		h->opt.stall_timeout = 60;
	if (!opt->retries)
		h->opt.retries = 8;
	if (!opt->backoff_ms)
		h->opt.backoff_ms = 500;
	h->url = strdup(url);
	h->current = strdup(url);
	h->shown = art_url_show(url);
	if (!ok || !h->url || !h->current || !h->shown)
		return art_fail_memory(err);
	h->base.name = h->shown;
	return 0;
}

static int load_keys(struct http *h, const struct art_http_options *opt, struct art_err *err)
{
	int code = 0;

	if (opt->client_cert)
		code = art_read_file(opt->client_cert, KEY_FILE_MAX, &h->cert, &h->cert_len, err);
	if (code == 0 && opt->client_key)
		code = art_read_file(opt->client_key, KEY_FILE_MAX, &h->key, &h->key_len, err);
	if (code == 0 && opt->ca_file)
		code = art_read_file(opt->ca_file, CA_FILE_MAX, &h->ca, &h->ca_len, err);
	h->opt.ca_file = NULL;
	h->opt.client_cert = NULL;
	h->opt.client_key = NULL;
	return code;
}

int art_http_prepare(struct art_source **out, const char *url,
		     const struct art_http_options *opt, struct art_err *err)
{
	static const struct art_http_options defaults;
	struct http *h;
	int code;

	if (!opt)
		opt = &defaults;
	if (!art_is_url(url))
		return art_fail(err, ART_E_USAGE, "'%s' is not an http or https URL", url);
	h = calloc(1, sizeof(*h));
	if (!h)
		return art_fail_memory(err);
	h->base.ops = &http_ops;
	h->base.size = HTTP_UNKNOWN;
	h->window = FIRST_WINDOW;
	code = copy_options(h, url, opt, err);
	if (code == 0)
		code = load_keys(h, opt, err);
	if (code == 0)
		code = http_request_setup(h, err);
	if (code < 0) {
		http_free(&h->base);
		return code;
	}
	*out = &h->base;
	return 0;
}

int art_http_start(struct art_source *src, struct art_err *err)
{
	int code = fill((struct http *)src, err);

	return code < 0 ? code : 0;
}

int art_http_open(struct art_source **out, const char *url, const struct art_http_options *opt,
		  struct art_err *err)
{
	struct art_source *src = NULL;
	int code = art_http_prepare(&src, url, opt, err);

	if (code < 0)
		return code;
	code = art_http_start(src, err);
	if (code < 0) {
		art_source_free(src);
		return code;
	}
	*out = src;
	return 0;
}

void art_http_stats(const struct art_source *src, uint64_t *received, uint64_t *requests)
{
	const struct http *h = (const struct http *)src;

	*received = h->received;
	*requests = h->requests;
}
