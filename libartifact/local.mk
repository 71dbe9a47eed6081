# SPDX-License-Identifier: Apache-2.0
# libartifact.a: all that a device needs to judge and read an artifact, and what mkartifact needs to write one.
noinst_LIBRARIES += libartifact.a
libartifact_a_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(ZSTD_CFLAGS) $(JANSSON_CFLAGS)
libartifact_a_SOURCES =
libartifact_a_SOURCES += %D%/err.c %D%/err.h
libartifact_a_SOURCES += %D%/util.c %D%/util.h
libartifact_a_SOURCES += %D%/io.c %D%/io.h
libartifact_a_SOURCES += %D%/source.c %D%/source.h
libartifact_a_SOURCES += %D%/digest.c %D%/digest.h
libartifact_a_SOURCES += %D%/base64.c %D%/base64.h
libartifact_a_SOURCES += %D%/key.c %D%/key.h
libartifact_a_SOURCES += %D%/sig.c %D%/sig.h
libartifact_a_SOURCES += %D%/policy.c %D%/policy.h
libartifact_a_SOURCES += %D%/trust.c %D%/trust.h
libartifact_a_SOURCES += %D%/tar.c %D%/tar.h
libartifact_a_SOURCES += %D%/index.c %D%/index.h
libartifact_a_SOURCES += %D%/chunk.c %D%/chunk.h
libartifact_a_SOURCES += %D%/reader.c %D%/reader.h
libartifact_a_SOURCES += %D%/resign.c %D%/writer.h %D%/region.h
libartifact_a_SOURCES += %D%/blob.c %D%/blob.h
libartifact_a_SOURCES += %D%/json.c %D%/json.h
libartifact_a_SOURCES += %D%/version.c %D%/version.h
libartifact_a_SOURCES += %D%/manifest.c %D%/manifest_parse.c %D%/manifest_format.c %D%/manifest.h
libartifact_a_SOURCES += %D%/word.c %D%/word.h
libartifact_a_SOURCES += %D%/compat.c %D%/compat.h
LIBARTIFACT = libartifact.a $(CRYPTO_LIBS) $(ZSTD_LIBS) $(JANSSON_LIBS)
