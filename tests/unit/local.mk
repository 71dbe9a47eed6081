# SPDX-License-Identifier: Apache-2.0
# One Check program for each source file: check_NAME.c tests NAME.c.
UNIT_LIBS = $(LIBARTIFACT) $(CHECK_LIBS)
UNIT_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
