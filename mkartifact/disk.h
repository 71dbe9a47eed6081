/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A factory disk on its way: what the layout file says (disk_layout.c), where each thing lies (disk_plan.c), the artifacts
 * (disk_slot.c), and the makers of what goes in: partition table, FAT, data filesystem, block map. disk.c leads.
 */
#ifndef MK_DISK_H
#define MK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libartifact/err.h"
#include "libartifact/io.h"
#include "libartifact/reader.h"

#define DISK_SECTOR 512
#define DISK_PARTS_MAX 60
#define DISK_SLOTS 2
#define DISK_PATH_ROOM 4096
#define DISK_UUID_LEN 36

enum disk_table { DISK_GPT, DISK_MBR };
enum disk_content { DISK_EMPTY, DISK_ZERO, DISK_SLOT, DISK_FAT, DISK_FILE, DISK_GRUB, DISK_DATA };

/* Raw bytes at an offset: in a partition, or on the disk outside of all. */
struct disk_file {
	char *path;
	uint64_t offset;
	uint64_t size; /* of the file; set by the plan */
};

struct disk_files {
	struct disk_file *list;
	size_t count;
};

struct disk_part {
	char name[33];
	char *label;
	char *type;
	char *uuid;
	uint64_t start;     /* bytes; 0: after the one before */
	uint64_t size;
	bool rest;          /* all that is left of the disk */
	uint64_t bootable;
	enum disk_content content;
	int slot;           /* of DISK_SLOT */
	char *payload;      /* of DISK_SLOT */
	char *directory;    /* of DISK_FAT and DISK_DATA */
	char *boot;         /* of DISK_GRUB: boot.img, or NULL */
	uint64_t fat;       /* 12, 16, 32; 0: by size */
	char *volume;
	char *state;        /* of DISK_DATA: the state directory in it */
	struct disk_files files;
	/* the plan's: */
	unsigned int number;
	uint64_t gap;       /* before a logical partition, for its extended boot record */
	char partuuid[DISK_UUID_LEN + 1]; /* as PARTUUID= names it */
};

struct disk_layout {
	uint64_t table;     /* enum disk_table */
	char *id;
	uint64_t size;      /* 0: as large as needed */
	uint64_t align;
	uint64_t entries;   /* of a GPT */
	char *boot_code;
	char *compatible;
	size_t part_count;
	struct disk_part part[DISK_PARTS_MAX];
	struct disk_files raw;
	/* the plan's: */
	uint64_t head, tail; /* bytes that the table takes at either end */
};

/* Read PATH; what it names is relative to its directory. Every fault is ART_E_USAGE and names the line. */
int disk_layout_read(struct disk_layout *l, const char *path, struct art_err *err);
void disk_layout_free(struct disk_layout *l);

/* One artifact, authenticated. */
struct disk_slot {
	const char *path;   /* NULL: none for this slot */
	struct art_source *source;
	struct art_reader *reader;
	const struct art_manifest *manifest;
	uint8_t digest[ART_SHA256_LEN];
};

struct disk {
	struct disk_layout layout;
	struct disk_slot slot[DISK_SLOTS];
	const char *directory; /* for temporary files */
	int64_t time;
	struct art_out out;
	struct disk_bmap *bmap;
};

/* TRUST NULL: unsigned artifacts are wanted. */
int disk_slot_open(struct disk_slot *s, const struct art_trust *trust, struct art_err *err);
void disk_slot_close(struct disk_slot *s);

/* Every artifact is for this disk, for the same device, and all its payloads have a place that is large enough. */
int disk_slots_check(const struct disk *d, struct art_err *err);
int disk_slot_write(struct disk *d, const struct disk_part *p, struct art_err *err);

/* Numbers, places and identities of the partitions, and the size of the disk. */
int disk_plan(struct disk_layout *l, struct art_err *err);

/* A UUID out of a text, always the same (RFC 9562, version 8). */
int disk_uuid(char out[DISK_UUID_LEN + 1], const char *text, struct art_err *err);

/* The word of a partition type ("linux", "esp"), or the type itself; NULL: unknown. */
const char *disk_type(uint64_t table, const char *word);

/* Write the partition table into d->out, which has the size of the disk and is empty. */
int disk_table_write(const struct disk *d, struct art_err *err);

/* 12, 16 or 32. */
unsigned int disk_fat_bits(const struct disk_part *p);
int disk_fat_write(struct disk *d, const struct disk_part *p, struct art_err *err);
int disk_grub_write(struct disk *d, const struct disk_part *p, struct art_err *err);
int disk_data_write(struct disk *d, const struct disk_part *p, struct art_err *err);

/* Up to 440 bytes of boot code, before the partition table in the first sector; a whole sector's are cut. */
int disk_boot_code(struct disk *d, const char *path, const uint8_t *bytes, size_t len,
		   struct art_err *err);

/* LEN bytes of the file FD (named NAME) to offset AT of the disk; they count as used. */
int disk_copy(struct disk *d, int fd, const char *name, uint64_t len, uint64_t at,
	      struct art_err *err);

/* What of the disk means something. Everything else may hold what it likes on the device. */
int disk_bmap_new(struct disk_bmap **out, struct art_err *err);
int disk_bmap_add(struct disk_bmap *b, uint64_t offset, uint64_t length, struct art_err *err);

/* Read the disk FD of SIZE bytes back and write its block map into OUT. */
int disk_bmap_write(struct disk_bmap *b, int fd, const char *name, uint64_t size,
		    const struct art_out *out, struct art_err *err);
void disk_bmap_free(struct disk_bmap *b);

#endif
