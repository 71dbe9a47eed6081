/* SPDX-License-Identifier: Apache-2.0 */
/* One row of a package list, as a test wants it. */
#ifndef EXPECT_PACKAGE_H
#define EXPECT_PACKAGE_H

#include <check.h>

#include "libartifact/fs/scan.h"

static inline void expect(const struct art_packages *p, size_t i, const char *name,
			  const char *version, const char *architecture, const char *source,
			  const char *source_version)
{
	ck_assert_uint_lt(i, p->count);
	ck_assert_str_eq(p->list[i].name, name);
	ck_assert_str_eq(p->list[i].version, version);
	ck_assert_str_eq(p->list[i].arch, architecture);
	ck_assert_pstr_eq(p->list[i].source, source);
	ck_assert_pstr_eq(p->list[i].source_version, source_version);
}

#endif
