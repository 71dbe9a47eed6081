/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of the manifest's words (format.md section 3): names, times, and lists of known words. */
#ifndef ART_WORD_H
#define ART_WORD_H

#include <stdbool.h>

/* NAMES ends with NULL. */
bool art_word_is_one_of(const char *text, const char *const *names);
bool art_word_is_name(const char *text);         /* of artifacts and documents */
bool art_word_is_device_type(const char *text);
bool art_word_is_feature(const char *text);
bool art_word_is_attribute(const char *text);    /* a key of requires and provides */
bool art_word_is_payload_name(const char *text);
bool art_word_is_arch(const char *text);         /* section 12.3 */
bool art_word_is_kind(const char *text);
bool art_word_is_filesystem(const char *text);
bool art_word_is_advisory_id(const char *text);
bool art_word_is_date(const char *text);         /* YYYY-MM-DD, a day of the calendar */
bool art_word_is_time(const char *text);         /* YYYY-MM-DDThh:mm:ssZ */

#endif
