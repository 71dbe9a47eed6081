#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The systemd-boot backend over a directory of variables (efishim.c), with the loader played by a function; the real one is started in
# tests/vm (x86-uefi-grub/systemd-boot). A power cut between any two writes of any act leaves what boots a complete slot.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/firmware.sh"
. "$top_src/tests/e2e/device.sh"
. "$top_src/tests/e2e/efi_device.sh"
cd "$tmp"
efi_device systemd-boot twinroot-a.conf twinroot-b.conf

cat >loader.py <<'END'
# loader.py DIRECTORY boot | says | set NAME VALUE: systemd-boot, whose loader.conf says "default twinroot-a.conf"
import os, struct, sys
G = "-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
os.chdir(sys.argv[1])
def put(name, text, attributes):
    with open(name + G, "wb") as f:
        f.write(struct.pack("<I", attributes) + (text + "\0").encode("utf-16-le"))
def get(name):
    try:
        with open(name + G, "rb") as f:
            data = f.read()
    except FileNotFoundError:
        return ""
    assert data[-2:] == b"\0\0" and struct.unpack("<I", data[:4])[0] in (6, 7)
    return data[4:-2].decode("utf-16-le")
if sys.argv[2] == "boot":
    chosen = get("LoaderEntryOneShot") or get("LoaderEntryDefault") or "twinroot-a.conf"
    if get("LoaderEntryOneShot"):
        os.unlink("LoaderEntryOneShot" + G)
    put("LoaderEntrySelected", chosen, 6)
elif sys.argv[2] == "set":
    put(sys.argv[3], sys.argv[4], 7)
else:
    print(*(get("LoaderEntry" + n)[9:10] or "-" for n in ("Selected", "OneShot", "Default")))
END
firmware() { python3 loader.py "$efivars" boot; }
reset() { # as from the factory: the loader has booted a, and boot-check has made the store
	rm -rf dev/state
	rm -f "$efivars"/*
	firmware
	command_line twinroot.slot=a
	expect_exit 0 inst boot-check
	next_boot
}
says() { # "SELECTED ONE-SHOT DEFAULT"
	have=$(python3 loader.py "$efivars" says)
	[ "$have" = "$1" ] || fail "the variables say '$have', not '$1'"
}

step "names that systemd-boot would take for something else"
for name in 'twinroot-a+3.conf' 'twinroot-*.conf' Twinroot-a.conf twinroot-a .conf "twinroot-$(printf %060d 0).conf"; do
	sed "s/^entry-a = .*/entry-a = $name/" dev/install.conf >wrong.conf
	expect_exit 2 "$top_build/artifact-install" -c wrong.conf status
	expect_err "'$name' is no name for an entry here"
done
sed "s/^entry-a = .*/entry-a = twinroot-b.conf/" dev/install.conf >wrong.conf
expect_exit 2 env EFIVARFS_PATH=$efivars/ "$top_build/artifact-install" -c wrong.conf status
expect_err "are the same"

step "no default yet: boot-check makes it"
firmware
expect_error 6 boot-lost inst install v1.artifact
expect_err "'LoaderEntryDefault' names neither 'twinroot-a.conf' nor 'twinroot-b.conf'"
reset
says "a - a"
status_is a a none 0
expect_out "both slots lie on one FAT"

step "install, trial, commit"
expect_exit 0 inst install v1.artifact
slot_is b v1.artifact
says "a b a"
status_is a a b 1
firmware
says "b - a"
status_is a b b 0
expect_error 7 state-uncommitted inst install v2.artifact
expect_exit 0 inst commit
says "b - b"
status_is b b none 0
firmware
says "b - b"

step "a trial that falls back, and one that is called off"
expect_exit 0 inst install v2.artifact
says "b a b"
firmware
firmware
status_is b b a 0
expect_exit 0 inst rollback
says "b - b"
expect_exit 0 inst install v2.artifact
says "b a b"
expect_exit 0 inst rollback
says "b - b"
status_is b b none 0

step "the configuration of the new slot is broken: boot-check knows by the variables that this is a trial, and leaves"
reset
expect_exit 0 inst install v1.artifact
firmware
command_line twinroot.slot=b
echo nonsense >broken.conf
broken() { EFIVARFS_PATH=$efivars/ LD_PRELOAD=$top_build/efishim.so "$top_build/artifact-install" -c broken.conf boot-check --no-reboot; }
expect_exit 1 broken
expect_err "this boot is a trial, and the installer cannot work in it: 'broken.conf'"
expect_err "a reboot is due"
command_line twinroot.slot=a
firmware
expect_exit 2 broken
! grep -q "trial\|reboot" err || fail "no trial any more: $(cat err)"

step "another entry, chosen by hand, is nobody's slot"
reset
python3 loader.py "$efivars" set LoaderEntryDefault other.conf
expect_error 6 boot-lost inst status

step "a damaged own variable counts as one that was never written"
reset
expect_exit 0 inst install v1.artifact
own=$(ls "$efivars"/TwinrootLoader-*)
flip "$own" 30
status_is a a none 0

step "a power cut before each write of each act"
boots() { # SLOT...: one of these, without changing anything
	cp -a "$efivars" boot-trial
	python3 loader.py "$tmp/boot-trial" boot
	want=$(python3 loader.py "$tmp/boot-trial" says | cut -c1)
	rm -r boot-trial
	case " $* " in *" $want "*) ;; *) fail "slot $want boots after the cut, not $*" ;; esac
}
reset
after_install() { boots a; }
done_install() { status_is a a b 1; slot_is b v1.artifact; }
with_cuts after_install done_install install v1.artifact
firmware
after_commit() { boots a b; }
done_commit() { says "b - b"; status_is b b none 0; }
with_cuts after_commit done_commit commit
expect_exit 0 inst install v2.artifact
firmware
after_rollback() { boots b; }
done_rollback() { says "a - b"; }
with_cuts after_rollback done_rollback rollback
firmware
status_is b b none 0
echo "$cuts cuts"
assert_no_litter
