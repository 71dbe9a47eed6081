# SPDX-License-Identifier: Apache-2.0
"""The log that QEMU's block driver blklogwrites keeps of a device: the format of Linux's dm-log-writes."""
import collections
import struct

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
HEAD = struct.Struct("<QQQQ")

# What one request did. A discard has no data: `length` bytes may be anything afterwards, zeros here.
Write = collections.namedtuple("Write", "offset length data flush")


def count(path):
    """Entries so far; the log must be kept with log-super-update-interval=1."""
    with open(path, "rb") as file:
        head = file.read(28)
    if len(head) < 28:
        return 0
    magic, version, entries, _ = struct.unpack("<QQQI", head)
    assert magic == MAGIC and version == 1, path
    return entries


def read(path):
    """All entries, in the order in which the device was asked; the log of a device that was never asked is empty."""
    with open(path, "rb") as file:
        head = file.read(28)
        if not head:
            return
        magic, version, entries, sector = struct.unpack("<QQQI", head)
        assert magic == MAGIC and version == 1 and sector == 512, path
        at = sector
        for _ in range(entries):
            file.seek(at)
            first, sectors, flags, _ = HEAD.unpack(file.read(HEAD.size))
            at += sector
            data = None
            if sectors and not flags & DISCARD:
                file.seek(at)
                data = file.read(sectors * sector)
                assert len(data) == sectors * sector, path
                at += sectors * sector
            yield Write(first * sector, sectors * sector, data, bool(flags & (FLUSH | FUA)))
