# SPDX-License-Identifier: Apache-2.0
"""Disks with a real GRUB on them, and QEMU to start them: what the GRUB tests share. Nothing is mounted, no root is needed."""
import glob
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import time

import uboot_states

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPTS = os.path.join(TOP, "installer/boot/grub")
# What tests/vm/fetch.sh has brought, where it has run; else packages are fetched one by one.
FETCHED = os.environ.get("VM_PARTS", os.path.join(TOP, "out/vm/deb/amd64"))
CACHE = os.environ.get("VM_CACHE", os.path.join(TOP, "out/vm/grub"))
SECTOR = 512
MIB = 1 << 20
# For one start: 70 s have been seen where many more virtual machines than cores were running; 6 s is usual.
LIMIT = float(os.environ.get("VM_LIMIT", "300"))

# The partitions of installer/boot/grub/README.md; starts and sizes in MiB.
PARTS = [("bios", 1, 3, "21686148-6449-6E6F-744E-656564454649"), ("esp", 4, 32, "U"), ("twinroot-1", 36, 4, "L"),
         ("twinroot-2", 40, 4, "L"), ("root-a", 44, 40, "L"), ("root-b", 84, 40, "L")]
DISK_MIB = 128
STORE = [36 * MIB, 40 * MIB]
MODULES = ("part_gpt fat ext2 tar normal configfile loadenv test echo serial terminal regexp search search_label "
           "minicmd").split()


class Missing(Exception):
    """Something that a test needs is not on this machine."""


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Missing(program + " is not installed")


def run(*argv, **more):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, **more).stdout


def package(name):
    """The files of a Debian package, fetched and unpacked but not installed; a directory."""
    where = os.path.join(CACHE, name)
    if os.path.isdir(where):
        return where
    need("apt-get", "dpkg-deb")
    os.makedirs(CACHE, exist_ok=True)
    try:
        subprocess.run(["apt-get", "-q", "download", name], cwd=CACHE, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE)
    except subprocess.CalledProcessError as e:
        raise Missing("package %s cannot be fetched: %s" % (name, e.stderr.decode().strip()))
    deb = [f for f in os.listdir(CACHE) if f.startswith(name + "_") and f.endswith(".deb")][0]
    subprocess.run(["dpkg-deb", "-x", deb, name + ".part"], cwd=CACHE, check=True)
    os.rename(where + ".part", where)
    os.unlink(os.path.join(CACHE, deb))
    return where


def grub_files(platform):
    for root in ("/", FETCHED):
        where = os.path.join(root, "usr/lib/grub", platform)
        if os.path.exists(where + "/normal.mod"):
            return where
    name = {"i386-pc": "grub-pc-bin", "x86_64-efi": "grub-efi-amd64-bin"}[platform]
    return os.path.join(package(name), "usr/lib/grub", platform)


def kernel():
    """A Linux kernel; it needs no modules to say what it was started with."""
    found = glob.glob(os.path.join(FETCHED, "boot/vmlinuz-*"))
    if not found:
        need("apt-cache")
        depends = run("apt-cache", "depends", "linux-image-cloud-amd64").decode()
        name = re.search(r"Depends: (linux-image-\S+)", depends)
        if not name:
            raise Missing("no kernel: apt-cache knows no linux-image-cloud-amd64")
        found = glob.glob(os.path.join(package(name.group(1)), "boot/vmlinuz-*"))
    return found[0]


def grub_image(work, platform, modules):
    """A GRUB with MODULES in it that reads /grub/grub.cfg of the partition labelled ESP."""
    early = os.path.join(work, "early.cfg")
    image = os.path.join(work, platform + ".img")
    with open(early, "w") as f:
        f.write("search.fs_label ESP root\nset prefix=($root)/grub\n")
    disk = ["biosdisk"] if platform == "i386-pc" else []
    run("grub-mkimage", "-O", platform, "-d", grub_files(platform), "-p", "/grub", "-c", early, "-o", image,
        *disk, *MODULES, *modules)
    return image


def install_bios(disk, core, lba):
    """What grub-install does with boot.img and core.img, on a file."""
    with open(os.path.join(grub_files("i386-pc"), "boot.img"), "rb") as f:
        boot = bytearray(f.read(440))
    with open(core, "rb") as f:
        image = bytearray(f.read())
    boot[0x5c:0x64] = struct.pack("<Q", lba)
    boot[0x66:0x68] = b"\x90\x90"
    sectors = (len(image) + SECTOR - 1) // SECTOR - 1
    image[0x1f4:0x1fe] = struct.pack("<QH", lba + 1, sectors)
    with open(disk, "r+b") as f:
        f.write(boot)
        f.seek(lba * SECTOR)
        f.write(image)


def write_at(path, offset, data):
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(data)


def read_at(path, offset, size):
    with open(path, "rb") as f:
        f.seek(offset)
        return f.read(size)


def put_part(disk, name, image):
    start = [p[1] for p in PARTS if p[0] == name][0]
    run("dd", "if=" + image, "of=" + disk, "bs=1M", "seek=%d" % start, "conv=notrunc,sparse", "status=none")


def make_esp(work, bios, files):
    """The FAT partition: FILES (name: text) in /grub, and GRUB for UEFI where firmware looks for it."""
    esp = os.path.join(work, "esp.img")
    with open(esp, "wb") as f:
        f.truncate(32 * MIB)
    run("mkfs.vfat", "-F", "16", "-n", "ESP", esp)
    run("mmd", "-i", esp, "::/grub", "::/EFI", "::/EFI/BOOT")
    for name, text in files.items():
        path = os.path.join(work, name)
        with open(path, "w") as f:
            f.write(text)
        run("mcopy", "-i", esp, path, "::/grub/" + name)
    if not bios:
        run("mcopy", "-i", esp, os.path.join(work, "x86_64-efi.img"), "::/EFI/BOOT/BOOTX64.EFI")
    return esp


def make_disk(work, firmware, modules, files):
    """A disk that starts GRUB on FIRMWARE (bios, uefi); FILES in /grub. The store and the slots are empty."""
    need("grub-mkimage", "sfdisk", "mkfs.vfat", "mmd", "mcopy", "dd")
    disk = os.path.join(work, "disk.img")
    with open(disk, "wb") as f:
        f.truncate(DISK_MIB * MIB)
    table = "label: gpt\n" + "".join("start=%dMiB, size=%dMiB, name=%s, type=%s\n" % (start, size, name, kind)
                                     for name, start, size, kind in PARTS)
    run("sfdisk", "-q", disk, input=table.encode())
    bios = firmware == "bios"
    core = grub_image(work, "i386-pc" if bios else "x86_64-efi", modules)
    if bios:
        install_bios(disk, core, PARTS[0][1] * MIB // SECTOR)
    put_part(disk, "esp", make_esp(work, bios, files))
    return disk


def firmware_options(firmware):
    if firmware == "bios":
        return []
    code, variables = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
    if not os.path.exists(code):
        raise Missing("ovmf is not installed")
    return ["-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + code,
            "-drive", "if=pflash,unit=1,format=raw,snapshot=on,file=" + variables]


def boot(disk, firmware, until=None, limit=LIMIT, more=(), record=None):
    """Start DISK once, with MORE disks; it ends when the guest restarts or powers off, or the console says UNTIL. The console's text.
    RECORD: a file for the log of all writes to the first of MORE."""
    need("qemu-system-x86_64")
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-M", "q35", "-m", "512", "-nographic", "-no-reboot", "-nic", "none",
            *firmware_options(firmware)]
    for n, path in enumerate((disk, *more)):
        plain = "driver=raw,node-name=d%d,file.driver=file,file.filename=%s" % (n, path)
        argv += ["-blockdev", uboot_states.recorded(path, record, "d1") if record and n == 1 else plain,
                 "-device", "virtio-blk-pci,drive=d%d,bootindex=%d" % (n, n)]
    console = disk + ".console"
    with open(console, "wb") as out:
        vm = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        end = time.monotonic() + limit
        try:
            while vm.poll() is None:
                if time.monotonic() > end:
                    raise AssertionError("no end after %d s; the console's last words:\n%s" %
                                         (limit, said(console)[-1500:]))
                if until and until in said(console):
                    break
                time.sleep(0.05)
        finally:
            if vm.poll() is None:
                vm.kill()
            vm.wait()
    return said(console)


def said(console):
    with open(console, "rb") as f:
        text = f.read().decode("ascii", "replace")
    return re.sub(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[c()][0-9A-Z]?|\r", "", text)


# The store: an encoder and a judge of their own, so that the C code, GRUB and this have to agree.
NAMES = ["sequence", "default", "trial", "left", "bad", "transaction"]


def encode(sequence, default, trial, left, bad, transaction):
    values = [str(v) for v in (sequence, default, trial, left, bad, transaction)]
    text = "# GRUB Environment Block\n" + "".join("twinroot_%s=%s\n" % (n, v) for n, v in zip(NAMES, values))
    text += "twinroot_check=%s\n" % "-".join(values)
    return text.encode().ljust(1024, b"#")


def archive(members):
    """A tar archive of NAME: DATA, without the padding that tar programs add; and where the data of each lies in it."""
    out = io.BytesIO()
    places = {}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            places[name] = out.tell() + SECTOR
            tar.addfile(info, io.BytesIO(data))
        end = out.tell() + 2 * SECTOR
    return out.getvalue()[:end], places


def decode_archive(data):
    """The block in a copy as it lies on its partition, or b""."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            info = tar.next()
            return tar.extractfile(info).read() if info and info.name == "twinroot" else b""
    except tarfile.TarError:
        return b""


def decode(block):
    """The values of a whole copy as a dict, or None."""
    if not block or not block.startswith(b"# GRUB Environment Block\n"):
        return None
    found = {}
    rest = block.decode("latin-1").partition("\n")[2]
    while rest:
        if rest.startswith("#"):
            rest = rest.partition("\n")[2]
            continue
        # As GRUB does it: a name goes on to the next "=", over the ends of lines too.
        name, equal, rest = rest.partition("=")
        value, _, rest = rest.partition("\n")
        if equal and name.startswith("twinroot_"):
            found[name[9:]] = value
    values = [found.get(n, "") for n in NAMES]
    if found.get("check") != "-".join(values) or found["default"] not in ("a", "b"):
        return None
    return dict(zip(NAMES, values))


def current(first, second):
    """Which of two copies counts: (values, index), or (None, None)."""
    one, two = decode(first), decode(second)
    if one is None or two is None:
        return (one, 0) if one else (two, 1) if two else (None, None)
    # Only GRUB's countdown leaves the sequence as it is.
    newer = (two["left"] < one["left"] if two["sequence"] == one["sequence"] else
             int(two["sequence"]) > int(one["sequence"]))
    return (two, 1) if newer else (one, 0)


class Report:
    """Lines `PASS|FAIL|SKIP name seconds` for tests/vm's runner; the exit status."""

    def __init__(self):
        self.bad = 0

    def case(self, name, function, *args):
        start = time.monotonic()
        word, why = "PASS", ""
        try:
            function(*args)
        except Missing as e:
            word, why = "SKIP", str(e)
        except (AssertionError, OSError, subprocess.SubprocessError) as e:
            word, why = "FAIL", str(e)
            self.bad += 1
        print("%s %s %.1f" % (word, name, time.monotonic() - start), flush=True)
        if why:
            print("%s: %s" % (name, why), file=sys.stderr)

    def exit(self):
        sys.exit(1 if self.bad else 0)
