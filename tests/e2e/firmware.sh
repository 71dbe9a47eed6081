# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154,SC2034
# /sys/firmware of the test's own; sourced after lib.sh. The test runs again in a user and mount namespace where
#	$tree     is a device tree (empty), $efivars a directory of EFI variables (not there yet)
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
