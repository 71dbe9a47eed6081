# SPDX-License-Identifier: Apache-2.0
"""What the bootloader and the state record say, read by code that shares nothing with the installer.

A store class has: name; config (lines of [boot]); files (more files for /etc/twinroot); nodes (the block devices it wants, as offset
and length in the boot partition); parts (offset and length of each copy); make() -> [(offset, bytes)], the factory's contents;
read(bytes of the boot partition) -> variables or None; view(bytes) -> the variables of each copy, None where it does not count; update(bytes, variables) -> (offset, bytes), the bootloader's own write, or
None when the bootloader could not make it.
"""
import hashlib
import struct
import zlib

UNIT = 4 << 20  # an erase unit of a cheap card
SIZE = 0x4000   # of an environment
FACTORY = {"twinroot_default": "a", "twinroot_booted": "a", "bootcmd": "run twinroot_boot"}


def pack(variables):
    return b"".join(b"%s=%s\0" % (k.encode(), v.encode()) for k, v in sorted(variables.items())) + b"\0"


def unpack(data):
    found = {}
    for item in data.split(b"\0"):
        if not item:
            break
        key, _, value = item.partition(b"=")
        found[key.decode("latin-1")] = value.decode("latin-1")
    return found


class Native:
    """U-Boot's own redundant environment: CRC, a flag byte that counts, variables. U-Boot takes the copy with a right CRC
    and the higher flag (modulo 256); it and fw_setenv write the other one."""
    name = "uboot-redundant"
    nodes = {"boot": (0, 2 * UNIT)}
    parts = ((0, SIZE), (UNIT, SIZE))
    config = "backend = uboot\nenvironment = /etc/twinroot/fw_env.config\n"
    files = {"fw_env.config": "/dev/boot 0x0 0x4000\n/dev/boot 0x%x 0x4000\n" % UNIT}

    def image(self, variables, flag):
        body = pack(variables).ljust(SIZE - 5, b"\0")
        return struct.pack("<IB", zlib.crc32(body), flag) + body

    def make(self):
        return [(off, self.image(FACTORY, n)) for n, (off, _) in enumerate(self.parts)]

    def copies(self, boot):
        """The flag of each copy, None where it is torn."""
        found = []
        for off, size in self.parts:
            crc, flag = struct.unpack_from("<IB", boot, off)
            found.append(flag if zlib.crc32(boot[off + 5:off + size]) == crc else None)
        return found

    def view(self, boot):
        return [unpack(bytes(boot[off + 5:off + size])) if flag is not None else None
                for flag, (off, size) in zip(self.copies(boot), self.parts)]

    def newest(self, boot):
        one, two = self.copies(boot)
        if one is None or two is None:
            return None if one is None and two is None else int(one is None)
        if (one, two) in ((255, 0), (0, 255)):
            return int(one == 255)
        return int(two > one)

    def read(self, boot):
        n = self.newest(boot)
        if n is None:
            return None
        off, size = self.parts[n]
        return unpack(bytes(boot[off + 5:off + size]))

    def update(self, boot, variables):
        n = self.newest(boot)
        flag = (boot[self.parts[n][0] + 4] + 1) % 256
        return self.parts[1 - n][0], self.image(variables, flag)


class Single:
    """One copy without a flag byte: what `saveenv` and fw_setenv do in most boards' default configuration."""
    name = "uboot-single-copy"
    nodes = {"boot": (0, 2 * UNIT)}
    parts = ((0, SIZE),)
    config = "backend = uboot\nenvironment = /etc/twinroot/fw_env.config\n"
    files = {"fw_env.config": "/dev/boot 0x0 0x4000\n"}

    @staticmethod
    def image(variables):
        body = pack(variables).ljust(SIZE - 4, b"\0")
        return struct.pack("<I", zlib.crc32(body)) + body

    @staticmethod
    def one(boot, off):
        (crc,) = struct.unpack_from("<I", boot, off)
        body = bytes(boot[off + 4:off + SIZE])
        return unpack(body) if zlib.crc32(body) == crc else None

    def make(self):
        return [(0, self.image(FACTORY))]

    def view(self, boot):
        return [self.one(boot, off) for off, _ in self.parts]

    def read(self, boot):
        return self.one(boot, 0)

    def update(self, boot, variables):
        return 0, self.image(variables)


class Pair(Single):
    """Two environments of one copy each, kept by installer/boot/uboot/boot.cmd for a U-Boot without redundancy of its own: the
    one with a right CRC, a default, and the higher twinroot_sequence counts, every write goes to the other one."""
    name = "uboot-pair"
    parts = ((0, SIZE), (UNIT, SIZE))
    config = ("backend = uboot\nenvironment = /etc/twinroot/env-a.config\n"
              "environment-copy = /etc/twinroot/env-b.config\n")
    files = {"env-a.config": "/dev/boot 0x0 0x4000\n", "env-b.config": "/dev/boot 0x%x 0x4000\n" % UNIT}
    exported = ["twinroot_" + name for name in ("sequence", "default", "trial", "left", "bad", "transaction")]

    def make(self):
        return [(off, self.image(dict(FACTORY, twinroot_sequence="%x" % (n + 1))))
                for n, (off, _) in enumerate(self.parts)]

    def newest(self, boot):
        """(sequence, which copy, variables)"""
        best = (0, None, None)
        for n, (off, _) in enumerate(self.parts):
            found = self.one(boot, off)
            if found and found.get("twinroot_default") in ("a", "b"):
                sequence = int(found.get("twinroot_sequence") or "0", 16)
                if sequence > best[0]:
                    best = (sequence, n, found)
        return best

    def read(self, boot):
        return self.newest(boot)[2]

    def update(self, boot, variables):
        sequence, n, _ = self.newest(boot)
        kept = {name: variables[name] for name in self.exported if name in variables}
        return self.parts[1 - n][0], self.image(dict(kept, twinroot_sequence="%x" % (sequence + 1)))


class Grub:
    """GRUB's environment block as the one member of a tar archive, on a partition for each copy (installer/boot/grub): a copy counts
    when its check variable repeats the others; the higher sequence, then the fewer tries left. GRUB counts down in the other
    copy, and only if it finds an environment block there."""
    name = "grub"
    nodes = {"boot-1": (0, UNIT), "boot-2": (UNIT, UNIT)}
    parts = ((0, 2560), (UNIT, 2560))
    config = "backend = grub\nstore = /dev/boot-1\nstore-copy = /dev/boot-2\n"
    files = {}
    names = ("sequence", "default", "trial", "left", "bad", "transaction")
    head = b"# GRUB Environment Block\n"

    def block(self, variables):
        values = [variables["twinroot_" + name] for name in self.names]
        lines = ["twinroot_%s=%s\n" % pair for pair in zip(self.names + ("check",), values + ["-".join(values)])]
        return (self.head + "".join(lines).encode()).ljust(1024, b"#")

    def make(self):
        header = bytearray(512)
        for at, text in ((0, b"twinroot"), (100, b"0000644"), (108, b"0000000"), (116, b"0000000"), (124, b"00000002000"),
                         (136, b"00000000000"), (156, b"0"), (257, b"ustar\00000"), (148, b" " * 8)):
            header[at:at + len(text)] = text
        header[148:156] = b"%06o\0 " % sum(header)
        return [(off, bytes(header) + self.block(dict(
            twinroot_sequence="%d" % (1000000000 + n), twinroot_default="a", twinroot_trial="none", twinroot_left="0",
            twinroot_bad="none", twinroot_transaction="0")) + bytes(1024)) for n, (off, _) in enumerate(self.parts)]

    def one(self, boot, off):
        """None: no archive; {}: an environment block that does not count."""
        header, text = bytes(boot[off:off + 512]), bytes(boot[off + 512:off + 1536])
        if header[:9] != b"twinroot\0" or header[257:262] != b"ustar" or not text.startswith(self.head):
            return None
        found = {}
        for line in text.decode("latin-1").splitlines():
            key, equal, value = line.partition("=")
            if equal and not key.startswith("#"):
                found[key] = value
        values = [found.get("twinroot_" + name) for name in self.names]
        whole = None not in values and found.get("twinroot_check") == "-".join(values)
        return found if whole and found["twinroot_default"] in ("a", "b") else {}

    def view(self, boot):
        return [self.one(boot, off) for off, _ in self.parts]

    def newest(self, boot):
        copies = self.view(boot)
        rank = [(int(c["twinroot_sequence"]), -int(c["twinroot_left"])) if c else (-1, 0) for c in copies]
        n = int(rank[1] > rank[0])
        return n, copies

    def read(self, boot):
        n, copies = self.newest(boot)
        return copies[n] or None

    def update(self, boot, variables):
        n, copies = self.newest(boot)
        if copies[1 - n] is None:
            return None
        return self.parts[1 - n][0] + 512, self.block(variables)


STORES = {store.name: store for store in (Native(), Pair(), Single(), Grub())}


def plan(variables):
    """By the rule of the boot scripts: (slot on trial that boots next or None, tries left, slot that boots without
    one). None: the bootloader knows no slot."""
    if not variables or variables.get("twinroot_default") not in ("a", "b"):
        return None
    trial = variables.get("twinroot_trial", "none")
    left = int(variables.get("twinroot_left", "0") or "0", 16)
    if trial in ("a", "b") and left > 0 and trial not in variables.get("twinroot_bad", "none").replace("none", ""):
        return trial, left, variables["twinroot_default"]
    return None, 0, variables["twinroot_default"]


def start(store, boot):
    """(slot that boots, whether on trial, (offset, bytes) to save first or None)"""
    variables = store.read(boot)
    trial, left, default = plan(variables)
    # A trial that cannot be counted is not begun.
    save = trial and store.update(boot, dict(variables, twinroot_left="%x" % (left - 1)))
    return (trial, True, save) if save else (default, False, None)


# The state record (installer/state.md).
BLOCK = 4096
PHASES = ("idle", "installing", "installed", "trying", "healthy", "committed", "rolled-back", "failed")
CONTENTS = ("unknown", "partial", "complete", "good", "bad")


class Record:
    """The newer valid block of two; health is new, ok, one-copy or lost."""

    def __init__(self, one, two):
        found = [self.valid(block) for block in (one, two)]
        self.phase, self.slots, self.block = "idle", {}, None
        fresh = [block == bytes(BLOCK) for block in (one, two)]
        if not any(found):
            self.health = "new" if any(fresh) else "lost"
            return
        first, second = (struct.unpack_from("<Q", block, 16)[0] if ok else -1
                         for block, ok in zip((one, two), found))
        block = two if second > first else one
        other = found[0] or fresh[0] if second > first else found[1] or fresh[1]
        self.health = "ok" if other else "one-copy"
        self.block = block
        self.phase = PHASES[block[32]]
        for n, slot in enumerate("ab"):
            at = 128 + 256 * n
            self.slots[slot] = (CONTENTS[block[at]], block[at + 16:at + 48].hex())

    @staticmethod
    def valid(block):
        return (block[:8] == b"TWINSTAT" and struct.unpack_from("<II", block, 8) == (1, BLOCK) and
                hashlib.sha256(block[:4064]).digest() == block[4064:] and block[32] < len(PHASES) and
                block[128] < len(CONTENTS) and block[384] < len(CONTENTS))
