# SPDX-License-Identifier: Apache-2.0
if TESTS_UNIT
include %D%/unit/local.mk
endif
include %D%/e2e/local.mk
include %D%/reader/local.mk
include %D%/vectors/local.mk
include %D%/fuzz/local.mk
include %D%/fault/local.mk
include %D%/crash/local.mk
EXTRA_DIST += %D%/vm/grub_kit.py %D%/vm/grub_states.py %D%/vm/grub_boot.py %D%/vm/tell.c
EXTRA_DIST += %D%/coverage.sh %D%/coverage.mk %D%/coverage.py %D%/coverage-exclusions.txt
