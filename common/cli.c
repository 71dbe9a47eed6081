// SPDX-License-Identifier: Apache-2.0
/* The manner that all programs share. See cli.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <zstd.h>

#include "common/cli.h"
#include "common/progress.h"
#include "common/text.h"
#include "libartifact/util.h"

static struct {
	const char *name;
	enum cli_level level;
	bool json;
} cli = { "twinroot", CLI_WARN, false };

void cli_init(const char *name)
{
	int fd;

	/* A file opened as descriptor 2 would receive the messages. */
	do {
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	/* A file that may not grow further is a failed write, to be told and tidied up after. */
	signal(SIGXFSZ, SIG_IGN);
	cli.name = name;
}

const char *cli_program(void)
{
	return cli.name;
}

enum cli_level cli_level(void)
{
	return cli.level;
}

void cli_set_level(enum cli_level level)
{
	cli.level = level;
}

bool cli_json(void)
{
	return cli.json;
}

void cli_set_json(bool json)
{
	cli.json = json;
}

static void print_line(const char *prefix, const char *fmt, va_list ap)
{
	char text[1024], safe[2048];

	vsnprintf(text, sizeof(text), fmt, ap);
	text_escape(safe, sizeof(safe), text, strlen(text));
	progress_clear();
	/* In the order in which things happened, also where both go to one file. */
	fflush(stdout);
	/* One call, so that the lines of parent and children do not mix. */
	fprintf(stderr, "%s: %s\n", prefix, safe);
}

void cli_message(enum cli_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > cli.level)
		return;
	va_start(ap, fmt);
	print_line(cli.name, fmt, ap);
	va_end(ap);
}

void cli_waiting(void *ctx, const char *why, uint64_t ms)
{
	(void)ctx;
	cli_message(ms < 2000 ? CLI_INFO : CLI_WARN, "%s", why);
}

void cli_hint(const char *fmt, ...)
{
	va_list ap;

	if (cli.level < CLI_WARN)
		return;
	va_start(ap, fmt);
	print_line("try", fmt, ap);
	va_end(ap);
}

int cli_print_json(const struct json_t *root, struct art_err *err)
{
	char *text = json_dumps(root, JSON_INDENT(2));

	if (!text)
		return art_fail_memory(err);
	progress_clear();
	puts(text);
	free(text);
	return 0;
}

json_t *cli_printable_text(const char *text)
{
	size_t len = strlen(text), room = 4 * len + 1;
	char *safe = malloc(room);
	json_t *string;

	if (!safe)
		return NULL;
	text_escape(safe, room, text, len);
	string = json_string(safe);
	free(safe);
	return string;
}

json_t *cli_json_text(const char *text)
{
	json_t *string = json_string(text);

	return string ? string : cli_printable_text(text);
}

static void print_json_error(const char *name, int status, const char *text,
			     json_t *report)
{
	json_t *root = report ? json_incref(report) : json_object();
	json_t *error = json_pack("{s:s,s:i,s:o}", "name", name, "exit", status, "text",
				  cli_json_text(text));

	if (root && json_object_set_new(root, "error", error) == 0)
		cli_print_json(root, NULL);
	json_decref(root);
}

/* A reader that has seen enough (head) is no fault of ours to explain. errno may be of another call by now. */
static bool is_reader_gone(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return ferror(stdout) && poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP));
}

int cli_fail_report(const struct art_err *err, struct json_t *report)
{
	const char *name = art_code_name(err->code);
	int status = art_code_exit(err->code);

	/* A caller that failed without saying why still failed. */
	if (status == 0) {
		name = art_code_name(ART_E_FAILED);
		status = art_code_exit(ART_E_FAILED);
	}
	if (err->sys_errno == EPIPE && is_reader_gone())
		return status;
	if (cli.level >= CLI_INFO)
		cli_message(CLI_ERROR, "%s [%s]", err->text, name);
	else
		cli_message(CLI_ERROR, "%s", err->text);
	if (cli.json)
		print_json_error(name, status, err->text, report);
	return status;
}

int cli_fail(const struct art_err *err)
{
	return cli_fail_report(err, NULL);
}

int cli_usage_error(const char *fmt, ...)
{
	struct art_err err = { 0 };
	va_list ap;
	int status;

	err.code = ART_E_USAGE;
	va_start(ap, fmt);
	vsnprintf(err.text, sizeof(err.text), fmt, ap);
	va_end(ap);
	status = cli_fail(&err);
	cli_hint("%s --help", cli.name);
	return status;
}

int cli_exit(int status)
{
	if (fflush(stdout) != 0 || ferror(stdout) || close(STDOUT_FILENO) != 0) {
		if (errno != EPIPE && !is_reader_gone())
			cli_error("cannot write standard output: %s", strerror(errno));
		if (status == 0)
			status = art_code_exit(ART_E_IO);
	}
	return status;
}

int cli_option(int c)
{
	switch (c) {
	case CLI_OPT_QUIET:
		cli.level = CLI_ERROR;
		return 0;
	case CLI_OPT_VERBOSE:
		if (cli.level < CLI_INFO)
			cli.level = CLI_INFO;
		else
			cli.level = CLI_DEBUG;
		return 0;
	case CLI_OPT_JSON:
		cli.json = true;
		return 0;
	case CLI_OPT_PROGRESS:
		if (progress_set_mode(optarg) == 0)
			return 0;
		return cli_usage_error("'%s' is not a progress mode (auto, none, json)",
				       optarg);
	default:
		cli_hint("%s --help", cli.name);
		return art_code_exit(ART_E_USAGE);
	}
}

void cli_help(const char *const *lines)
{
	for (; *lines; lines++)
		puts(*lines);
}

void cli_version(const struct cli_library *more)
{
	printf("%s %s\n", cli.name, PACKAGE_VERSION);
	printf("libraries: libcrypto %s, libzstd %s, jansson %s",
	       OpenSSL_version(OPENSSL_VERSION_STRING), ZSTD_versionString(),
	       jansson_version_str());
	for (; more && more->name; more++)
		printf(", %s %s", more->name, more->version);
	printf("\nhardening: %s\n", HARDENING_SUMMARY[0] ? HARDENING_SUMMARY : "none");
#ifdef WITH_TEST_KEYS
	printf("test keys: accepted (not for products)\n");
#else
	printf("test keys: refused\n");
#endif
}
