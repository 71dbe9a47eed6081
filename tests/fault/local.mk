# SPDX-License-Identifier: Apache-2.0
# Fault injection: shims for LD_PRELOAD, and the runs that use them.
EXTRA_DIST += %D%/fault.py %D%/alloc.sh %D%/syscalls.sh %D%/install.sh
TESTS += %D%/alloc.sh %D%/syscalls.sh
if DISK
TESTS += %D%/disk.sh
endif
EXTRA_DIST += %D%/disk.sh
if INSTALLER
TESTS += %D%/install.sh
endif
if TESTS_UNIT
check_PROGRAMS += failalloc.so failio.so
failalloc_so_SOURCES = %D%/failalloc.c %D%/fault.h
failio_so_SOURCES = %D%/failio.c %D%/fault.h
SHIM_CFLAGS = -std=gnu11 $(WARNING_FLAGS) -fPIC -U_FORTIFY_SOURCE
failalloc_so_CFLAGS = $(SHIM_CFLAGS)
failio_so_CFLAGS = $(SHIM_CFLAGS)
failalloc_so_LDFLAGS = -shared
failio_so_LDFLAGS = -shared
endif
