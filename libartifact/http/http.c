// SPDX-License-Identifier: Apache-2.0
/*
 * A source over http(s): which request is made when, and patience with servers and networks
 * that fail. What is read is not authenticated; here it is only made sure that all bytes of one server are of
 * one and the same file, and of another mirror, that it is as long.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include "libartifact/http/request.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

/* Reading over so much of an answer under way is cheaper than a new request. */
#define NEAR (64 * ART_KIB)
/* So little is fetched with what lies on both sides of it. */
#define GAP 512
#define SLOW_PER_SECOND 1024
#define BACKOFF_MAX_MS 60000
#define RETRY_AFTER_MAX_S 300
#define FIRST_CONTACT_RETRIES 3

uint64_t http_now_ms(void)
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
		random = (uint32_t)http_now_ms();
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

static const char *curl_words(const struct http_lane *l)
{
	return l->curl_text[0] ? l->curl_text : curl_easy_strerror(l->result);
}

static int give_up(struct http *h, const char *why, struct art_err *err)
{
	return art_fail(err, ART_E_NET, "'%s': %s; gave up after %u retries", h->shown, why,
			h->failures - 1);
}

/* Seconds that the server asks for; 0: none. */
static uint64_t asked_for(const struct http_lane *l)
{
	curl_off_t after = 0;

	if (l->answer.verdict != HTTP_RETRY ||
	    curl_easy_getinfo(l->easy, CURLINFO_RETRY_AFTER, &after) != CURLE_OK || after < 0)
		return 0;
	return (uint64_t)after;
}

/* How long the next try has to wait, at most. */
static uint64_t patience(const struct http_lane *l)
{
	const struct http *h = l->h;
	uint64_t ms = h->opt.backoff_ms, after = asked_for(l);

	for (unsigned int i = 1; i < h->failures && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	if (after > RETRY_AFTER_MAX_S)
		after = RETRY_AFTER_MAX_S;
	/* Twice, since half of it may be taken off: never earlier than asked for. */
	return ms < after * 2000 ? after * 2000 : ms;
}

static void tell_of_wait(const struct http *h, const char *why, uint64_t ms, unsigned int limit)
{
	char text[sizeof(((struct art_err *)0)->text)];

	if (!h->opt.waiting)
		return;
	snprintf(text, sizeof(text), "'%s': %s; retry %u of %u within %llu s", h->shown, why,
		 h->failures, limit, (unsigned long long)(ms + 999) / 1000);
	h->opt.waiting(h->opt.waiting_ctx, text, ms);
}

static unsigned int retry_limit(const struct http_lane *l)
{
	const struct http *h = l->h;
	unsigned int limit = h->opt.retries;

	if (h->known)
		return limit;
	if (h->opt.first_retries && limit > h->opt.first_retries)
		limit = h->opt.first_retries;
	return l->answer.verdict == HTTP_NOTHING && limit > FIRST_CONTACT_RETRIES ?
		       FIRST_CONTACT_RETRIES : limit;
}

/* Something failed that may pass: wait, and forget where redirects led. What failed in other lanes meanwhile had the same cause. */
static int wait_to_retry(struct http_lane *l, const char *why, struct art_err *err)
{
	struct http *h = l->h;
	unsigned int limit = retry_limit(l);
	uint64_t ms;
	char *again;

	if (h->progress >= NEAR)
		h->failures = 0;
	h->progress = 0;
	if (++h->failures > limit)
		return give_up(h, why, err);
	if (h->opt.longest_wait && asked_for(l) > h->opt.longest_wait)
		return art_fail(err, ART_E_NET, "'%s': %s, and asks to wait for %llu seconds", h->shown,
				why, (unsigned long long)asked_for(l));
	ms = patience(l);
	tell_of_wait(h, why, ms, limit);
	http_request_stop(l);
	again = strdup(h->url);
	if (!again)
		return art_fail_memory(err);
	free(h->current);
	h->current = again;
	sleep_about(ms);
	for (size_t i = 1; i < h->queued; i++)
		if (h->queue[i]->finished && h->queue[i]->answer.verdict != HTTP_FINAL)
			http_request_stop(h->queue[i]);
	return 0;
}

/* A request has ended. 0: go on with what is missing. */
static int settle(struct http_lane *l, unsigned int *redirects, struct art_err *err)
{
	struct http *h = l->h;
	char why[CURL_ERROR_SIZE + 40];

	switch (l->answer.verdict) {
	case HTTP_FINAL:
		http_request_stop(l);
		if (err)
			*err = l->fault;
		return l->fault.code;
	case HTTP_PAST_END:
		h->known = true;
		h->base.size = 0;
		http_request_stop(l);
		return 0;
	case HTTP_REDIRECT:
		if (++*redirects > HTTP_REDIRECTS)
			return art_fail(err, ART_E_NET, "'%s': more than %d redirects", h->shown,
					HTTP_REDIRECTS);
		http_request_stop(l);
		return http_request_redirect(l, err);
	case HTTP_RETRY:
		snprintf(why, sizeof(why), "the server answered %d", l->answer.status);
		return wait_to_retry(l, why, err);
	case HTTP_ACCEPT:
		if (l->result != CURLE_OK || l->skip > 0 ||
		    (l->body_end != HTTP_UNKNOWN && l->next < l->body_end))
			break;
		if (h->base.size == HTTP_UNKNOWN)
			h->base.size = l->next;
		http_request_stop(l);
		return 0;
	case HTTP_NOTHING:
		break;
	}
	if (l->result == CURLE_OK)
		l->result = CURLE_PARTIAL_FILE;
	if (is_final(l->result))
		return art_fail(err, ART_E_NET, "'%s': %s", h->shown, curl_words(l));
	snprintf(why, sizeof(why), "%s", curl_words(l));
	return wait_to_retry(l, why, err);
}

/* True when the last STALL_TIMEOUT seconds of waiting brought less than 1 KiB each, on all lanes: a thin line is shared. */
static bool is_stalled(struct http_lane *l, uint64_t ms)
{
	struct http *h = l->h;
	uint64_t slow = SLOW_PER_SECOND;
	uint64_t wanted;

	if (h->opt.rate && h->opt.rate / 2 < slow)
		slow = h->opt.rate / 2;
	wanted = slow * h->opt.stall_timeout;
	l->waited_ms += ms;
	if (h->window_bytes > 0 && h->window_bytes >= wanted) {
		l->waited_ms = 0;
		h->window_bytes = 0;
	}
	return l->waited_ms >= (uint64_t)h->opt.stall_timeout * 1000;
}

/* Wait until the running request gave bytes, or ended. */
static int pump(struct http_lane *l, struct art_err *err)
{
	struct http *h = l->h;
	char why[80];
	uint64_t start;
	int code;

	do {
		start = http_now_ms();
		code = http_request_drive(h, l, -1, 500, err);
		if (code < 0)
			return code;
		if (l->finished || l->len > 0)
			return 0;
	} while (!is_stalled(l, http_now_ms() - start));
	snprintf(why, sizeof(why), "less than %d bytes a second for %u seconds",
		 SLOW_PER_SECOND, h->opt.stall_timeout);
	/* It was told by all of them. They start again together, and on other connections: a line may be dead without a word. */
	code = http_request_reconnect(h, err);
	return code < 0 ? code : wait_to_retry(l, why, err);
}

/* Has everything come that this lane is for? */
static bool is_complete(const struct http_lane *l)
{
	const struct http *h = l->h;

	return (h->known && h->base.size != HTTP_UNKNOWN && l->next >= h->base.size) ||
	       l->next >= l->target;
}

static int start(struct http_lane *l, struct art_err *err)
{
	const struct http *h = l->h;
	uint64_t end = l->target;

	if (h->base.size != HTTP_UNKNOWN && end >= h->base.size)
		end = HTTP_UNKNOWN;
	return http_request_start(l, end, err);
}

/* Out of the queue; what it has is lost. One that has given everything it was for shows that the server gives. */
static void drop_lane(struct http *h, size_t i)
{
	if (is_complete(h->queue[i]))
		h->progress = NEAR;
	http_request_stop(h->queue[i]);
	h->queue[i]->len = 0;
	h->queued--;
	memmove(h->queue + i, h->queue + i + 1, (h->queued - i) * sizeof(h->queue[0]));
}

/* A lane that is not in use, at place I of the queue. */
static struct http_lane *take_lane(struct http *h, size_t i, uint64_t off, uint64_t target)
{
	struct http_lane *l = h->lane;
	size_t k = 0;

	while (k < h->queued)
		if (h->queue[k++] == l) {
			l++;
			k = 0;
		}
	memmove(h->queue + i + 1, h->queue + i, (h->queued - i) * sizeof(h->queue[0]));
	h->queue[i] = l;
	h->queued++;
	l->next = off;
	l->target = target;
	l->len = 0;
	return l;
}

static void forget_wants(struct http *h, size_t count)
{
	h->want_count -= count;
	memmove(h->want, h->want + count, h->want_count * sizeof(h->want[0]));
}

/* Lanes that failed or wait start again; announced ranges get those that are free. */
static int top_up(struct http *h, struct art_err *err)
{
	size_t limit = h->opt.rate ? 1 : HTTP_LANES, i;
	int code = 0;

	/* One answer gives everything, in order. */
	while (h->no_ranges && h->queued > 1)
		drop_lane(h, h->queued - 1);
	if (!h->known || h->no_ranges)
		limit = 0;
	while (h->queued < limit && h->want_count > 0) {
		take_lane(h, h->queued, h->want[0].off, h->want[0].end);
		forget_wants(h, 1);
	}
	for (i = 1; i < h->queued && code == 0; i++)
		if (!h->queue[i]->running && !is_complete(h->queue[i]))
			code = start(h->queue[i], err);
	return code;
}

/* Bytes into the first lane's buffer: 1; it has given all that it is for: 0. */
static int fill(struct http *h, struct art_err *err)
{
	struct http_lane *l = h->queue[0];
	unsigned int redirects = 0;
	int code = 0;

	while (l->len == 0 && !is_complete(l)) {
		if (!l->running)
			code = start(l, err);
		if (code == 0)
			code = top_up(h, err);
		if (code == 0)
			code = pump(l, err);
		if (code == 0 && l->running && l->finished) {
			if (l->answer.verdict != HTTP_REDIRECT)
				redirects = 0;
			code = settle(l, &redirects, err);
		}
		if (code < 0) {
			http_request_stop(l);
			return code;
		}
	}
	if (l->len > 0)
		h->in_order = true;
	else
		h->progress = NEAR;
	return l->len > 0;
}

/* Let the little that is left of a request arrive, so that its connection can be used again. */
static void drain(struct http_lane *l)
{
	uint64_t start = http_now_ms();

	l->discard = true;
	while (!l->finished && http_now_ms() - start < 2000)
		if (http_request_drive(l->h, NULL, -1, 100, NULL) < 0)
			break;
	l->discard = false;
}

/* Can the reader go on at OFF in this lane? Then L->next - L->len is OFF, or the bytes before it will be left out. */
static bool go_in(struct http_lane *l, uint64_t off)
{
	uint64_t start = l->next - l->len;

	if (off < start || off >= l->target)
		return false;
	if (off <= l->next) {
		l->head += (size_t)(off - start);
		l->len -= (size_t)(off - start);
		return true;
	}
	/* To the end of the file nobody has announced it. */
	if (!l->h->no_ranges && l->target == HTTP_UNKNOWN && off - l->next > NEAR)
		return false;
	l->len = 0;
	if (l->running && !l->finished)
		l->skip += off - l->next;
	else
		http_request_stop(l);
	l->next = off;
	return true;
}

/* The announced range with OFF in it; want_count when there is none. */
static size_t find_want(const struct http *h, uint64_t off)
{
	size_t i = 0;

	while (i < h->want_count && (off < h->want[i].off || off >= h->want[i].end))
		i++;
	return i;
}

static void new_lane(struct http *h, uint64_t off)
{
	struct http_lane *l = h->queued ? h->queue[0] : NULL;
	size_t i = find_want(h, off);
	uint64_t end;

	if (l && l->running && l->body_end != HTTP_UNKNOWN && l->body_end - l->next <= NEAR &&
	    l->answer.verdict == HTTP_ACCEPT && l->target == HTTP_UNKNOWN)
		drain(l);
	if (l && (l->target == HTTP_UNKNOWN || h->no_ranges))
		drop_lane(h, 0);
	if (h->queued == HTTP_LANES)
		drop_lane(h, HTTP_LANES - 1);
	if (i < h->want_count) {
		end = h->want[i].end;
		forget_wants(h, i + 1);
	} else {
		end = h->window == HTTP_UNKNOWN ? HTTP_UNKNOWN : off + h->window;
		/* Who reads on to its end reads in order: one long answer from there. */
		h->window = HTTP_UNKNOWN;
	}
	take_lane(h, 0, off, h->no_ranges ? HTTP_UNKNOWN : end);
}

/* Make the first lane one that gives OFF next. */
static int go_to(struct http *h, uint64_t off, struct art_err *err)
{
	size_t i = 0;

	if (h->no_ranges && h->queued > 0 && off < h->queue[0]->next - h->queue[0]->len)
		return art_fail(err, ART_E_NET_RANGE, "'%s': the server cannot serve ranges, so the "
				"file can only be read from front to back", h->shown);
	while (i < h->queued && !go_in(h->queue[i], off))
		i++;
	if (i < h->queued) {
		/* Those before it were passed over. */
		while (i-- > 0)
			drop_lane(h, 0);
		return 0;
	}
	if (h->queued == 0 || off != h->queue[0]->next) {
		h->in_order = false;
		h->window = h->opt.first;
	}
	while (h->queued > 0 && is_complete(h->queue[0]))
		drop_lane(h, 0);
	new_lane(h, off);
	return 0;
}

int art_http_start(struct art_source *src, struct art_err *err)
{
	struct http *h = (struct http *)src;
	int code = go_to(h, 0, err);

	if (code == 0)
		code = fill(h, err);
	return code < 0 ? code : 0;
}

ssize_t http_read_at(struct art_source *src, uint64_t off, void *buf, size_t len,
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
		struct http_lane *l = h->queue[0];
		size_t take = l->len < len - done ? l->len : len - done;

		memcpy(out + done, l->buf + l->head, take);
		l->head += take;
		l->len -= take;
		done += take;
		if (done == len)
			break;
		code = fill(h, err);
		if (code == 0 && src->size != HTTP_UNKNOWN && off + done >= src->size)
			break;
		/* What this lane was for is read: on in another. */
		if (code == 0)
			code = go_to(h, off + done, err);
		if (code < 0)
			return code;
	}
	return (ssize_t)done;
}

static bool is_covered(const struct http *h, uint64_t off, uint64_t end)
{
	size_t i;

	for (i = 0; i < h->queued; i++) {
		const struct http_lane *l = h->queue[i];

		if (off >= l->next - l->len && end <= l->target &&
		    (l->target != HTTP_UNKNOWN || h->no_ranges || off <= l->next + NEAR))
			return true;
	}
	i = find_want(h, off);
	return i < h->want_count && end <= h->want[i].end;
}

int http_want(struct art_source *src, uint64_t off, uint64_t len, struct art_err *err)
{
	struct http *h = (struct http *)src;
	uint64_t end;

	if (__builtin_add_overflow(off, len, &end))
		return art_fail(err, ART_E_FAILED, "'%s': a range beyond the end of the file", src->name);
	if (len == 0 || is_covered(h, off, end))
		return 0;
	if (h->want_count > 0 && off >= h->want[h->want_count - 1].end &&
	    off - h->want[h->want_count - 1].end <= GAP) {
		h->want[h->want_count - 1].end = end;
		return 0;
	}
	/* Only a hint: the oldest is forgotten first. */
	if (h->want_count == ART_ARRAY_SIZE(h->want))
		forget_wants(h, 1);
	h->want[h->want_count].off = off;
	h->want[h->want_count++].end = end;
	return 0;
}

void art_http_idle(struct art_source *src, int fd)
{
	struct http *h = (struct http *)src;
	struct pollfd p = { fd, POLLIN, 0 };
	bool busy = true;
	size_t i;

	while (busy && poll(&p, 1, 0) == 0) {
		busy = false;
		for (i = 0; i < h->queued; i++)
			busy |= h->queue[i]->running && !h->queue[i]->finished && !h->queue[i]->paused;
		if (busy && (top_up(h, NULL) < 0 || http_request_drive(h, NULL, fd, 1000, NULL) < 0))
			return;
	}
}
