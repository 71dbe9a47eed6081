# SPDX-License-Identifier: Apache-2.0
"""Backend `uboot` on a raspi3b, with U-Boot for that board (Debian's rpi_3) and the script that is shipped: the same as on `virt`, but for
an SD card, the board's own device tree and another console."""
import pathlib
import shutil
import tempfile

import bootfiles
import factory
import guest
import raspi
import uboot_states
from chains import CHAINS, Chain
from disk import Part, ext4_image, fat_image, make_disk
from lab import MIB, OUT, Skip
from scenario import scenario
from scenarios_stores import HERE, program

CHAINS["raspi3b-uboot"] = Chain("raspi3b-uboot", "raspi3b", "ttyAMA0")
ENV = 16 * MIB
BACKEND = "backend = uboot\ntries = 1\nenvironment = /etc/twinroot/env-1.config\nenvironment-copy = /etc/twinroot/env-2.config\n"
FILES = {f"etc/twinroot/env-{n}.config": f"/dev/mmcblk0p2 {at:#x} 0x4000\n" for n, at in ((1, 0), (2, 8 * MIB))}


def release(version):
    return raspi.release(version, BACKEND, "boot", FILES)


def settings(job):
    """twinroot.txt, edited for this board."""
    return factory.edited((factory.SHIPPED / "uboot/twinroot.txt").read_text(), {
        "tr_root_a=PARTLABEL=rootfs-a": "tr_root_a=PARTLABEL=root-a", "tr_root_b=PARTLABEL=rootfs-b": "tr_root_b=PARTLABEL=root-b",
        "tr_kernel=/boot/kernel": f"tr_kernel=/{guest.KERNEL}", "tr_initrd=/boot/initrd": f"tr_initrd=/{guest.INITRD}",
        "tr_args=ro quiet console=ttyAMA0": f"tr_args=ro quiet {raspi.CONSOLES} lab.job={job}"}).encode()


def make(path, new):
    with tempfile.TemporaryDirectory(dir=OUT) as t:
        t = pathlib.Path(t)
        fat_image(t / "boot", 16 * MIB, "BOOT", {
            "boot.scr": bootfiles.boot_scr((factory.SHIPPED / "uboot/boot.cmd").read_text()), "twinroot.txt": settings("none")})
        ext4_image(t / "data", 96 * MIB, "data", raspi.data_files(new))
        disk = make_disk(path, [
            Part("boot", 16 * MIB, "fat", t / "boot"), Part("env", ENV),
            Part("root-a", guest.SLOT_SIZE, content=guest.image(guest.artifact(release("1")))),
            Part("root-b", guest.SLOT_SIZE), Part("data", 96 * MIB, content=t / "data")])
    words = uboot_states.environment(uboot_states.words(sequence="1", transaction=0))
    for at in (0, 8 * MIB):
        disk.write("env", at, words)
    raspi.sd_card(path)
    return disk


def store(disk):
    copies = [disk.read("env", at, uboot_states.SIZE) for at in (0, 8 * MIB)]
    n = uboot_states.newest(copies)
    return None if n is None else uboot_states.parse(copies[n])


@scenario("raspi3b-uboot")
def store_states(c):
    """Eight states of the store, one power-on each."""
    program(c, HERE / "uboot_states.py", c.device.folder / "work", "raspi3b")


@scenario("raspi3b-uboot", full=("raspi3b-uboot",))
def both_slots(c):
    """Install, trial, fall back, install again, commit. Five power-ons."""
    if not shutil.which("fdtput"):
        raise Skip("fdtput is not installed")
    folder = c.device.folder
    disk = make(folder / "disk.img", guest.artifact(release("2")))
    raspi.device_tree(folder / "board.dtb")
    boots = []

    def step(what, job, running, section="status", left=None, **due):
        disk.fat_write("boot", "twinroot.txt", settings(job))
        boots.append(what)
        m, _ = raspi.start(disk, c.device.log, f"boot {len(boots)}, {what}", "-kernel", uboot_states.RASPI, "-dtb", folder / "board.dtb",
                           "-serial", f"file:{folder}/u-boot.{len(boots)}")
        with open(c.device.log, "a", encoding="utf-8") as log, open(folder / f"u-boot.{len(boots)}", encoding="latin-1") as said:
            log.write("".join(f"U-Boot: {line.rstrip()}\n" for line in said if "twinroot" in line))
        raspi.judge(c, what, m, running, section, due)
        now = store(disk)
        c.expect(f"{what}: tries left in the store", now["trial"] != "none" and now["left"], left or False)

    step("install", "install", "a", default="a", trial="none", left="1")
    step("trial, no commit", "status", "b", default="a", trial="b", tries_left=0, left="0")
    step("fell back; given up and installed again", "again", "a", "before", default="a", trial="b", tries_left=0, left="1")
    step("trial, commit", "commit", "b", default="b", trial="none")
    step("after it", "status", "b", default="b", trial="none")
