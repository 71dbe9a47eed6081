# SPDX-License-Identifier: Apache-2.0
"""Stores that a power cut has left, given to the real bootloader: it must start the slot that stores.py says, and leave in the
store what stores.py would have written."""
import os
import random
import shutil
import sys
import time

from stores import start

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vm"))


def chosen(states, seed, count):
    return random.Random("%s booted" % seed).sample(states, min(count, len(states)))


def after(store, boot):
    """(slot, trial, boot partition) as stores.py has it."""
    slot, trial, save = start(store, boot)
    due = bytearray(boot)
    if save:
        due[save[0]:save[0] + len(save[1])] = save[1]
    return slot, trial, due


def report(store, name, tried, total, failures, seed, begun):
    print("%s: %d of %d distinct states of the store through real %s; failures: %d; seed %s; %.0f s"
          % (store.name, tried, total, name, failures, seed, time.monotonic() - begun), flush=True)
    return failures


def uboot(store, states, seed, count, folder, _=None):
    """The number of failures for a sample of COUNT of the STATES, each (boot partition's bytes, where it was found)."""
    import uboot_states as lab  # of ../vm
    if not os.path.exists(lab.FIRMWARE) or not shutil.which("qemu-system-aarch64"):
        print("SKIP: real U-Boot: qemu-system-aarch64 or u-boot-qemu is not installed", flush=True)
        return 0
    begun, failures, tried = time.monotonic(), 0, chosen(states, seed, count)
    disk = os.path.join(folder, "disk.img")
    lab.make_disk(disk, folder)
    for boot, where in tried:
        lab.store(disk, [boot[off:off + size] for off, size in store.parts])
        slot, trial, due = after(store, boot)
        got = lab.Board(disk).boot()
        left = [store.one(copy, 0) for copy in lab.fetch(disk)]
        if got != (slot, str(int(trial))) or left != [store.one(due, off) for off, _ in store.parts]:
            failures += 1
            print("  %s: U-Boot started %s and left %s" % (where, got, left), flush=True)
    return report(store, "U-Boot", len(tried), len(states), failures, seed, begun)


def grub(store, states, seed, _, folder, firmware="bios"):
    """The same for GRUB, which goes through all STATES in one run."""
    import grub_kit
    import grub_states as lab
    begun, failures = time.monotonic(), 0
    # A copy whose archive is gone is a file that is not there.
    blocks = [[boot[off + 512:off + 1536] if store.one(boot, off) is not None else None for off, _ in store.parts] for boot, _ in states]
    cases = [lab.Case(where, *pair) for pair, (_, where) in zip(blocks, states)]
    try:
        disks = os.path.join(folder, "stores.img")
        places = lab.make_stores(disks, cases)
        with open(os.path.join(grub_kit.SCRIPTS, "twinroot.cfg"), encoding="ascii") as file:
            files = {"grub.cfg": lab.CONFIG, "twinroot.cfg": file.read(), "case.cfg": lab.SETTINGS, "cases.cfg": lab.script_for(cases)}
        text = grub_kit.boot(grub_kit.make_disk(folder, firmware, [], files), firmware, until="@end", limit=10 * grub_kit.LIMIT, more=[disks])
    except grub_kit.Missing as why:
        print("SKIP: real GRUB: %s" % why, flush=True)
        return 0
    runs = lab.acts_of(text)
    for n, (boot, where) in enumerate(states):
        slot, trial, due = after(store, boot)
        first = runs[n][0][0].split()
        left = [grub_kit.read_at(disks, places[n, i], 1024) if (n, i) in places else None for i in (0, 1)]
        wanted = [bytes(due[off + 512:off + 1536]) if pair is not None else None for (off, _), pair in zip(store.parts, blocks[n])]
        if first[:2] != ["boot", "twinroot.slot=" + slot] or ("twinroot.trial=1" in first) != trial or [
                grub_kit.decode(block) for block in left] != [grub_kit.decode(block) for block in wanted]:
            failures += 1
            print("  %s: GRUB did %s and left %s" % (where, runs[n][0], left), flush=True)
    return report(store, "GRUB", len(states), len(states), failures, seed, begun)


# By the store's name.
REAL = {"uboot-pair": uboot, "grub": grub}
