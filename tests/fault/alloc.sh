#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# Allocations fail in turn: never a crash, never an accepted artifact that was tampered with, never another answer, never a
# good artifact or key called bad. All that the program makes itself, and of those by libraries a sample of $RUNS for
# each command (default 12); FULL=1: all of them.
. "${srcdir:-.}/tests/e2e/lib.sh"
requires python3 openssl zstd
[ -f ./failalloc.so ] || skip "built without unit tests"
fault="python3 -B $top_src/tests/fault/fault.py"

try() {
	label=$1
	shift
	for mode in once from; do
		$fault run ./failalloc.so --label "$label" --mode $mode --own "$@"
		$fault run ./failalloc.so --label "$label" --mode $mode --runs "${RUNS:-12}" "$@"
	done
}

$fault make "$tmp/a"
try manifest --quiet -- ./manifest_probe --format "$tmp/a/manifest.json"
for name in good manifest signature index data doc; do
	try "judge $name" -- ./probe "$tmp/a/$name.artifact" "$tmp/a/keys"
done
try "judge by policy" -- ./probe "$tmp/a/good.artifact" "$tmp/a/policy"
requires artifact-inspect
for name in good data; do
	try "verify $name" -- ./artifact-inspect verify --deep --keys "$tmp/a/keys" "$tmp/a/$name.artifact"
done
# libzstd does not tell when memory is lacking for its search: a good artifact then, but another one.
requires mkartifact
make_key k
mkdir "$tmp/root"
python3 -c 'import random, sys
sys.stdout.buffer.write(b"\177ELF" + random.Random(1).randbytes(60000) + bytes(range(256)) * 99)' >"$tmp/root/program"
seq 1 30000 >"$tmp/root/text"
tar --sort=name --mtime=@1 -cf "$tmp/root.tar" -C "$tmp/root" .
export SOURCE_DATE_EPOCH=1
for level in 3 9 19; do
	for mode in once from; do
		$fault run ./failalloc.so --label "create --level $level" --mode $mode --of libzstd \
			--after "! [ -e $tmp/x ] || { [ \$STATUS = 0 ] && sha256sum <$tmp/x >>$tmp/sums; }" --reset "rm -f $tmp/x" -- \
			"$mkartifact" create -q --jobs 1 --level $level --name n --version 1 --compatible c \
			--rootfs "$tmp/root.tar" --key "$tmp/k.pem" -o "$tmp/x"
	done
	[ "$(sort -u "$tmp/sums" | wc -l)" = 1 ] || fail "level $level: another artifact"
	rm "$tmp/sums"
done
