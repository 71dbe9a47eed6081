#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# artifact-inspect on an artifact that lies on a web server: everything works, and only what is needed is fetched.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires artifact-inspect python3 openssl zstd mke2fs
inspect=$top_build/artifact-inspect
cd "$tmp"

make_key good
mkdir -p root/etc root/usr
echo 'ID=test' >root/etc/os-release
for i in 1 2 3 4 5 6; do
	head -c 1000000 /dev/urandom >root/usr/noise$i
done
truncate -s 12M image
mke2fs -q -t ext4 -d root image
make_artifact a.artifact good --image image --filesystem ext4
size=$(wc -c <a.artifact)

background python3 "$top_src/tests/e2e/bad_server.py" a.artifact port 2>log
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	[ ! -s port ] || break
	sleep 0.2
done
url=http://127.0.0.1:$(cat port)

# received PERCENT: the last run fetched at most so much of the artifact.
received() {
	got=$(sed -n 's/.* \([0-9]*\) bytes received.*/\1/p' err)
	[ -n "$got" ] || fail "no traffic is told"
	[ "$got" -le $((size * $1 / 100)) ] || fail "$got of $size bytes received, more than $1 %"
	echo "$got of $size bytes"
}

step "the same as from a file"
for c in "show --json" "verify" "verify --deep" "ls -lR" "packages"; do
	# shellcheck disable=SC2086
	expect_exit 0 "$inspect" $c --keys good.keys a.artifact
	sed '/"file"/d' out >want
	# shellcheck disable=SC2086
	expect_exit 0 "$inspect" $c --keys good.keys "$url/good/0/0"
	sed '/"file"/d' out | cmp - want
done
expect_exit 0 "$inspect" cat --keys good.keys "$url/good/0/0" /usr/noise4
cmp out root/usr/noise4
expect_exit 0 "$inspect" diff --json --keys good.keys a.artifact "$url/good/0/0"
[ "$(json '[d["manifest"], d["files"]["changed"], d["download"]["chunks"]]')" = '[{}, [], 0]' ] || fail "diff"

step "only what is needed"
expect_exit 0 "$inspect" show -v --keys good.keys "$url/good/0/0"
received 3
expect_exit 0 "$inspect" cat -v --keys good.keys "$url/good/0/0" /etc/os-release
expect_out ID=test
received 25
expect_exit 0 "$inspect" cat -v --keys good.keys "$url/good/0/0" /usr/noise4
cmp out root/usr/noise4
received 35
expect_exit 0 "$inspect" verify -v --keys good.keys "$url/good/0/0"
received 101

step "a server without ranges"
expect_exit 0 "$inspect" verify --keys good.keys "$url/norange/0/0"
expect_exit 0 "$inspect" cat --keys good.keys "$url/norange/0/0" /etc/os-release
expect_out ID=test

step "a dropped connection"
expect_exit 0 "$inspect" verify --keys good.keys "$url/drop/3000000/0"

step "faults"
expect_error 8 net "$inspect" verify --keys good.keys "$url/status/404/0"
expect_error 8 net "$inspect" show "$url/status/403/0"
assert_no_litter
