// SPDX-License-Identifier: Apache-2.0
/* The options of mkartifact create, from the command line and from a file of them (--from). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "common/cli.h"
#include "common/progress.h"
#include "libartifact/encode.h"
#include "libartifact/io.h"
#include "libartifact/json.h"
#include "libartifact/util.h"
#include "libartifact/version.h"
#include "mkartifact/create.h"
#include "mkartifact/size.h"

#define FROM_MAX (256 * 1024)
#define LIST_MAX 64
#define JOBS_MAX 256

enum {
	OPT_NAME = 0x100, OPT_VERSION, OPT_COMPATIBLE, OPT_ROOTFS, OPT_FS, OPT_SIZE, OPT_BOOT,
	OPT_HARDWARE, OPT_REQUIRES, OPT_PROVIDES, OPT_COUNTER, OPT_DOC, OPT_KEY, OPT_UNSIGNED,
	OPT_PASSPHRASE, OPT_LEVEL, OPT_JOBS, OPT_FROM, OPT_ARCH, OPT_DESCRIPTION, OPT_SECURITY,
	OPT_ADVISORY_URL, OPT_ADVISORY_ID, OPT_SUPPORT, OPT_CREATED, OPT_EXT,
	OPT_EARLIER, OPT_NO_SBOM,
};

static const struct option options[] = {
	CLI_LONG_BASE,
	CLI_LONG_JSON,
	CLI_LONG_PROGRESS,
	{ "output", required_argument, NULL, 'o' },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "version", required_argument, NULL, OPT_VERSION },
	{ "compatible", required_argument, NULL, OPT_COMPATIBLE },
	{ "rootfs", required_argument, NULL, OPT_ROOTFS },
	{ "fs", required_argument, NULL, OPT_FS },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "boot", required_argument, NULL, OPT_BOOT },
	{ "hardware", required_argument, NULL, OPT_HARDWARE },
	{ "requires", required_argument, NULL, OPT_REQUIRES },
	{ "provides", required_argument, NULL, OPT_PROVIDES },
	{ "security-counter", required_argument, NULL, OPT_COUNTER },
	{ "doc", required_argument, NULL, OPT_DOC },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "unsigned", no_argument, NULL, OPT_UNSIGNED },
	{ "passphrase-file", required_argument, NULL, OPT_PASSPHRASE },
	{ "level", required_argument, NULL, OPT_LEVEL },
	{ "jobs", required_argument, NULL, OPT_JOBS },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "arch", required_argument, NULL, OPT_ARCH },
	{ "description", required_argument, NULL, OPT_DESCRIPTION },
	{ "security", no_argument, NULL, OPT_SECURITY },
	{ "advisory-url", required_argument, NULL, OPT_ADVISORY_URL },
	{ "advisory-id", required_argument, NULL, OPT_ADVISORY_ID },
	{ "support-until", required_argument, NULL, OPT_SUPPORT },
	{ "created", required_argument, NULL, OPT_CREATED },
	{ "ext", required_argument, NULL, OPT_EXT },
	{ "earlier", required_argument, NULL, OPT_EARLIER },
	{ "no-sbom", no_argument, NULL, OPT_NO_SBOM },
	{ 0 },
};

static const char *const help[] = {
	"usage: mkartifact create -o OUT --name NAME --compatible TYPE --rootfs SRC --key KEY [OPTION...]",
	"",
	"Make a signed artifact out of a root filesystem.",
	"",
	"  -o, --output OUT           the artifact; appears only when it is complete",
	"      --rootfs SRC           an ext4, squashfs or erofs image; or a directory or tarball ('-': standard",
	"                             input), which is built into an image without root",
	"      --fs FS                of an image to be built: ext4 (default) or squashfs",
	"      --size SIZE            of an ext4 image to be built (K, M or G behind the number); default: as needed",
	"      --boot SRC             an image of the slot's boot partition",
	"      --name NAME            name of the product's software",
	"      --version V            default: IMAGE_VERSION of the image's os-release",
	"      --compatible TYPE      device type it is for; repeatable",
	"      --hardware RANGE       hardware revisions it is for (3, 2.., ..4, 1..3, 1-3); repeatable",
	"      --arch ARCH            default: what the image's own programs are built for",
	"      --requires KEY=RANGE   what the device must provide; repeatable",
	"      --provides KEY=VERSION what the device provides once this runs; repeatable",
	"      --security-counter N   devices never go back below it; default 0",
	"      --description TEXT",
	"      --security             this release mends a vulnerability",
	"      --advisory-url URL",
	"      --advisory-id ID       repeatable",
	"      --support-until DATE   YYYY-MM-DD",
	"      --created TIME         YYYY-MM-DDThh:mm:ssZ; default: SOURCE_DATE_EPOCH, else now",
	"      --ext JSON             an object that is signed and kept, and ignored by tools",
	"      --doc FILE             a document to put in, under its own name; repeatable",
	"      --no-sbom              leave out the package list of the root filesystem",
	"      --key KEY              sign with a PEM file, an encrypted one, or a pkcs11: URI; repeatable",
	"      --passphrase-file FILE its passphrase or PIN; without it a terminal is asked",
	"      --unsigned             no signature; `mkartifact sign` or `attach` adds it later",
	"      --earlier ARTIFACT     a release that devices have: what is as it was there is not fetched again; repeatable",
	"      --level N|max          compression 1..19, default 12; max: smallest and slowest",
	"      --jobs N               threads; default: as many as processors",
	"      --from FILE            a JSON object of these options: \"name\": \"x\", \"key\": [\"a\", \"b\"], \"security\": true",
	"      --progress MODE        auto, none, or json",
	"      --json                 print the result as JSON",
	"  -h, --help                 this text",
	"  -q, --quiet                errors only",
	"  -v, --verbose              say more",
	NULL,
};

/* Set a string; the option's last value wins. */
static int set_text(char **field, const char *value, struct art_err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return art_fail_memory(err);
	free(*field);
	*field = copy;
	return 0;
}

static int add_text(char ***list, size_t *count, const char *value, struct art_err *err)
{
	char **more = realloc(*list, (*count + 1) * sizeof(**list));

	if (!more)
		return art_fail_memory(err);
	*list = more;
	more[*count] = strdup(value);
	if (!more[*count])
		return art_fail_memory(err);
	(*count)++;
	return 0;
}

/* A-B of two numbers is A..B: as a version, 3-5 is a single one, and no board has it. */
static int add_hardware(struct art_manifest *m, const char *arg, struct art_err *err)
{
	static const char digits[] = "0123456789";
	size_t from = strspn(arg, digits);
	const char *to = arg + from + 1;
	cleanup_free char *range = NULL;

	if (from == 0 || arg[from] != '-' || *to == '\0' || to[strspn(to, digits)] != '\0')
		return add_text(&m->hardware, &m->hardware_count, arg, err);
	if (asprintf(&range, "%.*s..%s", (int)from, arg, to) < 0) {
		range = NULL;
		return art_fail_memory(err);
	}
	return add_text(&m->hardware, &m->hardware_count, range, err);
}

static int add_fixed(char **list, size_t *count, size_t max, const char *value,
		     const char *what, struct art_err *err)
{
	if (*count == max)
		return art_fail(err, ART_E_USAGE, "more than %zu times --%s", max, what);
	list[*count] = strdup(value);
	return list[(*count)++] ? 0 : art_fail_memory(err);
}

static int add_pair(struct art_pair **list, size_t *count, const char *value,
		    const char *what, struct art_err *err)
{
	const char *equals = strchr(value, '=');
	struct art_pair *more;

	if (!equals)
		return art_fail(err, ART_E_USAGE, "--%s '%s' is not KEY=VALUE", what, value);
	more = realloc(*list, (*count + 1) * sizeof(**list));
	if (!more)
		return art_fail_memory(err);
	*list = more;
	more[*count].key = strndup(value, (size_t)(equals - value));
	more[*count].value = strdup(equals + 1);
	(*count)++;
	return more[*count - 1].key && more[*count - 1].value ? 0 : art_fail_memory(err);
}

static int parse_number(const char *text, uint64_t max, uint64_t *out, const char *what,
			struct art_err *err)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || v > max)
		return art_fail(err, ART_E_USAGE, "--%s '%s' is not a number up to %llu", what, text,
				(unsigned long long)max);
	*out = v;
	return 0;
}

static int parse_size(const char *text, uint64_t *out, struct art_err *err)
{
	if (mk_size_parse(text, ART_IMAGE_MAX, out) < 0 || *out == 0)
		return art_fail(err, ART_E_USAGE, "--size '%s' is not a size", text);
	return 0;
}

static int parse_level(struct mk_create *c, const char *text, struct art_err *err)
{
	uint64_t v;
	int code;

	if (strcmp(text, "max") == 0) {
		c->level = ART_LEVEL_BEST;
		return 0;
	}
	code = parse_number(text, ART_LEVEL_MAX, &v, "level", err);
	if (code == 0 && v == 0)
		code = art_fail(err, ART_E_USAGE, "--level is 1..%d or max", ART_LEVEL_MAX);
	c->level = (int)v;
	return code;
}

static int apply_from(struct mk_create *c, const char *path, struct art_err *err);

static int apply_manifest(struct mk_create *c, int opt, const char *arg, struct art_err *err)
{
	struct art_manifest *m = c->m;
	uint64_t v = 0;
	int code;

	switch (opt) {
	case OPT_NAME: return set_text(&m->name, arg, err);
	case OPT_VERSION: return set_text(&m->version, arg, err);
	case OPT_COMPATIBLE: return add_text(&m->compatible, &m->compatible_count, arg, err);
	case OPT_HARDWARE: return add_hardware(m, arg, err);
	case OPT_REQUIRES: return add_pair(&m->requires_, &m->requires_count, arg, "requires", err);
	case OPT_PROVIDES: return add_pair(&m->provides, &m->provides_count, arg, "provides", err);
	case OPT_COUNTER:
		code = parse_number(arg, UINT32_MAX, &v, "security-counter", err);
		m->security_counter = (uint32_t)v;
		return code;
	case OPT_ARCH: return set_text(&m->arch, arg, err);
	case OPT_DESCRIPTION: return set_text(&m->description, arg, err);
	case OPT_SECURITY: m->security = true; return 0;
	case OPT_ADVISORY_URL: return set_text(&m->advisory_url, arg, err);
	case OPT_ADVISORY_ID: return add_text(&m->advisory_ids, &m->advisory_id_count, arg, err);
	case OPT_SUPPORT: return set_text(&m->support_until, arg, err);
	case OPT_CREATED: return set_text(&m->created, arg, err);
	case OPT_EXT: return set_text(&m->ext, arg, err);
	}
	return art_fail(err, ART_E_USAGE, "unknown option");
}

static int apply(struct mk_create *c, int opt, const char *arg, struct art_err *err)
{
	uint64_t v = 0;
	int code;

	switch (opt) {
	case 'o': return set_text(&c->out, arg, err);
	case OPT_ROOTFS: return set_text(&c->rootfs, arg, err);
	case OPT_BOOT: return set_text(&c->boot, arg, err);
	case OPT_FS: return set_text(&c->fs, arg, err);
	case OPT_SIZE: return parse_size(arg, &c->size, err);
	case OPT_DOC: return add_fixed(c->docs, &c->doc_count, MK_DOCS_MAX, arg, "doc", err);
	case OPT_EARLIER:
		return add_fixed(c->earlier, &c->earlier_count, MK_EARLIER_MAX, arg, "earlier", err);
	case OPT_KEY: return add_fixed(c->keys, &c->key_count, ART_SIG_LINES_MAX, arg, "key", err);
	case OPT_UNSIGNED: c->is_unsigned = true; return 0;
	case OPT_PASSPHRASE: return set_text(&c->passphrase_file, arg, err);
	case OPT_LEVEL: return parse_level(c, arg, err);
	case OPT_JOBS:
		code = parse_number(arg, JOBS_MAX, &v, "jobs", err);
		c->jobs = (unsigned int)v;
		return code == 0 && v == 0 ? art_fail(err, ART_E_USAGE, "--jobs 0") : code;
	case OPT_NO_SBOM: c->no_sbom = true; return 0;
	case OPT_FROM:
		code = add_fixed(c->from, &c->from_count, MK_FROM_MAX, arg, "from", err);
		return code < 0 ? code : apply_from(c, arg, err);
	default: return apply_manifest(c, opt, arg, err);
	}
}

static const struct option *find_option(const char *name)
{
	const struct option *o;

	for (o = options; o->name; o++)
		if (strcmp(o->name, name) == 0 && (o->val == 'o' || o->val >= OPT_NAME) &&
		    o->val <= OPT_NO_SBOM && o->val != OPT_FROM)
			return o;
	return NULL;
}

/* One value of a key of the options file; lists call this for each element. */
static int apply_json(struct mk_create *c, const struct option *o, const json_t *value,
		      struct art_err *err)
{
	cleanup_free char *text = NULL;

	if (o->has_arg == no_argument) {
		if (!json_is_boolean(value))
			return art_fail(err, ART_E_USAGE, "'%s' is true or false", o->name);
		return json_is_true(value) ? apply(c, o->val, NULL, err) : 0;
	}
	if (json_is_string(value))
		return apply(c, o->val, json_string_value(value), err);
	if (json_is_integer(value) || (json_is_object(value) && o->val == OPT_EXT)) {
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		return text ? apply(c, o->val, text, err) : art_fail_memory(err);
	}
	return art_fail(err, ART_E_USAGE, "'%s' has a value of the wrong type", o->name);
}

static bool is_repeatable(int opt)
{
	switch (opt) {
	case OPT_COMPATIBLE:
	case OPT_HARDWARE:
	case OPT_REQUIRES:
	case OPT_PROVIDES:
	case OPT_DOC:
	case OPT_KEY:
	case OPT_ADVISORY_ID:
	case OPT_EARLIER:
		return true;
	default:
		return false;
	}
}

static int apply_json_key(struct mk_create *c, const char *key, const json_t *value,
			  struct art_err *err)
{
	const struct option *o = find_option(key);
	const json_t *item;
	size_t i;
	int code = 0;

	if (!o)
		return art_fail(err, ART_E_USAGE, "there is no option '%s'", key);
	if (!json_is_array(value))
		return apply_json(c, o, value, err);
	if (!is_repeatable(o->val))
		return art_fail(err, ART_E_USAGE, "'%s' has one value, not a list", o->name);
	json_array_foreach (value, i, item) {
		code = apply_json(c, o, item, err);
		if (code < 0)
			break;
	}
	return code;
}

static int apply_from(struct mk_create *c, const char *path, struct art_err *err)
{
	static const struct art_json_codes codes = { ART_E_USAGE, ART_E_USAGE, ART_E_USAGE,
						     ART_E_USAGE };
	cleanup_free uint8_t *bytes = NULL;
	json_t *root = NULL;
	json_t *value;
	const char *key;
	size_t len;
	int code = art_read_file(path, FROM_MAX, &bytes, &len, err);

	if (code == 0)
		code = art_json_parse(&root, bytes, len, &codes, err);
	if (code == 0) {
		json_object_foreach (root, key, value) {
			code = apply_json_key(c, key, value, err);
			if (code < 0)
				break;
		}
		json_decref(root);
	}
	return code < 0 ? art_wrap(err, "'%s'", path) : 0;
}

/* What must hold before anything is read. */
static int check(const struct mk_create *c)
{
	if (!c->out)
		return cli_usage_error("create: no output given (-o OUT)");
	if (strcmp(c->out, "-") == 0)
		return cli_usage_error("create: cannot write to standard output: the manifest stands first "
				       "and is known last");
	if (!c->out[0])
		return cli_usage_error("create: the output has no name");
	if (c->fs && strcmp(c->fs, "squashfs") == 0 && c->size)
		return cli_usage_error("create: --size is for ext4: squashfs takes what it needs");
	if (!c->rootfs && !c->boot)
		return cli_usage_error("create: nothing to put in (--rootfs SRC)");
	if (!c->m->name)
		return cli_usage_error("create: no name given (--name NAME)");
	if (c->m->compatible_count == 0)
		return cli_usage_error("create: no device type given (--compatible TYPE)");
	if (c->key_count == 0 && !c->is_unsigned)
		return cli_usage_error("create: no key given (--key KEY, or --unsigned to sign later)");
	if (c->key_count > 0 && c->is_unsigned)
		return cli_usage_error("create: --key and --unsigned exclude each other");
	if (c->m->version && !art_version_is_valid(c->m->version))
		return cli_usage_error("create: '%s' is not a version", c->m->version);
	if (c->fs && strcmp(c->fs, "ext4") != 0 && strcmp(c->fs, "squashfs") != 0)
		return cli_usage_error("create: cannot build a filesystem '%s'", c->fs);
	if (c->m->advisory_id_count > 0 && !c->m->advisory_url)
		return cli_usage_error("create: --advisory-id needs --advisory-url");
	return -1;
}

int mk_create_options(struct mk_create *c, int argc, char **argv)
{
	struct art_err err = { .code = 0 };
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int opt, status;

	memset(c, 0, sizeof(*c));
	c->level = ART_LEVEL_DEFAULT;
	c->jobs = processors < 1 ? 1 : processors > JOBS_MAX ? JOBS_MAX : (unsigned int)processors;
	c->m = art_manifest_new();
	if (!c->m) {
		art_fail_memory(&err);
		return cli_fail(&err);
	}
	while ((opt = getopt_long(argc, argv, CLI_SHORT "o:", options, NULL)) != -1) {
		if (opt == CLI_OPT_HELP) {
			cli_help(help);
			return 0;
		}
		if (opt == 'o' || (opt >= OPT_NAME && opt <= OPT_NO_SBOM)) {
			if (apply(c, opt, optarg, &err) < 0)
				return cli_fail(&err);
			continue;
		}
		status = cli_option(opt);
		if (status)
			return status;
	}
	if (optind != argc)
		return cli_usage_error("create: '%s' is not an option", argv[optind]);
	return check(c);
}

void mk_create_clear(struct mk_create *c)
{
	art_manifest_free(c->m);
	free(c->out);
	free(c->rootfs);
	free(c->boot);
	free(c->fs);
	free(c->passphrase_file);
	while (c->key_count > 0)
		free(c->keys[--c->key_count]);
	while (c->doc_count > 0)
		free(c->docs[--c->doc_count]);
	while (c->earlier_count > 0)
		free(c->earlier[--c->earlier_count]);
	while (c->from_count > 0)
		free(c->from[--c->from_count]);
}
