# SPDX-License-Identifier: Apache-2.0
"""Power cuts, replayed (README.md). Run by run.sh, which makes the mount namespace."""
import argparse
import collections
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time

import booted
import inject
import judge
import known
import lab
import record
import replay
import stores

# What part of the states starts a device and installs: new, of those that are new to bootloader or record; real, of the others of each kind.
Effort = collections.namedtuple("Effort", "subsets torn_every garbled_every new real")
SHORT = Effort(4, 5, 3, 1, {"prefix": 0.06, "torn": 0.005, "reordered": 0.02, "garbled": 0.1})
SECOND = Effort(4, 5, 3, 0.3, {"prefix": 0.02, "torn": 0.002, "reordered": 0.01, "garbled": 0.05})  # short, and not the first store
FULL = Effort(40, 1, 1, 1, {"prefix": 1, "torn": 0.2, "reordered": 0.2, "garbled": 1})


class Failures:
    """Counts each kind of fault; keeps the words of the first few."""

    def __init__(self):
        self.count, self.texts = 0, collections.Counter()

    def add(self, where, text):
        self.count += 1
        self.texts[text] += 1
        if self.texts[text] <= 3:
            print("  %s: %s" % (where, text), flush=True)


def work(job):
    """One real start in a worker process. The disk is used up."""
    world, folder, disk, view, harm, where = job
    try:
        return where, judge.Real(world, os.path.join(folder, "real-%d" % os.getpid())).judge(disk, view, **harm), None
    except (lab.Failed, OSError, subprocess.SubprocessError, ValueError) as error:
        return where, None, "%s: %s" % (type(error).__name__, error)
    finally:
        os.unlink(disk)


class Pool:
    """Real starts, as many at once as there are processors; the disk is copied when one is asked for."""

    def __init__(self, world, failures, workers):
        self.world, self.failures = world, failures
        self.pool = multiprocessing.Pool(workers)
        self.limit, self.waiting, self.made, self.stories = workers + 1, [], 0, collections.Counter()

    def add(self, disk, view, harm, where):
        """HARM: what Real.judge has to be lenient about."""
        copy = os.path.join(self.world.folder, "real-%d.img" % self.made)
        self.made += 1
        subprocess.run(["cp", "--sparse=always", disk, copy], check=True)
        self.waiting.append(self.pool.apply_async(work, [(self.world, self.world.folder, copy, view, harm, where)]))
        while len(self.waiting) >= self.limit:
            self.take()

    def take(self):
        where, story, fault = self.waiting.pop(0).get(600)
        if fault:
            self.failures.add(where, fault)
        else:
            self.stories[story] += 1

    def close(self):
        while self.waiting:
            self.take()
        self.pool.close()
        self.pool.join()


def what(plan):
    """A plan without its count."""
    return plan and (plan[0], plan[2])


class Expected:
    """What every prefix shows, from a first walk through the log; and whether the steps kept their promises."""

    def __init__(self, recording, disk, cheap, failures):
        self.recording, self.failures = recording, failures
        self.views = []  # after entry n
        self.safe = []   # index of the last entry that was flushed when entry n was the last
        flushed = -1
        self.before = cheap.view()[0]
        for n, entry in enumerate(recording.entries):
            if entry.flush:
                flushed = n - 1 if entry.length else n
            if entry.length:
                disk.write(entry.offset, bytes(entry.length) if entry.data is None else entry.data)
            self.views.append(cheap.view()[0])
            self.safe.append(flushed)
        disk.undo(0)

    def at(self, n):
        return self.views[n] if n >= 0 else self.before

    def promises(self):
        """While a step runs the bootloader says what it said before, or what it says afterwards, or that nothing is on
        trial; and what a command has reported as done is on the disk, flushed."""
        begin = 0
        for name, end in self.recording.marks:
            first, last = self.at(begin - 1), self.at(end - 1)
            # How many tries are left may change in between: a slot that is healthy has them filled up.
            allowed = {what(first.plan), what(last.plan), (None, first.plan and first.plan[2])}
            for n in range(begin, end):
                if what(self.at(n).plan) not in allowed:
                    self.failures.add("entry %d, %s" % (n, name), "the bootloader says %s" % (self.at(n).plan,))
            if end and not name.startswith("boot ") and name != "shutdown":
                safe = self.at(self.safe[end - 1])
                if safe.plan != last.plan or safe.record.block != last.record.block:
                    self.failures.add(name, "ended before its writes were flushed")
            begin = end

    def allowed(self, kind, n, start):
        first = start if kind == "reordered" else n
        return {self.at(i).plan for i in range(first - 1, n + 1)}


class Distinct:
    """States that are new to the bootloader, or to bootloader and installer together."""

    def __init__(self, cheap, export):
        self.cheap, self.export = cheap, export
        self.stores, self.states, self.exported = {}, set(), []

    def look(self, view, where):
        """True for a new one."""
        boot = self.cheap.disk.part("boot") if ("view", self.cheap.disk.version["boot"]) not in self.cheap.known else None
        copies = self.cheap.memo(("view", self.cheap.disk.version["boot"]),
                                 lambda: json.dumps(self.cheap.world.store.view(boot), sort_keys=True))
        if view.plan and copies not in self.stores:
            self.stores[copies] = (self.cheap.disk.part("boot"), where)
            if self.export:
                entry = judge.export(self.cheap.disk.file.name, self.export, view, len(self.exported))
                self.exported.append(dict(entry, cut=where))
        key = copies, view.record.health, view.record.block, tuple(sorted(view.slots.items()))
        new = key not in self.states
        self.states.add(key)
        return new

    def close(self):
        if self.export:
            with open(os.path.join(self.export, "states.json"), "w", encoding="ascii") as file:
                json.dump({"store": self.cheap.world.store.name, "parts": self.cheap.world.store.parts, "layout": lab.LAYOUT,
                           "states": self.exported}, file, indent=1)


def replay_store(world, effort, seed, workers, export=None):
    """Record a life on WORLD's store and judge every state: (the number of failures, the distinct states of the store)."""
    begun = time.monotonic()
    recording = record.Recording(world, record.life(world.checks))
    work_disk = os.path.join(world.folder, "work.img")
    shutil.copy(world.base, work_disk)
    disk, failures = replay.Disk(work_disk), Failures()
    cheap = judge.Cheap(disk, world, recording.blocks)
    if len({block // stores.UNIT for block in recording.blocks}) != 2:
        failures.add("data partition", "both blocks of the state record lie in one erase unit")
    expected = Expected(recording, disk, cheap, failures)
    expected.promises()
    kinds, real, distinct = collections.Counter(), collections.Counter(), Distinct(cheap, export)
    pool, rng = Pool(world, failures, workers), random.Random("%s real" % seed)
    walk = replay.Replay(disk, recording, seed, effort.subsets, effort.torn_every, effort.garbled_every)
    for kind, n, start in walk.states():
        kinds[kind] += 1
        where = "%s, entry %d, %s" % (kind, n, recording.marks[recording.step(max(n, 0))][0])
        view, faults = cheap.view()
        if not faults and view.plan not in expected.allowed(kind, n, start):
            faults.append("the bootloader says %s, which it says neither before nor after" % (view.plan,))
        # Noise takes one erase unit, so one block; the other was there when the request came.
        if view.record.block is None and expected.at(start - 1).record.block is not None:
            faults.append("the state record is lost")
        for fault in faults:
            failures.add(where, fault)
        new = distinct.look(view, where)
        if not faults and effort.real and rng.random() < (effort.new if new else effort.real[kind]):
            real[kind] += 1
            pool.add(work_disk, view, {"garbled": kind == "garbled", "torn": walk.halved}, where)
    pool.close()
    distinct.close()
    disk.close()
    os.unlink(work_disk)
    print("%s: %d requests of %d steps; states: %s = %d; distinct to bootloader and record: %d; started for real, with the next "
          "install: %d (%s); failures: %d; seed %s; %.0f s"
          % (world.store.name, len(recording.entries), len(recording.marks) - 1, ", ".join("%s %d" % item for item in kinds.items()),
             sum(kinds.values()), len(distinct.states), sum(real.values()), ", ".join("%s %d" % item for item in real.items()),
             failures.count, seed, time.monotonic() - begun), flush=True)
    for story, count in pool.stories.most_common(None if effort is FULL else 12):
        print("  %5d  %s" % (count, story))
    return failures.count, list(distinct.stores.values())


PARTS = ("replay", "booted", "inject", "kill", "known")


def run_store(name, parts, options):
    world = record.World(os.path.join(options.folder, name), options.build, stores.STORES[name])
    effort, failures, states = FULL if options.full else SHORT if name == options.stores[0] else SECOND, 0, []
    if options.cheap:
        effort = effort._replace(real=None)
    export = options.export and os.path.join(options.export, name)
    if export:
        os.makedirs(export, exist_ok=True)
    if "replay" in parts:
        failures, states = replay_store(world, effort, options.seed, os.cpu_count() or 1, export)
    if "booted" in parts and states and name in booted.REAL:
        folder = os.path.join(world.folder, "booted")
        os.makedirs(folder)
        failures += booted.REAL[name](world.store, states, options.seed, len(states) if options.full else 8, folder)
    # What follows is about the installer; one store is enough.
    if name != options.stores[0]:
        return failures
    if "inject" in parts:
        failures += inject.errors(world, options.seed, options.full)
    if "kill" in parts:
        failures += inject.kills(world, options.seed, options.full)
    if "known" in parts:
        failures += known.run(world, options.seed)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", help="the build directory")
    parser.add_argument("folder", help="a new folder, in memory")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", default=os.environ.get("SEED", "1"))
    parser.add_argument("--store", dest="stores", action="append", choices=[name for name in stores.STORES if name != "uboot-single-copy"])
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--cheap", action="store_true", help="start no device: the parsers alone")
    parser.add_argument("--export", help="write out a disk for each distinct state")
    options = parser.parse_args()
    options.stores = options.stores or ["uboot-pair", "uboot-redundant", "grub"]
    return sum(run_store(name, options.only or PARTS, options) for name in options.stores) > 0


if __name__ == "__main__":
    sys.exit(main())
