#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# Each input or output call fails in turn, by EIO, ENOSPC, EINTR or a short count. EINTR and short counts must
# change nothing at all. $RUNS at most for each command (default 25, sampled); FULL=1: every one.
. "${srcdir:-.}/tests/e2e/lib.sh"
requires python3 openssl zstd
[ -f ./failio.so ] || skip "built without unit tests"
fault="python3 -B $top_src/tests/fault/fault.py"
runs=${RUNS:-25}

$fault make "$tmp/a"
for how in eio eintr short; do
	$fault run ./failio.so --label "manifest" --how $how --runs "$runs" --quiet -- \
		./manifest_probe --format "$tmp/a/manifest.json"
done
for name in good manifest signature index data doc; do
	for how in eio eintr short; do
		$fault run ./failio.so --label "judge $name" --how $how --runs "$runs" -- \
			./probe "$tmp/a/$name.artifact" "$tmp/a/keys"
	done
done
requires artifact-inspect
for name in good manifest signature index data doc; do
	for how in eio eintr short; do
		$fault run ./failio.so --label "verify $name" --how $how --runs "$runs" -- \
			./artifact-inspect verify --deep --keys "$tmp/a/keys" "$tmp/a/$name.artifact"
	done
done
