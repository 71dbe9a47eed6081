#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A slot of several partitions: all payloads of an artifact go to one slot, and one act switches them. What an artifact lacks, and what
# the device has no place for, is refused before anything is touched.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
cd "$tmp"
make_device 8388608
for slot in a b; do make_noise 7 3145728 >"dev/$slot-boot.img"; done
configure() { # EXTRA: lines of [device]
	sed -i -e '/^boot = /d' -e '/^optional = /d' -e "s|^rootfs = $tmp/dev/\\(.\\).img|&\\nboot = $tmp/dev/\\1-boot.img|" dev/install.conf
	[ -z "${1:-}" ] || sed -i "s|^type = .*|&\\n$1|" dev/install.conf
}
configure
mkdir root
make_noise 5 700000 >root/noise
make_noise 11 2000000 >boot1
make_noise 12 1048576 | cat - boot1 | head -c 2097152 >boot2
truncate -s 2097152 boot1
create v1 1.0 --boot boot1
seq 1 30000 >root/text
create v2 2.0 --boot boot2
create rootfs-only 3.0
make_noise 13 4194304 >boot-large
create too-large 4.0 --boot boot-large

holds() { # SLOT ARTIFACT BOOT
	slot_is "$1" "$2"
	head -c 2097152 "dev/$1-boot.img" | cmp - "$3" || fail "the boot partition of slot $1 does not hold $3"
}
untouched() { # SLOT BOOT IMAGE STORE
	cmp before.img "dev/$1.img" && cmp before-boot.img "dev/$1-boot.img" && cmp before.store dev/boot || fail "something was touched"
}
snapshot() { # SLOT
	cp "dev/$1.img" before.img
	cp "dev/$1-boot.img" before-boot.img
	cp dev/boot before.store
}
boots() { # SLOT: the trial passes
	boot_slot "$1"
	expect_exit 0 inst commit
}

step "both payloads, from a file and from a pipe, into one slot after the other"
expect_exit 0 inst install v1.artifact
holds b v1.artifact boot1
boots b
expect_exit 0 sh -c 'exec "$0" -c dev/install.conf install - <v2.artifact' "$top_build/artifact-install"
holds a v2.artifact boot2
holds b v1.artifact boot1
boots a
tail -c 1048576 dev/a-boot.img >rest
make_noise 7 3145728 | tail -c 1048576 | cmp - rest || fail "written behind the payload"

step "the same once more: nothing is written; the other boot image: its rows only"
expect_exit 0 inst install --json v1.artifact
[ "$(json 'd["written"]')" = 0 ] || fail "written again: $(cat out)"
cp boot2 dev/b-boot.img
truncate -s 3145728 dev/b-boot.img
expect_exit 0 inst install --json v1.artifact
holds b v1.artifact boot1
[ "$(json '0 < d["written"] + d["zeroed"] <= 2200000')" = true ] || fail "sums: $(cat out)"
expect_exit 0 inst rollback

step "a payload that is missing"
snapshot b
expect_error 5 compat-payload inst install rootfs-only.artifact
expect_err "artifact has no payload 'boot', this device's slots have a partition for it"
untouched b
expect_error 5 compat-payload inst fit rootfs-only.artifact
configure 'optional = other boots'
expect_error 5 compat-payload inst install rootfs-only.artifact
untouched b
configure 'optional = other boot'
expect_exit 0 inst install rootfs-only.artifact
slot_is b rootfs-only.artifact
cmp before-boot.img dev/b-boot.img || fail "a partition without a payload was written"
expect_exit 0 inst rollback

step "a payload without a place, or too large for it"
configure
snapshot b
expect_error 5 compat-size inst install too-large.artifact
expect_err "payload 'boot' has 4194304 bytes, its partition has 3145728"
untouched b
sed -i "\\|^boot = $tmp/dev/a|d" dev/install.conf
expect_error 5 compat-payload inst install v1.artifact
untouched b
configure

step "cut off in the second payload: the slot does not boot, and the next install goes on"
expect_exit 0 inst install v2.artifact
expect_exit 0 inst rollback
make_noise 14 3145728 >dev/b-boot.img
size=$(stat -c %s v2.artifact)
status=0
head -c $((size - 300000)) v2.artifact | inst install - >out 2>err || status=$?
[ "$status" = 3 ] || fail "status $status: $(cat err)"
boot_says bad=b default=a
expect_exit 0 inst install v2.artifact
holds b v2.artifact boot2
boot_says trial=b

step "bytes that have changed in the boot partition are written again"
boots b
for n in 1 2 3; do
	offset=$((n * 500000))
	printf X | dd of=dev/a-boot.img bs=1 seek=$offset conv=notrunc 2>/dev/null
done
expect_exit 0 inst install v1.artifact
holds a v1.artifact boot1
assert_no_litter
