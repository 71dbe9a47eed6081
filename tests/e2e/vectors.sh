#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
# Every vector of the format: libartifact, artifact-inspect and the reader that was written from
# the text alone must all give the listed exit code and error name.
requires python3 openssl zstd
run() {
	python3 -B "$top_src/tests/vectors/run.py" "$@"
}
set -- --probe "$top_build/probe"
if [ -x "$top_build/artifact-inspect" ]; then
	set -- "$@" --inspect "$top_build/artifact-inspect"
fi
step "the fixed vectors"
run "$top_src/format-spec/vectors" --reader "$@"
! grep -rl "PRIVATE KEY" "$top_src/format-spec/vectors" || fail "a private key lies among the vectors"
step "the same, made anew with other keys"
mkdir "$tmp/new"
python3 -B "$top_src/tests/vectors/make.py" "$tmp/new"
cmp "$tmp/new/vectors.tsv" "$top_src/format-spec/vectors/vectors.tsv"
run "$tmp/new" --probe "$top_build/probe"
assert_no_litter
