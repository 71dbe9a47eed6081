# SPDX-License-Identifier: Apache-2.0
"""The harness must find what is known to be wrong: commits by fw_setenv into an environment of one copy, and by
grub-editenv into a file. Each is recorded, replayed and judged like the installer's; no failure found is a failure."""
import collections
import copy
import os
import shutil
import subprocess
import tempfile
import time

import judge
import lab
import record
import replay
from stores import STORES


class GrubFile:
    """GRUB's environment block, a file on ext4 without a journal, read as GRUB does: straight from the disk."""
    name = "grub-editenv"
    nodes = STORES["uboot-single-copy"].nodes

    def read(self, boot):
        with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
            file.write(boot)
            file.flush()
            text = subprocess.run(["debugfs", "-R", "cat /grubenv", file.name], capture_output=True, check=False).stdout
        if len(text) != 1024 or not text.startswith(b"# GRUB Environment Block\n"):
            return None
        lines = (line.partition("=") for line in text.decode("latin-1").splitlines() if "=" in line)
        return {"twinroot_" + key: value for key, _, value in lines}


def fw_setenv(device):
    config = os.path.join(device.root, "..", "single.config")
    with open(config, "w", encoding="ascii") as file:
        file.write("%s 0x0 0x4000\n" % os.path.join(device.dev, "boot"))
    subprocess.run(["fw_setenv", "-c", config, "-s", "-"], input="twinroot_default=b\ntwinroot_trial=none\n", text=True, check=True)


def editenv(mountpoint, *words):
    subprocess.run(["grub-editenv", os.path.join(mountpoint, "grubenv"), *words], check=True)


def grub(device):
    lab.mount(os.path.join(device.dev, "boot"), device.root, "ext4", 16)  # MS_SYNCHRONOUS
    try:
        editenv(device.root, "set", "default=b", "trial=none")
    finally:
        lab.umount(device.root)


def grub_disk(world, path):
    part = os.path.join(world.folder, "grub.img")
    tree = os.path.join(world.folder, "grub")
    os.makedirs(tree)
    editenv(tree, "create")
    editenv(tree, "set", "default=a", "trial=none")
    with open(part, "wb") as file:
        file.truncate(lab.LAYOUT["boot"][1])
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", tree, part], check=True, stdout=subprocess.DEVNULL)
    write(path, open(part, "rb").read())


def write(path, data):
    with open(path, "r+b") as disk:
        disk.seek(lab.LAYOUT["boot"][0])
        disk.write(data)


def try_one(world, name, store, act, prepare, seed):
    """0 when faults were found."""
    begun = time.monotonic()
    world = copy.copy(world)
    base = os.path.join(world.folder, "known.img")
    shutil.copy(world.base, base)
    world.base, world.store = base, store
    prepare(world, base)
    recording = record.Recording(world, [(name, act)])
    disk = replay.Disk(base)
    cheap = judge.Cheap(disk, world, [])
    tried, faults = collections.Counter(), collections.Counter()
    for kind, _, _ in replay.Replay(disk, recording, seed, 16, 1, 1).states():
        tried[kind] += 1
        faults[kind] += cheap.plan() is None
    disk.close()
    os.unlink(base)
    print("known fault, %s: %d requests; states without a slot to boot: %s; %.0f s"
          % (name, len(recording.entries), ", ".join("%s %d of %d" % (kind, faults[kind], count) for kind, count in tried.items()),
             time.monotonic() - begun), flush=True)
    # Noise in a whole erase unit spares no store of one copy; that alone would prove little.
    return 0 if faults["torn"] + faults["prefix"] + faults["reordered"] else 1


def run(world, seed):
    single = STORES["uboot-single-copy"]
    return (try_one(world, "fw_setenv, one copy", single, fw_setenv,
                    lambda w, path: [write(path, block) for _, block in single.make()], seed) +
            try_one(world, "grub-editenv set", GrubFile(), grub, grub_disk, seed))
