// SPDX-License-Identifier: Apache-2.0
/* status and fit: what is, and what would be. Neither changes anything. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "common/cli.h"
#include "common/text.h"
#include "installer/candidate.h"
#include "installer/commands.h"

static const char *slot_name(int slot)
{
	static const char *const names[] = { "none", "a", "b" };

	return names[slot + 1];
}

static json_t *slot_json(const struct device *d, int n)
{
	const struct state_slot *s = &d->state.slot[n];
	char digest[2 * ART_SHA256_LEN + 1];
	json_t *parts = json_object(), *root;
	size_t i;

	art_hex_format(digest, s->digest, sizeof(s->digest));
	for (i = 0; i < d->slots[n].count; i++)
		json_object_set_new(parts, d->slots[n].part[i].payload,
				    json_pack("{s:s,s:I}", "path", d->slots[n].part[i].path,
					      "size", (json_int_t)d->slots[n].part[i].size));
	root = json_pack("{s:s,s:b,s:b,s:b,s:o}", "content", state_content_name(s->content),
			 "running", d->running == n, "default", d->boot_state.standard == n,
			 "bad", d->boot_state.bad[n], "partitions", parts);
	if (root && s->name[0])
		json_object_update_new(root,
				       json_pack("{s:s,s:s,s:s,s:I,s:I}", "name", s->name,
						 "version", s->version, "digest", digest,
						 "security-counter", (json_int_t)s->counter, "time",
						 (json_int_t)s->time));
	return root;
}

static int print_json(struct device *d, uint32_t floor)
{
	json_t *root = json_pack(
		"{s:s,s:s?,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:i,s:{s:s,s:s,s:s,s:i,s:I,s:s?},s:{s:o,s:o}}",
		"type", d->config.device_type, "hardware", d->config.device_hardware, "running",
		slot_name(d->running), "phase", state_phase_name(d->state.phase), "target",
		slot_name(d->state.target), "reason", d->state.reason, "state-record",
		state_health_name(d->state_file.health), "transaction",
		(json_int_t)d->state.transaction, "security-floor", (json_int_t)floor,
		"on-trial", device_on_trial(d) ? 1 : 0, "boot", "backend",
		d->boot.ops->name, "default", slot_name(d->boot_state.standard), "trial",
		slot_name(d->boot_state.trial), "tries-left", (int)d->boot_state.left,
		"transaction", (json_int_t)d->boot_state.transaction, "caution",
		boot_caution(&d->boot), "slots", "a",
		slot_json(d, 0), "b", slot_json(d, 1));
	int ok = root && json_dumpf(root, stdout, JSON_INDENT(2)) == 0;

	if (ok)
		putchar('\n');
	json_decref(root);
	return ok ? 0 : -1;
}

static void print_slot(const struct device *d, int n)
{
	const struct state_slot *s = &d->state.slot[n];
	char size[TEXT_SIZE_MAX];
	size_t i;

	printf("slot %c: ", 'a' + n);
	if (s->name[0]) {
		text_print(stdout, s->name);
		printf(" %s, ", s->version);
	}
	printf("%s%s%s%s\n", state_content_name(s->content), d->running == n ? ", running" : "",
	       d->boot_state.standard == n ? ", default" : "",
	       d->boot_state.bad[n] ? ", not bootable" : "");
	for (i = 0; i < d->slots[n].count; i++)
		printf("  %-10s %s, %s\n", d->slots[n].part[i].payload, d->slots[n].part[i].path,
		       text_size(size, d->slots[n].part[i].size));
}

static void print_text(struct device *d, uint32_t floor)
{
	const struct boot_state *b = &d->boot_state;
	const char *caution = boot_caution(&d->boot);

	printf("device: %s%s%s\n", d->config.device_type,
	       d->config.device_hardware ? ", hardware " : "",
	       d->config.device_hardware ? d->config.device_hardware : "");
	printf("state: %s", state_phase_name(d->state.phase));
	if (d->state.target >= 0)
		printf(", slot %s", slot_name(d->state.target));
	if (d->state.reason[0])
		printf(", %s", d->state.reason);
	printf("; record %s; transaction %llu\n", state_health_name(d->state_file.health),
	       (unsigned long long)d->state.transaction);
	printf("boot: %s (%s arming), default %s", d->boot.ops->name,
	       b->one_shot ? "one-shot" : "durable", slot_name(b->standard));
	if (b->trial != BOOT_NONE)
		printf(", trial of %s with %u tries left", slot_name(b->trial), b->left);
	printf("; transaction %llu\n", (unsigned long long)b->transaction);
	if (caution)
		printf("boot: not safe against every power cut: %s\n", caution);
	printf("security counter floor: %u\n", floor);
	print_slot(d, 0);
	print_slot(d, 1);
}

int command_status(const char *config, int argc, char **argv)
{
	static const char *const help[] = {
		"usage: artifact-install [-c CONFIG] status [OPTION]...",
		"Slots, what they hold, what boots, and the state of the last install.",
		"",
		"      --json      as JSON",
		"  -q, --quiet     errors only",
		"  -v, --verbose   more messages, and the stable name of an error",
		"  -h, --help      this text",
		NULL,
	};
	struct art_err err = { 0 };
	struct device d;
	uint32_t floor = 0;
	int code, status = command_options(argc, argv, help, 0, 0);

	if (status >= 0)
		return status;
	code = device_open(&d, config, DEVICE_READ, &err);
	if (code == 0)
		code = device_floor(&d, &floor, &err);
	if (code < 0)
		status = cli_fail(&err);
	else if (cli_json())
		status = print_json(&d, floor) < 0 ? 1 : 0;
	else
		print_text(&d, floor);
	if (status < 0)
		status = 0;
	device_close(&d);
	return cli_exit(status);
}

int command_fit(const char *config, int argc, char **argv)
{
	static const char *const help[] = {
		"usage: artifact-install [-c CONFIG] fit [OPTION]... SRC",
		"Tell whether the artifact SRC is trusted and fits this device. Its payload is not read.",
		"",
		"      --json      as JSON",
		"  -q, --quiet     errors only",
		"  -v, --verbose   more messages, and the stable name of an error",
		"  -h, --help      this text",
		NULL,
	};
	struct art_err err = { 0 };
	struct candidate c;
	struct device d;
	int code, status = command_options(argc, argv, help, 1, 1);

	if (status >= 0)
		return status;
	memset(&c, 0, sizeof(c));
	code = device_open(&d, config, DEVICE_READ, &err);
	if (code == 0)
		code = candidate_open(&c, &d, argv[optind], &err);
	if (code == 0)
		code = candidate_fits(&c, &d, 1 - d.running, &err);
	if (code < 0)
		status = cli_fail(&err);
	else if (cli_json())
		printf("{\"fits\": true, \"digest\": \"%s\"}\n", c.verdict.digest);
	else if (cli_level() >= CLI_WARN)
		printf("%s %s fits slot %c of this device\n", c.manifest->name,
		       c.manifest->version, 'a' + 1 - d.running);
	candidate_close(&c);
	device_close(&d);
	return cli_exit(status < 0 ? 0 : status);
}
