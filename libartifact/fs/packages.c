// SPDX-License-Identifier: Apache-2.0
/* The package lists that dpkg, opkg and apk keep in a rootfs. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/fs/scan.h"
#include "libartifact/util.h"

#define MAX_LIST ((size_t)64 * 1024 * 1024)
#define MAX_FIELD 512

static void package_free(struct art_package *p)
{
	free(p->name);
	free(p->version);
	free(p->arch);
	free(p->source);
	free(p->source_version);
}

void art_packages_free(struct art_packages *p)
{
	while (p->count > 0)
		package_free(&p->list[--p->count]);
	free(p->list);
	free(p->distro);
	*p = (struct art_packages){ 0 };
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

int art_packages_add(struct art_packages *p, const struct art_package *package,
		     struct art_err *err)
{
	struct art_package new;

	if (p->count % 64 == 0) {
		struct art_package *list = reallocarray(p->list, p->count + 64, sizeof(*list));

		if (!list)
			return art_fail_memory(err);
		p->list = list;
	}
	new.name = copy(package->name);
	new.version = copy(package->version);
	new.arch = copy(package->arch);
	new.source = copy(package->source);
	new.source_version = copy(package->source_version);
	if (!new.name || !new.version || !new.arch || (package->source && !new.source) ||
	    (package->source_version && !new.source_version)) {
		package_free(&new);
		return art_fail_memory(err);
	}
	p->list[p->count++] = new;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct art_package *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order == 0)
		order = strcmp(x->arch, y->arch);
	return order ? order : strcmp(x->version, y->version);
}

void art_packages_sort(struct art_packages *p)
{
	if (p->count > 0)
		qsort(p->list, p->count, sizeof(*p->list), compare);
}

/* A record being read. */
struct record {
	char name[MAX_FIELD], version[MAX_FIELD], arch[MAX_FIELD], source[MAX_FIELD];
	bool installed;
};

struct syntax {
	const char *manager;
	const char *name, *version, *arch, *source; /* what a line starts with */
	const char *status;                         /* NULL: everything listed is installed */
};

static const struct syntax deb_status = { "dpkg", "Package:", "Version:", "Architecture:",
					  "Source:", "Status:" };
static const struct syntax deb_status_d = { "dpkg", "Package:", "Version:", "Architecture:",
					    "Source:", NULL };
static const struct syntax opkg_status = { "opkg", "Package:", "Version:", "Architecture:",
					   "Source:", "Status:" };
static const struct syntax apk_installed = { "apk", "P:", "V:", "A:", "o:", NULL };

static bool is_word(const char *text)
{
	for (; *text; text++)
		if (!isgraph((unsigned char)*text))
			return false;
	return true;
}

static int add_record(struct art_packages *p, struct record *r, struct art_err *err)
{
	struct art_package package = { .name = r->name, .version = r->version, .arch = r->arch };
	char *open = strchr(r->source, '(');

	if (r->name[0] == '\0' || !r->installed)
		return 0;
	if (!is_word(r->name) || !is_word(r->version) || !is_word(r->arch))
		return art_fail(err, ART_E_FAILED, "bad package name or version: '%.100s'", r->name);
	/* "Source: glibc (2.36-9)": the version only where it differs. Other uses (opkg: a URL) are left. */
	if (open && open > r->source && open[-1] == ' ') {
		open[-1] = '\0';
		package.source_version = open + 1;
		open[strcspn(open, ")")] = '\0';
	}
	if (r->source[0] != '\0' && is_word(r->source) && !strchr(r->source, '/'))
		package.source = r->source;
	if (!package.source || !is_word(package.source_version ? package.source_version : ""))
		package.source_version = NULL;
	return art_packages_add(p, &package, err);
}

static bool take(const char *line, size_t len, const char *key, char out[MAX_FIELD])
{
	size_t skip = key ? strlen(key) : 0;

	if (!key || len < skip || strncmp(line, key, skip) != 0)
		return false;
	while (skip < len && line[skip] == ' ')
		skip++;
	while (len > skip && isspace((unsigned char)line[len - 1]))
		len--;
	if (len - skip < MAX_FIELD) {
		memcpy(out, line + skip, len - skip);
		out[len - skip] = '\0';
	}
	return true;
}

static void read_line(struct record *r, const struct syntax *syntax, const char *line, size_t len)
{
	char status[MAX_FIELD] = "";

	if (take(line, len, syntax->name, r->name) || take(line, len, syntax->version, r->version) ||
	    take(line, len, syntax->arch, r->arch) || take(line, len, syntax->source, r->source))
		return;
	if (take(line, len, syntax->status, status)) {
		const char *last = strrchr(status, ' ');

		/* Whatever has files in the image: those that are unpacked are configured at the first boot. */
		r->installed = last && strcmp(last, " not-installed") != 0 &&
			       strcmp(last, " config-files") != 0 && strcmp(last, " half-installed") != 0;
	}
}

static int parse(struct art_packages *p, const struct syntax *syntax, const char *text,
		 struct art_err *err)
{
	struct record r = { .installed = !syntax->status };
	int ret = 0;

	p->manager = syntax->manager;
	while (ret == 0 && *text) {
		size_t len = strcspn(text, "\n");

		if (len == 0) {
			ret = add_record(p, &r, err);
			r = (struct record){ .installed = !syntax->status };
		} else {
			read_line(&r, syntax, text, len);
		}
		text += len + (text[len] == '\n');
	}
	return ret ? ret : add_record(p, &r, err);
}

/* A list that is not there is no fault; one that cannot be read is. */
static int parse_file(struct art_fs *fs, struct art_packages *p, const struct syntax *syntax,
		      const char *path, struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t len;
	int ret;

	ret = art_fs_read_file(fs, path, MAX_LIST, &bytes, &len, err);
	if (ret == 0) {
		ret = parse(p, syntax, (const char *)bytes, err);
		if (ret != 0)
			art_wrap(err, "'%s'", path);
		return ret;
	}
	return art_fs_is_absent(ret, err) ? 0 : art_wrap(err, "'%s'", path);
}

struct status_d {
	struct art_fs *fs;
	struct art_packages *p;
	bool found;
};

static int on_status_d(void *ctx, const struct art_fs_entry *e, struct art_err *err)
{
	struct status_d *s = ctx;
	size_t len = strlen(e->path);

	s->found = true;
	if (!S_ISREG(e->mode) || (len > 8 && strcmp(e->path + len - 8, ".md5sums") == 0))
		return 0;
	return parse_file(s->fs, s->p, &deb_status_d, e->path, err);
}

/* Container images without dpkg have one file for each package. */
static int parse_status_d(struct art_fs *fs, struct art_packages *p, struct art_err *err)
{
	struct status_d s = { fs, p, false };
	struct art_err ignored = { 0 };
	int ret;

	ret = art_fs_walk(fs, "/var/lib/dpkg/status.d/", 1, on_status_d, &s, &ignored);
	if (ret != 0 && (!art_fs_is_absent(ret, &ignored) || s.found)) {
		if (err)
			*err = ignored;
		return ret;
	}
	return 0;
}

static int find_lists(struct art_fs *fs, struct art_packages *p, struct art_err *err)
{
	static const struct {
		const struct syntax *syntax;
		const char *path;
	} lists[] = {
		{ &deb_status, "/var/lib/dpkg/status" },
		{ &opkg_status, "/usr/lib/opkg/status" },
		{ &opkg_status, "/var/lib/opkg/status" },
		{ &apk_installed, "/lib/apk/db/installed" },
		{ &apk_installed, "/usr/lib/apk/db/installed" },
	};
	int ret = 0;
	size_t i;

	for (i = 0; ret == 0 && !p->manager && i < ART_ARRAY_SIZE(lists); i++) {
		ret = parse_file(fs, p, lists[i].syntax, lists[i].path, err);
		if (i == 0 && ret == 0 && p->count == 0)
			ret = parse_status_d(fs, p, err);
	}
	return ret;
}

int art_scan_packages(struct art_fs *fs, struct art_packages *out, struct art_err *err)
{
	struct art_err own;
	int ret;

	if (!err)
		err = &own;
	*out = (struct art_packages){ 0 };
	ret = find_lists(fs, out, err);
	if (ret == 0)
		ret = art_scan_os_release(fs, "ID", &out->distro, err);
	if (ret != 0) {
		art_packages_free(out);
		return ret;
	}
	art_packages_sort(out);
	return 0;
}
