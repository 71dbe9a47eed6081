#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A real Debian root filesystem through both builders, compared entry by entry (only with FULL=1: it downloads for a minute;
# ROOTFS_TAR=FILE takes one that is there).
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires python3 e2fsck mksquashfs

if [ -z "${ROOTFS_TAR:-}" ]; then
	[ -n "${FULL:-}" ] || skip "only with --full"
	requires mmdebstrap
	step "mmdebstrap"
	ROOTFS_TAR=$tmp/rootfs.tar
	mmdebstrap --variant=minbase bookworm "$ROOTFS_TAR" 2>"$tmp/log" ||
		skip "no Debian mirror: $(tail -n 1 "$tmp/log")"
fi
for kind in ext4 squashfs; do
	step "$kind"
	for n in 1 2; do
		"$top_build/fstool" build $kind "$ROOTFS_TAR" "$tmp/$kind.$n" 0 1700000000 "debian 12"
	done
	cmp "$tmp/$kind.1" "$tmp/$kind.2"
	"$top_build/fstool" list "$tmp/$kind.1" >"$tmp/list"
	[ "$("$top_build/fstool" scan "$tmp/$kind.1" | cut -d' ' -f2)" = dpkg ] || fail "no package list in $kind"
	if [ $kind = ext4 ]; then
		e2fsck -fn "$tmp/ext4.1" >"$tmp/log" 2>&1 || fail "$(cat "$tmp/log")"
		python3 "$top_src/tests/e2e/fs_kit.py" compare "$ROOTFS_TAR" "$tmp/list"
	else
		python3 "$top_src/tests/e2e/fs_kit.py" compare "$ROOTFS_TAR" "$tmp/list" --squashfs
	fi
done
assert_no_litter
