# SPDX-License-Identifier: Apache-2.0
"""What happens to a device, on each chain of firmware, bootloader and init, with the boot files that are shipped: disks of `factory`.

One device lives through many things, each of them begun by the version that the one before has left, so that few boots are
for nothing. After every power-on the boot store is read from outside, and the state record is asked within."""
import contextlib
import json
import re
import tempfile

import factory
from disk import ext4_image
from factory import Boot, release
from lab import MIB, Failure
from scenario import scenario, status
from web import Web

STATUS = "section status artifact-install status --json; section log cat /data/twinroot/log\n"
FAILS = {"etc/twinroot/checks.d/50-fail": "#!/bin/sh\necho the pump does not answer\nexit 1\n"}
STOPS = {"etc/twinroot/checks.d/50-stop": "#!/bin/sh\necho LAB boot-check is stopped\nkill -STOP $PPID\nsleep 1000\n"}
# One that boot-check waits for until the test says so.
WAITS = {"etc/twinroot/checks.d/50-wait": "#!/bin/sh\n[ ! -f /data/hold ] || { echo 'LAB check waits' >/dev/console; exit 75; }\n"}
SERVER = {"usr/bin/reached": "#!/bin/sh\necho \"LAB remote asked\" >/dev/console\n[ -f /data/reached ]\n"}
EXITS = {"usr/sbin/init": "#!/bin/sh\nexit 1\n"}
NO_KEYS = {"etc/twinroot/keys.d/lab.pub.pem": None, "etc/twinroot/keys.d/.keep": ""}
GARBLED = {"etc/twinroot/install.conf": "this is not a configuration\n"}
# What the boot store says when slot b is on trial, and when it has been given up; and what status says then.
ARMED = {"default": "a", "trial": "b", "left": 2, "bad": "none"}
BACK = {"default": "a", "trial": "none", "bad": "b"}
GONE = {"running": "a", "default": "a", "phase": "rolled-back", "bad_b": True, "version": "1", "trial": "none"}


class Life:
    """A device with a web server of artifacts, and the words of these scenarios."""

    def __init__(self, c, web, old, fill, **options):
        self.c, self.web, self.device = c, web, c.device
        self.virt = c.board == "virt"
        self.made = 0
        self.record, self.recorded = None, []   # a folder for logs of all writes, if they are to be kept: [(what they are of, log)]
        # The other slot is filled from the start too, so that installs write little; the tests tell the slots by their versions.
        file = factory.artifact(old, Boot() if self.virt else None)
        self.device.shipped(file, file if fill else None, **options)

    def release(self, version, files=None, **options):
        return release(self.c.board, version, files, **options)

    def url(self, what, boot=None):
        self.made += 1
        return self.web.offer(factory.artifact(what, (boot or Boot()) if self.virt else None), f"{self.made}.artifact")

    def on(self, job=None, watchdog=None, **options):
        return self.device.on(job, web=self.web, watchdog=watchdog or ("reset" if self.virt else None), **options)

    def log_for(self, what):
        """Where the writes of the next power-on are logged, if they are."""
        if self.record:
            self.recorded.append((what, self.record / f"{len(self.recorded)}.log"))
        return self.recorded[-1][1] if self.record else None

    def job(self, what, job, ended="poweroff", first="", limit=600, **due):
        """Boot, let boot-check end, run a job to its end; then what is due of status: the Machine."""
        m = self.device.run(f"{first}checked || exit 99\n{job}", web=self.web, limit=limit, ended=ended,
                            after="poweroff" if ended == "poweroff" else "reboot",
                            watchdog="reset" if self.virt else None, record=self.log_for(what))
        self.c.timing(m, what)
        self.judge(what, m, **due)
        return m

    def reboots(self, what, job=None, limit=600, **due):
        """Boot; the guest restarts by itself (an install --reboot, a trial given up, a panic)."""
        with self.on(job, after="nothing", record=self.log_for(what)) as m:
            m.finish(limit)
        self.c.say(f"{what}: {m.ended} after {m.seconds():.1f} s ({m.cpu:.1f} s of processor)")
        self.c.expect(f"{what}: the machine's end", m.ended, "reboot")
        self.judge(what, m, **due)
        return m

    def install(self, what, url, now="true", **due):
        """Boot, look at what was left (as `status` and `log`), install and reboot."""
        m = self.reboots(what, f"checked || exit 99\n{STATUS}{now} && artifact-install install -q --reboot {url} || "
                               "echo LAB install failed\n", **due)
        if "LAB install failed" in m.text:
            raise Failure(f"{what}: the install failed: {m.tail()}")
        return m

    def judge(self, what, m, store=None, **due):
        """due: what status says (phase, reason, running, default, version, content_a ...); store: the boot store afterwards."""
        if due:
            found = status(m)
            have = {"phase": found["phase"], "reason": found["reason"], "running": found["running"],
                    "record": found["state-record"], "caution": found["boot"].get("caution"),
                    "default": found["boot"]["default"], "trial": found["boot"]["trial"],
                    "version": found["slots"][found["running"]].get("version"),
                    **{f"content_{s}": found["slots"][s]["content"] for s in "ab"},
                    **{f"bad_{s}": found["slots"][s]["bad"] for s in "ab"}}
            for name, value in due.items():
                self.c.expect(f"{what}: {name}", have[name], value)
        for name, value in (store or {}).items():
            have = self.device.store() or {}
            self.c.expect(f"{what}: {name} in the boot store", have.get(name), value)

    def slot(self, what, m, slot, trial):
        """Which slot the boot chain started, as the kernel's command line and the mounted partition say."""
        match = m.wait(r"LAB userspace .*root=vda(\d+) .*?(twinroot\.slot=.*?)\r?$", 1)
        self.c.expect(f"{what}: the root partition", int(match[1]), self.device.disk.number(f"root-{slot}"))
        words = match[2].split()
        self.c.expect(f"{what}: the slot on the command line", words[0], f"twinroot.slot={slot}")
        self.c.expect(f"{what}: on trial", "twinroot.trial=1" in words, trial)

    def comes_to_nothing(self, what):
        """Both tries of slot b end before its user space."""
        for left in (1, 0):
            m = self.reboots(f"{what}, {left} left", store={**ARMED, "left": left})
            if "LAB userspace" in m.text:
                raise Failure(f"{what}: it came up")

    def loaded(self, what, m, boot):
        """U-Boot has loaded this very payload `boot`: its initramfs has a length of its own."""
        if self.virt and f"{len(boot.initrd())} bytes read" not in m.text:
            raise Failure(f"{what}: U-Boot did not load the initramfs of that slot's boot partition")


@contextlib.contextmanager
def life(c, old, fill=True, **options):
    with tempfile.TemporaryDirectory() as folder, Web(folder) as web:
        yield Life(c, web, old, fill, **options)


@scenario("virt-uboot", "x86-bios-grub", "x86-uefi-grub", full=("x86-uefi-grub",))
def both_slots(c):
    """Install over http, trial, commit, in both directions; kernel and rootfs together; back by hand."""
    second = Boot(padding=4096)
    with life(c, release(c.board, "1")) as d:
        d.install("install on b", d.url(d.release("2"), second), running="a", phase="committed", default="a",
                  content_b="good", store={"default": "a", "trial": "b", "left": 2, "bad": "none"})
        m = d.job("trial of b", STATUS, "poweroff", running="b", phase="committed", default="b", trial="none", version="2",
                  content_b="good", store={"default": "b", "trial": "none", "bad": "none"})
        d.slot("trial of b", m, "b", True)
        d.loaded("trial of b", m, second)
        m = d.install("b again, install on a", d.url(d.release("3")), running="b", phase="committed", default="b", version="2",
                      caution=None, store={"default": "b", "trial": "a", "left": 2})
        d.slot("b again", m, "b", False)
        m = d.job("trial of a, back by hand", STATUS + "artifact-install rollback\n", "reboot",
                  running="a", phase="committed", default="a", version="3", store={"default": "a", "trial": "b", "left": 2})
        d.slot("trial of a", m, "a", True)
        d.loaded("trial of a", m, Boot())
        m = d.job("b once more", STATUS, running="b", phase="committed", default="b", version="2", content_a="good",
                  store={"default": "b", "trial": "none", "bad": "none"})
        d.slot("b once more", m, "b", True)
        d.loaded("b once more", m, second)


def _logged(what, m, text):
    """The deployment log, which outlives the slots, says so."""
    log = m.sections()["log"][1]
    if text not in log:
        raise Failure(f"{what}: the log does not say '{text}': {log[-2000:]}")


@scenario("virt-uboot", "x86-bios-grub", "x86-uefi-grub", full=("x86-bios-grub", "x86-uefi-grub"))
def failing_check(c):
    """A release whose check fails goes back with the reason, and the old slot takes the next one."""
    with life(c, release(c.board, "1")) as d:
        d.install("install", d.url(d.release("2", FAILS)), running="a", store=ARMED)
        m = d.reboots("check fails", store=BACK)
        d.slot("check fails", m, "b", True)
        m = d.install("after it", d.url(d.release("6")), reason="check-failed: 50-fail", content_b="bad", store=ARMED, **GONE)
        _logged("check fails", m, "the pump does not answer")
        d.job("a good one", STATUS, running="b", phase="committed", version="6", reason="", content_a="good",
              store={"default": "b", "trial": "none", "bad": "none"})


@scenario("virt-uboot", "x86-bios-grub", "x86-uefi-grub", full=("x86-bios-grub", "x86-uefi-grub"))
def cannot_update(c):
    """Releases that run, but could not install the next one: wrong keys, wrong names of partitions, no configuration at all."""
    with life(c, release(c.board, "1")) as d:
        d.install("install", d.url(d.release("3", NO_KEYS)), running="a", store=ARMED)
        d.reboots("no keys", store=BACK)
        d.install("after no keys", d.url(d.release("4", roots="wrong")), reason="cannot-update: keys", store=ARMED, **GONE)
        m = d.reboots("wrong partitions", store=BACK)
        d.slot("wrong partitions", m, "b", True)
        d.install("after wrong partitions", d.url(d.release("5", GARBLED)), reason="cannot-update: configuration", store=ARMED, **GONE)
        d.reboots("no configuration", store={**ARMED, "left": 1})
        m = d.reboots("no configuration, again", store={**ARMED, "left": 0})
        d.slot("no configuration, again", m, "b", True)
        d.job("at the end", STATUS, reason="tries-used-up", content_b="bad", store=BACK, **GONE)


@scenario("virt-uboot", "x86-bios-grub", "x86-uefi-grub", full=("x86-uefi-grub",))
def broken_kernel(c):
    """No kernel, then a garbled one: the bootloader counts the tries, and the old slot says why it runs again."""
    with life(c, release(c.board, "1")) as d:
        d.install("install", d.url(d.release("2", {} if d.virt else {"boot/kernel": None}), Boot(kernel="missing")), running="a",
                  store=ARMED)
        d.comes_to_nothing("no kernel")
        d.install("after no kernel", d.url(d.release("3", {} if d.virt else {"boot/kernel": bytes(4096)}), Boot(kernel="broken")),
                  reason="tries-used-up", store=ARMED, **GONE)
        d.comes_to_nothing("garbled kernel")
        d.job("at the end", STATUS, reason="tries-used-up", content_b="bad", store=BACK, **GONE)


@scenario("virt-uboot", "x86-bios-grub", "x86-uefi-grub", full=("x86-bios-grub", "x86-uefi-grub"))
def broken_init(c):
    """An init that ends at once, which panics the kernel; and on `virt` a boot-check that is stopped, which only the watchdog ends."""
    with life(c, release(c.board, "1")) as d:
        d.install("install", d.url(d.release("2", EXITS)), running="a", store=ARMED)
        d.comes_to_nothing("init ends")
        if d.virt:
            d.install("after init", d.url(d.release("3", STOPS, watchdog_timeout=20)), reason="tries-used-up", store=ARMED, **GONE)
            for left in (1, 0):
                m = d.reboots(f"watchdog, {left} left", store={**ARMED, "left": left})
                c.expect("the watchdog bit", m.watchdog, True)
        d.job("at the end", STATUS, reason="tries-used-up", content_b="bad", store=BACK, **GONE)


@scenario("virt-uboot", "x86-bios-grub", "x86-uefi-grub", full=("virt-uboot", "x86-bios-grub", "x86-uefi-grub"))
def power_cuts(c):
    """The power fails in an install, between arming and the first boot, in the trial before it has passed, and when it is healthy and
    waits for its server; then the data partition is lost. Nothing of it costs the device a complete slot."""
    files = {**WAITS, **SERVER}
    with life(c, release(c.board, "1"), fill=False) as d:
        artifact = factory.artifact(d.release("2", files, remote="prefer", remote_program="/usr/bin/reached"),
                                    Boot(padding=8192) if d.virt else None)
        url = d.web.offer(artifact, "2.artifact")
        # What a cut leaves of the writes is the kernel's affair; with somebody who calls sync, it is some of them.
        with d.on(f"checked || exit 99\n(while :; do sync; sleep 0.2; done) &\ntouch /data/hold\n"
                  f"artifact-install install --progress=json {url}", after="nothing") as m:
            m.wait(r'"done":[2-9]\d{7}', 600)
            m.cut()
        d.judge("cut in the install", m, store={"default": "a", "trial": "none", "bad": "b"})
        with d.on(f"checked || exit 99\n{STATUS}section install artifact-install install -q --json {url}\nsync; echo LAB armed",
                  after="nothing") as m:
            m.wait("^LAB armed", 600)
            m.cut()
        d.judge("resumed", m, running="a", phase="failed", reason="interrupted", bad_b=True, content_b="partial",
                store={"default": "a", "trial": "b", "left": 2, "bad": "none"})
        done = json.loads(m.sections()["install"][1])
        c.say(f"the second install: {done}; the artifact has {artifact.stat().st_size} bytes")
        if done["same"] < 4 * MIB or done["fetched"] > artifact.stat().st_size - 2 * MIB:
            raise Failure(f"resumed: what the cut left was not used: {done}")
        with d.on() as m:
            m.wait("^LAB check waits", 600)
            d.slot("first boot", m, "b", True)
            m.cut()
        d.judge("cut on trial", m, store={"default": "a", "trial": "b", "left": 1})
        with d.on("rm /data/hold; sync", after="nothing") as m:
            m.wait("^LAB remote asked", 600)
            m.cut()
        # Its tries are full again, though this boot has used the last one.
        d.judge("cut while healthy", m, store={"default": "a", "trial": "b", "left": 2})
        d.job("healthy again", STATUS, first="touch /data/reached; ", running="b", phase="committed", reason="", version="2",
              store={"default": "b", "trial": "none", "bad": "none"})
        d.device.disk.write("data", 0, bytes(factory.DATA_SIZE))
        m = c.device.run("checked", status=6, limit=600)
        d.slot("no data partition", m, "b", False)
        d.judge("no data partition", m, store={"default": "b", "trial": "none", "bad": "none"})
        ext4_image(c.device.folder / "data", factory.DATA_SIZE, "data", {})
        d.device.disk.fill("data", c.device.folder / "data")
        m = d.install("data lost", d.url(d.release("3")), running="b", default="b", trial="none", bad_a=False, record="new",
                      store={"default": "b", "trial": "a", "left": 2})
        d.slot("data lost", m, "b", False)
        wipe = "dd if=/dev/urandom of=/data/twinroot/state bs=4096 count=1025 conv=notrunc 2>/dev/null && sync\n"
        d.job("data lost, next install", STATUS + wipe, running="a", phase="committed", version="3", default="a",
              store={"default": "a", "trial": "none", "bad": "none"})
        m = d.job("record lost", STATUS, running="a", default="a", trial="none", record="lost", bad_a=False,
                  store={"default": "a", "trial": "none", "bad": "none"})
        _logged("record lost", m, '"event":"state-lost"')



@scenario("virt-uboot")
def small_memory(c):
    """A whole slot is installed over http in the memory that DESIGN 10 promises, without swap, and its trial runs in it. U-Boot and
    Debian's kernel of 33 MB do not fit into 64 MiB, so the machine has 128 and Linux is told to use 64; that kernel leaves 37."""
    c.device.memory = 128
    with life(c, release(c.board, "1"), fill=False, arguments="mem=64M") as d:
        m = d.install("install on an empty slot", d.url(d.release("2"), Boot()), now="cat /proc/meminfo", running="a", content_b="unknown",
                      store={"default": "a", "trial": "b", "left": 2})
        memory = {name: int(kib) for name, kib in re.findall(r"^(\w+): +(\d+) kB", m.text, re.M)}
        c.say(f"MemTotal {memory['MemTotal']} KiB, MemAvailable {memory['MemAvailable']} KiB")
        if memory["MemTotal"] > 64 << 10 or memory["SwapTotal"]:
            raise Failure(f"this is no 64 MiB machine: {memory}")
        d.job("trial", STATUS, running="b", phase="committed", version="2")
