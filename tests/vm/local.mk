# SPDX-License-Identifier: Apache-2.0
# Virtual devices: run by ../check, not by `make check`.
EXTRA_DIST += %D%/README.md %D%/run.py %D%/fetch.sh %D%/native.sh
EXTRA_DIST += %D%/lab.py %D%/elf.py %D%/initramfs.py %D%/guest.py %D%/disk.py %D%/machine.py %D%/web.py
EXTRA_DIST += %D%/bootfiles.py %D%/chains.py %D%/device.py %D%/scenario.py %D%/scenarios_lab.py
EXTRA_DIST += %D%/grub_kit.py %D%/grub_states.py %D%/grub_boot.py %D%/tell.c %D%/bootloader_writes.py %D%/uboot_states.py
EXTRA_DIST += %D%/inits.py %D%/demo.py %D%/scenarios_init.py
EXTRA_DIST += %D%/scenarios_stores.py %D%/factory.py %D%/scenarios_chains.py %D%/scenarios_cuts.py
EXTRA_DIST += %D%/scenarios_efi.py %D%/raspi.py %D%/scenarios_raspi.py %D%/scenarios_tryboot.py
