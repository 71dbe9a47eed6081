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
set_inspect=
[ ! -x "$top_build/artifact-inspect" ] || set_inspect="--inspect $top_build/artifact-inspect"
step "the fixed patches"
# shellcheck disable=SC2086
python3 -B "$top_src/tests/vectors/run_patch.py" "$top_src/format-spec/vectors/patch" --reader $set_inspect
step "patches made anew with other keys"
python3 -B "$top_src/tests/vectors/make_patch.py" "$tmp/patch"
cmp "$tmp/patch/patches.tsv" "$top_src/format-spec/vectors/patch/patches.tsv"
[ -z "$set_inspect" ] || python3 -B "$top_src/tests/vectors/run_patch.py" "$tmp/patch" --inspect "$top_build/artifact-inspect"
step "the same, made anew with other keys"
mkdir "$tmp/new"
python3 -B "$top_src/tests/vectors/make.py" "$tmp/new"
cmp "$tmp/new/vectors.tsv" "$top_src/format-spec/vectors/vectors.tsv"
run "$tmp/new" --probe "$top_build/probe"
assert_no_litter
