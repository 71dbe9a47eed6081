#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
set -u
# Run a test and say at the end how long it took; `make check` is given this as its log compiler by ./check.
start=$(date +%s%N)
"$@"
status=$?
printf 'seconds: %s\n' "$(( ($(date +%s%N) - start) / 1000000 ))" | sed 's/\([0-9]*\)\([0-9]\{3\}\)$/\1.\2/; s/: \./: 0./'
exit "$status"
