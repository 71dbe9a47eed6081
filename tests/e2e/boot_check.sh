#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# boot-check: the course of a trial, every reason to go back, and every pair of boot store and state record. Reboots are left out
# here (--no-reboot) and belong to the virtual devices.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
cd "$tmp"
make_device 8388608
mkdir checks
conf() { # EXTRA LINE OF [checks]...
	sed -i '/^\[checks\]/,$d' dev/install.conf
	{
		echo "[checks]"
		echo "directory = $tmp/checks"
		echo "watchdog = none"
		for lib_line; do echo "$lib_line"; done
		echo "[download]"
		echo "program = $top_build/artifact-fetch"
	} >>dev/install.conf
}
bc() { inst boot-check --no-reboot; }
# In the background, so that $pid is the program's own.
bc_background() { # OUTPUT
	"$top_build/artifact-install" -c dev/install.conf boot-check --no-reboot >"$1" 2>&1 &
	pid=$!
	cleanup "kill -9 $pid 2>/dev/null"
}
state() { python3 "$top_src/tests/e2e/state_record.py" set dev/state/state "$@"; }
state_says() { # EXPRESSION of d
	have=$(python3 "$top_src/tests/e2e/state_record.py" show dev/state/state | python3 -c 'import json, sys
d = json.load(sys.stdin); print(bool(eval(sys.argv[1])))' "$1")
	[ "$have" = True ] || { python3 "$top_src/tests/e2e/state_record.py" show dev/state/state >&2; fail "the record does not say $1"; }
}
check() { # NAME: a check out of standard input
	{
		echo '#!/bin/sh'
		cat
	} >"checks/$1"
	chmod +x "checks/$1"
}
logged() { tail -n "${2:-8}" dev/state/log | grep -qF -e "$1" || { tail -n 8 dev/state/log >&2; fail "the log does not say $1"; }; }
# The bootloader starts the trial of SLOT; another boot, as far as the record knows.
start() {
	boot_set "left=$(($(sed -n 's/^left=//p' dev/boot) - 1))"
	boot_slot "$1"
	state boot=other
}

conf "settle = 0"
make_versions
step "nothing to do on a fresh device"
expect_exit 0 bc
expect_out "slot a runs and is the default, idle"

step "a trial that passes"
expect_exit 0 inst install v1.artifact
expect_exit 0 bc
expect_out "installed"
boot_says trial=b left=3 default=a
check 10-env <<'END'
[ "$TWINROOT_SLOT $TWINROOT_VERSION" = "b 1.0" ] && echo "pass $TWINROOT_PASS" >>"$(dirname "$0")/../passes"
END
start b
expect_exit 0 bc
expect_out "slot b runs and is the default, committed"
boot_says default=b trial=none bad=none
state_says 'd["phase"] == "committed" and d["active"] == "b" and d["b"]["content"] == "good"'
[ "$(cat passes)" = "pass 1
pass 2" ] || fail "checks ran: $(cat passes)"
[ "$(sed -n 's/.*"event":"\([^"]*\)".*/\1/p' dev/state/log | tail -n 4 | tr '\n' ' ')" = "boot-check trial-started healthy committed " ] || fail log
rm checks/10-env

step "checks: fail, ask again, deadline, not executable, noise"
back() { # REASON: the trial on a goes back, for that
	lib_reason=$1
	expect_exit 1 bc
	expect_err "a reboot is due"
	boot_says default=b trial=none bad=a
	state_says "d['phase'] == 'rolled-back' and d['reason'] == '$lib_reason' and d['a']['content'] == 'bad'"
	# Asked again before the reboot: nothing.
	expect_exit 0 bc
	boot_slot b
	state boot=other
	expect_exit 0 bc
	state_says "d['reason'] == '$lib_reason'"
}
again() { # install v2 and start it
	expect_exit 0 inst install v2.artifact
	start a
}
again
check 20-luck <<'END'
printf 'no luck \377\001\n'; exit 3
END
back "check-failed: 20-luck"
logged '"output":"no luck ??\n"'
again
check 20-luck <<'END'
[ -e "$(dirname "$0")/../ready" ] && exit 0
touch "$(dirname "$0")/../ready"
exit 75
END
check 30-second <<'END'
[ "$TWINROOT_PASS" = 1 ] || { echo "second time" >&2; exit 1; }
END
back "check-failed: 30-second"
logged '"pass":2,"output":"second time\n"'
rm checks/30-second
again
conf "settle = 0" "deadline = 1"
check 20-luck <<'END'
exit 75
END
back "check-failed: 20-luck"
conf "settle = 0" "timeout = 1"
again
check 20-luck <<'END'
sleep 100
END
back "check-failed: 20-luck"
logged "did not end within 1 seconds"
again
chmod -x checks/20-luck
back "check-failed: 20-luck"
cat >checks/20-luck <<'END'
#!/bin/sh
exit 1
END
chmod +x checks/20-luck
again
# A parent that ignores SIGCHLD leaves it so, and then no end of a program is told.
bc() { env --ignore-signal=CHLD "$top_build/artifact-install" -c dev/install.conf boot-check --no-reboot; }
back "check-failed: 20-luck"
bc() { inst boot-check --no-reboot; }
mv checks/20-luck checks/20-luck.orig
conf "settle = 0"

step "the next update would not work"
again
mv k.keys k.away
make_key k 2>/dev/null || :
back "cannot-update: keys"
rm -rf k.keys
back_keys() { mv k.away k.keys; }
back_keys
again
sed -i 's/^type = .*/type = other-board/' dev/install.conf
back "cannot-update: device-type"
sed -i 's/^type = .*/type = test-board/' dev/install.conf
again
cp dev/b.img b.save
truncate -s 1M dev/b.img
back "cannot-update: slots"
cp b.save dev/b.img
again
sed -i "s,^program = .*,program = $tmp/none," dev/install.conf
back "cannot-update: fetcher"
conf "settle = 0"
again
touch dev/boot.fail-noop
back "cannot-update: boot-store"
rm dev/boot.fail-noop

step "given up from outside: emergency mode, whatever else is broken; not on trial nothing is done"
check 10-never <<'END'
touch "$(dirname "$0")/../asked-though-given-up"
END
expect_exit 0 inst boot-check --no-reboot --give-up=emergency-mode
expect_err "slot b is not on trial: nothing to give up"
boot_says default=b bad=a
expect_exit 0 inst install v2.artifact
expect_exit 0 inst boot-check --no-reboot --give-up=emergency-mode
boot_says trial=a left=3
for word in "" Emergency "two words" "$(printf '%048d' 0)"; do
	expect_exit 2 inst boot-check --no-reboot "--give-up=$word"
done
start a
bc() { inst boot-check --no-reboot --give-up=emergency-mode; }
back emergency-mode
bc() { inst boot-check --no-reboot; }
logged '"reason":"emergency-mode"'
[ ! -e asked-though-given-up ] || fail "a slot that was given up was judged"
rm checks/10-never

step "the default did not boot: rollback has nowhere to go, and the slot that runs may be kept"
expect_exit 0 inst install v2.artifact
boot_set trial=none left=0
boot_slot a
state boot=other
expect_exit 7 inst rollback
expect_err "slot a runs though slot b is the default, which did not boot"
boot_says bad=none
expect_exit 0 bc
boot_says default=a
state_says 'd["phase"] == "committed" and d["active"] == "a"'

step "the bootloader's own tools have made the other slot the default: it has to pass, and must be one that may run"
check 10-other <<'END'
exit 1
END
boot_set default=b
boot_slot b
state boot=other
expect_exit 1 bc
expect_err "check-failed: 10-other"
boot_says default=b bad=none
rm checks/10-other
state boot=other b.content=bad
expect_exit 1 bc
boot_says default=a
boot_slot a
state boot=other b.content=good
expect_exit 0 bc
state_says 'd["phase"] == "committed" and d["active"] == "a"'
boot_set default=b
boot_slot b
state boot=other
expect_exit 0 bc
state_says 'd["phase"] == "committed" and d["active"] == "b"'

step "the wrong slot was started"
again
boot_set trial=none left=0
expect_exit 0 bc
expect_out "slot a runs and is the default, committed"
boot_says default=a

step "tries used up, never started, cut before arming"
expect_exit 0 inst install v1.artifact
boot_set left=0
state boot=other
expect_exit 0 bc
state_says 'd["phase"] == "rolled-back" and d["reason"] == "tries-used-up"'
boot_says bad=b trial=none
expect_exit 0 inst install v1.artifact
for n in 1 2; do
	state boot=other
	expect_exit 1 bc
	boot_says trial=b left=3
	state_says "d['used'] == $n"
done
state boot=other
expect_exit 0 bc
state_says 'd["phase"] == "rolled-back" and d["reason"] == "never-started"'
expect_exit 0 inst install v1.artifact
boot_set trial=none left=0 bad=b "transaction=$(($(sed -n 's/^transaction=//p' dev/boot) + 1))"
state boot=other reason=by-hand
expect_exit 0 bc
state_says 'd["phase"] == "rolled-back" and d["reason"] == "by-hand"'
expect_exit 0 inst install v1.artifact
boot_set trial=none left=0 bad=b
state boot=other
expect_exit 1 bc
boot_says trial=b left=3 bad=none

step "killed between the two writes of a commit; and while it is healthy"
start b
expect_exit 0 bc
expect_exit 0 inst install v2.artifact
start a
state phase=healthy
boot_set default=a trial=none left=0
expect_exit 0 bc
state_says 'd["phase"] == "committed" and d["active"] == "a"'
conf "settle = 0" "remote-program = $tmp/remote" "remote-limit = 600" "remote = prefer"
printf '#!/bin/sh\ntouch %s/asked\nexit 1\n' "$tmp" >remote
chmod +x remote
expect_exit 0 inst install v1.artifact
start b
bc_background /dev/null
for _ in $(seq 200); do [ ! -e asked ] || break; sleep 0.1; done
[ -e asked ] || fail "the server was not asked"
step "while it waits, status answers and nothing else may begin"
expect_exit 0 inst status
for _ in $(seq 100); do
	inst install -v v2.artifact 2>err && fail "installed over a trial"
	grep -q state-locked err || break
	sleep 0.1
done
grep -q state-uncommitted err || fail "$(cat err)"
kill -9 $pid
wait $pid 2>/dev/null || :
state_says 'd["phase"] == "healthy"'
boot_says trial=b left=3 default=a
start b
printf '#!/bin/sh\nexit 0\n' >remote
expect_exit 0 bc
state_says 'd["phase"] == "committed" and d["reason"] == ""'

step "healthy and never committed: power cuts cost nothing, dying again and again does"
expect_exit 0 inst install v2.artifact
printf '#!/bin/sh\ntouch %s/asked\nexit 1\n' "$tmp" >remote
for used in 0 20; do
	start a
	state phase=healthy target=a used=$used
	boot_set left=1
	rm -f asked
	bc_background /dev/null
	for _ in $(seq 200); do [ ! -e asked ] || break; sleep 0.1; done
	kill -9 $pid
	wait $pid 2>/dev/null || :
	case $used in 0) boot_says left=3 ;; *) boot_says left=1 ;; esac
done
boot_set left=0
boot_slot b
state boot=other
expect_exit 0 bc
state_says 'd["phase"] == "rolled-back" and d["reason"] == "tries-used-up"'

step "the server is not reached: prefer, require, cut off"
remote() { # STATUS HOW
	conf "settle = 0" "remote-program = $tmp/remote" "remote-limit = 1" "remote = $2"
	printf '#!/bin/sh\nexit %s\n' "$1" >remote
}
remote 1 prefer
expect_exit 0 inst install v2.artifact
start a
expect_exit 0 bc
expect_out "committed: unproven"
remote 2 prefer
expect_exit 0 inst install v1.artifact
start b
expect_exit 0 bc
expect_out "committed: unproven"
remote 0 prefer
expect_exit 0 inst install v2.artifact
state_says 'd["reached"] == 1'
remote 2 prefer
start a
back broken-network
remote 0 require
expect_exit 0 inst install v2.artifact
remote 1 require
start a
back remote-limit
remote 1 ignore
again
expect_exit 0 bc
expect_out committed
refuse_out unproven

step "committed by hand while boot-check waits"
conf "settle = 3"
expect_exit 0 inst install v1.artifact
start b
bc_background bc.out
for _ in $(seq 100); do grep -q trial-started dev/state/log && inst commit >/dev/null 2>&1 && break; sleep 0.1; done
wait $pid
grep -q "slot b runs and is the default, committed" bc.out || fail "boot-check said: $(cat bc.out)"

step "a lost record: the trial goes on, nothing is rolled back for it"
conf "settle = 0"
expect_exit 0 inst install v2.artifact
start a
dd if=/dev/urandom of=dev/state/state bs=4096 count=1 conv=notrunc 2>/dev/null
dd if=/dev/urandom of=dev/state/state bs=4096 count=1 seek=1024 conv=notrunc 2>/dev/null
expect_exit 0 bc
expect_err "the state record is lost"
boot_says default=a trial=none
expect_exit 0 inst install v1.artifact
start b
expect_exit 0 bc

step "a trial whose data partition is lost goes back: nothing shows that it could be updated"
expect_exit 0 inst install v2.artifact
start a
mv dev/state dev/state.lost
expect_exit 1 bc
boot_says default=b bad=a
state_says 'd["reason"] == "cannot-update: kept-files"'
boot_slot b
state boot=other
expect_exit 0 bc
expect_exit 0 inst install v2.artifact
start a
expect_exit 0 bc
expect_exit 0 inst install v1.artifact
start b
expect_exit 0 bc

step "what the device cannot be opened with any more when the settle time is over"
conf "settle = 5"
check 40-begun <<'END'
touch "$(dirname "$0")/../begun"
END
spoiled() { # COMMAND: while the trial on b settles
	rm -f begun
	start b
	bc_background bc.out
	for _ in $(seq 300); do [ ! -e begun ] || break; sleep 0.1; done
	[ -e begun ] || fail "the trial did not begin"
	"$@"
	status=0
	wait $pid || status=$?
	[ $status = 1 ] && grep -q "a reboot is due" bc.out || fail "boot-check ended with $status: $(cat bc.out)"
}
expect_exit 0 inst install v2.artifact
start a
expect_exit 0 bc
expect_exit 0 inst install v1.artifact
# It does not know then which slot runs, and must not give up the other one.
spoiled mv dev/a.img a.away
mv a.away dev/a.img
boot_says default=a trial=none bad=b
state_says 'd["phase"] == "rolled-back" and d["active"] == "a" and d["b"]["content"] == "bad"'
boot_slot a
state boot=other
expect_exit 0 inst install v1.artifact
# No record and no backend to act with: restarting uses up the tries.
spoil_state() { mv dev/state state.away && : >dev/state; }
spoiled spoil_state
rm dev/state
mv state.away dev/state
boot_says default=a trial=b left=2 bad=none
conf "settle = 0"
rm checks/40-begun
start b
expect_exit 0 bc
expect_out "slot b runs and is the default, committed"

step "every pair of store and record"
expect_exit 0 inst install v2.artifact
python3 "$top_src/tests/e2e/boot_pairs.py" "$top_build/artifact-install" "$tmp/dev"
assert_no_litter
