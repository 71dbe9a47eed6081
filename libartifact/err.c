// SPDX-License-Identifier: Apache-2.0
/* Error records and the table of codes. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libartifact/err.h"

static const struct {
	const char *name;
	int status;
} table[] = {
#define X(id, name, status) { name, status },
	ART_ERRORS(X)
#undef X
};

static void set_text(struct art_err *err, const char *fmt, va_list ap)
{
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

int art_fail(struct art_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	err->sys_errno = 0;
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	return code;
}

int art_fail_errno(struct art_err *err, int code, const char *fmt, ...)
{
	int saved = errno;
	size_t used;
	va_list ap;

	if (saved == ENOSPC || saved == EDQUOT)
		code = ART_E_SPACE;
	else if (saved == ENOMEM)
		code = ART_E_NO_MEMORY;
	if (!err)
		return code;
	err->code = code;
	err->sys_errno = saved;
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(saved));
	errno = saved;
	return code;
}

int art_wrap(struct art_err *err, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	size_t used;
	va_list ap;

	if (!err)
		return ART_E_FAILED;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", old);
	return err->code;
}

int art_fail_memory(struct art_err *err)
{
	return art_fail(err, ART_E_NO_MEMORY, "out of memory");
}

const char *art_code_name(int code)
{
	if (code == 0)
		return "ok";
	if (code < 0 && -1 - code < ART_I_COUNT)
		return table[-1 - code].name;
	return table[ART_I_FAILED].name;
}

int art_code_exit(int code)
{
	if (code == 0)
		return 0;
	if (code < 0 && -1 - code < ART_I_COUNT)
		return table[-1 - code].status;
	return table[ART_I_FAILED].status;
}
