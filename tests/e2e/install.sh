#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# artifact-install on image files with a script as its bootloader: the good way, every refusal, every cut.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
cd "$tmp"
make_device 8388608
make_versions
sum_a=$(sha256sum <dev/a.img)

# Nothing was done to the device: both slots, the boot store and what the bootloader was asked.
snapshot() {
	cp dev/b.img before.img
	cp dev/boot before.boot
	rm -f dev/boot.calls
}
untouched() {
	[ "$sum_a" = "$(sha256sum <dev/a.img)" ] || fail "the running slot was written"
	cmp before.img dev/b.img || fail "the target slot was written"
	cmp before.boot dev/boot || fail "the boot store was changed"
	[ ! -e dev/boot.calls ] || fail "the bootloader was asked: $(cat dev/boot.calls)"
}

step "what is refused before anything is touched"
snapshot
make_key other
mkdir no.keys
sed "s|$tmp/k.keys|$tmp/other.keys|" dev/install.conf >dev/other.conf
sed "s|$tmp/k.keys|$tmp/no.keys|" dev/install.conf >dev/nokeys.conf
sed 's|type = test-board|type = rpi3|' dev/install.conf >dev/board.conf
expect_error 4 sig-untrusted "$top_build/artifact-install" -c dev/other.conf install v1.artifact
untouched
expect_error 4 key-none "$top_build/artifact-install" -c dev/nokeys.conf install v1.artifact
untouched
expect_error 5 compat-type "$top_build/artifact-install" -c dev/board.conf install v1.artifact
expect_err "'rpi3'"
expect_err "'test-board'"
untouched
expect_error 5 compat-arch sh -c "exec \"\$0\" \"\$@\"" "$top_build/artifact-install" -c dev/install.conf install "$(
	create arch 1.0 --arch s390x >&2
	echo arch.artifact
)"
untouched
create hw 1.0 --hardware 3..5
expect_error 5 compat-hardware inst install hw.artifact
create req 1.0 --requires bootloader=2..
expect_error 5 compat-requires inst install req.artifact
cp dev/a.img dev/a.full && cp dev/b.img dev/b.full
truncate -s 1M dev/b.img
snapshot
expect_error 5 compat-size inst install v1.artifact
untouched
cp dev/b.full dev/b.img
snapshot
printf x >empty.artifact
expect_error 3 tar-truncated inst install empty.artifact
untouched
expect_exit 6 inst install absent.artifact
untouched
cp v1.artifact flipped.artifact
for offset in 1000 2500; do
	flip flipped.artifact $offset
done
expect_exit 4 inst install flipped.artifact
untouched
cp v1.artifact header.artifact
flip header.artifact 3
expect_exit 3 inst install header.artifact
untouched
head -c 30000 v1.artifact >short.artifact
expect_error 3 tar-truncated inst install short.artifact
untouched
cat v1.artifact empty.artifact >long.artifact
expect_error 3 tar-trailing inst install long.artifact
untouched
expect_exit 2 inst install
expect_exit 2 inst install a b
expect_exit 2 inst instal v1.artifact
expect_exit 2 "$top_build/artifact-install" -c absent.conf status
untouched
expect_exit 0 inst fit v1.artifact
expect_exit 0 inst install --dry-run --json v1.artifact
[ "$(json "d['dry-run'] and d['written'] > 3000000 and d['fetched'] > 900000")" = true ] || fail "dry run"
untouched

step "faults after the signature: the device goes on booting what it ran"
size=$(stat -c %s v1.artifact)
cp v1.artifact chunk.artifact
flip chunk.artifact $((size - 5000))
expect_error 3 chunk-stored inst install chunk.artifact
boot_says default=a trial=none bad=b
[ "$sum_a" = "$(sha256sum <dev/a.img)" ] || fail "the running slot was written"
expect_exit 0 inst status --json
[ "$(json "d['phase'], d['reason'], d['slots']['b']['content']")" = '["failed", "chunk-stored", "partial"]' ] || fail "status"
# From a pipe the last fault is seen only at the end, and the slot is not armed either.
expect_error 3 tar-trailing sh -c "\"$top_build/artifact-install\" -c dev/install.conf install -v - <long.artifact"
boot_says default=a trial=none bad=b

step "another installer at work"
python3 -c 'import fcntl, sys, time
f = open(sys.argv[1], "r+")
fcntl.flock(f, fcntl.LOCK_EX)
open(sys.argv[2], "w").close()
time.sleep(60)' dev/state/lock locked &
pid=$!
cleanup "kill $pid 2>/dev/null"
while [ ! -e locked ]; do sleep 0.05; done
expect_error 7 state-locked inst install v1.artifact
kill "$pid"
wait "$pid" 2>/dev/null || :

step "a file, and again"
cp dev/b.full dev/b.img
expect_exit 0 inst install --json v1.artifact
[ "$(json "d['slot'], d['dry-run']")" = '["b", false]' ] || fail "json"
slot_is b v1.artifact
boot_says default=a trial=b left=3 bad=none booted=a
[ "$sum_a" = "$(sha256sum <dev/a.img)" ] || fail "the running slot was written"
[ "$(tr '\n' ' ' <dev/boot.calls | sed 's/.*bad b arm/bad b arm/')" = "bad b arm b 3 " ] || fail "calls"
tar -xOf v1.artifact manifest.json | cmp - dev/state/slot-b/manifest.json
tar -xOf v1.artifact payload/rootfs/0000.index | cmp - dev/state/slot-b/rootfs.0000.index
[ ! -e dev/state/slot-b.new ] || fail "slot-b.new was left"
expect_exit 0 inst install --json v1.artifact
[ "$(json "d['written'] + d['zeroed'] + d['fetched']")" = 0 ] || fail "a second install wrote: $(cat out)"

step "standard input, over the one before: only what differs"
expect_exit 0 sh -c "cat v2.artifact | \"$top_build/artifact-install\" -c dev/install.conf install --json -"
[ "$(json "0 < d['written'] < 1500000 and d['same'] > 4000000")" = true ] || fail "sums: $(cat out)"
slot_is b v2.artifact

outcome() { # SLOT WORD
	[ "$(json "d['slot'], d['outcome']")" = "[\"$1\", \"$2\"]" ] || fail "$(cat out)"
}
step "on trial: no install, commit, and back"
boot_slot b
expect_error 7 state-uncommitted inst install v1.artifact
expect_exit 7 inst mark-bad
expect_exit 0 inst commit --json
outcome b committed
boot_says default=b trial=none left=0 bad=none
expect_error 7 state-wrong inst commit
expect_exit 0 inst status --json
[ "$(json "d['phase'], d['running'], d['slots']['b']['version'], d['slots']['b']['content'], d['on-trial']")" = \
	'["committed", "b", "2.0", "good", 0]' ] || fail "status after commit: $(cat out)"
expect_exit 0 inst rollback --json
outcome a armed
boot_says default=b trial=a left=3
expect_exit 0 inst rollback --json
outcome a called-off
boot_says default=b trial=none bad=a
expect_exit 7 inst rollback
expect_exit 0 inst install v1.artifact
slot_is a v1.artifact
slot_is b v2.artifact
boot_says trial=a bad=none
boot_slot a
expect_exit 0 inst rollback --json
outcome a given-up
boot_says default=b trial=none bad=a
boot_slot b
expect_exit 0 inst mark-bad --json
outcome a bad

step "the counter floor, and downgrades"
create c7 3.0 --security-counter 7
create c6 4.0 --security-counter 6
expect_exit 0 inst install c7.artifact
# Not before the commit.
expect_exit 0 inst fit c6.artifact
boot_slot a
expect_exit 0 inst commit
expect_error 5 compat-counter inst install c6.artifact
rm dev/state/state
# The record is gone; what is kept of the running artifact still binds.
expect_error 5 compat-counter inst install c6.artifact
sed 's|^\[trust\]|&\ndowngrade = deny|' dev/install.conf >dev/deny.conf
create c8 2.5 --security-counter 8
expect_error 5 compat-downgrade "$top_build/artifact-install" -c dev/deny.conf install c8.artifact
expect_exit 0 inst install c8.artifact
expect_exit 0 inst status --json
[ "$(json "d['slots']['a']['version'], d['slots']['b']['version'], d['security-floor']")" = '["3.0", "2.5", 7]' ] || fail "recovered record"

sum_a=$(sha256sum <dev/a.img)
step "a garbled record is said to be lost, and nothing is rolled back for it"
printf garbage | dd of=dev/state/state conv=notrunc 2>/dev/null
printf garbage | dd of=dev/state/state conv=notrunc bs=1048576 seek=4 2>/dev/null
snapshot
expect_exit 0 inst status --json
[ "$(json "d['state-record'], d['security-floor']")" = '["lost", 7]' ] || fail "lost"
boot_says default=a trial=b
expect_exit 0 inst adopt --json c7.artifact
outcome a adopted
[ "$(json "d['equal'] == d['total'] > 0")" = true ] || fail "$(cat out)"
expect_exit 0 inst status --json
[ "$(json "d['state-record'], d['slots']['a']['version']")" = '["ok", "3.0"]' ] || fail "adopted: $(cat out)"
seq 7 150000 >root/text
create other 5.0 --security-counter 9
for other in c8 other; do
	expect_error 7 state-wrong inst adopt $other.artifact
done

step "hooks"
mkdir dev/hooks
printf '#!/bin/sh\necho "$TWINROOT_EVENT $TWINROOT_SLOT" >>%s/hooks.log\n' "$tmp" >dev/hooks/pre-install
chmod +x dev/hooks/pre-install
cp dev/hooks/pre-install dev/hooks/post-install
expect_exit 0 inst install c8.artifact
[ "$(cat hooks.log | tr '\n' ';')" = "pre-install b;post-install b;" ] || fail "hooks"
printf '#!/bin/sh\nexit 1\n' >dev/hooks/pre-install
snapshot
expect_exit 1 inst install c8.artifact
untouched
rm -r dev/hooks

step "a bootloader that fails, or says it did and did not"
snapshot
touch dev/boot.fail-bad
expect_exit 1 inst install c8.artifact
cmp before.img dev/b.img || fail "written although the slot could not be made unbootable"
rm dev/boot.fail-bad
touch dev/boot.fail-arm
expect_exit 1 inst install c8.artifact
boot_says default=a trial=none bad=b
rm dev/boot.fail-arm
sed 's/^arm)$/arm) exit 0/' dev/boot.sh >dev/boot2.sh
chmod +x dev/boot2.sh
sed 's|boot.sh|boot2.sh|' dev/install.conf >dev/liar.conf
expect_exit 6 "$top_build/artifact-install" -c dev/liar.conf install c8.artifact
boot_says default=a trial=none bad=b
assert_no_litter

step "the log names only events that are written down"
[ "$(python3 - "$top_src/installer/README.md" dev/state/log <<'END'
import json, re, sys
known = set(re.findall(r"^\| `([a-z-]+)` \|", open(sys.argv[1]).read(), re.M))
seen = {json.loads(line)["event"] for line in open(sys.argv[2])}
print("ok" if seen and seen <= known else seen - known)
END
)" = ok ] || fail "log events"
