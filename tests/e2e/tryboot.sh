#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tryboot backend, with the Raspberry Pi's firmware played by a shell function: it reads autoboot.txt as the firmware's documentation
# says, and tells in a device tree what it started. The device tree is a tmpfs in a mount namespace of the test's own; in that
# user namespace no reboot(2) can succeed either.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/firmware.sh"
. "$top_src/tests/e2e/device.sh"
requires strace
cd "$tmp"
auto=$tmp/autoboot.txt
make_device 8388608 "[boot]
backend = tryboot
autoboot = $auto
partition-a = 2
partition-b = 3"
make_versions

factory() { # as README.md of installer/boot says
	{ printf '[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n'; yes '' | head -c 512; } | head -c 512 >"$auto"
}

cell() { python3 -c 'import sys; sys.stdout.buffer.write(int(sys.argv[1]).to_bytes(4, "big"))' "$1"; }

firmware() { # [try]: start what autoboot.txt says
	next_boot
	mkdir -p "$tree/chosen/bootloader"
	part=$(awk -F '[=\r]' -v want="$([ "${1:-}" = try ] && echo '[tryboot]' || echo '[all]')" \
		'/^\[/ { section = $1 } /^boot_partition=/ && section == want { print $2 }' "$auto")
	cell "$part" >"$tree/chosen/bootloader/partition"
	cell "$([ "${1:-}" = try ] && echo 1 || echo 0)" >"$tree/chosen/bootloader/tryboot"
}

says() { # ALL TRYBOOT WORDS
	[ "$(stat -c %s "$auto")" = 512 ] || fail "autoboot.txt has not 512 bytes"
	[ "$(tr '\n' ' ' <"$auto" | sed 's/ *$//; s/n=[0-9]* # sum/n=N # sum/' | cut -d'#' -f1-2)" = "[all] tryboot_a_b=1 boot_partition=$1 [tryboot] boot_partition=$2 # twinroot $3 transaction=N " ] ||
		{ cat "$auto" >&2; fail "autoboot.txt does not say $1 $2 $3"; }
}

status_is() { # DEFAULT RUNNING TRIAL LEFT
	expect_exit 0 inst status --json
	have=$(json "d['boot']['default'], d['running'], d['boot']['trial'], d['boot']['tries-left']")
	[ "$have" = "[\"$1\", \"$2\", \"$3\", $4]" ] || fail "status is $have, not $1 $2 $3 $4"
}

step "a factory's file; install; trial; commit"
factory
firmware
status_is a a none 0
json "d['boot']['caution']" | grep -q 'not on a FAT filesystem' || fail "no caution about a file that the firmware does not read"
inode=$(stat -c %i "$auto")
expect_exit 0 inst install v1.artifact
slot_is b v1.artifact
says 2 3 "trial=b left=1 bad=none"
status_is a a b 1
firmware try
status_is a b b 1
expect_error 7 state-uncommitted inst install v2.artifact
strace -f -o trace -e trace=openat,pwrite64,write,fsync,fdatasync,rename,renameat,ftruncate,unlink,unlinkat \
	"$top_build/artifact-install" -c dev/install.conf commit
says 3 2 "trial=none left=0 bad=none"
[ "$(stat -c %i "$auto")" = "$inode" ] || fail "autoboot.txt was replaced"
python3 - trace "$auto" <<'END' || fail "the commit is not one write of one sector"
import re, sys
fds, acts = {}, []
for line in open(sys.argv[1]):
    match = re.match(r"\d+ +(\w+)\((.*)", line)
    if not match:
        continue
    call, rest = match.groups()
    fd = re.match(r"\d+", rest)
    if call == "openat":
        back = re.search(r"= (\d+)$", line)
        if back:
            fds[back.group(1)] = sys.argv[2] in rest and "O_WRONLY" in rest
    elif sys.argv[2] in rest:
        acts.append(call)
    elif fd and fds.get(fd.group()):
        acts.append(call + (re.search(r", (\d+, \d+)\) = 512", rest) or [0, ""])[1])
print(acts)
sys.exit(acts != ["pwrite64512, 0", "fdatasync"])
END
status_is b b none 0
firmware
status_is b b none 0

step "install with --reboot asks the kernel for a try; the trial falls back"
strace -f -o trace -e trace=reboot -e inject=reboot:error=EPERM \
	"$top_build/artifact-install" -c dev/install.conf install --reboot v2.artifact 2>err && fail "reboot came back as done"
grep -q 'LINUX_REBOOT_CMD_RESTART2, "0 tryboot")' trace || { cat trace; fail "no reboot with the argument"; }
[ "$(grep -c 'reboot(' trace)" = 1 ]
says 3 2 "trial=a left=1 bad=none"
expect_exit 0 inst rollback
# As when it succeeds: the program ends there.
strace -f -o trace -e trace=reboot -e inject=reboot:error=EPERM:signal=KILL \
	"$top_build/artifact-install" -c dev/install.conf install --reboot v2.artifact 2>err && fail "not killed"
says 3 2 "trial=a left=0 bad=none"
firmware
status_is b b a 0
# The slot that was fallen back to tries it again by itself, then gives up: tries = 3.
for again in first second; do
	step "the $again try after it"
	strace -f -o trace -e trace=reboot -e inject=reboot:error=EPERM:signal=KILL \
		"$top_build/artifact-install" -c dev/install.conf boot-check 2>err && fail "not killed"
	grep -q '"0 tryboot")' trace || { cat trace err; fail "boot-check did not start the trial again"; }
	says 3 2 "trial=a left=0 bad=none"
	firmware
done
expect_exit 0 inst boot-check
says 3 2 "trial=none left=0 bad=a"
expect_exit 0 inst status --json
[ "$(json "d['reason']")" = tries-used-up ] || fail "$(json "d['reason']")"

step "a damaged file: boot-check makes it anew, with the default that the state record knows"
for damage in flip short long empty; do
	rm -rf dev/state
	factory
	firmware
	expect_exit 0 inst install v2.artifact
	firmware try
	expect_exit 0 inst commit
	cp "$auto" good
	case $damage in
	flip) flip "$auto" 30 ;;
	short) truncate -s 300 "$auto" ;;
	long) echo >>"$auto" ;;
	empty) : >"$auto" ;;
	esac
	cp dev/a.img before.img
	expect_error 6 boot-lost inst install v1.artifact
	cmp before.img dev/a.img
	command_line twinroot.slot=b
	expect_exit 0 inst boot-check
	firmware
	status_is b b none 0
	cmp good "$auto"
done

step "nothing to go by"
cp dev/a.img before.img
rm "$auto"
expect_error 6 io inst install v1.artifact
expect_err "is its partition mounted?"
factory
sed -i 's/boot_partition=3/boot_partition=5/' "$auto"
expect_error 2 usage inst status
expect_err "names the boot partitions 2 and 5, but 'partition-a' and 'partition-b' of [boot] are 2 and 3"
sed -i '/partition-b/d' dev/install.conf
expect_error 2 usage inst status
expect_err "are required"
cmp before.img dev/a.img
assert_no_litter
