# SPDX-License-Identifier: Apache-2.0
"""Boot scripts that only start slot a, or the slot that a text file names: enough to prove the laboratory."""
import pathlib
import tempfile

from guest import INITRD, KERNEL
from lab import DEB, digest, made_once, run

BOOT_SCR = f"""
setenv slot a
if load virtio 0:1 ${{loadaddr}} slot.txt; then env import -t ${{loadaddr}} ${{filesize}} slot; fi
if test "${{slot}}" = b; then setenv part 4; else setenv part 3; fi
echo "BOOT slot=${{slot}}"
setenv bootargs "root=/dev/vda${{part}} console=ttyAMA0 quiet panic=1"
load virtio 0:${{part}} ${{kernel_addr_r}} {KERNEL} && load virtio 0:${{part}} ${{ramdisk_addr_r}} {INITRD} && booti ${{kernel_addr_r}} ${{ramdisk_addr_r}}:${{filesize}} ${{fdtcontroladdr}}
echo "BOOT failed"
reset
"""

# A starved emulator loses timer ticks, which the kernel takes for broken hardware: no_timer_check.
GRUB_CFG = f"""
serial --unit=0 --speed=115200
terminal_output serial
terminal_input serial
set slot=a
if [ -f $prefix/slot.cfg ]; then source $prefix/slot.cfg; fi
echo "BOOT slot=$slot"
if [ "$slot" = b ]; then set part=6; else set part=5; fi
linux (hd0,gpt$part)/{KERNEL} root=/dev/vda$part console=ttyS0 quiet panic=1 no_timer_check
initrd (hd0,gpt$part)/{INITRD}
boot
"""

GRUB_EARLY = "search.fs_label ESP root\nset prefix=($root)/grub\n"
GRUB_MODULES = ["part_gpt", "part_msdos", "fat", "ext2", "tar", "squash4", "normal", "configfile", "linux", "loadenv", "test", "echo",
                "search", "search_label", "serial", "terminal", "reboot", "sleep", "minicmd", "cat", "ls", "regexp", "probe"]
GRUB = {"i386-pc": ["biosdisk"], "x86_64-efi": ["efi_gop"]}


def boot_scr(text=BOOT_SCR):
    """A script as U-Boot takes it."""
    with tempfile.TemporaryDirectory() as t:
        source, out = pathlib.Path(t) / "boot.txt", pathlib.Path(t) / "boot.scr"
        source.write_text(text)
        run("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", source, out, env={"SOURCE_DATE_EPOCH": "0"})
        return out.read_bytes()


def grub_folder(target):
    return DEB / "amd64/usr/lib/grub" / target


def grub_image(target, early=GRUB_EARLY):
    """A GRUB core for a target (i386-pc, x86_64-efi): path of the image."""
    def make(out):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write(early)
            f.flush()
            run("grub-mkimage", "-O", target, "-d", grub_folder(target), "-p", "/grub", "-c", f.name, "-o", out,
                *GRUB[target], *GRUB_MODULES)

    return made_once(f"grub-{target}.img", digest(early, GRUB_MODULES, GRUB[target], grub_folder(target) / "kernel.img"), make)
