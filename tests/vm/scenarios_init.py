# SPDX-License-Identifier: Apache-2.0
"""boot-check started by each init for real, with the files of installer/init. Without a bootloader: the kernel is QEMU's own,
the boot store is that of backend `script`, and the disk is as an install and the first boot of slot b leave it."""
import pathlib
import shutil
import tempfile

import guest
import initramfs
import inits
from chains import CHAINS, Chain, data_files
from disk import Part, ext4_image, make_disk
from lab import KEYS, MIB, OUT, Failure, run
from scenario import scenario, status


class Direct(Chain):
    """QEMU loads kernel and initramfs."""

    def firmware(self, folder):
        return ["qemu-system-x86_64", "-M", "q35", "-kernel", str(initramfs.kernel(self.board)[0]),
                "-initrd", str(initramfs.build(self.board)),
                "-append", f"root=PARTLABEL=root-b console={self.console} quiet panic=1 no_timer_check"]


CHAINS["x86"] = Direct("x86", "x86", "ttyS0")

# Passes when the init says that the boot is over: one that waits for boot-check never says so.
CHECK = """#!/bin/sh
{over} || exit 75
echo "LAB check pass=$TWINROOT_PASS slot=$TWINROOT_SLOT" >/dev/console
[ ! -e /etc/lab-broken ]
"""
REBOOTING = "#!/bin/sh\necho \"LAB going back: $(tr '\\n' ' ' </data/boot/boot.state)\" >/dev/console\n"

JOB = """
touch /run/lab-job
i=0
until {ended} || [ $i = 900 ]; do i=$((i + 1)); sleep 1; done
section again {again}
section ended {status}
section log cat /data/twinroot/log
section output {output}
section status artifact-install status --json
"""
ONCE = f"/{inits.ONCE}"
WORDS = {
    "systemd": {"over": "systemctl -q is-active multi-user.target",
                "ended": "! systemctl is-active twinroot-boot-check | grep activating", "again": "systemctl start twinroot-boot-check",
                "status": "systemctl status --no-pager twinroot-boot-check",
                "output": "journalctl --no-pager -u twinroot-boot-check"},
    # What stands for a getty in its inittab.
    "sysv": {"over": "[ -e /run/lab-getty ]", "again": "/etc/init.d/twinroot-boot-check start", "status": "/etc/init.d/twinroot-boot-check status"},
    "openrc": {"over": "[ ! -e /run/openrc/rc.starting ]", "again": f"{ONCE} start", "status": "rc-service twinroot-boot-check status"},
    "busybox": {"over": "[ -e /run/lab-job ]", "again": "/etc/init.d/S99twinroot-boot-check start", "status": "/etc/init.d/S99twinroot-boot-check status"},
}


def words(init):
    return {"ended": f"{ONCE} status | grep -q ended", "output": "sh -c 'cat /run/twinroot-boot-check.*/log'", **WORDS[init]}


def release(init, broken=False):
    files = {"etc/twinroot/checks.d/ready": CHECK.format(**words(init)), "etc/twinroot/hooks.d/pre-reboot": REBOOTING, **inits.FILES[init]()}
    if broken:
        files["etc/lab-broken"] = ""
    return guest.Release("x86", "2", files=files, conf=guest.device_conf(checks="settle = 1\ndeadline = 900\n"))


def on_trial(device, of):
    """Install it beside slot a with the real installer, then do what a bootloader does when it starts a trial."""
    file = guest.artifact(of)
    installer = OUT / "installer/amd64/usr/sbin/artifact-install"
    with tempfile.TemporaryDirectory(dir=OUT) as t:
        t = pathlib.Path(t)
        shutil.copytree(KEYS / "trust", t / "keys")
        (t / "state").mkdir()
        (t / "boot").mkdir()
        shutil.copy(data_files()["boot/file.sh"], t / "boot")
        for slot in "ab":
            with open(t / slot, "wb") as f:
                f.truncate(guest.SLOT_SIZE)
        (t / "conf").write_text(f"[device]\ntype = {guest.TYPE}\n[slot.a]\nrootfs = {t}/a\n[slot.b]\nrootfs = {t}/b\n"
                                f"[boot]\nbackend = script\nscript = {t}/boot/file.sh\n[trust]\nkeys = {t}/keys\n[state]\ndirectory = {t}/state\n")
        run(installer, "-c", t / "conf", "install", "-q", file)
        store = t / "boot/boot.state"
        text = store.read_text()
        if "trial=b\nleft=3\n" not in text:
            raise Failure(f"the installer has not armed slot b: {text}")
        store.write_text(text.replace("booted=a", "booted=b").replace("left=3", "left=2"))
        files = {"boot/boot.state": store, **data_files()}
        files.update({f"twinroot/{p.relative_to(t / 'state')}": p for p in (t / "state").rglob("*") if p.is_file()})
        ext4_image(t / "data", 32 * MIB, "data", files)
        device.disk = make_disk(device.folder / "disk.img", [
            Part("root-a", guest.SLOT_SIZE), Part("root-b", guest.SLOT_SIZE, content=t / "b"), Part("data", 32 * MIB, content=t / "data")])


def commits(c, init):
    """boot-check holds nobody up, runs once, commits, and its end can be asked for."""
    on_trial(c.device, release(init))
    m = c.device.run(JOB.format(**words(init)), limit=900)
    c.timing(m, init)
    found, sections = status(m), m.sections()
    c.expect("slot that runs", found["running"], "b")
    c.expect("phase", found["phase"], "committed")
    c.expect("default", found["boot"]["default"], "b")
    c.expect("status of a second start", sections["again"][0], 0)
    c.expect("passes of the check", [p for p in ("1", "2") for _ in range(m.text.count(f"LAB check pass={p} slot=b"))], ["1", "2"])
    c.expect("boot-check in the log", sections["log"][1].count('"event":"boot-check"'), 1)
    c.expect(f"status of boot-check ({sections['ended'][1].strip()})", sections["ended"][0], 0)
    if "committed" not in sections["output"][1]:
        raise Failure(f"the output of boot-check was lost: {sections['output']}")
    return m


def goes_back(c, init):
    """A check fails: the guest reboots by itself, the store having been told."""
    on_trial(c.device, release(init, broken=True))
    with c.device.on("touch /run/lab-job; sleep 3600", after="nothing") as m:
        m.wait("LAB check pass=1", 900)
        told = m.wait(r"LAB going back: default=a \S+ trial=none left=0 bad=b ", 300)
        m.wait("LAB service stopped", 300, told.end())
        how = m.finish(600)
    c.expect("end of the machine", how, "reboot")
    if "LAB check pass=2" in m.text or m.text.count("LAB check pass=1") != 1:
        raise Failure("boot-check has gone on, or was started again, after it had given the slot up")


@scenario("x86")
def init_systemd(c):
    m = commits(c, "systemd")
    if m.text.index("LAB after the commit") < m.text.index("LAB check pass=2"):
        raise Failure("the unit that waits for the commit did not")


@scenario("x86")
def init_busybox(c):
    commits(c, "busybox")


@scenario("x86")
def init_sysv(c):
    commits(c, "sysv")


@scenario("x86")
def init_openrc(c):
    commits(c, "openrc")


@scenario("x86")
def init_systemd_goes_back(c):
    goes_back(c, "systemd")


# As local-fs.target does where a filesystem of fstab is broken: boot-check is never started.
BROKEN_MOUNT = """[Unit]
DefaultDependencies=no
After=lab-data.service
Before=sysinit.target
OnFailure=emergency.target
OnFailureJobMode=replace-irreversibly
[Service]
Type=oneshot
ExecStart=/bin/false
"""


@scenario("x86")
def init_systemd_emergency(c):
    """A trial that ends in emergency mode is given up; a slot that is no trial keeps its shell."""
    of = release("systemd")
    of.files.update({"usr/lib/systemd/system/lab-broken.service": BROKEN_MOUNT,
                     "etc/systemd/system/sysinit.target.requires/lab-broken.service": "-> /usr/lib/systemd/system/lab-broken.service"})
    on_trial(c.device, of)
    with c.device.on("sleep 3600", after="nothing") as m:
        m.wait(r"LAB going back: default=a \S+ trial=none left=0 bad=b ", 300)
        how = m.finish(600)
    c.expect("end of the machine", how, "reboot")
    if "LAB check pass=" in m.text:
        raise Failure("boot-check has run: this was no emergency")


@scenario("x86", full=("x86",))
def init_sysv_goes_back(c):
    goes_back(c, "sysv")


@scenario("x86", full=("x86",))
def init_openrc_goes_back(c):
    goes_back(c, "openrc")


@scenario("x86", full=("x86",))
def init_busybox_goes_back(c):
    goes_back(c, "busybox")
