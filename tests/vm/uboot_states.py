#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every state of the boot store through the shipped U-Boot script, in a real U-Boot: which slot it starts, and what it
leaves in the store. Linux is not started: the settings file's boot command says what would be.

usage: uboot_states.py DIRECTORY [virt|raspi3b]    (for images; made, and removed again)

On raspi3b, whose SD card is slow, every ninth state.
"""
import glob
import itertools
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIRMWARE = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
# What tests/vm/fetch.sh has brought.
FETCHED = os.environ.get("VM_PARTS", os.path.join(TOP, "out/vm/deb/arm64"))
RASPI = os.path.join(FETCHED, "usr/lib/u-boot/rpi_3/u-boot.bin")
MIB = 1 << 20
ENV_AT = 32 * MIB
COPIES = (ENV_AT, ENV_AT + 8 * MIB)
SIZE = 0x4000
SETTINGS = """tr_root_a=/dev/root-a
tr_root_b=/dev/root-b
tr_kernel=/kernel
tr_args=quiet
tr_boot=run tr_probe
tr_probe=printenv bootargs; echo PROBE-END
"""


def recorded(disk, record, node):
    """What -blockdev wants for a disk whose writes are logged, each when it is made: the log lasts when QEMU is killed."""
    with open(record, "wb"):
        pass
    return (f"driver=blklogwrites,node-name={node},log-sector-size=512,log-super-update-interval=1,log.driver=file,"
            f"log.filename={record},file.driver=file,file.filename={disk}")


def environment(words):
    data = b"".join(f"twinroot_{k}={v}\0".encode() for k, v in words.items()) + b"\0"
    data = data.ljust(SIZE - 4, b"\0")
    return struct.pack("<I", zlib.crc32(data)) + data


def parse(block):
    """The words, or None when the checksum is wrong."""
    if struct.unpack("<I", block[:4])[0] != zlib.crc32(block[4:]):
        return None
    pairs = [p.decode().split("=", 1) for p in block[4:].split(b"\0\0")[0].split(b"\0") if p]
    return {k.removeprefix("twinroot_"): v for k, v in pairs}


def words(default="a", trial="none", left=0, bad="none", sequence="10", transaction=7):
    return {"sequence": sequence, "default": default, "trial": trial, "left": f"{left:x}", "bad": bad,
            "transaction": transaction}


def run(*argv, **more):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, **more)


def make_disk(path, work):
    """1: FAT with script and settings; 2: environment; 3, 4: slots."""
    with open(path, "wb") as f:
        f.truncate(64 * MIB)
    table = "label: gpt\nstart=2048, size=16384\nstart=65536, size=32768\nstart=98304, size=8192\nstart=106496, size=8192\n"
    run("sfdisk", "-q", path, input=table.encode())
    run("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", f"{TOP}/installer/boot/uboot/boot.cmd",
        f"{work}/boot.scr")
    with open(f"{work}/twinroot.txt", "w", encoding="ascii") as f:
        f.write(SETTINGS)
    with open(f"{work}/kernel", "w", encoding="ascii") as f:
        f.write("not really\n")
    for start, blocks, files in ((2048, 8192, ("boot.scr", "twinroot.txt")), (98304, 4096, ("kernel",)),
                                 (106496, 4096, ("kernel",))):
        part = f"{work}/part"
        run("mkfs.vfat", "-C", "-F", "12", part, str(blocks))
        for name in files:
            run("mcopy", "-i", part, f"{work}/{name}", "::/")
        run("dd", f"if={part}", f"of={path}", "bs=512", f"seek={start}", "conv=notrunc", stderr=subprocess.DEVNULL)
        os.unlink(part)


def machine_options(machine, drive):
    """The machine with its firmware, its console on standard output, and a disk, which is the node DRIVE."""
    if machine == "virt":
        return ["-M", "virt", "-cpu", "cortex-a53", "-m", "128", "-bios", FIRMWARE, "-serial", "stdio", "-device",
                f"virtio-blk-device,drive={drive}"]
    tree, = glob.glob(FETCHED + "/usr/lib/linux-image-*-arm64/broadcom/bcm2837-rpi-3-b.dtb")
    # U-Boot speaks on the second UART.
    return ["-M", "raspi3b", "-kernel", RASPI, "-dtb", tree, "-serial", "null", "-serial", "stdio", "-device",
            f"sd-card,drive={drive}"]


class Board:
    """record: a file for the log of all writes to the disk (QEMU's blklogwrites)."""

    def __init__(self, disk, record=None, machine="virt"):
        drive = f"driver=raw,node-name=d,file.driver=file,file.filename={disk}"
        if record:
            drive = recorded(disk, record, "d")
        self.p = subprocess.Popen(
            ["qemu-system-aarch64", "-accel", "tcg", "-display", "none", "-monitor", "none", "-no-reboot", "-nic", "none",
             "-blockdev", drive, *machine_options(machine, "d")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.text = ""

    def wait(self, pattern, seconds=60):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            if time.monotonic() > end or not self.more(end - time.monotonic()):
                raise RuntimeError(f"no '{pattern}' on the console:\n{self.text[-1500:]}")

    def more(self, seconds):
        if not select.select([self.p.stdout], [], [], seconds)[0]:
            return False
        data = os.read(self.p.stdout.fileno(), 65536)
        self.text += data.decode("latin1")
        return bool(data)

    def boot(self):
        """What was started: (slot, trial), from the kernel's command line."""
        try:
            self.wait("Hit any key")
            self.p.stdin.write(b"\n")
            self.p.stdin.flush()
            self.wait("(=|U-Boot)> ")
            self.p.stdin.write(b"run bootcmd\n")
            self.p.stdin.flush()
            self.wait("PROBE-END")
        finally:
            self.p.send_signal(signal.SIGKILL)
            self.p.wait()
            self.p.stdout.close()
            self.p.stdin.close()
        found = re.search(r"bootargs=root=/dev/root-(.) quiet panic=5 twinroot.slot=(.) twinroot.trial=(.)", self.text)
        if not found or found[1] != found[2]:
            raise RuntimeError(f"strange bootargs:\n{self.text[-1500:]}")
        return found[1], found[3]


def store(disk, copies):
    with open(disk, "r+b") as f:
        for at, block in zip(COPIES, copies):
            f.seek(at)
            f.write(block)


def fetch(disk):
    with open(disk, "rb") as f:
        blocks = []
        for at in COPIES:
            f.seek(at)
            blocks.append(f.read(SIZE))
        return blocks


def newest(copies):
    """By the rules of uboot.c: the index of the copy that counts, or None."""
    best = None
    for i, block in enumerate(copies):
        w = parse(block)
        if w and (best is None or int(w["sequence"], 16) > int(parse(copies[best])["sequence"], 16)):
            best = i
    return best


def expected(copies):
    """(slot, trial, words afterwards, index of the copy that is written or None)."""
    n = newest(copies)
    if n is None:
        return "a", "0", None, None
    w = dict(parse(copies[n]))
    if w["trial"] in ("a", "b") and w["bad"] not in (w["trial"], "ab") and int(w["left"], 16) > 0:
        w["left"] = f"{int(w['left'], 16) - 1:x}"
        w["sequence"] = f"{int(w['sequence'], 16) + 1:x}"
        return w["trial"], "1", w, 1 - n
    return w["default"], "0", w, None


def torn(block, at):
    return block[:at] + bytes(b ^ 0xa5 for b in block[at:at + 512]) + block[at + 512:]


def cases():
    blank = bytes(SIZE)
    old = environment(words(sequence="f", trial="b", left=9, default="b"))
    for default, trial, left, bad in itertools.product("ab", ("none", "a", "b"), (0, 1, 3), ("none", "a", "b", "ab")):
        if trial == "none" and left:
            continue
        w = words(default, trial, left, bad)
        yield f"default={default} trial={trial} left={left} bad={bad}", (environment(w), old)
    w = environment(words("b", "a", 2))
    yield "second copy newer", (old, w)
    yield "equal sequences", (w, environment(words("a")))
    yield "only the first", (w, blank)
    yield "only the second", (blank, w)
    yield "first torn at its head", (torn(w, 0), old)
    yield "first torn at its end", (torn(w, SIZE - 512), old)
    yield "second torn", (old, torn(w, 1024))
    yield "both torn", (torn(w, 0), torn(old, 0))
    yield "both blank", (blank, blank)
    yield "sequence with letters", (environment(words("b", "a", 9, sequence="9f")), environment(words("a", sequence="a0")))
    yield "sequence carries", (environment(words("b", "a", 1, sequence="ff")), old)


def main():
    work, machine = sys.argv[1], (sys.argv[2:] or ["virt"])[0]
    firmware = FIRMWARE if machine == "virt" else RASPI
    for tool in ("qemu-system-aarch64", "mkimage", "mkfs.vfat", "mcopy", "sfdisk"):
        if not shutil.which(tool) or not os.path.exists(firmware):
            print(f"SKIP: {tool if not shutil.which(tool) else firmware} is not installed")
            return 77
    os.makedirs(work)
    disk = f"{work}/disk.img"
    failed = count = 0
    try:
        make_disk(disk, work)
        for name, copies in list(cases())[::1 if machine == "virt" else 9]:
            count += 1
            store(disk, copies)
            slot, trial, after, written = expected(copies)
            got = Board(disk, machine=machine).boot()
            left = fetch(disk)
            n = newest(left)
            now = parse(left[n]) if n is not None else None
            want = None if after is None else {k: str(v) for k, v in after.items()}
            untouched = [i for i in (0, 1) if i != written]
            if got != (slot, trial) or now != want or any(left[i] != copies[i] for i in untouched):
                failed += 1
                print(f"FAIL: {name}: started {got}, due {(slot, trial)}; store {now}, due {want}")
    finally:
        shutil.rmtree(work)
    print(f"{count} states of the store through U-Boot on {machine}, {failed} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
