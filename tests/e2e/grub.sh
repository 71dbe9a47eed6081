#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The GRUB backend on environment blocks: what it wrote is judged by grub-editenv and by a parser of the tests' own. That GRUB itself
# reads and counts them down the same way is shown by tests/vm/grub_states.py.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires grub-editenv unshare
cd "$tmp"
unshare -rm true 2>/dev/null || skip "no user namespaces, which give a test its own /proc/cmdline"
make_device 8388608 "[boot]
backend = grub
store = $tmp/store1
store-copy = $tmp/store2
tries = 4"
"$top_build/artifact-install" --version >/dev/null
make_versions

inst() { # with the command line that GRUB gave the kernel
	unshare -rm sh -c 'mount --bind cmdline /proc/cmdline && exec "$@"' sh \
		"$top_build/artifact-install" -c "$tmp/dev/install.conf" "$@"
}
booted() { echo "BOOT_IMAGE=/boot/vmlinuz root=PARTLABEL=root-$1 twinroot.slot=$1 ${2:-} panic=5" >cmdline; }

store() { # ACT ARGUMENT...
	python3 - "$top_src/tests/vm" "$@" <<'PY'
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from grub_kit import archive, current, decode_archive, encode, read_at, write_at
act, arguments = sys.argv[2], sys.argv[3:]
blocks = [decode_archive(read_at(name, 0, 2560)) for name in ("store1", "store2")]
if act == "write":  # COPY VALUE...
    write_at(arguments[0], 0, archive({"twinroot": encode(*arguments[1:])})[0])
elif act == "which":
    print("store%d" % (current(*blocks)[1] + 1))
elif act == "now":
    values = current(*blocks)[0]
    print(" ".join(values[n] for n in ("default", "trial", "left", "bad")))
elif act == "count":  # as twinroot.cfg does: one less, into the other copy, under the same sequence
    values, index = current(*blocks)
    values["left"] = int(values["left"]) - 1
    write_at(("store2", "store1")[index], 512, encode(*values.values()))
elif act == "garble":
    write_at(arguments[0], int(arguments[1]), bytes(range(255, 0, -1)))
PY
}
new_store() {
	rm -f store1 store2
	truncate -s 4096 store1 store2
	store write store1 1000000000 a none 0 none 0
	store write store2 1000000000 a none 0 none 0
}
vars() { # DEFAULT TRIAL LEFT BAD: by two readers
	[ "$(store now)" = "$*" ] || fail "the store says '$(store now)', not '$*'"
	which=$(store which)
	[ "$(tar -tf "$which")" = twinroot ] || fail "$which is no archive of one member"
	tar -xOf "$which" >block
	[ "$(wc -c <block)" = 1024 ] || fail "a copy is not 1024 bytes"
	have=$(grub-editenv block list | sed -n 's/^twinroot_\(default\|trial\|left\|bad\)=//p' | tr '\n' ' ')
	[ "$have" = "$* " ] || fail "grub-editenv says '$have', not '$*'"
	head -c 512 block | grep -q '^twinroot_check=.*-.*$' || fail "the variables do not fit the first sector"
	[ "$(stat -c %s store1 store2 | tr '\n' ' ')" = "4096 4096 " ] || fail "a copy has changed its size"
}

step "install, trial, commit; install, trial, rollback"
new_store
booted a
expect_exit 0 inst status --json
[ "$(json "d['boot']['backend'], d['boot']['default'], d['running']")" = '["grub", "a", "a"]' ] || fail "status"
json "d['boot']['caution']" | grep -q 'is a file' || fail "no caution about files"
expect_exit 0 inst install v1.artifact
slot_is b v1.artifact
vars a b 4 none
expect_exit 0 inst status --json
grub-editenv block list | grep -qx "twinroot_transaction=$(json "d['transaction']")" || fail "transaction"
store count
booted b twinroot.trial=1
vars a b 3 none
expect_exit 0 inst status --json
[ "$(json "d['boot']['trial'], d['boot']['tries-left'], d['running']")" = '["b", 3, "b"]' ] || fail "status of the trial"
expect_error 7 state-uncommitted inst install v2.artifact
expect_exit 0 inst commit
vars b none 0 none
booted b
expect_exit 0 inst install v2.artifact
slot_is a v2.artifact
vars b a 4 none
store count
store count
booted a twinroot.trial=1
vars b a 2 none
expect_exit 0 inst rollback
vars b none 0 a
booted b

step "every write leaves the copy that counted as it was, and the copies take turns"
for act in mark-bad "install v2.artifact" rollback mark-bad; do
	which=$(store which)
	cp "$which" before
	# shellcheck disable=SC2086
	expect_exit 0 inst $act
	case $act in install*) continue ;; esac # two writes
	[ "$(store which)" != "$which" ] || fail "$act wrote over the copy that counted"
	cmp "$which" before || fail "$act touched the copy that counted"
done
vars b none 0 a

step "with one copy damaged anywhere, the other counts, and the next write mends it"
booted b
for copy in store1 store2; do
	for at in 0 130 512 540 600 650 690; do
		new_store
		store write store1 1000000006 b none 0 none 5
		store write store2 1000000006 b none 0 none 5
		store write $copy 1000000007 a none 0 none 6
		store garble $copy $at
		expect_exit 0 inst status --json
		[ "$(json "d['boot']['default'], d['boot']['transaction']")" = '["b", 5]' ] || fail "$copy damaged at $at"
		expect_exit 0 inst mark-bad
		vars b none 0 a
		[ "$(store which)" = $copy ] || fail "the damaged copy was not mended"
	done
done

step "both lost, short, and values that are not understood"
new_store
booted a
cp dev/b.img before.img
store garble store1 0
store garble store2 540
expect_error 6 io inst install v1.artifact
expect_err "both copies of the boot store are lost: '$tmp/store1': no tar archive of a 'twinroot' of 1024 bytes; '$tmp/store2': "
expect_err "no variable 'twinroot_sequence'"
expect_err "write them anew"
new_store
truncate -s 2559 store2
expect_exit 6 inst install v1.artifact
expect_err "'$tmp/store2' is smaller than the boot store, 2560 bytes"
[ "$(stat -c %s store2)" = 2559 ] || fail "the store has grown"
new_store
store write store1 1000000003 a b x none 3
expect_exit 1 inst install v1.artifact
expect_err "'twinroot_left' is 'x', which is not understood"
store write store1 2000000003 a b 1 none 3
expect_exit 1 inst install v1.artifact
expect_err "'twinroot_sequence' is '2000000003'"
cmp before.img dev/b.img

step "configurations: one copy, none, the same twice, none there"
cp dev/install.conf good.conf
new_store
sed '/^store-copy/d' good.conf >dev/install.conf
expect_exit 0 inst status --json
json "d['boot']['caution']" | grep -q 'one copy' || fail "no caution about one copy"
expect_exit 0 inst install v1.artifact
tar -xOf store1 >block
grub-editenv block list | grep -qx twinroot_trial=b || fail "one copy: not armed"
store garble store1 0
expect_exit 6 inst install v1.artifact
expect_err "the boot store is lost"
sed '/^store/d' good.conf >dev/install.conf
expect_exit 2 inst status
expect_err "'store' of [boot] is missing"
sed 's/store2$/store1/' good.conf >dev/install.conf
expect_exit 2 inst status
expect_err "are both '$tmp/store1'"
sed 's/^store = .*/store = store1/' good.conf >dev/install.conf
expect_exit 2 inst status
expect_err "an absolute path, PARTUUID=... or PARTLABEL=... is due"
sed "s|^store = .*|store = $tmp/nothing|" good.conf >dev/install.conf
expect_exit 6 inst status
expect_err "cannot find the boot store '$tmp/nothing'"
cp good.conf dev/install.conf

step "the store that README.md makes"
for copy in store1 store2; do
	rm $copy
	truncate -s 4194304 $copy
done
sed -n '/^```sh store/,/^```$/p' "$top_src/installer/boot/grub/README.md" | sed '/^```/d; s|/dev/disk/by-partlabel/twinroot-|store|' >make-store
[ -s make-store ] || fail "README.md has no recipe"
sh -eu make-store
truncate -s 4096 store1 store2
vars a none 0 none
expect_exit 0 inst install v1.artifact
vars a b 4 none

step "the shipped scripts"
for script in twinroot.cfg twinroot-settings.cfg; do
	grub-script-check "$top_src/installer/boot/grub/$script"
done
assert_no_litter
