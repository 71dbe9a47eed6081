# SPDX-License-Identifier: Apache-2.0
"""The initramfs of the guests: Debian's kernels have nearly everything as modules. It loads them, mounts root= read-only and
hands over; whatever fails reboots, as a kernel that finds no root would."""
import dataclasses
import os
import pathlib
import shutil
import tempfile

from lab import DEB, digest, made_once, run

COMMON = ["ext4", "squashfs", "vfat", "nls_cp437", "nls_ascii", "nls_iso8859-1", "nls_utf8"]
QEMU = ["virtio_pci", "virtio_blk", "virtio_net", "qemu_fw_cfg", *COMMON]


@dataclasses.dataclass(frozen=True)
class Board:
    arch: str
    kernel: str      # what the kernel's version ends in
    modules: tuple


BOARDS = {
    "x86": Board("amd64", "-cloud-amd64", (*QEMU, "efivarfs")),
    "x86-full": Board("amd64", "[0-9]-amd64", (*QEMU, "efivarfs", "i6300esb")),
    "virt": Board("arm64", "-arm64", ("virtio_mmio", *QEMU, "i6300esb")),
    "raspi3b": Board("arm64", "-arm64", ("sdhci-iproc", "bcm2835", "bcm2835_wdt", *COMMON)),
}
APPLETS = ["sh", "mount", "umount", "insmod", "switch_root", "sleep", "cat", "echo", "reboot", "dd", "hexdump", "sed", "ls"]

# A partition by its device, label or PARTUUID: kernel 6.1 tells PARTNAME in sysfs, but not the PARTUUID.
FINDPART = r"""#!/bin/sh
# findpart DEVICE|PARTLABEL=NAME|PARTUUID=ID: print the device of a partition, as soon as it is there (10 s at most).
hex() { # DEVICE OFFSET COUNT
	dd if="$1" bs=1 skip="$2" count="$3" 2>/dev/null | hexdump -v -e '1/1 "%02x"'
}
partuuid() { # DISK NUMBER
	if [ "$(hex "$1" 512 8)" = 4546492050415254 ]; then
		hex "$1" $((1024 + ($2 - 1) * 128 + 16)) 16 |
			sed 's/\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(....\)\(.*\)/\4\3\2\1-\6\5-\8\7-\9-\10/'
	else
		printf '%s-%02x\n' "$(hex "$1" 440 4 | sed 's/\(..\)\(..\)\(..\)\(..\)/\4\3\2\1/')" "$2"
	fi
}
find() {
	[ ! -b "$1" ] || { echo "$1"; return; }
	for u in /sys/class/block/*/partition; do
		d=${u%/partition}
		case $1 in
		PARTLABEL=*) grep -qxF "PARTNAME=${1#*=}" "$d/uevent" && echo "/dev/${d##*/}" && return ;;
		PARTUUID=*)
			disk=$(readlink -f "$d/..")
			[ "$(partuuid "/dev/${disk##*/}" "$(cat "$u")")" != "${1#*=}" ] || { echo "/dev/${d##*/}"; return; } ;;
		esac
	done
	return 1
}
i=0
until find "$1"; do
	[ $i -lt 200 ] || exit 1
	i=$((i + 1))
	sleep 0.05
done
"""

INIT = r"""#!/bin/sh
export PATH=/bin
give_up() {
	echo "initramfs: $1; rebooting"
	reboot -f
}
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r m; do
	insmod "/modules/$m" 2>/dev/null || : # an accelerator, or a firmware's table, that this machine lacks
done </modules/order
root=
init=/sbin/init
for a in $(cat /proc/cmdline); do
	case $a in
	root=*) root=${a#root=} ;;
	init=*) init=${a#init=} ;;
	esac
done
device=$(findpart "$root") || give_up "no partition '$root'"
mounted=
for type in ext4 squashfs; do
	mount -t $type -o ro "$device" /newroot 2>/dev/null && mounted=1 && break
done
[ -n "$mounted" ] || give_up "nothing to mount on '$device'"
for d in dev proc sys; do
	mount -o move /$d /newroot/$d || give_up "the root filesystem on '$device' has no /$d"
done
[ -e "/newroot$init" ] || [ -L "/newroot$init" ] || give_up "the root filesystem on '$device' has no $init"
exec switch_root /newroot "$init"
"""


def kernel(board):
    """The kernel of a board and its version."""
    b = BOARDS[board]
    path, = (DEB / b.arch / "boot").glob("vmlinuz-*" + b.kernel)
    return path, path.name.removeprefix("vmlinuz-")


def modules(board):
    """Files of the modules, each after those that it needs."""
    order = []
    for name in BOARDS[board].modules:
        said = run("modprobe", "-d", DEB / BOARDS[board].arch, "-S", kernel(board)[1], "--show-depends", name).decode()
        for line in said.splitlines():
            what, path = line.split()[:2]
            if what == "insmod" and path not in order:
                order.append(path)
    return [pathlib.Path(p) for p in order]


def _make(board, files, out):
    with tempfile.TemporaryDirectory() as t:
        tree = pathlib.Path(t)
        for d in ("bin", "dev", "proc", "sys", "newroot", "modules"):
            (tree / d).mkdir()
        shutil.copy(DEB / BOARDS[board].arch / "bin/busybox", tree / "bin/busybox")
        for applet in [*APPLETS, "readlink", "grep", "printf", "["]:
            (tree / "bin" / applet).symlink_to("busybox")
        for path, text in (("init", INIT), ("bin/findpart", FINDPART)):
            (tree / path).write_text(text)
            (tree / path).chmod(0o755)
        for f in files:
            shutil.copy(f, tree / "modules" / f.name)
        (tree / "modules/order").write_text("".join(f.name + "\n" for f in files))
        names = sorted(str(p.relative_to(tree)) for p in tree.rglob("*"))
        for p in tree.rglob("*"):
            os.utime(p, (0, 0), follow_symlinks=False)
        archive = run("cpio", "-o", "-H", "newc", "-R", "0:0", "--reproducible", "--quiet", cwd=tree,
                      input="\n".join(names).encode())
        out.write_bytes(run("gzip", "-n", "-1", input=archive))


def build(board):
    """The initramfs for a board."""
    files = modules(board)
    key = digest(INIT, FINDPART, APPLETS, DEB / BOARDS[board].arch / "bin/busybox", *files)
    return made_once(f"initrd-{board}", key, lambda out: _make(board, files, out))
