// SPDX-License-Identifier: Apache-2.0
/* Where requests go: redirects, and whether two answers come from one server. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libartifact/http/request.h"
#include "libartifact/url.h"

const char *http_asked(const struct http_lane *l)
{
	char *url = NULL;

	if (curl_easy_getinfo(l->easy, CURLINFO_EFFECTIVE_URL, &url) != CURLE_OK || !url)
		return l->h->current;
	return url;
}

/* Of "scheme://user@host:port", without what comes behind it. */
static size_t place_len(const char *url)
{
	const char *host = strstr(url, "://");

	return host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : strlen(url);
}

bool http_is_elsewhere(const struct http *h, const char *url)
{
	size_t len = place_len(url);

	return !h->from || place_len(h->from) != len || strncasecmp(h->from, url, len) != 0;
}

static int check_redirect(const struct http *h, const char *asked, const char *to,
			  struct art_err *err)
{
	if (!art_is_url(to))
		return art_fail(err, ART_E_NET, "'%s': the server redirects to an address that is "
				"not http or https", h->shown);
	if (strncasecmp(asked, "https:", 6) == 0 && strncasecmp(to, "https:", 6) != 0)
		return art_fail(err, ART_E_NET, "'%s': the server redirects from https to http, "
				"which is refused", h->shown);
	return 0;
}

int http_request_redirect(struct http_lane *l, struct art_err *err)
{
	struct http *h = l->h;
	CURLU *url = curl_url();
	char *to = NULL;
	char *copy = NULL;
	int code;

	if (!url)
		return art_fail_memory(err);
	if (curl_url_set(url, CURLUPART_URL, http_asked(l), 0) != CURLUE_OK ||
	    l->answer.location[0] == '\0' ||
	    curl_url_set(url, CURLUPART_URL, l->answer.location, CURLU_NON_SUPPORT_SCHEME) !=
	    CURLUE_OK || curl_url_get(url, CURLUPART_URL, &to, 0) != CURLUE_OK)
		code = art_fail(err, ART_E_NET, "'%s': the server redirects to no usable address",
				h->shown);
	else
		code = check_redirect(h, http_asked(l), to, err);
	if (code == 0) {
		copy = strdup(to);
		code = copy ? 0 : art_fail_memory(err);
	}
	if (code == 0) {
		free(h->current);
		h->current = copy;
	}
	curl_free(to);
	curl_url_cleanup(url);
	return code;
}
