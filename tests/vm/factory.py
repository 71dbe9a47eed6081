# SPDX-License-Identifier: Apache-2.0
"""Disks as a factory makes them: `mkartifact disk` from signed artifacts, with the boot files and backends that are shipped; nothing on
them is the laboratory's own but the settings that every board has. And an init that runs boot-check."""
import dataclasses
import functools
import tempfile
import pathlib

import bootfiles
import grub_kit
import guest
import initramfs
import uboot_states
from disk import fat_image
from lab import BUILD, KEYS, MIB, OUT, TOP, Failure, digest, made_once, run

SHIPPED = TOP / "installer/boot"
BOOT_SIZE = 48 * MIB     # of a slot's FAT partition on `virt`: Debian's arm64 kernel is not compressed
DATA_SIZE = 32 * MIB
STORES = {"virt": "uboot", "x86": "grub"}
STORE_PARTS = {"virt": (("env", 0), ("env", 8 * MIB)), "x86": (("twinroot-1", 0), ("twinroot-2", 0))}

CHECK = """#!/bin/sh
exec </dev/null >/dev/console 2>&1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
. /usr/lib/lab/functions
rc=0
artifact-install boot-check || rc=$?
echo "LAB boot-check rc=$rc"
echo $rc >/run/checked.new
mv /run/checked.new /run/checked
"""
INIT = {
    "etc/inittab": guest.INITS["busybox"]["etc/inittab"].replace(
        "::once:/usr/lib/lab/job", "::once:/usr/lib/lab/check\n::once:/usr/lib/lab/job"),
    "usr/lib/lab/check": CHECK,
    "etc/twinroot/env-1.config": "/dev/vda2 0x0 0x4000\n",
    "etc/twinroot/env-2.config": "/dev/vda2 0x800000 0x4000\n",
}
# A busy host starves its guests: what is not the matter of a scenario has a long time.
CHECKS = {"settle": "1", "deadline": "600", "timeout": "600", "watchdog": "/dev/watchdog", "watchdog-timeout": "600"}
BACKEND = {
    "uboot": "environment = /etc/twinroot/env-1.config\nenvironment-copy = /etc/twinroot/env-2.config\n",
    "grub": "store = PARTLABEL=twinroot-1\nstore-copy = PARTLABEL=twinroot-2\n",
}


def conf(board, tries=2, keys="/etc/twinroot/keys.d", roots="root", **checks):
    """The install.conf of a release; checks: keys of [checks], with _ for -."""
    boot = [f"boot = PARTLABEL=boot-{s}\n" if board == "virt" else "" for s in "ab"]
    given = {**CHECKS, **{k.replace("_", "-"): v for k, v in checks.items()}}
    return (f"[device]\ntype = {guest.TYPE}\n"
            + "".join(f"[slot.{s}]\nrootfs = PARTLABEL={roots}-{s}\n{b}" for s, b in zip("ab", boot))
            + f"[boot]\nbackend = {STORES[board]}\ntries = {tries}\n{BACKEND[STORES[board]]}"
            + f"[trust]\nkeys = {keys}\n[state]\ndirectory = /data/twinroot\n"
            + "[checks]\n" + "".join(f"{k} = {v}\n" for k, v in given.items()))


def release(board, version, files=None, **options):
    """A Release for these disks; options of `conf`. On `virt`, kernel and initramfs are the payload `boot`'s."""
    kernel = {guest.KERNEL: None, guest.INITRD: None} if board == "virt" else {}
    return guest.Release(board, version, conf=conf(board, **options), files={**INIT, **kernel, **(files or {})})


@dataclasses.dataclass(frozen=True)
class Boot:
    """The payload `boot` of an artifact for `virt`: zeros behind the initramfs, whose length U-Boot tells; another kernel, or none."""
    padding: int = 0
    kernel: object = "sound"    # sound, broken, or missing

    def initrd(self):
        return initramfs.build("virt").read_bytes() + bytes(self.padding)

    def image(self):
        initrd, kernel = self.initrd(), initramfs.kernel("virt")[0]
        files = {"initrd": initrd}
        if self.kernel == "sound":
            files["kernel"] = kernel
        elif self.kernel == "broken":
            files["kernel"] = bytes(64) + kernel.read_bytes()[64:MIB]
        return made_once(f"boot-{self.kernel}.img", digest(initrd, kernel, self.kernel),
                         lambda out: fat_image(out, BOOT_SIZE, "BOOT", files))


def artifact(what, boot=None):
    return guest.artifact(what, *(["--boot", boot.image()] if boot else []))


def _layout_virt(t, more):
    (t / "boot").mkdir()
    (t / "boot/boot.scr").write_bytes(bootfiles.boot_scr((SHIPPED / "uboot/boot.cmd").read_text()))
    settings = edited((SHIPPED / "uboot/twinroot.txt").read_text(), {
        "tr_root_a=PARTLABEL=rootfs-a": "tr_root_a=PARTLABEL=root-a", "tr_root_b=PARTLABEL=rootfs-b": "tr_root_b=PARTLABEL=root-b",
        "tr_kernel=/boot/kernel": "tr_kernel=/kernel", "tr_initrd=/boot/initrd": "tr_initrd=/initrd",
        "tr_args=ro quiet console=ttyAMA0": f"tr_args=ro quiet console=ttyAMA0{more}"})
    (t / "boot/twinroot.txt").write_text(settings)
    (t / "env.bin").write_bytes(uboot_states.environment(uboot_states.words(sequence="1", transaction=0)))
    yield "boot", "content = fat\ndirectory = boot\nsize = 16M\ntype = esp\nvolume = BOOT"
    yield "env", "content = file\nsize = 16M\ntype = u-boot-env\nfile = env.bin\nfile = env.bin@8M"
    for slot in "ab":
        yield f"boot-{slot}", f"content = slot-{slot}:boot\nsize = {BOOT_SIZE}"


def _layout_x86(t, more):
    esp = t / "esp"
    (esp / "grub").mkdir(parents=True)
    (esp / "EFI/BOOT").mkdir(parents=True)
    settings = edited((SHIPPED / "grub/twinroot-settings.cfg").read_text(), {
        "set twinroot_kernel=/boot/vmlinuz": f"set twinroot_kernel=/{guest.KERNEL}",
        "set twinroot_initrd=": f"set twinroot_initrd=/{guest.INITRD}",
        # A starved emulator loses timer ticks, which the kernel takes for broken hardware.
        'set twinroot_extra="ro rootwait quiet"': f'set twinroot_extra="ro quiet console=ttyS0 no_timer_check{more}"'})
    (esp / "grub/twinroot-settings.cfg").write_text(settings)
    (esp / "grub/twinroot.cfg").write_bytes((SHIPPED / "grub/twinroot.cfg").read_bytes())
    (esp / "grub/grub.cfg").write_text("serial --unit=0 --speed=115200\nterminal_output serial\nsource $prefix/twinroot.cfg\n")
    (esp / "EFI/BOOT/BOOTX64.EFI").write_bytes(bootfiles.grub_image("x86_64-efi").read_bytes())
    (t / "core.img").write_bytes(bootfiles.grub_image("i386-pc").read_bytes())
    (t / "boot.img").write_bytes((bootfiles.grub_folder("i386-pc") / "boot.img").read_bytes())
    (t / "store").write_bytes(grub_kit.archive({"twinroot": grub_kit.encode(1000000000, "a", "none", 0, "none", 0)})[0])
    yield "bios", "content = grub\nsize = 1M\nfile = core.img\nboot = boot.img"
    yield "esp", "content = fat\ndirectory = esp\nsize = 16M\ntype = esp\nvolume = ESP"
    for n in "12":
        yield f"twinroot-{n}", "content = file\nsize = 4M\nfile = store"


def edited(text, edits):
    """What an integrator changes in a shipped file: whole lines."""
    lines = text.split("\n")
    for old, new in edits.items():
        if lines.count(old) != 1:
            raise Failure(f"the shipped file has no line '{old}'")
        lines[lines.index(old)] = new
    return "\n".join(lines)


@functools.lru_cache(None)
def disk_image(board, slot_a, slot_b=None, arguments=""):
    """The factory's disk with these artifacts in its slots: a path, to be copied. arguments: more of them for the kernel."""
    with tempfile.TemporaryDirectory(dir=OUT) as t:
        t = pathlib.Path(t)
        parts = [*(_layout_virt if board == "virt" else _layout_x86)(t, arguments and " " + arguments),
                 *((f"root-{s}", f"content = slot-{s}:rootfs\nsize = {guest.SLOT_SIZE}") for s in "ab"),
                 ("data", f"content = data\nsize = {DATA_SIZE}\nvolume = data")]
        text = ("[disk]\ntable = gpt\nid = 5f0c9a3e-8d21-4b7e-9c55-2b7d0e6a1f42\n"
                + "".join(f"[part.{name}]\n{what}\n" for name, what in parts))
        (t / "layout").write_text(text)
        others = sorted(p for p in t.rglob("*") if p.is_file())
        mk = BUILD / "mkartifact/mkartifact"
        return made_once(f"disk-{board}.img", digest(text, mk, slot_a, slot_b or "", *others), lambda out: run(
            mk, "disk", "-q", "--no-bmap", "-o", out, "--layout", t / "layout", "--keys", KEYS / "trust", "--slot-a", slot_a,
            *(["--slot-b", slot_b] if slot_b else [])))


def store(disk, board):
    """What the boot store says now, read from outside by the tests' own readers: {default, trial, left, bad ...} or None."""
    if board == "virt":
        copies = [disk.read(part, at, uboot_states.SIZE) for part, at in STORE_PARTS[board]]
        n = uboot_states.newest(copies)
        found = None if n is None else uboot_states.parse(copies[n])
    else:
        found, _ = grub_kit.current(*(grub_kit.decode_archive(disk.read(part, at, 2560)) for part, at in STORE_PARTS[board]))
    return found and {**found, "left": int(found["left"], 16)}
