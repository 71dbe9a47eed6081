# SPDX-License-Identifier: Apache-2.0
"""Every state of the boot store through real bootloaders, without a device around them: programs that also run by themselves."""
import os
import pathlib
import subprocess
import sys

import guest
from lab import Failure, Skip
from scenario import scenario

HERE = pathlib.Path(__file__).parent


def program(c, *argv):
    """Run one; its output goes into the log, its exit status is the verdict."""
    with open(c.device.log, "ab") as log:
        log.write(f"$ {' '.join(map(str, argv))}\n".encode())
        log.flush()
        at = log.tell()
        done = subprocess.run(["setpriv", "--pdeathsig", "KILL", sys.executable, *map(str, argv)], check=False, stdout=log, stderr=log,
                              env={**os.environ, "TMPDIR": str(c.device.folder)})
    said = c.device.log.read_bytes()[at:].decode(errors="replace").splitlines()
    if done.returncode == 77 or (done.returncode == 0 and any(line.startswith("SKIP") for line in said)):
        raise Skip(next((line for line in said if line.startswith("SKIP")), "no reason given"))
    if done.returncode:
        raise Failure("; ".join(line for line in said if line.startswith("FAIL"))[:300] or (said or ["it said nothing"])[-1])


@scenario("virt-uboot")
def store_states(c):
    """67 states, one power-on each."""
    program(c, HERE / "uboot_states.py", c.device.folder / "work")


@scenario("x86-bios-grub", "x86-uefi-grub")
def grub_states(c):
    program(c, HERE / "grub_states.py", c.device.chain.name.split("-")[1])


@scenario("virt-uboot", "x86-bios-grub", "x86-uefi-grub")
def bootloader_writes(c):
    """The bootloader's own writes, recorded, and every power cut in them, which the installer built for this machine reads too."""
    kind = {"virt-uboot": "uboot", "x86-bios-grub": "bios", "x86-uefi-grub": "uefi"}[c.device.chain.name]
    program(c, HERE / "bootloader_writes.py", kind, c.device.folder / "work", guest.installer("amd64")["usr/sbin/artifact-install"])


@scenario("x86-bios-grub", "x86-uefi-grub", full=("x86-bios-grub", "x86-uefi-grub"))
def grub_boot(c):
    """From power-on to user space and back, with trials, lost and garbled stores."""
    program(c, HERE / "grub_boot.py", c.device.chain.name.split("-")[1])
