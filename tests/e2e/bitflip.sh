#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
# Every single bit of a small artifact flipped, every length it can be cut to, bytes appended: never
# accepted. The richer artifacts are taken from behind manifest.sig on; the first two
# members differ in nothing that matters from those of the smallest. STEP=N takes every N-th.
v=$top_src/format-spec/vectors
first=9216
"$top_build/bitflip" "$v/good-smallest.artifact" "$v/keys/one" 0 "${STEP:-1}" >"$tmp/smallest" &
smallest=$!
for name in good-mixed good-everything; do
	step "$name, from byte $first on"
	"$top_build/bitflip" "$v/$name.artifact" "$v/keys/one" "$first" "${STEP:-1}"
done
step good-smallest
wait "$smallest" || { cat "$tmp/smallest"; fail "an altered artifact was accepted"; }
cat "$tmp/smallest"
grep -q 'single bits: 98304 refused' "$tmp/smallest" || [ "${STEP:-1}" != 1 ] || fail "bits are missing"
