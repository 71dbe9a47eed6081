#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# artifact-inspect extract where something is there already, and where it does not come to its end.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires artifact-inspect python3 openssl zstd mke2fs
inspect=$top_build/artifact-inspect
cd "$tmp"
umask 022

make_key good
mkdir -p root/bin root/etc/deep root/home/private
echo hello >root/etc/hello
echo deeper >root/etc/deep/file
echo mine >root/home/private/file
for n in 1 2 3 4; do
	head -c 200000 /dev/urandom >root/bin/$n
done
ln root/bin/1 root/etc/hard
ln -s hello root/etc/link
chmod 700 root/home/private
chmod 775 root/etc
touch -d 2020-01-02T03:04:05Z root/home/private/file root/etc/hello root/etc/deep root/etc root/home/private root/home
truncate -s 4M image
mke2fs -q -t ext4 -d root image
debugfs -w -R "ea_set /etc user.note image" image 2>/dev/null || :
make_artifact a.artifact good --image image --filesystem ext4
state() { # PATH...
	stat -c '%n %a %u:%g %Y' "$@"
}

step "directories that were there before stay as they are"
mkdir -p out.d/etc/deep out.d/home
echo own >out.d/etc/own
chmod 711 out.d/etc
chmod 750 out.d
[ "$(id -u)" != 0 ] || chown 12:34 out.d/etc
state out.d/etc out.d >before
expect_exit 0 "$inspect" extract --keys good.keys -C out.d a.artifact
# A new entry is a change of the directory's content: the time is the only thing that may move, and is not the image's.
state out.d/etc out.d | cut -d' ' -f1-3 >after
cut -d' ' -f1-3 before | diff - after || fail "a directory's mode or owner was changed"
[ "$(stat -c %Y out.d/etc)" -gt "$(stat -c %Y root/etc)" ] || fail "a directory's time was changed"
python3 -c 'import os, sys; sys.exit("user.note" in os.listxattr("out.d/etc"))' || fail "an attribute was set"
[ "$(cat out.d/etc/own out.d/etc/hello)" = "$(printf 'own\nhello')" ] || fail "content"
[ "$(stat -c %a:%Y out.d/home/private)" = "$(stat -c %a:%Y root/home/private)" ] || fail "a directory that was made"
mkdir fresh
expect_exit 0 "$inspect" extract --keys good.keys -C fresh a.artifact
[ "$(stat -c %a:%Y fresh/etc fresh/home)" = "$(stat -c %a:%Y root/etc root/home)" ] || fail "directories that were made"

step "what is in the way"
for at in /etc/hello /etc/link /etc/hard /home; do
	rm -rf way
	mkdir way way/etc
	echo own >"way$at"
	expect_error 6 io "$inspect" extract --keys good.keys -C way a.artifact
	expect_err "'$at' is there already, and nothing is overwritten: remove it, or name another directory with -C"
	[ "$(cat "way$at")" = own ] || fail "$at was overwritten"
done

# Every file in $1 is whole, with its mode and time.
whole() {
	(cd "$1" && find . -type f) | sed 's/^\.//' >found
	while read -r at; do
		cmp "$1$at" "root$at" || fail "$at is half there"
		[ "$(stat -c %a:%Y "$1$at")" = "$(stat -c %a:%Y "root$at")" ] || fail "mode or time of $at"
	done <found
}

step "an error: no half file, and directories as they should be"
cp a.artifact bad.artifact
python3 - <<'END'
data = bytearray(open("bad.artifact", "rb").read())
want = open("root/bin/3", "rb").read()
at = data.find(want[100000:100064])
assert at > 0
data[at] ^= 1
open("bad.artifact", "wb").write(data)
END
mkdir bad
expect_error 3 chunk-stored "$inspect" extract --keys good.keys -C bad bad.artifact /home /bin
whole bad
[ -e bad/bin/1 ] && [ ! -e bad/bin/3 ] && [ "$(ls -A bad bad/bin | wc -l)" -le 8 ] || fail "what is there: $(ls -lAR bad)"
[ "$(stat -c %a bad/bin bad/home/private)" = "$(stat -c %a root/bin root/home/private)" ] || fail "modes of directories"

if [ -f "$top_build/failio.so" ]; then
	step "killed, or refused a call, anywhere"
	head -c 16 /dev/zero >count
	mkdir none
	expect_exit 0 env FAULT_FILE="$tmp/count" FAULT_AT=0 LD_PRELOAD="$top_build/failio.so" "$inspect" extract --keys good.keys -C none a.artifact
	calls=$(python3 -c 'import struct; print(struct.unpack("=QQ", open("count", "rb").read(16))[0])')
	for how in kill eio; do
		for n in $(seq 1 20); do
			head -c 16 /dev/zero >count
			rm -rf cut
			mkdir cut
			FAULT_FILE=$tmp/count FAULT_AT=$((calls * n / 21)) FAULT_HOW=$how LD_PRELOAD="$top_build/failio.so" \
				"$inspect" extract --keys good.keys -C cut a.artifact >out 2>err || :
			whole cut
			[ $how = kill ] || [ ! -d cut/home/private ] || [ "$(stat -c %a cut/home/private)" = 700 ] || fail "call $n"
			[ $how = kill ] || [ ! -d cut/bin ] || [ "$(stat -c %a cut/bin)" = 755 ] || fail "mode of a directory after call $n"
		done
	done
fi

assert_no_litter
