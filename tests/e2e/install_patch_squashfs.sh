#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Patches between squashfs images: blocks are unpacked, patched and compressed again to the byte; and images of which that cannot be said.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires artifact-fetch artifact-inspect mksquashfs sha256sum

TWINROOT_FETCH=$top_build/artifact-fetch
export TWINROOT_FETCH
cd "$tmp"
make_device 8388608
mkdir root
make_noise 5 900000 | base64 >root/text
make_noise 6 700000 >root/noise
seq 1 300000 >root/numbers
for i in 1 2 3 4 5 6 7 8 9; do
	seq $i 7 9000 >root/small$i
done

pack() { # NAME VERSION [OPTION...]
	name=$1 version=$2
	shift 2
	rm -f "$name.sqsh"
	mksquashfs root "$name.sqsh" -quiet -no-progress -all-time 1700000000 -mkfs-time 1700000000 "$@" >/dev/null
	"$mkartifact" create -q --key k.pem --name demo --version "$version" --compatible test-board --arch any --no-sbom \
		--rootfs "$name.sqsh" -o "$name.artifact"
}
change() {
	sed -i '3000a a line that is new' root/text
	sed -i 's/^5$/five/' root/small5
	printf 'moved' | cat - root/noise >root/noise.new
	mv root/noise.new root/noise
	mv root/small9 root/small0
}
delta() { # OLD NEW
	expect_exit 0 "$mkartifact" delta --json --key k.pem -o patch "$1.artifact" "$2.artifact"
	python3 -B "$top_src/tests/reader/twinroot_patch.py" --old "$1.artifact" --keys k.keys patch >said || fail "$(cat said)"
	expect_exit 0 "$top_build/artifact-inspect" verify --keys k.keys --old "$1.artifact" patch
	expect_exit 0 "$mkartifact" delta --json --key k.pem -o patch "$1.artifact" "$2.artifact"
}

cp -a root first
for options in "-comp zstd" "-comp zstd -Xcompression-level 3 -b 64K" "-comp zstd -b 1M -no-fragments" \
	"-comp zstd -noI -noD -noF -noX"; do
	step "mksquashfs $options"
	rm -rf root
	cp -a first root
	# shellcheck disable=SC2086
	pack v1 1.0 $options
	change
	# shellcheck disable=SC2086
	pack v2 2.0 $options
	delta v1 v2
	[ "$(json "d['blocks'] > 0 and d['size'] < 40000")" = true ] || fail "$(cat out)"
	[ "$(json "d['plain'] > 500000")" = true ] || fail "too little has changed for a test: $(cat out)"
done

step "what does not compress into a record's room is left out, and said"
rm -rf root
mkdir root
make_noise 21 3145728 >root/noise
pack n1 1.0 -comp zstd -b 1M -no-fragments
make_noise 22 3145728 >root/noise
seq 1 90000 >root/numbers
pack n2 2.0 -comp zstd -b 1M -no-fragments
delta n1 n2
expect_err "do not compress and are left out of the patch"
[ "$(json "d['left-out']")" = 3145728 ] || fail "$(cat out)"

step "installed by the patch"
rm -rf root
cp -a first root
pack v1 1.0 -comp zstd
change
pack v2 2.0 -comp zstd
start_with v1.artifact
mkdir web
cp v2.artifact web/
expect_exit 0 "$mkartifact" delta --json --key k.pem --directory web/v2.artifact.patches v1.artifact v2.artifact
size=$(json "d['size']")
background python3 "$top_src/tests/e2e/range_server.py" web port 2>log
expect_exit 0 inst install --json "http://127.0.0.1:$(port_of port)/v2.artifact"
[ "$(json "d['way']")" = patch ] || fail "$(cat out err)"
[ "$(json "d['patch']['failed-records']")" = 0 ] || fail "$(cat out)"
received=$(json "d['received']")
step "received $received bytes by a patch of $size"
[ "$received" -lt $((size + 40000)) ] || fail "$received bytes received"
slot_is a v2.artifact

step "a device whose libzstd makes other bytes: two records in vain, and chunks"
cp -a root changed
for file in root/text root/numbers; do
	sed -i '1~900s/$/ more/' "$file"
done
pack v3 3.0 -comp zstd
cp v3.artifact web/
expect_exit 0 "$mkartifact" delta --json --key k.pem --directory web/v3.artifact.patches v1.artifact v3.artifact
patch=$(json "d['file']")
records=$(python3 -B "$top_src/tests/e2e/relevel.py" "$patch" k.pem)
[ "$records" -gt 4 ] || fail "only $records records"
rm -rf dev
cp -a start dev
expect_exit 0 inst install --json "http://127.0.0.1:$(port_of port)/v3.artifact"
slot_is a v3.artifact
expect_err "libzstd does not make the bytes"
[ "$(json "d['patch']['failed-records'] <= 4 and d['fetched'] > 500000")" = true ] || fail "$(cat out)"
rm -rf dev
cp -a start dev
expect_error 8 patch-short inst install "$patch"
boot_says default=b trial=none bad=a
rm -rf root
mv changed root

step "blocks that another encoder made: as they are, and the image is right"
rm -rf root
cp -a first root
pack v1 1.0 -comp zstd
change
# The superblock says level 7, the blocks are of level 14: as if another version of libzstd had made them.
pack v2 2.0 -comp zstd -Xcompression-level 14
python3 -c 'f = open("v2.sqsh", "r+b")
b = f.read(102)
assert b[25] & 4 and b[98] == 14, b
f.seek(98)
f.write(b"\7")'
"$mkartifact" create -q --key k.pem --name demo --version 2.0 --compatible test-board --arch any --no-sbom --rootfs v2.sqsh -o v2.artifact
delta v1 v2
whole=$(json "d['size']")
rm -rf dev
cp -a start dev
expect_exit 0 inst install --json patch
slot_is a v2.artifact
[ "$whole" -gt 300000 ] || fail "a patch of $whole bytes for blocks that cannot be made"

step "another compressor: no blocks"
rm -rf root
cp -a first root
pack v1 1.0 -comp gzip
change
pack v2 2.0 -comp gzip
delta v1 v2
[ "$(json "d['blocks']")" = 0 ] || fail "$(cat out)"
pack v3 3.0 -comp zstd
delta v1 v3
[ "$(json "d['size'] < 3000000")" = true ] || fail "$(cat out)"

step "a squashfs whose tables are damaged is bytes like others"
cp v3.sqsh v1.sqsh
python3 -c 'f = open("v1.sqsh", "r+b")
b = f.read(96)
f.seek(int.from_bytes(b[64:72], "little"))
f.write(b"\377" * 200)'
"$mkartifact" create -q --key k.pem --name demo --version 1.0 --compatible test-board --arch any --no-sbom --rootfs v1.sqsh -o v1.artifact 2>err
delta v1 v3
assert_no_litter
