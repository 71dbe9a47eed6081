# SPDX-License-Identifier: Apache-2.0
# Read after the Makefile by coverage.sh: which tests are there?
print-tests:
	@echo $(TESTS)
