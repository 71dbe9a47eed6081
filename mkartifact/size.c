// SPDX-License-Identifier: Apache-2.0
/* Sizes as people write them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mkartifact/size.h"

int mk_size_parse(const char *text, uint64_t max, uint64_t *out)
{
	static const char units[] = "KMGT";
	unsigned long long v;
	const char *unit;
	unsigned int shift;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;
	if (unit)
		end++;
	if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || v > max >> shift)
		return -1;
	*out = v << shift;
	return 0;
}
