#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What memory and time a huge, mostly empty image costs: an ext4 filesystem of --size GiB that holds --root, then a second release of it.

Usage: large.py --root DIRECTORY [--size 64] [--bin DIR] [--json FILE]

Creates both releases, installs the first from a file onto an empty slot and the second over http, by what has changed. The files are sparse;
their data take about as much room as DIRECTORY four times and what mke2fs writes besides (1.5 GiB an image of 64). Run nothing else meanwhile.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

import bench

MIB = 1 << 20
# DESIGN 10: MiB of private memory, of PSS.
CREATE_LIMIT, INSTALL_PRIVATE, FILE_PSS, HTTP_PSS = 64 + 2 * 24, 10, 12, 20
CONF = """[device]
type = bench
[slot.a]
rootfs = {work}/a.img
[slot.b]
rootfs = {work}/b.img
[boot]
backend = script
script = {work}/file.sh
[trust]
keys = {work}/keys
[state]
directory = {work}/state
"""


class Large:
    def __init__(self, options):
        self.options, self.rows = options, []
        self.bin = os.path.abspath(options.bin)
        self.work = tempfile.mkdtemp(prefix="twinroot-large.", dir=options.folder)

    def path(self, name):
        return os.path.join(self.work, name)

    def measure(self, what, command, limit_private, limit_pss):
        m = bench.run([str(word) for word in command], self.work, sample=True)
        row = {"case": what, "cpu": m["cpu"], "wall": m["wall"], "private": m["private"] / 1024, "pss": m["pss"] / 1024,
               "reached": m["private"] / 1024 <= limit_private and m["pss"] / 1024 <= limit_pss}
        self.rows.append(row)
        print(f"{what:28} {m['cpu']:8.1f} {m['wall']:8.1f} {row['private']:9.1f} {row['pss']:8.1f}   "
              f"<= {limit_private} / {limit_pss}: {'reached' if row['reached'] else 'MISSED'}", flush=True)

    def image(self):
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", self.path("root"), "-E", "lazy_itable_init=0,lazy_journal_init=0",
                        self.path("image"), f"{self.options.size}G"], check=True, stdout=subprocess.DEVNULL)

    def release(self, version):
        if os.path.exists(self.path("image")):
            os.remove(self.path("image"))
        self.image()
        self.measure(f"create {version}", [
            os.path.join(self.bin, "mkartifact/mkartifact"), "create", "-q", "-o", f"web/{version}.artifact", "--name", "large",
            "--version", version, "--compatible", "bench", "--arch", "any", "--no-sbom", "--key", "k.pem", "--jobs", "2",
            "--rootfs", "image"], CREATE_LIMIT, CREATE_LIMIT)

    def prepare(self):
        shutil.copytree(self.options.root, self.path("root"), symlinks=True)
        for name in ("web", "keys", "state"):
            os.mkdir(self.path(name))
        subprocess.run([os.path.join(self.bin, "mkartifact/mkartifact"), "keygen", "-o", "k.pem"], cwd=self.work, check=True,
                       stdout=subprocess.DEVNULL)
        shutil.copy(self.path("k.pub.pem"), self.path("keys"))
        for name in ("a.img", "b.img"):
            with open(self.path(name), "w", encoding="ascii") as file:
                file.truncate(self.options.size << 30)
        with open(self.path("conf"), "w", encoding="ascii") as file:
            file.write(CONF.format(work=self.work))
        # Its store is a plain file beside it, boot.state.
        shutil.copy(os.path.join(bench.HERE, "../../installer/boot/file.sh"), self.work)

    def change(self):
        """Every third file is another one."""
        names = sorted(os.path.join(at, name) for at, _, found in os.walk(self.path("root")) for name in found)
        for name in (n for n in names[::3] if not os.path.islink(n)):
            with open(name, "ab") as file:
                file.write(os.urandom(512))

    def serve(self):
        with open(self.path("web.conf"), "w", encoding="ascii") as file:
            file.write(f'server.document-root = "{self.path("web")}"\nserver.port = {self.options.port}\nserver.bind = "127.0.0.1"\n')
        server = subprocess.Popen(["lighttpd", "-D", "-f", self.path("web.conf")], stderr=subprocess.DEVNULL)
        time.sleep(1)
        return server

    def install(self, what, source, slot, pss):
        command = [os.path.join(self.bin, "artifact-install"), "-c", self.path("conf")]
        self.measure(what, command + ["install", "-q", source], INSTALL_PRIVATE, pss)
        subprocess.run(["cmp", self.path("image"), self.path(f"{slot}.img")], check=True)

    def start(self, slot):
        """What a bootloader would do, and boot-check after it."""
        with open(self.path("boot.state"), encoding="ascii") as file:
            store = file.read()
        with open(self.path("boot.state"), "w", encoding="ascii") as file:
            file.write(re.sub("booted=.", f"booted={slot}", store))
        subprocess.run([os.path.join(self.bin, "artifact-install"), "-c", self.path("conf"), "commit"], check=True, stdout=subprocess.DEVNULL)

    def run(self):
        os.environ["TWINROOT_FETCH"] = os.path.join(self.bin, "artifact-fetch")
        self.prepare()
        print(f"{'case':28} {'CPU s':>8} {'wall s':>8} {'priv MiB':>9} {'PSS MiB':>8}")
        self.release("1")
        self.install("install 1 from a file", self.path("web/1.artifact"), "b", FILE_PSS)
        self.start("b")
        self.change()
        self.release("2")
        server = self.serve()
        try:
            self.install("install 2 over http", f"http://127.0.0.1:{self.options.port}/2.artifact", "a", HTTP_PSS)
        finally:
            server.terminate()
        return self.rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help="what the image holds")
    parser.add_argument("--size", type=int, default=64, help="GiB")
    parser.add_argument("--bin", default="out/build")
    parser.add_argument("--folder", help="where the images lie for the time being")
    parser.add_argument("--port", type=int, default=18080)
    parser.add_argument("--json")
    options = parser.parse_args()
    large = Large(options)
    try:
        rows = large.run()
    finally:
        shutil.rmtree(large.work)
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
