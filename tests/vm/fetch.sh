#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
set -eu
# fetch.sh DIRECTORY [amd64|arm64|inits]...: the parts of virtual devices that are not programs of this host: kernels with their
# modules, a static busybox, bootloaders; `inits`: init systems for amd64. Unpacked into DIRECTORY/ARCH, once; a newer kernel is had by
# deleting that folder.
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debs.sh
. "$top/tests/debs.sh"
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- amd64 arm64 inits

# Of each init the package alone, since they exclude each other; their libraries come with one of them. Nothing is set up, so
# which /sbin/init wins does not matter.
fetch_inits() {
	debs_open amd64 "$dir/inits"
	debs_install "$dir/inits" systemd libeinfo1 librc1 libpam0g
	debs_unpack "$dir/inits" sysvinit-core sysvinit-utils initscripts sysv-rc startpar insserv openrc dash
	debs_close
	touch "$dir/inits/.complete"
}

for arch; do
	# The cloud kernel is unpacked by an emulated processor in a third of the time, but has neither the watchdog of these machines
	# nor anything of the Raspberry Pi.
	case $arch in
	amd64) kernels="linux-image-cloud-amd64 linux-image-amd64" more="grub-pc-bin grub-efi-amd64-bin systemd-boot-efi" ;;
	arm64) kernels=linux-image-arm64 more=u-boot-rpi ;;
	inits) kernels='' more='' ;;
	*) echo "usage: fetch.sh DIRECTORY [amd64|arm64|inits]..." >&2; exit 2 ;;
	esac
	[ ! -f "$dir/$arch/.complete" ] || continue
	rm -rf "${dir:?}/$arch"
	[ "$arch" != inits ] || { fetch_inits; continue; }
	debs_open "$arch" "$dir/$arch"
	for kernel in $kernels; do
		more="$more $(debs_real "$kernel")"
	done
	# shellcheck disable=SC2086
	debs_unpack "$dir/$arch" busybox-static $more
	for modules in "$dir/$arch"/lib/modules/*; do
		depmod -b "$dir/$arch" "${modules##*/}"
	done
	debs_close
	touch "$dir/$arch/.complete"
done
