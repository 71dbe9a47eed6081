#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The installer stays small: its own size, and what it brings along (DESIGN 10).
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires artifact-install strip ldd
if nm "$top_build/artifact-install" | grep -q -e __asan_init -e __gcov_; then skip "instrumented build"; fi
strip -o "$tmp/stripped" "$top_build/artifact-install"
size=$(stat -c %s "$tmp/stripped")
ldd "$tmp/stripped" | grep -v -e linux-vdso -e linux-gate | sed 's/^[[:space:]]*//; s/ .*//' >"$tmp/libraries"
count=$(wc -l <"$tmp/libraries")
echo "$size bytes stripped, $count libraries: $(tr '\n' ' ' <"$tmp/libraries")"
[ "$size" -le 409600 ] || fail "larger than 400 KiB"
[ "$count" -le 12 ] || fail "more than 12 shared libraries"
! grep -e curl -e ext2fs -e archive "$tmp/libraries" || fail "a library that is not the installer's"
