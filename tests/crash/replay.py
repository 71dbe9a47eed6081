# SPDX-License-Identifier: Apache-2.0
"""All the disks that a power cut may leave, one after the other, in one buffer that is changed and changed back.

The kinds, each from the log of what was really asked of the device:
	prefix     every request in turn has been carried out, and none after it
	torn       the last one only as far as its first sectors
	reordered  of the requests since the last flush any subset, each whole or torn (all subsets of a few; else seeded samples)
	garbled    the request in flight has left noise in all of the erase unit around it
"""
import mmap
import random

import lab
from stores import UNIT

SECTOR = 512
BLOCK = 4096  # of a filesystem
ALL_SUBSETS = 5  # of so many requests in one epoch every subset is tried


class Disk:
    """The disk's bytes. Every change is remembered by `write` and taken back by `undo`; `version` of a partition is a
    number that is the same only when its bytes are."""

    def __init__(self, path):
        self.file = open(path, "r+b")
        self.bytes = mmap.mmap(self.file.fileno(), 0)
        self.version = dict.fromkeys(lab.LAYOUT, 0)
        self.clock = 0
        self.done = []

    def write(self, offset, data):
        parts = [name for name, (at, size) in lab.LAYOUT.items() if at < offset + len(data) and offset < at + size]
        self.done.append((offset, self.bytes[offset:offset + len(data)], [(name, self.version[name]) for name in parts]))
        self.bytes[offset:offset + len(data)] = data
        self.clock += 1
        for name in parts:
            self.version[name] = self.clock

    def mark(self):
        return len(self.done)

    def undo(self, mark):
        while len(self.done) > mark:
            offset, data, versions = self.done.pop()
            self.bytes[offset:offset + len(data)] = data
            self.version.update(versions)

    def forget(self):
        self.done.clear()

    def part(self, name):
        offset, size = lab.LAYOUT[name]
        return self.bytes[offset:offset + size]

    def close(self):
        self.bytes.close()
        self.file.close()


def is_inside(entry, length):
    """ENTRY, cut after LENGTH bytes, ends within a block."""
    return 0 < length < entry.length and (entry.offset + length) % BLOCK != 0


class Replay:
    """Iterate over states(): yields (kind, index of the request, first request of its epoch). `halved` tells of the state just yielded
    whether a block of 4 KiB in it is half old and half new."""

    def __init__(self, disk, recording, seed, subsets, torn_every, garbled_every):
        self.disk, self.entries, self.blocks = disk, recording.entries, recording.blocks
        self.seed, self.subsets, self.torn_every, self.garbled_every = seed, subsets, torn_every, garbled_every
        self.halved = False

    def data(self, entry):
        return bytes(entry.length) if entry.data is None else entry.data

    def is_store(self, entry):
        """A write of the boot environment or of the state record: torn at every sector, garbled every time."""
        offset, size = lab.LAYOUT["boot"]
        return offset <= entry.offset < offset + size or any(
            entry.offset < block + 4096 and block < entry.offset + entry.length for block in self.blocks)

    def states(self):
        start, epoch = 0, []
        yield "prefix", -1, 0
        for n, entry in enumerate(self.entries):
            # What the entry flushes was asked before it.
            if entry.flush:
                if epoch:
                    yield from self.reordered(n, start, epoch)
                start, epoch = n, []
                self.disk.forget()
            if not entry.length:
                continue
            yield from self.torn(n, start, entry)
            yield from self.garbled(n, start, entry)
            self.disk.write(entry.offset, self.data(entry))
            epoch.append(n)
            yield "prefix", n, start
        if epoch:
            yield from self.reordered(len(self.entries), start, epoch)

    def torn(self, n, start, entry):
        sectors = entry.length // SECTOR
        if not self.is_store(entry):
            if n % self.torn_every:
                return
            cuts = sorted({1, sectors // 2, sectors - 1} - {0, sectors})
        else:
            cuts = range(1, sectors)
        data = self.data(entry)
        for cut in cuts:
            mark = self.disk.mark()
            self.disk.write(entry.offset, data[:cut * SECTOR])
            self.halved = is_inside(entry, cut * SECTOR)
            yield "torn", n, start
            self.halved = False
            self.disk.undo(mark)

    def garbled(self, n, start, entry):
        if not self.is_store(entry) and n % self.garbled_every:
            return
        first = entry.offset // UNIT * UNIT
        last = (entry.offset + entry.length - 1) // UNIT * UNIT
        mark = self.disk.mark()
        self.disk.write(first, random.Random("%s garbled %d" % (self.seed, n)).randbytes(last - first + UNIT))
        yield "garbled", n, start
        self.disk.undo(mark)

    def reordered(self, end, start, epoch):
        """The disk holds all of EPOCH; its undo records are exactly these."""
        self.disk.undo(0)
        rng = random.Random("%s reordered %d" % (self.seed, end))
        if len(epoch) <= ALL_SUBSETS:
            choices = [[bool(bits >> i & 1) for i in range(len(epoch))] for bits in range(1 << len(epoch))]
        else:
            choices = [None] * self.subsets
        for kept in choices + [None] * min(self.subsets, len(epoch)):
            for i, n in enumerate(epoch):
                data = self.data(self.entries[n])
                # Of the samples a tenth of the requests is torn.
                if kept is None and rng.random() < 0.1:
                    data = data[:rng.randrange(len(data) // SECTOR + 1) * SECTOR]
                if rng.random() < 0.5 if kept is None else kept[i]:
                    self.disk.write(self.entries[n].offset, data)
                    self.halved |= is_inside(self.entries[n], len(data))
            yield "reordered", epoch[-1], start
            self.halved = False
            self.disk.undo(0)
        for n in epoch:
            self.disk.write(self.entries[n].offset, self.data(self.entries[n]))
