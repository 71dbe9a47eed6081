// SPDX-License-Identifier: Apache-2.0
/* Passphrases and PINs. They live in one fixed buffer, so that there is one place to wipe. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "libartifact/io.h"
#include "libartifact/util.h"
#include "mkartifact/secret.h"

#define KEY_INTERRUPT 3
#define KEY_END 4
#define KEY_BACKSPACE 8
#define KEY_KILL 21
#define KEY_DELETE 127

static int check(const struct mk_secret *s, const char *where, struct art_err *err)
{
	if (s->len == 0)
		return art_fail(err, ART_E_USAGE, "the passphrase or PIN from %s is empty", where);
	if (strlen(s->text) != s->len)
		return art_fail(err, ART_E_USAGE, "the passphrase or PIN from %s has a NUL byte in it", where);
	return 0;
}

static int read_file(struct mk_secret *s, const char *file, struct art_err *err)
{
	cleanup_close int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot open the passphrase file '%s'", file);
	n = art_read_full(fd, s->text, sizeof(s->text), file, err);
	if (n < 0)
		return (int)n;
	if ((size_t)n > MK_SECRET_MAX)
		return art_fail(err, ART_E_USAGE, "the passphrase in '%s' is longer than %d bytes", file,
				MK_SECRET_MAX);
	s->len = (size_t)n;
	if (s->len > 0 && s->text[s->len - 1] == '\n')
		s->len--;
	if (s->len > 0 && s->text[s->len - 1] == '\r')
		s->len--;
	OPENSSL_cleanse(s->text + s->len, sizeof(s->text) - s->len);
	return check(s, "the file", err);
}

/* Keys one by one, because the terminal neither echoes nor edits nor sends signals meanwhile: so that no
 * interruption can leave it mute. */
static int read_keys(struct mk_secret *s, struct art_err *err)
{
	char c;
	ssize_t n;

	for (;;) {
		n = read(STDIN_FILENO, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return art_fail_errno(err, ART_E_IO, "cannot read the terminal");
		if (n == 0 || c == '\n' || c == '\r' || c == KEY_END)
			return 0;
		if (c == KEY_INTERRUPT)
			return art_fail(err, ART_E_FAILED, "interrupted");
		if (c == KEY_KILL) {
			mk_secret_wipe(s);
		} else if (c == KEY_BACKSPACE || c == KEY_DELETE) {
			if (s->len > 0)
				s->text[--s->len] = '\0';
		} else if (s->len == MK_SECRET_MAX) {
			return art_fail(err, ART_E_USAGE, "a passphrase has at most %d bytes",
					MK_SECRET_MAX);
		} else {
			s->text[s->len++] = c;
		}
	}
}

static int ask(struct mk_secret *s, const char *prompt, struct art_err *err)
{
	struct termios old, mute;
	int code;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &old) < 0)
		return art_fail(err, ART_E_USAGE,
				"%s is needed: there is no --passphrase-file and no terminal to ask on",
				prompt);
	mute = old;
	mute.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG);
	mute.c_cc[VMIN] = 1;
	mute.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &mute) < 0)
		return art_fail_errno(err, ART_E_IO, "cannot switch off the terminal's echo");
	fprintf(stderr, "%s: ", prompt);
	fflush(stderr);
	code = read_keys(s, err);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &old);
	fputc('\n', stderr);
	return code ? code : check(s, "the terminal", err);
}

int mk_secret_read(struct mk_secret *secret, const char *file, const char *prompt,
		   struct art_err *err)
{
	int code;

	memset(secret, 0, sizeof(*secret));
	code = file ? read_file(secret, file, err) : ask(secret, prompt, err);
	if (code)
		mk_secret_wipe(secret);
	return code;
}

int mk_secret_read_new(struct mk_secret *secret, const char *file, const char *prompt,
		       struct art_err *err)
{
	struct mk_secret again;
	char text[128];
	int code = mk_secret_read(secret, file, prompt, err);

	if (code || file)
		return code;
	snprintf(text, sizeof(text), "%s, again", prompt);
	code = mk_secret_read(&again, NULL, text, err);
	if (!code && (again.len != secret->len ||
		      CRYPTO_memcmp(again.text, secret->text, again.len) != 0))
		code = art_fail(err, ART_E_USAGE, "the two passphrases are not the same");
	mk_secret_wipe(&again);
	if (code)
		mk_secret_wipe(secret);
	return code;
}

void mk_secret_wipe(struct mk_secret *secret)
{
	OPENSSL_cleanse(secret, sizeof(*secret));
}
