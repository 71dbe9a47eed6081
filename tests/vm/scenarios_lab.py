# SPDX-License-Identifier: Apache-2.0
"""The laboratory itself: a disk made of an artifact boots, and the real installer works in it."""
import tempfile

import guest
from lab import Failure
from scenario import scenario, status
from web import Web

ALL = ("virt-uboot", "x86-bios-grub", "x86-uefi-grub")


# What the chains with the shipped boot files show too is left to --full.
@scenario(*ALL, full=("virt-uboot", "x86-bios-grub"))
def install_over_http(c):
    """Version 1 boots from slot a, is adopted, and installs version 2 over http onto slot b, over many connections."""
    old, new = (guest.Release(c.board, v) for v in ("1", "2"))
    c.device.factory(old)
    with tempfile.TemporaryDirectory() as folder, Web(folder) as web:
        first = web.offer(guest.artifact(old), "old.artifact")
        second = web.offer(guest.artifact(new), "new.artifact")
        m = c.device.run(f"""
            step status artifact-install status &&
            step adopt artifact-install adopt {first} &&
            step install artifact-install install -q {second} &&
            step wget sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do wget -q -O /dev/null {first} || exit 1; done' &&
            section status artifact-install status --json
            """, web=web, limit=900)
        c.say(f"{len(web.requests())} requests")
    c.timing(m, "boot 1")
    found = status(m)
    c.expect("phase", found["phase"], "installed")
    c.expect("content of slot b", found["slots"]["b"]["content"], "complete")
    image = guest.image(guest.artifact(new)).read_bytes()
    if c.device.disk.read("root-b", 0, len(image)) != image:
        raise Failure("slot b is not version 2's image")


@scenario("virt-uboot")
def power_cut_and_watchdog(c):
    """The harness's own means: a cut is a kill, a reboot ends a boot, the watchdog bites a guest that does not feed it."""
    c.device.factory(guest.Release(c.board, "1"))
    with c.device.on("echo up; sleep 1000") as m:
        m.wait("^up")
        m.cut()
    c.expect("end of the first boot", m.ended, "killed")
    c.expect("watchdog", m.watchdog, False)
    c.device.run("true", after="reboot", ended="reboot")
    with c.device.on("watchdog -T 5 -t 1000 -F /dev/watchdog & echo armed", after="nothing", watchdog="reset") as m:
        m.finish()
    c.expect("end of the third boot", m.ended, "reboot")
    c.expect("watchdog", m.watchdog, True)
