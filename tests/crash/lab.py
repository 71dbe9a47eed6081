# SPDX-License-Identifier: Apache-2.0
"""A device on this machine: one disk whose partitions are real block devices, a real rootfs that runs from one of them,
and the unmodified installer in it.

The disk is a file, or a file that qemu-storage-daemon exports through FUSE so that every request is logged (or made to
fail). Partitions are loop devices over it, so that a flush of one is a flush of the one disk, as in life. Needs root, a
mount namespace of its own (run.sh), /dev/fuse and loop devices. Loop devices go away with the process, however it ends.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import time
import uuid

from stores import UNIT, plan, start

MIB = 1 << 20
# Each partition starts on an erase unit. The boot partition has its two copies in two of them.
LAYOUT = {"boot": (4 * MIB, 8 * MIB), "slot-a": (12 * MIB, 24 * MIB), "slot-b": (36 * MIB, 24 * MIB),
          "data": (60 * MIB, 36 * MIB)}
DISK = 96 * MIB
IMAGE = 16 * MIB
assert all(off % UNIT == 0 for off, _ in LAYOUT.values())

libc = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_BIND, MNT_DETACH = 1, 4096, 2
BLKFLSBUF = 0x1261


class Failed(Exception):
    """The device did not do what it must. STATUS: of the command that failed, if one did."""

    def __init__(self, text, status=None):
        super().__init__(text)
        self.status = status


def mount(what, where, kind=None, flags=0):
    encode = lambda text: text.encode() if text else None
    if libc.mount(encode(what), encode(where), encode(kind), flags, None) < 0:
        raise OSError(ctypes.get_errno(), "mount %s" % what)


def umount(where):
    for flags in [0] * 200 + [MNT_DETACH]:
        if libc.umount2(where.encode(), flags) == 0 or ctypes.get_errno() != 16:
            return
        time.sleep(0.01)


class Loop:
    """A block device over a part of a file; its node is made at PATH."""
    CTL_GET_FREE, CONFIGURE, CLEAR, AUTOCLEAR = 0x4C82, 0x4C0A, 0x4C01, 4

    def __init__(self, file, offset, size, path):
        fd = os.open(file, os.O_RDWR)
        with open("/dev/loop-control", "rb") as control:
            for _ in range(100):
                number = fcntl.ioctl(control, self.CTL_GET_FREE)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(7, number))
                self.fd = os.open(path, os.O_RDWR)
                info = struct.pack("<QQQQQIIII64s64s32sQQ", 0, 0, 0, offset, size, 0, 0, 0, self.AUTOCLEAR,
                                   b"", b"", b"", 0, 0)
                try:
                    fcntl.ioctl(self.fd, self.CONFIGURE, struct.pack("<II", fd, 512) + info + bytes(64))
                    break
                except OSError:  # another process was faster
                    os.close(self.fd)
            else:
                raise OSError("no free loop device")
        os.close(fd)

    def close(self):
        os.close(self.fd)


class Daemon:
    """qemu-storage-daemon with DISK exported as the file MOUNT. BLOCK: the list of its --blockdev, the last one exported."""

    def __init__(self, folder, block):
        self.path = os.path.join(folder, "export")
        with open(self.path, "wb"):
            pass
        command = ["qemu-storage-daemon"]
        for item in block:
            command += ["--blockdev", json.dumps(item)]
        command += ["--export", "type=fuse,id=e,node-name=%s,mountpoint=%s,writable=on" % (block[-1]["node-name"], self.path)]
        self.errors = open(os.path.join(folder, "daemon.log"), "wb")
        self.process = subprocess.Popen(command, stderr=self.errors, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while os.stat(self.path).st_size != DISK:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise OSError("no FUSE export: " + open(os.path.join(folder, "daemon.log")).read())
            time.sleep(0.005)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        umount(self.path)
        self.errors.close()


def logged(folder, disk):
    log = os.path.join(folder, "writes.log")
    with open(log, "wb"):
        pass
    return Daemon(folder, [
        {"driver": "file", "node-name": "disk", "filename": disk},
        {"driver": "file", "node-name": "log", "filename": log},
        {"driver": "blklogwrites", "node-name": "logged", "file": "disk", "log": "log", "log-sector-size": 512,
         "log-super-update-interval": 1}]), log


class Device:
    """The device whose disk is the file DISK. FOLDER is its own; SOURCES is seen as /src."""

    def __init__(self, folder, disk, sources, store):
        self.folder, self.disk, self.sources, self.store = folder, disk, sources, store
        self.dev, self.root = os.path.join(folder, "dev"), os.path.join(folder, "root")
        self.mounts, self.loops, self.running = [], {}, None
        os.makedirs(self.dev, exist_ok=True)
        os.makedirs(self.root, exist_ok=True)
        if not os.path.ismount(self.dev):
            mount("tmpfs", self.dev, "tmpfs")
            for name, minor in (("null", 3), ("zero", 5), ("urandom", 9)):
                os.mknod(os.path.join(self.dev, name), 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        nodes = {name: place for name, place in LAYOUT.items() if name != "boot"}
        for name, (offset, size) in store.nodes.items():
            nodes[name] = (LAYOUT["boot"][0] + offset, size)
        for name, (offset, size) in nodes.items():
            self.loops[name] = Loop(disk, offset, size, os.path.join(self.dev, name))

    def mount(self, what, where, kind=None, flags=0):
        where = os.path.join(self.root, where) if where else self.root
        mount(what, where, kind, flags)
        self.mounts.append(where)

    def boot_bytes(self):
        with open(self.disk, "rb") as disk:
            return os.pread(disk.fileno(), LAYOUT["boot"][1], LAYOUT["boot"][0])

    def boot(self):
        """What the bootloader and the first steps of the init system do; the slot that runs."""
        boot = self.boot_bytes()
        if not plan(self.store.read(boot)):
            raise Failed("no environment: the bootloader knows no slot")
        slot, trial, save = start(self.store, boot)
        if save:
            self.bootloader_write(*save)
        try:
            self.mount(os.path.join(self.dev, "slot-" + slot), "", "ext4", MS_RDONLY)
        except OSError as error:
            raise Failed("slot %s does not mount: %s" % (slot, error)) from error
        self.mount(self.dev, "dev", None, MS_BIND)
        self.mount("proc", "proc", "proc")
        # What a kernel of this boot would say.
        self.say("cmdline", "twinroot.slot=%s twinroot.trial=%d\n" % (slot, trial))
        self.say("sys/kernel/random/boot_id", "%s\n" % uuid.uuid4())
        self.mount("/sys", "sys", None, MS_BIND)
        self.mount(self.sources, "src", None, MS_BIND)
        self.running = slot
        return slot

    def say(self, name, text):
        path = os.path.join(self.folder, os.path.basename(name))
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        self.mount(path, os.path.join("proc", name), None, MS_BIND)

    def bootloader_write(self, offset, data):
        """A bootloader writes through no cache of the kernel, and flushes none."""
        fd = os.open(self.disk, os.O_RDWR)
        try:
            if os.pwrite(fd, data, LAYOUT["boot"][0] + offset) != len(data):
                raise OSError("short write")
        finally:
            os.close(fd)
        for name in self.store.nodes:
            fcntl.ioctl(self.loops[name].fd, BLKFLSBUF)

    def mount_data(self):
        self.mount(os.path.join(self.dev, "data"), "data", "ext4")

    def popen(self, *words, **options):
        return subprocess.Popen(["/artifact-install", "-c", "/etc/twinroot/install.conf", *words],
                                preexec_fn=lambda: (os.chroot(self.root), os.chdir("/")),
                                **dict({"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}, **options))

    def run(self, *words, may_fail=False, data=None):
        """artifact-install WORDS in the running slot, DATA as its standard input; its output."""
        process = self.popen(*words, stdin=subprocess.DEVNULL if data is None else subprocess.PIPE)
        out, errors = (text.decode(errors="replace") for text in process.communicate(data, timeout=600))
        if process.returncode and not may_fail:
            raise Failed("%s: status %d: %s" % (" ".join(words), process.returncode, errors.strip()[-600:]), process.returncode)
        return (process.returncode, out) if may_fail else out

    def status(self):
        return json.loads(self.run("status", "--json"))

    def down(self):
        """A clean shutdown."""
        while self.mounts:
            umount(self.mounts.pop())
        for loop in self.loops.values():
            with contextlib.suppress(OSError):  # of a disk that was made to fail
                os.fsync(loop.fd)
        self.running = None

    def close(self):
        self.down()
        for loop in self.loops.values():
            loop.close()
        self.loops = {}


def libraries(program):
    out = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [word for line in out.splitlines() for word in line.split() if word.startswith("/")]


def make_rootfs(folder, build, keys):
    """The tree of a rootfs with the installer and what it needs, nothing else."""
    for name in ("dev", "proc", "sys", "data", "src", "tmp", "etc/twinroot/keys.d"):
        os.makedirs(os.path.join(folder, name))
    program = os.path.join(build, "artifact-install")
    for library in libraries(program):
        target = os.path.join(folder, library.lstrip("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(library, target)
    shutil.copy(program, os.path.join(folder, "artifact-install"))
    subprocess.run(["strip", os.path.join(folder, "artifact-install")], check=True)
    for name in os.listdir(keys):
        shutil.copy(os.path.join(keys, name), os.path.join(folder, "etc/twinroot/keys.d"))


def write_config(folder, store, kind):
    etc = os.path.join(folder, "etc/twinroot")
    for name, text in store.files.items():
        with open(os.path.join(etc, name), "w", encoding="ascii") as file:
            file.write(text)
    # Nothing is fetched here; boot-check asks that the program runs, which any does.
    with open(os.path.join(etc, "install.conf"), "w", encoding="ascii") as file:
        file.write("[device]\ntype = %s\n[slot.a]\nrootfs = /dev/slot-a\n[slot.b]\nrootfs = /dev/slot-b\n[boot]\n%stries = 3\n"
                   "[trust]\nkeys = /etc/twinroot/keys.d\n[state]\ndirectory = /data/twinroot\n"
                   "[checks]\nsettle = 0\nremote = ignore\n[download]\nprogram = /artifact-install\n" % (kind, store.config))
