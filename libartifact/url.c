// SPDX-License-Identifier: Apache-2.0
/* URLs as text: what is one, and what of it may be shown. */
#include <string.h>
#include <strings.h>
#include <stdio.h>
#include <stdlib.h>

#include "libartifact/url.h"

bool art_is_url(const char *text)
{
	return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

char *art_url_show(const char *url)
{
	const char *host = strstr(url, "://");
	size_t scheme, rest, size;
	const char *at;
	char *shown;

	host = host ? host + 3 : url;
	scheme = (size_t)(host - url);
	rest = strcspn(host, "/?#");
	at = memrchr(host, '@', rest);
	if (at)
		host = at + 1;
	rest = strcspn(host, "?#");
	size = scheme + rest + sizeof("?...");
	shown = malloc(size);
	if (shown)
		snprintf(shown, size, "%.*s%.*s%s", (int)scheme, url, (int)rest, host,
			 host[rest] == '?' ? "?..." : "");
	return shown;
}
