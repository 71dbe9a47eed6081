// SPDX-License-Identifier: Apache-2.0
/* The artifacts that fill the slots: judged as a device judges them, and decoded chunk by chunk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/progress.h"
#include "libartifact/blob.h"
#include "libartifact/digest.h"
#include "libartifact/util.h"
#include "mkartifact/disk.h"

/* What is neither index nor chunk: those are judged as they are used. */
static int check_rest(struct art_reader *r, struct art_err *err)
{
	const struct art_manifest *m = art_reader_manifest(r);
	size_t i, len;
	int code = 0;

	for (i = 0; code == 0 && i < art_reader_member_count(r); i++) {
		code = art_reader_check_header(r, i, err);
		if (code == 0)
			code = art_reader_check_padding(r, i, err);
	}
	for (i = 0; code == 0 && i < m->doc_count; i++) {
		cleanup_free uint8_t *bytes = NULL;

		code = art_reader_doc(r, i, &bytes, &len, err);
	}
	return code < 0 ? code : art_reader_check_end(r, err);
}

int disk_slot_open(struct disk_slot *s, const struct art_trust *trust, struct art_err *err)
{
	const uint8_t *bytes;
	size_t len;
	int code = art_source_open_path(&s->source, s->path, err);

	if (code == 0 && !s->source->can_seek)
		code = art_fail(err, ART_E_USAGE, "'%s' is not a file", s->path);
	if (code == 0)
		code = art_reader_open(&s->reader, s->source, err);
	if (code == 0 && trust)
		code = art_reader_authenticate(s->reader, trust, ART_ROLE_ARTIFACT, NULL, err);
	else if (code == 0)
		art_reader_skip_trust(s->reader);
	if (code == 0)
		code = art_reader_parse(s->reader, err);
	if (code == 0)
		code = check_rest(s->reader, err);
	if (code < 0)
		return art_wrap(err, "'%s'", s->path);
	s->manifest = art_reader_manifest(s->reader);
	bytes = art_reader_manifest_bytes(s->reader, &len);
	return art_sha256(bytes, len, s->digest, err);
}

void disk_slot_close(struct disk_slot *s)
{
	art_reader_free(s->reader);
	art_source_free(s->source);
	s->reader = NULL;
	s->source = NULL;
}

static const struct art_payload *find_payload(const struct art_manifest *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->payload_count; i++)
		if (strcmp(m->payloads[i].name, name) == 0)
			return &m->payloads[i];
	return NULL;
}

static const struct disk_part *find_part(const struct disk_layout *l, int slot,
					 const char *payload)
{
	size_t i;

	for (i = 0; i < l->part_count; i++)
		if (l->part[i].content == DISK_SLOT && l->part[i].slot == slot &&
		    strcmp(l->part[i].payload, payload) == 0)
			return &l->part[i];
	return NULL;
}

static bool is_for(const struct art_manifest *m, const char *type)
{
	size_t i;

	for (i = 0; i < m->compatible_count; i++)
		if (strcmp(m->compatible[i], type) == 0)
			return true;
	return false;
}

static int check_slot(const struct disk *d, int n, struct art_err *err)
{
	const struct disk_layout *l = &d->layout;
	const struct art_manifest *m = d->slot[n].manifest;
	size_t i;

	if (l->compatible && !is_for(m, l->compatible))
		return art_fail(err, ART_E_COMPAT_TYPE, "'%s' is for '%s', this disk is for '%s'",
				d->slot[n].path, m->compatible[0], l->compatible);
	for (i = 0; i < m->payload_count; i++) {
		const struct art_payload *p = &m->payloads[i];
		const struct disk_part *part = find_part(l, n, p->name);

		if (!part)
			return art_fail(err, ART_E_COMPAT_PAYLOAD,
					"'%s' has a payload '%s', and no partition has content = slot-%c:%s",
					d->slot[n].path, p->name, 'a' + n, p->name);
		if (p->size > part->size)
			return art_fail(err, ART_E_COMPAT_SIZE,
					"payload '%s' of '%s' has %llu bytes, [part.%s] has %llu", p->name,
					d->slot[n].path, (unsigned long long)p->size, part->name,
					(unsigned long long)part->size);
	}
	for (i = 0; i < l->part_count; i++)
		if (l->part[i].content == DISK_SLOT && l->part[i].slot == n &&
		    !find_payload(m, l->part[i].payload))
			return art_fail(err, ART_E_COMPAT_PAYLOAD,
					"[part.%s] wants payload '%s', which '%s' does not have",
					l->part[i].name, l->part[i].payload, d->slot[n].path);
	return 0;
}

/* Both may run on one device, and going back from one to the other is allowed. */
static int check_pair(const struct disk *d, struct art_err *err)
{
	const struct disk_slot *a = &d->slot[0], *b = &d->slot[1];
	size_t i;

	for (i = 0; i < a->manifest->compatible_count; i++)
		if (is_for(b->manifest, a->manifest->compatible[i]))
			break;
	if (i == a->manifest->compatible_count)
		return art_fail(err, ART_E_COMPAT_TYPE, "'%s' is for '%s', '%s' for '%s'", a->path,
				a->manifest->compatible[0], b->path, b->manifest->compatible[0]);
	if (b->manifest->security_counter < a->manifest->security_counter)
		return art_fail(err, ART_E_COMPAT_COUNTER,
				"'%s' has security counter %u, below the %u of '%s': no device would go "
				"back to it",
				b->path, b->manifest->security_counter, a->manifest->security_counter,
				a->path);
	return 0;
}

int disk_slots_check(const struct disk *d, struct art_err *err)
{
	int n, code = 0;

	for (n = 0; code == 0 && n < DISK_SLOTS; n++)
		if (d->slot[n].path)
			code = check_slot(d, n, err);
	if (code == 0 && d->slot[1].path)
		code = check_pair(d, err);
	return code;
}

static int copy(struct disk *d, const struct disk_part *part, const struct art_payload *p,
		struct art_blob *blob, struct art_digest *sha256, struct art_err *err)
{
	uint8_t digest[ART_SHA256_LEN];
	int code = art_blob_copy(blob, 0, blob->size, d->out.fd, part->start, d->out.path, sha256,
				 progress_update, err);

	if (code == 0)
		code = art_digest_final(sha256, digest, err);
	if (code == 0 && memcmp(digest, p->sha256, sizeof(digest)) != 0)
		code = art_fail(err, ART_E_IMAGE_DIGEST,
				"payload '%s' does not give the image that was signed", p->name);
	/* Zeros count: the signed digest is over every byte. */
	return code < 0 ? code : disk_bmap_add(d->bmap, part->start, blob->size, err);
}

int disk_slot_write(struct disk *d, const struct disk_part *part, struct art_err *err)
{
	const struct disk_slot *s = &d->slot[part->slot];
	const struct art_payload *p;
	struct art_digest *sha256 = NULL;
	struct art_blob *blob = NULL;
	int code;

	p = s->path ? find_payload(s->manifest, part->payload) : NULL;
	if (!p) /* nothing for this slot: disk_slots_check has seen to the others */
		return 0;
	code = art_blob_open_payload(&blob, s->reader, (size_t)(p - s->manifest->payloads), err);
	if (code == 0)
		code = art_sha256_new(&sha256, err);
	if (code == 0) {
		progress_begin(part->slot == 0 ? "slot a" : "slot b", blob->size);
		code = copy(d, part, p, blob, sha256, err);
		progress_end();
	}
	art_digest_free(sha256);
	art_blob_free(blob);
	return code < 0 ? art_wrap(err, "'%s'", s->path) : 0;
}
