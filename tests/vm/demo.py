#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""demo.py: the life of a device in front of one's eyes: quickstart's last step. A factory disk with version 1 boots through real
GRUB, installs version 2 over http, tries it and keeps it; then it gets version 3, which has a broken service, and comes back
by itself. Shows the console's lines that matter; the whole console is in out/vm/log/demo.log."""
import pathlib
import re
import sys
import tempfile

import factory
import guest
from device import Device
from lab import BUILD, DEB, LOGS, OUT, TOP, Failure, run
from scenario import status
from web import Web

CHAIN = "x86-bios-grub"
BROKEN = {"etc/twinroot/checks.d/50-pump": "#!/bin/sh\necho the pump does not answer\nexit 1\n"}
# What a person wants to see of a console; the rest is in the log.
WORTH = re.compile(r"^(twinroot: .*|artifact-install: .*|slot [ab] .*|.* is on slot .*|read of the source.*|the pump .*|Linux version .*|"
                   r".*reboot: .*|The system is going down.*|LAB userspace.*|LAB boot-check.*)$")


class Demo:
    def __init__(self, device, web):
        self.device, self.web = device, web

    def boot(self, text, job=None):
        """One power-on, from the firmware to its end; a guest that reboots is started again by the caller."""
        print(f"\n   -- power on {len(self.device.boots) + 1}: {text}", flush=True)
        with self.device.on(job, after="nothing", web=self.web) as m:
            m.finish(900)
        for line in m.text.replace("\r", "").split("\n"):
            line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).strip()
            if WORTH.match(line):
                print(f"   | {line[:150]}", flush=True)
        print(f"   -- {'the machine reboots' if m.ended == 'reboot' else 'power off'} after {m.seconds():.0f} s", flush=True)
        return m

    def ask(self, text):
        m = self.boot(text, "checked\nsection status artifact-install status --json; artifact-install status; poweroff\n")
        print("\n".join(f"   | {line}" for line in m.text.replace("\r", "").split("LAB end=status")[1].split("\n")[1:]
                        if re.match(r"(device|state|boot|slot|security)", line)), flush=True)
        return status(m)


def prepare():
    """Only what this chain needs, so that a fresh machine is not kept waiting."""
    for folder in (OUT, LOGS):
        folder.mkdir(parents=True, exist_ok=True)
    run(TOP / "tests/vm/fetch.sh", DEB, "amd64")
    run("make", "-s", "-C", BUILD, "mkartifact/mkartifact", "artifact-inspect")


def due(what, have, value):
    if have != value:
        raise Failure(f"{what} is {have!r}, not {value!r}")


def main():
    prepare()
    board = "x86"
    first = factory.artifact(factory.release(board, "1"))
    device = Device("demo", CHAIN).shipped(first, first)
    with tempfile.TemporaryDirectory() as folder, Web(folder) as web:
        demo = Demo(device, web)
        install = "checked || exit 1\nartifact-install install --progress=none --reboot {} || poweroff\n"
        second = web.offer(factory.artifact(factory.release(board, "2")), "2.artifact")
        third = web.offer(factory.artifact(factory.release(board, "3", BROKEN)), "3.artifact")
        due("the end of the first boot", demo.boot("version 1 runs, and installs version 2 over http", install.format(second)).ended, "reboot")
        found = demo.ask("the trial of version 2: boot-check commits it")
        due("the phase", (found["phase"], found["running"], found["boot"]["default"]), ("committed", "b", "b"))
        due("the end of the third boot", demo.boot("version 2 installs version 3, which is broken", install.format(third)).ended, "reboot")
        due("the end of the trial", demo.boot("the trial of version 3: its check fails, and it gives itself up").ended, "reboot")
        found = demo.ask("back on version 2")
        due("the phase", (found["phase"], found["running"], found["reason"]), ("rolled-back", "b", "check-failed: 50-pump"))
        due("the version", found["slots"]["b"]["version"], "2")
    device.remove()
    print(f"\n   The whole console: {pathlib.Path(device.log).relative_to(TOP)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as e:
        print(f"demo: {e}", file=sys.stderr)
        sys.exit(1)
