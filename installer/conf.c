// SPDX-License-Identifier: Apache-2.0
/*
 * install.conf through inih. inih is lenient (it cuts long lines, joins indented ones, lets the last of two equal keys
 * win); a device that misreads its configuration may write the wrong partition, so everything odd is refused here.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "installer/conf.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define FILE_MAX (64 * 1024)
/* inih reads lines into 200 bytes: newline and NUL leave this. */
#define LINE_MAX_BYTES 198

enum kind { TEXT, PATH, NODE, NUMBER, CHOICE };

struct key {
	const char *section;
	const char *name;
	size_t offset;
	enum kind kind;
	bool required;
	uint64_t min, max;
	const char *standard; /* the value when the key is absent */
	const char *choices;  /* "first|second": 0, 1 ... */
};

#define AT(member) offsetof(struct config, member)

static const struct key keys[] = {
	{ "device", "type", AT(device_type), TEXT, true, 0, 0, NULL, NULL },
	{ "device", "hardware", AT(device_hardware), TEXT, false, 0, 0, NULL, NULL },
	{ "device", "attributes", AT(device_attributes), PATH, false, 0, 0, NULL, NULL },
	{ "device", "optional", AT(device_optional), TEXT, false, 0, 0, NULL, NULL },
	{ "boot", "backend", AT(boot_backend), TEXT, true, 0, 0, NULL, NULL },
	{ "boot", "script", AT(boot_script), PATH, false, 0, 0, NULL, NULL },
	{ "boot", "environment", AT(boot_environment), PATH, false, 0, 0,
	  "/etc/fw_env.config", NULL },
	{ "boot", "environment-copy", AT(boot_environment_copy), PATH, false, 0, 0, NULL, NULL },
	{ "boot", "autoboot", AT(boot_autoboot), PATH, false, 0, 0, NULL, NULL },
	{ "boot", "partition-a", AT(boot_partition_a), NUMBER, false, 1, 62, NULL, NULL },
	{ "boot", "partition-b", AT(boot_partition_b), NUMBER, false, 1, 62, NULL, NULL },
	{ "boot", "entry-a", AT(boot_entry_a), TEXT, false, 0, 0, NULL, NULL },
	{ "boot", "entry-b", AT(boot_entry_b), TEXT, false, 0, 0, NULL, NULL },
	{ "boot", "store", AT(boot_store), NODE, false, 0, 0, NULL, NULL },
	{ "boot", "store-copy", AT(boot_store_copy), NODE, false, 0, 0, NULL, NULL },
	{ "boot", "reboot", AT(boot_reboot), PATH, false, 0, 0, "/sbin/reboot", NULL },
	{ "boot", "tries", AT(boot_tries), NUMBER, false, 1, 9, "3", NULL },
	{ "boot", "timeout", AT(boot_timeout), NUMBER, false, 1, 3600, "60", NULL },
	{ "trust", "keys", AT(trust_keys), PATH, true, 0, 0, NULL, NULL },
	{ "trust", "downgrade", AT(deny_downgrade), CHOICE, false, 0, 0, "allow",
	  "allow|deny" },
	{ "state", "directory", AT(state_directory), PATH, true, 0, 0, NULL, NULL },
	{ "hooks", "directory", AT(hooks_directory), PATH, false, 0, 0,
	  SYSCONFDIR "/twinroot/hooks.d", NULL },
	{ "hooks", "timeout", AT(hooks_timeout), NUMBER, false, 1, 3600, "60", NULL },
	{ "checks", "directory", AT(checks_directory), PATH, false, 0, 0,
	  SYSCONFDIR "/twinroot/checks.d", NULL },
	{ "checks", "deadline", AT(checks_deadline), NUMBER, false, 1, 86400, "600", NULL },
	{ "checks", "settle", AT(checks_settle), NUMBER, false, 0, 86400, "60", NULL },
	{ "checks", "timeout", AT(checks_timeout), NUMBER, false, 1, 86400, "60", NULL },
	{ "checks", "watchdog", AT(checks_watchdog), TEXT, false, 0, 0, "/dev/watchdog", NULL },
	{ "checks", "watchdog-timeout", AT(checks_watchdog_timeout), NUMBER, false, 2, 3600, "60",
	  NULL },
	{ "checks", "remote-program", AT(checks_remote_program), PATH, false, 0, 0, NULL, NULL },
	{ "checks", "remote", AT(checks_remote), CHOICE, false, 0, 0, "prefer",
	  "prefer|require|ignore" },
	{ "checks", "remote-limit", AT(checks_remote_limit), NUMBER, false, 0, 31536000,
	  "86400", NULL },
	{ "download", "full", AT(download_full_never), CHOICE, false, 0, 0, "allow",
	  "allow|never" },
	{ "download", "rate", AT(download_rate), NUMBER, false, 0, UINT64_C(1) << 40, "0",
	  NULL },
	{ "download", "proxy", AT(download_proxy), TEXT, false, 0, 0, NULL, NULL },
	{ "download", "ca", AT(download_ca), PATH, false, 0, 0, NULL, NULL },
	{ "download", "seeds", AT(download_seeds), TEXT, false, 0, 0, NULL, NULL },
	{ "download", "program", AT(download_program), PATH, false, 0, 0, NULL, NULL },
	{ "fleet", "url", AT(fleet_url), TEXT, false, 0, 0, NULL, NULL },
	{ "fleet", "report", AT(fleet_report), TEXT, false, 0, 0, NULL, NULL },
	{ "fleet", "key", AT(fleet_key), TEXT, false, 0, 0, NULL, NULL },
	{ "fleet", "certificate", AT(fleet_certificate), TEXT, false, 0, 0, NULL, NULL },
	{ "fleet", "interval", AT(fleet_interval), NUMBER, false, 10, 31536000, "1800",
	  NULL },
};

struct parse {
	struct config *config;
	const char *name;
	struct art_err *err;
	int code; /* the first fault; inih goes on after one */
	bool seen[ART_ARRAY_SIZE(keys)];
};

static int parse_number(const struct key *key, const char *value, uint64_t *out)
{
	size_t len = strlen(value);

	if (len == 0 || len > 15 || strspn(value, ART_DIGIT) != len)
		return -1;
	*out = strtoull(value, NULL, 10);
	return *out >= key->min && *out <= key->max ? 0 : -1;
}

static int parse_choice(const char *choices, const char *value, uint64_t *out)
{
	uint64_t n = 0;
	const char *p = choices;

	while (true) {
		size_t len = strcspn(p, "|");

		if (strlen(value) == len && strncmp(p, value, len) == 0) {
			*out = n;
			return 0;
		}
		if (p[len] == '\0')
			return -1;
		p += len + 1;
		n++;
	}
}

static int set_text(struct parse *p, char **field, const char *value)
{
	*field = strdup(value);
	return *field ? 0 : art_fail_memory(p->err);
}

/* The name of a partition or file, in one of the ways that slots_resolve knows. */
static bool is_node(const char *value)
{
	return value[0] == '/' || strncmp(value, "PARTUUID=", 9) == 0 ||
	       strncmp(value, "PARTLABEL=", 10) == 0;
}

static int set_value(struct parse *p, const struct key *key, const char *value)
{
	void *field = (char *)p->config + key->offset;

	if (key->kind == NUMBER && parse_number(key, value, field) < 0)
		return art_fail(p->err, ART_E_USAGE,
				"'%s': '%s' of [%s] is '%s', a number from %llu to %llu is due",
				p->name, key->name, key->section, value,
				(unsigned long long)key->min, (unsigned long long)key->max);
	if (key->kind == CHOICE && parse_choice(key->choices, value, field) < 0)
		return art_fail(p->err, ART_E_USAGE, "'%s': '%s' of [%s] is '%s', one of %s is due",
				p->name, key->name, key->section, value, key->choices);
	if (key->kind == PATH && value[0] != '/')
		return art_fail(p->err, ART_E_USAGE,
				"'%s': '%s' of [%s] is '%s', an absolute path is due", p->name,
				key->name, key->section, value);
	if (key->kind == NODE && !is_node(value))
		return art_fail(p->err, ART_E_USAGE,
				"'%s': '%s' of [%s] is '%s', an absolute path, PARTUUID=... or PARTLABEL=... is due",
				p->name, key->name, key->section, value);
	if (key->kind == TEXT || key->kind == PATH || key->kind == NODE)
		return set_text(p, field, value);
	return 0;
}

/* "slot.a" and "slot.b": the keys are payload names. */
static int set_slot(struct parse *p, int n, const char *name, const char *value)
{
	struct config_slot *slot = &p->config->slot[n];
	struct config_part *part = &slot->part[slot->count];

	if (!art_is_name(name, 32, ART_LOWER, ART_LOWER ART_DIGIT "-"))
		return art_fail(p->err, ART_E_USAGE, "'%s': '%s' of [slot.%c] is no payload name",
				p->name, name, 'a' + n);
	if (!is_node(value))
		return art_fail(p->err, ART_E_USAGE,
				"'%s': '%s' of [slot.%c] is '%s', an absolute path, PARTUUID=... or PARTLABEL=... is due",
				p->name, name, 'a' + n, value);
	if (config_slot_path(p->config, n, name))
		return art_fail(p->err, ART_E_USAGE, "'%s': '%s' of [slot.%c] is given twice",
				p->name, name, 'a' + n);
	if (slot->count == CONFIG_PARTS_MAX)
		return art_fail(p->err, ART_E_USAGE, "'%s': [slot.%c] has more than %d keys",
				p->name, 'a' + n, CONFIG_PARTS_MAX);
	part->payload = strdup(name);
	part->path = strdup(value);
	slot->count++;
	return part->payload && part->path ? 0 : art_fail_memory(p->err);
}

static bool is_section(const char *section)
{
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].section, section) == 0)
			return true;
	return false;
}

static int set(struct parse *p, const char *section, const char *name, const char *value)
{
	size_t i;

	if (value[0] == '\0')
		return art_fail(p->err, ART_E_USAGE, "'%s': '%s' of [%s] has no value", p->name,
				name, section);
	if (strcmp(section, "slot.a") == 0 || strcmp(section, "slot.b") == 0)
		return set_slot(p, section[5] - 'a', name, value);
	for (i = 0; i < ART_ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, name) != 0)
			continue;
		if (p->seen[i])
			return art_fail(p->err, ART_E_USAGE,
					"'%s': '%s' of [%s] is given twice (or the line after it is indented)",
					p->name, name, section);
		p->seen[i] = true;
		return set_value(p, &keys[i], value);
	}
	if (!is_section(section))
		return art_fail(p->err, ART_E_USAGE, "'%s': there is no section [%s]", p->name,
				section);
	return art_fail(p->err, ART_E_USAGE, "'%s': [%s] knows no key '%s'", p->name, section,
			name);
}

static int handle(void *user, const char *section, const char *name, const char *value)
{
	struct parse *p = user;

	if (!p->code)
		p->code = set(p, section, name, value ? value : "");
	return p->code == 0;
}

/* What inih would silently cut or pass over: long lines, and sections without a key, which
 * never reach the handler. */
static int check_lines(const char *text, const char *name, struct art_err *err)
{
	unsigned int number = 1;
	const char *line = text;

	while (*line) {
		size_t len = strcspn(line, "\n");
		char section[LINE_MAX_BYTES + 1];

		if (len > LINE_MAX_BYTES)
			return art_fail(err, ART_E_USAGE, "'%s': line %u is longer than %d bytes",
					name, number, LINE_MAX_BYTES);
		memcpy(section, line, len);
		section[len] = '\0';
		if (section[0] == '[') {
			if (!strchr(section, ']'))
				return art_fail(err, ART_E_USAGE, "'%s': line %u: '[' without ']'", name,
						number);
			section[1 + strcspn(section + 1, "]")] = '\0';
			if (!is_section(section + 1) && strcmp(section + 1, "slot.a") != 0 &&
			    strcmp(section + 1, "slot.b") != 0)
				return art_fail(err, ART_E_USAGE,
						"'%s': line %u: there is no section [%s]", name,
						number, section + 1);
		}
		line += len + (line[len] == '\n');
		number++;
	}
	return 0;
}

/* Defaults, required keys, and what no single key can tell. */
static int finish(struct parse *p)
{
	struct config *c = p->config;
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(keys); i++) {
		if (p->seen[i])
			continue;
		if (keys[i].required)
			return art_fail(p->err, ART_E_USAGE, "'%s': '%s' of [%s] is missing",
					p->name, keys[i].name, keys[i].section);
		if (keys[i].standard) {
			int code = set_value(p, &keys[i], keys[i].standard);

			if (code < 0)
				return code;
		}
	}
	for (i = 0; i < CONFIG_SLOTS; i++)
		if (!config_slot_path(c, (int)i, "rootfs"))
			return art_fail(p->err, ART_E_USAGE, "'%s': 'rootfs' of [slot.%c] is missing",
					p->name, 'a' + (int)i);
	for (i = 0; i < c->slot[0].count; i++) {
		const char *other = config_slot_path(c, 1, c->slot[0].part[i].payload);

		if (other && strcmp(other, c->slot[0].part[i].path) == 0)
			return art_fail(p->err, ART_E_USAGE,
					"'%s': both slots give '%s' to payload '%s'", p->name, other,
					c->slot[0].part[i].payload);
	}
	return 0;
}

int config_parse(struct config *c, const char *text, const char *name, struct art_err *err)
{
	struct parse p = { .config = c, .name = name, .err = err };
	int code, line;

	memset(c, 0, sizeof(*c));
	code = check_lines(text, name, err);
	if (code < 0)
		return code;
	line = ini_parse_string(text, handle, &p);
	if (p.code < 0)
		return p.code;
	if (line != 0)
		return art_fail(err, ART_E_USAGE, "'%s': line %d is not 'key = value'", name, line);
	return finish(&p);
}

int config_read(struct config *c, const char *path, struct art_err *err)
{
	cleanup_free uint8_t *text = NULL;
	size_t len = 0;
	int code;

	memset(c, 0, sizeof(*c));
	code = art_read_file(path, FILE_MAX, &text, &len, err);
	if (code < 0) {
		if (err && code == ART_E_IO)
			err->code = ART_E_USAGE;
		return code == ART_E_IO ? ART_E_USAGE : code;
	}
	if (strlen((char *)text) != len)
		return art_fail(err, ART_E_USAGE, "'%s' has a NUL byte", path);
	return config_parse(c, (char *)text, path, err);
}

void config_free(struct config *c)
{
	size_t i, n;

	for (i = 0; i < ART_ARRAY_SIZE(keys); i++)
		if (keys[i].kind == TEXT || keys[i].kind == PATH || keys[i].kind == NODE)
			free(*(char **)((char *)c + keys[i].offset));
	for (n = 0; n < CONFIG_SLOTS; n++)
		for (i = 0; i < c->slot[n].count; i++) {
			free(c->slot[n].part[i].payload);
			free(c->slot[n].part[i].path);
		}
	memset(c, 0, sizeof(*c));
}

const char *config_slot_path(const struct config *c, int slot, const char *payload)
{
	size_t i;

	for (i = 0; i < c->slot[slot].count; i++)
		if (strcmp(c->slot[slot].part[i].payload, payload) == 0)
			return c->slot[slot].part[i].path;
	return NULL;
}
