# SPDX-License-Identifier: Apache-2.0
# Only programs that talk http link this, and libcurl with it.
noinst_LIBRARIES += libarthttp.a
libarthttp_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
libarthttp_a_SOURCES =
libarthttp_a_SOURCES += %D%/http.c %D%/http.h
libarthttp_a_SOURCES += %D%/open.c
libarthttp_a_SOURCES += %D%/place.c
libarthttp_a_SOURCES += %D%/request.c %D%/request.h
LIBARTHTTP = libarthttp.a $(CURL_LIBS)
