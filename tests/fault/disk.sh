#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# mkartifact disk while allocations, or reads and writes, fail in turn: the same disk and the same block map, or neither. A sample of $RUNS of
# each (default 20); FULL=1: all. The programs that it runs see no faults. No EINTR: libfdisk and libext2fs do not expect any, and there is no
# signal handler that could give it.
. "${srcdir:-.}/tests/e2e/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
requires mkartifact python3 openssl mkfs.vfat mcopy
"$mkartifact" --help | grep -q '^  disk ' || skip "mkartifact is built without disk"
[ -f ./failio.so ] || skip "built without unit tests"
fault="python3 -B $top_src/tests/fault/fault.py"

make_key k
mkdir "$tmp/root" "$tmp/boot" "$tmp/files" "$tmp/place"
seq 1 20000 >"$tmp/root/text"
echo x >"$tmp/boot/config.txt"
echo y >"$tmp/files/conf"
echo z >"$tmp/raw.bin"
"$mkartifact" create -q -o "$tmp/v1.artifact" --name test --version 1 --arch any --no-sbom --compatible board --rootfs "$tmp/root" \
	--size 4M --key "$tmp/k.pem" --created 2026-01-02T03:04:05Z
cat >"$tmp/layout" <<'E'
[disk]
table = mbr
id = 0x1234abcd
align = 1M
[part.boot]
size = 4M
content = fat
directory = boot
[part.a]
size = 4M
content = slot-a:rootfs
[part.file]
size = 1M
content = file
file = raw.bin@4K
[part.b]
size = 4M
content = slot-b:rootfs
[part.data]
size = 16M
content = data
directory = files
[raw]
file = raw.bin@8K
E
set -- "$mkartifact" disk -o "$tmp/place/d" --layout "$tmp/layout" --slot-a "$tmp/v1.artifact" --slot-b "$tmp/v1.artifact" --keys "$tmp/k.keys"
"$@" >/dev/null
cp "$tmp/place/d" "$tmp/good"
cp "$tmp/place/d.bmap" "$tmp/good.bmap"
cat >"$tmp/after" <<END2
cd '$tmp'
if [ "\$STATUS" = 0 ]; then
	cmp good place/d && cmp good.bmap place/d.bmap
else
	[ -z "\$(ls -A place)" ]
fi
END2

try() { # SHIM OPTION...
	try_shim=$1
	shift
	$fault run "./$try_shim.so" --runs "${RUNS:-20}" --reset "rm -f '$tmp/place/d' '$tmp/place/d.bmap'" --after "sh '$tmp/after'" "$@"
}

for mode in once from; do
	try failalloc --label disk --mode $mode --own -- "$@"
	# libfdisk asserts where one of its own allocations failed.
	try failalloc --label disk --mode $mode --may-abort libfdisk/src -- "$@"
done
for how in eio enospc; do
	try failio --label disk --how $how -- "$@"
done
