# SPDX-License-Identifier: Apache-2.0
# The vectors' generator and the programs that ask libartifact about them (format-spec/vectors).
EXTRA_DIST += %D%/make.py %D%/kit.py %D%/cases_good.py %D%/cases_envelope.py %D%/cases_trust.py
EXTRA_DIST += %D%/blocks.py %D%/cases_blocks.py %D%/cases_patch.py %D%/make_patch.py %D%/run_patch.py
EXTRA_DIST += %D%/cases_manifest.py %D%/cases_data.py %D%/run.py %D%/example.py
check_PROGRAMS += probe
probe_SOURCES = %D%/probe.c %D%/judge.c %D%/judge.h
probe_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
probe_LDADD = $(LIBARTIFACT)
check_PROGRAMS += bitflip
bitflip_SOURCES = %D%/bitflip.c %D%/judge.c %D%/judge.h
bitflip_CFLAGS = $(AM_CFLAGS)
bitflip_LDADD = $(LIBARTIFACT)
