#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Patches that a server is asked for: what it costs when the server is sick, what is counted and what is forbidden, what is said and what
# is not; and a state directory that is missing, or holds what nobody put there.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires artifact-fetch

TWINROOT_FETCH=$top_build/artifact-fetch
export TWINROOT_FETCH
cd "$tmp"
make_device 16777216
mkdir root
make_noise 5 1500000 >root/program
seq 1 60000 >root/text
create v1 1.0
seq 5 60000 >root/text
create v2 2.0
# Nearly all of it is new, and what is not is found by a patch only.
python3 -c 'import random
r = random.Random(7)
old = open("root/program", "rb").read()
new = bytearray(r.randbytes(3000000))
part = bytearray(old[:200000])
for at in range(0, len(part), 1500):
    part[at] ^= 1
open("root/program", "wb").write(bytes(new) + bytes(part))'
create far 3.0
start_with v1.artifact
mkdir web
cp v2.artifact far.artifact web/
"$mkartifact" delta -q --key k.pem v1.artifact web/v2.artifact
"$mkartifact" delta -q --key k.pem v1.artifact web/far.artifact
patch=$(echo web/v2.artifact.patches/*.patch)
background python3 "$top_src/tests/e2e/range_server.py" web port 2>log
host=127.0.0.1:$(port_of port)

soon() { # COMMAND...: it must not take long
	timeout 30 "$@"
}
install=$top_build/artifact-install

step "a server that is sick where the patch lies: chunks at once, and a word why"
for sick in 503 'Retry-After: 60'; do
	fresh
	printf '503\n' >"$patch.sick"
	[ "$sick" = 503 ] || printf '%s\n' "$sick" >>"$patch.sick"
	expect_exit 0 soon "$install" -c dev/install.conf install -v --json "http://$host/v2.artifact"
	[ "$(json "d['way']")" = chunks ] || fail "$(cat out)"
	expect_err "no patch: "
	expect_err "the server answered 503"
	slot_is a v2.artifact
done
rm "$patch.sick"

step "a server that makes the device wait for the artifact: it says so"
fresh
printf '503\nRetry-After: 2\n' >web/v2.artifact.sick
(sleep 1; rm web/v2.artifact.sick) &
expect_exit 0 soon "$install" -c dev/install.conf install --json "http://$host/v2.artifact"
wait $!
expect_err "the server answered 503; retry 1 of 8 within 4 s"
slot_is a v2.artifact

step "what a patch costs counts as downloaded, and is planned to the byte"
fresh
expect_exit 0 inst install --dry-run --json "http://$host/far.artifact"
[ "$(json "d['way']")" = patch ] || fail "a poor example: $(cat out)"
planned=$(json "d['download'], d['ranges']")
[ "$(json "d['download'] == d['patch']['read'] > 2900000")" = true ] || fail "$(cat out)"
expect_exit 0 inst install --json "http://$host/far.artifact"
[ "$(json "d['download'], d['ranges']")" = "$planned" ] || fail "$planned planned: $(cat out)"
[ "$(json "d['download'] < d['received']")" = true ] || fail "$(cat out)"
slot_is a far.artifact
fresh
printf '[download]\nfull = never\n' >>dev/install.conf
expect_exit 8 inst install "http://$host/far.artifact"
expect_err "a full download is refused"
cmp dev/a.img start/a.img || fail "a refusal wrote"
cmp dev/boot start/boot || fail "a refusal changed what boots"
expect_exit 0 inst install "http://$host/v2.artifact"
slot_is a v2.artifact

step "a patch by URL in place of the artifact"
fresh
expect_exit 0 inst install --json "http://$host/${patch#web/}"
slot_is a v2.artifact
[ "$(json "d['way'], 0 < d['download'] < d['received'], d['requests'] > 0")" = '["patch", true, true]' ] || fail "$(cat out)"

step "a password in the URL stays out of messages and log"
fresh
cp "$patch" whole
head -c $(($(stat -c %s whole) / 2)) whole >"$patch"
expect_exit 0 inst install -vv "http://user:secret@$host/v2.artifact"
expect_err "is left aside"
! grep -r secret out err dev/state/log || fail "the password is there"
cp whole "$patch"
inspect=$top_build/artifact-inspect
expect_exit 8 "$inspect" diff --keys k.keys v1.artifact "http://user:secret@$host/none?token=secret"
! grep secret out err || fail "the password is there"
expect_err "http://$host/none"

step "the program that downloads is the one that install.conf names"
fresh
printf '[download]\nprogram = %s\n' "$TWINROOT_FETCH" >>dev/install.conf
expect_exit 0 env -u TWINROOT_FETCH "$install" -c dev/install.conf install "http://$host/v2.artifact"
slot_is a v2.artifact

step "a dry run where there is no state directory yet"
fresh
rm -r dev/state
printf '[download]\nfull = never\n' >>dev/install.conf
expect_exit 0 inst install --dry-run --json "http://$host/v2.artifact"
[ ! -e dev/state ] || fail "a dry run made something"
planned=$(json "d['download']")
expect_exit 0 inst install --json "http://$host/v2.artifact"
[ "$(json "d['download']")" = "$planned" ] || fail "$planned planned: $(cat out)"

step "what e2fsck may leave in a state directory"
fresh
mkdir -p dev/state/slot-a/sub/deep dev/state/slot-a.old/sub
printf x >dev/state/slot-a.new
rm dev/state/slot-b/rootfs.0000.index dev/state/log
mkfifo dev/state/slot-b/rootfs.0000.index dev/state/log
expect_exit 0 soon "$install" -c dev/install.conf install "http://$host/v2.artifact"
expect_err "deployment log: "
slot_is a v2.artifact
[ "$(cd dev/state && echo slot-*)" = "slot-a slot-b" ] || fail "$(ls dev/state)"
fresh
mkdir dev/state/slot-a.new
tar -xOf v2.artifact manifest.json >dev/state/slot-a.new/manifest.json
mkdir -p dev/state/slot-a.new/manifest.sig/sub
mkfifo dev/state/slot-a.new/rootfs.0000.index
rm dev/state/slot-b/manifest.json
mkfifo dev/state/slot-b/manifest.json
expect_exit 0 soon "$install" -c dev/install.conf install "http://$host/v2.artifact"
slot_is a v2.artifact
assert_no_litter
