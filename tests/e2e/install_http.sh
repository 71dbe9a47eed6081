#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# artifact-install over http: servers that drop, change and vanish, a child that is killed, and the slot afterwards.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires artifact-fetch sha256sum

TWINROOT_FETCH=$top_build/artifact-fetch
export TWINROOT_FETCH
make_device 8388608
mkdir "$tmp/root"
make_noise 5 3000000 >"$tmp/root/noise"
seq 1 50000 >"$tmp/root/text"
SOURCE_DATE_EPOCH=1700000000 "$mkartifact" create -q -o "$tmp/a.artifact" --name test --version 1.0 --compatible test-board \
	--arch any --no-sbom --rootfs "$tmp/root" --size 6M --key "$tmp/k.pem"

background python3 "$top_src/tests/e2e/bad_server.py" "$tmp/a.artifact" "$tmp/port" 2>"$tmp/log"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	[ ! -s "$tmp/port" ] || break
	sleep 0.2
done
url=http://127.0.0.1:$(cat "$tmp/port")
sum_a=$(sha256sum <"$tmp/dev/a.img")
sum_b=$(sha256sum <"$tmp/dev/b.img")
cp "$tmp/dev/boot" "$tmp/boot.before"

untouched() {
	[ "$sum_b" = "$(sha256sum <"$tmp/dev/b.img")" ] || fail "the target slot was written"
	cmp -s "$tmp/boot.before" "$tmp/dev/boot" || fail "the boot store was changed"
}

never_armed() {
	[ "$sum_a" = "$(sha256sum <"$tmp/dev/a.img")" ] || fail "the running slot was written"
	boot_says default=a trial=none
}

step "refused with nothing touched"
expect_exit 8 inst install "$url/status/404/0"
expect_err "the server answered 404 (not found)"
untouched
expect_exit 8 inst install "$url/gzip/0/0"
untouched
TWINROOT_FETCH=$tmp/nothing expect_exit 1 inst install "$url/good/0/0"
untouched

step "a download program that was taken over"
for how in exit noise early huge wrongid; do
	TWINROOT_FETCH=$top_src/tests/e2e/bad_child.py expect_exit 8 inst install "http://127.0.0.1/$how"
	expect_err "the download program "
	untouched
done

step "a file that is short on the server, with a length to match: malformed, and nothing touched"
size=$(stat -c %s "$tmp/a.artifact")
for at in 100 3000 1500000 $((size - 1)); do
	expect_error 3 tar-truncated inst install "$url/short/$at/0"
	untouched
done

step "a bit of the manifest is another one: not trusted, and nothing touched"
member() { # NAME: where its first byte is
	python3 -c 'import sys, tarfile
print(tarfile.open(sys.argv[1]).getmember(sys.argv[2]).offset_data)' "$tmp/a.artifact" "$1"
}
expect_error 4 sig-invalid inst install "$url/bit/$(($(member manifest.json) + 200))/0"
untouched

step "a bit of the index: malformed, not armed, the target not written"
expect_error 3 index-page inst install "$url/bit/$(($(member payload/rootfs/0000.index) + 100))/0"
[ "$sum_b" = "$(sha256sum <"$tmp/dev/b.img")" ] || fail "the target slot was written"
never_armed
boot_says bad=b

step "another file in the middle of an install: 8, not armed, the old slot as it was"
expect_exit 8 inst install "$url/change/etag/0"
expect_err "was changed on the server"
never_armed

step "the download program is killed in the middle: 8, and the next try finishes"
# A server that gives a little and then nothing holds the child where it can be killed.
"$top_build/artifact-install" -c "$tmp/dev/install.conf" install "$url/hang/1000000/0" >"$tmp/out" 2>"$tmp/err" &
install_pid=$!
child=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
	for p in $(cat "/proc/$install_pid/task/$install_pid/children"); do
		[ "$(cat "/proc/$p/comm")" != artifact-fetch ] || child=$p
	done
	[ -z "$child" ] || ! grep -q ' /hang/1000000/0 bytes=131072-' "$tmp/log" || break
	sleep 0.2
done
[ -n "$child" ] || fail "no child"
kill -9 "$child"
status=0
wait "$install_pid" || status=$?
[ "$status" = 8 ] || { cat "$tmp/err"; fail "status $status"; }
expect_err "the download program was killed by signal 9"
never_armed
expect_exit 0 inst install "$url/drop/700000/0"
boot_says trial=b default=a
want=$(tar -xOf "$tmp/a.artifact" manifest.json | python3 -c 'import json, sys
p = json.loads(sys.stdin.read())["payloads"][0]
print(p["size"], p["sha256"])')
have=$(head -c "${want% *}" "$tmp/dev/b.img" | sha256sum)
[ "${have%% *}" = "${want#* }" ] || fail "slot b does not hold the artifact"
[ "$sum_a" = "$(sha256sum <"$tmp/dev/a.img")" ] || fail "the running slot was written"
