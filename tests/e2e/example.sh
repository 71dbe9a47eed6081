#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
# The worked example of format.md is the vector that it names, byte for byte, and can be verified by
# hand as it says.
requires python3 openssl tar sha512sum base64
check() {
	python3 -B "$top_src/tests/vectors/example.py" "$1" "$top_src/format-spec/vectors"
}
check "$top_src/format-spec/format.md"
step "an altered example is noticed"
sed 's/^\(00002c00 .*\) 00  |/\1 01  |/' "$top_src/format-spec/format.md" >"$tmp/altered.md"
expect_exit 1 check "$tmp/altered.md"
sed 's/^| 2634 | `0100`/| 2634 | `0200`/' "$top_src/format-spec/format.md" >"$tmp/altered.md"
expect_exit 1 check "$tmp/altered.md"
expect_err "wrong row"
