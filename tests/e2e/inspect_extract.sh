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

assert_no_litter
