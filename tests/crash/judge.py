# SPDX-License-Identifier: Apache-2.0
"""Is this disk a device that lives? First by parsers of this test's own, for every state; then, for chosen ones, by the
kernel's ext4, e2fsck and the installer itself."""
import collections
import errno
import hashlib
import os
import subprocess

import lab
from record import BROKEN
from stores import BLOCK, Record, plan

# What a slot is called in the record while its bytes must be those of the artifact named there.
WHOLE = ("complete", "good")
BOOTS_MAX = 8  # more in a row are a loop
View = collections.namedtuple("View", "plan record slots")


class Cheap:
    """What bootloader and record say of a Disk, and whether that is so."""

    def __init__(self, disk, world, blocks):
        self.disk, self.world, self.blocks = disk, world, blocks
        self.known = {}

    def memo(self, key, make):
        if key not in self.known:
            self.known[key] = make()
        return self.known[key]

    def holds(self, slot):
        """The version of the complete image that SLOT holds, or None."""
        name = "slot-" + slot
        def look():
            offset = lab.LAYOUT[name][0]
            return self.world.images.get(hashlib.sha256(self.disk.bytes[offset:offset + lab.IMAGE]).hexdigest())
        return self.memo((name, self.disk.version[name]), look)

    def plan(self):
        return self.memo(("boot", self.disk.version["boot"]),
                         lambda: plan(self.world.store.read(self.disk.part("boot"))))

    def record(self):
        one, two = (self.disk.bytes[at:at + BLOCK] for at in self.blocks) if self.blocks else (bytes(BLOCK),) * 2
        return self.memo((one, two), lambda: Record(one, two))

    def bad(self):
        """The slots that the bootloader's store calls bad."""
        return self.memo(("bad", self.disk.version["boot"]), lambda: (self.world.store.read(self.disk.part("boot")) or {}).get(
            "twinroot_bad", "none").replace("none", ""))

    def view(self, noise=False):
        """(View, [faults]). NOISE: it may have taken the newer block of the record; the older one does not know that a slot is being
        written, but the store, which was written before it, calls that slot bad, and the installer asks both."""
        todo, record, faults = self.plan(), self.record(), []
        if todo is None:
            return View(None, record, {}), ["no valid environment: the bootloader knows no slot"]
        slots = {slot: self.holds(slot) for slot in {todo[0], todo[2]} - {None}}
        faults += ["slot %s boots and holds no complete image" % slot for slot, image in slots.items() if not image]
        for slot, (content, digest) in record.slots.items():
            if content not in WHOLE or noise and slot in self.bad():
                continue
            image = self.holds(slot)
            if not image:
                faults.append("the record calls slot %s %s, and it holds no complete image" % (slot, content))
            elif int(digest, 16) and self.world.images.get(self.world.artifacts.get(digest)) != image:
                faults.append("the record and slot %s disagree: it holds version %s" % (slot, image))
        return View(todo, record, slots), faults


class Real:
    """Start a device from a disk: mount, status, finish what is under way, install the next, boot that."""

    def __init__(self, world, folder):
        self.world, self.folder, self.torn = world, folder, False
        os.makedirs(folder, exist_ok=True)

    def judge(self, disk, view, garbled=False, torn=False):
        """DISK is used up. TORN: some block of a filesystem is half old and half new. What had to be done, in words; raises lab.Failed."""
        self.torn = torn
        device = lab.Device(self.folder, disk, self.world.sources, self.world.store)
        try:
            return self.live(device, view, garbled)
        finally:
            device.close()

    def data(self, device, garbled):
        """Mount the data partition as an init script does: what a torn block or noise has destroyed is repaired, what noise has, made anew."""
        part = os.path.join(device.dev, "data")
        if not garbled:
            try:
                return device.mount_data() or "data mounted"
            except OSError as error:
                # ext4's checksum of a block that came half; its files must all be there nevertheless.
                if not self.torn or error.errno != errno.EBADMSG:
                    raise lab.Failed("the data partition does not mount: %s" % error) from error
        story = self.fsck(part)
        try:
            device.mount_data()
        except OSError as error:
            if not garbled:
                raise lab.Failed("the data partition does not mount, %s: %s" % (story, error)) from error
            subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", part], check=True)
            device.mount_data()
            story = "data made anew"
        return story

    @staticmethod
    def fsck(part):
        if subprocess.run(["e2fsck", "-p", part], capture_output=True, check=False).returncode < 4:
            return "data checked"
        subprocess.run(["e2fsck", "-fy", part], capture_output=True, check=False)
        return "data repaired"

    def live(self, device, view, garbled):
        slot = device.boot()
        story = [self.data(device, garbled)]
        try:
            story += self.use(device, slot, view, garbled)
        except lab.Failed as error:
            # ext4 finds the noise when it gets there, and notes it: the next start repairs it.
            if not garbled or error.status != 6:
                raise
            device.down()
            device.boot()
            story.append("I/O error, started again: " + self.data(device, garbled))
            story += self.use(device, device.running, None, garbled)
        device.down()
        check = subprocess.run(["e2fsck", "-fn", os.path.join(device.dev, "data")], capture_output=True, text=True, check=False)
        if check.returncode and not garbled:
            raise lab.Failed("e2fsck: " + check.stdout[-400:])
        return ", ".join(story)

    def use(self, device, slot, view, garbled):
        """status; finish what is under way; install the next, boot and commit it."""
        status = device.status()
        if view:
            self.compare(status, view, garbled)
        story = ["record " + status["state-record"]]
        if self.world.checks:
            story += self.check(device, garbled)
            if self.runs_broken(device):
                raise lab.Failed("a release that cannot be updated was kept")
        elif status["on-trial"]:
            device.run("commit", "-q")
            story.append("committed")
        target = "b" if device.running == "a" else "a"
        device.run("install", "-q", "/src/4.artifact")
        self.restart(device, garbled)
        if device.running != target:
            raise lab.Failed("after the next install slot %s boots, not %s" % (device.running, target))
        if self.world.checks:
            self.check(device, garbled)
        else:
            device.run("commit", "-q")
        status = device.status()
        if (status["running"], status["boot"]["default"], status["phase"]) != (target, target, "committed"):
            raise lab.Failed("the next install is not committed: %s" % status)
        return story

    @staticmethod
    def runs_broken(device):
        with open(os.path.join(device.root, "etc/os-release"), encoding="ascii") as file:
            return file.read().strip() == "IMAGE_VERSION=" + BROKEN

    def restart(self, device, garbled):
        device.down()
        device.boot()
        self.data(device, garbled)

    def check(self, device, garbled):
        """boot-check at every boot until it asks for no other; the device is at rest then."""
        boots = [device.running]
        while device.run("boot-check", "-q", "--no-reboot", may_fail=True)[0]:
            if len(boots) > BOOTS_MAX:
                raise lab.Failed("boot-check never comes to rest: %s" % "".join(boots))
            self.restart(device, garbled)
            boots.append(device.running)
        status = device.status()
        if status["on-trial"]:
            raise lab.Failed("boot-check left a trial: %s" % status)
        return ["boots " + "".join(boots), status["phase"]]

    @staticmethod
    def compare(status, view, garbled):
        if status["boot"]["default"] != view.plan[2] or (view.plan[0] and status["boot"]["trial"] != view.plan[0]):
            raise lab.Failed("status says %s, the bootloader %s" % (status["boot"], view.plan))
        if not garbled and (status["phase"], status["state-record"]) != (view.record.phase, view.record.health):
            raise lab.Failed("status says %s, record %s; the blocks say %s, %s"
                             % (status["phase"], status["state-record"], view.record.phase, view.record.health))


def export(disk_path, folder, view, number):
    """A disk for the virtual machines, and what they have to see."""
    path = os.path.join(folder, "%04d.img" % number)
    subprocess.run(["cp", "--sparse=always", disk_path, path], check=True)
    trial, left, default = view.plan
    return {"disk": os.path.basename(path), "boots": trial or default, "tries": left, "default": default,
            "slots": view.slots, "phase": view.record.phase}
