# SPDX-License-Identifier: Apache-2.0
"""Backend `systemd-boot` under the real one: kernel and initramfs of a slot are one unified kernel image, which is written in place into a file of
the EFI System partition, since systemd-boot reads no other."""
import os
import pathlib
import re
import shutil
import tempfile

import elf
import guest
import initramfs
from disk import Part, ext4_image, fat_image, make_disk
from lab import DEB, MIB, OUT, Skip, digest, made_once, run
from scenario import scenario, status
from scenarios_efi import ARGUMENTS, INSTALL, MOUNT, STATUS, set_up

LOADER = DEB / "amd64/usr/lib/systemd/boot/efi"
UKI_ROOM = 24 * MIB
CONF = (f"[device]\ntype = {guest.TYPE}\n"
        + "".join(f"[slot.{s}]\nrootfs = PARTLABEL=root-{s}\nboot = /esp/twinroot/{s}.efi\n" for s in "ab")
        + "[boot]\nbackend = systemd-boot\nentry-a = twinroot-a.conf\nentry-b = twinroot-b.conf\n"
        "[trust]\nkeys = /etc/twinroot/keys.d\n[state]\ndirectory = /data/twinroot\n")
PREPARE = MOUNT + 'mount -t vfat "$(findpart PARTLABEL=esp)" /esp\n'
# The firmware's shell goes; the loader is there twice, so that the firmware starts it again when an entry cannot be loaded.
ENTRIES = ("for n in $(efibootmgr | sed -n 's/^Boot\\(....\\).*Shell.*/\\1/p'); do efibootmgr -q -b $n -B; done\n"
           "efibootmgr -q -c -d /dev/vda -p 1 -L 'Linux Boot Manager' -l '\\EFI\\systemd\\systemd-bootx64.efi'\nefibootmgr\n")


def uki(version):
    """A unified kernel image, its sections behind those of systemd's stub, as long as the file of a slot is for good; the arguments come from
    the loader's entry."""
    stub, kernel, initrd = LOADER / "linuxx64.efi.stub", initramfs.kernel("x86")[0], initramfs.build("x86")

    def make(out):
        sections = re.findall(r"^ +\d+ \S+ +(\w+) +(\w+)", run("objdump", "-h", stub).decode(), re.M)
        at = max(int(size, 16) + int(address, 16) for size, address in sections)
        argv = []
        with tempfile.TemporaryDirectory() as t:
            osrel = pathlib.Path(t) / "osrel"
            osrel.write_text(f"ID=lab\nVERSION_ID={version}\nNAME=lab\n")
            for name, file in ((".osrel", osrel), (".linux", kernel), (".initrd", initrd)):
                at = -(-at // 4096) * 4096
                argv += ["--add-section", f"{name}={file}", "--change-section-vma", f"{name}={at:#x}"]
                at += file.stat().st_size
            run("objcopy", *argv, stub, out)
        os.truncate(out, UKI_ROOM)

    return made_once("uki.efi", digest(stub, kernel, initrd, version, UKI_ROOM), make)


def release(board, version):
    folders = [pathlib.Path("/lib/x86_64-linux-gnu"), pathlib.Path("/usr/lib/x86_64-linux-gnu")]
    program = pathlib.Path(shutil.which("efibootmgr"))
    return guest.Release(board, version, conf=CONF, files={
        "usr/bin/efibootmgr": program, **elf.closure([program], folders), guest.KERNEL: None, guest.INITRD: None, "esp/.keep": ""})


def factory(device, old, artifacts):
    loader = LOADER / "systemd-bootx64.efi"
    with tempfile.TemporaryDirectory(dir=OUT) as t:
        t = pathlib.Path(t)
        entries = {f"loader/entries/twinroot-{s}.conf":
                   f"title Slot {s}\nefi /twinroot/{s}.efi\noptions {ARGUMENTS.format(s)}\n".encode() for s in "ab"}
        fat_image(t / "esp", 80 * MIB, "ESP", {
            "EFI/BOOT/BOOTX64.EFI": loader, "EFI/systemd/systemd-bootx64.efi": loader,
            "loader/loader.conf": b"default twinroot-a.conf\ntimeout 0\neditor no\nauto-entries no\nauto-firmware no\n", **entries,
            "twinroot/a.efi": uki("1"), "twinroot/b.efi": bytes(UKI_ROOM)})
        ext4_image(t / "data", 128 * MIB, "data", artifacts)
        device.disk = make_disk(device.folder / "disk.img", [
            Part("esp", 80 * MIB, "efi", t / "esp"),
            Part("root-a", guest.SLOT_SIZE, content=guest.image(guest.artifact(old, "--boot", uki("1")))),
            Part("root-b", guest.SLOT_SIZE), Part("data", 128 * MIB, content=t / "data")])


@scenario("x86-uefi-grub")
def systemd_boot(c):
    """Install (cut once), trial, fall back by the loader alone, install again, commit; then a kernel that is none. Eleven power-ons."""
    if not shutil.which("efibootmgr"):
        raise Skip("efibootmgr is not installed")
    broken = made_once("uki-broken.efi", digest("broken"), lambda out: out.write_bytes(b"no program\n" * 51200))
    old, new, third = (release(c.board, v) for v in "123")
    factory(c.device, old, {"new.artifact": guest.artifact(new, "--boot", uki("2")),
                            "third.artifact": guest.artifact(third, "--boot", broken)})

    def boot(what, job, running, **store):
        m = c.device.run(PREPARE + job, limit=300)
        c.say(f"{what}: {m.seconds():.1f} s, {m.cpu:.1f} s of processor")
        found = status(m)
        c.expect(f"{what}: the slot that runs", found["running"], running)
        for name, due in store.items():
            c.expect(f"{what}: {name}", found["boot"][name.replace("_", "-")], due)

    set_up(c, ENTRIES)
    boot("the loader's own default", "artifact-install boot-check --no-reboot || exit 1\n" + STATUS, "a", default="a", trial="none")
    # Mounted synchronously, so that the cut finds half an image, on a FAT that is in use.
    with c.device.on(PREPARE.replace("-t vfat", "-t vfat -o sync") + "artifact-install install --progress=json /data/new.artifact",
                     after="nothing") as m:
        # The rootfs, then the kernel; its zeros count first.
        m.wait(r'"done":2\d{7},[\s\S]*"done":0,[\s\S]*"done":(1[5-9]|2)\d{6}', 300)
        m.cut()
    half = c.device.disk.fat_read("esp", "twinroot/b.efi")
    c.expect("an image has been begun", (len(half), any(half)), (UKI_ROOM, True))
    c.say(f"cut: the kernel's file is {'whole' if half == uki('2').read_bytes() else 'not whole'}")
    boot("cut in the install", STATUS, "a", default="a", trial="none")
    boot("install", INSTALL, "a", default="a", trial="b", tries_left=1)
    boot("trial, no commit", STATUS, "b", default="a", trial="b", tries_left=0)
    boot("fell back; given up and installed again", "artifact-install rollback || exit 1\n" + INSTALL, "a",
         default="a", trial="b", tries_left=1)
    boot("trial, commit", "artifact-install commit || exit 1\n" + STATUS, "b", default="b", trial="none")
    c.expect("the new image is in place", c.device.disk.fat_read("esp", "twinroot/b.efi") == uki("2").read_bytes(), True)
    boot("a kernel that is none", INSTALL.replace("new.artifact", "third.artifact"), "b", default="b", trial="a", tries_left=1)
    boot("came back from it", STATUS, "b", default="b", trial="a", tries_left=0)
    boot("given up", "artifact-install rollback || exit 1\n" + STATUS, "b", default="b", trial="none")
