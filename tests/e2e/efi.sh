#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The EFI backend over a directory of variables (efishim.c), with the firmware's boot manager played by a function; what it wrote is judged
# by efibootmgr. A power cut between any two writes of any act leaves what boots a complete slot, and the act can be done again.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires efibootmgr
. "$top_src/tests/e2e/firmware.sh"
. "$top_src/tests/e2e/device.sh"
. "$top_src/tests/e2e/efi_device.sh"
cd "$tmp"
efi_device efi "Twinroot A" "Twinroot B"

cat >efi.py <<'END'
# efi.py DIRECTORY reset | boot: the firmware
import os, struct, sys
G = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"
os.chdir(sys.argv[1])
def put(name, data, attributes=7):
    with open(name + G, "wb") as f:
        f.write(struct.pack("<I", attributes) + data)
def get(name):
    try:
        with open(name + G, "rb") as f:
            data = f.read()[4:]
        return list(struct.unpack("<%dH" % (len(data) // 2), data))
    except FileNotFoundError:
        return []
def option(number, label):
    path = bytes.fromhex("7fff0400")
    put("Boot%04X" % number, struct.pack("<IH", 1, len(path)) + (label + "\0").encode("utf-16-le") + path)
if sys.argv[2] == "reset":
    for name in os.listdir("."):
        os.unlink(name)
    option(7, "USB")
    option(1, "Twinroot A")
    option(0xA2, "Twinroot B")
    put("BootOrder", struct.pack("<3H", 7, 1, 0xA2))
else:
    order = get("BootNext") + get("BootOrder")
    if get("BootNext"):
        os.unlink("BootNext" + G)
    chosen = [n for n in order if n in (1, 0xA2)][0] # no stick is there
    put("BootCurrent", struct.pack("<H", chosen), 6)
END
firmware() { python3 efi.py "$efivars" boot; }
reset() {
	rm -rf dev/state
	python3 efi.py "$efivars" reset
	firmware
}
says() { # CURRENT NEXT ORDER
	EFIVARFS_PATH=$efivars/ efibootmgr >mgr
	have="$(sed -n 's/^BootCurrent: //p' mgr) $(sed -n 's/^BootNext: //p' mgr) $(sed -n 's/^BootOrder: //p' mgr)"
	[ "$have" = "$1 $2 $3" ] || fail "efibootmgr says '$have', not '$1 $2 $3'"
}

step "install, trial, commit; the stick stays in front"
reset
status_is a a none 0
says 0001 "" 0007,0001,00A2
expect_exit 0 inst install v1.artifact
slot_is b v1.artifact
says 0001 00A2 0007,0001
status_is a a b 1
firmware
says 00A2 "" 0007,0001
status_is a b b 0
expect_error 7 state-uncommitted inst install v2.artifact
expect_exit 0 inst commit
says 00A2 "" 0007,00A2,0001
status_is b b none 0
firmware
status_is b b none 0

step "a trial that falls back, and one that is called off"
expect_exit 0 inst install v2.artifact
says 00A2 0001 0007,00A2
firmware
firmware
status_is b b a 0
expect_exit 0 inst rollback
says 00A2 "" 0007,00A2
expect_exit 0 inst install v2.artifact
says 00A2 0001 0007,00A2
expect_exit 0 inst rollback
says 00A2 "" 0007,00A2
status_is b b none 0

step "numbers instead of labels; what is not there or there twice"
sed 's/Twinroot A/Boot0001/; s/Twinroot B/Boot00A2/' dev/install.conf >numbers.conf
EFIVARFS_PATH=$efivars/ "$top_build/artifact-install" -c numbers.conf status | grep -q 'default b'
sed 's/Twinroot A/Twinroot/' dev/install.conf >wrong.conf
expect_exit 2 env EFIVARFS_PATH=$efivars/ "$top_build/artifact-install" -c wrong.conf status
expect_err "no EFI boot entry is called 'Twinroot'"
cp dev/install.conf labels.conf
sed 's/Boot00A2/Boot00a2/' numbers.conf >dev/install.conf
expect_exit 0 inst status
cp dev/a.img before.img
for entry in Boot0001 Boot00A2; do
	mv "$efivars/$entry"-* gone
	for act in status "install v1.artifact" commit; do
		# shellcheck disable=SC2086
		expect_error 2 usage inst $act
		expect_err "there is no EFI boot entry '$entry'"
	done
	mv gone "$efivars/$entry-8be4df61-93ca-11d2-aa0d-00e098032b8c"
done
cmp before.img dev/a.img
cp labels.conf dev/install.conf
cp "$efivars"/Boot0001-* "$efivars/Boot0003-8be4df61-93ca-11d2-aa0d-00e098032b8c"
expect_exit 2 inst status
expect_err "more than one EFI boot entry is called 'Twinroot A'"

step "the firmware forgot the order: boot-check makes it anew, with the default that the state record knows"
reset
expect_exit 0 inst install v1.artifact
firmware
expect_exit 0 inst commit
rm "$efivars"/BootOrder-*
expect_error 6 boot-lost inst install v2.artifact
command_line twinroot.slot=b
expect_exit 0 inst boot-check
says 00A2 "" 00A2,0001
status_is b b none 0

step "a damaged own variable counts as one that was never written"
reset
expect_exit 0 inst install v1.artifact
own=$(ls "$efivars"/TwinrootBoot-*)
flip "$own" 30
status_is a a none 0

step "a power cut before each write of each act"
boots() { # ENTRY...: one of these, without changing anything
	cp -a "$efivars" boot-trial
	python3 efi.py "$tmp/boot-trial" boot
	want=$(od -An -tx2 -j4 boot-trial/BootCurrent-* | tr -d ' ')
	rm -r boot-trial
	case " $* " in *" $want "*) ;; *) fail "entry $want boots after the cut, not $*" ;; esac
}
reset
expect_exit 0 inst status
mkdir dev/state
after_install() { boots 0001; }
done_install() { status_is a a b 1; slot_is b v1.artifact; }
with_cuts after_install done_install install v1.artifact
firmware
after_commit() { boots 0001 00a2; }
done_commit() { says 00A2 "" 0007,00A2,0001; status_is b b none 0; }
with_cuts after_commit done_commit commit
expect_exit 0 inst install v2.artifact
firmware
after_rollback() { boots 00a2; }
done_rollback() { says 0001 "" 0007,00A2; }
with_cuts after_rollback done_rollback rollback
firmware
status_is b b none 0
echo "$cuts cuts"
assert_no_litter
