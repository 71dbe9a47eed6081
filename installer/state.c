// SPDX-License-Identifier: Apache-2.0
/*
 * The state record (state.md). Two blocks written in turn: whatever a power cut does to the one being written, the
 * other still tells the state before. Nothing is allocated on the filesystem after the file was made, so a
 * commit or a rollback needs no free space.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "installer/state.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define VERSION 1
#define DIGEST_AT (STATE_BLOCK - ART_SHA256_LEN)
#define SLOT_AT 128
#define SLOT_SIZE 256
#define NONE 0xff

static const char magic[8] = { 'T', 'W', 'I', 'N', 'S', 'T', 'A', 'T' };

const char *state_phase_name(enum state_phase phase)
{
	static const char *const names[PHASE_COUNT] = {
		"idle",	   "installing", "installed",	"trying",
		"healthy", "committed",	 "rolled-back", "failed",
	};

	return names[phase];
}

const char *state_content_name(enum state_content content)
{
	static const char *const names[CONTENT_COUNT] = { "unknown", "partial", "complete",
							  "good", "bad" };

	return names[content];
}

const char *state_health_name(enum state_health health)
{
	static const char *const names[] = { "new", "ok", "one-copy", "lost" };

	return names[health];
}

static void put_slot(uint8_t *p, const struct state_slot *slot)
{
	p[0] = (uint8_t)slot->content;
	art_put32(p + 4, slot->counter);
	art_put64(p + 8, slot->time);
	memcpy(p + 16, slot->digest, ART_SHA256_LEN);
	memcpy(p + 48, slot->name, strnlen(slot->name, STATE_NAME_MAX));
	memcpy(p + 120, slot->version, strnlen(slot->version, STATE_NAME_MAX));
}

static int get_slot(const uint8_t *p, struct state_slot *slot)
{
	if (p[0] >= CONTENT_COUNT)
		return -1;
	slot->content = (enum state_content)p[0];
	slot->counter = art_get32(p + 4);
	slot->time = art_get64(p + 8);
	memcpy(slot->digest, p + 16, ART_SHA256_LEN);
	memcpy(slot->name, p + 48, STATE_NAME_MAX);
	memcpy(slot->version, p + 120, STATE_NAME_MAX);
	return 0;
}

static int get_index(uint8_t byte, int *slot)
{
	if (byte > 1 && byte != NONE)
		return -1;
	*slot = byte == NONE ? -1 : byte;
	return 0;
}

int state_encode(const struct state *s, uint8_t block[STATE_BLOCK], struct art_err *err)
{
	int i;

	memset(block, 0, STATE_BLOCK);
	memcpy(block, magic, sizeof(magic));
	art_put32(block + 8, VERSION);
	art_put32(block + 12, STATE_BLOCK);
	art_put64(block + 16, s->sequence);
	art_put64(block + 24, s->transaction);
	block[32] = (uint8_t)s->phase;
	block[33] = s->active < 0 ? NONE : (uint8_t)s->active;
	block[34] = s->target < 0 ? NONE : (uint8_t)s->target;
	block[35] = (uint8_t)s->tries;
	art_put32(block + 36, s->floor);
	block[40] = (uint8_t)s->used;
	block[41] = s->reached;
	memcpy(block + 48, s->boot_id, STATE_BOOT_ID_LEN);
	memcpy(block + 64, s->reason, strnlen(s->reason, STATE_REASON_MAX));
	for (i = 0; i < 2; i++)
		put_slot(block + SLOT_AT + i * SLOT_SIZE, &s->slot[i]);
	return art_sha256(block, DIGEST_AT, block + DIGEST_AT, err);
}

int state_decode(struct state *s, const uint8_t block[STATE_BLOCK], struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	int code, i;

	memset(s, 0, sizeof(*s));
	if (memcmp(block, magic, sizeof(magic)) != 0 || art_get32(block + 12) != STATE_BLOCK)
		return art_fail(err, ART_E_FAILED, "not a state block");
	if (art_get32(block + 8) != VERSION)
		return art_fail(err, ART_E_FAILED, "state block of version %u",
				art_get32(block + 8));
	code = art_sha256(block, DIGEST_AT, digest, err);
	if (code < 0)
		return code;
	if (memcmp(digest, block + DIGEST_AT, sizeof(digest)) != 0)
		return art_fail(err, ART_E_FAILED, "state block with a wrong digest");
	s->sequence = art_get64(block + 16);
	s->transaction = art_get64(block + 24);
	if (block[32] >= PHASE_COUNT || get_index(block[33], &s->active) < 0 ||
	    get_index(block[34], &s->target) < 0)
		return art_fail(err, ART_E_FAILED, "state block with values out of range");
	s->phase = (enum state_phase)block[32];
	s->tries = block[35];
	s->floor = art_get32(block + 36);
	s->used = block[40];
	s->reached = block[41] != 0;
	memcpy(s->boot_id, block + 48, STATE_BOOT_ID_LEN);
	memcpy(s->reason, block + 64, STATE_REASON_MAX);
	for (i = 0; i < 2; i++)
		if (get_slot(block + SLOT_AT + i * SLOT_SIZE, &s->slot[i]) < 0)
			return art_fail(err, ART_E_FAILED, "state block with values out of range");
	return 0;
}

static void fresh(struct state *s)
{
	memset(s, 0, sizeof(*s));
	s->active = -1;
	s->target = -1;
}

/* A new record appears complete, preallocated and with two blocks that hold nothing. A filesystem without
 * fallocate gets a sparse file; the blocks themselves are written either way. */
static int create(const char *path, struct art_err *err)
{
	static const uint8_t zero[STATE_BLOCK];
	struct art_out out = ART_OUT_INIT;
	int i, code = art_out_open(&out, path, 0600, err);

	if (code < 0)
		return code;
	if (fallocate(out.fd, 0, 0, STATE_STRIDE + STATE_BLOCK) < 0 && errno != EOPNOTSUPP)
		code = art_fail_errno(err, ART_E_IO, "cannot allocate '%s'", path);
	for (i = 0; i < 2 && !code; i++)
		code = art_pwrite_full(out.fd, zero, sizeof(zero),
				       (uint64_t)i * STATE_STRIDE, path, err);
	if (code < 0) {
		art_out_abort(&out);
		return code;
	}
	return art_out_commit(&out, err);
}

/* 1: a valid block; 0: only zeros (never written); -1: anything else. */
static int read_block(const struct state_file *f, int n, struct state *s)
{
	uint8_t block[STATE_BLOCK];
	struct art_err ignored;
	ssize_t got = art_pread_full(f->fd, block, sizeof(block), (uint64_t)n * STATE_STRIDE,
				     f->name, &ignored);

	if (got != STATE_BLOCK)
		return -1;
	if (art_is_zero(block, sizeof(block)))
		return 0;
	return state_decode(s, block, &ignored) == 0 ? 1 : -1;
}

static void choose(struct state_file *f, struct state *s)
{
	struct state found[2];
	int valid[2], newest;

	valid[0] = read_block(f, 0, &found[0]);
	valid[1] = read_block(f, 1, &found[1]);
	if (valid[0] != 1 && valid[1] != 1) {
		fresh(s);
		f->next = 0;
		/* The first write fills both, so one that is still empty means that it was cut. */
		f->health = valid[0] == 0 || valid[1] == 0 ? STATE_NEW : STATE_LOST;
		return;
	}
	if (valid[0] == 1 && valid[1] == 1)
		newest = found[1].sequence > found[0].sequence ? 1 : 0;
	else
		newest = valid[1] == 1 ? 1 : 0;
	*s = found[newest];
	f->next = 1 - newest;
	f->health = valid[1 - newest] < 0 ? STATE_ONE_COPY : STATE_OK;
}

int state_open(struct state_file *f, const char *path, bool writable, struct state *s,
	       struct art_err *err)
{
	int flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC;

	f->name = path;
	f->next = 0;
	f->health = STATE_NEW;
	f->fd = open(path, flags);
	if (f->fd < 0 && errno == ENOENT && writable) {
		int code = create(path, err);

		if (code < 0)
			return code;
		f->fd = open(path, flags);
	}
	if (f->fd < 0 && errno == ENOENT) {
		fresh(s);
		return 0;
	}
	if (f->fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open the state record '%s'", path);
	choose(f, s);
	return 0;
}

static int write_block(struct state_file *f, struct state *s, struct art_err *err)
{
	uint8_t block[STATE_BLOCK];
	int code;

	s->sequence++;
	code = state_encode(s, block, err);
	if (code == 0)
		code = art_pwrite_full(f->fd, block, sizeof(block),
				       (uint64_t)f->next * STATE_STRIDE, f->name, err);
	if (code == 0 && fdatasync(f->fd) < 0)
		code = art_fail_errno(err, ART_E_IO, "cannot sync '%s'", f->name);
	if (code < 0)
		return art_wrap(err, "state record");
	f->next = 1 - f->next;
	return 0;
}

int state_write(struct state_file *f, struct state *s, struct art_err *err)
{
	int code = write_block(f, s, err);

	/* Both were garbled or empty: one good block is durable now, so the other may be written as well. */
	if (code == 0 && (f->health == STATE_LOST || f->health == STATE_NEW))
		code = write_block(f, s, err);
	if (code == 0)
		f->health = STATE_OK;
	return code;
}

void state_close(struct state_file *f)
{
	/* Every write was followed by fdatasync, so close has nothing left to report. */
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
