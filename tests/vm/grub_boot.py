#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shipped boot script and settings in a real GRUB that starts real kernels: what a device does from power-on to user space.
Usage: grub_boot.py [bios|uefi]..."""
import os
import random
import re
import shutil
import sys
import tempfile

import grub_kit
from grub_kit import MIB, SCRIPTS, STORE, archive, current, decode_archive, encode, run

# What an integrator would have edited in the shipped settings. A starved emulator loses timer ticks, and Linux stops without no_timer_check.
EDITS = [('twinroot_extra="ro rootwait quiet"', 'twinroot_extra="console=ttyS0 quiet no_timer_check"'),
         ("twinroot_initrd=\n", "twinroot_initrd=/boot/initrd\n")]
CONFIG = "serial --unit=0 --speed=115200\nterminal_output serial\nsource $prefix/twinroot.cfg\n"
MODULES = ["linux", "reboot", "sleep"]


def cpio(entries):
    """A newc archive of (name, mode, data)."""
    out = b""
    for name, mode, data in entries + [("TRAILER!!!", 0, b"")]:
        head = b"070701" + b"".join(b"%08x" % v for v in (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
        for part in (head + name.encode() + b"\0", data):
            out += part + b"\0" * (-len(part) % 4)
    return out


def make_slot(work, slot, program):
    tree = os.path.join(work, "tree-" + slot)
    os.makedirs(tree + "/boot")
    shutil.copy(grub_kit.kernel(), tree + "/boot/vmlinuz")
    with open(program, "rb") as f, open(tree + "/boot/initrd", "wb") as out:
        out.write(cpio([("proc", 0o40755, b""), ("init", 0o100755, f.read()), ("slot", 0o100644, slot.encode())]))
    image = os.path.join(work, slot + ".ext4")
    run("mke2fs", "-q", "-t", "ext4", "-d", tree, image, "40M")
    return image


class Device:
    def __init__(self, work, firmware):
        grub_kit.need("gcc", "mke2fs")
        self.firmware = firmware
        files = {"grub.cfg": CONFIG}
        for name in ("twinroot.cfg", "twinroot-settings.cfg"):
            with open(os.path.join(SCRIPTS, name), encoding="ascii") as f:
                files[name] = f.read()
        for old, new in EDITS:
            assert files["twinroot-settings.cfg"].count(old) == 1, "the shipped settings have no " + old
            files["twinroot-settings.cfg"] = files["twinroot-settings.cfg"].replace(old, new)
        self.disk = grub_kit.make_disk(work, firmware, MODULES, files)
        program = os.path.join(work, "tell")
        run("gcc", "-static", "-Os", "-o", program, os.path.join(os.path.dirname(os.path.abspath(__file__)), "tell.c"))
        for slot in "ab":
            grub_kit.put_part(self.disk, "root-" + slot, make_slot(work, slot, program))
        self.store(1000000000, "a", "none", 0, "none", 0)
        self.copy(1, 1000000000, "a", "none", 0, "none", 0)

    def copy(self, index, *values):
        grub_kit.write_at(self.disk, STORE[index], archive({"twinroot": encode(*values)})[0])

    def store(self, *values):
        self.copy(0, *values)

    def garble(self, index):
        """All of the 4 MiB around a copy, as cheap storage leaves it."""
        grub_kit.write_at(self.disk, STORE[index], random.Random(index).randbytes(4 * MIB))

    def break_slot(self, slot):
        start = [p[1] for p in grub_kit.PARTS if p[0] == "root-" + slot][0]
        grub_kit.write_at(self.disk, start * MIB, bytes(2 * MIB))

    def blocks(self):
        return [decode_archive(grub_kit.read_at(self.disk, at, 2560)) for at in STORE]

    def left(self):
        return int(current(*self.blocks())[0]["left"])

    def boots(self, slot, trial=False):
        """One start ends in SLOT's user space (None: in a restart), and writes only when it counts a try."""
        before = self.blocks()
        text = grub_kit.boot(self.disk, self.firmware)
        found = re.search(r"@slot (\S*)", text)
        have = found.group(1) if found else None
        assert have == slot, "slot %s was started, not %s:\n%s" % (have, slot, text[-1500:])
        if slot:
            words = re.search(r"@cmdline (.*)", text).group(1).split()
            want = ["twinroot.slot=" + slot] + ["twinroot.trial=1"] * trial + ["panic=5"]
            assert [w for w in words if w.startswith(("twinroot.", "panic"))] == want, words
            assert "root=PARTLABEL=root-" + slot in words, words
        assert trial or self.blocks() == before, "the store was written without a trial"


def trial_and_back(d):
    d.boots("a")
    d.store(1000000001, "a", "b", 2, "none", 1)
    for left in (1, 0):
        d.boots("b", trial=True)
        assert d.left() == left
    d.boots("a")
    d.boots("a")
    d.store(1000000002, "b", "none", 0, "none", 2)
    d.boots("b")


def damage(d):
    d.copy(1, 1000000003, "b", "a", 2, "none", 3)
    d.garble(0)
    # It cannot be counted where the other copy has no file.
    d.boots("b")
    d.garble(1)
    d.boots("a")
    d.store(1000000004, "a", "b", 1, "none", 4)
    d.copy(1, 1000000000, "a", "none", 0, "none", 0)
    d.break_slot("b")
    d.boots(None, trial=True)
    assert d.left() == 0
    d.boots("a")
    d.store(1000000005, "b", "none", 0, "none", 5)
    d.boots("a")


def main():
    report = grub_kit.Report()
    for firmware in sys.argv[1:] or ("bios", "uefi"):
        work = tempfile.mkdtemp(prefix="grub-boot.")
        device = []
        try:
            report.case("grub-boot-%s-disk" % firmware, lambda: device.append(Device(work, firmware)))
            for test in (trial_and_back, damage) if device else ():
                report.case("grub-boot-%s-%s" % (firmware, test.__name__.replace("_", "-")), test, device[0])
        finally:
            if os.environ.get("KEEP") == "1":
                print("kept: " + work, file=sys.stderr)
            else:
                shutil.rmtree(work)
    report.exit()


if __name__ == "__main__":
    main()
