// SPDX-License-Identifier: Apache-2.0
/* artifact-fetch: the network child of artifact-install; the protocol is in fetch.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "installer/fetch.h"
#include "installer/fetch/confine.h"
#include "libartifact/util.h"

#define SOCKET 0

struct request {
	uint32_t op, id;
	uint64_t off, len;
};

/* The parent is gone or talks nonsense: there is nobody to tell. */
static void leave(void)
{
	_exit(1);
}

static void send_all(const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = send(SOCKET, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			leave();
		p += n;
		len -= (size_t)n;
	}
}

static void receive(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = recv(SOCKET, p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(n < 0);
		p += n;
		len -= (size_t)n;
	}
}

static void send_frame(enum fetch_type type, uint32_t id, const void *body, size_t len)
{
	uint8_t header[FETCH_HEADER_SIZE];

	art_put32(header, type);
	art_put32(header + 4, id);
	art_put32(header + 8, (uint32_t)len);
	art_put32(header + 12, 0);
	send_all(header, sizeof(header));
	send_all(body, len);
}

static void send_error(uint32_t id, const struct art_err *err)
{
	uint8_t body[4 + sizeof(err->text)];
	size_t len = strlen(err->text);

	art_put32(body, (uint32_t)-err->code);
	memcpy(body + 4, err->text, len);
	send_frame(FETCH_ERROR, id, body, 4 + len);
}

/* One is on its way to the network and will be late. */
static void send_note(void *ctx, const char *text, uint64_t ms)
{
	uint8_t body[4 + sizeof(((struct art_err *)0)->text)];
	size_t len = strnlen(text, sizeof(body) - 5);
	static unsigned int count;

	(void)ctx;
	if (++count > FETCH_NOTES_MAX)
		return;
	art_put32(body, ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms);
	memcpy(body + 4, text, len);
	send_frame(FETCH_NOTE, 0, body, 4 + len);
}

static struct request next_request(void)
{
	uint8_t bytes[FETCH_REQUEST_SIZE];
	struct request r;

	receive(bytes, sizeof(bytes));
	r.op = art_get32(bytes);
	r.id = art_get32(bytes + 4);
	r.off = art_get64(bytes + 8);
	r.len = art_get64(bytes + 16);
	return r;
}

/* The value of KEY among the options, or NULL. */
static const char *option(const char *options, size_t len, const char *key)
{
	size_t key_len = strlen(key);

	for (size_t i = 0; i < len; i += strlen(options + i) + 1)
		if (strncmp(options + i, key, key_len) == 0 && options[i + key_len] == '=')
			return options + i + key_len + 1;
	return NULL;
}

static uint64_t number(const char *options, size_t len, const char *key)
{
	const char *value = option(options, len, key);

	return value ? strtoull(value, NULL, 10) : 0;
}

/* Keys are read, then rights are given up, then the network is spoken to. */
static int open_url(struct art_source **src, const char *o, size_t len, struct art_err *err)
{
	const struct art_http_options http = {
		.user_agent = option(o, len, "agent"),
		.proxy = option(o, len, "proxy"),
		.ca_file = option(o, len, "ca"),
		.client_cert = option(o, len, "cert"),
		.client_key = option(o, len, "key"),
		.rate = number(o, len, "rate"),
		.connect_timeout = (unsigned int)number(o, len, "connect"),
		.stall_timeout = (unsigned int)number(o, len, "stall"),
		.retries = (unsigned int)number(o, len, "retries"),
		.first_retries = (unsigned int)number(o, len, "first-retries"),
		.longest_wait = (unsigned int)number(o, len, "longest-wait"),
		.backoff_ms = (unsigned int)number(o, len, "backoff"),
		.first = number(o, len, "first"),
		.parts_only = number(o, len, "parts-only") != 0,
		.waiting = send_note,
	};
	const char *url = option(o, len, "url");
	const char *user = option(o, len, "user");
	int code = art_http_prepare(src, url ? url : "", &http, err);

	if (code == 0)
		code = fetch_confine((long)number(o, len, "parent"), user ? user : "nobody", err);
	if (code == 0)
		code = art_http_start(*src, err);
	return code;
}

static struct art_source *serve_open(void)
{
	struct request r = next_request();
	struct art_source *src = NULL;
	struct art_err err = { 0 };
	uint8_t body[16];
	char *options;

	if (r.op != FETCH_OPEN || r.len > FETCH_OPTIONS_MAX)
		leave();
	options = calloc(1, r.len + 1);
	if (!options)
		leave();
	receive(options, r.len);
	if (open_url(&src, options, r.len, &err) < 0) {
		send_error(r.id, &err);
		leave();
	}
	explicit_bzero(options, r.len);
	free(options);
	art_put64(body, src->size);
	art_put32(body + 8, src->can_seek);
	art_put32(body + 12, 0);
	send_frame(FETCH_OPENED, r.id, body, sizeof(body));
	return src;
}

static void serve_read(struct art_source *src, const struct request *r)
{
	static uint8_t buf[FETCH_FRAME_MAX];
	struct art_err err = { 0 };
	uint64_t received, requests;
	uint64_t done = 0;
	uint8_t body[16];

	/* Nothing but what is asked for. */
	if (src->can_seek)
		src->ops->want(src, r->off, r->len, NULL);
	while (done < r->len) {
		size_t piece = r->len - done < sizeof(buf) ? (size_t)(r->len - done) : sizeof(buf);
		ssize_t n = src->ops->read_at(src, r->off + done, buf, piece, &err);

		if (n < 0) {
			send_error(r->id, &err);
			leave();
		}
		if (n == 0)
			break;
		send_frame(FETCH_DATA, r->id, buf, (size_t)n);
		done += (uint64_t)n;
	}
	art_http_stats(src, &received, &requests);
	art_put64(body, received);
	art_put64(body + 8, requests);
	send_frame(FETCH_END, r->id, body, sizeof(body));
}

static void usage(FILE *to)
{
	fputs("usage: artifact-fetch [--help | --version]\n"
	      "The network child of artifact-install(8), which starts it; of no use by itself.\n", to);
}

int main(int argc, char **argv)
{
	struct art_source *src;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("artifact-fetch (twinroot) " PACKAGE_VERSION);
		return 0;
	}
	if (argc != 1) {
		usage(stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	src = serve_open();
	for (;;) {
		struct request r;

		art_http_idle(src, SOCKET);
		r = next_request();
		if (r.op == FETCH_READ && r.len <= FETCH_READ_MAX)
			serve_read(src, &r);
		else if (r.op == FETCH_WANT)
			src->ops->want(src, r.off, r.len, NULL);
		else
			leave();
	}
}
