# SPDX-License-Identifier: Apache-2.0
"""The chains of firmware and bootloader that the laboratory has, as disks and QEMU command lines."""
import dataclasses
import tempfile
import pathlib

import bootfiles
from disk import Part, ext4_image, fat_image, grub_bios, make_disk
from guest import SLOT_SIZE
from lab import DEB, MIB, OUT, TOP

OVMF = pathlib.Path("/usr/share/OVMF")
ENV_SIZE, ENV_COPY, ENV_SECOND = 16 * MIB, 16 << 10, 8 * MIB


@dataclasses.dataclass(frozen=True)
class Chain:
    name: str
    board: str
    console: str     # of the kernel
    memory: int = 256

    def make(self, path, slot_a, slot_b=None, boot=None, data=None, data_size=32 * MIB):
        """A disk: images of the slots; boot: more or other files of the boot partition; data: files of the data partition."""
        with tempfile.TemporaryDirectory(dir=OUT) as t:
            t = pathlib.Path(t)
            ext4_image(t / "data", data_size, "data", {**data_files(), **(data or {})})
            slots = [Part("root-a", SLOT_SIZE, content=slot_a), Part("root-b", SLOT_SIZE, content=slot_b),
                     Part("data", data_size, content=t / "data")]
            if self.board == "virt":
                fat_image(t / "boot", 16 * MIB, "BOOT", {"boot.scr": bootfiles.boot_scr(), **(boot or {})})
                return make_disk(path, [Part("boot", 16 * MIB, "fat", t / "boot"), Part("env", ENV_SIZE), *slots])
            fat_image(t / "esp", 16 * MIB, "ESP", {"grub/grub.cfg": bootfiles.GRUB_CFG.encode(),
                                                   "EFI/BOOT/BOOTX64.EFI": bootfiles.grub_image("x86_64-efi"),
                                                   **(boot or {})})
            disk = make_disk(path, [Part("bios", MIB, "bios"), Part("esp", 16 * MIB, "efi", t / "esp"),
                                    Part("env-1", MIB), Part("env-2", MIB), *slots])
            grub_bios(disk, "bios", (bootfiles.grub_folder("i386-pc") / "boot.img").read_bytes(),
                      bootfiles.grub_image("i386-pc").read_bytes())
            return disk

    def firmware(self, folder):
        """QEMU's arguments for machine and firmware; what the firmware stores stays in the device's folder."""
        if self.name == "virt-uboot":
            return ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin"]
        argv = ["qemu-system-x86_64", "-M", "q35"]
        if self.name == "x86-uefi-grub":
            store = folder / "vars.fd"
            if not store.exists():
                store.write_bytes((OVMF / "OVMF_VARS_4M.fd").read_bytes())
            argv += ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF}/OVMF_CODE_4M.fd",
                     "-drive", f"if=pflash,format=raw,unit=1,file={store}"]
        return argv

    def disk_device(self):
        """In a place of its own, whatever else the machine has: UEFI tries a disk that it has not seen there before after its shell."""
        return "virtio-blk-device,drive=disk" if self.board == "virt" else "virtio-blk-pci,drive=disk,addr=0x10"


def data_files():
    """What every data partition holds: the boot store of backend `script`."""
    return {"boot/file.sh": TOP / "installer/boot/file.sh"}


CHAINS = {c.name: c for c in (
    Chain("virt-uboot", "virt", "ttyAMA0"),
    Chain("x86-bios-grub", "x86", "ttyS0"),
    # In 256 MiB, GRUB under OVMF has no room for Debian's kernel.
    Chain("x86-uefi-grub", "x86", "ttyS0", 512),
)}


def missing():
    """Programs and files of the host that the chains need and that are not there."""
    files = ["/usr/lib/u-boot/qemu_arm64/u-boot.bin", OVMF / "OVMF_CODE_4M.fd", DEB / "arm64/.complete", DEB / "amd64/.complete"]
    return [str(f) for f in files if not pathlib.Path(f).exists()]
