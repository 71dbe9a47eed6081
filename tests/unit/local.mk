# SPDX-License-Identifier: Apache-2.0
# One Check program for each source file: check_NAME.c tests NAME.c.
UNIT_LIBS = $(LIBARTIFACT) $(CHECK_LIBS)
UNIT_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
check_PROGRAMS += check_manifest
TESTS += check_manifest
check_manifest_SOURCES = %D%/check_manifest.c
check_manifest_CFLAGS = $(UNIT_CFLAGS)
check_manifest_LDADD = $(UNIT_LIBS)
