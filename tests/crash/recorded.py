#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts in the life of a whole virtual device, whose every write was logged beneath it: those of its bootloader, of the
kernel, of the installer. The states are those of replay.py, judged by judge.py; nothing is played here.

usage: recorded.py FOLDER    (FOLDER/recording.json, made by ../vm/scenarios_cuts.py)

recording.json: store (one of stores.py); parts (where its copies lie in the partition "boot"); layout (partition: offset, size);
base (the disk before it all); boots ([name, log of writes]); versions (version: {partition's stem: length, SHA-256}); artifacts
(manifest's SHA-256: version); blocks (where the state record's two lie on the disk); due (what the bootloader has to say, one
after the other); seed; samples; firmware (of the GRUB to start). So many SAMPLES are left as FOLDER/N.img, for the whole device to
be started from, of one boot after the other: samples.json says [image, what it is].

A recording with a mistake in it, and expectations that are wrong, must be found out.
"""
import collections
import copy
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import blklog  # noqa: E402
import booted  # noqa: E402
import crash  # noqa: E402
import judge  # noqa: E402
import lab  # noqa: E402
import replay  # noqa: E402
import stores  # noqa: E402

EFFORT = crash.Effort(20, 1, 1, 0, {})
World = collections.namedtuple("World", "store images artifacts versions")


class Recording:
    """As record.Recording, from logs of several boots."""

    def __init__(self, folder, told):
        self.entries, self.marks, self.blocks = [], [], told["blocks"]
        for name, log in told["boots"]:
            self.entries += blklog.read(os.path.join(folder, log))
            self.marks.append((name, len(self.entries)))

    def step(self, n):
        return next((i for i, (_, end) in enumerate(self.marks) if n < end), len(self.marks) - 1)

    def boots(self):
        """(name, first entry, entry behind the last)"""
        begin = 0
        for name, end in self.marks:
            yield name, begin, end
            begin = end


class Cheap(judge.Cheap):
    """A slot is all of its partitions, and images differ in length."""

    def holds(self, slot):
        for version, parts in self.world.versions.items():
            if all(self.sum("%s-%s" % (stem, slot), length) == digest for stem, (length, digest) in parts.items()):
                return version
        return None

    def sum(self, name, length):
        offset = lab.LAYOUT[name][0]
        return self.memo((name, length, self.disk.version[name]),
                         lambda: hashlib.sha256(self.disk.bytes[offset:offset + length]).hexdigest())


class Life:
    """What was recorded, and the judges of it."""

    def __init__(self, folder, told, memory):
        self.folder, self.told, self.memory = folder, told, memory
        lab.LAYOUT = {name: tuple(place) for name, place in told["layout"].items()}
        store = copy.copy(stores.STORES[told["store"]])
        store.parts = tuple(tuple(part) for part in told["parts"])
        versions = told["versions"]
        self.world = World(store, {version: version for version in versions}, told["artifacts"], versions)
        self.recording = Recording(folder, told)

    def disk(self):
        path = os.path.join(self.memory, "work.img")
        subprocess.run(["cp", "--sparse=always", os.path.join(self.folder, self.told["base"]), path], check=True)
        return replay.Disk(path)

    def walk(self, disk):
        return replay.Replay(disk, self.recording, self.told["seed"], *EFFORT[:3]).states()

    def bootloader(self, disk, failures, rule, due):
        """The first write of each boot against RULE; what the bootloader says, one after the other, against DUE."""
        said, counted = [], 0
        for name, begin, end in self.recording.boots():
            slot, trial, save = stores.start(rule, disk.part("boot"))
            for entry in self.recording.entries[begin:end]:
                if not entry.length:
                    continue
                before = disk.part("boot")
                disk.write(entry.offset, bytes(entry.length) if entry.data is None else entry.data)
                boot = disk.part("boot") if self.touches(entry) else before
                if save and boot != before:
                    due_boot = bytearray(before)
                    due_boot[save[0]:save[0] + len(save[1])] = save[1]
                    counted += 1
                    if rule.view(boot) != rule.view(due_boot):
                        failures.add(name, "the bootloader wrote %s, not %s" % (rule.view(boot), rule.view(due_boot)))
                    save = None
                plan = stores.plan(rule.read(boot))
                if not said or said[-1] != plan:
                    said.append(plan)
            if save:
                failures.add(name, "slot %s, trial %d: it was not counted" % (slot, trial))
            disk.forget()
        if said != [tuple(plan) for plan in due]:
            failures.add("the life", "the bootloader was told %s, not %s" % (said, due))
        return counted

    def touches(self, entry):
        offset, size = lab.LAYOUT["boot"]
        return entry.offset < offset + size and offset < entry.offset + entry.length

    def states(self, disk, failures, stop=None):
        """Judge all states, or so many: (how many of each kind, Distinct, [(number, boot, kind)])"""
        cheap = Cheap(disk, self.world, self.recording.blocks)
        expected = crash.Expected(self.recording, disk, cheap, failures)
        expected.promises()
        kinds, distinct, seen = collections.Counter(), crash.Distinct(cheap, None), []
        for number, (kind, n, start) in enumerate(self.walk(disk)):
            if number == stop:
                break
            kinds[kind] += 1
            step = self.recording.step(max(n, 0))
            where = "%s, entry %d, %s" % (kind, n, self.recording.marks[step][0])
            view, faults = cheap.view(kind == "garbled")
            if not faults and view.plan not in expected.allowed(kind, n, start):
                faults.append("the bootloader says %s, which it says neither before nor after" % (view.plan,))
            if view.record.block is None and expected.at(start - 1).record.block is not None:
                faults.append("the state record is lost")
            for fault in faults:
                failures.add(where, fault)
            distinct.look(view, where)
            seen.append((number, step, kind))
        return kinds, distinct, seen

    def samples(self, seen):
        """Leave disks of some states; noise is left to ../crash, for these devices repair no filesystem."""
        rng, chosen = random.Random("%s samples" % self.told["seed"]), {}
        for n in range(self.told["samples"]):
            step = n % len(self.recording.marks)
            number, _, kind = rng.choice([s for s in seen if s[1] == step and s[2] != "garbled"])
            chosen[number] = "%s, state %d, %s" % (self.recording.marks[step][0], number, kind)
        disk, made = self.disk(), []
        for number, _ in enumerate(self.walk(disk)):
            if number in chosen:
                disk.bytes.flush()
                made.append(["%d.img" % number, chosen[number]])
                subprocess.run(["cp", "--sparse=always", disk.file.name, os.path.join(self.folder, made[-1][0])], check=True)
            if len(made) == len(chosen):
                break
        disk.close()
        with open(os.path.join(self.folder, "samples.json"), "w", encoding="ascii") as file:
            json.dump(made, file)


class Quiet(crash.Failures):
    """Those that have to be."""

    def add(self, where, text):
        self.count += 1


def uncounted(rule):
    """A rule by which a try is not counted."""
    wrong = copy.copy(rule)
    wrong.update = lambda boot, v: rule.update(boot, dict(v, twinroot_left="%x" % (int(v["twinroot_left"], 16) + 1)))
    return wrong


def mistakes(life):
    """(what is wrong on purpose, how many failures it makes)"""
    def bootloader(told, rule=life.world.store, due=life.told["due"]):
        failures, disk = Quiet(), told.disk()
        told.bootloader(disk, failures, rule, due)
        disk.close()
        return failures.count

    def without_counts():
        """The same life, of whose bootloader's writes the first one is lost."""
        other = copy.copy(life)
        other.recording = copy.copy(life.recording)
        entries = other.recording.entries = list(life.recording.entries)
        n = next(n for name, begin, end in life.recording.boots() if "counts" in name
                 for n in range(begin, end) if life.touches(entries[n]))
        entries[n] = entries[n]._replace(length=0, data=None)
        return other

    def other_images():
        other, failures = copy.copy(life), Quiet()
        other.world = life.world._replace(versions={
            name: {stem: (length, digest[::-1]) for stem, (length, digest) in parts.items()}
            for name, parts in life.world.versions.items()})
        disk = other.disk()
        other.states(disk, failures, 3)
        disk.close()
        return failures.count

    yield "a rule that does not count", bootloader(life, uncounted(life.world.store))
    yield "another end is due", bootloader(life, due=life.told["due"][:-1])
    yield "a count is lost", bootloader(without_counts())
    yield "the slots hold no image that is known", other_images()


def main():
    folder = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="twinroot-recorded.", dir=os.environ.get("CRASH_DIR", "/dev/shm")) as memory:
        return examine(folder, memory)


def examine(folder, memory):
    with open(os.path.join(folder, "recording.json"), encoding="ascii") as file:
        told = json.load(file)
    begun, life, failures = time.monotonic(), Life(folder, told, memory), crash.Failures()
    disk = life.disk()
    counted = life.bootloader(disk, failures, life.world.store, told["due"])
    disk.close()
    disk = life.disk()
    kinds, distinct, seen = life.states(disk, failures)
    disk.close()
    found = list(mistakes(life))
    for what, count in found:
        if not count:
            failures.add("on purpose", "not found out: " + what)
    print("%s: %d boots, %d requests, %d counts of the bootloader; states: %s = %d; distinct to bootloader and record: %d; "
          "failures: %d; mistakes on purpose found out: %d of %d; seed %s; %.0f s"
          % (life.world.store.name, len(told["boots"]), len(life.recording.entries), counted,
             ", ".join("%s %d" % item for item in kinds.items()), sum(kinds.values()), len(distinct.states), failures.count,
             sum(count > 0 for _, count in found), len(found), told["seed"], time.monotonic() - begun), flush=True)
    os.makedirs(os.path.join(folder, "booted"))
    states = list(distinct.stores.values())
    started = booted.REAL[told["store"]](life.world.store, states, told["seed"], len(states), os.path.join(folder, "booted"),
                                         told["firmware"])
    if not failures.count:
        life.samples(seen)
    return failures.count + started > 0


if __name__ == "__main__":
    sys.exit(main())
