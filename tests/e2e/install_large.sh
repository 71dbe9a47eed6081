#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An image of more than 1 GiB, which is more than one segment: made, installed from a file and over http, copied from what is there, read back.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires artifact-fetch mke2fs

TWINROOT_FETCH=$top_build/artifact-fetch
export TWINROOT_FETCH
cd "$tmp"
make_key k
make_device 4096
truncate -s 1200M dev/a.img dev/b.img
mkdir root
make_noise 5 600000 >root/a
# Not zeros, so that it lies on the medium; the border between two segments goes through it.
python3 -c 'import sys
block = bytes(range(1, 251)) * 4194
for n in range(1035):
    sys.stdout.buffer.write(b"%08d" % n + block)' >root/b
make_noise 6 900000 >root/c
release() { # NAME VERSION
	rm -f image
	E2FSPROGS_FAKE_TIME=1700000000 mke2fs -q -F -t ext4 -d root -U 11111111-2222-3333-4444-555555555555 \
		-E hash_seed=11111111-2222-3333-4444-555555555556,lazy_itable_init=0,lazy_journal_init=0 image 1150M >/dev/null
	"$mkartifact" create -q -o "$1.artifact" --name test --version "$2" --compatible test-board --arch any --no-sbom --key k.pem \
		--rootfs image
}
holds() { # SLOT
	cmp -n $((1150 * 1048576)) image "dev/$1.img" || fail "slot $1 does not hold the image"
}

step "made: two segments"
release v1 1.0
[ "$(tar -tf v1.artifact | grep -c 'index$')" = 2 ] || fail "$(tar -tf v1.artifact)"
tar -xOf v1.artifact payload/rootfs/0001.data | head -c 1 | grep -q . || fail "nothing is stored of the second segment"
step "installed from a file"
expect_exit 0 inst install v1.artifact
holds b
boot_slot b
expect_exit 0 inst commit

step "and the next one over http, by what has changed in each segment"
make_noise 7 300000 >>root/a
make_noise 8 200000 >>root/c
release v2 2.0
mkdir web
mv v2.artifact web/
background python3 "$top_src/tests/e2e/range_server.py" web port 2>log
expect_exit 0 inst install --json "http://127.0.0.1:$(port_of port)/v2.artifact"
holds a
[ "$(json "d['received'] < 3000000")" = true ] || fail "$(cat out)"

step "a patch of both segments"
"$mkartifact" delta -q --key k.pem -o patch v1.artifact web/v2.artifact
"$top_build/artifact-inspect" verify -q --keys k.keys --old v1.artifact patch || fail "the patch is not good"
truncate -s 0 dev/a.img
truncate -s 1200M dev/a.img
expect_exit 0 inst install --json patch
holds a
[ "$(json "d['way']")" = patch ] || fail "$(cat out)"
assert_no_litter
