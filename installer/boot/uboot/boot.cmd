# SPDX-License-Identifier: Apache-2.0
# The boot script for U-Boot. Make it with
#
#	mkimage -A arm64 -T script -C none -d boot.cmd boot.scr
#
# and put boot.scr and twinroot.txt (this board's settings: see twinroot.txt beside this file) on the boot partition. It needs
# of U-Boot: the commands part, setexpr, itest, `env import`, `env export`, source, and raw reads and writes of
# the boot medium. U-Boot's own environment, bootcount and saveenv are not used.
#
# What it does: of two environment copies the one with a right checksum and the higher twinroot_sequence counts (the first, if
# equal). A trial that is armed, not bad and has tries left is counted down in the OTHER copy, and booted. Whatever else there is boots the
# default: a trial that cannot be counted is not begun, for it might never end. A trial whose kernel cannot be loaded resets,
# so that the count goes on and ends. With both copies lost the slot that the settings name boots.

setenv tr_env_part 2
setenv tr_env_at 0x0 0x4000
setenv tr_fallback a
setenv tr_part_a 3
setenv tr_part_b 4
setenv tr_kernel /boot/kernel
setenv tr_initrd
setenv tr_fdt
setenv tr_args
setenv tr_boot booti
setenv tr_watchdog
test -n "${distro_bootpart}" || setenv distro_bootpart 1
setenv tr_addr ${ramdisk_addr_r}
if load ${devtype} ${devnum}:${distro_bootpart} ${tr_addr} ${prefix}twinroot.txt; then env import -t ${tr_addr} ${filesize}; fi

# One copy: 16 KiB, 0x20 blocks of 512 bytes, at a block offset into the partition.
setenv tr_size 0x4000
setenv tr_blocks 0x20
setenv tr_vars twinroot_sequence twinroot_default twinroot_trial twinroot_left twinroot_bad twinroot_transaction
setenv tr_clear 'for tr_v in ${tr_vars}; do setenv ${tr_v}; done'

${devtype} dev ${devnum}
part start ${devtype} ${devnum} ${tr_env_part} tr_start
setenv tr_best 0
setenv tr_from
setenv tr_to
for tr_at in ${tr_env_at}; do
	setexpr tr_block ${tr_start} + ${tr_at}
	setenv tr_old ${tr_block}
	run tr_clear
	if ${devtype} read ${tr_addr} ${tr_block} ${tr_blocks} && env import -c ${tr_addr} ${tr_size} ${tr_vars}; then
		if test "${twinroot_default}" = a || test "${twinroot_default}" = b; then
			if test -n "${twinroot_sequence}" && itest ${twinroot_sequence} -gt ${tr_best}; then
				setenv tr_best ${twinroot_sequence}
				test -z "${tr_from}" || setenv tr_to ${tr_from}
				setenv tr_from ${tr_block}
				setenv tr_old
			fi
		fi
	fi
	test -z "${tr_old}" || setenv tr_to ${tr_old}
done
run tr_clear
setenv tr_slot ${tr_fallback}
setenv tr_trial 0
if test -n "${tr_from}"; then
	${devtype} read ${tr_addr} ${tr_from} ${tr_blocks}
	env import -c ${tr_addr} ${tr_size} ${tr_vars}
	setenv tr_slot ${twinroot_default}
	setenv tr_ready 0
	if test "${twinroot_trial}" = a || test "${twinroot_trial}" = b; then
		setenv tr_ready 1
		test "${twinroot_bad}" != "${twinroot_trial}" || setenv tr_ready 0
		test "${twinroot_bad}" != ab || setenv tr_ready 0
		test -n "${twinroot_left}" || setenv tr_ready 0
		itest "0${twinroot_left}" -gt 0 || setenv tr_ready 0
	fi
	if test ${tr_ready} = 1; then
		setexpr twinroot_left ${twinroot_left} - 1
		setexpr twinroot_sequence ${twinroot_sequence} + 1
		if env export -c -s ${tr_size} ${tr_addr} ${tr_vars} && ${devtype} write ${tr_addr} ${tr_to} ${tr_blocks}; then
			setenv tr_slot ${twinroot_trial}
			setenv tr_trial 1
		else
			echo "twinroot: cannot count the trial of ${twinroot_trial}, so it is not begun"
		fi
	fi
fi

# Loads and starts slot ${tr_slot}; comes back when that failed.
setenv tr_start_slot 'if test ${tr_slot} = a; then setenv tr_part ${tr_part_a}; setenv tr_root ${tr_root_a}; else setenv tr_part ${tr_part_b}; setenv tr_root ${tr_root_b}; fi; setenv tr_ok 1; setenv tr_rd -; setenv tr_dt ${fdt_addr}; test -n "${tr_dt}" || setenv tr_dt ${fdtcontroladdr}; load ${devtype} ${devnum}:${tr_part} ${kernel_addr_r} ${tr_kernel} || setenv tr_ok 0; if test ${tr_ok} = 1 && test -n "${tr_fdt}"; then setenv tr_dt ${fdt_addr_r}; load ${devtype} ${devnum}:${tr_part} ${fdt_addr_r} ${tr_fdt} || setenv tr_ok 0; fi; if test ${tr_ok} = 1 && test -n "${tr_initrd}"; then if load ${devtype} ${devnum}:${tr_part} ${ramdisk_addr_r} ${tr_initrd}; then setenv tr_rd ${ramdisk_addr_r}:${filesize}; else setenv tr_ok 0; fi; fi; setenv bootargs root=${tr_root} ${tr_args} panic=5 twinroot.slot=${tr_slot} twinroot.trial=${tr_trial}; if test ${tr_ok} = 1; then ${tr_boot} ${kernel_addr_r} ${tr_rd} ${tr_dt}; fi; echo "twinroot: slot ${tr_slot} does not start"'

echo "twinroot: slot=${tr_slot} trial=${tr_trial} left=${twinroot_left} default=${twinroot_default} bad=${twinroot_bad} sequence=${twinroot_sequence}"
if test ${tr_trial} = 1; then
	# Hung kernels come back only through a watchdog that runs before them.
	if test -n "${tr_watchdog}"; then
		wdt dev ${tr_watchdog_device}
		wdt start ${tr_watchdog}
	fi
	run tr_start_slot
	reset
fi
run tr_start_slot
# The committed slot cannot be loaded: the other one is better than nothing, unless it is known to be bad.
if test "${tr_slot}" = a; then setenv tr_slot b; else setenv tr_slot a; fi
if test "${twinroot_bad}" != "${tr_slot}" && test "${twinroot_bad}" != ab; then run tr_start_slot; fi
# A medium that answers no more may answer later; asking it all the time wears it.
sleep 60
reset
