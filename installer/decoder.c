// SPDX-License-Identifier: Apache-2.0
/*
 * The decoder child. Everything that allocates, opens or maps happens before the door is shut; after it a system call other
 * than read, write, exit and sigreturn kills the child, which the parent takes for a failed install.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "installer/decoder.h"
#include "installer/lockdown.h"
#include "libartifact/chunk.h"
#include "libartifact/patch_codec.h"
#include "libartifact/util.h"

/* One in shared memory for each row under way. */
struct slot {
	uint8_t in[ART_CHUNK_MAX];
	uint8_t out[ART_CHUNK_MAX];
};

/* What the child shares with its parent. Pages that are not touched cost nothing. */
struct shared {
	struct slot slots[DECODER_SLOTS];
	uint8_t window[ART_PATCH_WINDOW_MAX];
};

/* Exit statuses of the child that has not got as far as its first request. */
enum { EXIT_NO_MEMORY = 2, EXIT_NOT_SHUT_IN };

/* In the child. */
struct works {
	struct art_decoder *rows;
	struct art_patch_decoder *patches;
	struct shared *shared;
};

enum op { OP_DECODE, OP_FEED, OP_PATCH };

struct request {
	uint32_t slot;
	uint32_t op;
	uint32_t type;
	uint32_t reset;
	uint32_t stored_len;
	uint32_t plain_len;
	uint32_t window_len;
};

struct answer {
	uint32_t slot;
	int32_t code;
};

struct decoder {
	pid_t pid;
	int fd;
	struct shared *shared;
	struct slot *slots; /* SHARED's */
	struct art_digest *sha256;
	size_t head;    /* slot of the next row */
	size_t pending;
	struct art_row rows[DECODER_SLOTS];
	bool fed[DECODER_SLOTS];
};

/* In the child: one row. The request comes from the parent, which is trusted. */
static int32_t serve(struct works *w, const struct request *q)
{
	struct art_decoder *dec = w->rows;
	struct slot *s = &w->shared->slots[q->slot];
	const uint8_t *plain;
	int code;

	if (q->op == OP_PATCH)
		return art_patch_decode(w->patches, (enum art_patch_codec)q->type,
					w->shared->window, q->window_len, s->in, q->stored_len,
					s->out, q->plain_len, NULL);
	if (q->reset)
		art_decoder_reset(dec);
	if (q->op == OP_FEED)
		return art_decoder_feed(dec, s->in, q->plain_len, NULL);
	code = art_decoder_chunk(dec, (enum art_row_type)q->type, s->in, q->stored_len,
				 q->plain_len, &plain, NULL);
	if (code == 0)
		memcpy(s->out, plain, q->plain_len);
	return code;
}

static void child_loop(int fd, struct works *w)
{
	struct request q;
	struct answer a;

	while (read(fd, &q, sizeof(q)) == (ssize_t)sizeof(q)) {
		a.slot = q.slot;
		a.code = serve(w, &q);
		if (write(fd, &a, sizeof(a)) != (ssize_t)sizeof(a))
			break;
	}
	/* exit_group, which _exit() uses, is not among the calls that are left. */
	syscall(SYS_exit, 0);
}

static void limit(int what, rlim_t value)
{
	struct rlimit r = { value, value };

	setrlimit(what, &r);
}

/* Never returns. */
static void run_child(int fd, uint32_t prefix, struct shared *shared)
{
	struct works w = { .shared = shared };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_NPROC, 0);
	/* Descriptors of slots, keys and state are not for this process. */
	if (fd != 3 && dup2(fd, 3) != 3)
		_exit(1);
	if (syscall(SYS_close_range, 4, ~0U, 0) < 0) {
		int i;

		for (i = 4; i < 1024; i++)
			close(i);
	}
	close(0);
	close(1);
	close(2);
	if (art_decoder_new(&w.rows, prefix, NULL) < 0 ||
	    art_patch_decoder_new(&w.patches, NULL) < 0)
		_exit(EXIT_NO_MEMORY);
	limit(RLIMIT_NOFILE, 0);
	if (lockdown_compute_only() < 0)
		_exit(EXIT_NOT_SHUT_IN);
	child_loop(3, &w);
	syscall(SYS_exit, 1);
}

int decoder_start(struct decoder **out, uint32_t prefix, struct art_err *err)
{
	struct decoder *d = calloc(1, sizeof(*d));
	int fd[2], code;

	if (!d)
		return art_fail_memory(err);
	d->fd = -1;
	d->shared = mmap(NULL, sizeof(*d->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (d->shared == MAP_FAILED) {
		d->shared = NULL;
		code = art_fail_memory(err);
		goto fail;
	}
	d->slots = d->shared->slots;
	code = art_sha256_new(&d->sha256, err);
	if (code < 0)
		goto fail;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0) {
		code = art_fail_errno(err, ART_E_FAILED, "cannot make a socket pair");
		goto fail;
	}
	d->pid = fork();
	if (d->pid == 0)
		run_child(fd[1], prefix, d->shared);
	close(fd[1]);
	d->fd = fd[0];
	if (d->pid < 0) {
		code = art_fail_errno(err, ART_E_FAILED, "cannot start the decoder");
		goto fail;
	}
	*out = d;
	return 0;
fail:
	decoder_free(d);
	return code;
}

void decoder_free(struct decoder *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		close(d->fd);
	if (d->pid > 0) {
		kill(d->pid, SIGKILL);
		while (waitpid(d->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (d->shared)
		munmap(d->shared, sizeof(*d->shared));
	art_digest_free(d->sha256);
	free(d);
}

uint8_t *decoder_room(struct decoder *d)
{
	return d->pending == DECODER_SLOTS ? NULL : d->slots[d->head].in;
}

size_t decoder_pending(const struct decoder *d)
{
	return d->pending;
}

static int child_fail(struct art_err *err, const char *what)
{
	return art_fail(err, ART_E_FAILED, "the decoder process %s", what);
}

/* Its end of the socket, the only descriptor that it has, was closed: it has gone, or is about to. */
static int child_gone(struct decoder *d, struct art_err *err)
{
	int status;

	if (d->pid <= 0)
		return child_fail(err, "has died");
	kill(d->pid, SIGKILL);
	while (waitpid(d->pid, &status, 0) < 0 && errno == EINTR)
		;
	d->pid = 0;
	if (WIFSIGNALED(status))
		return art_fail(err, ART_E_FAILED,
				"the decoder process has died of signal %d (%s)",
				WTERMSIG(status), strsignal(WTERMSIG(status)));
	switch (WEXITSTATUS(status)) {
	case EXIT_NO_MEMORY:
		return child_fail(err, "has too little memory");
	case EXIT_NOT_SHUT_IN:
		return child_fail(err, "cannot be shut in: the kernel refuses seccomp");
	default:
		return child_fail(err, "has ended");
	}
}

int decoder_submit(struct decoder *d, const struct art_row *row, bool feed,
		   struct art_err *err)
{
	struct request q = { .slot = (uint32_t)d->head, .op = feed ? OP_FEED : OP_DECODE,
			     .type = row->type, .reset = row->group_start,
			     .stored_len = row->stored_len, .plain_len = row->plain_len };

	if (d->pending == DECODER_SLOTS || !art_row_is_stored(row))
		return art_fail(err, ART_E_FAILED, "a row that the decoder cannot take");
	if (send(d->fd, &q, sizeof(q), MSG_NOSIGNAL) != (ssize_t)sizeof(q))
		return child_gone(d, err);
	d->rows[d->head] = *row;
	d->fed[d->head] = feed;
	d->head = (d->head + 1) % DECODER_SLOTS;
	d->pending++;
	return 0;
}

static int wait_answer(struct decoder *d, struct answer *a, struct art_err *err)
{
	struct pollfd p = { .fd = d->fd, .events = POLLIN };
	ssize_t len;
	int n;

	do
		n = poll(&p, 1, DECODER_TIMEOUT * 1000);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return child_fail(err, "does not answer");
	do
		len = recv(d->fd, a, sizeof(*a), 0);
	while (len < 0 && errno == EINTR);
	if (len != (ssize_t)sizeof(*a))
		return child_gone(d, err);
	return 0;
}

int decoder_result(struct decoder *d, struct art_row *row, uint8_t *plain, bool *fed,
		   struct art_err *err)
{
	size_t tail = (d->head + DECODER_SLOTS - d->pending) % DECODER_SLOTS;
	struct answer a;
	int code;

	if (d->pending == 0)
		return art_fail(err, ART_E_FAILED, "no row is under way");
	code = wait_answer(d, &a, err);
	if (code < 0)
		return code;
	if (a.slot != tail)
		return child_fail(err, "answers nonsense");
	*row = d->rows[tail];
	*fed = d->fed[tail];
	d->pending--;
	if (a.code != 0)
		return art_fail(err, ART_E_CHUNK_DECODE, "chunk %u does not decode", row->number);
	if (*fed)
		return 0;
	/* Out of the child's reach first, then judged. */
	memcpy(plain, d->slots[tail].out, row->plain_len);
	return art_row_check_plain(row, plain, d->sha256, err);
}

int decoder_test(struct decoder *d, struct art_err *err)
{
	const struct art_row one = { .type = ART_ROW_RAW, .plain_len = 1, .stored_len = 1,
				     .group_start = true };
	struct art_row row;
	uint8_t plain[1];
	bool fed;
	int code;

	d->slots[d->head].in[0] = 0;
	code = decoder_submit(d, &one, true, err);
	return code < 0 ? code : decoder_result(d, &row, plain, &fed, err);
}

uint8_t *decoder_window(struct decoder *d)
{
	return d->shared->window;
}

int decoder_patch(struct decoder *d, enum art_patch_codec codec, size_t window_len,
		  const uint8_t *stored, size_t stored_len, uint8_t *out, size_t len,
		  struct art_err *err)
{
	struct request q = { .op = OP_PATCH, .type = codec, .stored_len = (uint32_t)stored_len,
			     .plain_len = (uint32_t)len, .window_len = (uint32_t)window_len };
	struct answer a;
	int code;

	if (d->pending > 0 || window_len > ART_PATCH_WINDOW_MAX || stored_len > ART_CHUNK_MAX ||
	    len > ART_CHUNK_MAX)
		return art_fail(err, ART_E_FAILED, "a record that the decoder cannot take");
	memcpy(d->slots[0].in, stored, stored_len);
	if (send(d->fd, &q, sizeof(q), MSG_NOSIGNAL) != (ssize_t)sizeof(q))
		return child_gone(d, err);
	code = wait_answer(d, &a, err);
	if (code < 0)
		return code;
	if (a.slot != 0)
		return child_fail(err, "answers nonsense");
	if (a.code != 0)
		return art_fail(err, ART_E_PATCH_DECODE, "a part of the patch does not decode");
	memcpy(out, d->slots[0].out, len);
	return 0;
}
