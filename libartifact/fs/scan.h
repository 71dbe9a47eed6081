/* SPDX-License-Identifier: Apache-2.0 */
/* What a rootfs says about itself: architecture, os-release, installed packages; and the SBOM made from them. */
#ifndef ART_SCAN_H
#define ART_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "libartifact/fs/fs.h"

struct art_package {
	char *name;
	char *version;
	char *arch;
	char *source;         /* source package, or NULL */
	char *source_version; /* or NULL */
};

struct art_packages {
	const char *manager; /* "dpkg", "opkg", "apk", or NULL: none found */
	size_t count;
	struct art_package *list; /* sorted by name, arch, version */
	char *distro;             /* ID of os-release ("debian"), or NULL */
};

/* The architecture of most ELF files under the usual program and library directories (format.md 12.3): a constant
 * string; "any" when there is none. Two architectures in one image: the one of /sbin/init or /bin/sh decides. */
int art_scan_arch(struct art_fs *fs, const char **arch, struct art_err *err);

/* Value of KEY in /etc/os-release or /usr/lib/os-release, unquoted; *OUT is NULL when absent. The caller frees. */
int art_scan_os_release(struct art_fs *fs, const char *key, char **out, struct art_err *err);

/* dpkg (and its status.d), opkg, apk; a rootfs without a list is no fault. */
int art_scan_packages(struct art_fs *fs, struct art_packages *out, struct art_err *err);
void art_packages_free(struct art_packages *p);

/* Append a copy of PACKAGE; sort when all are there. */
int art_packages_add(struct art_packages *p, const struct art_package *package,
		     struct art_err *err);
void art_packages_sort(struct art_packages *p);

/* The packages as an SPDX 2.3 JSON document; reproducible (TIME is `created`). */
int art_sbom_spdx(const struct art_packages *p, const char *name, const char *version,
		  const char *created, uint8_t **out, size_t *len, struct art_err *err);

/* Read such a document back (also CycloneDX made by others, as far as name/version/purl go). */
int art_sbom_parse(const uint8_t *bytes, size_t len, struct art_packages *out,
		   struct art_err *err);

#endif
