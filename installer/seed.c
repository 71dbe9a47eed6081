// SPDX-License-Identifier: Apache-2.0
/* Opening seeds and reading from them. A seed that fails in any way costs download, never the install. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "common/cli.h"
#include "installer/kept.h"
#include "installer/seed.h"
#include "libartifact/chunk.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

/* A page of a kept index whose digest the table has; its rows' bytes must be as they were written. */
static int check_page(struct seeds *s, int fd, const struct art_segment *seg, uint32_t page,
		      const uint8_t *table, struct art_err *err)
{
	uint64_t pages = (seg->index_size + ART_SHA256_LEN + ART_PAGE_SIZE - 1) /
			 (ART_SHA256_LEN + ART_PAGE_SIZE);
	uint64_t off = pages * ART_SHA256_LEN + (uint64_t)page * ART_PAGE_SIZE;
	uint64_t left = seg->index_size - off;
	size_t len = left < ART_PAGE_SIZE ? (size_t)left : ART_PAGE_SIZE;
	uint8_t digest[ART_SHA256_LEN];
	ssize_t n = art_pread_full(fd, s->buf, len, off, "index", err);
	int code = n < 0 ? (int)n : art_digest_once(s->sha256, s->buf, len, digest, err);

	if (code == 0 && ((size_t)n != len || memcmp(digest, table, sizeof(digest)) != 0))
		code = art_fail(err, ART_E_INDEX_PAGE, "page %u is damaged", page);
	return code;
}

/* Is the kept index of a segment what the kept manifest says? */
static int check_index(struct seeds *s, const struct seed *seed, size_t segment,
		       struct art_err *err)
{
	const struct art_segment *seg = &seed->payload->segments[segment];
	uint8_t table[ART_PAGES_MAX * ART_SHA256_LEN], digest[ART_SHA256_LEN];
	cleanup_close int fd = kept_open_index(s->directory, seed->slot, seed->payload->name,
					       segment);
	uint32_t pages = 0, rows, i;
	struct stat st;
	ssize_t n;
	int code = art_index_shape(seg->index_size, &pages, &rows, err);

	if (code < 0)
		return code;
	if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size != seg->index_size)
		return art_fail(err, ART_E_INDEX_SIZE, "it is missing or cut short");
	n = art_pread_full(fd, table, pages * ART_SHA256_LEN, 0, "index", err);
	code = n < 0 ? (int)n : art_digest_once(s->sha256, table, (size_t)n, digest, err);
	if (code == 0 && memcmp(digest, seg->index_sha256, sizeof(digest)) != 0)
		code = art_fail(err, ART_E_INDEX_TABLE, "its page table is damaged");
	for (i = 0; i < pages && code == 0; i++)
		code = check_page(s, fd, seg, i, table + (size_t)i * ART_SHA256_LEN, err);
	return code;
}

/* What is kept of the slot that SEED belongs to. Nothing, or something damaged, means that nothing is known. */
static void find_kept(struct seeds *s, struct seed *seed, const char *payload)
{
	cleanup_free uint8_t *bytes = NULL;
	struct art_err err = { 0 };
	size_t len = 0, i;
	int code = kept_manifest(s->directory, seed->slot, &bytes, &len, &err);

	if (code == 0 && !bytes)
		return;
	if (code == 0)
		code = art_manifest_parse(&seed->kept, bytes, len, &err);
	for (i = 0; code == 0 && i < seed->kept->payload_count; i++)
		if (strcmp(seed->kept->payloads[i].name, payload) == 0)
			seed->payload = &seed->kept->payloads[i];
	for (i = 0; code == 0 && seed->payload && i < seed->payload->segment_count; i++)
		code = check_index(s, seed, i, &err);
	if (code == 0)
		return;
	seed->payload = NULL;
	cli_warn("the index kept of slot %c cannot be used: %s", 'a' + seed->slot, err.text);
}

static bool measure(struct seed *seed)
{
	struct stat st;

	if (fstat(seed->fd, &st) < 0)
		return false;
	if (S_ISBLK(st.st_mode))
		return ioctl(seed->fd, BLKGETSIZE64, &seed->size) == 0;
	seed->size = (uint64_t)st.st_size;
	return S_ISREG(st.st_mode);
}

/* PATH is taken over. SLOT -1: no slot's. */
static void add(struct seeds *s, char *path, int slot, const char *payload,
		const struct target *target)
{
	struct seed *seed = &s->seed[s->count];

	if (!path || s->count == SEED_MAX) {
		free(path);
		return;
	}
	*seed = (struct seed){ .fd = -1, .path = path, .slot = slot, .target = target,
			       .heads = -1 };
	s->count++;
	seed->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (seed->fd < 0 || !measure(seed)) {
		cli_warn("'%s' cannot be read, and nothing is taken from it", path);
		seed->size = 0;
		return;
	}
	if (slot >= 0)
		find_kept(s, seed, payload);
}

static int add_configured(struct seeds *s, const struct device *d, const char *payload,
			  struct art_err *err)
{
	cleanup_free char *list = NULL;
	char *word, *rest = NULL;

	if (!d->config.download_seeds)
		return 0;
	list = strdup(d->config.download_seeds);
	if (!list)
		return art_fail_memory(err);
	for (word = strtok_r(list, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
		char *path = slots_resolve(word);

		if (!path)
			cli_warn("there is no '%s' to take chunks from", word);
		add(s, path, -1, payload, NULL);
	}
	return 0;
}

int seeds_open(struct seeds *s, const struct device *d, const char *payload, int slot,
	       const struct target *target, bool scan, struct art_err *err)
{
	const struct slot_part *running = slot_part(&d->slots[1 - slot], payload);
	int code;

	memset(s, 0, sizeof(*s));
	s->directory = d->config.state_directory;
	s->aloof = d->lock < 0;
	s->scan = scan;
	s->buf = malloc(ART_CHUNK_MAX);
	code = s->buf ? art_sha256_new(&s->sha256, err) : art_fail_memory(err);
	if (code < 0)
		return code;
	if (running)
		add(s, strdup(running->path), 1 - slot, payload, NULL);
	code = add_configured(s, d, payload, err);
	add(s, strdup(target->part->path), slot, payload, target);
	return code;
}

void seeds_close(struct seeds *s)
{
	size_t i;

	for (i = 0; i < s->count; i++) {
		if (s->seed[i].fd >= 0)
			close(s->seed[i].fd);
		free(s->seed[i].path);
		art_manifest_free(s->seed[i].kept);
		if (s->seed[i].heads >= 0)
			close(s->seed[i].heads);
	}
	art_digest_free(s->sha256);
	free(s->buf);
	memset(s, 0, sizeof(*s));
}

bool seeds_read(struct seeds *s, uint64_t place, const struct art_row *row, uint8_t *buf)
{
	const struct seed *seed = &s->seed[place >> SEED_SHIFT];
	uint64_t off = place & ((UINT64_C(1) << SEED_SHIFT) - 1);
	ssize_t n;

	if (off > seed->size || row->plain_len > seed->size - off)
		return false;
	n = art_pread_full(seed->fd, buf, row->plain_len, off, seed->path, NULL);
	return n == (ssize_t)row->plain_len && art_row_check_plain(row, buf, s->sha256, NULL) == 0;
}
