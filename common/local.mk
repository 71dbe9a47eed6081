# SPDX-License-Identifier: Apache-2.0
# libcommon.a: the manner that all programs share (messages, errors, progress). Link it as $(LIBCOMMON), which brings
# libartifact along.
noinst_LIBRARIES += libcommon.a
libcommon_a_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(ZSTD_CFLAGS) $(JANSSON_CFLAGS)
libcommon_a_SOURCES =
libcommon_a_SOURCES += %D%/cli.c %D%/cli.h
libcommon_a_SOURCES += %D%/progress.c %D%/progress.h
libcommon_a_SOURCES += %D%/text.c %D%/text.h
LIBCOMMON = libcommon.a $(LIBARTIFACT)
