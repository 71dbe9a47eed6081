/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manner that all programs share: messages, verbosity, errors and exit codes, --help and --version.
 * Data goes to stdout, everything else to stderr as `program: message`. One process, one set of these settings.
 *
 * A program does:
 *	cli_init("artifact-thing");
 *	while ((c = getopt_long(argc, argv, "+o:" CLI_SHORT, options, NULL)) != -1) {
 *		switch (c) { own options ... default: if ((r = cli_option(c)) != 0) return cli_exit(r); }
 *	}
 *	... return cli_exit(ret < 0 ? cli_fail(&err) : 0);
 */
#ifndef COMMON_CLI_H
#define COMMON_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "libartifact/err.h"

enum cli_level { CLI_ERROR, CLI_WARN, CLI_INFO, CLI_DEBUG };

/* NAME lives as long as the program. Also makes sure that descriptors 0, 1 and 2 are open. */
void cli_init(const char *name);
const char *cli_program(void);

/* Messages up to this level are printed: -q ERROR, default WARN, -v INFO, -vv DEBUG. */
enum cli_level cli_level(void);
void cli_set_level(enum cli_level level);

/* True when results are to be JSON on stdout (--json). */
bool cli_json(void);
void cli_set_json(bool json);

/* "program: text\n" to stderr; control characters in the text are escaped. */
void cli_message(enum cli_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
#define cli_error(...) cli_message(CLI_ERROR, __VA_ARGS__)
#define cli_warn(...) cli_message(CLI_WARN, __VA_ARGS__)
#define cli_info(...) cli_message(CLI_INFO, __VA_ARGS__)
#define cli_debug(...) cli_message(CLI_DEBUG, __VA_ARGS__)

/* For art_http_options.waiting: a warning, unless it is the usual short wait after a drop, which is nobody's concern. */
void cli_waiting(void *ctx, const char *why, uint64_t ms);

/* "try: ..." below an error: what to do next. Not with -q. */
void cli_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Print ERR once and return its exit status: "program: text", with -v the stable name in brackets behind it. With
 * --json also {"error": {"name", "exit", "text"}} on stdout. Nothing is printed when ERR is that stdout's reader has gone.
 */
int cli_fail(const struct art_err *err);

/* JSON (jansson) to stdout, indented; 0 or an error for want of memory. Write errors show in cli_exit. */
struct json_t;
int cli_print_json(const struct json_t *root, struct art_err *err);

/* A JSON string of any bytes; what is no UTF-8 is escaped as on a terminal. NULL: out of memory. */
struct json_t *cli_json_text(const char *text);

/* A JSON string of what a terminal is shown for TEXT. NULL: out of memory. */
struct json_t *cli_printable_text(const char *text);

/* As cli_fail, with "error" put into REPORT (an object, may be NULL; stays the caller's), so that what was found
 * before the fault is reported too, in one JSON document. */
int cli_fail_report(const struct art_err *err, struct json_t *report);

/* "program: text", "try: program --help"; returns the exit status 2. */
int cli_usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The last thing a program does: STATUS, or 6 when standard output could not be written. */
int cli_exit(int status);

/*
 * Options that every program has. --version belongs before any subcommand: a program lists CLI_LONG_VERSION
 * in its first getopt_long only. Programs without progress leave CLI_LONG_PROGRESS out, and so on.
 */
enum {
	CLI_OPT_HELP = 'h',
	CLI_OPT_QUIET = 'q',
	CLI_OPT_VERBOSE = 'v',
	CLI_OPT_VERSION = 0x1000,
	CLI_OPT_JSON,
	CLI_OPT_PROGRESS,
};
#define CLI_SHORT "hqv"
#define CLI_LONG_BASE                                       \
	{ "help", no_argument, NULL, CLI_OPT_HELP },        \
	{ "quiet", no_argument, NULL, CLI_OPT_QUIET },      \
	{ "verbose", no_argument, NULL, CLI_OPT_VERBOSE }
#define CLI_LONG_VERSION { "version", no_argument, NULL, CLI_OPT_VERSION }
#define CLI_LONG_JSON { "json", no_argument, NULL, CLI_OPT_JSON }
#define CLI_LONG_PROGRESS { "progress", required_argument, NULL, CLI_OPT_PROGRESS }

/* Handle one of them, except help and version (a program's own). 0: done; 2: a usage error that has been
 * printed, also for '?' (getopt_long has told) and everything unknown. */
int cli_option(int c);

/* Lines, NULL at the end, to stdout: the one string table behind --help. */
void cli_help(const char *const *lines);

/* "PROGRAM VERSION", libraries, hardening flags, whether test keys are accepted. MORE: libraries beyond those of
 * libartifact, ended by a NULL name; may be NULL. */
struct cli_library {
	const char *name;
	const char *version;
};
void cli_version(const struct cli_library *more);

#endif
