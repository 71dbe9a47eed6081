# SPDX-License-Identifier: Apache-2.0
"""Make the factory's disk, then record what the device's life writes to it."""
import array
import fcntl
import hashlib
import os
import random
import shutil
import struct
import subprocess

import blklog
import lab

VERSIONS = ("1", "2", "3", "4", "5")
BROKEN = "5"  # its configuration is wrong, so that boot-check must give it up


def install(version):
    return "install " + version, lambda d: d.run("install", "-q", "/src/%s.artifact" % version)


def broken_off(version):
    """A source that ends in the middle: what was written stays, for the next install to go on with. From a pipe, for the end of a
    file is looked at first."""
    def act(device):
        path = os.path.join(device.sources, version + ".artifact")
        with open(path, "rb") as file:
            half = file.read(os.path.getsize(path) // 2)
        status, _ = device.run("install", "-q", "-", may_fail=True, data=half)
        if status != 3:
            raise lab.Failed("half an artifact ended with %d" % status)
    return "half of " + version, act


def command(*words):
    return words[0], lambda d: d.run(*words, "-q")


def reboot(slot):
    """Shut down and start; SLOT is what has to come up."""
    def act(device):
        device.down()
        if device.boot() != slot:
            raise lab.Failed("slot %s booted, not %s" % (device.running, slot))
        device.mount_data()
    return "boot " + slot, act


def check(due=False):
    """boot-check; DUE: it must give the slot up and ask for a reboot."""
    def act(device):
        status, out = device.run("boot-check", "-q", "--no-reboot", may_fail=True)
        if status != due:
            raise lab.Failed("boot-check ended with %d: %s" % (status, out))
    return "boot-check", act


def life(checks):
    """The steps, each a name and what it does to a running device. Slot a has version 1. CHECKS: this build has boot-check."""
    passed = [check()] if checks else [command("commit")]
    rest = [check()] if checks else []
    steps = [reboot("a")] + rest
    steps += [install("2"), reboot("b")] + passed
    # In the other direction; the trial is given up by hand, then the same is installed again and kept.
    steps += [install("3"), reboot("a"), command("rollback"), reboot("b")] + rest
    steps += [install("3"), reboot("a")] + passed
    # A device at rest goes back to what the other slot holds, and calls it off.
    steps += [command("rollback"), command("rollback"), command("mark-bad")]
    # A new one that never gets through: its tries are used up.
    steps += [broken_off("4"), install("4"), reboot("b"), reboot("b"), reboot("b"), reboot("a")] + (rest or [command("rollback")])
    if checks:
        # One that boots and could not install the next.
        steps += [install(BROKEN), reboot("b"), check(due=True), reboot("a"), check()]
    return steps + [install("2"), reboot("b")] + passed


class World:
    """Keys, artifacts and images, made once below FOLDER."""

    def __init__(self, folder, build, store):
        self.folder, self.build, self.store = folder, build, store
        text = subprocess.run([os.path.join(build, "artifact-install"), "--help"], capture_output=True, text=True, check=True).stdout
        self.checks = "boot-check" in text
        self.sources = os.path.join(folder, "src")
        self.base = os.path.join(folder, "base.img")
        self.images = {}   # SHA-256 of an image's bytes: its version
        self.artifacts = {}  # SHA-256 of a manifest: the image's SHA-256
        os.makedirs(self.sources)
        self.make_versions()
        self.make_disk()

    def tool(self, *words):
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, SOURCE_DATE_EPOCH="1700000000"))

    def make_versions(self):
        keys, key = os.path.join(self.folder, "keys"), os.path.join(self.folder, "key.pem")
        os.makedirs(keys)
        self.tool("openssl", "genpkey", "-algorithm", "ed25519", "-out", key)
        self.tool("openssl", "pkey", "-in", key, "-pubout", "-out", os.path.join(keys, "key.pem"))
        tree = os.path.join(self.folder, "tree")
        lab.make_rootfs(tree, self.build, keys)
        for version in VERSIONS:
            with open(os.path.join(tree, "etc/os-release"), "w", encoding="ascii") as file:
                file.write("IMAGE_VERSION=%s\n" % version)
            lab.write_config(tree, self.store, "other-board" if version == BROKEN else "crash-board")
            with open(os.path.join(tree, "noise"), "wb") as file:
                file.write(random.Random(7).randbytes(1500000) + random.Random(version).randbytes(700000))
            image = os.path.join(self.folder, version + ".img")
            with open(image, "wb") as file:
                file.truncate(lab.IMAGE)
            self.tool("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-U", "00000000-0000-4000-8000-00000000000" + version,
                      "-d", tree, image)
            artifact = os.path.join(self.sources, version + ".artifact")
            self.tool(os.path.join(self.build, "mkartifact/mkartifact"), "create", "-q", "-o", artifact, "--name", "crash",
                      "--version", version, "--compatible", "crash-board", "--no-sbom", "--rootfs", image, "--key", key)
            with open(image, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            manifest = subprocess.run(["tar", "-xOf", artifact, "manifest.json"], check=True, capture_output=True).stdout
            self.images[digest] = version
            self.artifacts[hashlib.sha256(manifest).hexdigest()] = digest

    def make_disk(self):
        data = os.path.join(self.folder, "data.img")
        with open(data, "wb") as file:
            file.truncate(lab.LAYOUT["data"][1])
        self.tool("mke2fs", "-q", "-t", "ext4", "-b", "4096", data)
        with open(self.base, "wb") as disk:
            disk.truncate(lab.DISK)
            for offset, block in self.store.make():
                disk.seek(lab.LAYOUT["boot"][0] + offset)
                disk.write(block)
            for path, part in ((os.path.join(self.folder, "1.img"), "slot-a"), (data, "data")):
                with open(path, "rb") as file:
                    disk.seek(lab.LAYOUT[part][0])
                    disk.write(file.read())
            # The other slot came with nothing.
            disk.seek(lab.LAYOUT["slot-b"][0])
            disk.write(random.Random(99).randbytes(lab.LAYOUT["slot-b"][1]))


def extents(path):
    """[(logical, physical, length)] of a file, by FIEMAP."""
    with open(path, "rb") as file:
        buffer = array.array("B", struct.pack("<QQIIII", 0, 1 << 62, 1, 0, 64, 0) + bytes(64 * 56))
        fcntl.ioctl(file, 0xC020660B, buffer)
        found = struct.unpack_from("<I", buffer, 20)[0]
        return [struct.unpack_from("<QQQ", buffer, 32 + 56 * n) for n in range(found)]


def physical(path, offset):
    for logical, where, length in extents(path):
        if logical <= offset < logical + length:
            return where + offset - logical
    raise lab.Failed("%s has no block at %d" % (path, offset))


class Recording:
    """entries: the writes; marks: [(step's name, entries when it had ended)]; blocks: where the state record's two
    blocks lie on the disk."""

    def __init__(self, world, steps):
        self.world, self.marks, self.blocks = world, [], []
        disk = os.path.join(world.folder, "disk.img")
        shutil.copy(world.base, disk)
        folder = os.path.join(world.folder, "recorded")
        os.makedirs(folder, exist_ok=True)
        daemon, log = lab.logged(folder, disk)
        try:
            device = lab.Device(folder, daemon.path, world.sources, world.store)
            try:
                for name, act in steps:
                    act(device)
                    self.marks.append((name, blklog.count(log)))
                state = os.path.join(device.root, "data/twinroot/state")
                if os.path.exists(state):
                    self.blocks = [lab.LAYOUT["data"][0] + physical(state, n * lab.UNIT) for n in (0, 1)]
            finally:
                device.close()
            self.marks.append(("shutdown", blklog.count(log)))
        finally:
            daemon.close()
        self.entries = list(blklog.read(log))
        os.unlink(log)
        os.unlink(disk)

    def step(self, n):
        """The step in which entry N was written."""
        return next((i for i, (_, end) in enumerate(self.marks) if n < end), len(self.marks) - 1)
