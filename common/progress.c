// SPDX-License-Identifier: Apache-2.0
/* Progress on stderr. No colour and no cursor games but carriage return and erase to end
 * of line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/progress.h"
#include "common/text.h"
#include "libartifact/util.h"

#define INTERVAL_NS 100000000

enum mode { MODE_AUTO, MODE_NONE, MODE_JSON };

static struct {
	enum mode mode;
	const char *phase; /* NULL: nothing under way */
	uint64_t done, total;
	int64_t start, last; /* ns; LAST 0: nothing printed yet */
	bool drawn;
} state;

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int progress_set_mode(const char *mode)
{
	static const char *const names[] = { "auto", "none", "json" };

	for (size_t i = 0; i < ART_ARRAY_SIZE(names); i++) {
		if (strcmp(mode, names[i]) == 0) {
			state.mode = (enum mode)i;
			return 0;
		}
	}
	return -1;
}

static bool has_bar(void)
{
	const char *term;

	if (state.mode != MODE_AUTO || cli_level() < CLI_WARN || !isatty(STDERR_FILENO))
		return false;
	term = getenv("TERM");
	return term && strcmp(term, "dumb") != 0;
}

static unsigned int terminal_width(void)
{
	struct winsize ws;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_col == 0)
		return 80;
	return ws.ws_col;
}

static void draw_bar(int64_t now)
{
	char done[TEXT_SIZE_MAX], total[TEXT_SIZE_MAX], rate[TEXT_SIZE_MAX],
		left[TEXT_SIZE_MAX];
	double seconds = (double)(now - state.start) / 1e9;
	double speed = seconds > 0.2 ? (double)state.done / seconds : 0;
	bool known = state.total != UINT64_MAX && state.total > 0;
	unsigned int width = terminal_width(), bar = width > 90 ? 30 : 16;
	char line[256], cells[32] = "";

	text_size(done, state.done);
	text_size(rate, (uint64_t)speed);
	if (known) {
		unsigned int full =
			(unsigned int)((double)state.done / (double)state.total * bar);
		uint64_t rest = state.total - state.done;

		for (unsigned int i = 0; i < bar; i++)
			cells[i] = i < full ? '#' : '.';
		text_size(total, state.total);
		text_duration(left, speed >= 1 ? (uint64_t)((double)rest / speed) : 0);
		snprintf(line, sizeof(line), "%s [%s] %3u%% %s of %s, %s/s, %s left",
			 state.phase, cells,
			 (unsigned int)((double)state.done / (double)state.total * 100),
			 done, total, rate, speed >= 1 ? left : "-:--");
	} else {
		snprintf(line, sizeof(line), "%s %s, %s/s", state.phase, done, rate);
	}
	/* A line that wraps could not be taken back. */
	fprintf(stderr, "\r%.*s\033[K", (int)width - 1, line);
	fflush(stderr);
	state.drawn = true;
}

static void print_json(void)
{
	if (state.total == UINT64_MAX)
		fprintf(stderr,
			"{\"event\":\"progress\",\"phase\":\"%s\",\"done\":%llu,\"total\":null}\n",
			state.phase, (unsigned long long)state.done);
	else
		fprintf(stderr,
			"{\"event\":\"progress\",\"phase\":\"%s\",\"done\":%llu,\"total\":%llu}\n",
			state.phase, (unsigned long long)state.done,
			(unsigned long long)state.total);
}

void progress_begin(const char *phase, uint64_t total)
{
	progress_end();
	state.phase = phase;
	state.total = total;
	state.done = 0;
	state.start = now_ns();
	state.last = 0;
	if (state.mode == MODE_JSON)
		print_json();
}

void progress_update(void *ctx, uint64_t done, uint64_t total)
{
	int64_t now;

	(void)ctx;
	if (!state.phase || state.mode == MODE_NONE)
		return;
	state.total = total;
	state.done = done < total ? done : total;
	now = now_ns();
	if (state.last && now - state.last < INTERVAL_NS)
		return;
	state.last = now;
	if (state.mode == MODE_JSON)
		print_json();
	else if (has_bar())
		draw_bar(now);
}

void progress_clear(void)
{
	if (!state.drawn)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	state.drawn = false;
	state.last = 0;
}

void progress_end(void)
{
	if (!state.phase)
		return;
	if (state.mode == MODE_JSON)
		print_json();
	progress_clear();
	state.phase = NULL;
}
