# SPDX-License-Identifier: Apache-2.0
"""A virtual device: a folder with its disk (and its firmware's store), switched on as often as a scenario wants."""
import contextlib
import shutil

import factory
import guest
import uboot_states
from chains import CHAINS
from disk import Disk
from lab import LOGS, RUN, Failure, sparse_copy
from machine import Machine


class Device:
    """NAME is the folder's and the log's. boots: Machines so far, in order."""

    def __init__(self, name, chain, memory=None):
        self.name = name
        self.chain = CHAINS[chain]
        self.memory = memory or self.chain.memory
        self.folder = RUN / name
        self.log = LOGS / f"{name}.log"
        self.boots = []
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        LOGS.mkdir(parents=True, exist_ok=True)
        self.disk = None

    def factory(self, release, **options):
        """A disk as from the factory: slot a holds the release's image; options of Chain.make."""
        image = guest.image(guest.artifact(release))
        self.disk = self.chain.make(self.folder / "disk.img", image, **options)
        return self

    def shipped(self, *artifacts, **options):
        """A disk as from the factory, with the boot files and the backend that are shipped; options of factory.disk_image."""
        return self.copy_of(factory.disk_image(self.chain.board, *artifacts, **options))

    def store(self):
        """What the boot store says, read from outside."""
        return factory.store(self.disk, self.chain.board)

    def copy_of(self, image):
        """A disk that was made before, copied; images are never shared (QEMU locks them)."""
        sparse_copy(image, self.folder / "disk.img")
        self.disk = Disk(self.folder / "disk.img")
        return self

    @contextlib.contextmanager
    def on(self, job=None, after="poweroff", web=None, watchdog=None, record=None, extra=()):
        """Switch on; at the end of the block the power is cut, if the machine still runs.

        job: a shell script that the guest runs when its init is up, with `step` and `section` of guest.FUNCTIONS; then it does
        `after`: poweroff, reboot, or nothing (it goes on running). web: a Web the guest can reach. watchdog: what QEMU does when
        the i6300esb bites (reset, poweroff). record: a file for the log of all writes to the disk (blklogwrites)."""
        number = len(self.boots) + 1
        argv = [*self.chain.firmware(self.folder), "-accel", "tcg", "-m", str(self.memory), "-no-reboot", "-display", "none",
                "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                "-nic", web.nic() if web else "none",
                "-blockdev", self._blockdev(record), "-device", self.chain.disk_device()]
        if job is not None:
            for name, text in (("job", job), ("after", after)):
                (self.folder / name).write_text(text)
                argv += ["-fw_cfg", f"name=opt/twinroot/{name},file={self.folder / name}"]
        if watchdog:
            argv += ["-device", "i6300esb", "-action", f"watchdog={watchdog}"]
        with Machine([*argv, *extra], self.log, f"{self.name}, boot {number}") as m:
            self.boots.append(m)
            yield m

    def _blockdev(self, record):
        if not record:
            return f"driver=raw,node-name=disk,file.driver=file,file.filename={self.disk.path}"
        return uboot_states.recorded(self.disk.path, record, "disk")

    def run(self, job, status=0, ended="poweroff", limit=180, **options):
        """Switch on, run a job to its end, and wait for the machine to end as it should: the Machine."""
        with self.on(job, **options) as m:
            m.wait(r"^LAB (job-rc=|no job)", limit)
            how = m.finish(limit)
            if m.job_status() != status:
                raise Failure(f"boot {len(self.boots)}: the job ended with status {m.job_status()}, not {status}: {m.tail()}")
            if how != ended:
                raise Failure(f"boot {len(self.boots)}: the machine ended by {how}, not {ended}")
        return m

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
