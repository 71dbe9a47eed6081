/* SPDX-License-Identifier: Apache-2.0 */
/* How a stand-in for a wrapped function is written (see refuse.h). */
#ifndef REFUSE_WRAP_H
#define REFUSE_WRAP_H

#include <stdarg.h>
#include <sys/types.h>

#include "tests/fault/refuse.h"

#define WRAP(kind, type, name, params, args, bad)				\
	type __real_##name params;						\
	type __wrap_##name params;						\
	type __wrap_##name params						\
	{									\
		if (refuse_due(REFUSE_##kind, #name))				\
			return bad;						\
		return __real_##name args;					\
	}

/* A call that moves LEN bytes. */
#define WRAP_COUNT(name, params, args)						\
	ssize_t __real_##name params;						\
	ssize_t __wrap_##name params;						\
	ssize_t __wrap_##name params						\
	{									\
		if (refuse_due(REFUSE_SYSTEM, #name)) {				\
			if (!refuse_now()->half)				\
				return refuse_now()->nothing ? 0 : -1;		\
			len = (len + 1) / 2;					\
		}								\
		return __real_##name args;					\
	}

/* At most one argument more, no wider than a pointer. */
#define WRAP_VARIADIC(name, type, first, second)				\
	int __real_##name(type first, __typeof__(second) which, ...);		\
	int __wrap_##name(type first, __typeof__(second) which, ...);		\
	int __wrap_##name(type first, __typeof__(second) which, ...)		\
	{									\
		void *more;							\
		va_list ap;							\
		va_start(ap, which);						\
		more = va_arg(ap, void *);					\
		va_end(ap);							\
		if (refuse_due(REFUSE_SYSTEM, #name))				\
			return -1;						\
		return __real_##name(first, which, more);			\
	}

#endif
