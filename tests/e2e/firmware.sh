# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154,SC2034
# /sys/firmware of the test's own; sourced after lib.sh. The test runs again in a user and mount namespace where
#	$tree     is a device tree (empty), $efivars a directory of EFI variables (not there yet)
#	command_line TEXT... sets what the kernel says it was started with; next_boot is another boot
requires unshare
if [ "${LIB_FIRMWARE:-}" != 1 ]; then
	unshare -r -m sh -c 'mount -t tmpfs tmpfs /sys/firmware' 2>/dev/null || skip "no user and mount namespaces"
	lib_got=0
	LIB_FIRMWARE=1 unshare -r -m sh "$0" || lib_got=$?
	exit "$lib_got"
fi
mount -t tmpfs tmpfs /sys/firmware
tree=/sys/firmware/devicetree/base
efivars=/sys/firmware/efi/efivars
mkdir -p "$tree"
# A kernel command line of the test's own: command_line TEXT
command_line() {
	echo "$*" >"$tmp/cmdline"
	[ -n "${lib_cmdline:-}" ] || mount --bind "$tmp/cmdline" /proc/cmdline
	lib_cmdline=1
}
# The next boot, for those who ask which one it is.
next_boot() {
	tr -dc 0-9a-f </dev/urandom | head -c 32 | sed 's/\(.\{8\}\)\(....\)\(....\)\(....\)\(.*\)/\1-\2-\3-\4-\5/' >"$tmp/boot_id"
	[ -n "${lib_boot_id:-}" ] || mount --bind "$tmp/boot_id" /proc/sys/kernel/random/boot_id
	lib_boot_id=1
}
