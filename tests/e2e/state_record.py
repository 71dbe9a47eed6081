#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The state record (installer/state.md), read and written independently of the installer.

usage: state_record.py show FILE
       state_record.py set FILE KEY=VALUE...      phase, target, active (a, b, none), transaction, tries, used, floor, reason,
                                                  a.content, b.content, ...; the rest stays; boot=other forgets the boot
"""
import hashlib
import json
import struct
import sys

BLOCK = 4096
STRIDE = 4 << 20
PHASES = ["idle", "installing", "installed", "trying", "healthy", "committed", "rolled-back", "failed"]
CONTENTS = ["unknown", "partial", "complete", "good", "bad"]
SLOTS = {"a": 0, "b": 1, "none": 255}
NAMES = {v: k for k, v in SLOTS.items()}


def valid(block):
    return (block[:8] == b"TWINSTAT" and struct.unpack_from("<II", block, 8) == (1, BLOCK)
            and hashlib.sha256(block[:-32]).digest() == block[-32:])


def sequence(block):
    return struct.unpack_from("<Q", block, 16)[0]


def newest(data):
    """(index, block) of the one that counts, or (None, None)."""
    blocks = [data[i * STRIDE:i * STRIDE + BLOCK] for i in (0, 1)]
    best = None
    for i in (0, 1):
        if len(blocks[i]) == BLOCK and valid(blocks[i]) and (best is None or sequence(blocks[i]) > sequence(blocks[best])):
            best = i
    return (best, blocks[best]) if best is not None else (None, None)


def text(block, at, room):
    return block[at:at + room].split(b"\0")[0].decode()


def decode(block):
    out = {"sequence": sequence(block), "transaction": struct.unpack_from("<Q", block, 24)[0], "phase": PHASES[block[32]],
           "active": NAMES[block[33]], "target": NAMES[block[34]], "tries": block[35],
           "floor": struct.unpack_from("<I", block, 36)[0], "used": block[40], "reached": block[41],
           "boot": block[48:64].hex(), "reason": text(block, 64, 64)}
    for name, at in (("a", 128), ("b", 384)):
        out[name] = {"content": CONTENTS[block[at]], "counter": struct.unpack_from("<I", block, at + 4)[0],
                     "digest": block[at + 16:at + 48].hex(), "name": text(block, at + 48, 72),
                     "version": text(block, at + 120, 72)}
    return out


def change(block, key, value):
    if key == "phase":
        block[32] = PHASES.index(value)
    elif key in ("active", "target"):
        block[33 if key == "active" else 34] = SLOTS[value]
    elif key in ("tries", "used", "reached"):
        block[{"tries": 35, "used": 40, "reached": 41}[key]] = int(value)
    elif key == "transaction":
        struct.pack_into("<Q", block, 24, int(value))
    elif key == "floor":
        struct.pack_into("<I", block, 36, int(value))
    elif key == "reason":
        block[64:128] = value.encode().ljust(64, b"\0")
    elif key == "boot":
        block[48:64] = bytes(16) if value == "other" else bytes.fromhex(value)
    elif key in ("a.content", "b.content"):
        block[128 if key[0] == "a" else 384] = CONTENTS.index(value)
    else:
        raise SystemExit(f"state_record.py: no key '{key}'")


def main():
    with open(sys.argv[2], "rb") as f:
        data = bytearray(f.read())
    index, block = newest(data)
    if index is None:
        print("null" if sys.argv[1] == "show" else "no valid block")
        return 0 if sys.argv[1] == "show" else 1
    if sys.argv[1] == "show":
        print(json.dumps(decode(block)))
        return 0
    block = bytearray(block)
    for pair in sys.argv[3:]:
        change(block, *pair.split("=", 1))
    block[-32:] = hashlib.sha256(block[:-32]).digest()
    data[index * STRIDE:index * STRIDE + BLOCK] = block
    with open(sys.argv[2], "wb") as f:
        f.write(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
