# SPDX-License-Identifier: Apache-2.0
"""inspect_diff_random.py SEED ROUNDS MKARTIFACT INSPECT: two trees of random files, the second with a few changes, in images that are laid out differently;
`diff` must name exactly the files whose content differs. Works in the current directory, with good.pem and good.keys there."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

BLOCK = 4096
# mke2fs 1.47.0 gives small files a wrong size with inline_data.
EXT4 = ["", "^extent,^64bit", "bigalloc", "metadata_csum", "^has_journal"]
SIZES = [0, 1, 30, 511, 4095, 4096, 4097, 20000, 70000, 300000, 1500000]
SQUASHFS = [[], ["-no-fragments"], ["-always-use-fragments"], ["-noD"], ["-noF"], ["-no-duplicates"]]


def run(*argv):
    done = subprocess.run([str(a) for a in argv], capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{argv} ended with {done.returncode}: {done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout


class Round:
    def __init__(self, rnd):
        self.rnd = rnd

    def content(self):
        rnd, size = self.rnd, self.rnd.choice(SIZES)
        data = rnd.choice([rnd.randbytes(size), bytes(size), (rnd.randbytes(50) * (size // 50 + 1))[:size]])
        if size > 2 * BLOCK and rnd.random() < 0.5:
            at = rnd.randrange(size)
            data = (data[:at] + bytes(rnd.choice([BLOCK, 65536, 100000])) + data[at:])[:size]
        return data

    def write(self, path, data):
        """With holes where there are zeros, or without."""
        sparse = self.rnd.random() < 0.5
        with open(path, "wb") as f:
            for at in range(0, len(data), BLOCK):
                block = data[at:at + BLOCK]
                if not sparse or any(block):
                    f.seek(at)
                    f.write(block)
            f.truncate(len(data))

    def tree(self, root):
        for folder in range(4):
            (root / str(folder)).mkdir(parents=True)
            for n in range(self.rnd.randrange(3, 15)):
                self.write(root / str(folder) / str(n), self.content())
        (root / "dangling").symlink_to("nowhere")

    def change(self, path):
        rnd, data = self.rnd, bytearray(path.read_bytes())
        how = rnd.randrange(5)
        if how == 0 and data:
            data[rnd.randrange(len(data))] ^= 1 << rnd.randrange(8)
        elif how == 1:
            data = self.content()
        elif how == 2:
            data += b"x"
        elif how == 3 and len(data) > 2 * BLOCK:
            at = rnd.randrange(len(data) - BLOCK)
            data[at:at + BLOCK] = bytes(BLOCK)
        # Otherwise the same content, perhaps in another layout.
        self.write(path, bytes(data))

    def image(self, root, out):
        """What it was made with."""
        rnd = self.rnd
        out.unlink(missing_ok=True)
        if rnd.random() < 0.6:
            size, features = rnd.choice([1024, 2048, 4096]), rnd.choice(EXT4)
            run("mke2fs", "-q", "-F", "-t", "ext4", "-b", size, *(["-O", features] if features else []), "-d", root, out, "48M")
            return f"ext4 {size} {features}"
        method, size, more = rnd.choice(["zstd", "gzip", "xz", "lz4"]), rnd.choice(["4K", "32K", "128K", "1M"]), rnd.choice(SQUASHFS)
        run("mksquashfs", root, out, "-comp", method, "-b", size, "-quiet", "-no-progress", *more)
        return f"squashfs {method} {size} {' '.join(more)}"


def files(root):
    return {str(p.relative_to(root)): p for p in root.rglob("*") if p.is_file() and not p.is_symlink()}


def one(rnd, mkartifact, inspect):
    """(what it was, a complaint or "")"""
    old, new = pathlib.Path("old"), pathlib.Path("new")
    for root in (old, new):
        shutil.rmtree(root, ignore_errors=True)
    r = Round(rnd)
    r.tree(old)
    shutil.copytree(old, new, symlinks=True)
    for path in rnd.sample(sorted(files(new).values()), rnd.randrange(8)):
        r.change(path)
    # Half of the pairs are laid out alike.
    seed, alike = rnd.random(), rnd.random() < 0.5
    made = []
    for root in (old, new):
        image, artifact = pathlib.Path(f"{root}.img"), pathlib.Path(f"{root}.artifact")
        made.append(Round(random.Random(seed) if alike else rnd).image(root, image))
        artifact.unlink(missing_ok=True)
        run(mkartifact, "create", "-q", "-o", artifact, "--rootfs", image, "--arch", "any", "--name", "x", "--version", "1", "--compatible", "x",
            "--key", "good.pem", "--no-sbom", "--level", rnd.choice(["1", "3", "3", "max"]))
    said = json.loads(run(inspect, "diff", "--json", "--keys", "good.keys", "old.artifact", "new.artifact"))
    found = {f["path"].lstrip("/") for f in said["files"]["changed"] if "content" in f["what"]}
    now = files(new)
    due = {name for name, path in files(old).items() if path.read_bytes() != now[name].read_bytes()}
    return f"{made[0]} and {made[1]}: {len(due)} of {len(now)} differ", "" if found == due else f"diff is wrong of {sorted(found ^ due)}"


def main():
    seed, rounds = int(sys.argv[1]), int(sys.argv[2])
    print(f"seed {seed}")
    rnd = random.Random(seed)
    for n in range(rounds):
        what, complaint = one(rnd, *sys.argv[3:])
        print(f"{n}: {what}", flush=True)
        if complaint:
            sys.exit(complaint)


main()
