# SPDX-License-Identifier: Apache-2.0
"""Backend `efi` under a real UEFI (OVMF): entries made by the real efibootmgr that start the kernel's own EFI stub, and no other
bootloader once they are there."""
import pathlib
import shutil
import tempfile

import bootfiles
import elf
import guest
import initramfs
from disk import Part, ext4_image, fat_image, make_disk
from lab import MIB, OUT, Failure, Skip
from scenario import scenario, status

CONF = (f"[device]\ntype = {guest.TYPE}\n[slot.a]\nrootfs = PARTLABEL=root-a\n[slot.b]\nrootfs = PARTLABEL=root-b\n"
        "[boot]\nbackend = efi\nentry-a = Twinroot A\nentry-b = Twinroot B\n"
        "[trust]\nkeys = /etc/twinroot/keys.d\n[state]\ndirectory = /data/twinroot\n")
# A starved emulator loses timer ticks, which the kernel takes for broken hardware: no_timer_check.
ARGUMENTS = "root=PARTLABEL=root-{} console=ttyS0 quiet panic=1 no_timer_check"
MOUNT = "mount -t efivarfs efivarfs /sys/firmware/efi/efivars\n"
STATUS = "section status artifact-install status --json\n"
INSTALL = "artifact-install install -q /data/new.artifact || exit 1\n" + STATUS
ENTRIES = "".join(
    f"efibootmgr -q -c -d /dev/vda -p {part} -L 'Twinroot {slot.upper()}' -l '\\linux.efi' -u 'initrd=\\initrd {ARGUMENTS.format(slot)}'\n"
    for slot, part in (("b", 3), ("a", 2))) + "efibootmgr\n"
# The first boot, without entries, is through GRUB.
GRUB = f"linux (hd0,gpt2)/linux.efi {ARGUMENTS.format('a')}\ninitrd (hd0,gpt2)/initrd\nboot\n"


def release(board, version):
    folders = [pathlib.Path("/lib/x86_64-linux-gnu"), pathlib.Path("/usr/lib/x86_64-linux-gnu")]
    program = pathlib.Path(shutil.which("efibootmgr"))
    return guest.Release(board, version, conf=CONF, files={
        "usr/bin/efibootmgr": program, **elf.closure([program], folders), guest.KERNEL: None, guest.INITRD: None})


def factory(device, old, new):
    kernel, initrd = initramfs.kernel(old.board)[0], initramfs.build(old.board)
    with tempfile.TemporaryDirectory(dir=OUT) as t:
        t = pathlib.Path(t)
        fat_image(t / "esp", 16 * MIB, "ESP", {"grub/grub.cfg": GRUB.encode(),
                                               "EFI/BOOT/BOOTX64.EFI": bootfiles.grub_image("x86_64-efi")})
        fat_image(t / "boot", 48 * MIB, "BOOT", {"linux.efi": kernel, "initrd": initrd})
        ext4_image(t / "data", 96 * MIB, "data", {"new.artifact": guest.artifact(new)})
        device.disk = make_disk(device.folder / "disk.img", [
            Part("esp", 16 * MIB, "efi", t / "esp"), Part("boot-a", 48 * MIB, "efi", t / "boot"),
            Part("boot-b", 48 * MIB, "efi", t / "boot"),
            Part("root-a", guest.SLOT_SIZE, content=guest.image(guest.artifact(old))),
            Part("root-b", guest.SLOT_SIZE), Part("data", 96 * MIB, content=t / "data")])


def set_up(c, job):
    """The power-on in which efibootmgr makes the firmware's entries, and nothing of the project's runs. Twice in some 400 a guest fell silent there;
    the log has what it did (Machine.wait). So this one, and no other, may be done again, from a fresh store."""
    for left in (2, 1, 0):
        try:
            return c.device.run("set -x\n" + MOUNT + job, limit=120)
        except Failure as e:
            if not left:
                raise
            c.warn(f"WARNING: set up again: {e}")
            (c.device.folder / "vars.fd").unlink()
    return None


@scenario("x86-uefi-grub")
def efi_boot_manager(c):
    """Install, trial, fall back by the firmware alone, install again, commit. Seven power-ons."""
    if not shutil.which("efibootmgr"):
        raise Skip("efibootmgr is not installed")
    factory(c.device, release(c.board, "1"), release(c.board, "2"))

    def boot(what, job, running, **store):
        m = c.device.run(MOUNT + job, limit=300)
        c.say(f"{what}: {m.seconds():.1f} s, {m.cpu:.1f} s of processor")
        found = status(m)
        c.expect(f"{what}: the slot that runs", found["running"], running)
        for name, due in store.items():
            c.expect(f"{what}: {name}", found["boot"][name.replace("_", "-")], due)

    set_up(c, ENTRIES)
    boot("entries made", STATUS, "a", default="a", trial="none")
    boot("install", INSTALL, "a", default="a", trial="b", tries_left=1)
    boot("trial, no commit", STATUS, "b", default="a", trial="b", tries_left=0)
    boot("fell back; given up and installed again", "artifact-install rollback || exit 1\n" + INSTALL, "a",
         default="a", trial="b", tries_left=1)
    boot("trial, commit", "artifact-install commit || exit 1\n" + STATUS, "b", default="b", trial="none")
    boot("after it", STATUS, "b", default="b", trial="none")
