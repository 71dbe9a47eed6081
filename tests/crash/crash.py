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

import inject
import judge
import known
import lab
import record
import replay
import stores

Effort = collections.namedtuple("Effort", "subsets torn_every garbled_every real")
# real: of each kind, the part of the states that start a device and install; the visibly distinct ones all do.
SHORT = Effort(4, 5, 3, {"prefix": 0.12, "torn": 0.01, "reordered": 0.03, "garbled": 0.25})
FULL = Effort(40, 1, 1, {"prefix": 1, "torn": 0.2, "reordered": 0.2, "garbled": 1})


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
    world, folder, disk, view, garbled, where = job
    try:
        return where, judge.Real(world, os.path.join(folder, "real-%d" % os.getpid())).judge(disk, view, garbled), None
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

    def add(self, disk, view, garbled, where):
        copy = os.path.join(self.world.folder, "real-%d.img" % self.made)
        self.made += 1
        subprocess.run(["cp", "--sparse=always", disk, copy], check=True)
        self.waiting.append(self.pool.apply_async(work, [(self.world, self.world.folder, copy, view, garbled, where)]))
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


def visible(view, cheap):
    """What tells two states apart for the bootloader and the installer."""
    variables = cheap.memo(("variables", cheap.disk.version["boot"]),
                           lambda: json.dumps(cheap.world.store.read(cheap.disk.part("boot")), sort_keys=True))
    return variables, view.record.health, view.record.block, tuple(sorted(view.slots.items()))


def replay_store(world, steps, effort, seed, workers, export=None):
    """Record STEPS on WORLD's store and judge every state. The number of failures."""
    begun = time.monotonic()
    recording = record.Recording(world, steps)
    work_disk = os.path.join(world.folder, "work.img")
    shutil.copy(world.base, work_disk)
    disk, failures = replay.Disk(work_disk), Failures()
    cheap = judge.Cheap(disk, world, recording.blocks)
    units = [block // stores.UNIT for block in recording.blocks]
    if len(set(units)) != len(units):
        failures.add("data partition", "both blocks of the state record lie in one erase unit")
    expected = Expected(recording, disk, cheap, failures)
    expected.promises()
    kinds, distinct, real, exported = collections.Counter(), {}, collections.Counter(), []
    pool = Pool(world, failures, workers)
    rng = random.Random("%s real" % seed)
    walk = replay.Replay(disk, recording, seed, effort.subsets, effort.torn_every, effort.garbled_every)
    for kind, n, start in walk.states():
        kinds[kind] += 1
        where = "%s, entry %d, %s" % (kind, n, recording.marks[recording.step(max(n, 0))][0])
        view, faults = cheap.view()
        if not faults and view.plan not in expected.allowed(kind, n, start):
            faults.append("the bootloader says %s, which it says neither before nor after" % (view.plan,))
        if view.record.health == "lost" and kind != "garbled":
            faults.append("the state record is lost")
        for fault in faults:
            failures.add(where, fault)
        key = visible(view, cheap)
        new = key not in distinct
        if new:
            distinct[key] = where
            if export and view.plan:
                exported.append(dict(judge.export(work_disk, export, view, len(exported)), cut=where))
        if not faults and effort.real and (new or rng.random() < effort.real[kind]):
            real[kind] += 1
            pool.add(work_disk, view, kind == "garbled", where)
    pool.close()
    disk.close()
    os.unlink(work_disk)
    if export:
        with open(os.path.join(export, "states.json"), "w", encoding="ascii") as file:
            json.dump({"store": world.store.name, "layout": lab.LAYOUT, "states": exported}, file, indent=1)
    print("%s: %d requests of %d steps; states: %s = %d; distinct to bootloader and record: %d; started for real, with the next "
          "install: %d (%s); failures: %d; seed %s; %.0f s"
          % (world.store.name, len(recording.entries), len(steps), ", ".join("%s %d" % item for item in kinds.items()),
             sum(kinds.values()), len(distinct), sum(real.values()), ", ".join("%s %d" % item for item in real.items()), failures.count,
             seed, time.monotonic() - begun), flush=True)
    for story, count in pool.stories.most_common():
        print("  %5d  %s" % (count, story))
    return failures.count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", help="the build directory")
    parser.add_argument("folder", help="a new folder, in memory")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", default=os.environ.get("SEED", "1"))
    parser.add_argument("--store", action="append", choices=["uboot-redundant", "uboot-pair", "grub"])
    parser.add_argument("--only", choices=["replay", "known", "inject", "kill"], action="append")
    parser.add_argument("--cheap", action="store_true", help="start no device: the parsers alone")
    parser.add_argument("--export", help="write out a disk for each distinct state")
    options = parser.parse_args()
    effort = FULL if options.full else SHORT
    if options.cheap:
        effort = effort._replace(real=None)
    parts = options.only or ["replay", "known", "inject", "kill"]
    workers, failures = os.cpu_count() or 1, 0
    names = options.store or ["uboot-redundant"]
    for name in names:
        world = record.World(os.path.join(options.folder, name), options.build, stores.STORES[name])
        if options.export:
            os.makedirs(os.path.join(options.export, name), exist_ok=True)
        if "replay" in parts:
            failures += replay_store(world, record.life(world.checks), effort, options.seed, workers,
                                     options.export and os.path.join(options.export, name))
        if "inject" in parts:
            failures += inject.errors(world, options.seed, options.full)
        if "kill" in parts:
            failures += inject.kills(world, options.seed, options.full)
        if "known" in parts and name == names[0]:
            failures += known.run(world, options.seed)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
