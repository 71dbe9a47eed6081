// SPDX-License-Identifier: Apache-2.0
/* The partition table, through libfdisk. Nothing in it comes from the clock or a random source. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdisk.h>

#include "libartifact/util.h"
#include "mkartifact/disk.h"

static int fail(struct art_err *err, int ret, const char *what, const char *name)
{
	/* The library says these of a table, the system everything else of the file. */
	bool table = ret == -EINVAL || ret == -ERANGE || ret == -ENOSYS;

	errno = -ret;
	return art_fail_errno(err, table ? ART_E_FAILED : ART_E_IO, "partition table: cannot %s%s", what, name);
}

/* SIZE and START in bytes; TYPE as the label knows it. */
static int add(struct fdisk_context *cxt, unsigned int number, uint64_t start, uint64_t size,
	       const char *type, const struct disk_part *p, struct art_err *err)
{
	struct fdisk_partition *pa = fdisk_new_partition();
	struct fdisk_parttype *t = fdisk_label_parse_parttype(fdisk_get_label(cxt, NULL), type);
	int ret = pa && t ? 0 : -ENOMEM;

	if (ret == 0)
		ret = fdisk_partition_set_partno(pa, number - 1);
	if (ret == 0)
		ret = fdisk_partition_set_start(pa, start / DISK_SECTOR);
	if (ret == 0)
		ret = fdisk_partition_set_size(pa, size / DISK_SECTOR);
	if (ret == 0)
		ret = fdisk_partition_size_explicit(pa, 1);
	if (ret == 0)
		ret = fdisk_partition_set_type(pa, t);
	if (ret == 0 && p && p->label)
		ret = fdisk_partition_set_name(pa, p->label);
	if (ret == 0 && p && p->label)
		ret = fdisk_partition_set_uuid(pa, p->partuuid);
	if (ret == 0)
		ret = fdisk_add_partition(cxt, pa, NULL);
	fdisk_unref_parttype(t);
	fdisk_unref_partition(pa);
	return ret < 0 ? fail(err, ret, "add ", p ? p->name : "the extended partition") : 0;
}

/* From the first logical partition's boot record to the end of the last. */
static int add_extended(struct fdisk_context *cxt, const struct disk_layout *l,
			struct art_err *err)
{
	const struct disk_part *first = &l->part[3], *last = &l->part[l->part_count - 1];
	uint64_t start = first->start - first->gap;

	return add(cxt, 4, start, last->start + last->size - start, "0f", NULL, err);
}

static int add_all(struct fdisk_context *cxt, const struct disk_layout *l, struct art_err *err)
{
	unsigned long flag = l->table == DISK_GPT ? GPT_FLAG_LEGACYBOOT : DOS_FLAG_ACTIVE;
	size_t i;
	int ret, code = 0;

	for (i = 0; code == 0 && i < l->part_count; i++) {
		const struct disk_part *p = &l->part[i];

		if (p->number == 5 && p->gap)
			code = add_extended(cxt, l, err);
		if (code == 0)
			code = add(cxt, p->number, p->start, p->size, p->type, p, err);
		if (code < 0 || !p->bootable)
			continue;
		ret = fdisk_toggle_partition_flag(cxt, p->number - 1, flag);
		if (ret < 0)
			code = fail(err, ret, "make bootable: ", p->name);
	}
	return code;
}

/* A GPT's size and where its partitions may begin; libfdisk takes them from the head of a script only. */
static int set_head(struct fdisk_context *cxt, const struct disk_layout *l)
{
	struct fdisk_script *script = fdisk_new_script(cxt);
	char first[24], entries[24];
	int ret;

	if (!script)
		return -ENOMEM;
	snprintf(first, sizeof(first), "%llu", (unsigned long long)(l->head / DISK_SECTOR));
	snprintf(entries, sizeof(entries), "%llu", (unsigned long long)l->entries);
	ret = fdisk_script_set_header(script, "first-lba", first);
	if (ret == 0)
		ret = fdisk_script_set_header(script, "table-length", entries);
	if (ret == 0)
		ret = fdisk_set_script(cxt, script);
	fdisk_unref_script(script);
	return ret;
}

static int write_table(struct fdisk_context *cxt, const struct disk *d, struct art_err *err)
{
	const struct disk_layout *l = &d->layout;
	int code, ret;

	fdisk_disable_dialogs(cxt, 1);
	/* The same whatever the filesystem of the output says of its blocks. */
	ret = fdisk_save_user_sector_size(cxt, DISK_SECTOR, DISK_SECTOR);
	if (ret == 0)
		ret = fdisk_assign_device_by_fd(cxt, d->out.fd, d->out.path, 0);
	if (ret == 0 && l->table == DISK_GPT)
		ret = set_head(cxt, l);
	if (ret == 0)
		ret = fdisk_create_disklabel(cxt, l->table == DISK_GPT ? "gpt" : "dos");
	if (ret == 0)
		ret = fdisk_set_disklabel_id_from_string(cxt, l->id);
	if (ret < 0)
		return fail(err, ret, "make", "");
	code = add_all(cxt, l, err);
	if (code < 0)
		return code;
	ret = fdisk_write_disklabel(cxt);
	return ret < 0 ? fail(err, ret, "write", "") : 0;
}

int disk_table_write(const struct disk *d, struct art_err *err)
{
	struct fdisk_context *cxt = fdisk_new_context();
	int code;

	if (!cxt)
		return art_fail_memory(err);
	code = write_table(cxt, d, err);
	fdisk_set_script(cxt, NULL); /* context and script hold each other */
	fdisk_unref_context(cxt);
	return code;
}
