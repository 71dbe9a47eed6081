// SPDX-License-Identifier: Apache-2.0
/* http.c and request.c against a server that answers what each test wants, one connection after the other. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include "libartifact/http/http.h"
#include "libartifact/io.h"
#include "libartifact/util.h"
#include "tests/fault/refuse.h"
#include "tests/unit/run.h"

#define FILE_SIZE ((size_t)400 * 1000)

/* HEAD as it is (but for PORT), then LEN bytes of the file from FROM. HEAD NULL: an honest server with ranges. */
struct answer {
	const char *head;
	size_t from, len;
	bool stay; /* do not close before the client does */
};

static uint8_t file[FILE_SIZE];
static uint8_t got[FILE_SIZE];
static pid_t server;
static char url[64];
static struct art_err err;

static void send_all(int fd, const void *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		bytes = (const char *)bytes + n;
		len -= (size_t)n;
	}
}

static bool read_request(int fd, char *text, size_t room)
{
	size_t len = 0;

	while (len + 1 < room) {
		ssize_t n = recv(fd, text + len, room - 1 - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
		text[len] = '\0';
		if (strstr(text, "\r\n\r\n"))
			return true;
	}
	return false;
}

static void send_head(int fd, const char *head)
{
	const char *port = strstr(head, "PORT");

	if (!port) {
		send_all(fd, head, strlen(head));
		return;
	}
	send_all(fd, head, (size_t)(port - head));
	send_all(fd, strrchr(url, ':') + 1, strcspn(strrchr(url, ':') + 1, "/"));
	send_all(fd, port + 4, strlen(port + 4));
}

static void answer_honestly(int fd, const char *request)
{
	const char *range = strstr(request, "Range: bytes="), *known = strstr(request, "If-Range: ");
	size_t first = 0, last = FILE_SIZE - 1;
	char head[256];

	if (range && sscanf(range, "Range: bytes=%zu-%zu", &first, &last) < 2)
		last = FILE_SIZE - 1;
	if (last > FILE_SIZE - 1)
		last = FILE_SIZE - 1;
	if (known && strncmp(known, "If-Range: \"one\"", 15) != 0) {
		send_head(fd, "HTTP/1.1 200 OK\r\nContent-Length: 400000\r\nETag: \"one\"\r\n\r\n");
		send_all(fd, file, FILE_SIZE);
		return;
	}
	snprintf(head, sizeof(head), "HTTP/1.1 206 Partial\r\nContent-Range: bytes %zu-%zu/%zu\r\n"
		 "Content-Length: %zu\r\nETag: \"one\"\r\nConnection: close\r\n\r\n", first, last, FILE_SIZE,
		 last - first + 1);
	send_all(fd, head, strlen(head));
	send_all(fd, file + first, last - first + 1);
}

static void serve(int listener, const struct answer *answers, size_t count)
{
	char request[4096];
	size_t i;

	for (i = 0;; i++) {
		const struct answer *a = &answers[i < count ? i : count - 1];
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(0);
		if (read_request(fd, request, sizeof(request))) {
			if (a->head) {
				send_head(fd, a->head);
				send_all(fd, file + a->from, a->len);
			} else {
				answer_honestly(fd, request);
			}
			/* What the client has not read must not become a reset. */
			if (!a->stay)
				shutdown(fd, SHUT_WR);
			while (recv(fd, request, sizeof(request), 0) > 0)
				;
		}
		close(fd);
	}
}

/* The last answer is given again and again. */
static void start_server(const struct answer *answers, size_t count)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/file", ntohs(addr.sin_port));
	server = fork();
	ck_assert_int_ge(server, 0);
	if (server == 0) {
		alarm(600);
		serve(fd, answers, count);
	}
	close(fd);
}

static void stop_server(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = 0;
}

static void setup(void)
{
	size_t i;

	unsetenv("http_proxy");
	for (i = 0; i < FILE_SIZE; i++)
		file[i] = (uint8_t)(i * 7 + i / 251);
}

static struct art_http_options options(void)
{
	return (struct art_http_options){ .retries = 2, .backoff_ms = 1, .stall_timeout = 5 };
}

/* Everything, in order; in pieces of a size that meets no border. */
static int read_all(struct art_source *src, size_t *len)
{
	ssize_t n = 1;

	for (*len = 0; n > 0; *len += (size_t)n) {
		size_t want = FILE_SIZE - *len < 10007 ? FILE_SIZE - *len : 10007;

		n = src->ops->read_at(src, *len, got + *len, want, &err);
		if (n < 0)
			return (int)n;
	}
	return 0;
}

static int fetch(const struct art_http_options *opt, size_t *len)
{
	struct art_source *src = NULL;
	int code = art_http_open(&src, url, opt, &err);

	if (code == 0)
		code = read_all(src, len);
	art_source_free(src);
	return code;
}

#define PART "HTTP/1.1 206 Partial\r\n"
#define WHOLE "HTTP/1.1 200 OK\r\n"
#define BODY 1000, 100, false

/* The first answer, what comes of it, and a word of the error. */
static const struct {
	struct answer first;
	int code;
	const char *word;
} judged[] = {
	{ { PART "\r\n", BODY }, ART_E_NET_RANGE, "does not say which bytes" },
	{ { PART "Content-Range: bytes 5-99/400000\r\n\r\n", BODY }, ART_E_NET_RANGE, "from 0 with bytes 5-99" },
	{ { PART "Content-Range: bytes 0-99/50\r\n\r\n", BODY }, ART_E_NET_RANGE, "bytes 0-99 of 50" },
	{ { PART "Content-Range: bytes 0-99/400000\r\nContent-Length: 7\r\n\r\n", BODY }, ART_E_NET_RANGE, "0-99" },
	{ { PART "Content-Range: bytes 0-99/*\r\n\r\n", BODY }, ART_E_NET_RANGE, "which bytes" },
	{ { PART "Content-Range: bytes 0-99/many\r\n\r\n", BODY }, ART_E_NET_RANGE, "which bytes" },
	{ { PART "Content-Range: bytes */400000\r\n\r\n", BODY }, ART_E_NET_RANGE, "which bytes" },
	{ { PART "Content-Range: bytes 0-99;/400000\r\n\r\n", BODY }, ART_E_NET_RANGE, "which bytes" },
	{ { PART "Content-Range: items 0-99/400000\r\n\r\n", BODY }, ART_E_NET_RANGE, "which bytes" },
	{ { PART "Content-Range: bytes 0-99\r\n\r\n", BODY }, ART_E_NET_RANGE, "which bytes" },
	{ { PART "Content-Range: bytes 0-99/400000\r\nContent-Type: multipart/byteranges; boundary=x\r\n\r\n", BODY },
	  ART_E_NET_RANGE, "which bytes" },
	{ { PART "Content-Range: bytes 0-9/400000\r\n\r\n", BODY }, ART_E_NET, "more bytes than it announced" },
	{ { WHOLE "Content-Encoding: gzip\r\n\r\n", BODY }, ART_E_NET, "compressed" },
	{ { "HTTP/1.1 401 no\r\n\r\n", BODY }, ART_E_NET, "401 (authentication" },
	{ { "HTTP/1.1 403 no\r\n\r\n", BODY }, ART_E_NET, "403 (forbidden)" },
	{ { "HTTP/1.1 404 no\r\n\r\n", BODY }, ART_E_NET, "404 (not found)" },
	{ { "HTTP/1.1 407 no\r\n\r\n", BODY }, ART_E_NET, "407 (the proxy" },
	{ { "HTTP/1.1 410 no\r\n\r\n", BODY }, ART_E_NET, "410 (gone)" },
	{ { "HTTP/1.1 418 no\r\n\r\n", BODY }, ART_E_NET, "answered 418" },
	{ { "HTTP/1.1 600 no\r\n\r\n", BODY }, ART_E_NET, "answered 600" },
	{ { "HTTP/1.1 301 there\r\n\r\n", BODY }, ART_E_NET, "no usable address" },
	{ { "HTTP/1.1 302 there\r\nLocation: ftp://127.0.0.1/file\r\n\r\n", BODY }, ART_E_NET, "not http or https" },
	{ { "HTTP/1.1 307 there\r\nLocation: http://[bad\r\n\r\n", BODY }, ART_E_NET, "no usable address" },
	/* Passing faults: the next answer is honest. */
	{ { "HTTP/1.1 500 no\r\n\r\n", 0, 200000, false }, 0, NULL },
	{ { "HTTP/1.1 503 no\r\nRetry-After: 1\r\n\r\n", BODY }, 0, NULL },
	{ { "HTTP/1.1 408 no\r\n\r\n", BODY }, 0, NULL },
	{ { "HTTP/1.1 429 no\r\nRetry-After: 0\r\n\r\n", BODY }, 0, NULL },
	{ { "", 0, 0, false }, 0, NULL },
	{ { PART "Content-Range: bytes 0-99/400000\r\nContent-Length: 100\r\nETag: \"one\"\r\n\r\n", 0, 60, false }, 0,
	  NULL },
	{ { "HTTP/1.1 100 Continue\r\n\r\n" PART "Content-Range: bytes 0-99/400000\r\nContent-Encoding: identity\r\n\r\n",
	    0, 100, false }, 0, NULL },
	{ { "HTTP/1.1 303 there\r\nLocation: /elsewhere\r\n\r\n", BODY }, 0, NULL },
	{ { "HTTP/1.1 308 there\r\nLocation: elsewhere\r\nConnection: close\r\n\r\n", BODY }, 0, NULL },
	/* One answer with all of it. */
	{ { WHOLE "Content-Length: 400000\r\n\r\n", 0, FILE_SIZE, false }, 0, NULL },
	{ { WHOLE "Content-Length: junk\r\n\r\n", 0, FILE_SIZE, false }, 0, NULL },
	{ { WHOLE "\r\n", 0, FILE_SIZE, false }, 0, NULL },
	/* Another file when it is asked on, by each sign there is. */
	{ { PART "Content-Range: bytes 0-99/400000\r\nETag: \"two\"\r\n\r\n", 0, 100, false }, ART_E_NET, "was changed" },
	{ { PART "Content-Range: bytes 0-99/400001\r\n\r\n", 0, 100, false }, ART_E_NET, "was changed" },
	{ { WHOLE "Content-Length: 400000\r\nETag: \"two\"\r\n\r\n", 0, 99, false }, ART_E_NET, "was changed" },
};

START_TEST(first_answers)
{
	struct answer answers[2] = { judged[_i].first, { NULL, 0, 0, false } };
	struct art_http_options opt = options();
	size_t len = 0;
	int code;

	start_server(answers, 2);
	code = fetch(&opt, &len);
	stop_server();
	ck_assert_msg(code == judged[_i].code, "%d: %s: %s", _i, art_code_name(code), err.text);
	if (code) {
		ck_assert_msg(strstr(err.text, judged[_i].word) != NULL, "'%s' in '%s'", judged[_i].word, err.text);
		return;
	}
	ck_assert_uint_eq(len, FILE_SIZE);
	ck_assert(memcmp(got, file, len) == 0);
}
END_TEST

/* The same answer always. */
static const struct {
	struct answer always;
	int code;
	const char *word;
} stubborn[] = {
	{ { "HTTP/1.1 302 there\r\nLocation: /file\r\n\r\n", BODY }, ART_E_NET, "redirects" },
	{ { "HTTP/1.1 500 no\r\n\r\n", BODY }, ART_E_NET, "answered 500; gave up after 2 retries" },
	{ { "", 0, 0, false }, ART_E_NET, "gave up after 2 retries" },
	{ { "", BODY }, ART_E_NET, "HTTP/0.9" },
	{ { PART "Content-Range: bytes 0-99/400000\r\nETag: \"one\"\r\n\r\n", 0, 40, false }, ART_E_NET_RANGE, "from 40" },
	{ { "HTTP/1.1 416 no\r\nContent-Range: bytes */0\r\n\r\n", BODY }, 0, NULL },
	{ { "HTTP/9 huh\r\n\r\n", BODY }, ART_E_NET, "HTTP version" },
};

START_TEST(stubborn_answers)
{
	struct art_http_options opt = options();
	size_t len = 7;
	int code;

	start_server(&stubborn[_i].always, 1);
	code = fetch(&opt, &len);
	stop_server();
	ck_assert_msg(code == stubborn[_i].code, "%d: %s: %s", _i, art_code_name(code), err.text);
	if (code)
		ck_assert_msg(strstr(err.text, stubborn[_i].word) != NULL, "'%s' in '%s'", stubborn[_i].word, err.text);
	else
		ck_assert_uint_eq(len, 0); /* 416 for the first byte: an empty file */
}
END_TEST

/* To the end of the file, whatever end was asked for. */
START_TEST(more_than_asked)
{
	struct answer answers[2] = { { PART "Content-Range: bytes 0-399999/400000\r\nETag: \"one\"\r\n\r\n", 0,
				       FILE_SIZE, false }, { NULL, 0, 0, false } };
	struct art_http_options opt = options();
	size_t len = 0;

	start_server(answers, 2);
	ck_assert_msg(fetch(&opt, &len) == 0, "%s", err.text);
	ck_assert(len == FILE_SIZE && memcmp(got, file, len) == 0);
	stop_server();
	opt.parts_only = true;
	start_server(answers, 2);
	ck_assert_int_eq(fetch(&opt, &len), ART_E_NET_RANGE);
	ck_assert_ptr_nonnull(strstr(err.text, "not to the end of the file, with bytes 0-399999"));
	stop_server();
}
END_TEST

/* Dropped here, and going on at a mirror, which has another ETag; but not with a file of another length. */
START_TEST(another_mirror)
{
	static const struct answer there = { "HTTP/1.1 302 there\r\nLocation: http://localhost:PORT/file\r\n"
					     "Connection: close\r\n\r\n", 0, 0, false };
	struct answer answers[4] = { { PART "Content-Range: bytes 0-131071/400000\r\nETag: \"two\"\r\n\r\n", 0, 50000,
				       false }, there, { NULL, 0, 0, false }, { NULL, 0, 0, false } };
	struct art_http_options opt = options();
	uint64_t received, requests;
	struct art_source *src;
	size_t len;

	start_server(answers, 4);
	ck_assert_msg(art_http_open(&src, url, &opt, &err) == 0, "%s", err.text);
	ck_assert_msg(read_all(src, &len) == 0, "%s", err.text);
	ck_assert(len == FILE_SIZE && memcmp(got, file, len) == 0);
	art_http_stats(src, &received, &requests);
	ck_assert_uint_lt(received, FILE_SIZE + 2000);
	ck_assert_uint_eq(requests, 4);
	art_source_free(src);
	stop_server();
	answers[2] = (struct answer){ PART "Content-Range: bytes 50000-50099/400001\r\n\r\n", 50000, 100, false };
	start_server(answers, 4);
	ck_assert_int_eq(fetch(&opt, &len), ART_E_NET);
	ck_assert_ptr_nonnull(strstr(err.text, "was changed"));
	stop_server();
	/* The mirror's own ETag counts from then on. */
	answers[2] = (struct answer){ PART "Content-Range: bytes 50000-50099/400000\r\nETag: \"three\"\r\n\r\n", 50000, 100,
				      false };
	answers[3] = (struct answer){ PART "Content-Range: bytes 50100-399999/400000\r\nETag: \"four\"\r\n\r\n", 50100,
				      1000, false };
	start_server(answers, 4);
	ck_assert_int_eq(fetch(&opt, &len), ART_E_NET);
	ck_assert_ptr_nonnull(strstr(err.text, "was changed"));
	stop_server();
}
END_TEST

START_TEST(headers_are_bounded)
{
	static char many[80000], line[4096];
	struct answer answers[2] = { { many, 0, 0, false }, { NULL, 0, 0, false } };
	struct art_http_options opt = options();
	size_t len;

	/* A line too long to be one of ours is passed over. */
	memset(line, 'x', sizeof(line) - 1);
	snprintf(many, sizeof(many), PART "X-Long: %s\r\nETag: %.400s\r\nContent-Range: bytes 0-99/400000\r\n\r\n", line, line);
	answers[0].len = 100;
	start_server(answers, 2);
	ck_assert_msg(fetch(&opt, &len) == 0, "%s", err.text);
	stop_server();
	ck_assert(len == FILE_SIZE && memcmp(got, file, len) == 0);
	strcpy(many, PART);
	while (strlen(many) < 70000)
		strcat(many, "X-Filler: some words that nobody needs to read, again and again and again\r\n");
	strcat(many, "\r\n");
	start_server(answers, 1);
	ck_assert_int_eq(fetch(&opt, &len), ART_E_NET);
	ck_assert_ptr_nonnull(strstr(err.text, "headers"));
	stop_server();
}
END_TEST

/* Bytes that stop coming. */
START_TEST(stalls)
{
	struct answer answers[2] = { { PART "Content-Range: bytes 0-399999/400000\r\nETag: \"one\"\r\n\r\n", 0, 100, true },
				     { NULL, 0, 0, false } };
	struct art_http_options opt = options();
	size_t len;

	opt.stall_timeout = 1;
	opt.rate = 100000000;
	start_server(answers, 2);
	ck_assert_msg(fetch(&opt, &len) == 0, "%s", err.text);
	ck_assert(len == FILE_SIZE && memcmp(got, file, len) == 0);
	stop_server();
	opt.rate = 1000; /* a limit of our own is no stall, but no bytes at all are one */
	opt.retries = 1;
	answers[0].len = 0;
	start_server(answers, 1);
	ck_assert_int_eq(fetch(&opt, &len), ART_E_NET);
	ck_assert_ptr_nonnull(strstr(err.text, "bytes a second"));
	stop_server();
}
END_TEST

static void expect(struct art_source *src, size_t off, size_t len)
{
	ssize_t n = src->ops->read_at(src, off, got, len, &err);

	ck_assert_msg(n == (ssize_t)len, "%zu: %s", off, err.text);
	ck_assert(memcmp(got, file + off, len) == 0);
}

START_TEST(anywhere)
{
	struct answer honest = { NULL, 0, 0, false };
	struct art_http_options opt = options();
	uint64_t received, requests;
	struct art_source *src;
	size_t i;

	start_server(&honest, 1);
	ck_assert_int_eq(art_http_open(&src, url, &opt, &err), 0);
	ck_assert_uint_eq(src->size, FILE_SIZE);
	expect(src, 0, 10);
	expect(src, 100, 10);       /* forward inside what came already */
	expect(src, 100000, 10);    /* read over what lies between */
	expect(src, 5, 10);         /* back */
	expect(src, 390000, 10000); /* far, to the end */
	ck_assert_int_eq(src->ops->read_at(src, FILE_SIZE, got, 1, &err), 0);
	ck_assert_int_eq(src->ops->read_at(src, FILE_SIZE + 9, got, 1, &err), 0);
	/* Ranges that are announced: near ones together, touching ones as one, the oldest forgotten. */
	ck_assert_int_eq(src->ops->want(src, UINT64_MAX, 2, &err), ART_E_FAILED);
	ck_assert_int_eq(src->ops->want(src, 0, 0, &err), 0);
	for (i = 0; i < 200; i++)
		ck_assert_int_eq(src->ops->want(src, i * 1500, 100, &err), 0);
	ck_assert_int_eq(src->ops->want(src, 199 * 1500 + 100, 50, &err), 0);
	for (i = 195; i < 200; i++)
		expect(src, i * 1500, 100);
	expect(src, 199 * 1500 + 100, 50);
	art_http_stats(src, &received, &requests);
	ck_assert_uint_gt(requests, 3);
	ck_assert_uint_gt(received, 10000);
	art_source_free(src);
	stop_server();
}
END_TEST

/* Every second connection breaks; that is no reason to give up as long as the others give what was asked for. */
START_TEST(every_second)
{
	struct answer answers[20];
	struct art_http_options opt = options();
	struct art_source *src;
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(answers); i++)
		answers[i] = (struct answer){ i % 2 ? "" : NULL, 0, 0, false };
	opt.rate = 100000000; /* one at a time */
	start_server(answers, ART_ARRAY_SIZE(answers));
	ck_assert_int_eq(art_http_open(&src, url, &opt, &err), 0);
	for (i = 0; i < 9; i++) {
		ck_assert_int_eq(src->ops->want(src, 150000 + i * 5000, 100, &err), 0);
		expect(src, 150000 + i * 5000, 100);
	}
	art_source_free(src);
	stop_server();
}
END_TEST

/* All it can do is send everything. */
START_TEST(without_ranges)
{
	struct answer whole = { WHOLE "Content-Length: 400000\r\nLast-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n", 0,
				FILE_SIZE, false };
	struct answer answers[2] = { whole, whole };
	struct art_http_options opt = options();
	struct art_source *src;
	size_t len;

	start_server(&whole, 1);
	ck_assert_int_eq(art_http_open(&src, url, &opt, &err), 0);
	ck_assert(!src->can_seek);
	expect(src, 0, 10);
	expect(src, 300000, 10);
	ck_assert_int_eq(src->ops->read_at(src, 5, got, 1, &err), ART_E_NET_RANGE);
	art_source_free(src);
	stop_server();
	/* Broken off: from the start again, reading over what is there; another date is another file. */
	answers[0].len = 150000;
	start_server(answers, 2);
	ck_assert_msg(fetch(&opt, &len) == 0, "%s", err.text);
	ck_assert(len == FILE_SIZE && memcmp(got, file, len) == 0);
	stop_server();
	answers[1].head = WHOLE "Content-Length: 400000\r\nLast-Modified: Fri, 02 Jan 1970 00:00:00 GMT\r\n\r\n";
	start_server(answers, 2);
	ck_assert_int_eq(fetch(&opt, &len), ART_E_NET);
	ck_assert_ptr_nonnull(strstr(err.text, "was changed"));
	stop_server();
}
END_TEST

START_TEST(nobody_there)
{
	struct answer honest = { NULL, 0, 0, false };
	struct art_http_options opt = options();
	size_t len;

	start_server(&honest, 1);
	stop_server();
	opt.retries = 9;
	ck_assert_int_eq(fetch(&opt, &len), ART_E_NET);
	ck_assert_ptr_nonnull(strstr(err.text, "gave up after 3 retries"));
	ck_assert_int_eq(art_http_open(NULL, "file:///etc/passwd", NULL, &err), ART_E_USAGE);
	/* Final at once: nothing that waiting would mend. */
	snprintf(url, sizeof(url), "http://127.0.0.1:99999/file");
	ck_assert_int_eq(fetch(&opt, &len), ART_E_NET);
	ck_assert_ptr_null(strstr(err.text, "gave up"));
	opt.ca_file = "/nonexistent";
	ck_assert_int_eq(fetch(&opt, &len), ART_E_IO);
	opt.client_key = "/nonexistent";
	ck_assert_int_eq(fetch(&opt, &len), ART_E_IO);
	opt.client_cert = "/nonexistent";
	ck_assert_int_eq(fetch(&opt, &len), ART_E_IO);
}
END_TEST

/* Whatever libcurl or the system refuses: the whole file, or an error that is no word about the artifact. */
START_TEST(refused_one_by_one)
{
	static const struct answer answers[] = { { "HTTP/1.1 302 there\r\nLocation: /there\r\nConnection: close\r\n\r\n", BODY },
						 { NULL, 0, 0, false } };
	struct art_http_options opt = options();
	enum refuse_kind kind;
	const char *name;
	uint64_t n;
	size_t len;
	int code, status;

	opt.rate = 1000000000;
	opt.proxy = "";
	opt.ca_file = opt.client_cert = opt.client_key = "/dev/null";
	for (n = 1;; n++) {
		start_server(answers, 2);
		memset(&err, 0, sizeof(err));
		memset(got, 0, sizeof(got));
		len = 0;
		refuse_start(n, REFUSE_NOTHING, NULL);
		code = fetch(&opt, &len);
		name = refuse_stop(&kind);
		stop_server();
		if (code == 0)
			ck_assert_msg(len == FILE_SIZE && memcmp(got, file, len) == 0, "%s", name);
		if (!name)
			break;
		status = art_code_exit(code);
		ck_assert_msg(code == 0 || status == 1 || status == 6 || status == 8, "%s: %s", name, err.text);
		ck_assert_msg(code == 0 || err.text[0], "%s", name);
		if (kind == REFUSE_CURL || kind == REFUSE_MEMORY)
			ck_assert_msg(code != 0, "%s (call %d) was not noticed", name, (int)n);
	}
	ck_assert_int_eq(code, 0);
	ck_assert_uint_gt(n, 30);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http");
	TCase *t = tcase_create("http");

	tcase_set_timeout(t, 600);
	tcase_add_checked_fixture(t, setup, stop_server);
	tcase_add_loop_test(t, first_answers, 0, ART_ARRAY_SIZE(judged));
	tcase_add_loop_test(t, stubborn_answers, 0, ART_ARRAY_SIZE(stubborn));
	tcase_add_test(t, more_than_asked);
	tcase_add_test(t, another_mirror);
	tcase_add_test(t, headers_are_bounded);
	tcase_add_test(t, stalls);
	tcase_add_test(t, anywhere);
	tcase_add_test(t, every_second);
	tcase_add_test(t, without_ranges);
	tcase_add_test(t, nobody_there);
	tcase_add_test(t, refused_one_by_one);
	suite_add_tcase(s, t);
	return run_suite(s);
}
