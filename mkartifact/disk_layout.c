// SPDX-License-Identifier: Apache-2.0
/*
 * The layout file, through inih. inih is lenient (it cuts long lines and names, joins indented lines, calls for a repeated
 * section as if it were one); a factory disk is made once and fielded for years, so everything odd is refused here.
 */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "libartifact/io.h"
#include "libartifact/util.h"
#include "mkartifact/disk.h"
#include "mkartifact/size.h"

#define FILE_MAX (64 * 1024)
/* inih reads lines into 200 bytes: newline and NUL leave this. */
#define LINE_MAX_BYTES 198
#define SIZE_MAX_BYTES (UINT64_C(1) << 46)
#define FILES_MAX 64

enum kind { TEXT, PATH, SIZE, NUMBER, CHOICE };

/* Which contents a key of a partition goes with. */
#define WITH(content) (1u << (content))
#define ANY 0u

struct key {
	const char *name;
	size_t offset;
	enum kind kind;
	unsigned int with;
	uint64_t max;
	const char *choices; /* "first|second": 0, 1 ... */
};

#define DISK_AT(member) offsetof(struct disk_layout, member)
#define PART_AT(member) offsetof(struct disk_part, member)

static const struct key disk_keys[] = {
	{ "table", DISK_AT(table), CHOICE, ANY, 0, "gpt|mbr" },
	{ "id", DISK_AT(id), TEXT, ANY, 0, NULL },
	{ "size", DISK_AT(size), SIZE, ANY, 0, NULL },
	{ "align", DISK_AT(align), SIZE, ANY, 0, NULL },
	{ "entries", DISK_AT(entries), NUMBER, ANY, 1024, NULL },
	{ "boot-code", DISK_AT(boot_code), PATH, ANY, 0, NULL },
	{ "compatible", DISK_AT(compatible), TEXT, ANY, 0, NULL },
};

static const struct key part_keys[] = {
	{ "size", PART_AT(size), SIZE, ANY, 0, NULL },
	{ "start", PART_AT(start), SIZE, ANY, 0, NULL },
	{ "type", PART_AT(type), TEXT, ANY, 0, NULL },
	{ "label", PART_AT(label), TEXT, ANY, 0, NULL },
	{ "uuid", PART_AT(uuid), TEXT, ANY, 0, NULL },
	{ "bootable", PART_AT(bootable), CHOICE, ANY, 0, "no|yes" },
	{ "directory", PART_AT(directory), PATH, WITH(DISK_FAT) | WITH(DISK_DATA), 0, NULL },
	{ "boot", PART_AT(boot), PATH, WITH(DISK_GRUB), 0, NULL },
	{ "fat", PART_AT(fat), NUMBER, WITH(DISK_FAT), 32, NULL },
	{ "volume", PART_AT(volume), TEXT, WITH(DISK_FAT) | WITH(DISK_DATA), 0, NULL },
	{ "state", PART_AT(state), TEXT, WITH(DISK_DATA), 0, NULL },
};

struct parse {
	struct disk_layout *layout;
	const char *name;
	const char *directory; /* of the layout file */
	struct art_err *err;
	int code; /* the first fault; inih goes on after one */
	bool disk_seen[ART_ARRAY_SIZE(disk_keys)];
	bool part_seen[DISK_PARTS_MAX][ART_ARRAY_SIZE(part_keys)];
	bool content_seen[DISK_PARTS_MAX];
};

static int bad_value(struct parse *p, const char *section, const char *name, const char *value,
		     const char *due)
{
	return art_fail(p->err, ART_E_USAGE, "'%s': '%s' of [%s] is '%s', %s is due", p->name, name,
			section, value, due);
}

static int set_text(struct parse *p, char **field, const char *value)
{
	*field = strdup(value);
	return *field ? 0 : art_fail_memory(p->err);
}

static int set_path(struct parse *p, char **field, const char *value, size_t len)
{
	int made = value[0] == '/' ?
			   asprintf(field, "%.*s", (int)len, value) :
			   asprintf(field, "%s/%.*s", p->directory, (int)len, value);

	if (made < 0)
		*field = NULL;
	return made < 0 ? art_fail_memory(p->err) : 0;
}

static int parse_choice(const char *choices, const char *value, uint64_t *out)
{
	size_t len = strlen(value);
	const char *p = choices;
	uint64_t n = 0;

	for (;; n++) {
		size_t word = strcspn(p, "|");

		if (len == word && strncmp(p, value, len) == 0)
			break;
		if (p[word] == '\0')
			return -1;
		p += word + 1;
	}
	*out = n;
	return 0;
}

static int set_value(struct parse *p, const char *section, const struct key *key, void *base,
		     const char *value)
{
	void *field = (char *)base + key->offset;
	uint64_t *number = field;

	switch (key->kind) {
	case TEXT:
		return set_text(p, field, value);
	case PATH:
		return set_path(p, field, value, strlen(value));
	case SIZE:
		if (mk_size_parse(value, SIZE_MAX_BYTES, number) < 0 || *number == 0)
			return bad_value(p, section, key->name, value,
					 "a size in bytes, with K, M, G or T behind it,");
		return 0;
	case NUMBER:
		if (value[strspn(value, ART_DIGIT)] != '\0' ||
		    mk_size_parse(value, key->max, number) < 0 || *number == 0)
			return bad_value(p, section, key->name, value, "a number");
		return 0;
	case CHOICE:
		if (parse_choice(key->choices, value, number) < 0)
			return bad_value(p, section, key->name, value, key->choices);
		return 0;
	}
	return art_fail(p->err, ART_E_FAILED, "unknown kind of key");
}

/* PATH, or PATH@OFFSET. */
static int add_file(struct parse *p, const char *section, struct disk_files *files,
		    const char *value)
{
	const char *at = strrchr(value, '@');
	struct disk_file *list;
	uint64_t offset = 0;

	if (at && mk_size_parse(at + 1, SIZE_MAX_BYTES, &offset) < 0)
		at = NULL;
	if (at == value)
		return bad_value(p, section, "file", value, "PATH or PATH@OFFSET");
	if (files->count == FILES_MAX)
		return art_fail(p->err, ART_E_USAGE, "'%s': [%s] has more than %d files", p->name,
				section, FILES_MAX);
	list = reallocarray(files->list, files->count + 1, sizeof(*list));
	if (!list)
		return art_fail_memory(p->err);
	files->list = list;
	list[files->count] = (struct disk_file){ NULL, offset, 0 };
	return set_path(p, &list[files->count++].path, value,
			at ? (size_t)(at - value) : strlen(value));
}

static int set_slot(struct parse *p, struct disk_part *part, const char *section,
		    const char *value)
{
	part->content = DISK_SLOT;
	part->slot = value[5] - 'a';
	if (!art_is_name(value + 7, 32, ART_LOWER, ART_LOWER ART_DIGIT "-"))
		return bad_value(p, section, "content", value, "slot-a:PAYLOAD or slot-b:PAYLOAD");
	return set_text(p, &part->payload, value + 7);
}

static int set_content(struct parse *p, size_t n, const char *section, const char *value)
{
	static const struct {
		const char *word;
		enum disk_content content;
	} words[] = { { "empty", DISK_EMPTY }, { "zero", DISK_ZERO }, { "fat", DISK_FAT },
		      { "file", DISK_FILE },   { "grub", DISK_GRUB }, { "data", DISK_DATA } };
	struct disk_part *part = &p->layout->part[n];
	size_t i;

	if (p->content_seen[n])
		return art_fail(p->err, ART_E_USAGE, "'%s': 'content' of [%s] is given twice", p->name,
				section);
	p->content_seen[n] = true;
	if (strncmp(value, "slot-a:", 7) == 0 || strncmp(value, "slot-b:", 7) == 0)
		return set_slot(p, part, section, value);
	for (i = 0; i < ART_ARRAY_SIZE(words); i++)
		if (strcmp(words[i].word, value) == 0) {
			part->content = words[i].content;
			return 0;
		}
	return bad_value(p, section, "content", value,
			 "slot-a:PAYLOAD, slot-b:PAYLOAD, fat, file, grub, data, zero or empty");
}

static int set_key(struct parse *p, const char *section, const struct key *keys, size_t count,
		   bool *seen, void *base, const char *name, const char *value)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (seen[i])
			return art_fail(p->err, ART_E_USAGE, "'%s': '%s' of [%s] is given twice",
					p->name, name, section);
		seen[i] = true;
		return set_value(p, section, &keys[i], base, value);
	}
	return art_fail(p->err, ART_E_USAGE, "'%s': [%s] knows no key '%s'", p->name, section, name);
}

static int set_part(struct parse *p, const char *section, const char *name, const char *value)
{
	size_t n = 0;
	struct disk_part *part;

	while (n < p->layout->part_count && strcmp(p->layout->part[n].name, section + 5) != 0)
		n++;
	/* check_lines has made them all, unless inih saw a section where it saw none (a byte order mark). */
	if (n == p->layout->part_count)
		return art_fail(p->err, ART_E_USAGE, "'%s': there is no section [%s]", p->name, section);
	part = &p->layout->part[n];
	if (strcmp(name, "content") == 0)
		return set_content(p, n, section, value);
	if (strcmp(name, "file") == 0)
		return add_file(p, section, &part->files, value);
	if (strcmp(name, "size") == 0 && strcmp(value, "rest") == 0 && !part->rest) {
		part->rest = true;
		value = "1";
	}
	return set_key(p, section, part_keys, ART_ARRAY_SIZE(part_keys), p->part_seen[n], part, name,
		       value);
}

static int set(struct parse *p, const char *section, const char *name, const char *value)
{
	if (value[0] == '\0')
		return art_fail(p->err, ART_E_USAGE, "'%s': '%s' of [%s] has no value", p->name, name,
				section);
	if (strncmp(section, "part.", 5) == 0)
		return set_part(p, section, name, value);
	if (strcmp(section, "raw") == 0 && strcmp(name, "file") == 0)
		return add_file(p, section, &p->layout->raw, value);
	if (strcmp(section, "raw") == 0)
		return art_fail(p->err, ART_E_USAGE, "'%s': [raw] knows no key '%s'", p->name, name);
	if (strcmp(section, "disk") != 0)
		return art_fail(p->err, ART_E_USAGE, "'%s': '%s' stands before the first section",
				p->name, name);
	return set_key(p, section, disk_keys, ART_ARRAY_SIZE(disk_keys), p->disk_seen, p->layout,
		       name, value);
}

static int handle(void *user, const char *section, const char *name, const char *value)
{
	struct parse *p = user;

	if (!p->code)
		p->code = set(p, section, name, value ? value : "");
	return p->code == 0;
}

/* A partition is made where its section begins, so that one without a key counts too. */
static int begin_part(struct parse *p, const char *name, unsigned int line)
{
	struct disk_layout *l = p->layout;
	size_t i;

	if (!art_is_name(name, 32, ART_LOWER, ART_LOWER ART_DIGIT "-"))
		return art_fail(p->err, ART_E_USAGE,
				"'%s': line %u: '%s' is no name of a partition (a-z, 0-9 and -, up to 32)",
				p->name, line, name);
	for (i = 0; i < l->part_count; i++)
		if (strcmp(l->part[i].name, name) == 0)
			return art_fail(p->err, ART_E_USAGE, "'%s': line %u: [part.%s] is there twice",
					p->name, line, name);
	if (l->part_count == DISK_PARTS_MAX)
		return art_fail(p->err, ART_E_USAGE, "'%s': more than %d partitions", p->name,
				DISK_PARTS_MAX);
	memcpy(l->part[l->part_count++].name, name, strlen(name) + 1); /* at most 32: see above */
	return 0;
}

static int begin_section(struct parse *p, const char *text, unsigned int line, unsigned int *seen)
{
	size_t len = strcspn(text, "]");
	char section[LINE_MAX_BYTES + 1];
	unsigned int bit;

	memcpy(section, text, len);
	section[len] = '\0';
	if (text[len] != ']' || text[len + 1 + strspn(text + len + 1, " \t\r")] != '\0')
		return art_fail(p->err, ART_E_USAGE, "'%s': line %u is not [SECTION]", p->name, line);
	if (strncmp(section, "part.", 5) == 0)
		return begin_part(p, section + 5, line);
	bit = strcmp(section, "disk") == 0 ? 1 : strcmp(section, "raw") == 0 ? 2 : 0;
	if (bit == 0)
		return art_fail(p->err, ART_E_USAGE, "'%s': line %u: there is no section [%s]", p->name,
				line, section);
	if (*seen & bit)
		return art_fail(p->err, ART_E_USAGE, "'%s': line %u: [%s] is there twice", p->name, line,
				section);
	*seen |= bit;
	return 0;
}

/* What inih would silently cut, join or pass over. */
static int check_lines(struct parse *p, const char *text)
{
	unsigned int number = 1, seen = 0;
	const char *line = text;

	while (*line) {
		size_t len = strcspn(line, "\n");
		char copy[LINE_MAX_BYTES + 1];
		int code = 0;

		if (len > LINE_MAX_BYTES)
			return art_fail(p->err, ART_E_USAGE, "'%s': line %u is longer than %d bytes",
					p->name, number, LINE_MAX_BYTES);
		memcpy(copy, line, len);
		copy[len] = '\0';
		if ((copy[0] == ' ' || copy[0] == '\t') && copy[strspn(copy, " \t\r")] != '\0')
			return art_fail(p->err, ART_E_USAGE, "'%s': line %u is indented", p->name, number);
		if (copy[0] == '[')
			code = begin_section(p, copy + 1, number, &seen);
		if (code < 0)
			return code;
		line += len + (line[len] == '\n');
		number++;
	}
	return 0;
}

/* What goes with which content. */
static int check_part(struct parse *p, size_t n)
{
	struct disk_part *part = &p->layout->part[n];
	bool has_files = part->content == DISK_FILE || part->content == DISK_GRUB;
	size_t i;

	if (!p->content_seen[n])
		return art_fail(p->err, ART_E_USAGE, "'%s': 'content' of [part.%s] is missing", p->name,
				part->name);
	for (i = 0; i < ART_ARRAY_SIZE(part_keys); i++)
		if (p->part_seen[n][i] && part_keys[i].with != ANY &&
		    !(part_keys[i].with & WITH(part->content)))
			return art_fail(p->err, ART_E_USAGE,
					"'%s': '%s' of [part.%s] does not go with its content", p->name,
					part_keys[i].name, part->name);
	if (part->files.count > 0 && !has_files)
		return art_fail(p->err, ART_E_USAGE,
				"'%s': 'file' of [part.%s] does not go with its content", p->name,
				part->name);
	if (part->content == DISK_GRUB && part->files.count > 0 &&
	    (part->files.count > 1 || part->files.list[0].offset > 0))
		return art_fail(p->err, ART_E_USAGE,
				"'%s': 'file' of [part.%s] is one core.img, without an offset", p->name,
				part->name);
	if (part->files.count == 0 && has_files)
		return art_fail(p->err, ART_E_USAGE, "'%s': 'file' of [part.%s] is missing", p->name,
				part->name);
	if (part->rest)
		part->size = 0;
	if (part->content == DISK_DATA && !part->state)
		return set_text(p, &part->state, "twinroot");
	return 0;
}

static int finish(struct parse *p)
{
	struct disk_layout *l = p->layout;
	size_t i;
	int code = 0;

	if (!p->disk_seen[0] || !l->id)
		return art_fail(p->err, ART_E_USAGE, "'%s': '%s' of [disk] is missing", p->name,
				l->id ? "table" : "id");
	if (l->part_count == 0)
		return art_fail(p->err, ART_E_USAGE, "'%s' has no partition", p->name);
	if (l->align == 0)
		l->align = 4 * ART_MIB;
	if (l->entries && l->table != DISK_GPT)
		return art_fail(p->err, ART_E_USAGE, "'%s': 'entries' is for table = gpt", p->name);
	if (l->entries == 0)
		l->entries = 128;
	for (i = 0; code == 0 && i < l->part_count; i++)
		code = check_part(p, i);
	return code;
}

static int parse(struct parse *p, const char *text)
{
	int line, code = check_lines(p, text);

	if (code < 0)
		return code;
	line = ini_parse_string(text, handle, p);
	if (p->code < 0)
		return p->code;
	if (line != 0)
		return art_fail(p->err, ART_E_USAGE, "'%s': line %d is not 'key = value'", p->name,
				line);
	return finish(p);
}

int disk_layout_read(struct disk_layout *l, const char *path, struct art_err *err)
{
	cleanup_free struct parse *p = calloc(1, sizeof(*p));
	cleanup_free char *copy = strdup(path);
	cleanup_free uint8_t *text = NULL;
	size_t len = 0;
	int code;

	if (!p || !copy)
		return art_fail_memory(err);
	code = art_read_file(path, FILE_MAX, &text, &len, err);
	if (code < 0)
		return code;
	if (strlen((char *)text) != len)
		return art_fail(err, ART_E_USAGE, "'%s' has a NUL byte", path);
	*p = (struct parse){ .layout = l, .name = path, .directory = dirname(copy), .err = err };
	return parse(p, (char *)text);
}

static void free_files(struct disk_files *files)
{
	while (files->count > 0)
		free(files->list[--files->count].path);
	free(files->list);
}

void disk_layout_free(struct disk_layout *l)
{
	size_t i, n;

	for (i = 0; i < ART_ARRAY_SIZE(disk_keys); i++)
		if (disk_keys[i].kind == TEXT || disk_keys[i].kind == PATH)
			free(*(char **)((char *)l + disk_keys[i].offset));
	for (n = 0; n < l->part_count; n++) {
		for (i = 0; i < ART_ARRAY_SIZE(part_keys); i++)
			if (part_keys[i].kind == TEXT || part_keys[i].kind == PATH)
				free(*(char **)((char *)&l->part[n] + part_keys[i].offset));
		free(l->part[n].payload);
		free_files(&l->part[n].files);
	}
	free_files(&l->raw);
	memset(l, 0, sizeof(*l));
}
