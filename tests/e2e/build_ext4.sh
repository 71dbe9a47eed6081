#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ext4 images from tarballs and directories: clean, complete, the same bytes every time.
# shellcheck disable=SC2094,SC3045 # separate files; ulimit -s is known to dash, bash and busybox
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tool=$PWD/fstool
PATH=$PATH:/usr/sbin:/sbin
for program in python3 tar zstd xz e2fsck debugfs; do
	command -v "$program" >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/twinroot-build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"

fail() {
	echo "FAIL: $*"
	exit 1
}
build() { # SOURCE OUT SIZE
	"$tool" build ext4 "$1" "$2" "$3" 1700000000 "app 1.0"
}
check() { # IMAGE TAR
	e2fsck -fn "$1" >fsck.log 2>&1 || { cat fsck.log; fail "e2fsck of $1"; }
	"$tool" list "$1" >list
	python3 "$here/fs_kit.py" compare "$2" list || fail "$1 is not what $2 says"
}
refuse() { # STATUS TEXT SOURCE SIZE
	status=0
	build "$3" refused "$4" 2>errors || status=$?
	[ "$status" -eq "$1" ] || fail "$3: exit $status, not $1: $(cat errors)"
	grep -q -- "$2" errors || fail "$3: no '$2' in: $(cat errors)"
	[ ! -e refused ] || fail "$3: an image was left behind"
}

python3 "$here/fs_kit.py" make t.tar
build t.tar one.img 0
built=$(date +%s)
check one.img t.tar
[ $(($(stat -c %s one.img) % 4194304)) -eq 0 ] || fail "size is not a multiple of 4 MiB"

# Nothing of the clock, the compression or the way in gets into the image.
while [ $(($(date +%s) - built)) -lt 2 ]; do sleep 1; done
build t.tar two.img 0
cmp one.img two.img
zstd -q t.tar
build - piped.img 0 <t.tar.zst
cmp one.img piped.img
xz -1 -k t.tar
(cd / && TZ=Asia/Tokyo LC_ALL=C build "$work/t.tar.xz" "$work/three.img" 0)
cmp one.img three.img

# With a journal, in the size asked for; other group counts.
build t.tar large.img 1073741824
[ "$(stat -c %s large.img)" -eq 1073741824 ] || fail "size"
e2fsck -fn large.img >fsck.log 2>&1 || { cat fsck.log; fail "e2fsck of large.img"; }
sed 's/"inode":[0-9]*,//' list >list.one
"$tool" list large.img | sed 's/"inode":[0-9]*,//' >list.large
cmp list.one list.large
dumpe2fs -h large.img 2>/dev/null >super
grep -q '^Filesystem features:.* *has_journal' super || fail "no journal"
grep -q '^Filesystem features:.*metadata_csum' super || fail "no checksums"
! grep -Eq 'orphan_file|metadata_csum_seed' super || fail "features that old kernels do not know"
grep -q '^Filesystem UUID: *[0-9a-f]\{8\}-[0-9a-f]\{4\}-8' super || fail "UUID"
! grep -E '^(Filesystem created|Last write time|Last checked):' super | grep -v 'Nov 14 .*2023' ||
	fail "a time of the build in the superblock"
grep -q '^Lifetime writes' super && fail "lifetime writes in the superblock"
cp one.img recovered.img
e2fsck -fy recovered.img >/dev/null 2>&1 || fail "e2fsck -fy found something to do"

# A directory gives what its tarball gives.
mkdir -p d/sub d/many
echo text >d/sub/file
ln d/sub/file d/hard
ln -s sub/file d/link
mkfifo d/fifo
truncate -s 100M d/sparse
echo data | dd of=d/sparse bs=1 seek=50000000 conv=notrunc 2>/dev/null
chmod 4750 d/sub/file
chmod 1777 d/many
i=0
while [ $i -lt 700 ]; do
	: >"d/many/$i-a-name-that-makes-the-directory-grow"
	i=$((i + 1))
done
mkdir -p "d/$(printf 'p/%.0s' $(seq 200))"
find d -exec touch -h -d '2023-01-02 03:04:05.678901234 UTC' {} +
tar -C d --format=posix --numeric-owner -S -cf d.tar .
(ulimit -s 1024 && build d d.img 0) # deep directories cost little stack
build d.tar dtar.img 0
cmp d.img dtar.img
check d.img d.tar
[ "$(debugfs -R 'stat /sub/file' d.img 2>/dev/null | grep -c 'mtime: 0x63b249a5:a1dcd7c8')" -eq 1 ] ||
	fail "nanoseconds"

# As root, what GNU tar unpacks (with owners, devices, capabilities) gives the same again.
mkdir u
if [ "$(id -u)" -eq 0 ] &&
   tar -C u --numeric-owner --xattrs --xattrs-include='*' --xattrs-exclude='other.*' --acls -xpf t.tar 2>unpack.log; then
	build u u.img 0
	check u.img t.tar
else
	echo "not tried: unpacking as root ($(tail -n 1 unpack.log 2>/dev/null))"
fi

# Every kind of bad input.
refuse 6 "does not fit\|needs about" t.tar 8388608
refuse 2 "not a multiple" t.tar 10000000
refuse 6 "cannot read" missing.tar 0
head -c 100000 /dev/urandom >rubbish.tar
refuse 1 "cannot read tarball" rubbish.tar 0
head -c 6000000 t.tar >cut.tar
refuse 1 "cannot read tarball\|Truncated" cut.tar 0
: >empty.tar
refuse 1 "is empty\|Unrecognized" empty.tar 0
python3 - <<'E'
import io, tarfile
def one(out, *names, **more):
    with tarfile.open(out, "w") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            for key, value in more.items():
                setattr(info, key, value)
            tar.addfile(info)
one("dots.tar", "a/../../etc/passwd")
one("dots2.tar", "..")
one("link.tar", "a", type=tarfile.LNKTYPE, linkname="missing")
one("loop.tar", "a", type=tarfile.SYMTYPE, linkname="a")
one("name.tar", "n" * 256)
one("below.tar", "a", "a/b")
one("rootfile.tar", "./")
one("absolute.tar", "/etc//./passwd")
with tarfile.open("loop.tar", "a") as tar:
    tar.addfile(tarfile.TarInfo("a/b"))
with tarfile.open("full.tar", "w") as tar:
    tar.addfile(tarfile.TarInfo("d/f"))
    tar.addfile(tarfile.TarInfo("d"))
E
refuse 1 "holds '..'" dots.tar 0
refuse 1 "holds '..'" dots2.tar 0
refuse 1 "which is missing" link.tar 0
refuse 1 "too many symbolic links" loop.tar 0
refuse 1 "longer than 255" name.tar 0
refuse 1 "not a directory" below.tar 0
refuse 1 "not empty" full.tar 0
build absolute.tar absolute.img 0
"$tool" list absolute.img | grep -q "$(printf /etc/passwd | od -An -tx1 | tr -d ' \n')" ||
	fail "an absolute name was not taken as one inside the image"
echo "build_ext4: OK"
