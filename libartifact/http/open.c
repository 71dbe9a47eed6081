// SPDX-License-Identifier: Apache-2.0
/* The life of a source over http(s): its options, its keys, its first request, its end. */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "libartifact/http/request.h"
#include "libartifact/io.h"
#include "libartifact/url.h"
#include "libartifact/util.h"

#define FIRST_WINDOW (128 * ART_KIB)
#define KEY_FILE_MAX ((size_t)256 * 1024)
#define CA_FILE_MAX ((size_t)4 * 1024 * 1024)

static void wipe_free(uint8_t *bytes, size_t len)
{
	if (bytes)
		explicit_bzero(bytes, len);
	free(bytes);
}

static void wipe_text(char *text)
{
	wipe_free((uint8_t *)text, text ? strlen(text) : 0);
}

static void http_free(struct art_source *src)
{
	struct http *h = (struct http *)src;

	http_request_free(h);
	wipe_free(h->key, h->key_len);
	free(h->cert);
	free(h->ca);
	/* They may have a password in them. */
	wipe_text(h->url);
	wipe_text(h->current);
	wipe_text(h->from);
	free(h->shown);
	free((char *)h->opt.user_agent);
	free((char *)h->opt.proxy);
	free(h);
}

static const struct art_source_ops http_ops = {
	.read_at = http_read_at,
	.want = http_want,
	.free = http_free,
};

static const char *dup_or_null(const char *text, bool *ok)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		*ok = false;
	return copy;
}

static int copy_options(struct http *h, const char *url, const struct art_http_options *opt,
			struct art_err *err)
{
	bool ok = true;

	h->opt = *opt;
	h->opt.user_agent = dup_or_null(opt->user_agent ? opt->user_agent :
					"twinroot/" PACKAGE_VERSION, &ok);
	h->opt.proxy = dup_or_null(opt->proxy, &ok);
	if (!opt->connect_timeout)
		h->opt.connect_timeout = 30;
	if (!opt->stall_timeout)
		h->opt.stall_timeout = 60;
	if (!opt->retries)
		h->opt.retries = 8;
	if (!opt->backoff_ms)
		h->opt.backoff_ms = 500;
	if (!h->opt.first)
		h->opt.first = FIRST_WINDOW;
	h->url = strdup(url);
	h->current = strdup(url);
	h->shown = art_url_show(url);
	if (!ok || !h->url || !h->current || !h->shown)
		return art_fail_memory(err);
	h->base.name = h->shown;
	return 0;
}

static int load_keys(struct http *h, const struct art_http_options *opt, struct art_err *err)
{
	int code = 0;

	if (opt->client_cert)
		code = art_read_file(opt->client_cert, KEY_FILE_MAX, &h->cert, &h->cert_len, err);
	if (code == 0 && opt->client_key)
		code = art_read_file(opt->client_key, KEY_FILE_MAX, &h->key, &h->key_len, err);
	if (code == 0 && opt->ca_file)
		code = art_read_file(opt->ca_file, CA_FILE_MAX, &h->ca, &h->ca_len, err);
	h->opt.ca_file = NULL;
	h->opt.client_cert = NULL;
	h->opt.client_key = NULL;
	return code;
}

int art_http_prepare(struct art_source **out, const char *url,
		     const struct art_http_options *opt, struct art_err *err)
{
	static const struct art_http_options defaults;
	struct http *h;
	int code;

	if (!opt)
		opt = &defaults;
	if (!art_is_url(url))
		return art_fail(err, ART_E_USAGE, "'%s' is not an http or https URL", url);
	h = calloc(1, sizeof(*h));
	if (!h)
		return art_fail_memory(err);
	h->base.ops = &http_ops;
	h->base.size = HTTP_UNKNOWN;
	code = copy_options(h, url, opt, err);
	if (code == 0)
		code = load_keys(h, opt, err);
	if (code == 0)
		code = http_request_setup(h, err);
	if (code < 0) {
		http_free(&h->base);
		return code;
	}
	*out = &h->base;
	return 0;
}

int art_http_open(struct art_source **out, const char *url, const struct art_http_options *opt,
		  struct art_err *err)
{
	struct art_source *src = NULL;
	int code = art_http_prepare(&src, url, opt, err);

	if (code < 0)
		return code;
	code = art_http_start(src, err);
	if (code < 0) {
		art_source_free(src);
		return code;
	}
	*out = src;
	return 0;
}

void art_http_stats(const struct art_source *src, uint64_t *received, uint64_t *requests)
{
	const struct http *h = (const struct http *)src;

	*received = h->received;
	*requests = h->requests;
}
