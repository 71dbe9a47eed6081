/* SPDX-License-Identifier: Apache-2.0 */
/* URLs as text. */
#ifndef ART_URL_H
#define ART_URL_H

#include <stdbool.h>

/* "http://" or "https://" in front, any case. */
bool art_is_url(const char *text);

/* URL without user, password, query and fragment, for messages. The caller frees; NULL: out of memory. */
char *art_url_show(const char *url);

#endif
