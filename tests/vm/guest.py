# SPDX-License-Identifier: Apache-2.0
"""The root filesystems of the guests: a static busybox, a real init, the real artifact-install with what it links, kernel and
initramfs in /boot; then an artifact of it. A Release says what is in one; equal ones are made once.

In the guest, /usr/lib/lab/job runs the job of this power-on (see machine.py) when the init has come up."""
import dataclasses
import functools
import pathlib
import shutil
import stat
import tempfile

import elf
import initramfs
from lab import BUILD, DEB, KEYS, MIB, OUT, TOP, Failure, digest, made_once, run

TYPE = "lab"            # device type of every guest
KERNEL, INITRD = "boot/kernel", "boot/initrd"
SLOT_SIZE = 96 * MIB
ADDRESS, SERVER = "10.0.2.15", "10.0.2.100"

MULTIARCH = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}

SYSINIT = f"""#!/bin/sh
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
ifconfig lo 127.0.0.1 2>/dev/null
ifconfig eth0 {ADDRESS} netmask 255.255.255.0 2>/dev/null
data=$(findpart PARTLABEL=data) && mount -t ext4 -o noatime "$data" /data || echo "LAB no data partition"
exit 0
"""

JOB = r"""#!/bin/sh
exec </dev/null >/dev/console 2>&1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
. /usr/lib/lab/functions
given=/sys/firmware/qemu_fw_cfg/by_name/opt/twinroot
echo "LAB userspace version=$(. /etc/os-release; echo $IMAGE_VERSION) root=$(root_device) uptime=$(cut -d' ' -f1 /proc/uptime)" \
	$(grep -o 'twinroot\.[a-z]*=[^ ]*' /proc/cmdline)
[ -f $given/job/raw ] || { echo "LAB no job"; exit 0; }
cat $given/job/raw >/run/job
sh -c '. /usr/lib/lab/functions; . /run/job'
echo "LAB job-rc=$?"
# By path: busybox's shell has applets of these names, which only busybox's init understands.
case $(cat $given/after/raw) in
poweroff) /sbin/poweroff ;;
reboot) /sbin/reboot ;;
esac
"""

FUNCTIONS = r"""# For jobs.
checked() { # wait until boot-check has ended (factory.py), its status
	until [ -f /run/checked ]; do sleep 0.1; done
	return "$(cat /run/checked)"
}
root_device() { # the device that / is on
	d=$(mountpoint -d / 2>/dev/null || stat -c %d /)
	case $d in *:*) ;; *) d=$((d >> 8 & 0xfff)):$((d & 0xff)) ;; esac
	sed -n 's/^DEVNAME=//p' "/sys/dev/block/$d/uevent"
}
step() { # NAME COMMAND...: run it, print what it prints, its status and seconds
	step_name=$1
	shift
	step_start=$(cut -d' ' -f1 /proc/uptime)
	step_rc=0
	"$@" || step_rc=$?
	echo "LAB step=$step_name rc=$step_rc from=$step_start to=$(cut -d' ' -f1 /proc/uptime)"
	return $step_rc
}
section() { # NAME COMMAND...: its standard output, for the harness to read back
	section_name=$1
	section_rc=0
	shift
	"$@" >/run/section || section_rc=$?
	echo "LAB begin=$section_name"
	cat /run/section
	echo "LAB end=$section_name rc=$section_rc"
	return $section_rc
}
"""

# What each init needs to run SYSINIT and JOB; {path: text}, links as "-> target".
INITS = {
    "busybox": {
        "usr/sbin/init": "-> ../bin/busybox",
        "etc/inittab": "::sysinit:/etc/init.d/rcS\n::once:/usr/lib/lab/job\n::ctrlaltdel:/sbin/reboot\n"
                       "::shutdown:/bin/umount -a -r\n",
        "etc/init.d/rcS": SYSINIT,
    },
}


def device_conf(backend="script", checks=""):
    """An install.conf for the laboratory's disks."""
    boot = {"script": "script = /data/boot/file.sh", "uboot": "environment = /etc/fw_env.config"}.get(backend, "")
    return (f"[device]\ntype = {TYPE}\n"
            "[slot.a]\nrootfs = PARTLABEL=root-a\n[slot.b]\nrootfs = PARTLABEL=root-b\n"
            f"[boot]\nbackend = {backend}\n{boot}\n"
            "[trust]\nkeys = /etc/twinroot/keys.d\n[state]\ndirectory = /data/twinroot\n"
            + (f"[checks]\n{checks}\n" if checks else ""))


@dataclasses.dataclass
class Release:
    """One version of a guest's software. files: path in the guest -> text, bytes, a file of the host (pathlib.Path), or None to
    leave out what would be there; text that begins with "#!" becomes executable, "-> TARGET" a symbolic link."""
    board: str                     # of initramfs.BOARDS
    version: str
    init: str = "busybox"
    conf: str = dataclasses.field(default_factory=device_conf)
    files: dict = dataclasses.field(default_factory=dict)
    fs: str = "ext4"

    @property
    def arch(self):
        return initramfs.BOARDS[self.board].arch


@functools.lru_cache(None)
def signing_key():
    """The laboratory's key; its public half alone is in KEYS/trust."""
    key = KEYS / "lab.pem"
    if not key.exists():
        (KEYS / "trust").mkdir(parents=True, exist_ok=True)
        run(BUILD / "mkartifact/mkartifact", "keygen", "-o", key)
        shutil.copy(KEYS / "lab.pub.pem", KEYS / "trust")
    return key


@functools.lru_cache(None)
def installer(arch):
    """{path: file} of artifact-install, artifact-fetch and what they load; built here for both architectures."""
    dest = OUT / "installer" / arch
    if arch == "arm64":
        run(TOP / "tests/cross.sh", arch, TOP / "out/arm64", "install", dest)
        root = TOP / "out/arm64/root"
    else:
        run(TOP / "tests/vm/native.sh", OUT / "native", dest)
        root = pathlib.Path("/")
    found = {p: dest / p for p in ("usr/sbin/artifact-install", "usr/libexec/twinroot/artifact-fetch")}
    folders = [root / "lib" / MULTIARCH[arch], root / "usr/lib" / MULTIARCH[arch]]
    found.update(elf.closure(list(found.values()), folders))
    return found


@functools.lru_cache(None)
def busybox():
    """{path: link} of the applets. Both architectures' busybox is the same version of the same package."""
    listed = run(DEB / "amd64/bin/busybox", "--list-full").decode().split()
    return {name: "-> /usr/bin/busybox" for name in listed
            if name.split("/")[-1] not in ("busybox", "init", "linuxrc", "dpkg", "dpkg-deb", "rpm")}


def contents(release):
    """{path: what is there} of a release, as Release.files has it."""
    arch = release.arch
    key = signing_key()
    found = dict(busybox())
    found.update({
        "usr/bin/busybox": DEB / arch / "bin/busybox",
        "usr/bin/findpart": initramfs.FINDPART,
        "usr/lib/lab/job": JOB,
        "usr/lib/lab/functions": FUNCTIONS,
        "etc/os-release": f"ID=lab\nNAME=\"Twinroot laboratory\"\nIMAGE_ID=lab\nIMAGE_VERSION={release.version}\n",
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        "etc/group": "root:x:0:\nnogroup:x:65534:\n",
        "etc/hosts": "127.0.0.1 localhost\n",
        "etc/twinroot/install.conf": release.conf,
        "etc/twinroot/keys.d/lab.pub.pem": key.with_name("lab.pub.pem"),
        KERNEL: initramfs.kernel(release.board)[0],
        INITRD: initramfs.build(release.board),
    })
    if release.init not in INITS:
        raise Failure(f"the laboratory knows no init '{release.init}'")
    found.update(INITS[release.init])
    found.update(installer(arch))
    found.update(release.files)
    return {_merged(path): what for path, what in found.items() if what is not None}


def _merged(path):
    """The path in a filesystem whose /bin, /sbin and /lib are links into /usr."""
    path = path.lstrip("/")
    return "usr/" + path if path.split("/")[0] in ("bin", "sbin", "lib") else path


def tree(release, root):
    """Put a release's files below root."""
    for d in ("dev", "proc", "sys", "run", "tmp", "data", "root", "boot", "etc", "mnt", "usr/bin", "usr/sbin", "usr/lib"):
        (root / d).mkdir(parents=True, exist_ok=True)
    for d in ("bin", "sbin", "lib"):
        (root / d).symlink_to(f"usr/{d}")
    for path, what in sorted(contents(release).items()):
        to = root / path
        to.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, pathlib.Path):
            shutil.copyfile(what, to)
            to.chmod(0o755 if what.stat().st_mode & stat.S_IXUSR else 0o644)
        elif isinstance(what, str) and what.startswith("-> "):
            to.symlink_to(what[3:])
        else:
            to.write_bytes(what if isinstance(what, bytes) else what.encode())
            to.chmod(0o755 if what[:2] in ("#!", b"#!") else 0o644)


def tarball(release):
    """The release as a tar archive that is the same for the same files."""
    with tempfile.TemporaryDirectory(dir=OUT) as t:
        root = pathlib.Path(t) / "root"
        root.mkdir()
        tree(release, root)
        return run("tar", "-C", root, "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0",
                   "--format=gnu", "-cf", "-", ".")


def artifact(release, *options):
    """The signed artifact of a release; more options for `mkartifact create`."""
    data = tarball(release)
    mk = BUILD / "mkartifact/mkartifact"

    def make(out):
        run(mk, "create", "-q", "-o", out, "--rootfs", "-", "--fs", release.fs, "--name", "lab", "--compatible", TYPE,
            "--level", "3", "--key", signing_key(), *options, input=data, env={"SOURCE_DATE_EPOCH": "1700000000"})

    return made_once(f"{release.board}_{release.version}.artifact",
                     digest(data, mk, signing_key(), release.fs, *options), make)


def image(file, payload="rootfs"):
    """The plain image of an artifact's payload."""
    inspect = BUILD / "artifact-inspect"
    return made_once(f"{file.stem}.img", digest(file, payload),
                     lambda out: run(inspect, "image", "-q", "--payload", payload, "--keys", KEYS / "trust", "-o", out, file))
