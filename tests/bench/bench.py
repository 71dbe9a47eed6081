#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Create, verify, inspect and install: ours beside peers and plain tools, on one image, in one run.

Usage: bench.py --image rootfs.ext4 [--bin DIR] [--rounds 5] [--slow-rounds 1] [--json FILE] [--only WORD]

Cases are run in turn in each round, so that a slow minute hits all of them alike. CPU is user + system time
of the command and all its children; figures are medians; ratios are of medians. Run nothing else meanwhile.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HASH, ZSTD = "base hash of image", "base zstd -{}"


def descendants(pid):
    found, queue = [pid], [pid]
    while queue:
        p = queue.pop()
        try:
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/children") as f:
                    kids = [int(k) for k in f.read().split()]
                found += kids
                queue += kids
        except OSError:
            pass
    return found


def memory_of(pid):
    """(private, PSS) of a process and its children, in KiB."""
    private = pss = 0
    for p in descendants(pid):
        try:
            with open(f"/proc/{p}/smaps_rollup") as f:
                for line in f:
                    word = line.split()
                    if word[0] == "Pss:":
                        pss += int(word[1])
                    elif word[0] in ("Private_Clean:", "Private_Dirty:"):
                        private += int(word[1])
        except OSError:
            pass
    return private, pss


def run(command, cwd, sample=False):
    """One run: CPU and wall seconds and peak resident KiB of the largest process; with SAMPLE also the
    peaks of private memory and PSS over all its processes, looked at every 5 ms."""
    start = time.monotonic()
    p = subprocess.Popen(command, shell=isinstance(command, str), cwd=cwd,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak, done = [0, 0], threading.Event()

    def watch():
        while not done.is_set():
            a, b = memory_of(p.pid)
            peak[0], peak[1] = max(peak[0], a), max(peak[1], b)
            time.sleep(0.005)
    watcher = threading.Thread(target=watch)
    if sample:
        watcher.start()
    err = p.stderr.read().decode(errors="replace")
    _, status, use = os.wait4(p.pid, 0)
    wall = time.monotonic() - start
    done.set()
    if sample:
        watcher.join()
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode != 0:
        raise RuntimeError(f"{command}: exit {p.returncode}\n{err}")
    return {"cpu": use.ru_utime + use.ru_stime, "wall": wall, "rss": use.ru_maxrss,
            "private": peak[0], "pss": peak[1]}


class Bench:
    def __init__(self, args):
        self.args = args
        self.image = os.path.abspath(args.image)
        self.bin = os.path.abspath(args.bin)
        self.work = tempfile.mkdtemp(prefix="twinroot-bench.")
        self.cases, self.results, self.failed, self.ratios = [], {}, {}, {}

    def path(self, name):
        return os.path.join(self.work, name)

    def tool(self, name):
        return os.path.join(self.bin, "mkartifact", name) if name == "mkartifact" else os.path.join(self.bin, name)

    def sh(self, command):
        subprocess.run(command, shell=isinstance(command, str), check=True, cwd=self.work,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def case(self, name, command, before=None, size=None):
        if not self.args.only or self.args.only in name or name.startswith("base"):
            self.cases.append((name, command, before, size))

    def have(self, program):
        if shutil.which(program):
            return True
        print(f"SKIP: {program} is not installed", file=sys.stderr)
        return False

    def remover(self, name):
        def remove():
            if os.path.exists(self.path(name)):
                os.remove(self.path(name))
        return remove

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def keys(self):
        self.sh([self.tool("mkartifact"), "keygen", "-o", "k.pem"])
        os.mkdir(self.path("keys"))
        shutil.copy(self.path("k.pub.pem"), self.path("keys"))
        self.sh("openssl genrsa -traditional -out rsa.pem 3072 && openssl rsa -in rsa.pem -pubout -out rsa.pub.pem && "
                "openssl req -x509 -new -key rsa.pem -subj /CN=bench -days 30 -out cert.pem")

    def plain_cases(self):
        for level in (3, 9, 12, 19):
            self.case(ZSTD.format(level), ["zstd", "-qf", f"-{level}", self.image, "-o", f"{level}.zst"],
                      None, f"{level}.zst")
        self.case(HASH, ["openssl", "dgst", "-sha256", self.image])
        self.case("base zstd -d", ["zstd", "-qdcf", "12.zst"])
        self.case("base dd to file", f"dd if={self.image} of=dd.img bs=1M conv=fsync,notrunc status=none")

    def our_cases(self):
        base = [self.tool("mkartifact"), "create", "--name", "bench", "--version", "1", "--compatible", "bench",
                "--rootfs", self.image, "--key", "k.pem", "--no-sbom"]
        inspect = self.tool("artifact-inspect")
        for level in ("2", "3", "9", "12", "max"):
            out = f"l{level}.artifact"
            self.case(f"create ours --level {level}", base + ["--level", level, "-o", out], self.remover(out), out)
        self.case("create ours --level 12 --jobs 1", base + ["--level", "12", "--jobs", "1", "-o", "j.artifact"],
                  self.remover("j.artifact"), "j.artifact")
        self.case("base hash of artifact", ["openssl", "dgst", "-sha256", "l12.artifact"])
        self.case("verify ours", [inspect, "verify", "--keys", "keys", "l12.artifact"])
        self.case("verify ours --deep", [inspect, "verify", "--deep", "--keys", "keys", "l12.artifact"])
        self.case("show ours", [inspect, "show", "--keys", "keys", "l12.artifact"])

    def install_cases(self):
        install = self.tool("artifact-install")
        if not os.path.exists(install):
            print("SKIP: artifact-install is not built", file=sys.stderr)
            return
        os.makedirs(self.path("state"))
        shutil.copy(os.path.join(HERE, "../../installer/boot/file.sh"), self.path("boot.sh"))
        os.chmod(self.path("boot.sh"), 0o755)
        self.write("install.conf", f"[device]\ntype = bench\n[slot.a]\nrootfs = {self.path('a.img')}\n"
                   f"[slot.b]\nrootfs = {self.path('b.img')}\n[boot]\nbackend = script\nscript = {self.path('boot.sh')}\n"
                   f"[trust]\nkeys = {self.path('keys')}\n[state]\ndirectory = {self.path('state')}\n")

        def fresh():
            shutil.rmtree(self.path("state"))
            os.makedirs(self.path("state"))
            for name in ("a.img", "b.img"):
                with open(self.path(name), "wb") as f:
                    f.truncate(os.path.getsize(self.image))
            self.remover("boot.state")()
        command = [install, "-c", "install.conf", "install", "l12.artifact"]
        self.case("install ours, full", command, fresh)
        self.case("install ours, masked SHA", "OPENSSL_ia32cap=:~0x20000000 " + " ".join(command), fresh)
        self.case("base hash of image, masked", f"OPENSSL_ia32cap=:~0x20000000 openssl dgst -sha256 {self.image}")
        self.case("base hash of artifact, masked", "OPENSSL_ia32cap=:~0x20000000 openssl dgst -sha256 l12.artifact")

    def mender_cases(self):
        if not self.have("mender-artifact"):
            return
        self.case("create mender-artifact gzip", ["mender-artifact", "write", "rootfs-image", "-t", "bench", "-n", "1",
                  "-f", self.image, "-k", "rsa.pem", "-o", "m.mender"], None, "m.mender")
        self.case("verify mender-artifact", ["mender-artifact", "validate", "-k", "rsa.pub.pem", "m.mender"])
        self.case("show mender-artifact", ["mender-artifact", "read", "m.mender"])

    def rauc_cases(self):
        if not self.have("rauc"):
            return

        def tree():
            shutil.rmtree(self.path("bundle"), ignore_errors=True)
            os.mkdir(self.path("bundle"))
            subprocess.run(["cp", "--sparse=always", self.image, self.path("bundle/rootfs.ext4")], check=True)
            self.write("bundle/manifest.raucm", "[update]\ncompatible=bench\nversion=1\n[bundle]\nformat=verity\n"
                       "[image.rootfs]\nfilename=rootfs.ext4\n")
            self.remover("b.raucb")()
        self.case("create rauc", ["rauc", "bundle", "--cert=cert.pem", "--key=rsa.pem", "bundle", "b.raucb"],
                  tree, "b.raucb")
        self.case("show rauc", ["rauc", "info", "--keyring=cert.pem", "b.raucb"])

    def swupdate_cases(self):
        if not self.have("swupdate"):
            return

        def package():
            with open(self.path("t.img"), "wb") as f:
                f.truncate(os.path.getsize(self.image))
            if os.path.exists(self.path("s.swu")):
                return
            self.sh(f"zstd -qf -12 {self.image} -o rootfs.ext4.zst")
            digest = subprocess.check_output(["openssl", "dgst", "-r", "-sha256", self.path("rootfs.ext4.zst")])
            self.write("sw-description", 'software = { version = "1"; hardware-compatibility: ["1.0"]; images: ( { '
                       f'filename = "rootfs.ext4.zst"; device = "{self.path("t.img")}"; type = "raw"; compressed = "zstd"; '
                       f'installed-directly = true; sha256 = "{digest.split()[0].decode()}"; }} ); }}')
            self.sh("openssl cms -sign -in sw-description -out sw-description.sig -signer cert.pem -inkey rsa.pem "
                    "-outform DER -nosmimecap -binary")
            self.sh("printf 'sw-description\\nsw-description.sig\\nrootfs.ext4.zst\\n' | cpio -o -H crc > s.swu")
        self.case("install swupdate zstd", ["swupdate", "-H", "bench:1.0", "-k", "cert.pem", "-i", "s.swu"],
                  package, "s.swu")

    def measure(self):
        samples = {name: [] for name, *_ in self.cases}
        for turn in range(self.args.rounds):
            for name, command, before, _ in self.cases:
                slow = name.endswith("max") or name == ZSTD.format(19)
                if name in self.failed or (slow and turn >= self.args.slow_rounds):
                    continue
                try:
                    if before:
                        before()
                    samples[name].append(run(command, self.work))
                except (RuntimeError, OSError, subprocess.CalledProcessError) as e:
                    self.failed[name] = str(e)[:600]
        for name, command, before, size in self.cases:
            if name in self.failed or not samples[name]:
                continue
            r = {k: statistics.median(s[k] for s in samples[name]) for k in ("cpu", "wall", "rss")}
            r["size"] = os.path.getsize(self.path(size)) if size else None
            if "ours" in name and len(samples[name]) > 1:
                if before:
                    before()
                m = run(command, self.work, sample=True)
                r["private"], r["pss"] = m["private"], m["pss"]
            self.results[name] = r

    def ratio(self, label, a, terms, key, target=None):
        """A by the sum of factor x case (or plain number) in TERMS."""
        try:
            below = sum(f * (self.results[n][key] if isinstance(n, str) else n) for f, n in terms)
            self.ratios[label] = {"ratio": self.results[a][key] / below, "target": target}
        except (KeyError, TypeError, ZeroDivisionError):
            self.ratios[label] = {"ratio": None, "target": target}

    def judge(self):
        for level, limit in (("3", 2.5), ("9", 1.3), ("12", 1.3)):
            ours, plain = f"create ours --level {level}", ZSTD.format(level)
            self.ratio(f"create -{level} CPU / (zstd -{level} + 2 hashes)", ours, [(1, plain), (2, HASH)], "cpu", limit)
            self.ratio(f"create -{level} size / zstd -{level}", ours, [(1, plain)], "size", 1.08)
        self.ratio("create max CPU / zstd -19", "create ours --level max", [(1, ZSTD.format(19))], "cpu", 3)
        self.ratio("create max size / zstd -19", "create ours --level max", [(1, ZSTD.format(19))], "size", 1.10)
        self.ratio("create wall, 2 jobs / 1 job", "create ours --level 12", [(1, "create ours --level 12 --jobs 1")], "wall")
        part = "base hash of artifact"
        self.ratio("verify CPU / (hash of file + 10 ms)", "verify ours", [(1, part), (0.010, 1)], "cpu", 1.3)
        self.ratio("verify --deep CPU / (zstd -d + 2 hashes)", "verify ours --deep",
                   [(1, "base zstd -d"), (2, HASH)], "cpu", 1.3)
        # The installer hashes the image once while it writes and once when it reads back; the target of
        # 1.3 is for the first part, and the read-back is at most 1.1 hashes more.
        self.ratio("install CPU with read-back / (zstd -d + 2.1 hashes + hash of file)", "install ours, full",
                   [(1, "base zstd -d"), (2.1, HASH), (1, part)], "cpu", 1.3)
        self.ratio("the same, SHA instructions masked", "install ours, masked SHA",
                   [(1, "base zstd -d"), (2.1, HASH + ", masked"), (1, part + ", masked")], "cpu", 1.3)
        for ours, peer in (("create ours --level 2", "create mender-artifact gzip"), ("create ours --level 3", "create mender-artifact gzip"),
                           ("create ours --level 3", "create rauc"), ("create ours --level 12", "create rauc"),
                           ("verify ours", "verify mender-artifact"), ("show ours", "show mender-artifact"),
                           ("show ours", "show rauc"), ("install ours, full", "install swupdate zstd")):
            for key in ("cpu", "wall", "rss", "size"):
                self.ratio(f"{ours} / {peer}: {key}", ours, [(1, peer)], key)

    def report(self):
        st = os.stat(self.image)
        print(f"image: {st.st_size / 2**20:.0f} MiB, {st.st_blocks / 2048:.0f} MiB on disk; {self.args.rounds} rounds ({self.args.slow_rounds} of the slow ones), "
              "medians; CPU = user + system of all processes; RSS of the largest process")
        print(f"{'case':32} {'CPU s':>8} {'wall s':>8} {'RSS MiB':>8} {'priv MiB':>9} {'PSS MiB':>8} {'size MB':>9}")
        for name, r in self.results.items():
            def opt(key, scale, r=r):
                return f"{r[key] / scale:.1f}" if r.get(key) else "-"
            print(f"{name:32} {r['cpu']:8.3f} {r['wall']:8.3f} {r['rss'] / 1024:8.1f} {opt('private', 1024):>9} "
                  f"{opt('pss', 1024):>8} {opt('size', 1e6):>9}")
        for name, why in self.failed.items():
            print(f"{name:32} FAILED: {why}")
        print(f"\n{'ratio':70} {'measured':>9} {'target':>8}")
        for label, r in self.ratios.items():
            if r["ratio"] is not None:
                target = f"<= {r['target']:.2f}" if r["target"] else ""
                print(f"{label:70} {r['ratio']:9.2f} {target:>8}")
        if self.args.json:
            with open(self.args.json, "w") as f:
                json.dump({"results": self.results, "ratios": self.ratios, "failed": self.failed}, f, indent=1)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--image", required=True)
    ap.add_argument("--bin", default=".", help="build directory with mkartifact and the others")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--slow-rounds", type=int, default=1, help="of --level max and zstd -19, minutes each")
    ap.add_argument("--json", default=None)
    ap.add_argument("--only", default=None, help="only cases whose name has this word, and the baselines")
    bench = Bench(ap.parse_args())
    try:
        bench.keys()
        bench.plain_cases()
        bench.our_cases()
        bench.install_cases()
        bench.mender_cases()
        bench.rauc_cases()
        bench.swupdate_cases()
        bench.measure()
        bench.judge()
        bench.report()
    finally:
        shutil.rmtree(bench.work)
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
