#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the device has already is not downloaded: from the running slot, the target itself and configured seeds, by kept index or by
# scan; and seeds that changed or lie cost bytes, never a wrong image.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires artifact-fetch sha256sum

TWINROOT_FETCH=$top_build/artifact-fetch
export TWINROOT_FETCH
make_device 8388608
make_versions
cd "$tmp"
background python3 "$top_src/tests/e2e/bad_server.py" v2.artifact port 2>log
url=http://127.0.0.1:$(port_of port)

# Slot b runs and holds v1, with its index kept; slot a is noise of which nothing is known.
start_with v1.artifact

get() { # NAME [OPTION...]: install v2 over http; the download in $bytes
	name=$1
	shift
	expect_exit 0 inst install --json "$@" "$url/good/$name/0"
	bytes=$(json "d['download']")
}

step "from the running slot, by its kept index; a dry run tells the bytes before"
get 1 --dry-run
planned=$(json "d['download'], d['ranges'], d['copied'], d['fetched'], d['written'], d['zeroed'], d['same']")
cmp dev/a.img start/a.img || fail "a dry run wrote"
get 2
[ "$(json "d['download'], d['ranges'], d['copied'], d['fetched'], d['written'], d['zeroed'], d['same']")" = "$planned" ] ||
	fail "planned $planned, done: $(cat out)"
slot_is a v2.artifact
[ "$(json "d['copied'] > 2000000 and d['copied'] + d['download'] > 2000000 and d['download'] < 400000")" = true ] || fail "$(cat out)"
[ "$(json "d['download'] <= d['received'] < d['download'] + 200000 and d['requests'] > 1")" = true ] || fail "$(cat out)"
best=$bytes
cp -a dev finished
grep -q '"copied": *[1-9]' dev/state/log || fail "the log does not tell: $(grep written dev/state/log)"
# As text.
fresh
expect_exit 0 inst install "$url/good/2t/0"
expect_out "copied from this device"
expect_out "downloaded: $best bytes in "

step "again: nothing is downloaded, nothing is written"
rm -rf dev
cp -a finished dev
boot_slot b
boot_set trial=none left=0
get 3
[ "$(json "d['download'] + d['written'] + d['zeroed']")" = 0 ] || fail "$(cat out)"

step "a seed that changed: those chunks are fetched, the image is right"
fresh
python3 -c 'import os
f = open("dev/b.img", "r+b")
for off in range(1 << 20, 5 << 20, 1 << 18):
    f.seek(off)
    f.write(os.urandom(512))'
get 4
slot_is a v2.artifact
if [ "$bytes" -le "$best" ] || [ "$bytes" -ge $((best + 400000)) ]; then fail "$bytes after a change, $best before"; fi

step "a kept index that is damaged, cut short, or gone: the slot is read through"
for how in damaged short gone nomanifest; do
	fresh
	case $how in
	damaged) flip dev/state/slot-b/rootfs.0000.index 2000 ;;
	short) truncate -s -40 dev/state/slot-b/rootfs.0000.index ;;
	gone) rm dev/state/slot-b/rootfs.0000.index ;;
	nomanifest) rm -r dev/state/slot-b ;;
	esac
	get "5$how"
	[ $how = nomanifest ] || expect_err "the index kept of slot b cannot be used"
	slot_is a v2.artifact
	# Chunks that are no multiple of 4 KiB from the start of the image are not found so; here there are none but the last.
	[ "$bytes" -lt $((best + 100000)) ] || fail "$how: $bytes, $best with the index"
done
[ -z "$(find dev/state -name '.twinroot-*')" ] || fail "the scan left a file"

step "a kept index that is whole and of another image: nothing is found, all is fetched, the image is right"
fresh
make_noise 9 8388608 >dev/b.img
get 6
slot_is a v2.artifact
[ "$(json "d['copied']")" = 0 ] || fail "$(cat out)"

step "a kept index that is as its manifest says, and places chunks where no seed is"
for offset in 0xfffffffffffffffe 0xc800000000000000; do
	fresh
	python3 -c 'import hashlib, json, struct, sys
folder, offset = sys.argv[1], int(sys.argv[2], 0)
with open(folder + "/rootfs.0000.index", "rb") as file:
    index = bytearray(file.read())
with open(folder + "/manifest.json") as file:
    manifest = json.load(file)
pages = -(-len(index) // (32 + 16384))
page, row = 32 * pages, 32 * pages + 24
before = 0
while struct.unpack_from("<I", index, row)[0] >> 28 & 3 != 1: # to the first row that has bytes
    before += struct.unpack_from("<I", index, row)[0] & 0xfffffff
    row += 40
struct.pack_into("<Q", index, page, (offset - before) % 2**64)
for n in range(pages):
    at = page + 16384 * n
    index[32 * n:32 * n + 32] = hashlib.sha256(index[at:at + 16384]).digest()
manifest["payloads"][0]["segments"][0]["index-sha256"] = hashlib.sha256(index[:page]).hexdigest()
text = json.dumps(manifest, separators=(",", ":")).encode() + b"\n"
with open(folder + "/rootfs.0000.index", "wb") as file:
    file.write(index)
with open(folder + "/manifest.json", "wb") as file:
    file.write(text.ljust(-(-len(text) // 4096) * 4096))' dev/state/slot-b "$offset"
	get "forged-$offset"
	slot_is a v2.artifact
done

step "a configured seed; one that is not there is told"
fresh
cp dev/b.img old.img
make_noise 9 8388608 >dev/b.img
rm -r dev/state/slot-b
printf '[download]\nseeds = %s %s\n' "$tmp/old.img" "$tmp/no.img" >>dev/install.conf
get 7
expect_err "there is no '$tmp/no.img' to take chunks from"
slot_is a v2.artifact
[ "$bytes" -lt $((best + 100000)) ] || fail "$bytes, $best with the index"

step "the target itself: what lies ahead of where it is needed"
fresh
cp dev/b.img dev/a.img
cp -r dev/state/slot-b dev/state/slot-a
make_noise 9 8388608 >dev/b.img
rm -r dev/state/slot-b
get 8 --dry-run
planned=$bytes
get 9
[ "$planned" = "$bytes" ] || fail "planned $planned, done $bytes"
slot_is a v2.artifact
[ "$(json "d['same'] > 1000000")" = true ] || fail "$(cat out)"

step "a full download where it was forbidden"
fresh
printf '[download]\nfull = never\n' >>dev/install.conf
get 10
[ "$bytes" = "$best" ] || fail "$bytes"
fresh
make_noise 9 8388608 >dev/b.img
rm -r dev/state/slot-b
printf '[download]\nfull = never\n' >>dev/install.conf
cp -r dev before
expect_exit 8 inst install "$url/good/11/0"
expect_err " bytes of "
expect_err "[download] full = never"
cmp dev/a.img before/a.img
cmp dev/boot before/boot
expect_exit 8 inst install "$url/norange/0/0"
cmp dev/a.img before/a.img
received=$(awk '/norange/ { n++ } END { print n }' log)
[ "$received" = 1 ] || fail "$received requests to a server without ranges"

step "a full download where it was forbidden, and the storage is why it would come to that"
[ -f "$top_build/failio.so" ] || skip "built without unit tests"
rm root/copy root/text root/text2
truncate -s 600000 root/noise
make_noise 6 4000000 >root/new
create v4 4.0
background python3 "$top_src/tests/e2e/bad_server.py" v4.artifact port4 2>log4
url=http://127.0.0.1:$(port_of port4)
refusing() { # AT COMMAND...: write AT of an install of v4 is lost
	fresh
	printf '[download]\nfull = never\n' >>dev/install.conf
	at=$1
	shift
	"$@" shim lost "$at" "$top_build/artifact-install" -c dev/install.conf install -v "$url/good/12-$at/0"
}
refusing 0 expect_exit 0
slot_is a v4.artifact
# The one before the record's is the rest that did not fill a buffer; before that are 256 KiB of what only the server has.
refusing $(($(calls) - 3)) expect_error 8 net-range
expect_err "payload 'rootfs': the storage reads back something else than was written, and a full download is refused"
boot_says default=b trial=none bad=a
grep -q '"event":"read-back".*"equal":false' dev/state/log || fail "$(cat dev/state/log)"

assert_no_litter
