// SPDX-License-Identifier: Apache-2.0
/* Stand-ins for what libartifact/http calls (see refuse.h). */
#include <stdlib.h>
#include <sys/random.h>

/* Its macros check types where the real names are called; here they are defined. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#undef curl_easy_setopt

#include "tests/fault/refuse_wrap.h"

CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
	CURLcode code = CURLE_UNKNOWN_OPTION;
	va_list ap;

	if (refuse_due(REFUSE_CURL, "curl_easy_setopt"))
		return code;
	va_start(ap, option);
	if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB)
		code = __real_curl_easy_setopt(easy, option, va_arg(ap, curl_off_t));
	else if (option < CURLOPTTYPE_OBJECTPOINT)
		code = __real_curl_easy_setopt(easy, option, va_arg(ap, long));
	else
		code = __real_curl_easy_setopt(easy, option, va_arg(ap, void *));
	va_end(ap);
	return code;
}

WRAP(CURL, CURLcode, curl_global_init, (long flags), (flags), CURLE_FAILED_INIT)
WRAP(CURL, CURL *, curl_easy_init, (void), (), NULL)
WRAP(CURL, CURLM *, curl_multi_init, (void), (), NULL)
WRAP(CURL, CURLMcode, curl_multi_add_handle, (CURLM *multi, CURL *easy), (multi, easy), CURLM_OUT_OF_MEMORY)
WRAP(CURL, CURLMcode, curl_multi_perform, (CURLM *multi, int *running), (multi, running), CURLM_OUT_OF_MEMORY)
WRAP(CURL, CURLMcode, curl_multi_poll,
     (CURLM *multi, struct curl_waitfd *more, unsigned int count, int timeout, int *ready),
     (multi, more, count, timeout, ready), CURLM_OUT_OF_MEMORY)
WRAP(CURL, struct curl_slist *, curl_slist_append, (struct curl_slist *list, const char *line), (list, line),
     NULL)
WRAP(CURL, CURLU *, curl_url, (void), (), NULL)
WRAP(CURL, CURLUcode, curl_url_set, (CURLU *url, CURLUPart part, const char *text, unsigned int flags),
     (url, part, text, flags), CURLUE_OUT_OF_MEMORY)
WRAP(CURL, CURLUcode, curl_url_get, (const CURLU *url, CURLUPart part, char **text, unsigned int flags),
     (url, part, text, flags), CURLUE_OUT_OF_MEMORY)
WRAP(SYSTEM, ssize_t, getrandom, (void *bytes, size_t len, unsigned int flags), (bytes, len, flags), -1)
