// SPDX-License-Identifier: Apache-2.0
/* The parent's half of fetch.h. Nothing here trusts the child further than a pipe. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "installer/fetch.h"
#include "installer/fetch/options.h"
#include "libartifact/url.h"
#include "libartifact/util.h"

#define SILENCE_SECONDS 1800
/* Who reads in order is served ahead, each time by twice as much up to this. */
#define FIRST_AHEAD ((uint64_t)64 * 1024)
#define AHEAD_MAX (4 * (uint64_t)FETCH_READ_MAX)

struct range {
	uint64_t off, end;
};

struct fetch {
	struct art_source base;
	char *shown;
	int fd;
	pid_t pid;
	unsigned int silence;
	uint64_t received, requests;
	unsigned int notes;
	void (*waiting)(void *ctx, const char *why, uint64_t ms);
	void *waiting_ctx;
	uint32_t next_id;
	struct {
		uint32_t id;
		struct range r;
	} asked[FETCH_DEPTH];        /* READs under way, oldest first */
	size_t asked_count;
	uint64_t pos;                /* file offset after the last byte that came for asked[0] */
	struct range plan[256];      /* what to ask for next */
	size_t plan_count;
	uint64_t last;               /* where the reader was */
	uint64_t ahead;              /* how far it is served ahead of that */
	struct art_err dead;         /* code != 0: nothing works any more */
	size_t have, used;           /* of frame */
	uint8_t frame[FETCH_FRAME_MAX];
};

static void end_child(struct fetch *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	if (f->pid > 0) {
		kill(f->pid, SIGKILL);
		while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	f->pid = -1;
}

/* Keep the fault: every later call gives the same. */
static int die(struct fetch *f, int code, const char *text, struct art_err *err)
{
	art_fail(&f->dead, code, "'%s': %s", f->shown, text);
	end_child(f);
	if (err)
		*err = f->dead;
	return code;
}

static int gone(struct fetch *f, struct art_err *err)
{
	char text[80] = "the download program ended without a word";
	int status = 0;
	pid_t got = 0;

	/* The socket is closed a moment before the process is gone; one that stays is killed. */
	for (int i = 0; i < 100 && got == 0; i++) {
		usleep(10000);
		got = waitpid(f->pid, &status, WNOHANG);
	}
	if (got != 0)
		f->pid = -1;
	if (got > 0 && WIFSIGNALED(status))
		snprintf(text, sizeof(text), "the download program was killed by signal %d",
			 WTERMSIG(status));
	else if (got > 0 && WEXITSTATUS(status) == 127)
		snprintf(text, sizeof(text), "the download program could not be started");
	else if (got > 0)
		snprintf(text, sizeof(text), "the download program ended with status %d",
			 WEXITSTATUS(status));
	return die(f, ART_E_NET, text, err);
}

static int receive(struct fetch *f, void *buf, size_t len, struct art_err *err)
{
	uint8_t *p = buf;

	while (len > 0) {
		struct pollfd pfd = { f->fd, POLLIN, 0 };
		int ready = poll(&pfd, 1, (int)f->silence * 1000);
		ssize_t n;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0)
			return die(f, ART_E_NET, "the download program has been silent for too long",
				   err);
		n = recv(f->fd, p, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return gone(f, err);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A child that has gone is found out by reading: what it said before, its error above all, is still to be read then. */
static int send_all(struct fetch *f, const void *buf, size_t len, struct art_err *err)
{
	const uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = send(f->fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0;
		if (n < 0)
			return gone(f, err);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int ask(struct fetch *f, enum fetch_op op, uint64_t off, uint64_t len,
	       struct art_err *err)
{
	uint8_t request[FETCH_REQUEST_SIZE];

	art_put32(request, op);
	art_put32(request + 4, f->next_id++);
	art_put64(request + 8, off);
	art_put64(request + 16, len);
	return send_all(f, request, sizeof(request), err);
}

static int nonsense(struct fetch *f, struct art_err *err)
{
	return die(f, ART_E_NET, "the download program sent what nobody asked for", err);
}

static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

#define TEXT_FRAME_MAX (4 + sizeof(((struct art_err *)0)->text))

/* A number and words, which end with NUL and are fit to print then. */
static int receive_text(struct fetch *f, uint8_t body[TEXT_FRAME_MAX], uint32_t len,
			struct art_err *err)
{
	int code = len < 4 || len > TEXT_FRAME_MAX - 1 ? nonsense(f, err) : receive(f, body, len, err);

	if (code < 0)
		return code;
	body[len] = '\0';
	make_printable((char *)body + 4);
	return 0;
}

/* An ERROR frame's words, as far as they are fit to print; its code, as far as it may say one. */
static int report(struct fetch *f, uint32_t len, struct art_err *err)
{
	uint8_t body[TEXT_FRAME_MAX];
	int code = receive_text(f, body, len, err);

	if (code < 0)
		return code;
	switch (-(int64_t)art_get32(body)) {
	case ART_E_NET_RANGE:
	case ART_E_USAGE:
	case ART_E_NO_MEMORY:
	case ART_E_IO:
		code = -(int)art_get32(body);
		break;
	default:
		code = ART_E_NET;
	}
	art_fail(&f->dead, code, "%s", (const char *)body + 4);
	end_child(f);
	if (err)
		*err = f->dead;
	return code;
}

/* Why it takes so long. */
static int take_note(struct fetch *f, uint32_t len, struct art_err *err)
{
	uint8_t body[TEXT_FRAME_MAX];
	int code = ++f->notes > FETCH_NOTES_MAX ? nonsense(f, err) : receive_text(f, body, len, err);

	if (code < 0)
		return code;
	if (f->waiting)
		f->waiting(f->waiting_ctx, (const char *)body + 4, art_get32(body));
	return 0;
}

/* The header of the next frame, for request ID. NOTE and ERROR frames end here. */
static int next_frame(struct fetch *f, uint32_t id, uint32_t *type, uint32_t *len,
		      struct art_err *err)
{
	uint8_t header[FETCH_HEADER_SIZE];
	int code;

	do {
		code = receive(f, header, sizeof(header), err);
		if (code < 0)
			return code;
		*type = art_get32(header);
		*len = art_get32(header + 8);
		if (art_get32(header + 4) != (*type == FETCH_NOTE ? 0 : id) ||
		    art_get32(header + 12) != 0 || *len > FETCH_FRAME_MAX)
			return nonsense(f, err);
		if (*type == FETCH_NOTE)
			code = take_note(f, *len, err);
	} while (code == 0 && *type == FETCH_NOTE);
	return code == 0 && *type == FETCH_ERROR ? report(f, *len, err) : code;
}

static void forget_oldest(struct fetch *f)
{
	f->asked_count--;
	memmove(f->asked, f->asked + 1, f->asked_count * sizeof(f->asked[0]));
	if (f->asked_count > 0)
		f->pos = f->asked[0].r.off;
}

/* END of asked[0]. Short of its end is the end of the file, and there only. */
static int on_end(struct fetch *f, uint32_t len, struct art_err *err)
{
	uint8_t body[16];
	int code;

	if (len != sizeof(body))
		return nonsense(f, err);
	code = receive(f, body, sizeof(body), err);
	if (code < 0)
		return code;
	f->received = art_get64(body);
	f->requests = art_get64(body + 8);
	if (f->pos < f->asked[0].r.end) {
		if (f->base.size != UINT64_MAX && f->pos < f->base.size)
			return die(f, ART_E_NET, "the download program ended the file too early",
				   err);
		if (f->base.size == UINT64_MAX)
			f->base.size = f->pos;
	}
	forget_oldest(f);
	return 0;
}

/* One frame for asked[0]: bytes into f->frame, or its end. */
static int take_frame(struct fetch *f, struct art_err *err)
{
	uint32_t type = 0, len = 0;
	int code = next_frame(f, f->asked[0].id, &type, &len, err);

	if (code < 0)
		return code;
	if (type == FETCH_END)
		return on_end(f, len, err);
	if (type != FETCH_DATA || len == 0 || len > f->asked[0].r.end - f->pos)
		return nonsense(f, err);
	code = receive(f, f->frame, len, err);
	if (code < 0)
		return code;
	f->have = len;
	f->used = 0;
	f->pos += len;
	return 0;
}

static int send_plan(struct fetch *f, struct art_err *err)
{
	while (f->asked_count < FETCH_DEPTH && f->plan_count > 0) {
		struct range *r = &f->plan[0];
		struct range piece = *r;
		int code;

		if (piece.end - piece.off > FETCH_READ_MAX)
			piece.end = piece.off + FETCH_READ_MAX;
		f->asked[f->asked_count].id = f->next_id;
		f->asked[f->asked_count].r = piece;
		code = ask(f, FETCH_READ, piece.off, piece.end - piece.off, err);
		if (code < 0)
			return code;
		if (f->asked_count++ == 0)
			f->pos = piece.off;
		r->off = piece.end;
		if (r->off == r->end)
			memmove(f->plan, f->plan + 1, --f->plan_count * sizeof(f->plan[0]));
	}
	return 0;
}

static bool in_range(const struct range *r, uint64_t off)
{
	return off >= r->off && off < r->end;
}

/* Is OFF among what was asked for or is planned? */
static bool is_coming(const struct fetch *f, uint64_t off)
{
	for (size_t i = 0; i < f->asked_count; i++)
		if (off >= (i == 0 ? f->pos : f->asked[i].r.off) && off < f->asked[i].r.end)
			return true;
	for (size_t i = 0; i < f->plan_count; i++)
		if (in_range(&f->plan[i], off))
			return true;
	return false;
}

/* Drop plans that lie before the one with OFF, or all, and plan OFF itself. */
static void plan_for(struct fetch *f, uint64_t off, uint64_t len)
{
	struct range *r = f->plan;
	uint64_t end;

	while (f->plan_count > 0 && !in_range(r, off))
		memmove(r, r + 1, --f->plan_count * sizeof(*r));
	if (f->plan_count > 0) {
		r->off = off;
		return;
	}
	if (off != f->last)
		f->ahead = FIRST_AHEAD;
	else if (len < f->ahead)
		len = f->ahead;
	if (off == f->last && f->ahead < AHEAD_MAX)
		f->ahead *= 2;
	end = off + len < off ? UINT64_MAX : off + len;
	if (end > f->base.size)
		end = f->base.size;
	r->off = off;
	r->end = end;
	f->plan_count = end > off;
}

/* Bytes of the file from OFF on into f->frame + f->used; none at the end of the file. */
static int fill(struct fetch *f, uint64_t off, uint64_t len, struct art_err *err)
{
	int code = 0;

	for (;;) {
		uint64_t start = f->pos - (f->have - f->used);

		if (f->used < f->have && off >= start && off < f->pos) {
			f->used += (size_t)(off - start);
			return 0;
		}
		f->used = f->have = 0;
		if (off >= f->base.size)
			return 0;
		if (f->asked_count == 0 || !is_coming(f, off)) {
			/* What is under way is bounded: let it pass. */
			while (f->asked_count > 0 && code == 0)
				code = take_frame(f, err);
			f->used = f->have = 0;
			plan_for(f, off, len);
		}
		if (code == 0)
			code = send_plan(f, err);
		if (code == 0 && f->asked_count > 0)
			code = take_frame(f, err);
		if (code < 0)
			return code;
	}
}

static ssize_t fetch_read_at(struct art_source *src, uint64_t off, void *buf, size_t len,
			     struct art_err *err)
{
	struct fetch *f = (struct fetch *)src;
	size_t done = 0;

	if (f->dead.code) {
		if (err)
			*err = f->dead;
		return f->dead.code;
	}
	while (done < len) {
		int code = fill(f, off + done, len - done, err);
		size_t take = f->have - f->used;

		if (code < 0)
			return code;
		if (take == 0)
			break;
		if (take > len - done)
			take = len - done;
		memcpy((uint8_t *)buf + done, f->frame + f->used, take);
		f->used += take;
		done += take;
		f->last = off + done;
	}
	return (ssize_t)done;
}

static int fetch_want(struct art_source *src, uint64_t off, uint64_t len, struct art_err *err)
{
	struct fetch *f = (struct fetch *)src;
	uint64_t end;
	int code;

	if (f->dead.code) {
		if (err)
			*err = f->dead;
		return f->dead.code;
	}
	if (__builtin_add_overflow(off, len, &end) || end > src->size)
		return art_fail(err, ART_E_FAILED, "'%s': a range beyond the end", src->name);
	if (len == 0 || f->plan_count == ART_ARRAY_SIZE(f->plan))
		return 0;
	code = ask(f, FETCH_WANT, off, len, err);
	if (code < 0)
		return code;
	f->plan[f->plan_count].off = off;
	f->plan[f->plan_count++].end = end;
	return send_plan(f, err);
}

static void fetch_free(struct art_source *src)
{
	struct fetch *f = (struct fetch *)src;

	end_child(f);
	free(f->shown);
	free(f);
}

static const struct art_source_ops fetch_ops = {
	.read_at = fetch_read_at,
	.want = fetch_want,
	.free = fetch_free,
};

/* In the child, between fork and exec: only what is safe there. */
static void become(const char *program, int fd, char *const *env)
{
	char *const argv[] = { (char *)program, NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || dup2(fd, 0) != 0)
		_exit(127);
	close_range(3, ~0U, 0);
	execve(program, argv, env);
	_exit(127);
}

/* Only what libcurl and the resolver look at. */
static void clean_environment(char **env, size_t max)
{
	static const char *const kept[] = {
		"http_proxy=", "https_proxy=", "HTTPS_PROXY=", "all_proxy=", "ALL_PROXY=",
		"no_proxy=", "NO_PROXY=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
	};
	size_t count = 0;

	for (char **e = environ; e && *e; e++)
		for (size_t i = 0; i < ART_ARRAY_SIZE(kept); i++)
			if (strncmp(*e, kept[i], strlen(kept[i])) == 0 && count + 1 < max)
				env[count++] = *e;
	env[count] = NULL;
}

static int start_child(struct fetch *f, const char *program, struct art_err *err)
{
	char *env[32];
	int fds[2];

	if (access(program, X_OK) != 0)
		return art_fail_errno(err, ART_E_FAILED, "cannot run '%s', which downloads", program);
	clean_environment(env, ART_ARRAY_SIZE(env));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return art_fail_errno(err, ART_E_FAILED, "cannot make a socket pair");
	f->pid = fork();
	if (f->pid == 0)
		become(program, fds[1], env);
	close(fds[1]);
	f->fd = fds[0];
	if (f->pid < 0)
		return art_fail_errno(err, ART_E_FAILED, "cannot start '%s'", program);
	return 0;
}

static int send_options(struct fetch *f, const char *url, const struct fetch_options *opt,
			struct art_err *err)
{
	struct fetch_text *t = calloc(1, sizeof(*t));
	int code;

	if (!t)
		return art_fail_memory(err);
	code = fetch_options_write(t, url, opt, err);
	if (code < 0)
		art_wrap(err, "'%s'", f->shown);
	if (code == 0)
		code = ask(f, FETCH_OPEN, 0, t->len, err);
	if (code == 0)
		code = send_all(f, t->bytes, t->len, err);
	explicit_bzero(t, sizeof(*t));
	free(t);
	return code;
}

static int await_opened(struct fetch *f, struct art_err *err)
{
	uint32_t type = 0, len = 0;
	uint8_t body[16];
	int code = next_frame(f, 0, &type, &len, err);

	if (code == 0 && (type != FETCH_OPENED || len != sizeof(body)))
		code = nonsense(f, err);
	if (code == 0)
		code = receive(f, body, sizeof(body), err);
	if (code < 0)
		return code;
	f->base.size = art_get64(body);
	f->base.can_seek = art_get32(body + 8) == 1;
	return 0;
}

int fetch_source_open(struct art_source **out, const char *url, const struct fetch_options *opt,
		      struct art_err *err)
{
	static const struct fetch_options defaults;
	struct fetch *f = calloc(1, sizeof(*f));
	int code = 0;

	if (!f)
		return art_fail_memory(err);
	if (!opt)
		opt = &defaults;
	f->base.ops = &fetch_ops;
	f->fd = -1;
	f->pid = -1;
	f->ahead = opt->http.first ? opt->http.first : FIRST_AHEAD;
	f->silence = opt->silence ? opt->silence : SILENCE_SECONDS;
	f->waiting = opt->http.waiting;
	f->waiting_ctx = opt->http.waiting_ctx;
	f->shown = art_url_show(url);
	f->base.name = f->shown;
	if (!f->shown)
		code = art_fail_memory(err);
	if (code == 0)
		code = start_child(f, opt->program ? opt->program :
				   LIBEXECDIR "/twinroot/artifact-fetch", err);
	if (code == 0)
		code = send_options(f, url, opt, err);
	if (code == 0)
		code = await_opened(f, err);
	if (code < 0) {
		fetch_free(&f->base);
		return code;
	}
	*out = &f->base;
	return 0;
}

uint64_t fetch_source_received(struct art_source *src, uint64_t *requests)
{
	struct fetch *f = (struct fetch *)src;

	/* The last word on what was read is still to be heard. */
	while (f->asked_count > 0 && f->dead.code == 0 && take_frame(f, NULL) == 0)
		;
	f->used = f->have = 0;
	if (requests)
		*requests = f->requests;
	return f->received;
}
