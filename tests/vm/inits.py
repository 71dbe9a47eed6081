# SPDX-License-Identifier: Apache-2.0
"""Debian's real init systems as files of a guest (Release.files), each with Twinroot's own integration: what `make install` with
--with-init would put there. Each mounts the data partition, starts the job of guest.py as one service, and boot-check after it."""
import fcntl
import functools
import pathlib
import tempfile

import elf
from lab import DEB, OUT, run

TREE = DEB / "inits"
ONCE = "usr/libexec/twinroot/boot-check-once"
# What stands for the services of a product: it says when it is stopped.
SERVICE = """#!/bin/sh
{headers}
case $1 in stop) echo "LAB service stopped" >/dev/console ;; esac
"""
DATA = """#!/bin/sh
{headers}
for d in run tmp; do grep -q " /$d " /proc/mounts || mount -t tmpfs tmpfs /$d; done
mount -t ext4 -o noatime "$(findpart PARTLABEL=data)" /data || echo "LAB no data partition" >/dev/console
"""
START_JOB = """#!/bin/sh
{headers}
[ "$1" != start ] || /usr/lib/lab/job &
"""


@functools.lru_cache(None)
def ours(path):
    """A file of installer/init, made by the build that is installed into the guests; scenarios may ask at the same time."""
    with open(OUT / "native/config.status", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run("make", "-s", "-C", OUT / "native", f"installer/init/{path}")
    return (OUT / "native/installer/init" / path).read_text()


def debian(*paths):
    """Files of the packages under the names that they have in the guest, with the libraries of those that are programs."""
    found = {}
    for path in paths:
        source = TREE / path
        found[path if path.startswith(("usr/", "etc/")) else f"usr/{path}"] = source
    programs = [p for p in found.values() if p.read_bytes()[:4] == b"\x7fELF"]
    folders = [TREE / "lib/x86_64-linux-gnu", TREE / "usr/lib/x86_64-linux-gnu", TREE / "usr/lib/x86_64-linux-gnu/systemd"]
    return {**found, **elf.closure(programs, folders)}


def below(folder, *patterns):
    return [str(p.relative_to(TREE)) for pattern in patterns for p in sorted((TREE / folder).glob(pattern)) if p.is_file()]


def busybox():
    """Both of what is offered: the script for an rcS, and the lines for an inittab."""
    rcs = DATA.format(headers="") + 'for s in /etc/init.d/S??*; do "$s" start; done\n'
    rck = '#!/bin/sh\nfor s in $(ls -r /etc/init.d/S??*); do "$s" stop; done\numount -a -r\n'
    return {
        ONCE: ours("boot-check-once"),
        "etc/init.d/rcS": rcs,
        "etc/init.d/rcK": rck,
        "etc/init.d/S50service": SERVICE.format(headers=""),
        "etc/init.d/S99twinroot-boot-check": ours("busybox/S99twinroot-boot-check"),
        "etc/inittab": ("::sysinit:/etc/init.d/rcS\n" + ours("busybox/inittab") + "::once:/usr/lib/lab/job\n"
                        "::shutdown:/etc/init.d/rcK\n"),
    }


def _lsb(name, levels, needs="$remote_fs", stop="0 1 6"):
    return (f"### BEGIN INIT INFO\n# Provides: {name}\n# Required-Start: {needs}\n# Required-Stop: {needs}\n# Default-Start: {levels}\n"
            f"# Default-Stop: {stop}\n# Short-Description: of the laboratory\n### END INIT INFO\n")


def _insserv(scripts):
    """Links and dependency files that Debian's insserv makes for these scripts, {name: text}: it reads their headers."""
    with tempfile.TemporaryDirectory(dir=OUT) as t:
        folder = pathlib.Path(t) / "etc/init.d"
        for level in "0123456S":
            (folder.parent / f"rc{level}.d").mkdir(parents=True)
        folder.mkdir()
        for name, text in scripts.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        run(TREE / "sbin/insserv", "-p", folder, "-c", TREE / "etc/insserv.conf", "-o", folder / "none", "-i", folder, "-d",
            *scripts, cwd=folder)
        found = {str(p.relative_to(t)): p.read_text() for p in folder.glob(".depend.*")}
        found.update({str(p.relative_to(t)): f"-> {p.readlink()}" for p in folder.parent.glob("rc?.d/*")})
    return found


def sysv():
    """Debian's init, rc, startpar and shutdown scripts, ordered by insserv from the headers."""
    scripts = {name: (TREE / "etc/init.d" / name).read_text() for name in ("sendsigs", "umountfs", "umountroot", "reboot", "halt")}
    scripts.update({
        # With /run mounted, init is told to make its FIFO there, as Debian's mountkernfs.sh does.
        "lab-data": DATA.format(headers=_lsb("mountall", "S", "", "")) + "kill -USR1 1\n",
        "lab-service": SERVICE.format(headers=_lsb("lab-service", "2 3 4 5")),
        "lab-job": START_JOB.format(headers=_lsb("lab-job", "2 3 4 5")),
        "twinroot-boot-check": ours("sysv/twinroot-boot-check"),
    })
    # Without consoles to log in on: there is no getty.
    lines = (TREE / "usr/share/sysvinit/inittab").read_text().splitlines()
    inittab = "".join(line + "\n" for line in lines if "getty" not in line and "sulogin" not in line)
    return {
        **debian("sbin/init", "sbin/halt", "sbin/shutdown", "sbin/runlevel", "bin/startpar", "sbin/killall5", "sbin/fstab-decode",
                 "lib/init/rc", "lib/init/rcS", *below("lib/init", "*.sh"), *below("lib/lsb", "*", "*/*"),
                 *below("etc/default", "*"), "bin/dash"),
        # busybox's shell takes its own applets for these scripts' programs.
        "usr/bin/sh": "-> dash",
        "usr/sbin/telinit": "-> init", "usr/sbin/reboot": "-> halt", "usr/sbin/poweroff": "-> halt",
        "etc/init.d/rc": "-> /lib/init/rc", "etc/init.d/rcS": "-> /lib/init/rcS",
        "etc/inittab": inittab + "lab:2345:respawn:/bin/sh -c 'touch /run/lab-getty; exec sleep 100000'\n", "etc/fstab": "", "var/.keep": "",
        **{f"etc/init.d/{name}": text for name, text in scripts.items()}, **_insserv(scripts),
        ONCE: ours("boot-check-once"),
    }


def openrc():
    """OpenRC with its own init."""
    def service(text):
        return "#!/sbin/openrc-run\n" + text

    return {
        **debian("sbin/openrc", "sbin/openrc-init", "sbin/openrc-run", "sbin/openrc-shutdown", "sbin/rc-service", "sbin/rc-update",
                 "lib/rc/version", "etc/rc.conf", "etc/insserv.conf", *below("lib/rc/bin", "*"), *below("lib/rc/sbin", "*"), *below("lib/rc/sh", "*")),
        "usr/sbin/init": "-> openrc-init",
        "usr/sbin/reboot": "#!/bin/sh\nexec openrc-shutdown -r now\n",
        "usr/sbin/poweroff": "#!/bin/sh\nexec openrc-shutdown -p now\n",
        "usr/lib/lab/data": DATA.format(headers=""),
        "etc/init.d/lab-data": service("start() { /usr/lib/lab/data; }\n"),
        "etc/init.d/lab-service": service('start() { :; }\nstop() { echo "LAB service stopped" >/dev/console; }\n'),
        "etc/init.d/lab-job": service("start() { /usr/lib/lab/job & }\n"),
        "etc/init.d/twinroot-boot-check": ours("openrc/twinroot-boot-check"),
        "etc/runlevels/sysinit/.keep": "", "etc/runlevels/shutdown/.keep": "", "etc/conf.d/.keep": "", "var/.keep": "",
        "etc/runlevels/boot/lab-data": "-> /etc/init.d/lab-data",
        **{f"etc/runlevels/default/{name}": f"-> /etc/init.d/{name}" for name in
           ("lab-service", "lab-job", "twinroot-boot-check")},
        ONCE: ours("boot-check-once"),
    }


UNITS = {
    "lab-data.service": "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n"
                        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/lib/lab/data\n",
    "lab-service.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
                           "ExecStop=/bin/sh -c 'echo \"LAB service stopped\" >/dev/console'\n",
    "lab-job.service": "[Service]\nExecStart=/usr/lib/lab/job\nKillMode=process\n",
    # What may not run before the commit.
    "lab-committed.service": "[Unit]\nRequires=twinroot-boot-check.service\nAfter=twinroot-boot-check.service\n"
                             "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo \"LAB after the commit\" >/dev/console'\n",
}


def systemd():
    """PID 1 with its journal; no udev, no generators, no logins: nothing of this machine needs them."""
    system = "usr/lib/systemd/system/"
    wants = {"sysinit.target": ["lab-data.service"], "multi-user.target": [
        "lab-service.service", "lab-job.service", "twinroot-boot-check.service"],
             "twinroot-boot-check.service": ["lab-committed.service"], "emergency.target": ["twinroot-trial-emergency.service"],
             "sockets.target": ["systemd-journald.socket", "systemd-journald-dev-log.socket"]}
    return {
        **debian("lib/systemd/systemd", "lib/systemd/systemd-shutdown", "lib/systemd/systemd-journald", "bin/systemctl",
                 "bin/journalctl", *below("lib/systemd/system", "*.target", "*.slice", "systemd-journald*",
                                          "systemd-reboot.service", "systemd-poweroff.service", "emergency.service")),
        "usr/sbin/init": "-> ../lib/systemd/systemd",
        "usr/sbin/reboot": "-> ../bin/systemctl", "usr/sbin/poweroff": "-> ../bin/systemctl",
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n", "var/.keep": "",
        "etc/systemd/system/default.target": f"-> /{system}multi-user.target",
        "usr/lib/lab/data": DATA.format(headers=""),
        **{system + name: text for name, text in UNITS.items()},
        **{system + name: ours(f"systemd/{name}") for name in ("twinroot-boot-check.service", "twinroot-trial-emergency.service")},
        # A shell that nobody types into.
        "etc/systemd/system/emergency.service.d/shell.conf":
            "[Service]\nExecStartPre=\nExecStart=\nExecStart=/bin/sh -c 'echo LAB emergency >/dev/console; exec sleep 100000'\n",
        # A journal is lost with the machine that reboots.
        "etc/systemd/system/twinroot-boot-check.service.d/console.conf": "[Service]\nStandardOutput=journal+console\n",
        **{f"etc/systemd/system/{target}.wants/{unit}": f"-> /{system}{unit}" for target, units in wants.items() for unit in units},
    }


FILES = {"busybox": busybox, "sysv": sysv, "openrc": openrc, "systemd": systemd}
