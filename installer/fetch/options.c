// SPDX-License-Identifier: Apache-2.0
/* What the network child is told when it begins. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "installer/fetch/options.h"

static void put(struct fetch_text *t, const char *key, const char *value)
{
	size_t room = sizeof(t->bytes) - t->len;
	int n;

	if (!value)
		return;
	n = snprintf(t->bytes + t->len, room, "%s=%s", key, value);
	if (n < 0 || (size_t)n >= room)
		t->full = true;
	else
		t->len += (size_t)n + 1;
}

static void put_number(struct fetch_text *t, const char *key, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	put(t, key, digits);
}

int fetch_options_write(struct fetch_text *t, const char *url, const struct fetch_options *opt,
			struct art_err *err)
{
	put(t, "url", url);
	put(t, "agent", opt->http.user_agent);
	put(t, "proxy", opt->http.proxy);
	put(t, "ca", opt->http.ca_file);
	put(t, "cert", opt->http.client_cert);
	put(t, "key", opt->http.client_key);
	put(t, "user", opt->user ? opt->user : "nobody");
	put_number(t, "rate", opt->http.rate);
	put_number(t, "connect", opt->http.connect_timeout);
	put_number(t, "stall", opt->http.stall_timeout);
	put_number(t, "retries", opt->http.retries);
	put_number(t, "first-retries", opt->http.first_retries);
	put_number(t, "longest-wait", opt->http.longest_wait);
	put_number(t, "backoff", opt->http.backoff_ms);
	put_number(t, "first", opt->http.first);
	put_number(t, "parts-only", opt->http.parts_only);
	put_number(t, "parent", (uint64_t)getpid());
	return t->full ? art_fail(err, ART_E_USAGE, "URL and options are too long") : 0;
}
