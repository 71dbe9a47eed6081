#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# run.sh [--full] [OPTION of crash.py]...: power cuts, replayed. From a build directory, as root; 77 where that cannot work here.
here=$(cd "$(dirname "$0")" && pwd)
build=$(pwd)

skip() {
	echo "SKIP: crash replay: $*"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root (loop devices, mounts)"
[ -x ./artifact-install ] && [ -x ./mkartifact/mkartifact ] || skip "artifact-install and mkartifact are not built"
for tool in qemu-storage-daemon mke2fs e2fsck debugfs fw_setenv grub-editenv openssl unshare; do
	command -v $tool >/dev/null || skip "$tool is not installed"
done
[ -c /dev/fuse ] || skip "no /dev/fuse"
[ -c /dev/loop-control ] || skip "no loop devices"
unshare -m --propagation private true 2>/dev/null || skip "no mount namespaces"

tmp=$(mktemp -d "${CRASH_DIR:-/dev/shm}/twinroot-crash.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
# Mounts are gone with the namespace, loop devices with the mounts and the program.
unshare -m --propagation private python3 -B "$here/crash.py" "$build" "$tmp/work" "$@"
