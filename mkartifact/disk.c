// SPDX-License-Identifier: Apache-2.0
/* mkartifact disk: a factory disk out of a layout file and artifacts, without root or loop devices. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <fcntl.h>
#include <jansson.h>

#include "common/cli.h"
#include "common/progress.h"
#include "common/text.h"
#include "libartifact/blob.h"
#include "libartifact/io.h"
#include "libartifact/trust.h"
#include "libartifact/util.h"
#include "mkartifact/commands.h"
#include "mkartifact/disk.h"
#include "mkartifact/size.h"

#define BOOT_CODE 440

enum { OPT_LAYOUT = 0x100, OPT_SLOT_A, OPT_SLOT_B, OPT_KEYS, OPT_UNSIGNED, OPT_DATA, OPT_BMAP,
       OPT_NO_BMAP };

static const struct option options[] = {
	CLI_LONG_BASE,
	CLI_LONG_JSON,
	CLI_LONG_PROGRESS,
	{ "output", required_argument, NULL, 'o' },
	{ "layout", required_argument, NULL, OPT_LAYOUT },
	{ "slot-a", required_argument, NULL, OPT_SLOT_A },
	{ "slot-b", required_argument, NULL, OPT_SLOT_B },
	{ "keys", required_argument, NULL, OPT_KEYS },
	{ "unsigned", no_argument, NULL, OPT_UNSIGNED },
	{ "data", required_argument, NULL, OPT_DATA },
	{ "bmap", required_argument, NULL, OPT_BMAP },
	{ "no-bmap", no_argument, NULL, OPT_NO_BMAP },
	{ 0 },
};

static const char *const help[] = {
	"usage: mkartifact disk -o DISK --layout FILE --slot-a ARTIFACT --keys DIR [OPTION...]",
	"",
	"Make a disk image for the factory: partition table, slots, boot files, and a data partition that knows",
	"what the slots hold. Needs no root.",
	"",
	"  -o, --output DISK       the image, sparse; appears only when it is complete",
	"      --layout FILE       what lies where; see LAYOUT FILE in mkartifact(1)",
	"      --slot-a ARTIFACT   what slot a holds and boots first",
	"      --slot-b ARTIFACT   what slot b holds; default: nothing",
	"      --keys DIR          a directory of public keys, or one key, that the artifacts are signed by",
	"      --unsigned          take artifacts that nobody has signed",
	"      --data SIZE         of the data partition (K, M, G or T behind the number)",
	"      --bmap FILE         the block map; default: DISK.bmap",
	"      --no-bmap           no block map",
	"      --progress MODE     auto, none, or json",
	"      --json              print the result as JSON",
	"  -h, --help              this text",
	"  -q, --quiet             errors only",
	"  -v, --verbose           say more",
	NULL,
};

struct job {
	struct disk d;
	const char *output, *layout, *keys;
	bool is_unsigned, no_bmap;
	uint64_t data;
	char *bmap; /* the name of the block map; NULL: none */
	char *directory;
	struct art_out bmap_out;
};

/* SOURCE_DATE_EPOCH, else the time of the artifact that boots: never the clock. */
static int set_time(struct disk *d, struct art_err *err)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	struct tm tm;
	char *end;

	if (epoch) {
		errno = 0;
		d->time = strtoll(epoch, &end, 10);
		if (*epoch == '\0' || *end != '\0' || d->time < 0 || errno != 0)
			return art_fail(err, ART_E_USAGE, "SOURCE_DATE_EPOCH '%s' is not a time", epoch);
		return 0;
	}
	memset(&tm, 0, sizeof(tm));
	if (!strptime(d->slot[0].manifest->created, "%Y-%m-%dT%H:%M:%SZ", &tm))
		return art_fail(err, ART_E_FAILED, "'%s' has no time of creation", d->slot[0].path);
	d->time = timegm(&tm);
	return 0;
}

static int open_slots(struct job *j, struct art_err *err)
{
	struct art_trust *trust = NULL;
	int n, code = 0;

	if (!j->is_unsigned && !j->keys)
		code = art_fail(err, ART_E_KEY_NONE, "no keys to judge '%s' by", j->d.slot[0].path);
	else if (!j->is_unsigned)
		code = art_trust_load(&trust, j->keys, err);
	for (n = 0; code == 0 && n < DISK_SLOTS; n++)
		if (j->d.slot[n].path)
			code = disk_slot_open(&j->d.slot[n], trust, err);
	art_trust_free(trust);
	return code;
}

static int set_data(struct job *j, struct art_err *err)
{
	struct disk_layout *l = &j->d.layout;
	size_t i;

	for (i = 0; i < l->part_count; i++)
		if (l->part[i].content == DISK_DATA) {
			if (j->data) {
				l->part[i].size = j->data;
				l->part[i].rest = false;
			}
			return 0;
		}
	if (j->data)
		return art_fail(err, ART_E_USAGE, "--data: '%s' has no partition with content = data",
				j->layout);
	cli_warn("'%s' has no partition with content = data: the device will not know what its slots hold",
		 j->layout);
	return 0;
}

int disk_copy(struct disk *d, int fd, const char *name, uint64_t len, uint64_t at,
	      struct art_err *err)
{
	struct art_blob *blob = NULL;
	int code = art_blob_open_fd(&blob, fd, name, err);

	if (code == 0)
		code = art_blob_copy(blob, 0, len, d->out.fd, at, d->out.path, NULL, NULL, err);
	art_blob_free(blob);
	return code < 0 ? code : disk_bmap_add(d->bmap, at, len, err);
}

static int write_files(struct disk *d, const struct disk_files *files, uint64_t at,
		       struct art_err *err)
{
	size_t i;
	int code = 0;

	for (i = 0; code == 0 && i < files->count; i++) {
		const struct disk_file *f = &files->list[i];
		cleanup_close int fd = open(f->path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return art_fail_errno(err, ART_E_IO, "cannot open '%s'", f->path);
		code = disk_copy(d, fd, f->path, f->size, at + f->offset, err);
	}
	return code;
}

static int write_part(struct disk *d, const struct disk_part *p, struct art_err *err)
{
	int code = disk_bmap_add(d->bmap, p->start - p->gap, p->gap, err);

	if (code < 0)
		return code;
	cli_info("partition %u: %s", p->number, p->name);
	switch (p->content) {
	case DISK_EMPTY:
		return 0;
	case DISK_ZERO:
		return disk_bmap_add(d->bmap, p->start, p->size, err);
	case DISK_SLOT:
		return disk_slot_write(d, p, err);
	case DISK_FAT:
		return disk_fat_write(d, p, err);
	case DISK_FILE:
		return write_files(d, &p->files, p->start, err);
	case DISK_GRUB:
		return disk_grub_write(d, p, err);
	case DISK_DATA:
		return disk_data_write(d, p, err);
	}
	return 0;
}

int disk_boot_code(struct disk *d, const char *path, const uint8_t *bytes, size_t len,
		   struct art_err *err)
{
	if (len > BOOT_CODE && len != DISK_SECTOR)
		return art_fail(err, ART_E_USAGE,
				"'%s' has %zu bytes: boot code has up to %d, or a whole sector of %d", path,
				len, BOOT_CODE, DISK_SECTOR);
	return art_pwrite_full(d->out.fd, bytes, len < BOOT_CODE ? len : BOOT_CODE, 0, d->out.path,
			       err);
}

/* After the table: it lies in the first sector too. */
static int write_boot_code(struct disk *d, struct art_err *err)
{
	const char *path = d->layout.boot_code;
	cleanup_free uint8_t *bytes = NULL;
	size_t len;
	int code;

	if (!path)
		return 0;
	code = art_read_file(path, DISK_SECTOR, &bytes, &len, err);
	return code < 0 ? code : disk_boot_code(d, path, bytes, len, err);
}

static int write_disk(struct job *j, struct art_err *err)
{
	struct disk *d = &j->d;
	const struct disk_layout *l = &d->layout;
	size_t i;
	int code = 0;

	if (ftruncate(d->out.fd, (off_t)l->size) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot make '%s' %llu bytes long", d->out.path,
				      (unsigned long long)l->size);
	code = disk_table_write(d, err);
	if (code == 0)
		code = write_boot_code(d, err);
	if (code == 0)
		code = disk_bmap_add(d->bmap, 0, l->head, err);
	if (code == 0)
		code = disk_bmap_add(d->bmap, l->size - l->tail, l->tail, err);
	if (code == 0)
		code = write_files(d, &l->raw, 0, err);
	for (i = 0; code == 0 && i < l->part_count; i++)
		code = write_part(d, &l->part[i], err);
	return code;
}

/* A commit may fail with the file in its place already: when its directory cannot be synced. */
static int put_in_place(struct art_out *out, const char *path, struct art_err *err)
{
	struct stat made, there;
	int code;

	if (fstat(out->fd, &made) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot examine '%s'", path);
	code = art_out_commit(out, err);
	if (code < 0 && stat(path, &there) == 0 && made.st_dev == there.st_dev &&
	    made.st_ino == there.st_ino)
		unlink(path);
	return code;
}

/* Both or none: a map without its disk, or beside another one, would be believed. */
static int commit(struct job *j, struct art_err *err)
{
	int code = put_in_place(&j->d.out, j->output, err);

	if (code < 0 || !j->bmap)
		return code;
	code = put_in_place(&j->bmap_out, j->bmap, err);
	if (code < 0)
		unlink(j->output);
	return code;
}

static int make(struct job *j, struct art_err *err)
{
	struct disk *d = &j->d;
	int code = art_out_open(&d->out, j->output, 0644, err);

	if (code == 0)
		code = disk_bmap_new(&d->bmap, err);
	if (code == 0)
		code = write_disk(j, err);
	if (code == 0 && j->bmap)
		code = art_out_open(&j->bmap_out, j->bmap, 0644, err);
	if (code == 0 && j->bmap)
		code = disk_bmap_write(d->bmap, d->out.fd, d->out.path, d->layout.size, &j->bmap_out,
				       err);
	if (code == 0)
		code = commit(j, err);
	art_out_abort(&d->out);
	art_out_abort(&j->bmap_out);
	return code;
}

static json_t *part_json(const struct disk_part *p)
{
	static const char *const contents[] = { "empty", "zero", "slot", "fat",
						"file",	 "grub", "data" };
	char slot[48];

	snprintf(slot, sizeof(slot), "slot-%c:%s", 'a' + p->slot, p->payload ? p->payload : "");
	return json_pack("{s:s, s:i, s:s, s:s?, s:s, s:I, s:I, s:b, s:s}", "name", p->name, "number",
			 (int)p->number, "partuuid", p->partuuid, "partlabel", p->label, "type", p->type,
			 "start", (json_int_t)p->start, "size", (json_int_t)p->size, "bootable",
			 (int)p->bootable, "content",
			 p->content == DISK_SLOT ? slot : contents[p->content]);
}

static int report_json(const struct job *j, struct art_err *err)
{
	const struct disk_layout *l = &j->d.layout;
	json_t *parts = json_array();
	json_t *root = json_pack("{s:s, s:s?, s:s, s:s, s:I, s:o}", "file", j->output, "bmap", j->bmap,
				 "table", l->table == DISK_GPT ? "gpt" : "mbr", "id", l->id, "size",
				 (json_int_t)l->size, "partitions", parts);
	size_t i;
	int code;

	if (!root)
		return art_fail_memory(err);
	for (i = 0; i < l->part_count; i++)
		json_array_append_new(parts, part_json(&l->part[i]));
	code = cli_print_json(root, err);
	json_decref(root);
	return code;
}

static int report(const struct job *j, struct art_err *err)
{
	const struct disk_layout *l = &j->d.layout;
	char size[TEXT_SIZE_MAX];
	size_t i;

	if (cli_json())
		return report_json(j, err);
	if (cli_level() < CLI_WARN)
		return 0;
	printf("%s: %s, %s %s, %zu partition%s\n", j->output, text_size(size, l->size),
	       l->table == DISK_GPT ? "GPT" : "MBR", l->id, l->part_count,
	       l->part_count == 1 ? "" : "s");
	for (i = 0; i < l->part_count; i++)
		printf("%3u  PARTUUID=%s  %10s  %s\n", l->part[i].number, l->part[i].partuuid,
		       text_size(size, l->part[i].size), l->part[i].name);
	return 0;
}

static int check_out(const struct job *j, const char *path, struct art_err *err)
{
	const struct disk_layout *l = &j->d.layout;
	const char *const inputs[] = { j->layout, j->d.slot[0].path, j->d.slot[1].path, l->boot_code };
	size_t i, n;
	int code = art_out_check(path, err);

	for (i = 0; code == 0 && i < ART_ARRAY_SIZE(inputs); i++)
		code = art_out_check_input(path, inputs[i], err);
	for (i = 0; code == 0 && i < l->raw.count; i++)
		code = art_out_check_input(path, l->raw.list[i].path, err);
	for (i = 0; code == 0 && i < l->part_count; i++) {
		for (n = 0; code == 0 && n < l->part[i].files.count; n++)
			code = art_out_check_input(path, l->part[i].files.list[n].path, err);
		if (code == 0)
			code = art_out_check_input(path, l->part[i].boot, err);
		if (code == 0)
			code = art_out_check_input(path, l->part[i].directory, err);
	}
	/* What else lies beside keys is not read. */
	if (code == 0 && strstr(path, ".pem"))
		code = art_out_check_input(path, j->keys, err);
	return code;
}

static int set_names(struct job *j, struct art_err *err)
{
	const char *slash = strrchr(j->output, '/');

	j->directory = slash ? strndup(j->output, (size_t)(slash - j->output + 1)) : strdup("./");
	if (!j->directory)
		return art_fail_memory(err);
	j->d.directory = j->directory;
	if (!j->no_bmap && !j->bmap && asprintf(&j->bmap, "%s.bmap", j->output) < 0) {
		j->bmap = NULL;
		return art_fail_memory(err);
	}
	return 0;
}

static int disk(struct job *j, struct art_err *err)
{
	int code = set_names(j, err);

	if (code == 0)
		code = disk_layout_read(&j->d.layout, j->layout, err);
	if (code == 0)
		code = check_out(j, j->output, err);
	if (code == 0 && j->bmap && (strcmp(j->bmap, j->output) == 0 ||
				     art_out_check_input(j->bmap, j->output, NULL) < 0))
		code = art_fail(err, ART_E_USAGE, "'%s' cannot be both the disk and its block map",
				j->bmap);
	if (code == 0 && j->bmap)
		code = check_out(j, j->bmap, err);
	if (code == 0)
		code = open_slots(j, err);
	if (code == 0)
		code = set_time(&j->d, err);
	if (code == 0)
		code = set_data(j, err);
	if (code == 0) {
		code = disk_plan(&j->d.layout, err);
		if (code < 0)
			return art_wrap(err, "'%s'", j->layout);
	}
	if (code == 0)
		code = disk_slots_check(&j->d, err);
	if (code == 0)
		code = make(j, err);
	return code < 0 ? code : report(j, err);
}

/* -1: go on; otherwise the exit status, everything has been said. */
static int check_options(const struct job *j)
{
	if (!j->output)
		return cli_usage_error("disk: no output given (-o DISK)");
	if (strcmp(j->output, "-") == 0)
		return cli_usage_error("disk: cannot write to standard output: the table is made last");
	if (!j->layout)
		return cli_usage_error("disk: no layout given (--layout FILE)");
	if (!j->d.slot[0].path)
		return cli_usage_error("disk: nothing to boot (--slot-a ARTIFACT)");
	if (j->bmap && j->no_bmap)
		return cli_usage_error("disk: --bmap and --no-bmap exclude each other");
	if (j->keys && j->is_unsigned)
		return cli_usage_error("disk: --keys and --unsigned exclude each other");
	return -1;
}

static int option(struct job *j, int opt, const char *arg)
{
	switch (opt) {
	case 'o': j->output = arg; return -1;
	case OPT_LAYOUT: j->layout = arg; return -1;
	case OPT_SLOT_A: j->d.slot[0].path = arg; return -1;
	case OPT_SLOT_B: j->d.slot[1].path = arg; return -1;
	case OPT_KEYS: j->keys = arg; return -1;
	case OPT_UNSIGNED: j->is_unsigned = true; return -1;
	case OPT_NO_BMAP: j->no_bmap = true; return -1;
	case OPT_BMAP:
		free(j->bmap);
		j->bmap = strdup(arg);
		return -1;
	case OPT_DATA:
		if (mk_size_parse(arg, UINT64_C(1) << 46, &j->data) == 0 && j->data > 0)
			return -1;
		return cli_usage_error("disk: --data '%s' is not a size", arg);
	}
	opt = cli_option(opt);
	return opt ? opt : -1;
}

static int parse_options(struct job *j, int argc, char **argv)
{
	int opt, status = -1;

	while (status < 0 && (opt = getopt_long(argc, argv, CLI_SHORT "o:", options, NULL)) != -1) {
		if (opt == CLI_OPT_HELP) {
			cli_help(help);
			return 0;
		}
		status = option(j, opt, optarg);
	}
	if (status >= 0)
		return status;
	if (optind != argc)
		return cli_usage_error("disk: '%s' is not an option", argv[optind]);
	return check_options(j);
}

int mk_disk(int argc, char **argv)
{
	struct job *j = calloc(1, sizeof(*j));
	struct art_err err = { .code = 0 };
	int status;

	if (!j) {
		art_fail_memory(&err);
		return cli_fail(&err);
	}
	j->d.out = j->bmap_out = (struct art_out)ART_OUT_INIT;
	status = parse_options(j, argc, argv);
	if (status < 0) {
		status = disk(j, &err) < 0 ? cli_fail(&err) : 0;
		/* The one thing that is to be done about it. */
		if (err.code == ART_E_KEY_NONE && !j->keys)
			cli_hint("--keys DIR, or --unsigned to take artifacts that nobody vouches for");
	}
	disk_slot_close(&j->d.slot[0]);
	disk_slot_close(&j->d.slot[1]);
	disk_bmap_free(j->d.bmap);
	disk_layout_free(&j->d.layout);
	free(j->directory);
	free(j->bmap);
	free(j);
	return status;
}
