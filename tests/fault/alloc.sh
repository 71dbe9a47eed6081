#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# Each allocation fails in turn: never a crash, never an accepted artifact that was tampered with, never another answer.
# $RUNS at most for each command (default 120, sampled); FULL=1: every one.
. "${srcdir:-.}/tests/e2e/lib.sh"
requires python3 openssl zstd
[ -f ./failalloc.so ] || skip "built without unit tests"
fault="python3 -B $top_src/tests/fault/fault.py"
runs=${RUNS:-120}

$fault make "$tmp/a"
for mode in once from; do
	$fault run ./failalloc.so --label "manifest" --mode $mode --runs "$runs" --quiet -- \
		./manifest_probe --format "$tmp/a/manifest.json"
done
for name in good manifest signature index data doc; do
	for mode in once from; do
		$fault run ./failalloc.so --label "judge $name" --mode $mode --runs "$runs" -- \
			./probe "$tmp/a/$name.artifact" "$tmp/a/keys"
	done
done
requires artifact-inspect
for name in good manifest signature index data doc; do
	for mode in once from; do
		$fault run ./failalloc.so --label "verify $name" --mode $mode --runs "$runs" -- \
			./artifact-inspect verify --deep --keys "$tmp/a/keys" "$tmp/a/$name.artifact"
	done
done
