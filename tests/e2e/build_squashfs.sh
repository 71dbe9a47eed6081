#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# squashfs images from tarballs and directories: complete, the same bytes every time, and cut where their blocks are.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tool=$PWD/fstool
for program in python3 tar mksquashfs unsquashfs; do
	command -v "$program" >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/twinroot-squash.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"

fail() {
	echo "FAIL: $*"
	exit 1
}
build() { # SOURCE OUT
	"$tool" build squashfs "$1" "$2" 0 1700000000 "app 1.0"
}
compare() { # IMAGE TAR
	"$tool" list "$1" >listing
	python3 "$here/fs_kit.py" compare "$2" listing --squashfs || fail "$1 is not what $2 says"
}
refuse() { # STATUS TEXT SOURCE
	status=0
	build "$3" refused 2>errors || status=$?
	[ "$status" -eq "$1" ] || fail "$3: exit $status, not $1: $(cat errors)"
	grep -q -- "$2" errors || fail "$3: no '$2' in: $(cat errors)"
	[ ! -e refused ] || fail "$3: an image was left behind"
}

python3 "$here/fs_kit.py" make t.tar
build t.tar one.img
built=$(date +%s)
compare one.img t.tar
unsquashfs -stat one.img >stat.log
grep -q 'Compression zstd' stat.log || fail "not zstd"
grep -q 'Creation or last append time Tue Nov 14 .*2023' stat.log || fail "a time of the build"
unsquashfs -lln one.img >/dev/null || fail "unsquashfs does not read it"
tar -xOf t.tar ./large >large
unsquashfs -cat one.img large | cmp - large

while [ $(($(date +%s) - built)) -lt 2 ]; do sleep 1; done
SOURCE_DATE_EPOCH=5 build - two.img <t.tar # the option counts, not the environment
cmp one.img two.img

# A directory gives what its tarball gives.
mkdir -p d/sub
echo text >d/sub/file
ln d/sub/file d/hard
ln -s /absolute d/link
head -c 300000 /dev/urandom >d/random
head -c 300000 /dev/zero >d/zero
seq 100000 >d/numbers
find d -exec touch -h -d '2023-01-02 03:04:05 UTC' {} +
tar -C d --format=posix --numeric-owner -cf d.tar .
build d d.img
build d.tar dtar.img
cmp d.img dtar.img
compare d.img d.tar

# Images of others: each compressor, and without.
for method in gzip xz lz4 zstd none; do
	options="-comp $method"
	[ $method != none ] || options="-comp gzip -noI -noD -noF -noX -noId"
	# shellcheck disable=SC2086
	mksquashfs d foreign.img -noappend -quiet -no-progress $options >/dev/null
	compare foreign.img d.tar
done
mksquashfs d lzo.img -noappend -quiet -no-progress -comp lzo >/dev/null
"$tool" list lzo.img 2>errors >/dev/null && fail "lzo is not known"
grep -q "'lzo' is not built in" errors || fail "$(cat errors)"

# One block is one region, and a change in one file changes few of them.
sed -i 's/^5000$/XXXX/' d/numbers
touch -d '2023-01-02 03:04:05 UTC' d d/numbers
build d new.img
"$tool" regions d.img >old.regions
"$tool" regions new.img >new.regions
python3 - <<'E'
import hashlib
def blocks(name):
    image, found, end = open(name + ".img", "rb").read(), [], 0
    for line in open({"d": "old", "new": "new"}[name] + ".regions"):
        kind, offset, length = line.split()
        offset, length = int(offset), int(length)
        assert offset == end, "a gap"
        end += length
        if kind == "block":
            assert length <= 131072
            found.append(hashlib.sha256(image[offset:offset + length]).digest())
        else:
            assert kind == "meta", kind
    assert end == len(image)
    return found
old, new = blocks("d"), blocks("new")
print("%d blocks, %d of them new after a change" % (len(new), len(set(new) - set(old))))
assert len(new) >= 6 and 1 <= len(set(new) - set(old)) <= 2
E
truncate -s +1M d.img
[ "$("$tool" regions d.img | tail -n 1 | cut -d' ' -f1,3)" = "data 1048576" ] || fail "bytes after the end"

# Damage is found or harmless; nothing crashes.
python3 - "$tool" <<'E'
import random, subprocess, sys
good, rng, refused = open("dtar.img", "rb").read(), random.Random(7), 0
for i in range(150):
    bad = bytearray(good)
    for _ in range(rng.randrange(1, 4)):
        # The superblock and the tables at the end are what is parsed.
        at = rng.randrange(96) if i % 3 == 0 else len(bad) - 1 - rng.randrange(1500)
        bad[at] = rng.randrange(256)
    open("bad.img", "wb").write(bad)
    for command in "list", "regions", "scan":
        run = subprocess.run([sys.argv[1], command, "bad.img"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, timeout=60)
        assert run.returncode in (0, 1, 3, 6), (i, command, run.returncode)
        assert run.returncode == 0 or run.stderr
        refused += run.returncode != 0
assert refused > 20
print("450 readings of damaged images, %d refused" % refused)
E
head -c 60000 dtar.img >cut.img
[ "$("$tool" regions cut.img)" = "data 0 60000" ] || fail "a cut image"

# Bad input, and a machine without mksquashfs.
head -c 6000000 t.tar >cut.tar
refuse 1 "cannot read tarball\|Truncated" cut.tar
status=0
PATH=/nonexistent "$tool" build squashfs d.tar refused 0 1 x 2>errors || status=$?
{ [ "$status" -eq 1 ] && grep -q "cannot run mksquashfs" errors; } || fail "without mksquashfs: $(cat errors)"
python3 - <<'E'
import tarfile
with tarfile.open("root.tar", "w", format=tarfile.PAX_FORMAT) as tar:
    info = tarfile.TarInfo("./")
    info.type, info.pax_headers = tarfile.DIRTYPE, {"SCHILY.xattr.user.x": "1"}
    tar.addfile(info)
E
refuse 1 "which mksquashfs would lose" root.tar
echo "build_squashfs: OK"
