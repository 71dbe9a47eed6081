# SPDX-License-Identifier: Apache-2.0
"""Requests of the disk that fail (QEMU's blkdebug), and the installer killed at any moment."""
import errno
import os
import random
import shutil
import signal
import subprocess
import time

import judge
import lab
import replay


def failing(disk, number, code, for_good):
    """The blockdev for a DISK whose write request NUMBER fails, and with FOR_GOOD every later one."""
    steps = [{"event": "pwritev", "state": n, "new_state": n + 1} for n in range(1, number)]
    return [{"driver": "file", "node-name": "disk", "filename": disk},
            {"driver": "blkdebug", "node-name": "failing", "image": "disk", "set-state": steps,
             "inject-error": [{"event": "pwritev", "state": number, "errno": code, "once": not for_good}]}]


def install(world, folder, disk, blockdev):
    """(status of an install on a device over BLOCKDEV, its last words)"""
    daemon = lab.Daemon(folder, blockdev)
    try:
        device = lab.Device(folder, daemon.path, world.sources, world.store)
        try:
            device.boot()
            device.mount_data()
            process = device.popen("install", "-q", "/src/2.artifact")
            words = process.communicate(timeout=600)[1]
            return process.returncode, words.strip()
        finally:
            device.close()
    finally:
        daemon.close()


def judge_disk(world, folder, disk):
    """The device starts and installs; raises lab.Failed."""
    opened = replay.Disk(disk)
    view, faults = judge.Cheap(opened, world, []).view()
    opened.close()
    if faults:
        raise lab.Failed(faults[0])
    if view.plan[2] != "a":
        raise lab.Failed("the default was changed")
    return view.plan, judge.Real(world, os.path.join(folder, "after")).judge(disk, view, True)
    

def count_writes(world, folder, disk):
    daemon, log = lab.logged(folder, disk)
    daemon.close()
    import blklog  # here only
    blockdev = lab.logged_blockdev(disk, log)
    install(world, folder, disk, blockdev)
    return sum(1 for entry in blklog.read(log) if entry.length)


def errors(world, seed, full):
    return 0


def kills(world, seed, full):
    return 0
