# SPDX-License-Identifier: Apache-2.0
"""Stores that a power cut has left, given to the real bootloader: it must start the slot that stores.py says, and leave in the
store what stores.py would have written."""
import os
import random
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vm"))


def uboot(world, states, seed, count, folder):
    """The number of failures for a sample of COUNT of the STATES, each (boot partition's bytes, where it was found)."""
    import uboot_states as lab  # of ../vm
    if not os.path.exists(lab.FIRMWARE) or not any(os.access(os.path.join(p, "qemu-system-aarch64"), os.X_OK)
                                                   for p in os.environ["PATH"].split(":")):
        print("SKIP: real U-Boot: qemu-system-aarch64 or u-boot-qemu is not installed", flush=True)
        return 0
    from stores import start
    begun, failures, store = time.monotonic(), 0, world.store
    chosen = random.Random("%s booted" % seed).sample(states, min(count, len(states)))
    os.makedirs(folder)
    disk = os.path.join(folder, "disk.img")
    lab.make_disk(disk, folder)
    for boot, where in chosen:
        lab.store(disk, [boot[off:off + size] for off, size in store.parts])
        slot, trial, save = start(store, boot)
        due = bytearray(boot)
        if save:
            due[save[0]:save[0] + len(save[1])] = save[1]
        got = lab.Board(disk).boot()
        left = lab.fetch(disk)
        after = [store.one(copy, 0) for copy in left]
        if got != (slot, str(int(trial))) or after != [store.one(due, off) for off, _ in store.parts]:
            failures += 1
            print("  %s: U-Boot started %s and left %s" % (where, got, after), flush=True)
    print("%s: %d of %d distinct states of the store through real U-Boot; failures: %d; seed %s; %.0f s"
          % (store.name, len(chosen), len(states), failures, seed, time.monotonic() - begun), flush=True)
    return failures
