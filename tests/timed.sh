#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
set -u
# Run a test and say at the end how long it took; `make check` is given this as its log compiler by ./check.
start=$(date +%s%N)
"$@"
status=$?
ms=$((($(date +%s%N) - start) / 1000000))
printf 'seconds: %d.%03d\n' $((ms / 1000)) $((ms % 1000))
exit "$status"
