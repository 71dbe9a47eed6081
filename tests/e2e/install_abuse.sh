#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# artifact-install where somebody got something wrong: names of one file, damaged leftovers, a disk that ends.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
cd "$tmp"
make_device 8388608
make_versions
sum_a=$(sha256sum <dev/a.img)

step "both slots are one file"
mv dev/b.img b.saved
ln dev/a.img dev/b.img
expect_exit 2 inst install v1.artifact
expect_err "dev/a.img' and '"
rm dev/b.img
ln -s a.img dev/b.img
expect_exit 2 inst install v1.artifact
[ "$sum_a" = "$(sha256sum <dev/a.img)" ] || fail "the running slot was written"

step "a slot that is no storage"
rm dev/b.img
mkfifo dev/b.img
expect_exit 2 timeout 20 "$top_build/artifact-install" -c dev/install.conf install v1.artifact
expect_err "neither a block device nor a file"
rm dev/b.img
mv b.saved dev/b.img

step "the bootloader arms, and then fails: the slot is not tried"
sed '/^	put "trial=/s/$/; exit 1/' dev/boot.sh >dev/boot2.sh
chmod +x dev/boot2.sh
sed 's|boot.sh|boot2.sh|' dev/install.conf >dev/late.conf
expect_exit 1 "$top_build/artifact-install" -c dev/late.conf install v1.artifact
grep -q "arm b 3" dev/boot.calls || fail "never armed"
boot_says default=a trial=none bad=b

step "files may not grow: said, and nothing else happens"
cp dev/boot before.boot
expect_exit 6 sh -c "ulimit -f 100; exec \"$top_build/artifact-install\" -c dev/install.conf install v1.artifact"
boot_says default=a trial=none bad=b
expect_exit 6 sh -c "ulimit -f 100; exec \"$mkartifact\" create -q -o big.artifact --name t --version 1 --compatible x \
	--arch any --no-sbom --rootfs root --size 6M --key k.pem"
[ -z "$(find . -maxdepth 1 -name '*big.artifact*')" ] || fail "left: $(ls -A)"

step "a boot script that outlives its installer keeps the next one out"
sed 's/^bad)$/bad) touch begun; i=0; while [ ! -e go ] \&\& [ $i -lt 500 ]; do i=$((i + 1)); sleep 0.02; done/' dev/boot.sh >dev/boot3.sh
chmod +x dev/boot3.sh
sed 's|boot.sh|boot3.sh|' dev/install.conf >dev/slow.conf
"$top_build/artifact-install" -c dev/slow.conf install -q v1.artifact &
pid=$!
cleanup "touch $tmp/go"
while [ ! -e begun ]; do sleep 0.02; done
kill -9 $pid
wait $pid 2>/dev/null || :
expect_error 7 state-locked inst install v1.artifact
touch go
while ! inst mark-bad 2>err; do
	grep -q "is locked" err || fail "mark-bad: $(cat err)"
	sleep 0.02
done

step "a damaged kept manifest, and no record: updates go on"
expect_exit 0 inst install v1.artifact
boot_slot b
expect_exit 0 inst commit
rm dev/state/state
printf '{' >dev/state/slot-b/manifest.json
expect_exit 0 inst status
expect_err "what was kept of slot b is damaged"
expect_exit 0 inst install v2.artifact
[ "$(grep -c "what was kept of slot b is damaged" err)" = 1 ] || fail "said again and again"
slot_is a v2.artifact
boot_says default=b trial=a

step "faults behind the last payload: whole, but not armed"
rm -r dev
make_device 8388608
head -c 512 /dev/zero | tr '\0' x >notes.txt
create doc 1.0 --doc notes.txt
flip doc.artifact $(($(stat -c %s doc.artifact) - 1024 - 512))
expect_error 3 doc-digest inst install doc.artifact
boot_says default=a trial=none bad=b
printf x | cat v1.artifact - >long.artifact
# A true pipe: its length is known at its end only.
expect_error 3 tar-trailing sh -c "cat long.artifact | \"$top_build/artifact-install\" -c dev/install.conf install -v -"
boot_says default=a trial=none bad=b

step "the counter binds from the commit on, by the record alone, and also on the way back"
create c7 3.0 --security-counter 7
create c6 4.0 --security-counter 6
create c9 5.0 --security-counter 9
expect_exit 0 inst install c7.artifact
boot_slot b
expect_exit 0 inst commit
boot_says default=b trial=none
expect_error 5 compat-counter inst rollback
boot_says default=b trial=none
# What is kept of another artifact than the record names tells nothing.
tar -xOf c9.artifact manifest.json >dev/state/slot-b/manifest.json
expect_exit 0 inst status --json
[ "$(json "d['security-floor']")" = 7 ] || fail "floor: $(cat out)"
rm -r dev/state/slot-b
expect_error 5 compat-counter inst install c6.artifact
assert_no_litter
