// SPDX-License-Identifier: Apache-2.0
/* From a layout to places: identities, numbers, starts, and that nothing overlaps. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "libartifact/digest.h"
#include "libartifact/manifest.h"
#include "libartifact/util.h"
#include "mkartifact/disk.h"

#define BLOCK 4096
/* Room before a logical partition, which its extended boot record lies in. */
#define LOGICAL_GAP ART_MIB
#define LABEL_MAX 36
#define DATA_MIN (16 * ART_MIB)
#define FAT32_MIN (64 * ART_MIB)

#define GUID_LINUX "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
#define GUID_FAT "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"

static const struct {
	const char *word;
	const char *gpt;
	const char *mbr;
} types[] = {
	{ "linux", GUID_LINUX, "83" },
	{ "fat", GUID_FAT, "0c" },
	{ "esp", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ef" },
	{ "bios-boot", "21686148-6449-6E6F-744E-656564454649", NULL },
	{ "u-boot-env", "3DE21764-95BD-54BD-A5C3-4ABE786F38A8", NULL },
};

static bool is_uuid(const char *text)
{
	size_t i;

	for (i = 0; i < DISK_UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return text[i] == '\0';
}

static bool is_hex(const char *text, size_t digits)
{
	return strlen(text) == digits && strspn(text, "0123456789abcdefABCDEF") == digits;
}

const char *disk_type(uint64_t table, const char *word)
{
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(types); i++)
		if (strcmp(types[i].word, word) == 0)
			return table == DISK_GPT ? types[i].gpt : types[i].mbr;
	if (table == DISK_GPT)
		return is_uuid(word) ? word : NULL;
	/* 05, 0f and 85 are extended partitions, which are made by themselves; ee says that there is a GPT. */
	if (!is_hex(word, 2) || strcmp(word, "00") == 0 || strcmp(word, "05") == 0 ||
	    strcasecmp(word, "0f") == 0 || strcmp(word, "85") == 0 || strcasecmp(word, "ee") == 0)
		return NULL;
	return word;
}

int disk_uuid(char out[DISK_UUID_LEN + 1], const char *text, struct art_err *err)
{
	uint8_t hash[ART_SHA256_LEN];
	char hex[33];
	int code = art_sha256(text, strlen(text), hash, err);

	if (code < 0)
		return code;
	hash[6] = (uint8_t)((hash[6] & 0x0f) | 0x80);
	hash[8] = (uint8_t)((hash[8] & 0x3f) | 0x80);
	art_hex_format(hex, hash, 16);
	snprintf(out, DISK_UUID_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		 hex + 16, hex + 20);
	return 0;
}

static void lower(char *text)
{
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

static int plan_id(struct disk_layout *l, struct art_err *err)
{
	bool ok = l->table == DISK_GPT ? is_uuid(l->id) :
					 strncmp(l->id, "0x", 2) == 0 && is_hex(l->id + 2, 8) &&
						 strcmp(l->id, "0x00000000") != 0;

	if (!ok)
		return art_fail(err, ART_E_USAGE, "'id' of [disk] is '%s', %s is due (%s)", l->id,
				l->table == DISK_GPT ? "a UUID" : "0x and 8 hexadecimal digits",
				l->table == DISK_GPT ? "make one with uuidgen, once for the product" :
						       "choose them once for the product");
	lower(l->id);
	if (l->table == DISK_GPT && (l->entries < l->part_count || l->entries % 4 != 0))
		return art_fail(err, ART_E_USAGE,
				"'entries' of [disk] is %llu, a multiple of 4 and at least %zu is due",
				(unsigned long long)l->entries, l->part_count);
	if (l->size % BLOCK != 0 || l->align % BLOCK != 0)
		return art_fail(err, ART_E_USAGE, "'size' and 'align' of [disk] are multiples of %d",
				BLOCK);
	l->head = DISK_SECTOR;
	l->tail = 0;
	if (l->table == DISK_GPT) {
		l->tail = art_round_up(l->entries * 128, DISK_SECTOR) + DISK_SECTOR;
		l->head = l->tail + DISK_SECTOR;
	}
	return 0;
}

static const char *default_type(const struct disk_layout *l, const struct disk_part *p)
{
	if (p->content == DISK_FAT && l->table == DISK_MBR && disk_fat_bits(p) < 32)
		return disk_fat_bits(p) == 12 ? "01" : "0e";
	if (p->content == DISK_FAT)
		return "fat";
	if (p->content == DISK_GRUB)
		return l->table == DISK_GPT ? "bios-boot" : "da"; /* da: no filesystem */
	return "linux";
}

static int plan_identity(struct disk_layout *l, struct disk_part *p, struct art_err *err)
{
	const char *word = p->type ? p->type : default_type(l, p);
	const char *type = disk_type(l->table, word);
	char text[128], *copy;

	if (!type)
		return art_fail(err, ART_E_USAGE, "'type' of [part.%s] is '%s', which %s does not know",
				p->name, word, l->table == DISK_GPT ? "a GPT" : "an MBR");
	copy = strdup(type);
	free(p->type);
	p->type = copy;
	if (!copy)
		return art_fail_memory(err);
	if (l->table == DISK_MBR) {
		if (p->label || p->uuid)
			return art_fail(err, ART_E_USAGE, "'%s' of [part.%s]: an MBR has none",
					p->label ? "label" : "uuid", p->name);
		snprintf(p->partuuid, sizeof(p->partuuid), "%.8s-%02x", l->id + 2, p->number);
		return 0;
	}
	if (!p->label && !(p->label = strdup(p->name)))
		return art_fail_memory(err);
	if (strlen(p->label) > LABEL_MAX)
		return art_fail(err, ART_E_USAGE, "'label' of [part.%s] is longer than %d", p->name,
				LABEL_MAX);
	if (p->uuid && !is_uuid(p->uuid))
		return art_fail(err, ART_E_USAGE, "'uuid' of [part.%s] is '%s', which is none", p->name,
				p->uuid);
	snprintf(text, sizeof(text), "twinroot-disk\n%s\n%s\n", l->id, p->name);
	if (!p->uuid)
		return disk_uuid(p->partuuid, text, err);
	snprintf(p->partuuid, sizeof(p->partuuid), "%s", p->uuid);
	lower(p->partuuid);
	return 0;
}

/* Devices find their partitions by either. */
static int check_twins(const struct disk_layout *l, size_t i, struct art_err *err)
{
	const struct disk_part *p = &l->part[i];
	size_t n;

	for (n = 0; n < i; n++) {
		const struct disk_part *q = &l->part[n];

		if (strcmp(p->partuuid, q->partuuid) == 0)
			return art_fail(err, ART_E_USAGE, "[part.%s] and [part.%s] have the same PARTUUID %s",
					q->name, p->name, p->partuuid);
		if (p->label && q->label && strcmp(p->label, q->label) == 0)
			return art_fail(err, ART_E_USAGE, "[part.%s] and [part.%s] have the same label '%s'",
					q->name, p->name, p->label);
	}
	return 0;
}

static int plan_volume(const struct disk_part *p, struct art_err *err)
{
	size_t max = p->content == DISK_FAT ? 11 : 16;
	const char *set = p->content == DISK_FAT ? ART_UPPER ART_DIGIT "_-" :
						   ART_UPPER ART_LOWER ART_DIGIT "_-.";

	if (p->volume && !art_is_name(p->volume, max, NULL, set))
		return art_fail(err, ART_E_USAGE, "'volume' of [part.%s] is '%s': up to %zu of %s",
				p->name, p->volume, max, set);
	if (p->content == DISK_FAT && p->fat && p->fat != 12 && p->fat != 16 && p->fat != 32)
		return art_fail(err, ART_E_USAGE, "'fat' of [part.%s] is 12, 16 or 32", p->name);
	if (p->content == DISK_FAT && p->fat == 32 && p->size < FAT32_MIN)
		return art_fail(err, ART_E_USAGE,
				"[part.%s] is too small for fat = 32, which begins at 64M", p->name);
	if (p->content == DISK_DATA && (!art_is_name(p->state, 128, NULL, ART_UPPER ART_LOWER ART_DIGIT "/._-") ||
					strstr(p->state, "..")))
		return art_fail(err, ART_E_USAGE,
				"'state' of [part.%s] is '%s', a path inside the partition is due", p->name,
				p->state);
	if (p->content == DISK_DATA && p->size < DATA_MIN)
		return art_fail(err, ART_E_USAGE,
				"[part.%s] holds the state record and a journal: 16M at least", p->name);
	return 0;
}

static int size_files(struct disk_files *files, struct art_err *err)
{
	struct stat st;
	size_t i;

	for (i = 0; i < files->count; i++) {
		if (stat(files->list[i].path, &st) < 0)
			return art_fail_errno(err, ART_E_IO, "cannot read '%s'", files->list[i].path);
		if (!S_ISREG(st.st_mode))
			return art_fail(err, ART_E_IO, "'%s' is not a regular file",
					files->list[i].path);
		files->list[i].size = (uint64_t)st.st_size;
	}
	return 0;
}

/* The files inside a partition: within its bounds, and side by side. */
static int check_files(const struct disk_part *p, struct art_err *err)
{
	const struct disk_file *f = p->files.list;
	size_t i, n;

	for (i = 0; i < p->files.count; i++) {
		if (f[i].size > p->size || f[i].offset > p->size - f[i].size)
			return art_fail(err, ART_E_SPACE,
					"'%s' (%llu bytes at %llu) does not fit into [part.%s] of %llu bytes",
					f[i].path, (unsigned long long)f[i].size,
					(unsigned long long)f[i].offset, p->name,
					(unsigned long long)p->size);
		for (n = 0; n < i; n++)
			if (f[n].offset < f[i].offset + f[i].size &&
			    f[i].offset < f[n].offset + f[n].size)
				return art_fail(err, ART_E_USAGE, "'%s' and '%s' overlap in [part.%s]",
						f[n].path, f[i].path, p->name);
	}
	return 0;
}

/* Of an MBR with more than four, the first three are primary; the fourth entry is the extended one for the rest. */
static unsigned int number_of(const struct disk_layout *l, size_t i)
{
	return l->table == DISK_MBR && l->part_count > 4 && i >= 3 ? (unsigned int)i + 2 :
								    (unsigned int)i + 1;
}

static int plan_rest(struct disk_layout *l, struct disk_part *p, struct art_err *err)
{
	if (p != &l->part[l->part_count - 1] || l->size == 0)
		return art_fail(err, ART_E_USAGE,
				"'size = rest' of [part.%s] is for the last partition of a disk with a size",
				p->name);
	if (l->size > p->start + l->tail)
		p->size = (l->size - l->tail - p->start) / l->align * l->align;
	if (p->size == 0)
		return art_fail(err, ART_E_USAGE, "nothing is left of the disk for [part.%s]", p->name);
	return 0;
}

static int place(struct disk_layout *l, struct disk_part *p, uint64_t *end, struct art_err *err)
{
	p->gap = l->table == DISK_MBR && p->number > 4 ? LOGICAL_GAP : 0;
	if (p->start == 0)
		p->start = art_round_up(*end + p->gap, l->align);
	if (p->rest) {
		int code = plan_rest(l, p, err);

		if (code < 0)
			return code;
	}
	if (p->size == 0)
		return art_fail(err, ART_E_USAGE, "'size' of [part.%s] is missing%s", p->name,
				p->content == DISK_DATA ? " (or --data SIZE)" : "");
	if (p->size % BLOCK != 0 || p->start % DISK_SECTOR != 0)
		return art_fail(err, ART_E_USAGE,
				"[part.%s]: 'size' is a multiple of %d, 'start' of %d", p->name, BLOCK,
				DISK_SECTOR);
	if (p->gap && p->start < *end + p->gap)
		return art_fail(err, ART_E_USAGE,
				"[part.%s] needs 1M before it for its extended boot record, and lies behind "
				"the one before",
				p->name);
	if (p->start + p->size > *end)
		*end = p->start + p->size;
	return 0;
}

/* Something that has its place on the disk. */
struct span {
	uint64_t from, to;
	const char *what;
	const char *name;
};

static int check_spans(const struct span *list, size_t count, struct art_err *err)
{
	size_t i, n;

	for (i = 0; i < count; i++)
		for (n = 0; n < i; n++)
			if (list[n].from < list[i].to && list[i].from < list[n].to)
				return art_fail(err, ART_E_USAGE,
						"%s%s (%llu..%llu) overlaps %s%s (%llu..%llu)",
						list[i].what, list[i].name,
						(unsigned long long)list[i].from,
						(unsigned long long)list[i].to, list[n].what,
						list[n].name, (unsigned long long)list[n].from,
						(unsigned long long)list[n].to);
	return 0;
}

static int check_places(const struct disk_layout *l, struct art_err *err)
{
	cleanup_free struct span *list =
		calloc(2 + l->part_count + l->raw.count, sizeof(*list));
	size_t count = 0, i;

	if (!list)
		return art_fail_memory(err);
	list[count++] = (struct span){ 0, l->head, "the partition table", "" };
	if (l->tail)
		list[count++] = (struct span){ l->size - l->tail, l->size,
					       "the second partition table", "" };
	for (i = 0; i < l->part_count; i++)
		list[count++] = (struct span){ l->part[i].start - l->part[i].gap,
					       l->part[i].start + l->part[i].size, "partition ",
					       l->part[i].name };
	for (i = 0; i < l->raw.count; i++)
		list[count++] = (struct span){ l->raw.list[i].offset,
					       l->raw.list[i].offset + l->raw.list[i].size, "raw ",
					       l->raw.list[i].path };
	return check_spans(list, count, err);
}

static int plan_size(struct disk_layout *l, uint64_t end, struct art_err *err)
{
	uint64_t needed;
	size_t i;

	for (i = 0; i < l->raw.count; i++)
		if (l->raw.list[i].offset + l->raw.list[i].size > end)
			end = l->raw.list[i].offset + l->raw.list[i].size;
	needed = end + l->tail;
	if (l->size == 0)
		l->size = art_round_up(needed, l->align);
	if (l->size < needed)
		return art_fail(err, ART_E_USAGE,
				"'size' of [disk] is %llu bytes, and what is to go onto it takes %llu",
				(unsigned long long)l->size, (unsigned long long)needed);
	if (l->table == DISK_MBR && l->size / DISK_SECTOR > UINT32_MAX)
		return art_fail(err, ART_E_USAGE, "an MBR ends at 2T: table = gpt is due");
	return check_places(l, err);
}

/* What two partitions want, or two boot codes, is a slip. */
static int check_once(const struct disk_layout *l, size_t i, struct art_err *err)
{
	const struct disk_part *p = &l->part[i], *o;
	size_t n;

	for (n = 0; n < i; n++) {
		o = &l->part[n];
		if (p->content == DISK_SLOT && o->content == DISK_SLOT && p->slot == o->slot &&
		    strcmp(p->payload, o->payload) == 0)
			return art_fail(err, ART_E_USAGE, "[part.%s] wants what [part.%s] wants already",
					p->name, o->name);
		if (p->content == DISK_DATA && o->content == DISK_DATA)
			return art_fail(err, ART_E_USAGE, "[part.%s] is a second data partition",
					p->name);
		if (p->boot && o->boot)
			break;
	}
	if (p->boot && (n < i || l->boot_code))
		return art_fail(err, ART_E_USAGE, "'boot' of [part.%s] is a second boot code", p->name);
	return 0;
}

int disk_plan(struct disk_layout *l, struct art_err *err)
{
	uint64_t end;
	size_t i;
	int code = plan_id(l, err);

	end = l->head;
	if (code == 0)
		code = size_files(&l->raw, err);
	for (i = 0; code == 0 && i < l->part_count; i++) {
		struct disk_part *p = &l->part[i];

		p->number = number_of(l, i);
		code = check_once(l, i, err);
		if (code == 0)
			code = place(l, p, &end, err);
		if (code == 0)
			code = plan_identity(l, p, err);
		if (code == 0)
			code = check_twins(l, i, err);
		if (code == 0)
			code = plan_volume(p, err);
		if (code == 0)
			code = size_files(&p->files, err);
		if (code == 0)
			code = check_files(p, err);
	}
	return code < 0 ? code : plan_size(l, end, err);
}
