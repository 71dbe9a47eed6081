// SPDX-License-Identifier: Apache-2.0
/*
 * The data partition: an ext4 filesystem that the first boot finds as if the installer itself had filled the slots: the state
 * record and what is kept of each slot's artifact, with the owners and modes that the installer gives them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/progress.h"
#include "installer/state.h"
#include "libartifact/blob.h"
#include "libartifact/fs/build.h"
#include "libartifact/fs/fs.h"
#include "libartifact/fs/tree.h"
#include "libartifact/region.h"
#include "libartifact/util.h"
#include "mkartifact/disk.h"

struct data {
	struct disk *disk;
	const struct disk_part *part;
	struct art_tree tree;
	struct art_err *err;
};

/* DIRECTORY/NAME in the state directory. */
static int put(struct data *t, const char *directory, const char *name, struct art_tree_inode *inode)
{
	char path[DISK_PATH_ROOM];

	inode->mtime = t->tree.time;
	if ((size_t)snprintf(path, sizeof(path), "%s%s%s%s%s", t->part->state, directory[0] ? "/" : "",
			     directory, name[0] ? "/" : "", name) >= sizeof(path)) {
		art_tree_inode_drop(inode);
		return art_fail(t->err, ART_E_USAGE, "'state' of [part.%s] is too long", t->part->name);
	}
	return art_tree_put(&t->tree, path, inode, t->err);
}

static int put_directory(struct data *t, const char *name)
{
	struct art_tree_inode *inode = art_tree_inode_new();

	if (!inode)
		return art_fail_memory(t->err);
	inode->mode = S_IFDIR | 0700;
	return put(t, name, "", inode);
}

/* A file of SIZE bytes, all allocated, that begins with LEN BYTES; zeros follow. */
static int put_file(struct data *t, const char *directory, const char *name, const void *bytes,
		    size_t len, uint64_t size)
{
	struct art_tree_inode *inode = art_tree_inode_new();
	uint64_t at = t->tree.spool_used;
	int code;

	if (!inode)
		return art_fail_memory(t->err);
	inode->mode = S_IFREG | 0600;
	inode->size = size;
	code = art_pwrite_full(t->tree.spool, bytes, len, at, "a temporary file", t->err);
	t->tree.spool_used += size;
	if (code == 0 && ftruncate(t->tree.spool, (off_t)t->tree.spool_used) < 0)
		code = art_fail_errno(t->err, ART_E_IO, "cannot write a temporary file");
	if (code == 0)
		code = art_tree_add_extent(inode, 0, size, at, t->err);
	if (code < 0) {
		art_tree_inode_drop(inode);
		return code;
	}
	return put(t, directory, name, inode);
}

static void set_slot(struct state_slot *slot, const struct disk_slot *from, int64_t time)
{
	slot->content = CONTENT_GOOD;
	memcpy(slot->digest, from->digest, sizeof(slot->digest));
	slot->counter = from->manifest->security_counter;
	slot->time = (uint64_t)time;
	snprintf(slot->name, sizeof(slot->name), "%s", from->manifest->name);
	snprintf(slot->version, sizeof(slot->version), "%s", from->manifest->version);
}

/* The first record of a device: what `adopt` would write, before any act has numbered a transaction. */
static int put_state(struct data *t)
{
	struct state s = { .sequence = 1, .phase = PHASE_COMMITTED, .active = 0, .target = -1 };
	uint64_t at = t->tree.spool_used;
	uint8_t block[STATE_BLOCK];
	int n, code;

	for (n = 0; n < DISK_SLOTS; n++)
		if (t->disk->slot[n].path)
			set_slot(&s.slot[n], &t->disk->slot[n], t->disk->time);
	s.floor = s.slot[0].counter;
	code = state_encode(&s, block, t->err);
	if (code == 0)
		code = put_file(t, "", "state", block, sizeof(block), STATE_STRIDE + STATE_BLOCK);
	/* The first write of a record fills both blocks. */
	s.sequence++;
	if (code == 0)
		code = state_encode(&s, block, t->err);
	return code < 0 ? code : art_pwrite_full(t->tree.spool, block, sizeof(block),
						 at + STATE_STRIDE, "a temporary file", t->err);
}

static int put_indexes(struct data *t, const struct disk_slot *s, const char *directory)
{
	const struct art_manifest *m = s->manifest;
	size_t i, n;
	int code = 0;

	for (i = 0; i < m->payload_count; i++)
		for (n = 0; code == 0 && n < m->payloads[i].segment_count; n++) {
			size_t len = (size_t)m->payloads[i].segments[n].index_size;
			struct art_index *ix = NULL;
			char name[64];

			snprintf(name, sizeof(name), "%.32s.%04u.index", m->payloads[i].name,
				 (unsigned int)n);
			code = art_reader_open_index(s->reader, i, n, &ix, t->err);
			if (code == 0)
				code = put_file(t, directory, name, art_index_bytes(ix), len, len);
			art_index_free(ix);
		}
	return code;
}

static int put_kept(struct data *t, int slot)
{
	const struct disk_slot *s = &t->disk->slot[slot];
	char directory[] = "slot-a";
	const uint8_t *bytes;
	size_t len;
	int code;

	directory[5] = (char)('a' + slot);
	code = put_directory(t, directory);
	bytes = art_reader_manifest_bytes(s->reader, &len);
	if (code == 0)
		code = put_file(t, directory, "manifest.json", bytes, len, len);
	bytes = art_reader_sig_bytes(s->reader, &len);
	if (code == 0)
		code = put_file(t, directory, "manifest.sig", bytes, len, len);
	return code < 0 ? code : put_indexes(t, s, directory);
}

/* Who runs the build is nobody on the device. */
static void give_to_root(struct art_tree_inode *inode)
{
	size_t i;

	inode->uid = 0;
	inode->gid = 0;
	for (i = 0; i < inode->name_count; i++)
		give_to_root(inode->names[i].inode);
}

static int read_directory(struct data *t)
{
	const char *path = t->part->directory;
	struct stat st;
	int code;

	if (!path)
		return 0;
	if (stat(path, &st) < 0)
		return art_fail_errno(t->err, ART_E_IO, "cannot read '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return art_tree_read_tar(&t->tree, path, t->err);
	code = art_tree_read_directory(&t->tree, path, t->err);
	if (code == 0)
		give_to_root(t->tree.root);
	return code;
}

static int fill(struct data *t)
{
	int n, code = art_temp_file(&t->tree.spool, t->disk->directory, t->err);

	if (code == 0)
		code = read_directory(t);
	if (code == 0)
		code = put_directory(t, "");
	if (code == 0)
		code = put_state(t);
	for (n = 0; code == 0 && n < DISK_SLOTS; n++)
		if (t->disk->slot[n].path)
			code = put_kept(t, n);
	return code;
}

/* Free blocks stay what they are on the device: a large data partition costs a flasher what is in it. */
static int copy(struct disk *d, const struct disk_part *p, int fd, struct art_err *err)
{
	struct art_regions regions = { 0, NULL };
	struct art_blob *blob = NULL;
	size_t i;
	int code = art_blob_open_fd(&blob, fd, p->name, err);

	if (code == 0)
		code = art_fs_regions(blob, "ext4", &regions, err);
	for (i = 0; code == 0 && i < regions.count; i++) {
		const struct art_region *r = &regions.list[i];

		if (r->type == ART_REGION_FREE)
			continue;
		code = art_blob_copy(blob, r->offset, r->length, d->out.fd, p->start + r->offset,
				     d->out.path, NULL, NULL, err);
		if (code == 0)
			code = disk_bmap_add(d->bmap, p->start + r->offset, r->length, err);
	}
	free(regions.list);
	art_blob_free(blob);
	return code;
}

int disk_data_write(struct disk *d, const struct disk_part *p, struct art_err *err)
{
	char seed[128];
	const struct art_build_options opt = { .filesystem = "ext4", .size = p->size,
					       .time = d->time, .uuid_seed = seed, .jobs = 1,
					       .label = p->volume, .journal = true };
	struct data t = { .disk = d, .part = p, .err = err };
	uint64_t size;
	int fd = -1, code = art_tree_init(&t.tree, d->time, err);

	snprintf(seed, sizeof(seed), "twinroot-disk data %s %s", d->layout.id, p->name);
	if (code < 0)
		return code;
	code = fill(&t);
	if (code == 0)
		code = art_build_tree(&fd, &size, &t.tree, p->name, d->directory, &opt, err);
	if (code == 0)
		code = copy(d, p, fd, err);
	art_cleanup_close(&fd);
	art_tree_free(&t.tree);
	return code < 0 ? art_wrap(err, "[part.%s]", p->name) : 0;
}
