# SPDX-License-Identifier: Apache-2.0
"""What the chains on QEMU's raspi3b share: its device tree, and jobs, which come by the kernel's command line (this machine has no fw_cfg)."""
import re
import shutil

import guest
from lab import DEB, Failure, run
from machine import Machine
from scenario import status

STATUS = "section status artifact-install status --json\n"
INSTALL = STATUS + "artifact-install install -q --reboot /data/new.artifact\n"
JOBS = {
    "install": INSTALL,
    "status": STATUS + "sync; reboot -f\n",
    "again": "section before artifact-install status --json\nartifact-install rollback || exit 1\n" + INSTALL,
    "commit": "artifact-install commit || exit 1\n" + STATUS + "sync; reboot -f\n",
}
JOB = """#!/bin/sh
exec </dev/null >/dev/console 2>&1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
. /usr/lib/lab/functions
mount -t vfat -o noatime "$(findpart PARTLABEL=%s)" /boot/firmware
. /data/jobs/$(sed -n 's/.*lab.job=\\([a-z]*\\).*/\\1/p' /proc/cmdline)
echo "LAB job-failed=$?"
reboot -f
"""
# The kernel has its console on one of them, by the order in which it finds them.
CONSOLES = "console=ttyAMA0,115200 console=ttyAMA1,115200"


def conf(backend):
    return (f"[device]\ntype = {guest.TYPE}\n[slot.a]\nrootfs = PARTLABEL=root-a\n[slot.b]\nrootfs = PARTLABEL=root-b\n"
            f"[boot]\n{backend}[trust]\nkeys = /etc/twinroot/keys.d\n[state]\ndirectory = /data/twinroot\n")


def release(version, backend, firmware, files):
    """A Release; FIRMWARE: the label of the FAT partition that it mounts."""
    return guest.Release("raspi3b", version, conf=conf(backend), files={
        "usr/lib/lab/job": JOB % firmware, "boot/firmware/.keep": "", **files})


def data_files(new):
    return {"new.artifact": new, **{f"jobs/{n}": j for n, j in JOBS.items()}}


def device_tree(out):
    """The board's, without what would take the kernel's console."""
    path, = (DEB / "arm64/usr/lib").glob("linux-image-*-arm64/broadcom/bcm2837-rpi-3-b.dtb")
    shutil.copy(path, out)
    run("fdtput", "-r", out, "/soc/serial@7e201000/bluetooth")


def sd_card(path):
    """An SD card of QEMU has a power of two; the kernel does not mind that the second partition table is not at the end."""
    with open(path, "r+b") as f:
        f.truncate(512 << 20)


def start(disk, log, title, *argv):
    """One power-on, to the reboot: (the machine, the reboot's argument)."""
    argv = ["qemu-system-aarch64", "-M", "raspi3b", "-accel", "tcg", "-no-reboot", "-display", "none",
            "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
            "-drive", f"file={disk.path},format=raw,if=sd", *argv]
    with Machine([str(a) for a in argv], log, title) as m:
        match = m.wait(r"Restarting system(?: with command '([^'\n]*)'|\r?$)", 300)
    return m, match[1] or ""


def judge(c, what, m, running, section, store):
    """What status said in the guest."""
    c.say(f"{what}: {m.seconds():.1f} s, {m.cpu:.1f} s of processor")
    # A job whose reboot comes through init goes on to its end, with 0.
    if failed := re.search(r"LAB job-failed=([1-9]\d*)", m.text):
        raise Failure(f"{what}: the job ended with {failed[1]}")
    found = status(m, section)
    c.expect(f"{what}: the slot that runs", found["running"], running)
    for name, due in store.items():
        c.expect(f"{what}: {name}", found["boot"][name.replace("_", "-")], due)
