#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What artifact-inspect diff says of files, where the chunk index tells and where it does not; and how much of an artifact it fetches for that.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires artifact-inspect mkartifact python3 openssl mke2fs debugfs mksquashfs
inspect=$top_build/artifact-inspect
cd "$tmp"
make_key good

mkdir -p root/big root/small root/etc
for n in 1 2 3 4 5 6 7 8; do
	head -c 2400000 /dev/urandom >root/big/"$n"
done
for n in $(seq 60); do
	head -c $((n * 60)) /dev/urandom >root/small/"$n"
done
truncate -s 100000 root/hole
echo 1 >root/etc/version
cp -a root new
change() { # FILE AT: another byte there, and the same size
	python3 -c 'import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0] ^ 1
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte]))' "$1" "$2"
}
change new/big/2 0
change new/big/4 2399999
change new/big/5 200000
change new/small/7 3
change new/small/60 3599
echo more >>new/big/8
chmod 600 new/small/9
mv new/small/50 new/small/moved
want='["/big/2", "/big/4", "/big/5", "/big/8", "/small/60", "/small/7", "/small/9"]'

release() { # NAME IMAGE VERSION
	"$mkartifact" create -q -o "$1" --name test --version "$3" --compatible test-board --arch any --no-sbom --key good.pem --rootfs "$2"
}
ext4() { # IMAGE FOLDER
	truncate -s 40M "$1"
	mke2fs -q -t ext4 -d "$2" "$1"
}
squash() { # IMAGE FOLDER OPTION...
	sq_image=$1 sq_folder=$2
	shift 2
	mksquashfs "$sq_folder" "$sq_image" -quiet -no-progress -all-root "$@" >/dev/null
	truncate -s %4096 "$sq_image"
}
tells() { # OLD NEW [CHANGED]: these files changed, one was added and one removed
	expect_exit 0 "$inspect" diff --json --keys good.keys "$1" "$2"
	[ "$(json '[f["path"] for f in d["files"]["changed"] if f["path"].count("/") == 2 or "xattrs" in f["what"]]')" = "${3:-$want}" ] || fail "$(cat out)"
	[ "$(json 'd["files"]["added"], d["files"]["removed"]')" = '[["/small/moved"], ["/small/50"]]' ] || fail "$(cat out)"
}

step "ext4"
ext4 old.img root
ext4 new.img new
# Inodes whose content is elsewhere than in blocks that were written: allocated only, and within the inode.
debugfs -w -R "write /dev/null /fallocated" old.img 2>/dev/null
debugfs -w -R "write /dev/null /fallocated" new.img 2>/dev/null
debugfs -w -R "fallocate /fallocated 0 7" old.img 2>/dev/null
debugfs -w -R "fallocate /fallocated 0 7" new.img 2>/dev/null
debugfs -w -R "set_inode_field /fallocated size 30000" old.img 2>/dev/null
debugfs -w -R "set_inode_field /fallocated size 30000" new.img 2>/dev/null
release old.artifact old.img 1
release new.artifact new.img 2
tells old.artifact new.artifact
[ "$(json '[f["what"] for f in d["files"]["changed"] if f["path"] in ("/big/4", "/small/9")]')" = '[["content"], ["mode"]]' ] || fail "$(cat out)"
expect_exit 0 "$inspect" diff --json --keys good.keys old.artifact old.artifact
[ "$(json 'sum(map(len, d["files"].values()))')" = 0 ] || fail "$(cat out)"

step "extended attributes"
cp new.img attributes.img
debugfs -w -R "ea_set /big/1 user.note hello" attributes.img 2>/dev/null
debugfs -w -R "ea_set /big/3 security.capability x" attributes.img 2>/dev/null
release attributes.artifact attributes.img 3
expect_exit 0 "$inspect" diff --json --keys good.keys new.artifact attributes.artifact
[ "$(json '[[f["path"], f["what"]] for f in d["files"]["changed"]]')" = '[["/big/1", ["xattrs"]], ["/big/3", ["xattrs"]]]' ] || fail "$(cat out)"

step "a terabyte of hole, thousands of names in one directory: read is what is there" # without that, hours
mkdir -p large/names
(cd large/names && seq -f name-%g 4000 | xargs touch)
truncate -s 1200G large/hole
echo end >>large/hole
for n in 1 2; do
	echo "$n" >large/version
	ext4 "large$n.img" large
	release "large$n.artifact" "large$n.img" "$n"
done
expect_exit 0 timeout 120 "$inspect" diff --json --keys good.keys large1.artifact large2.artifact
[ "$(json '[f["path"] for f in d["files"]["changed"] if f["what"] == ["content"]]')" = '["/version"]' ] || fail "$(cat out)"

step "inodes that cannot be"
for field in "size 0xfffffffffffff000" "mode 0"; do
	cp old.img damaged.img
	debugfs -w -R "set_inode_field /small/1 $field" damaged.img 2>/dev/null
	release damaged.artifact damaged.img 1
	expect_exit 1 "$inspect" ls -lR --keys good.keys damaged.artifact /
	word=${field%% *}
	[ "$word" = size ] || word="type"
	grep -q "is damaged: its $word cannot be" err || fail "$(cat err)"
done

step "squashfs, and of another compressor, block size and kind"
squash old.sq root
squash new.sq new
squash gzip.sq new -comp gzip
squash small.sq new -b 8192 -no-fragments
for n in old new gzip small; do
	release "$n.sq.artifact" "$n.sq" 2
done
for n in new gzip small; do
	tells old.sq.artifact "$n.sq.artifact"
	expect_exit 0 "$inspect" diff --json --keys good.keys new.sq.artifact "$n.sq.artifact"
	[ "$(json 'sum(map(len, d["files"].values()))')" = 0 ] || fail "$n: $(cat out)"
done
expect_exit 0 "$inspect" diff --json --keys good.keys old.sq.artifact new.artifact
[ "$(json '[f["path"] for f in d["files"]["changed"] if f["path"].count("/") == 2 and "content" in f["what"]]')" = \
	'["/big/2", "/big/4", "/big/5", "/big/8", "/small/60", "/small/7"]' ] || fail "$(cat out)"

step "no root filesystem, or one that is not read: the rest is compared all the same"
for n in 1 2; do
	head -c 300000 /dev/urandom >"boot.$n"
	truncate -s 303104 "boot.$n"
	"$mkartifact" create -q -o "boot.$n.artifact" --name test --version $n --compatible test-board --arch any --boot "boot.$n" --key good.pem
	for fs in erofs vfat raw; do
		make_artifact "$fs.$n.artifact" good --filesystem $fs --version $n --size $((n * 500 * 1024))
	done
done
not_compared() { # OLD NEW WHY [OPTION...]
	nc_old=$1 nc_new=$2 nc_why=$3
	shift 3
	expect_exit 0 "$inspect" diff --json --keys good.keys "$@" "$nc_old" "$nc_new"
	[ "$(json 'd["packages"], d["files"]')" = '[null, null]' ] || fail "$(cat out)"
	[ "$(json 'd["manifest"]["version"] != {} and d["download"]["total"] > 0 and d["download"]["chunks"] > 0')" = true ] || fail "$(cat out)"
	expect_exit 0 "$inspect" diff --keys good.keys "$@" "$nc_old" "$nc_new"
	expect_out "packages and files: not compared: $nc_why"
	expect_out "version: "
	expect_out "download: "
}
not_compared boot.1.artifact boot.2.artifact "'boot.1.artifact' has no root filesystem (--payload names another payload)"
not_compared boot.1.artifact boot.2.artifact "'boot.1.artifact' holds no filesystem there" --payload boot
not_compared boot.1.artifact new.artifact "'boot.1.artifact' has no root filesystem"
not_compared raw.1.artifact raw.2.artifact "'raw.1.artifact' holds no filesystem there"
not_compared old.artifact erofs.2.artifact "'erofs.2.artifact' holds the filesystem erofs, which is not read"
for fs in erofs vfat; do
	not_compared $fs.1.artifact $fs.2.artifact "'$fs.1.artifact' holds the filesystem $fs, which is not read"
	not_compared $fs.1.artifact $fs.2.artifact "'$fs.1.artifact' holds the filesystem $fs" --payload rootfs
done
expect_exit 1 "$inspect" diff --keys good.keys --payload nothing boot.1.artifact boot.2.artifact
expect_err "has no payload 'nothing'"

step "a patch: one that is named must be good, one that lies beside the artifact is left out"
"$mkartifact" delta -q --key good.pem old.artifact new.artifact
patch=$(ls new.artifact.patches/*)
patched() { # WANT: what diff says of the patch's size
	expect_exit 0 "$inspect" diff --json --keys good.keys old.artifact new.artifact
	[ "$(json 'd["download"]["patch"] and d["download"]["patch"]["size"]')" = "$1" ] || fail "$(cat out)"
}
patched "$(stat -c %s "$patch")"
refuse_err "patch"
cp "$patch" good.patch
make_key stranger
for what in damaged untrusted other artifact; do
	case $what in
	damaged) flip "$patch" 700; status=4 ;;
	untrusted) "$mkartifact" delta -q --key stranger.pem -o "$patch" old.artifact new.artifact; status=4 ;;
	other) "$mkartifact" delta -q --key good.pem -o "$patch" new.artifact attributes.artifact; status=5 ;;
	artifact) cp new.artifact "$patch"; status=2 ;;
	esac
	patched null
	expect_err "the patch beside 'new.artifact' is not counted: $patch: "
	expect_exit 0 "$inspect" diff --keys good.keys old.artifact new.artifact
	expect_out "download: "
	refuse_out "with the patch: "
	expect_exit $status "$inspect" diff --keys good.keys --patch "$patch" old.artifact new.artifact
	expect_err "$patch: "
done
expect_exit 0 "$inspect" diff --keys good.keys --patch good.patch old.artifact new.artifact
expect_out "with the patch: "
refuse_err "not counted"

step "over http: metadata, and what cannot be told without a look"
mkdir web
mv new.artifact web/
background python3 "$top_src/tests/e2e/range_server.py" web port 2>log
expect_exit 0 "$inspect" diff -v --keys good.keys old.artifact "http://127.0.0.1:$(port_of port)/new.artifact"
got=$(sed -n 's/.* \([0-9]*\) bytes received.*/\1/p' err)
size=$(wc -c <web/new.artifact)
echo "$got of $size bytes received"
[ "$got" -gt 0 ] && [ "$got" -lt $((size / 3)) ] || fail "$got of $size bytes received"
assert_no_litter
