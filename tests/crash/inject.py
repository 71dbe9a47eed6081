# SPDX-License-Identifier: Apache-2.0
"""Requests of the disk that fail (QEMU's blkdebug), and the installer killed at any moment."""
import collections
import errno
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import time

import blklog
import judge
import lab
import replay

# What artifact-install may end with when the disk fails under it: failed, I/O; when not even the pages of the program
# can be read any more, also SIGBUS.
ENDS = (0, 1, 6)
ONCE, WRITES, DEAD = "", ", and every later one", ", and the disk is dead"


def failing(disk, number, code, how):
    """The blockdev for a DISK whose write request NUMBER fails, and by HOW all later writes, or all requests."""
    steps = [{"event": "pwritev", "state": n, "new_state": n + 1} for n in range(1, number)]
    error = {"event": "pwritev", "state": number, "errno": code, "once": how == ONCE}
    kinds = {ONCE: ["write"], WRITES: ["write", "write-zeroes", "discard", "flush"],
             DEAD: ["read", "write", "write-zeroes", "discard", "flush"]}[how]
    return [{"driver": "file", "node-name": "disk", "filename": disk},
            # An empty list is no option to QEMU, and refused.
            {"driver": "blkdebug", "node-name": "failing", "image": "disk", **({"set-state": steps} if steps else {}),
             "inject-error": [dict(error, iotype=kind) for kind in kinds]}]


def install(world, folder, daemon):
    """(status, last words) of an install over DAEMON; status None: the data partition did not even mount."""
    try:
        device = lab.Device(folder, daemon.path, world.sources, world.store)
        try:
            device.boot()
            try:
                device.mount_data()
            except OSError as error:
                return None, str(error)
            process = device.popen("install", "-q", "/src/2.artifact")
            words = process.communicate(timeout=600)[1].decode(errors="replace")
            return process.returncode, words.strip()
        finally:
            device.close()
    finally:
        daemon.close()


def judge_after(world, folder, disk, status):
    """The bootloader is right about what it starts, and the device starts and installs; raises lab.Failed."""
    opened = replay.Disk(disk)
    view, faults = judge.Cheap(opened, world, []).view()
    opened.close()
    if faults:
        raise lab.Failed(faults[0])
    if view.plan[2] != "a" or (view.plan[0] is None) != (status != 0):
        raise lab.Failed("the installer ended with %s and the bootloader says %s" % (status, view.plan))
    return judge.Real(world, os.path.join(folder, "after")).judge(disk, view, True)


def one_error(job):
    world, number, code, how = job
    folder = os.path.join(world.folder, "inject-%d" % os.getpid())
    os.makedirs(folder, exist_ok=True)
    disk = os.path.join(folder, "disk.img")
    shutil.copy(world.base, disk)
    name = "%s at write %d%s" % (errno.errorcode[code], number, how)
    try:
        status, words = install(world, folder, lab.Daemon(folder, failing(disk, number, code, how)))
        if status is not None and status not in ENDS and not (how == DEAD and status == -signal.SIGBUS):
            raise lab.Failed("install ended with %s: %s" % (status, words))
        if status and not words and how != DEAD:
            raise lab.Failed("install failed without a word")
        judge_after(world, folder, disk, status)
        return name, status, None
    except (lab.Failed, OSError, subprocess.SubprocessError, ValueError) as error:
        return name, None, "%s: %s" % (type(error).__name__, error)


def count_writes(world):
    folder = os.path.join(world.folder, "count")
    os.makedirs(folder)
    disk = os.path.join(folder, "disk.img")
    shutil.copy(world.base, disk)
    daemon, log = lab.logged(folder, disk)
    status, words = install(world, folder, daemon)
    if status:
        raise lab.Failed("install without a fault: %s" % words)
    return sum(1 for entry in blklog.read(log) if entry.length)


def report(what, results, seed, begun):
    ends, failures = collections.Counter(), 0
    for name, end, fault in results:
        if fault:
            failures += 1
            print("  %s: %s" % (name, fault), flush=True)
        else:
            ends[str(end)] += 1
    print("%s; ended with: %s; failures: %d; seed %s; %.0f s"
          % (what, ", ".join("%s x%d" % item for item in sorted(ends.items())), failures, seed, time.monotonic() - begun), flush=True)
    return failures


def errors(world, seed, full):
    begun = time.monotonic()
    total = count_writes(world)
    rng = random.Random("%s errors" % seed)
    jobs = []
    for code in (errno.EIO, errno.ENOSPC):
        for how in (ONCE, WRITES, DEAD):
            numbers = range(1, total + 1)
            jobs += [(world, n, code, how) for n in (numbers if full else sorted(rng.sample(numbers, min(6, total))))]
    with multiprocessing.Pool() as pool:
        results = pool.map(one_error, jobs, chunksize=1)
    return report("%s: EIO and ENOSPC, once, for all later writes, and of a dead disk, at %d of %d writes of an install"
                  % (world.store.name, len(jobs) // 6, total), results, seed, begun)


def kill(device, words, delay):
    """Whether the command was still running when it was killed."""
    process = device.popen(*words)
    try:
        process.communicate(timeout=delay)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True


def one_kill(job):
    world, number, seed = job
    rng = random.Random("%s kill %d" % (seed, number))
    folder = os.path.join(world.folder, "kill-%d" % os.getpid())
    os.makedirs(folder, exist_ok=True)
    disk = os.path.join(folder, "disk.img")
    shutil.copy(world.base, disk)
    device = lab.Device(folder, disk, world.sources, world.store)
    name, installing = "kill %d" % number, rng.random() < 0.75
    try:
        device.boot()
        device.mount_data()
        begun = time.monotonic()
        device.run("install", "-q", "/src/%s.artifact" % ("3" if installing else "2"))
        took = time.monotonic() - begun
        if installing:
            # Slot b holds 3, 2 goes over it: there is more to lose than at first.
            hit = kill(device, ("install", "-q", "/src/2.artifact"), rng.random() * took * 0.7)
            device.status()
            device.run("install", "-q", "/src/2.artifact")
        else:
            device.down()
            device.boot()
            device.mount_data()
            hit = kill(device, ("commit", "-q"), rng.random() * 0.03)
            status = device.status()
            if status["on-trial"]:
                device.run("commit", "-q")
            if device.status()["phase"] != "committed":
                raise lab.Failed("not committed: %s" % status)
        device.down()
        if device.boot() != "b":
            raise lab.Failed("slot %s boots" % device.running)
        return name, "killed" if hit else "not in time", None
    except (lab.Failed, OSError, subprocess.SubprocessError, ValueError) as error:
        return name, None, "%s: %s" % (type(error).__name__, error)
    finally:
        device.close()


def kills(world, seed, full):
    begun = time.monotonic()
    jobs = [(world, number, seed) for number in range(400 if full else 24)]
    with multiprocessing.Pool() as pool:
        results = pool.map(one_kill, jobs, chunksize=1)
    return report("%s: %d kills of install and commit" % (world.store.name, len(jobs)), results, seed, begun)
