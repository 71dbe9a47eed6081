#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tarballs with every kind of entry, and what an image made from one must hold, by Python's tarfile.

fs_kit.py make OUT             writes a tarball
fs_kit.py compare TAR LIST     compares it with what `fstool list` printed (options: --squashfs, --time N)
"""
import hashlib
import io
import json
import random
import stat
import struct
import sys
import tarfile

TIME = 1700000000


def entry(name, kind, mode=0o644, uid=0, gid=0, mtime=TIME - 1000, **more):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = mode
    info.uid = uid
    info.gid = gid
    info.mtime = mtime
    for key, value in more.items():
        setattr(info, key, value)
    return info


def raw(value):
    return value.decode("utf-8", "surrogateescape")


CAP = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)


def make(out):
    rng = random.Random(1)
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:

        def add(name, data=None, kind=tarfile.REGTYPE, **more):
            info = entry(name, kind, **more)
            info.size = len(data) if data is not None else 0
            tar.addfile(info, io.BytesIO(data) if data is not None else None)

        add("./", kind=tarfile.DIRTYPE, mode=0o751, uid=3, gid=4, mtime=TIME - 5)
        add("./etc", kind=tarfile.DIRTYPE, mode=0o755, uid=70000, gid=80000)
        add("./etc/empty", b"")
        add("./etc/small", b"small\n", mtime=TIME - 7.25, mode=0o600, uid=4294967294, gid=65536)
        add("./etc/late", b"later than the build\n", mtime=TIME + 100000)
        add("./etc/old", b"before 1970\n", mtime=-1000)
        add("./etc/dup", b"first\n")
        add("./bin/su", rng.randbytes(50001), mode=0o4755)  # no entry for bin itself
        add("./bin/sg", rng.randbytes(4096), mode=0o2755, gid=5)
        add("./bin/ping", rng.randbytes(16385), pax_headers={
            "SCHILY.xattr.security.capability": raw(CAP)})
        add("./bin/xattrs", b"x", pax_headers={
            "SCHILY.xattr.user.one": "1", "SCHILY.xattr.user.big": "v" * 3000,
            "SCHILY.xattr.trusted.t": "t", "SCHILY.xattr.user.empty": "",
            "SCHILY.xattr.other.space": "dropped"})
        add("./bin/acl", b"a", mode=0o654, pax_headers={
            "SCHILY.acl.access": "user::rw-,user:7:rwx,user:5:r--,group::r-x,mask::r-x,other::r--"})
        add("./acldir", kind=tarfile.DIRTYPE, mode=0o755, pax_headers={
            "SCHILY.acl.default": "user::rwx,group::r-x,group:9:rw-,mask::rwx,other::---"})
        add("./tmp", kind=tarfile.DIRTYPE, mode=0o1777)
        add("./dev", kind=tarfile.DIRTYPE)
        add("./dev/null", kind=tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3)
        add("./dev/wide", kind=tarfile.CHRTYPE, mode=0o600, devmajor=300, devminor=70001)
        add("./dev/sda", kind=tarfile.BLKTYPE, mode=0o660, gid=6, devmajor=8, devminor=0)
        add("./dev/fifo", kind=tarfile.FIFOTYPE, mode=0o640, uid=1)
        add("./fast", kind=tarfile.SYMTYPE, mode=0o777, linkname="etc/small", uid=9)
        add("./fast59", kind=tarfile.SYMTYPE, mode=0o777, linkname="f" * 59)
        add("./slow60", kind=tarfile.SYMTYPE, mode=0o777, linkname="s" * 60)
        add("./slow", kind=tarfile.SYMTYPE, mode=0o777, linkname="/" + "d/" * 400 + "end")
        add("./etc/hard", kind=tarfile.LNKTYPE, linkname="./bin/su")
        add("./hardlink", kind=tarfile.LNKTYPE, linkname="./fast")
        add("./" + "n" * 255, b"long name\n")
        add("./deep/" + "/".join("d%d" % i for i in range(60)) + "/leaf", b"deep\n")
        add("./utf8-\u00e4\u4e2d", b"utf-8\n")
        add("./usr/lib/target", b"t\n")
        add("./lib", kind=tarfile.SYMTYPE, mode=0o777, linkname="usr/lib")
        add("./lib/through", b"through a link\n")
        for i in range(10000):
            add("./many/file-%05d-%s" % (i, "x" * (i % 40)), b"%d" % i if i % 100 == 0 else b"")
        add("./large", rng.randbytes(3000000))
        add("./zeros", bytes(200000))
        add("./etc/dup", b"last wins\n", mode=0o640)
        add("./bin", kind=tarfile.DIRTYPE, mode=0o711, uid=2)  # after its files
        add("./etc", kind=tarfile.DIRTYPE, mode=0o755, uid=70000, gid=80000)  # again: GNU tar touched it
        sparse(tar, "./sparse", (2 << 30) + 512 * 136 + 3, [(0, b"start..." * 64), (512 * 81, b"q" * 512 * 17),
                                                    (1 << 30, b"mid." * 128), ((2 << 30) + 512 * 136, b"end")])
        sparse(tar, "./hole", 1 << 20, [])
        frag = [(i * 16384, b"%04d" % i * 1024) for i in range(900)]  # an extent tree with two levels
        sparse(tar, "./fragmented", 900 * 16384, frag)


def sparse(tar, name, size, runs):
    """GNU sparse format 1.0, which tarfile reads but does not write; runs are whole 512-byte blocks."""
    if not runs or runs[-1][0] + len(runs[-1][1]) < size:
        runs = runs + [(size, b"")]
    table = "%d\n" % len(runs) + "".join("%d\n%d\n" % (o, len(d)) for o, d in runs)
    table += "\0" * (-len(table) % 512)
    body = table.encode() + b"".join(d for _, d in runs)
    info = entry(name, tarfile.REGTYPE, pax_headers={
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": name,
        "GNU.sparse.realsize": str(size)})
    info.size = len(body)
    tar.addfile(info, io.BytesIO(body))


TYPES = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.CHRTYPE: stat.S_IFCHR,
         tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO}
TAGS = {"user": (1, 2), "group": (4, 8), "mask": (16, 16), "other": (32, 32)}


def acl(text):
    """The kernel's form of an ACL's text."""
    entries = []
    for part in text.split(","):
        kind, who, perm = part.split(":")[:3]
        bits = sum(b for c, b in zip("rwx", (4, 2, 1)) if c in perm)
        entries.append((TAGS[kind][bool(who)], int(who) if who else 0xffffffff, bits))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", t, b, i) for t, i, b in sorted(entries))


def xattrs_of(info):
    found = {}
    for key, value in info.pax_headers.items():
        if key.startswith("SCHILY.xattr."):
            name = key[len("SCHILY.xattr."):]
            if name.split(".")[0] in ("user", "trusted", "security"):
                found[name] = value.encode("utf-8", "surrogateescape").hex()
        elif key.startswith("SCHILY.acl."):
            found["system.posix_acl_" + key[len("SCHILY.acl."):]] = acl(value).hex()
    return found


def digest(tar, info):
    found, source = hashlib.sha256(), tar.extractfile(info)
    while True:
        piece = source.read(1 << 20)
        if not piece:
            return found.hexdigest()
        found.update(piece)


def resolve(want, path):
    """The directory part with links replaced, as unpacking to a disk would."""
    parts, at = [p for p in path.split("/") if p not in ("", ".")], ""
    while len(parts) > 1:
        at += "/" + parts.pop(0)
        if at in want and "target" in want[at]:
            parts = want[at]["target"].split("/") + parts
            at = at.rpartition("/")[0]
    return at + "/" + parts[0] if parts else "/"


def parents(want, path, time):
    at = ""
    for part in path.split("/")[1:-1]:
        at += "/" + part
        want.setdefault(at, {"mode": stat.S_IFDIR | 0o755, "uid": 0, "gid": 0, "mtime": time, "xattrs": {}})
    want.setdefault("/", {"mode": stat.S_IFDIR | 0o755, "uid": 0, "gid": 0, "mtime": time, "xattrs": {}})


def expected(path, time, floor):
    want = {}
    with tarfile.open(path, errors="surrogateescape") as tar:
        for info in tar:
            name = resolve(want, info.name)
            parents(want, name, time)
            if info.islnk():
                want[name] = want[resolve(want, info.linkname)]
                continue
            mtime = info.mtime // 1 if floor else int(info.mtime)
            item = {"mode": TYPES.get(info.type, stat.S_IFREG) | info.mode, "uid": info.uid, "gid": info.gid,
                    "mtime": min(int(mtime), time), "xattrs": xattrs_of(info)}
            if info.isreg():
                item["size"], item["sha256"] = info.size, digest(tar, info)
            if info.issym():
                item["target"] = info.linkname
            if info.ischr() or info.isblk():
                item["major"], item["minor"] = info.devmajor, info.devminor
            want[name] = item
    return want


def compare(path, listing, time, squashfs):
    want, have = expected(path, time, True), {}
    with open(listing, encoding="ascii") as lines:
        for line in lines:
            item = json.loads(line)
            for key in ("path", "target"):
                item[key] = bytes.fromhex(item[key]).decode("utf-8", "surrogateescape")
            have[item["path"]] = item
    have.pop("/lost+found", None)
    faults = ["missing: " + p for p in want.keys() - have.keys()]
    faults += ["too many: " + p for p in have.keys() - want.keys()]
    for name in sorted(want.keys() & have.keys()):
        for key, value in want[name].items():
            if squashfs and key == "mtime":
                value = max(value, 0)  # 32 bits without sign
            if squashfs and key == "xattrs":  # it has no place for ACLs
                value = {k: v for k, v in value.items() if not k.startswith("system.")}
            if have[name][key] != value:
                faults.append("%s: %s is %r, not %r" % (name, key, have[name][key], value))
    # Names of one file have one inode, which counts them.
    groups = {}
    for name, item in want.items():
        groups.setdefault(id(item), []).append(name)
    for names in groups.values():
        inodes = {have[n]["inode"] for n in names if n in have}
        if not stat.S_ISDIR(want[names[0]]["mode"]) and \
           (len(inodes) != 1 or have[names[0]]["links"] != len(names)):
            faults.append("links of %s: %r" % (names, inodes))
    for fault in faults[:20]:
        print(fault.encode("ascii", "backslashreplace").decode())
    print("%d entries compared, %d faults" % (len(want), len(faults)))
    return 1 if faults or not want else 0


def main(args):
    if args[:1] == ["make"]:
        make(args[1])
        return 0
    time = int(args[args.index("--time") + 1]) if "--time" in args else TIME
    return compare(args[1], args[2], time, "--squashfs" in args)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
