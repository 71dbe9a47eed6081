#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The installer is killed at, or fails in, one input or output call after another; afterwards the running slot boots as
# before, and a second run succeeds. $RUNS points (default 15, spread evenly); FULL=1: every one.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
[ -f ./failio.so ] || skip "built without unit tests"
cd "$tmp"
make_device 8388608
make_versions
cp dev/b.img fresh.img
cp dev/boot fresh.boot
sum_a=$(sha256sum <dev/a.img)

reset() {
	cp fresh.img dev/b.img
	cp fresh.boot dev/boot
	rm -rf dev/state
}
safe() { # after any end: slot a boots, and b only if it is whole
	[ "$sum_a" = "$(sha256sum <dev/a.img)" ] || fail "the running slot was written"
	boot_says default=a
	if grep -qx trial=b dev/boot; then
		slot_is b v1.artifact
	fi
}

run="$top_build/artifact-install -c $tmp/dev/install.conf install -q v1.artifact"
reset
# shellcheck disable=SC2086
shim eio 0 $run
total=$(calls)
step "an install makes $total calls"
[ "$total" -gt 50 ] || fail "the shim counts nothing"
boot_says trial=b
points=${RUNS:-15}
[ "${FULL:-}" != 1 ] || points=$total
[ "$points" -le "$total" ] || points=$total
for how in kill eio enospc; do
	n=1
	ended=0
	while [ "$n" -le "$points" ]; do
		at=$((n * total / points))
		reset
		status=0
		# shellcheck disable=SC2086
		shim $how $at $run >out 2>err || status=$?
		case $how-$status in
		*-0) boot_says trial=b ;;
		kill-137 | *-1 | *-2 | *-6) ended=$((ended + 1)) ;;
		*) cat err >&2; fail "$how at call $at: status $status" ;;
		esac
		safe
		# A boot script that the killed one had started holds the lock to its end.
		for _ in $(seq 100); do
			again=0
			# shellcheck disable=SC2086
			$run 2>err || again=$?
			[ "$again" = 7 ] && grep -q "is locked" err || break
			sleep 0.1
		done
		[ "$again" = 0 ] || { cat err >&2; fail "$how at call $at, then once more: status $again"; }
		boot_says default=a trial=b bad=none
		slot_is b v1.artifact
		[ ! -e dev/state/slot-b.new ] || fail "$how at call $at: slot-b.new is left"
		n=$((n + 1))
	done
	echo "$how: $points points, $ended of them ended the run"
	# Half of all calls read what the slot held before, and where that cannot be read, it is written anew.
	least=$((points / 3))
	[ "$how" != kill ] || least=$((points - 3))
	[ "$ended" -gt $least ] || fail "$how ended too few runs"
done

step "what was written before a kill is not written again"
reset
# shellcheck disable=SC2086
shim kill $((total * 2 / 3)) $run || :
expect_exit 0 inst install --json v1.artifact
[ "$(json "d['written'] < 3800000")" = true ] || fail "everything was written again: $(cat out)"

step "a write that the storage lost is found and made again; storage that goes on losing them is not used"
# pwrite calls: the two blocks of a new record, `installing` into both, then the slot, and `installed` as the last.
reset
# shellcheck disable=SC2086
shim lost 0 $run
last=$(calls)
[ "$last" -gt 6 ] || fail "only $last writes"
mended=0
for at in 5 $((last / 2)) $((last - 1)); do
	reset
	status=0
	# shellcheck disable=SC2086
	shim lost "$at" $run 2>err || status=$?
	if [ "$status" = 0 ]; then
		grep -q '"event":"rewritten"' dev/state/log || fail "write $at was lost, and nobody noticed"
		slot_is b v1.artifact
		boot_says trial=b
		mended=$((mended + 1))
	else
		# A row that is copied from the lost one sees it before the read-back.
		[ "$status" = 6 ] || fail "write $at lost: status $status"
		grep -q "gives back something else" err || fail "write $at lost: $(cat err)"
		boot_says trial=none bad=b
	fi
	reset
	# shellcheck disable=SC2086
	FAULT_MODE=from expect_error 6 verify-storage shim lost "$at" $run
	safe
	boot_says trial=none bad=b
	reset
	# A pipe cannot be read again.
	expect_error 6 verify-storage shim lost "$at" sh -c "cat v1.artifact | $top_build/artifact-install -c dev/install.conf install -q - \"\$@\"" x
	boot_says trial=none bad=b
	expect_exit 0 inst install v1.artifact
	slot_is b v1.artifact
done
[ "$mended" -gt 0 ] || fail "no lost write was mended"

step "a sector that a cut has left unreadable is written anew, not run into again and again"
reset
expect_exit 0 "$top_build/artifact-inspect" image --keys k.keys -o whole.img v1.artifact
# Where the image has zeros, in a slot of noise; and in what an installation that was cut has written.
for kind in zeros bytes; do
	at=$(python3 -c 'import sys
image = open("whole.img", "rb").read()
pages = [o for o in range(0, len(image), 4096) if any(image[o:o + 4096]) == (sys.argv[1] == "bytes")]
print(pages[len(pages) // 8] + 100)' "$kind")
	reset
	[ "$kind" = zeros ] || head -c 600000 v1.artifact | "$top_build/artifact-install" -c dev/install.conf install -q - 2>/dev/null || :
	FAULT_TARGET="$tmp/dev/b.img" FAULT_OFFSET="$at" shim sector 0 "$top_build/artifact-install" -c dev/install.conf install v1.artifact \
		2>err || fail "$kind: $(cat err)"
	expect_err "counts as empty and is written anew"
	slot_is b v1.artifact
	safe
done
