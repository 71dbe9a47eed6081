// SPDX-License-Identifier: Apache-2.0
/* Architecture and os-release of a rootfs. */
#include <stdlib.h>
#include <string.h>

#include "libartifact/fs/scan.h"
#include "libartifact/util.h"

#define MAX_OS_RELEASE ((size_t)64 * 1024)

/* format.md 12.3. */
static const char *const arch_names[] = {
	"x86_64", "i386", "aarch64", "armhf", "armel", "riscv64", "riscv32", "ppc64le",
	"ppc64", "mips", "mipsel", "mips64", "mips64el", "s390x", "loongarch64",
};

struct elf {
	bool is64, little;
	uint16_t machine;
	uint32_t flags;
};

static uint16_t elf16(const uint8_t *p, bool little)
{
	return little ? art_get16(p) : (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t elf32(const uint8_t *p, bool little)
{
	return little ? art_get32(p) : (uint32_t)elf16(p, false) << 16 | elf16(p + 2, false);
}

static bool elf_parse(struct elf *elf, const uint8_t *b, size_t len)
{
	uint16_t type;

	if (len < 52 || memcmp(b, "\177ELF", 4) != 0 || b[4] < 1 || b[4] > 2 || b[5] < 1 || b[5] > 2)
		return false;
	elf->is64 = b[4] == 2;
	elf->little = b[5] == 1;
	type = elf16(b + 16, elf->little);
	elf->machine = elf16(b + 18, elf->little);
	elf->flags = elf32(b + (elf->is64 ? 48 : 36), elf->little);
	return type == 2 || type == 3; /* programs and shared libraries */
}

static const char *mips_name(const struct elf *elf)
{
	if (elf->is64)
		return elf->little ? "mips64el" : "mips64";
	return elf->little ? "mipsel" : "mips";
}

static const char *elf_arch(const struct elf *elf)
{
	switch (elf->machine) {
	case 62:
		return elf->is64 ? "x86_64" : NULL; /* x32 has no name */
	case 3:
		return "i386";
	case 183:
		return elf->is64 && elf->little ? "aarch64" : NULL;
	case 40:
		return elf->flags & 0x400 ? "armhf" : "armel";
	case 243:
		return elf->is64 ? "riscv64" : "riscv32";
	case 21:
		return elf->little ? "ppc64le" : "ppc64";
	case 8:
		return mips_name(elf);
	case 22:
		return elf->is64 ? "s390x" : NULL;
	case 258:
		return elf->is64 ? "loongarch64" : NULL;
	default:
		return NULL;
	}
}

/* Ends the reading after the first piece, which holds the header. */
static int on_head(void *ctx, const void *bytes, size_t len, struct art_err *err)
{
	const char **arch = ctx;
	struct elf elf;

	(void)err;
	if (elf_parse(&elf, bytes, len))
		*arch = elf_arch(&elf);
	return 1;
}

static int file_arch(struct art_fs *fs, const char *path, const char **arch, struct art_err *err)
{
	int ret;

	*arch = NULL;
	ret = art_fs_read(fs, path, on_head, arch, err);
	return ret < 0 ? ret : 0;
}

struct votes {
	struct art_fs *fs;
	unsigned int count[ART_ARRAY_SIZE(arch_names)];
};

/* Worth opening: libraries have ".so" in their names, and programs an execute bit. */
static int on_file(void *ctx, const struct art_fs_entry *e, struct art_err *err)
{
	struct votes *votes = ctx;
	const char *arch = NULL;
	size_t i;
	int ret;

	if (!S_ISREG(e->mode) || e->size < 52)
		return 0;
	if (!(e->mode & 0111) && !strstr(e->path, ".so"))
		return 0;
	ret = art_fs_read_node(votes->fs, e->node, on_head, &arch, err);
	for (i = 0; ret >= 0 && arch && i < ART_ARRAY_SIZE(arch_names); i++)
		if (strcmp(arch, arch_names[i]) == 0)
			votes->count[i]++;
	return ret < 0 ? ret : 0;
}

static int count_votes(struct votes *votes, struct art_err *err)
{
	/* A link here (merged /usr) is not followed: its target is in the list too. */
	static const char *const dirs[] = {
		"/bin",     "/sbin",     "/lib",         "/lib32",     "/lib64",
		"/usr/bin", "/usr/sbin", "/usr/libexec", "/usr/lib",   "/usr/lib32",
		"/usr/lib64", "/usr/local/bin", "/usr/local/lib",
	};
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(dirs); i++) {
		int ret = art_fs_walk(votes->fs, dirs[i], -1, on_file, votes, err);

		if (ret != 0 && !art_fs_is_absent(ret, err))
			return ret;
	}
	return 0;
}

int art_scan_arch(struct art_fs *fs, const char **arch, struct art_err *err)
{
	static const char *const judges[] = { "/sbin/init", "/usr/sbin/init", "/bin/sh",
					      "/usr/bin/sh" };
	struct votes votes = { .fs = fs };
	size_t i, best = 0, kinds = 0;
	struct art_err own;
	int ret;

	if (!err)
		err = &own;
	ret = count_votes(&votes, err);
	if (ret != 0)
		return ret;
	for (i = 0; i < ART_ARRAY_SIZE(arch_names); i++) {
		kinds += votes.count[i] > 0;
		if (votes.count[i] > votes.count[best])
			best = i;
	}
	for (i = 0; kinds > 1 && i < ART_ARRAY_SIZE(judges); i++) {
		ret = file_arch(fs, judges[i], arch, err);
		if (ret != 0 && !art_fs_is_absent(ret, err))
			return ret;
		if (ret == 0 && *arch)
			return 0;
	}
	*arch = kinds ? arch_names[best] : "any";
	return 0;
}

/* The shell quoting that os-release(5) allows, within one line. */
static char *unquote(const char *text, size_t len)
{
	char *out = malloc(len + 1), *p = out, quote = 0;
	size_t i;

	for (i = 0; out && i < len; i++) {
		char c = text[i];

		if (quote ? c == quote : (c == '"' || c == '\'')) {
			quote = quote ? 0 : c;
			continue;
		}
		if (c == '\\' && quote != '\'' && i + 1 < len)
			c = text[++i];
		*p++ = c;
	}
	if (out)
		*p = '\0';
	return out;
}

int art_scan_os_release(struct art_fs *fs, const char *key, char **out, struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	const char *line;
	size_t len, key_len = strlen(key);
	struct art_err own;
	int ret;

	if (!err)
		err = &own;
	*out = NULL;
	ret = art_fs_read_file(fs, "/etc/os-release", MAX_OS_RELEASE, &bytes, &len, err);
	if (art_fs_is_absent(ret, err))
		ret = art_fs_read_file(fs, "/usr/lib/os-release", MAX_OS_RELEASE, &bytes, &len, err);
	if (ret != 0)
		return art_fs_is_absent(ret, err) ? 0 : ret;
	for (line = (const char *)bytes; *line; line += len + (line[len] == '\n')) {
		len = strcspn(line, "\n");
		if (strncmp(line, key, key_len) != 0 || line[key_len] != '=')
			continue;
		free(*out); /* as in a shell, the last one counts */
		*out = unquote(line + key_len + 1,
			       strcspn(line + key_len + 1, "\r\n"));
		if (!*out)
			return art_fail_memory(err);
	}
	return 0;
}
