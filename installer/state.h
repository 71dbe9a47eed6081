/* SPDX-License-Identifier: Apache-2.0 */
/* The state record: what each slot holds and why. Bytes in state.md. */
#ifndef INSTALLER_STATE_H
#define INSTALLER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "libartifact/digest.h"
#include "libartifact/err.h"

#define STATE_BLOCK 4096
/* The two blocks lie this far apart, so that one erase unit of a cheap card never holds both. */
#define STATE_STRIDE (4 * 1024 * 1024)
#define STATE_NAME_MAX 64
#define STATE_REASON_MAX 63
#define STATE_BOOT_ID_LEN 16

enum state_phase {
	PHASE_IDLE,
	PHASE_INSTALLING,
	PHASE_INSTALLED,
	PHASE_TRYING,
	PHASE_HEALTHY,
	PHASE_COMMITTED,
	PHASE_ROLLED_BACK,
	PHASE_FAILED,
	PHASE_COUNT
};

enum state_content {
	CONTENT_UNKNOWN, /* never written by this installer, or the record was lost */
	CONTENT_PARTIAL, /* an install began and has not been read back */
	CONTENT_COMPLETE, /* read back whole; not yet committed */
	CONTENT_GOOD,    /* ran and was committed */
	CONTENT_BAD,     /* marked bad: rolled back, or by hand */
	CONTENT_COUNT
};

struct state_slot {
	enum state_content content;
	uint8_t digest[ART_SHA256_LEN]; /* artifact digest; zero when unknown */
	uint32_t counter;               /* its security counter */
	uint64_t time;                  /* seconds since 1970 when it was read back or adopted */
	char name[STATE_NAME_MAX + 1];
	char version[STATE_NAME_MAX + 1];
};

struct state {
	uint64_t sequence;    /* of the block; managed by state_write */
	uint64_t transaction; /* of the last install, commit or rollback; also in the boot store */
	enum state_phase phase;
	int active;           /* the committed slot, -1: not known */
	int target;           /* slot of the phase, -1: none */
	unsigned int tries;   /* that the target was armed with */
	unsigned int used;    /* how often boot-check armed it again or started it again */
	uint32_t floor;       /* security counter floor */
	bool reached;         /* the slot that installed the target had reached a server then */
	uint8_t boot_id[STATE_BOOT_ID_LEN]; /* the boot in which this record was written */
	char reason[STATE_REASON_MAX + 1]; /* why failed or rolled back; "" otherwise */
	struct state_slot slot[2];
};

enum state_health {
	STATE_NEW,     /* there is no record yet */
	STATE_OK,
	STATE_ONE_COPY, /* one block is unreadable or garbled: a cut write, or damage */
	STATE_LOST,    /* both are */
};

struct state_file {
	int fd;
	int next; /* which block the next write goes to */
	enum state_health health;
	const char *name;
};

const char *state_phase_name(enum state_phase phase);
const char *state_content_name(enum state_content content);
const char *state_health_name(enum state_health health);

/* One block. decode: 0, or ART_E_FAILED when the bytes are not a valid block. */
int state_encode(const struct state *s, uint8_t block[STATE_BLOCK], struct art_err *err);
int state_decode(struct state *s, const uint8_t block[STATE_BLOCK], struct art_err *err);

/*
 * Open the record PATH and read the newer valid block into *S (a fresh idle state when there is none; f->health says
 * which). WRITABLE: preallocate the file if it is not there. Read only: a missing file is STATE_NEW.
 * PATH must outlive F.
 */
int state_open(struct state_file *f, const char *path, bool writable, struct state *s,
	       struct art_err *err);

/* Write S with the next sequence into the older block and wait until it is durable. The newer block is never touched. */
int state_write(struct state_file *f, struct state *s, struct art_err *err);
void state_close(struct state_file *f);

#endif
