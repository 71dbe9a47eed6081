// SPDX-License-Identifier: Apache-2.0
/* The deployment log. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "common/cli.h"
#include "installer/log.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

static const char *const names[] = {
#define X(id, name) name,
	LOG_EVENTS(X)
#undef X
};

static json_t *head(const struct log *log, enum log_event event)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{s:s,s:I,s:s}", "time", stamp, "transaction",
			 (json_int_t)log->transaction, "event", names[event]);
}

static int append(const struct log *log, const char *line, struct art_err *err)
{
	cleanup_free char *path = NULL, *old = NULL;
	struct stat st;
	int fd, code;

	if (asprintf(&path, "%s/log", log->directory) < 0)
		return art_fail_memory(err);
	if (asprintf(&old, "%s/log.old", log->directory) < 0)
		return art_fail_memory(err);
	if (stat(path, &st) == 0 && st.st_size > LOG_SIZE_MAX)
		rename(path, old);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open '%s'", path);
	code = art_write_full(fd, line, strlen(line), path, err);
	if (close(fd) < 0 && code == 0)
		code = art_fail_errno(err, ART_E_IO, "cannot write '%s'", path);
	return code;
}

void log_event(const struct log *log, enum log_event event, const char *fmt, ...)
{
	json_t *line = head(log, event), *more = NULL;
	cleanup_free char *text = NULL, *full = NULL;
	struct art_err err = { 0 };
	va_list ap;

	if (fmt) {
		va_start(ap, fmt);
		more = json_vpack_ex(NULL, 0, fmt, ap);
		va_end(ap);
		if (more)
			json_object_update(line, more);
	}
	text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(more);
	json_decref(line);
	if (!text || asprintf(&full, "%s\n", text) < 0) {
		full = NULL;
		return;
	}
	if (append(log, full, &err) < 0)
		cli_warn("deployment log: %s", err.text);
}
