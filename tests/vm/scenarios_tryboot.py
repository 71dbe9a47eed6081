# SPDX-License-Identifier: Apache-2.0
"""Backend `tryboot` on a raspi3b, with the Raspberry Pi's firmware played by this program: QEMU has no processor for it.

What is ASSUMED of the firmware, from its documentation and the kernel's source, and tested by nobody here:
  * autoboot.txt on partition 1, 512 bytes at most, [all] and [tryboot], boot_partition, tryboot_a_b;
  * "0 tryboot" as reboot argument sets a flag for exactly one start; mainline's kernel prints it, the firmware's kernel tells it by mailbox;
  * /chosen/bootloader/partition and tryboot of the device tree say what was started.
What is real: the installer, built for arm64, its writes to a FAT filesystem on an SD card, its reboot, and the kernel."""
import pathlib
import shutil
import tempfile

import guest
import initramfs
import raspi
from chains import CHAINS, Chain
from disk import Part, ext4_image, fat_image, make_disk
from lab import MIB, OUT, Failure, Skip, run
from scenario import scenario

CHAINS["raspi3b-tryboot"] = Chain("raspi3b-tryboot", "raspi3b", "ttyAMA0")

AUTOBOOT = b"[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n".ljust(512, b"\n")
BACKEND = "backend = tryboot\nautoboot = /boot/firmware/autoboot.txt\npartition-a = 2\npartition-b = 3\n"


def release(version):
    return raspi.release(version, BACKEND, "autoboot", {guest.KERNEL: None, guest.INITRD: None})


def factory(path, new):
    with tempfile.TemporaryDirectory(dir=OUT) as t:
        t = pathlib.Path(t)
        raspi.device_tree(t / "dtb")
        fat_image(t / "autoboot", 16 * MIB, "AUTOBOOT", {"autoboot.txt": AUTOBOOT})
        for slot in "ab":
            line = f"root=PARTLABEL=root-{slot} {raspi.CONSOLES} quiet panic=1"
            fat_image(t / f"boot-{slot}", 64 * MIB, f"BOOT-{slot.upper()}", {
                "kernel8.img": initramfs.kernel("raspi3b")[0], "initrd": initramfs.build("raspi3b"),
                "board.dtb": t / "dtb", "cmdline.txt": line.encode()})
        ext4_image(t / "data", 96 * MIB, "data", raspi.data_files(new))
        disk = make_disk(path, [
            Part("autoboot", 16 * MIB, "fat", t / "autoboot"), Part("boot-a", 64 * MIB, "fat", t / "boot-a"),
            Part("boot-b", 64 * MIB, "fat", t / "boot-b"),
            Part("root-a", guest.SLOT_SIZE, content=guest.image(guest.artifact(release("1")))),
            Part("root-b", guest.SLOT_SIZE), Part("data", 96 * MIB, content=t / "data")])
    raspi.sd_card(path)
    return disk


class Firmware:
    """The stand-in: see ASSUMED above."""

    def __init__(self, disk, folder, log):
        self.disk, self.folder, self.log, self.flag, self.boots = disk, folder, log, False, 0

    def partition(self):
        text = self.disk.fat_read("autoboot", "autoboot.txt")
        if len(text) != 512:
            raise Failure(f"autoboot.txt has {len(text)} bytes")
        found, section = {}, "[all]"
        for line in text.decode().splitlines():
            if line.startswith("["):
                section = line
            elif "=" in line and not line.startswith("#"):
                name, value = line.split("=", 1)
                found[section, name] = value
        if found.get(("[all]", "tryboot_a_b")) != "1":
            raise Failure("autoboot.txt lacks tryboot_a_b=1")
        return int(found["[tryboot]" if self.flag else "[all]", "boot_partition"])

    def boot(self, job):
        """Start what autoboot.txt says, once; the machine after its reboot."""
        part = self.partition()
        name = {2: "boot-a", 3: "boot-b"}[part]
        for file in ("kernel8.img", "initrd", "board.dtb", "cmdline.txt"):
            (self.folder / file).write_bytes(self.disk.fat_read(name, file))
        dtb = self.folder / "board.dtb"
        run("fdtput", "-c", "-p", dtb, "/chosen/bootloader")
        run("fdtput", "-t", "u", dtb, "/chosen/bootloader", "partition", part)
        run("fdtput", "-t", "u", dtb, "/chosen/bootloader", "tryboot", int(self.flag))
        line = (self.folder / "cmdline.txt").read_text() + f" lab.job={job}"
        self.boots += 1
        self.flag = False
        m, argument = raspi.start(self.disk, self.log, f"tryboot, boot {self.boots}", "-kernel", self.folder / "kernel8.img",
                                  "-initrd", self.folder / "initrd", "-dtb", dtb, "-append", line)
        self.flag = " tryboot" in argument
        return m


@scenario("raspi3b-tryboot", full=("raspi3b-tryboot",))
def tryboot(c):
    """Install, trial, fall back, install again, commit. Five power-ons."""
    if not shutil.which("fdtput"):
        raise Skip("fdtput is not installed")
    folder = c.device.folder
    firmware = Firmware(factory(folder / "disk.img", guest.artifact(release("2"))), folder, c.device.log)

    def step(what, job, running, flag, section="status", **store):
        raspi.judge(c, what, firmware.boot(job), running, section, store)
        c.expect(f"{what}: the flag", firmware.flag, flag)

    step("install", "install", "a", True, default="a", trial="none")
    step("trial, no commit", "status", "b", False, default="a", trial="b", tries_left=0)
    step("fell back; given up and installed again", "again", "a", True, "before", default="a", trial="b", tries_left=0)
    step("trial, commit", "commit", "b", False, default="b", trial="none")
    step("after it", "status", "b", False, default="b", trial="none")
