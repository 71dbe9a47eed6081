# SPDX-License-Identifier: Apache-2.0
# artifact-fetch: the only installer program with libcurl. libfetch.a is the parent's half, without it.
pkglibexec_PROGRAMS += artifact-fetch
artifact_fetch_CFLAGS = $(AM_CFLAGS)
artifact_fetch_LDADD = $(LIBARTHTTP) $(LIBARTIFACT)
artifact_fetch_SOURCES =
artifact_fetch_SOURCES += %D%/main.c
artifact_fetch_SOURCES += %D%/confine.c %D%/confine.h
artifact_fetch_SOURCES += installer/lockdown.c installer/lockdown.h
noinst_LIBRARIES += libfetch.a
libfetch_a_CFLAGS = $(AM_CFLAGS)
libfetch_a_SOURCES =
libfetch_a_SOURCES += %D%/fetch_source.c installer/fetch.h
libfetch_a_SOURCES += %D%/options.c %D%/options.h
LIBFETCH = libfetch.a
