// SPDX-License-Identifier: Apache-2.0
/* Reproducible builds set SOURCE_DATE_EPOCH. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mkartifact/now.h"

int mk_time_now(char **text, int64_t *seconds, struct art_err *err)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	char buf[32], *end;
	time_t t = time(NULL);
	struct tm tm;

	if (epoch) {
		t = (time_t)strtoll(epoch, &end, 10);
		if (*epoch == '\0' || *end != '\0' || t < 0)
			return art_fail(err, ART_E_USAGE, "SOURCE_DATE_EPOCH '%s' is not a time", epoch);
	}
	if (!gmtime_r(&t, &tm) || strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return art_fail(err, ART_E_USAGE, "the time is out of bounds");
	if (seconds)
		*seconds = t;
	*text = strdup(buf);
	return *text ? 0 : art_fail_memory(err);
}
