# SPDX-License-Identifier: Apache-2.0
"""The life of a whole device with every write to its disk logged, whoever made it: bootloader, kernel, installer.
../crash/recorded.py makes every disk that a power cut could have left, and judges it; some are started here, bootloader, kernel
and installer again."""
import hashlib
import json
import os
import re
import subprocess
import sys

import factory
import guest
from factory import Boot
from lab import TOP, Failure, run, sparse_copy
from scenario import scenario
from scenarios_chains import ARMED, STATUS, life
from scenarios_stores import program

CRASH = TOP / "tests/crash"
sys.path.append(str(CRASH))
import stores  # noqa: E402  # pylint: disable=wrong-import-position

SAMPLES = 5       # states that the whole device is started from
POWER_ONS = 6     # from one of them to rest: the tries of a trial, and two
STATE = "twinroot/state"
# What the bootloader has to say in this life: tries used up, then a trial that is kept (its tries are full again when it is healthy).
DUE = [(None, 0, "a"), ("b", 2, "a"), ("b", 1, "a"), (None, 0, "a"), ("b", 2, "a"), ("b", 1, "a"), ("b", 2, "a"), (None, 0, "b")]


def record_life(d):
    """{version: artifact}; what each power-on wrote is in d.record."""
    d.record.mkdir()
    sparse_copy(d.device.disk.path, d.record / "base.img")
    broken = Boot(kernel="missing")
    second, third = d.release("2", {} if d.virt else {"boot/kernel": None}), d.release("3")
    d.install("install", d.url(second, broken), running="a", store=ARMED)
    d.reboots("boot of no kernel, counts", store={**ARMED, "left": 1})
    d.reboots("boot of no kernel, counts again", store={**ARMED, "left": 0})
    d.install("after no kernel", d.url(third), running="a", reason="tries-used-up", store=ARMED)
    d.job("trial, counts", STATUS, running="b", phase="committed", version="3",
          store={"default": "b", "trial": "none", "bad": "none"})
    files = {"1": d.release("1"), "2": second, "3": third}
    return {v: factory.artifact(r, (broken if v == "2" else Boot()) if d.virt else None) for v, r in files.items()}


def record_blocks(disk, folder):
    """Where the two blocks of the state record lie on the disk."""
    disk.extract("data", folder / "data.img")
    found = [int(run("debugfs", "-R", f"bmap {STATE} {n * stores.UNIT // stores.BLOCK}", folder / "data.img").split()[0])
             for n in (0, 1)]
    size = int(re.search(r"^Block size: *(\d+)$", run("dumpe2fs", "-h", folder / "data.img").decode(), re.M)[1])
    (folder / "data.img").unlink()
    if size != stores.BLOCK or not all(found):
        raise Failure(f"the state record's blocks are {found}, of {size} bytes")
    return [disk.parts["data"][0] + block * size for block in found]


def describe(d, artifacts):
    """recording.json."""
    parts, stems = d.device.disk.parts, ("root", "boot") if d.virt else ("root",)
    copies = factory.STORE_PARTS[d.c.board]
    start = parts[copies[0][0]][0]
    places = [(parts[name][0] + at - start, 16384 if d.virt else 2560) for name, at in copies]
    layout = {f"{stem}-{slot}": parts[f"{stem}-{slot}"] for stem in stems for slot in "ab"}
    layout.update({"boot": (start, 16 << 20 if d.virt else 8 << 20), "data": parts["data"]})
    versions = {}
    for version, file in artifacts.items():
        versions[version] = {}
        for stem in stems:
            data = guest.image(file, "rootfs" if stem == "root" else stem).read_bytes()
            versions[version][stem] = (len(data), hashlib.sha256(data).hexdigest())
    told = {"store": "uboot-pair" if d.virt else "grub", "parts": places, "layout": layout,
            "base": "base.img", "boots": [(what, log.name) for what, log in d.recorded], "versions": versions,
            "artifacts": {hashlib.sha256(run("tar", "-xOf", file, "manifest.json")).hexdigest(): version
                          for version, file in artifacts.items()},
            "blocks": record_blocks(d.device.disk, d.record), "due": DUE, "seed": os.environ.get("SEED", "1"), "samples": SAMPLES,
            "firmware": "uefi" if "uefi" in d.device.chain.name else "bios"}
    (d.record / "recording.json").write_text(json.dumps(told, indent=1))
    return told


def rule(told, disk):
    """(slot, trial) that the bootloader starts next, by stores.py."""
    store = stores.STORES[told["store"]]
    boot = bytearray(16 << 20)
    with open(disk.path, "rb") as f:
        for (at, size), (to, _) in zip(told["parts"], store.parts):
            f.seek(told["layout"]["boot"][0] + at)
            boot[to:to + size] = f.read(size)
    return stores.start(store, boot)[:2]


def lives_on(d, told, image, what, url):
    """A device whose power was cut so comes to rest by itself, installs the next release, and keeps it."""
    d.device.copy_of(image)
    if "torn" in what:
        # ext4 refuses a journal whose last commit is torn inside its block. These guests do not repair, as an init has to
        # (installer/README.md).
        part = image.with_suffix(".data")
        d.device.disk.extract("data", part)
        if subprocess.run(["e2fsck", "-p", part], check=False, stdout=subprocess.DEVNULL).returncode >= 4:
            raise Failure(f"{what}: e2fsck -p does not repair the data partition")
        d.device.disk.fill("data", part)
        part.unlink()
    for _ in range(POWER_ONS):
        slot, trial = rule(told, d.device.disk)
        with d.on(f"checked || exit 99\n{STATUS}artifact-install install -q {url} && sync && echo LAB installed") as m:
            ended = m.finish(600)
        if "LAB userspace" in m.text:
            d.slot(what, m, slot, trial)
        if "LAB installed" in m.text:
            break
        if ended != "reboot":
            raise Failure(f"{what}: the machine ended by {ended}: {m.tail()}")
    else:
        raise Failure(f"{what}: it never came to rest")
    d.job(f"{what}, the next", STATUS, phase="committed", version="4", running="a" if slot == "b" else "b")


@scenario("virt-uboot", "x86-bios-grub", "x86-uefi-grub", full=("virt-uboot", "x86-bios-grub", "x86-uefi-grub"))
def recorded_life(c):
    """Two installs, a trial whose tries are used up, one that is kept: every power cut in it."""
    with life(c, factory.release(c.board, "1")) as d:
        d.record = c.device.folder / "recorded"
        artifacts = record_life(d)
        told = describe(d, artifacts)
        folder, d.record = d.record, None
        program(c, CRASH / "recorded.py", folder)
        url = d.url(d.release("4"))
        for name, what in json.loads((folder / "samples.json").read_text()):
            lives_on(d, told, folder / name, what, url)
            (folder / name).unlink()
