// SPDX-License-Identifier: Apache-2.0
/* What all boot backends share: choosing one, the words of their store, and reading back every act. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdlib.h>
#include <string.h>

#include "installer/boot.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

#define CMDLINE_MAX (64 * 1024)

static const struct boot_ops *const backends[] = {
	&boot_script,
	&boot_tryboot,
	&boot_grub,
#ifdef WITH_UBOOT
	&boot_uboot,
#endif
#ifdef WITH_EFI
	&boot_efi,
	&boot_systemd_boot,
#endif
};

void boot_close(struct boot *b)
{
	if (b->ops)
		b->ops->close(b);
	memset(b, 0, sizeof(*b));
}

int boot_open(struct boot *b, const struct config *config, struct art_err *err)
{
	size_t i;

	memset(b, 0, sizeof(*b));
	b->lock = -1;
	for (i = 0; i < ART_ARRAY_SIZE(backends); i++) {
		if (strcmp(backends[i]->name, config->boot_backend) != 0)
			continue;
		b->config = config;
		b->ops = backends[i];
		if (b->ops->open(b, config, err) == 0)
			return 0;
		/* So that nobody acts through a backend that did not open. */
		boot_close(b);
		return art_wrap(err, "boot backend '%s'", backends[i]->name);
	}
	return art_fail(err, ART_E_USAGE, "there is no boot backend '%s' in this build",
			config->boot_backend);
}

void boot_state_init(struct boot_state *s)
{
	memset(s, 0, sizeof(*s));
	s->standard = s->trial = s->booted = BOOT_NONE;
}

/* "a", "b"; EMPTY is the word for none. */
static int parse_slot(const char *value, const char *empty, int *slot)
{
	if (strcmp(value, "a") == 0 || strcmp(value, "b") == 0)
		*slot = value[0] - 'a';
	else if (empty && (strcmp(value, empty) == 0 || value[0] == '\0'))
		*slot = BOOT_NONE;
	else
		return -1;
	return 0;
}

static int parse_count(const char *value, uint64_t *out)
{
	size_t len = strlen(value);

	if (len == 0 || len > 18 || strspn(value, ART_DIGIT) != len)
		return -1;
	*out = strtoull(value, NULL, 10);
	return 0;
}

static int parse_bad(const char *value, bool bad[2])
{
	if (value[0] != '\0' && strcmp(value, "none") != 0 && strcmp(value, "a") != 0 &&
	    strcmp(value, "b") != 0 && strcmp(value, "ab") != 0)
		return -1;
	bad[0] = strcmp(value, "none") != 0 && strchr(value, 'a') != NULL;
	bad[1] = strcmp(value, "none") != 0 && strchr(value, 'b') != NULL;
	return 0;
}

int boot_state_set(struct boot_state *s, const char *name, const char *value)
{
	uint64_t n = 0;

	if (strcmp(name, "default") == 0)
		return parse_slot(value, NULL, &s->standard);
	if (strcmp(name, "trial") == 0)
		return parse_slot(value, "none", &s->trial);
	if (strcmp(name, "booted") == 0)
		return parse_slot(value, "unknown", &s->booted);
	if (strcmp(name, "bad") == 0)
		return parse_bad(value, s->bad);
	if (strcmp(name, "transaction") == 0)
		return parse_count(value, &s->transaction);
	if (strcmp(name, "left") == 0) {
		if (parse_count(value, &n) < 0 || n > 255)
			return -1;
		s->left = (unsigned int)n;
		return 0;
	}
	if (strcmp(name, "arming") == 0) {
		s->one_shot = strcmp(value, "one-shot") == 0;
		return s->one_shot || strcmp(value, "durable") == 0 ? 0 : -1;
	}
	return -1;
}

void boot_state_arm(struct boot_state *s, int slot, unsigned int tries)
{
	s->trial = slot;
	s->left = tries;
	s->bad[slot] = false;
}

void boot_state_commit(struct boot_state *s, int slot, unsigned int unused)
{
	(void)unused;
	s->standard = slot;
	s->trial = BOOT_NONE;
	s->left = 0;
	s->bad[slot] = false;
}

void boot_state_bad(struct boot_state *s, int slot, unsigned int unused)
{
	(void)unused;
	if (s->trial == slot) {
		s->trial = BOOT_NONE;
		s->left = 0;
	}
	s->bad[slot] = true;
}

int boot_booted_from_text(const char *cmdline)
{
	static const char word[] = "twinroot.slot=";
	const char *p = cmdline;
	int slot = BOOT_NONE;

	while (*p) {
		size_t len = strcspn(p, " \t\n");

		if (len == strlen(word) + 1 && strncmp(p, word, strlen(word)) == 0) {
			int this = p[len - 1] - 'a';

			if (this < 0 || this > 1 || (slot != BOOT_NONE && slot != this))
				return BOOT_NONE;
			slot = this;
		}
		p += len + (p[len] != '\0');
	}
	return slot;
}

int boot_booted_from_cmdline(void)
{
	cleanup_free uint8_t *text = NULL;
	size_t len;

	if (art_read_file("/proc/cmdline", CMDLINE_MAX, &text, &len, NULL) < 0)
		return BOOT_NONE;
	return boot_booted_from_text((char *)text);
}

int boot_get(struct boot *b, struct boot_state *s, struct art_err *err)
{
	boot_state_init(s);
	if (b->ops->get(b, s, err) < 0)
		return art_wrap(err, "boot backend '%s'", b->ops->name);
	if (s->standard == BOOT_NONE)
		return art_fail(err, ART_E_FAILED,
				"boot backend '%s': the store does not say which slot is the default",
				b->ops->name);
	return 0;
}

static int confirm(struct boot *b, int slot, const char *act, bool holds, struct art_err *err)
{
	if (holds)
		return 0;
	return art_fail(err, ART_E_IO,
			"boot backend '%s': after '%s' of slot %c the store does not say so",
			b->ops->name, act, 'a' + slot);
}

static int acted(struct boot *b, const char *act, int code, struct boot_state *s,
		 struct art_err *err)
{
	if (code < 0)
		return art_wrap(err, "boot backend '%s': %s", b->ops->name, act);
	return boot_get(b, s, err);
}

int boot_arm(struct boot *b, int slot, unsigned int tries, uint64_t transaction,
	     struct art_err *err)
{
	struct boot_state s;
	int code = acted(b, "arm", b->ops->arm(b, slot, tries, transaction, err), &s, err);

	return code < 0 ? code :
			  confirm(b, slot, "arm",
				  s.trial == slot && s.left == (s.one_shot ? 1 : tries) &&
					  !s.bad[slot] && s.transaction == transaction,
				  err);
}

int boot_commit(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	struct boot_state s;
	int code = acted(b, "commit", b->ops->commit(b, slot, transaction, err), &s, err);

	return code < 0 ? code :
			  confirm(b, slot, "commit",
				  s.standard == slot && s.trial == BOOT_NONE && !s.bad[slot] &&
					  s.transaction == transaction,
				  err);
}

int boot_bad(struct boot *b, int slot, uint64_t transaction, struct art_err *err)
{
	struct boot_state s;
	int code = acted(b, "bad", b->ops->bad(b, slot, transaction, err), &s, err);

	return code < 0 ? code :
			  confirm(b, slot, "bad",
				  s.bad[slot] && s.trial != slot && s.transaction == transaction,
				  err);
}

int boot_noop(struct boot *b, struct art_err *err)
{
	struct boot_state before, after;
	int code = boot_get(b, &before, err);

	if (code == 0)
		code = acted(b, "noop", b->ops->noop(b, err), &after, err);
	if (code < 0)
		return code;
	return confirm(b, before.standard, "noop",
		       before.standard == after.standard && before.trial == after.trial &&
			       before.left == after.left && before.bad[0] == after.bad[0] &&
			       before.bad[1] == after.bad[1] &&
			       before.transaction == after.transaction,
		       err);
}

const char *boot_caution(struct boot *b)
{
	return b->ops->caution ? b->ops->caution(b) : NULL;
}
