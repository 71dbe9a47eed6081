#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an update costs to download: ours beside peers, on real pairs, in one run.

Usage: delta.py --pairs DIR [--bin BUILD] [--pair security,app,release] [--fs ext4,ext4-twinroot,squashfs]
                [--only WORD,...] [--runs N] [--slow] [--json FILE]

ext4: images that mke2fs -d makes (for which this must be root), so that no tool has a layout that suits it; ext4-twinroot: images
that mkartifact makes; squashfs: as mksquashfs makes them for mkartifact. All tools get the same images.

DIR is made by pairs.sh. Every tool that downloads gets its files from one nginx, and bytes and requests are what
that server's log says it sent: bodies and headers of everything, manifest, signature and indexes included. What makes
one patch file counts that file and one header. CPU is user + system time of all processes of the device's side, RSS
the largest process's peak, both of the run with the least CPU of N (3), as what else happens on a machine only adds; a producer's
CPU is of one run. --slow adds bsdiff, zsync (minutes of its own) and whole-image zstd -19.
"""
import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from hashlib import sha256

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from bench import run  # noqa: E402

EPOCH = "1700000000"
HEADER = 250  # of an answer that is one patch file
BOOT = r"""#!/bin/sh
store=%s
set_() { grep -v "^$1=" $store >$store.n; echo "$1=$2" >>$store.n; mv $store.n $store; }
case $1 in
get) cat $store ;;
arm) set_ trial $2; set_ left $3; set_ bad none; set_ transaction $TWINROOT_TRANSACTION ;;
commit) set_ default $2; set_ trial none; set_ left 0; set_ transaction $TWINROOT_TRANSACTION ;;
bad) set_ bad $2; set_ trial none; set_ transaction $TWINROOT_TRANSACTION ;;
esac
"""


def size(path):
    return os.stat(path).st_size


class Server:
    """nginx on the loopback address, and what it has sent since the last look. (zsync never ends with lighttpd's multipart answers.)"""

    def __init__(self, root):
        self.root, self.log = root, os.path.join(root, "../access.log")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        work = os.path.dirname(self.log)
        conf = os.path.join(work, "nginx.conf")
        temporary = "".join(f"{kind}_temp_path {work}/nginx;\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(conf, "w") as f:
            f.write(f"daemon off;\nuser root;\npid {work}/nginx.pid;\nerror_log {work}/nginx.log;\nevents {{}}\nhttp {{\n{temporary}"
                    f"log_format sent '$status $bytes_sent $uri';\naccess_log {self.log} sent;\nkeepalive_requests 1000000;\n"
                    f"server {{ listen 127.0.0.1:{self.port}; root {root}; }}\n}}\n")
        self.process = subprocess.Popen(["nginx", "-c", conf], stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}"
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                time.sleep(0.1)
        self.seen = self.marks = 0

    def sent(self):
        """(bytes, requests). The log is written seconds late: a request of our own tells that all before it is in it."""
        self.marks += 1
        mark = f"/mark-{self.marks}"
        try:
            urllib.request.urlopen(self.url + mark)
        except urllib.error.HTTPError:
            pass
        lines = []
        while not lines or mark not in lines[-1]:
            time.sleep(0.5)
            with open(self.log, "rb") as f:
                f.seek(self.seen)
                lines = f.read().decode().split("\n")[:-1]
        self.seen += sum(len(line) + 1 for line in lines)
        return sum(int(line.split()[1]) for line in lines[:-1]), len(lines) - 1

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Pair:
    """Old and new image of one pair and filesystem, in a directory of their own."""

    def __init__(self, args, name, fs):
        self.args, self.name, self.fs = args, name, fs
        self.bin = os.path.abspath(args.bin)
        self.work = tempfile.mkdtemp(prefix="twinroot-delta.", dir=args.work)
        self.www = os.path.join(self.work, "www")
        os.mkdir(self.www)
        self.rows = []
        self.producers = {}
        self.make()
        self.server = Server(self.www)

    def path(self, name):
        return os.path.join(self.work, name)

    def tool(self, name):
        return os.path.join(self.bin, "mkartifact", name) if name == "mkartifact" else os.path.join(self.bin, name)

    def sh(self, *command):
        subprocess.run(command, check=True, cwd=self.work, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, SOURCE_DATE_EPOCH=EPOCH))

    def make(self):
        self.sh(self.tool("mkartifact"), "keygen", "-o", "k.pem")
        os.mkdir(self.path("keys"))
        shutil.copy(self.path("k.pub.pem"), self.path("keys"))
        for version, which in ((1, "old"), (2, "new")):
            out = self.path("old.artifact") if which == "old" else os.path.join(self.www, "new.artifact")
            source = os.path.join(os.path.abspath(self.args.pairs), f"{self.name}-{which}.tar")
            more = ["--fs", self.fs.split("-")[0]]
            if self.fs == "ext4":
                source, more = self.mke2fs(source, which), []
            elif self.fs == "ext4-twinroot":
                more += ["--size", "512M"]
            create = [self.tool("mkartifact"), "create", "-q", "-o", out, "--name", "bench", "--version", str(version),
                      "--compatible", "bench", "--rootfs", source, "--key", "k.pem", *more, *self.args.create.split()]
            self.sh(*create)
            # Knowing the old release is the producer's, and any device's gain: of layer 1, measured beside the plain way.
            if which == "new":
                create[4] = os.path.join(self.www, "earlier.artifact")
                self.sh(*create, "--earlier", "old.artifact")
            if self.fs != "ext4":
                self.sh(self.tool("artifact-inspect"), "image", "-q", "--keys", "keys", "-o", f"{which}.img", out)
        self.image = size(self.path("new.img"))

    def mke2fs(self, tarball, which):
        """What is random in an image is set; the rest is e2fsprogs' own."""
        image, uuid = self.path(f"{which}.img"), "11111111-2222-3333-4444-55555555555"
        os.mkdir(self.path("tree"))
        self.sh("tar", "-xpf", tarball, "-C", "tree")
        self.sh("env", f"E2FSPROGS_FAKE_TIME={EPOCH}", "mke2fs", "-q", "-t", "ext4", "-d", "tree", "-U", uuid + "5", "-E",
                f"hash_seed={uuid}6,lazy_itable_init=0,lazy_journal_init=0", image, "512M")
        shutil.rmtree(self.path("tree"))
        return image

    def row(self, method, kind, bytes_, requests, use, note=""):
        row = {"pair": self.name, "fs": self.fs, "method": method, "kind": kind, "bytes": bytes_, "requests": requests,
               "cpu": use and use["cpu"], "rss": use and use["rss"], "producer": self.producers.get(method), "note": note}
        self.rows.append(row)
        show(row)

    def wanted(self, word, *programs):
        if self.args.only and not any(w in word for w in self.args.only.split(",")):
            return False
        missing = [p for p in programs if not shutil.which(p)]
        if missing:
            print(f"SKIP: {word}: {' '.join(missing)} not installed", file=sys.stderr)
        return not missing

    def same(self, name, cut=False):
        """The result is the new image."""
        with open(self.path(name), "rb") as a, open(self.path("new.img"), "rb") as b:
            while want := b.read(1 << 20):
                if a.read(len(want)) != want:
                    raise RuntimeError(f"{name}: another image")
            if not cut and a.read(1):
                raise RuntimeError(f"{name}: longer than the image")

    # --- ours

    def device(self):
        d = self.path("dev")
        os.mkdir(d)
        for slot in "ab":
            with open(f"{d}/{slot}.img", "wb") as f:
                f.truncate(max(self.image, size(self.path("old.img"))) + (1 << 20))
        with open(f"{d}/boot.sh", "w") as f:
            f.write(BOOT % f"{d}/boot")
        os.chmod(f"{d}/boot.sh", 0o755)
        with open(f"{d}/boot", "w") as f:
            f.write("default=b\ntrial=none\nleft=0\nbad=none\nbooted=b\ntransaction=0\narming=durable\n")
        with open(f"{d}/install.conf", "w") as f:
            f.write(f"[device]\ntype = bench\n[slot.a]\nrootfs = {d}/a.img\n[slot.b]\nrootfs = {d}/b.img\n[boot]\n"
                    f"backend = script\nscript = {d}/boot.sh\n[trust]\nkeys = {self.path('keys')}\n"
                    f"[state]\ndirectory = {d}/state\n")
        self.install = [self.tool("artifact-install"), "-c", f"{d}/install.conf", "install", "-q"]
        self.sh(*self.install, self.path("old.artifact"))
        with open(f"{d}/boot", "a") as f:
            f.write("booted=a\n")
        self.sh("sed", "-i", "/booted=b/d", f"{d}/boot")
        self.sh(*self.install[:3], "commit", "-q")

    def ours(self, method, kind, note="", artifact="new"):
        """An install over http with the old image in the slot that runs; BYTES are all that the server sent."""
        os.environ["TWINROOT_FETCH"] = self.tool("artifact-fetch")
        use = self.least(lambda: self.fresh_install(artifact, False))
        memory = self.fresh_install(artifact, True)
        self.row(method, kind, *use["sent"], use,
                 f"{note}private {memory['private']} KiB, PSS {memory['pss']} KiB in all processes")

    def fresh_install(self, artifact, sample):
        """Looking at its memory takes the installer's time: that is a run of its own."""
        shutil.rmtree(self.path("dev"), ignore_errors=True)
        self.device()
        self.server.sent()
        use = run(self.install + [f"{self.server.url}/{artifact}.artifact"], self.work, sample=sample)
        use["sent"] = self.server.sent()
        self.same("dev/b.img", cut=True)
        return use

    def least(self, once):
        return min((once() for _ in range(self.args.runs)), key=lambda use: use["cpu"])

    def make_image(self, command, out, check=True):
        """OUT made anew by a peer's command, several times."""
        def once():
            if os.path.exists(self.path(out)):
                os.remove(self.path(out))
            self.server.sent()
            use = run(command, self.work)
            use["sent"] = self.server.sent()
            if check:
                self.same(out)
            return use
        use = self.least(once)
        os.remove(self.path(out))
        return use

    def layers(self):
        for method, artifact in ((ONE, "new"), (EARLIER, "earlier")):
            self.ours(method, "any", f"artifact {size(self.path(f'www/{artifact}.artifact')):,}; ", artifact)
        making = run([self.tool("mkartifact"), "delta", "-q", "--key", "k.pem", "old.artifact", "www/new.artifact"], self.work)
        self.producers["twinroot, layer 2"] = making["cpu"]
        self.ours("twinroot, layer 2", "pair", f"producer {making['cpu']:.1f} s, {making['rss'] // 1024} MiB; ")

    # --- any old version, ranges or chunks of a plain server

    def casync(self, avg):
        store = f"{self.www}/{avg}.castr"
        chunk = [f"--chunk-size={avg}"] if avg != "default" else []
        make = run(["casync", "make", *chunk, f"--store={store}", f"{self.www}/{avg}.caibx", "new.img"], self.work)
        use = self.make_image(["casync", "extract", *chunk, f"--store={self.server.url}/{avg}.castr", "--seed=old.img",
                               f"{self.server.url}/{avg}.caibx", "casync.img"], "casync.img")
        self.row(f"casync {avg}", "any", *use["sent"], use, f"producer {make['cpu']:.1f} s")

    def zchunk(self):
        self.sh("zck", "-o", "old.zck", "old.img")
        make = run(["zck", "-o", f"{self.www}/new.zck", "new.img"], self.work)
        note = f"producer {make['cpu']:.1f} s; the old .zck must be kept; unpacking not counted"
        use = self.make_image(["zckdl", "-q", "-s", "old.zck", f"{self.server.url}/new.zck"], "new.zck", check=False)
        self.row("zchunk", "any", *use["sent"], use, note)

    def zsync(self):
        os.link(self.path("new.img"), f"{self.www}/new.img")
        self.sh("zsyncmake", "-b", "2048", "-u", f"{self.server.url}/new.img", "-o", f"{self.www}/new.zsync",
                f"{self.www}/new.img")
        use = self.make_image(["zsync", "-q", "-i", "old.img", "-o", "zsync.img", f"{self.server.url}/new.zsync"], "zsync.img")
        self.row("zsync -b 2048", "any", *use["sent"], use)

    def rauc(self, block):
        """Computed: the bundle is a squashfs (gzip) with the image; a device fetches each block of it that has a
        4 KiB block which it lacks, and the SHA-256 of all 4 KiB blocks."""
        with open(self.path("old.img"), "rb") as f:
            have = {sha256(b).digest() for b in iter(lambda: f.read(4096), b"")}
        have.add(sha256(bytes(4096)).digest())
        total, index, runs, inside = 0, [], 0, False
        with open(self.path("new.img"), "rb") as f:
            while part := f.read(block):
                digests = [sha256(part[i:i + 4096]).digest() for i in range(0, len(part), 4096)]
                index += digests
                missing = any(d not in have for d in digests)
                if missing:
                    total += min(len(zlib.compress(part, 9)), len(part))
                runs += missing and not inside
                inside = missing
        total += len(zlib.compress(b"".join(index), 9))
        self.row(f"RAUC adaptive, {block // 1024}K", "any", total, runs, None, "computed")

    # --- one file for one pair

    def patch(self, method, make, apply, patch, note=""):
        making = run(make, self.work)
        self.producers[method] = making["cpu"]
        use = self.make_image(apply, "patched.img")
        self.row(method, "pair", size(self.path(patch)) + HEADER, 1, use,
                 f"producer {making['cpu']:.1f} s, {making['rss'] // 1024} MiB{note}")

    def pairs(self):
        if self.wanted("rdiff", "rdiff", "zstd"):
            self.sh("rdiff", "-b", "2048", "signature", "old.img", "sig")
            self.patch("rdiff | zstd -19", "rdiff delta sig new.img rd && zstd -qf19 rd -o rd.zst",
                       "zstd -qdf rd.zst -o rd && rdiff patch old.img rd patched.img", "rd.zst",
                       note=f"; and {size(self.path('sig'))} bytes of signature sent up to a server that computes")
        if self.wanted("xdelta3", "xdelta3"):
            self.patch("xdelta3 -9 -B 1G", "xdelta3 -f -e -9 -B 1073741824 -s old.img new.img xd",
                       "xdelta3 -f -d -B 1073741824 -s old.img xd patched.img", "xd")
        if self.wanted("zstd --patch-from", "zstd"):
            self.patch("zstd -19 --patch-from", "zstd -qf19 --long=31 --patch-from=old.img new.img -o zp",
                       "zstd -qdf --long=31 --memory=2048MB --patch-from=old.img zp -o patched.img", "zp")
        if self.args.slow and self.fs == "squashfs" and self.wanted("bsdiff", "bsdiff", "bspatch"):
            self.patch("bsdiff", "bsdiff old.img new.img bs", "bspatch old.img patched.img bs", "bs")

    def whole(self):
        level = 19 if self.args.slow else 12
        if self.fs != "squashfs" and self.wanted("full zstd", "zstd"):
            self.patch(f"full image, zstd -{level}", f"zstd -qf{level} new.img -o full.zst",
                       "zstd -qdf full.zst -o patched.img", "full.zst")
        elif self.wanted("full image"):
            self.row("full image", "none", self.image + HEADER, 1, None)

    def all(self):
        try:
            if self.wanted("twinroot"):
                self.layers()
            for avg in ("default", "16384"):
                if self.wanted(f"casync {avg}", "casync"):
                    self.casync(avg)
            if self.wanted("zchunk", "zck", "zckdl"):
                self.zchunk()
            if self.args.slow and self.wanted("zsync", "zsync", "zsyncmake"):
                self.zsync()
            if self.wanted("RAUC adaptive"):
                self.rauc(65536)
                self.rauc(131072)
            self.pairs()
            self.whole()
        finally:
            self.server.stop()
            shutil.rmtree(self.work)
        return self.rows


def show(r):
    cpu = "-" if r["cpu"] is None else f"{r['cpu']:.2f}"
    rss = "-" if r["rss"] is None else f"{r['rss'] / 1024:.0f}"
    print(f"{r['pair']:9} {r['fs']:9} {r['method']:24} {r['kind']:5} {r['bytes']:12,} {r['requests']:6} {cpu:>7} {rss:>6}  "
          f"{r['note']}", flush=True)


ONE, TWO = "twinroot, layer 1", "twinroot, layer 2"
EARLIER = "twinroot, --earlier"    # layer 1 of an artifact whose maker was given the old one
XDELTA, ZSTD = "xdelta3 -9 -B 1G", "zstd -19 --patch-from"
# Pair, filesystem, what is compared, ours, the peers (the least of them counts), at most this much of it.
TARGETS = (
    ("security", "ext4", "bytes", ONE, ("casync default",), 0.62), ("security", "ext4", "bytes", ONE, ("zchunk",), 0.72),
    ("app", "ext4", "bytes", ONE, ("casync default",), 0.44), ("app", "ext4", "bytes", ONE, ("zchunk",), 0.54),
    ("security", "ext4", "bytes", TWO, (XDELTA,), 0.85), ("app", "ext4", "bytes", TWO, (XDELTA, ZSTD), 1.05),
    ("security", "squashfs", "bytes", TWO, (XDELTA, ZSTD, "bsdiff", "rdiff | zstd -19"), 0.30),
    ("app", "squashfs", "bytes", TWO, (XDELTA, ZSTD, "bsdiff", "rdiff | zstd -19"), 0.30),
    ("security", "ext4", "cpu", ONE, ("casync default",), 0.30), ("app", "ext4", "cpu", ONE, ("casync default",), 0.30),
    ("security", "ext4", "producer", TWO, (ZSTD,), 0.30), ("app", "ext4", "producer", TWO, (ZSTD,), 0.30),
)


def judge(rows):
    """Ours over each peer, and the targets."""
    have = {(r["pair"], r["fs"], r["method"]): r for r in rows}
    ratios = []
    for r in rows:
        ours = have.get((r["pair"], r["fs"], ONE if r["kind"] == "any" else TWO))
        if ours and r["method"] not in (ONE, EARLIER, TWO):
            ratio = ours["bytes"] / r["bytes"]
            ratios.append({"pair": r["pair"], "fs": r["fs"], "ours": ours["method"], "over": r["method"], "ratio": round(ratio, 3)})
            print(f"{r['pair']:9} {r['fs']:9} {ours['method']} / {r['method']:24} {ratio:6.3f}")
    print()
    earlier = tuple((pair, fs, what, EARLIER, *rest) for pair, fs, what, ours, *rest in TARGETS if ours == ONE)
    for pair, fs, what, ours, peers, limit in TARGETS + earlier:
        mine = have.get((pair, fs, ours), {}).get(what)
        theirs = [have[pair, fs, p][what] for p in peers if have.get((pair, fs, p), {}).get(what)]
        if not mine or not theirs:
            continue
        ratio = mine / min(theirs)
        ratios.append({"pair": pair, "fs": fs, "what": what, "ours": ours, "over": peers, "ratio": round(ratio, 3), "target": limit})
        print(f"target {pair:9} {fs:9} {what:9} {ours} / {' or '.join(peers)}: {ratio:.3f}, at most {limit}: "
              f"{'reached' if ratio <= limit else 'MISSED'}")
    return ratios


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pairs", required=True)
    p.add_argument("--bin", default="out/build")
    p.add_argument("--pair", default="security,app")
    p.add_argument("--fs", default="ext4,ext4-twinroot,squashfs")
    p.add_argument("--only", help="methods with one of these words in their name")
    p.add_argument("--create", default="", help="more options for mkartifact create")
    p.add_argument("--runs", type=int, default=3, help="of a device's side")
    p.add_argument("--slow", action="store_true")
    p.add_argument("--work", default=None)
    p.add_argument("--json")
    args = p.parse_args()
    rows = []
    print(f"{'pair':9} {'image':9} {'method':24} {'for':5} {'bytes':>12} {'reqs':>6} {'CPU s':>7} {'MiB':>6}")
    for pair in args.pair.split(","):
        for fs in args.fs.split(","):
            rows += Pair(args, pair, fs).all()
    print()
    ratios = judge(rows)
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"rows": rows, "ratios": ratios}, f, indent=1)


if __name__ == "__main__":
    main()
