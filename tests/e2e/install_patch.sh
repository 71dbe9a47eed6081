#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installing by a patch: found beside the artifact, given as a file or through a pipe. Whatever is wrong with it costs bytes, or, where
# there is no artifact to turn to, the install; never the image.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires artifact-fetch sha256sum

TWINROOT_FETCH=$top_build/artifact-fetch
export TWINROOT_FETCH
cd "$tmp"
make_device 8388608
make_key other
# A program that was compiled anew: the same code with other addresses in it.
mkdir root
make_noise 5 1500000 >root/program
seq 1 60000 >root/text
cp root/program program.1
create v1 1.0
create v1b 1.0 --level 3
python3 -c 'f = open("root/program", "r+b")
b = bytearray(f.read())
for at in range(100, len(b), 160):
    b[at] = (b[at] + 16) % 256
b[700000:700000] = b"some code that is new " * 30
f.seek(0)
f.write(b)'
create v2 2.0
seq 5 30000 >root/text
create v3 3.0
expect_exit 0 "$mkartifact" delta --json --key k.pem v1.artifact v2.artifact
patch=$(json "d['file']")
size=$(json "d['size']")
step "the patch has $size bytes"
[ "$(json "d['diffs'] > 0 and d['size'] < 150000 and d['plain'] > 1500000")" = true ] || fail "$(cat out)"
[ "$(stat -c %s "$patch")" = "$size" ] || fail "size"
SOURCE_DATE_EPOCH=1 "$mkartifact" delta -q --key k.pem -o once v1.artifact v2.artifact
SOURCE_DATE_EPOCH=1 "$mkartifact" delta -q --key k.pem -o twice v1.artifact v2.artifact
cmp once twice || fail "two runs, two patches"
step "no room for temporary files: it says where, and nothing is left"
expect_exit 6 sh -c 'ulimit -f 1; exec "$@"' sh "$mkartifact" delta --key k.pem -o cut v1.artifact v2.artifact
expect_err "'temporary file (TMPDIR says where)': File too large"
[ ! -e cut ] || fail "a patch was left"

step "a slot that holds nothing but zeros: all is fetched; then nothing"
truncate -s 0 dev/b.img
truncate -s 8388608 dev/b.img
expect_exit 0 inst install --json v1.artifact
[ "$(json "d['way'], d['same'] > 1000000, d['zeroed']")" = '["full", true, 0]' ] || fail "$(cat out)"
grep -q '"way": *"full"' dev/state/log || fail "the log does not tell"
expect_exit 0 inst install --json v1.artifact
[ "$(json "d['way'], d['fetched']")" = '["none", 0]' ] || fail "$(cat out)"

# Slot b runs and holds v1; slot a is noise.
slot_is b v1.artifact
boot_slot b
expect_exit 0 inst commit
cp -a dev start
mkdir web
cp v2.artifact web/
background python3 "$top_src/tests/e2e/range_server.py" web port 2>log
url=http://127.0.0.1:$(port_of port)/v2.artifact
beside=web/v2.artifact.patches/${patch##*/}
mkdir web/v2.artifact.patches

get() { # WAY [OPTION...]
	way=$1
	shift
	expect_exit 0 inst install --json "$@" "$url"
	[ "$(json "d['way']")" = "$way" ] || fail "not by $way: $(cat out err)"
}

step "no patch there: chunks"
get chunks
slot_is a v2.artifact
chunks=$(json "d['received']")

step "a patch beside the artifact"
cp "$patch" "$beside"
fresh
get patch --dry-run
planned=$(json "d['patch']['read'], d['written'], d['copied'], d['fetched']")
cmp dev/a.img start/a.img || fail "a dry run wrote"
get patch
[ "$(json "d['patch']['read'], d['written'], d['copied'], d['fetched']")" = "$planned" ] || fail "planned $planned: $(cat out)"
slot_is a v2.artifact
received=$(json "d['received']")
[ "$received" -lt $((chunks / 8)) ] || fail "$received bytes by the patch, $chunks by chunks"
[ "$(json "d['patch']['failed-records']")" = 0 ] || fail "$(cat out)"
grep -q '"way": *"patch"' dev/state/log || fail "the log does not tell"
tar -xOf v2.artifact payload/rootfs/0000.index | cmp - dev/state/slot-a/rootfs.0000.index || fail "the index kept is not the new one"
fresh
expect_exit 0 inst install "$url"
expect_out "of records, where chunks take"

step "a patch that fails after it was counted on: no full download where that was forbidden"
fresh
python3 -c 'f = open("dev/b.img", "r+b")
b = bytearray(f.read())
for at in range(0, len(b), 64):
    b[at] ^= 1
f.seek(0)
f.write(b)'
cp dev/b.img garbled.img
printf '[download]\nfull = never\n' >>dev/install.conf
get patch-and-chunks --dry-run
expect_exit 8 inst install "$url"
expect_err "a patch or a seed has not given what was expected of it, and a full download is refused ([download] full = never)"
boot_says default=b trial=none bad=a
fresh
cp garbled.img dev/b.img
expect_exit 0 inst install --json "$url"
slot_is a v2.artifact

step "a patch by file, and through a pipe"
for how in file pipe; do
	fresh
	if [ $how = file ]; then
		expect_exit 0 inst install --json "$patch"
	else
		expect_exit 0 sh -c "cat '$patch' | $top_build/artifact-install -c dev/install.conf install --json -"
	fi
	[ "$(json "d['way'] + d['version']")" = patch2.0 ] || fail "$(cat out)"
	slot_is a v2.artifact
	boot_says trial=a
done

aside() { # TEXT: over http the patch is not used, the image is right
	fresh
	get chunks
	expect_err "$1"
	slot_is a v2.artifact
}

step "a patch from another image, and to another artifact"
"$mkartifact" delta -q --key k.pem -o from3 v3.artifact v2.artifact
"$mkartifact" delta -q --key k.pem -o to3 v1.artifact v3.artifact
fresh
# Nothing is lost by it: not the trial that is armed, not what there is to go back to.
expect_exit 0 inst install -q v2.artifact
cp -a dev before
expect_error 5 patch-old inst install from3
expect_error 5 patch-old inst fit from3
cmp dev/boot before/boot || fail "the boot store has changed"
cmp dev/state/state before/state/state || fail "the state record has changed"
cmp dev/a.img before/a.img || fail "the slot has changed"
# The same image packed otherwise has other indexes; and one that is damaged is none.
"$mkartifact" delta -q --key k.pem -o other-index v1b.artifact v2.artifact
expect_error 5 patch-old inst fit other-index
flip dev/state/slot-b/rootfs.0000.index 100
expect_error 5 patch-old inst install "$patch"
expect_err "is missing or damaged"
cmp dev/boot before/boot || fail "the boot store has changed"
cmp dev/state/state before/state/state || fail "the state record has changed"
rm -r before
expect_exit 2 inst adopt "$patch"
expect_err "give the artifact itself"
[ ! -e dev/state/slot-b.new ] || fail "adopt has left something"
cp from3 "$beside"
aside "the patch is left aside"
cp to3 "$beside"
aside "the patch is for another artifact"
fresh
expect_exit 0 inst install to3
slot_is a v3.artifact

step "a patch whose signature does not count"
"$mkartifact" delta -q --key other.pem -o stranger v1.artifact v2.artifact
fresh
cp -a dev before
expect_error 4 sig-untrusted inst install stranger
cmp dev/a.img before/a.img || fail "an untrusted patch wrote"
cmp dev/boot before/boot
cp stranger "$beside"
aside "the patch"
# A key without the role of patches.
id=$(openssl pkey -in k.pem -pubout -outform DER | sha256sum)
cp other.keys/other.pub.pem k.keys/
other=$(openssl pkey -in other.pem -pubout -outform DER | sha256sum)
printf '{"format": 1, "roles": {"artifact": [{"group": "a", "threshold": 1, "keys": ["%s"]}], "patch": [{"group": "p", "threshold": 1, "keys": ["%s"]}]}}' \
	"${id%% *}" "${other%% *}" >k.keys/policy.json
expect_error 4 sig-threshold inst install "$patch"
cp "$patch" "$beside"
aside "the patch"
fresh
expect_exit 0 inst install stranger
slot_is a v2.artifact
rm k.keys/policy.json k.keys/other.pub.pem

step "a damaged record"
member() { # NAME: where its first byte is
	python3 -c 'import sys
print(open(sys.argv[1], "rb").read().index(sys.argv[2].encode()) // 512 * 512 + 512)' "$patch" "$1"
}
cp "$patch" bad
flip bad $(($(member payload/rootfs/0000.data) + 50)) 3
fresh
expect_error 8 patch-short inst install bad
expect_err "install the artifact itself"
boot_says default=b bad=a trial=none
expect_exit 0 inst install --json v2.artifact
slot_is a v2.artifact
[ "$(json "d['same'] > 4000000")" = true ] || fail "what the patch had made was not kept: $(cat out)"
cp bad "$beside"
fresh
get patch-and-chunks
slot_is a v2.artifact
[ "$(json "d['patch']['failed-records']")" = 1 ] || fail "$(cat out)"

step "a damaged table, and a patch cut short"
table=$(member payload/rootfs/0000.records)
cp "$patch" bad
flip bad "$table"
cp bad "$beside"
aside "does not match its digest"
fresh
expect_error 3 patch-table inst install bad
head -c $((size - 3000)) "$patch" >bad
expect_error 3 tar-truncated inst install bad
cp bad "$beside"
aside "the patch"
fresh
expect_exit 3 sh -c "cat bad | $top_build/artifact-install -c dev/install.conf install -v -"

step "an old image that has changed: the rows of those records are fetched"
cp "$patch" "$beside"
fresh
at=$(python3 -c 'print(open("dev/b.img", "rb").read().index(open("program.1", "rb").read()[4096:4128]))')
flip dev/b.img $((at + 300))
flip dev/b.img $((at + 800000))
get patch-and-chunks
slot_is a v2.artifact
fresh
flip dev/b.img $((at + 300))
expect_error 8 patch-short inst install "$patch"
boot_says bad=a

step "nothing is known of the old slot"
fresh
rm -r dev/state/slot-b
expect_error 5 patch-old inst install "$patch"
get chunks
slot_is a v2.artifact

step "killed here and there, and run again"
[ -f "$top_build/failio.so" ] || skip "built without unit tests"
fresh
expect_exit 0 shim eio 0 "$top_build/artifact-install" -c dev/install.conf install -q "$patch"
total=$(calls)
[ "$total" -gt 50 ] || fail "the shim counts nothing"
for n in 1 2 3 4 5 6 7 8 9; do
	fresh
	shim kill $((n * total / 10)) "$top_build/artifact-install" -c dev/install.conf install -q "$patch" >out 2>err || :
	boot_says default=b
	cmp dev/b.img start/b.img || fail "the running slot was written"
	expect_exit 0 inst install "$patch"
	slot_is a v2.artifact
	boot_says trial=a
done
assert_no_litter
