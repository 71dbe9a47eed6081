# SPDX-License-Identifier: Apache-2.0
"""Disk images without root or loop devices, and a look into them from outside."""
import dataclasses
import json
import os
import pathlib
import struct
import tempfile

from lab import MIB, run

SECTOR = 512
TYPES = {
    "gpt": {"linux": "L", "efi": "U", "bios": "21686148-6449-6E6F-744E-656564454649", "fat": "U"},
    "dos": {"linux": "83", "fat": "c", "efi": "ef"},
}


@dataclasses.dataclass
class Part:
    """A partition: size in bytes, and what is in it from the start: an image (path), bytes, or nothing."""
    name: str
    size: int
    type: str = "linux"
    content: object = None


def make_disk(path, parts, table="gpt", align=4 * MIB):
    """A disk image with these partitions, in order, each on a multiple of ALIGN (an erase unit of cheap cards)."""
    rows, at = [], align
    for p in parts:
        row = f"start={at // SECTOR}, size={p.size // SECTOR}, type={TYPES[table][p.type]}"
        rows.append(row + (f', name="{p.name}"' if table == "gpt" else ""))
        at += -(-p.size // align) * align
    with open(path, "wb") as f:
        f.truncate(at + align)
    run("sfdisk", "-q", path, input="\n".join([f"label: {table}", *rows, ""]).encode())
    disk = Disk(path, [p.name for p in parts])
    for p in parts:
        if isinstance(p.content, bytes):
            disk.write(p.name, 0, p.content)
        elif p.content is not None:
            disk.fill(p.name, p.content)
    return disk


class Disk:
    """An image on the host. Names: those of a GPT; an MBR has none, so they are given, in order."""

    def __init__(self, path, names=None):
        self.path = pathlib.Path(path)
        table = json.loads(run("sfdisk", "-J", path))["partitiontable"]
        self.parts = {}
        for i, p in enumerate(table["partitions"]):
            name = p.get("name") or (names[i] if names else str(i + 1))
            self.parts[name] = (p["start"] * SECTOR, p["size"] * SECTOR)

    def number(self, name):
        return list(self.parts).index(name) + 1

    def read(self, name, offset=0, length=None):
        start, size = self.parts[name]
        with open(self.path, "rb") as f:
            f.seek(start + offset)
            return f.read(size - offset if length is None else length)

    def write(self, name, offset, data):
        start, size = self.parts[name]
        assert offset + len(data) <= size, f"'{name}' is too small"
        with open(self.path, "r+b") as f:
            f.seek(start + offset)
            f.write(data)

    def fill(self, name, image):
        start, size = self.parts[name]
        assert os.path.getsize(image) <= size, f"'{name}' is too small for '{image}'"
        run("dd", f"if={image}", f"of={self.path}", "bs=64K", "oflag=seek_bytes", f"seek={start}",
            "conv=notrunc,sparse", "status=none")

    def extract(self, name, image):
        """A copy of the partition in a file of its own."""
        start, size = self.parts[name]
        run("dd", f"if={self.path}", f"of={image}", "bs=64K", "iflag=skip_bytes,count_bytes", f"skip={start}",
            f"count={size}", "conv=sparse", "status=none")

    def fat(self, name):
        """The partition for mtools: `mtype -i THIS ::/file`."""
        return f"{self.path}@@{self.parts[name][0]}"

    def fat_read(self, name, path):
        return run("mtype", "-i", self.fat(name), f"::/{path}")

    def fat_write(self, name, path, data):
        with tempfile.NamedTemporaryFile() as f:
            f.write(data)
            f.flush()
            run("mcopy", "-o", "-i", self.fat(name), f.name, f"::/{path}")


def fat_image(path, size, label, files):
    """A FAT filesystem with {path: bytes or path of a host file}. FAT16: mtools refuses FAT32 on so small a disk."""
    with open(path, "wb") as f:
        f.truncate(size)
    run("mkfs.vfat", "-F", "16", "-n", label, "--invariant", path)
    made = set()
    for name, what in files.items():
        for parent in reversed(pathlib.PurePath(name).parents[:-1]):
            if parent not in made:
                run("mmd", "-i", path, f"::/{parent}")
                made.add(parent)
        if isinstance(what, bytes):
            with tempfile.NamedTemporaryFile() as f:
                f.write(what)
                f.flush()
                run("mcopy", "-i", path, f.name, f"::/{name}")
        else:
            run("mcopy", "-i", path, what, f"::/{name}")


def ext4_image(path, size, label, files):
    """An ext4 filesystem with {path: text, bytes or host file}; text that begins with "#!" is executable."""
    with tempfile.TemporaryDirectory() as t:
        for name, what in files.items():
            to = pathlib.Path(t) / name
            to.parent.mkdir(parents=True, exist_ok=True)
            data = what.read_bytes() if isinstance(what, pathlib.Path) else what if isinstance(what, bytes) else what.encode()
            to.write_bytes(data)
            to.chmod(0o755 if data[:2] == b"#!" else 0o644)
        run("mke2fs", "-q", "-t", "ext4", "-L", label, "-E", "root_owner=0:0", "-d", t, path, f"{size // 1024}K")


def grub_bios(disk, part, boot_img, core):
    """What grub-install does: boot.img in sector 0, the core in a partition, each told where the next part is."""
    start = disk.parts[part][0] // SECTOR
    boot = bytearray(boot_img[:440])
    struct.pack_into("<Q", boot, 0x5C, start)
    boot[0x66:0x68] = b"\x90\x90"
    core = bytearray(core)
    segment, = struct.unpack_from("<H", core, 0x1FE)
    struct.pack_into("<QHH", core, 0x1F4, start + 1, (len(core) + SECTOR - 1) // SECTOR - 1, segment)
    disk.write(part, 0, bytes(core))
    with open(disk.path, "r+b") as f:
        f.write(boot)
