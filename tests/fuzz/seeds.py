# SPDX-License-Identifier: Apache-2.0
"""seeds.py DIRECTORY: a seed corpus for each fuzz target, made from real artifacts of tests/vectors/kit.py.

DIRECTORY/keys gets the public key that the artifacts are signed with, as $FUZZ_KEYS of fuzz_reader.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors"))
import blocks  # noqa: E402
import cases_blocks  # noqa: E402
import cases_patch  # noqa: E402
import kit  # noqa: E402


def write(target, name, data):
    folder = os.path.join(sys.argv[1], target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def rows_of_all_kinds():
    first = kit.prose("first", 20000)
    second = first[100:9000] + kit.prose("second", 3000)
    rows = [kit.zstd(first, group=True)]
    rows.append(kit.zstd(second, first))
    rows.append(kit.zero(4096))
    rows.append(kit.raw(kit.noise("raw", 700)))
    rows.append(kit.copy_of(rows, 0))
    rows.append(kit.raw(b"short", group=True))
    rows.append(kit.zstd(b"a" * 30000, b"short"))
    # A whole number of sectors.
    size = sum(row.length for row in rows)
    rows.append(kit.raw(kit.noise("tail", -size % 512 or 512)))
    return rows


def chunk_stream(rows, prefix):
    out = prefix.to_bytes(3, "little")
    for row in rows:
        if row.kind in (kit.ZSTD, kit.RAW):
            out += bytes([row.kind | (0x80 if row.group else 0)]) + row.length.to_bytes(3, "little")
            out += len(row.stored).to_bytes(2, "little") + row.stored
    return out


def squashfs():
    """Images by mksquashfs, small, some with everything in the clear, which is where a fuzzer gets further."""
    if not shutil.which("mksquashfs"):
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = os.path.join(folder, "tree")
        os.makedirs(os.path.join(tree, "a/b"))
        os.symlink("a/b", os.path.join(tree, "link"))
        for name, data in (("a/small", b"small\n"), ("a/b/text", kit.prose("text", 20000)), ("noise", kit.noise("noise", 9000))):
            with open(os.path.join(tree, name), "wb") as file:
                file.write(data)
        for name, options in (("zstd", ["-comp", "zstd"]), ("level", ["-comp", "zstd", "-Xcompression-level", "3"]),
                              ("clear", ["-comp", "zstd", "-noI", "-noD", "-noF", "-noX"])):
            image = os.path.join(folder, name)
            subprocess.run(["mksquashfs", tree, image, "-quiet", "-no-progress", "-b", "8192", "-nopad", *options], check=True,
                           stdout=subprocess.DEVNULL)
            with open(image, "rb") as file:
                write("squash", name, file.read())


def elf(machine):
    return b"\x7fELF\2\1\1" + bytes(9) + b"\2\0" + machine.to_bytes(2, "little") + bytes(60)


def rootfs(tree):
    """What a reader of images looks at: packages, programs, links of both kinds, a hole, a directory of several blocks."""
    for name, data in (("etc/os-release", b"ID=demo\nVERSION_ID=\"2.0\"\n"), ("usr/bin/prog", elf(62)), ("empty", b""),
                       ("var/lib/dpkg/status", b"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"),
                       ("var/lib/dpkg/status.d/b", b"Package: b\nVersion: 2\nArchitecture: all\nSource: c (1)\n"),
                       ("text", kit.prose("text", 14500)), ("tiny", b"tiny\n"), ("inline", b"i" * 100)):
        os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
        with open(os.path.join(tree, name), "wb") as file:
            file.write(data)
    with open(os.path.join(tree, "hole"), "wb") as file:
        for at in (5000, 40000, 300000):
            file.seek(at)
            file.write(b"data")
    os.link(os.path.join(tree, "text"), os.path.join(tree, "usr/hard"))
    os.symlink("usr/bin", os.path.join(tree, "bin"))
    os.symlink("/" + "long/" * 30, os.path.join(tree, "far"))
    os.makedirs(os.path.join(tree, "many"))
    for i in range(40):
        os.link(os.path.join(tree, "tiny"), os.path.join(tree, "many", "%d-%s" % (i, "n" * 30)))


# u::rw-,u:1000:r-x,g::r--,m::rwx,o::r-- as setxattr(2) takes it.
ACL = struct.pack("<I" + "HHI" * 5, 2, 1, 6, 2**32 - 1, 2, 5, 1000, 4, 4, 2**32 - 1, 16, 7, 2**32 - 1, 32, 4, 2**32 - 1)


def ext4():
    """Images by mke2fs without their last zeros, of small blocks; most without checksums, which stop a fuzzer at once."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    if not shutil.which("mke2fs", path=path):
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = os.path.join(folder, "tree")
        rootfs(tree)
        commands = os.path.join(folder, "commands")
        with open(commands, "w", encoding="ascii") as file:
            file.write("mknod disk b 8 1\nmknod tty c 200 65\nmknod pipe p\n"
                       "ea_set /text user.note hello\nea_set /text user.long %s\n" % ("v" * 150) +
                       "ea_set -f %s/acl /tiny system.posix_acl_access\n" % folder +
                       "ea_set -f %s/acl /usr system.posix_acl_default\n" % folder)
        with open(os.path.join(folder, "acl"), "wb") as file:
            file.write(ACL)
        plain = "^metadata_csum,^64bit,^resize_inode,^has_journal,^flex_bg"
        for name, options in (("extents", ["-O", plain]), ("blocks", ["-O", plain + ",^extent"]),
                              ("inline", ["-O", plain + ",inline_data"]), ("csum", ["-O", "^resize_inode,^has_journal"]),
                              ("ext2", ["-O", "none", "-r", "0", "-I", "128"]),
                              ("wide", ["-O", "64bit,meta_bg,ea_inode,^metadata_csum,^resize_inode,^has_journal"])):
            image = os.path.join(folder, name)
            env = dict(os.environ, PATH=path, SOURCE_DATE_EPOCH="1000000000", E2FSPROGS_FAKE_TIME="1000000000")
            subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-I", "256", "-N", "48", "-m", "0",
                            "-U", "00000000-0000-0000-0000-000000000001", "-E", "root_owner=0:0,hash_seed="
                            "00000000-0000-0000-0000-000000000002", "-d", tree, *options, image, "256"], check=True, env=env,
                           stdout=subprocess.DEVNULL)
            subprocess.run(["debugfs", "-w", "-f", commands, image], check=True, env=env, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            with open(image, "rb") as file:
                write("ext4", name, file.read().rstrip(b"\0"))


def policies(key_id):
    group = {"group": "release", "threshold": 1, "keys": [key_id]}
    yield {"format": 1, "roles": {"artifact": [group]}}
    yield {"format": 1, "roles": {"artifact": [group, dict(group, keys=[key_id, "0" * 64], threshold=2)],
                                  "patch": [group], "downgrade-permit": [], "test": [group]},
           "revoked-keys": ["0" * 64], "revoked-artifacts": ["1" * 64]}


def main():
    os.makedirs(os.path.join(sys.argv[1], "private"), exist_ok=True)
    private = os.path.join(sys.argv[1], "private")
    signers = [kit.Signer(private, "ed", "ed25519", "-algorithm", "ED25519"),
               kit.Signer(private, "p256", "ecdsa-p256-sha256", "-algorithm", "EC",
                          "-pkeyopt", "ec_paramgen_curve:P-256")]
    for signer in signers:
        write("keys", signer.name + ".pem", signer.pem)
        write("key", signer.name, signer.pem)
    rows = rows_of_all_kinds()
    many = [kit.raw(b"%08d" % i, group=i % 500 == 0) for i in range(1000)]
    many += [kit.raw(bytes(-8 * 1000 % 512 or 512))]
    full = kit.Artifact(
        [kit.Payload([kit.Segment(rows)], prefix=262144),
         kit.Payload([kit.Segment(many)], name="boot", kind="boot-image", filesystem="vfat")],
        signers, docs=[("sbom.spdx.json", b"{}"), ("notes", kit.prose("notes", 700))],
        hardware=["1..3"], requires={"a": "1.."}, provides={"b": "2~1-3"}, features=[], security=True,
        description="Z\u00fcrich", advisory={"url": "https://example.com", "ids": ["CVE-1"]},
        ext={"any": [1, None, {"deep": ["x"]}]}, **{"support-until": "2030-01-01"})
    small = kit.Artifact([kit.Payload([kit.Segment([kit.zero(512)])])], signers[:1])
    for name, artifact in (("full", full), ("small", small)):
        members = dict(artifact.members())
        write("reader", name, kit.tar(artifact.members()))
        write("manifest", name, kit.dump(artifact.manifest))
        write("manifest", name + "-indented", json.dumps(artifact.manifest, indent=2).encode())
        write("sig", name, members["manifest.sig"])
        for path, data in members.items():
            if path.endswith(".index"):
                write("index", name + path.replace("/", "-"), data)
    write("sig", "empty", b"\n" * 4096)
    write("chunk", "full", chunk_stream(rows, 262144))
    write("chunk", "narrow", chunk_stream(rows, 1000))
    for number, policy in enumerate(policies(signers[0].id)):
        write("policy", str(number), json.dumps(policy).encode())
    patches(signers[0])
    squashfs()
    ext4()


class Vectors:
    """What cases_patch.Pair needs of a set of vectors."""

    def __init__(self, signer):
        self.a = signer


def patches(signer):
    pair = cases_patch.Pair(Vectors(signer))
    write("patch", "whole", pair.build())
    members = dict(pair.members())
    write("patch", "table", b"\1" + members["payload/rootfs/0000.records"])
    window = blocks.CODE[:12000]
    for name, codec, stored in (("zstd", 0, cases_blocks.compress(cases_blocks.INNER, blocks.PLAIN)),
                                ("diff", 1, cases_blocks.inner_program())):
        write("patch", "blocks-" + name, b"b" + len(window).to_bytes(2, "little") + window +
              cases_patch.recipe(codec, 3, blocks.BLOCKS[:1], cases_blocks.PIECES) + stored)
    write("patch", "program", b"\0" + pair.code_program())
    write("patch", "insert", b"\0" + cases_patch.program([(0, 0, 9000)], bytes(9000), b""))


main()
