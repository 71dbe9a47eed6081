#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mkartifact disk: GPT and MBR disks that other people's programs find right, that a device's installer takes for its own, that are
# the same bytes every time, and that a used card becomes through their block map; every refusal; nothing left behind.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
requires mkartifact artifact-inspect python3 sfdisk mkfs.vfat fsck.vfat mcopy e2fsck debugfs
"$mkartifact" --help | grep -q '^  disk ' || skip "mkartifact is built without disk"
cd "$tmp"
make_key k
make_key other
mkdir place
M=1048576

disk() { # everything but what lies where and in the slots
	"$mkartifact" disk -o place/d.img --keys k.keys "$@"
}

nothing_left() {
	[ -z "$(ls -A place)" ] || fail "left behind: $(ls -A place)"
	assert_no_litter
}

artifact() { # NAME VERSION OPTION...
	artifact_name=$1 artifact_version=$2
	shift 2
	echo "$artifact_version" >root/etc/version
	"$mkartifact" create -q -o "$artifact_name.artifact" --name test --version "$artifact_version" --arch any --no-sbom \
		--rootfs root --size 12M --key "${signer:-k}.pem" --created 2026-01-02T03:04:05Z "$@"
}

cut() { # IMAGE NAME: a partition out of it, by the JSON in disk.json
	python3 - "$1" "$2" <<'E'
import json, sys
p = [p for p in json.load(open("disk.json"))["partitions"] if p["name"] == sys.argv[2]][0]
with open(sys.argv[1], "rb") as f, open(sys.argv[2] + ".part", "wb") as out:
    f.seek(p["start"])
    out.write(f.read(p["size"]))
E
}

mkdir -p root/etc boot/grub boot/EFI/BOOT "boot/a directory" files/etc
python3 -c 'import random, sys
sys.stdout.buffer.write(random.Random(3).randbytes(900000))' >root/noise
seq 1 100000 >root/text
artifact v1 1.0 --compatible board --security-counter 3
artifact v2 2.0 --compatible board --compatible box --security-counter 4
artifact old 0.9 --compatible board --security-counter 2
artifact box 1.0 --compatible box --security-counter 3
head -c 4194304 /dev/zero | tr '\0' 'b' >boot.fs
(signer=other && artifact alien 1.0 --compatible board --security-counter 3)
artifact two 1.0 --compatible board --security-counter 3 --boot boot.fs
echo 'set x=1' >boot/grub/grub.cfg
seq 1 60000 >boot/EFI/BOOT/BOOTX64.EFI
echo long >'boot/a directory/A rather long name.text'
echo two >boot/config.txt
echo conf >files/etc/conf
touch -d '2020-02-02 02:02:02 UTC' files/etc/conf
head -c 440 /dev/urandom >code.bin
head -c 30000 /dev/urandom >raw.bin
head -c 8192 /dev/urandom >env.bin

cat >gpt.layout <<'E'
# a comment
[disk]
table = gpt
id = 7D3F0B5A-1B2C-4D5E-8F90-0123456789AB ; and another
boot-code = code.bin
compatible = board

[part.bios]
start = 1M
size = 1M
type = bios-boot
content = file
file = raw.bin

[part.boot]
type = esp
label = EFI System
size = 32M
bootable = yes
content = fat
directory = boot
volume = BOOT

[part.env]
size = 8M
content = file
file = env.bin@0
file = env.bin@4M

[part.rootfs-a]
size = 16M
content = slot-a:rootfs

[part.rootfs-b]
size = 16M
content = slot-b:rootfs
uuid = 11111111-2222-3333-4444-555555555555

[part.data]
content = data
directory = files
volume = data

[part.zero]
size = 4M
content = zero

[part.spare]
size = 4M
content = empty
E
# The same for an MBR, which has no labels, and room for a loader before the first partition.
sed -e 's/^table.*/table = mbr/; s/^id = .*/id = 0x1234ABCD/; s/^type = bios-boot/type = da/; s/^start = 1M/start = 2M/' \
	-e '/^label/d; /^uuid/d' gpt.layout >mbr.layout
printf '[raw]\nfile = raw.bin@8K\n' >>mbr.layout

cat >bmap.py <<'E'
# bmap.py IMAGE BMAP DISK.JSON OUT: check the map, and write what a card full of ones becomes through it.
import hashlib, json, re, sys, xml.etree.ElementTree as tree
image, bmap, disk, out = sys.argv[1:]
text = open(bmap).read()
root = tree.fromstring(text)
def number(name): return int(root.find(name).text)
assert root.get("version") == "2.0" and root.find("ChecksumType").text.strip() == "sha256"
sum_ = root.find("BmapFileChecksum").text.strip()
assert hashlib.sha256(text.replace(sum_, "0" * 64).encode()).hexdigest() == sum_, "BmapFileChecksum"
block, size = number("BlockSize"), number("ImageSize")
data = open(image, "rb").read()
assert size == len(data) and number("BlocksCount") == -(-size // block)
card = bytearray(b"\xff") * size
mapped, last, count = set(), -1, 0
for r in root.find("BlockMap"):
    first, _, end = r.text.strip().partition("-")
    first, end = int(first), int(end or first)
    assert first > last, "ranges are not in order"
    last = end
    piece = data[first * block:(end + 1) * block]
    assert hashlib.sha256(piece).hexdigest() == r.get("chksum"), "range %d" % first
    card[first * block:first * block + len(piece)] = piece
    count += end - first + 1
assert count == number("MappedBlocksCount")
for p in json.load(open(disk))["partitions"]:
    have = bytes(card[p["start"]:p["start"] + p["size"]])
    if p["content"] in ("fat", "zero"):
        assert have == data[p["start"]:p["start"] + p["size"]], p["name"]
    if p["content"] == "empty":
        assert have == b"\xff" * p["size"], "empty is mapped"
open(out, "wb").write(card)
print("%d of %d blocks mapped" % (count, number("BlocksCount")))
E

cat >table.py <<'E'
# table.py DISK.JSON: what sfdisk -J (on stdin) says of the table is what mkartifact says.
import json, sys
ours, theirs = json.load(open(sys.argv[1])), json.load(sys.stdin)["partitiontable"]
assert theirs["label"] == {"gpt": "gpt", "mbr": "dos"}[ours["table"]]
assert theirs["id"].lower() == ours["id"], theirs["id"]
found = {int(p["node"][len(theirs["device"]):]): p for p in theirs["partitions"]}
if ours["table"] == "mbr":
    assert found.pop(4)["type"] == "f"
assert sorted(found) == [p["number"] for p in ours["partitions"]]
for p in ours["partitions"]:
    t = found[p["number"]]
    assert t["start"] * 512 == p["start"] and t["size"] * 512 == p["size"], p
    assert t["type"].lower().lstrip("0") == p["type"].lower().lstrip("0"), p
    if ours["table"] == "gpt":
        assert t["uuid"].lower() == p["partuuid"] and t["name"] == p["partlabel"], p
        assert ("LegacyBIOSBootable" in t.get("attrs", "")) == p["bootable"], p
    else:
        assert p["partuuid"] == "1234abcd-%02x" % p["number"] and t.get("bootable", False) == p["bootable"], p
    assert p["name"] in ("bios",) or p["start"] % 4194304 == 0, p
E

for table in gpt mbr; do
	step "$table: what other programs see"
	start=$(date +%s)
	expect_exit 0 disk --layout $table.layout --slot-a v1.artifact --slot-b v2.artifact --data 40M --json
	cp out disk.json
	sfdisk --verify place/d.img >log 2>&1 || { cat log; fail "sfdisk --verify"; }
	grep -q 'No errors' log || { cat log; fail "sfdisk --verify"; }
	if [ $table = gpt ] && command -v sgdisk >/dev/null; then
		sgdisk -v place/d.img >log || { cat log; fail "sgdisk -v"; }
		grep -q 'No problems found' log || { cat log; fail "sgdisk -v"; }
	fi
	sfdisk -J place/d.img | python3 table.py disk.json || fail "the table is not the layout"
	cmp -n 440 code.bin place/d.img || fail "boot code"
	[ $table = gpt ] || cmp -n 30000 -i 0:8192 raw.bin place/d.img || fail "raw file"
	for name in bios boot env rootfs-a rootfs-b data zero; do
		cut place/d.img $name
	done
	cmp -n 30000 raw.bin bios.part || fail "a file in a partition"
	cmp -n 8192 env.bin env.part || fail "first copy of the environment"
	cmp -n 8192 -i 0:4194304 env.bin env.part || fail "second copy of the environment"

	step "$table: slots"
	for slot in a:v1 b:v2; do
		"$top_build/artifact-inspect" image --keys k.keys -o image "${slot#?:}.artifact"
		cmp -n $((12 * M)) image "rootfs-${slot%:*}.part" || fail "slot ${slot%:*} is not its image"
		rm image
	done

	step "$table: FAT"
	fsck.vfat -n boot.part >log || { cat log; fail "fsck.vfat"; }
	mkdir got
	mcopy -s -n -i boot.part ::/ got
	diff -r boot got || fail "FAT does not hold what the directory does"
	rm -r got
	mdir -i boot.part ::/config.txt | grep -q '2026-01-02 *3:04' || fail "a time of the build in the FAT"
	mlabel -s -i boot.part :: | grep -q BOOT || fail "volume label"

	step "$table: data"
	e2fsck -fn data.part >log 2>&1 || { cat log; fail "e2fsck"; }
	debugfs -R 'stat /etc/conf' data.part 2>/dev/null >log
	grep -q 'User: *0 *Group: *0' log || fail "a file of the builder's own"
	[ "$(debugfs -R 'cat /etc/conf' data.part 2>/dev/null)" = conf ] || fail "a data file"
	for name in twinroot twinroot/slot-a twinroot/slot-b; do
		debugfs -R "stat /$name" data.part 2>/dev/null | grep -q 'Type: directory *Mode: *0700' || fail "mode of $name"
	done
	debugfs -R 'stat /twinroot/state' data.part 2>/dev/null >log
	grep -q 'Type: regular *Mode: *0600' log && grep -q 'Blockcount: 8200' log || { cat log; fail "the record is not allocated"; }
	# By installer/state.md: what `status` shows would hide a floor that the kept manifest makes up for.
	debugfs -R 'dump /twinroot/state record' data.part 2>/dev/null
	python3 - <<'E' || fail "the state record"
import hashlib, struct
d = open("record", "rb").read()
assert len(d) == 4194304 + 4096 and not any(d[4096:4194304])
for b, sequence in (d[:4096], 1), (d[4194304:], 2):
    assert hashlib.sha256(b[:4064]).digest() == b[4064:]
    assert struct.unpack("<8sIIQQBBBBI", b[:40]) == (b"TWINSTAT", 1, 4096, sequence, 0, 5, 0, 255, 0, 3), b[:40]
E
	for n in 1 2; do
		slot="slot-a"
		[ $n = 1 ] || slot="slot-b"
		for pair in manifest.json:manifest.json manifest.sig:manifest.sig rootfs.0000.index:payload/rootfs/0000.index; do
			debugfs -R "dump /twinroot/$slot/${pair%%:*} kept" data.part 2>/dev/null
			tar -xOf v$n.artifact "${pair#*:}" >member
			cmp member kept || fail "$slot/${pair%%:*}"
		done
	done

	step "$table: the block map"
	python3 bmap.py place/d.img place/d.img.bmap disk.json card || fail "block map"
	mv place/d.img d.$table
	mv place/d.img.bmap d.$table.bmap
	cut card data
	e2fsck -fn data.part >log 2>&1 || { cat log; fail "a card that held something else is not clean"; }
	cut card rootfs-a
	"$top_build/artifact-inspect" image --keys k.keys -o image v1.artifact
	cmp -n $((12 * M)) image rootfs-a.part || fail "slot a of a card that held something else"
	rm image card
	if command -v bmaptool >/dev/null; then
		bmaptool -q copy d.$table copied || fail "bmaptool"
		cmp d.$table copied || fail "bmaptool makes another disk"
		rm copied
	fi
	[ "$(du -k d.$table | sed 's/[^0-9].*//')" -lt 6000 ] || fail "not sparse: $(du -k d.$table)"

	step "$table: the same bytes two seconds later, from other places, by another umask"
	while [ $(($(date +%s) - start)) -lt 2 ]; do sleep 1; done
	mkdir moved
	cp -R boot files ./*.bin ./*.layout moved
	touch -d '2020-02-02 02:02:02 UTC' moved/files/etc/conf # the only time that gets in
	(umask 077 && TZ=Asia/Tokyo && export TZ && disk -q --layout moved/$table.layout --slot-a v1.artifact --slot-b v2.artifact --data 40M)
	cmp d.$table place/d.img || fail "the disk differs"
	cmp d.$table.bmap place/d.img.bmap || fail "the block map differs"
	rm -r moved place/d.img place/d.img.bmap
	SOURCE_DATE_EPOCH=1600000000 disk -q --layout $table.layout --slot-a v1.artifact --slot-b v2.artifact --data 40M
	! cmp -s d.$table place/d.img || fail "SOURCE_DATE_EPOCH does not show"
	rm place/d.img place/d.img.bmap
	nothing_left
done

step "other sizes and options"
sed -e '/^\[disk/a entries = 56' -e '/^start/s/1M/64K/; /^boot-code/d' -e 's/^type = bios-boot/type = 8da63339-0007-60c0-c436-083ac8230908/' gpt.layout >small.layout
printf '[raw]\nfile = raw.bin@8K\n' >>small.layout
expect_exit 0 disk --layout small.layout --slot-a v1.artifact --data 16M --no-bmap
cmp -n 30000 -i 0:8192 raw.bin place/d.img || fail "raw file behind a short table"
sfdisk -J place/d.img | grep -qi '"8da63339-0007-60c0-c436-083ac8230908"' || fail "a GUID as the type"
sfdisk --verify place/d.img | grep -q 'No errors' || fail "a table of 56 entries"
[ "$(ls place)" = d.img ] || fail "a block map that was not wanted"
sed -e '/^\[disk/a size = 256M' -e '/^\[part.data/,/^volume/d' -e '/^\[part.zero/,$d' mbr.layout >rest.layout
printf '[part.data]\nsize = rest\ncontent = data\nstate = var/lib/state\n[part.fat]\nsize = 1M\ncontent = empty\nstart = 1M\n' >>rest.layout
expect_exit 2 disk --layout rest.layout --slot-a v1.artifact
expect_err "is for the last partition"
sed -i '/^\[part.fat/,$d' rest.layout
expect_exit 0 "$mkartifact" disk -o place/d.img --unsigned --layout rest.layout --slot-a v1.artifact --bmap place/other --json
cp out disk.json
[ "$(json 'd["size"]')" = $((256 * M)) ] && [ -s place/other ] || fail "size, or name of the block map"
cut place/d.img data
debugfs -R 'stat /var/lib/state/state' data.part 2>/dev/null | grep -q 'Type: regular' || fail "state directory"
! debugfs -R 'ls /var/lib/state' data.part 2>/dev/null | grep -q slot-b || fail "something is kept of an empty slot"
cut place/d.img rootfs-b
[ "$(tr -d '\0' <rootfs-b.part | wc -c)" = 0 ] || fail "slot b is not empty"
rm place/*
printf '[disk]\ntable = gpt\nid = 7d3f0b5a-1b2c-4d5e-8f90-0123456789ab\n[part.a]\nsize=16M\ncontent=slot-a:rootfs\n[part.a-boot]\nsize=4M\ncontent=slot-a:boot\n' >boot.layout
expect_exit 0 disk --layout boot.layout --slot-a two.artifact --json
expect_err "will not know"
cp out disk.json
cut place/d.img a-boot
cmp boot.fs a-boot.part || fail "the boot payload"
rm place/*
# A core.img is known by its block list's segment; GRUB itself boots such disks in tests/vm.
python3 - <<'E'
open("core.img", "wb").write(bytes(0x1fe) + b"\x20\x08" + b"x" * 2000)
open("boot.img", "wb").write(b"\x11" * 510 + b"\x55\xaa")
E
printf '[part.grub]\nstart=1M\nsize=1M\ncontent=grub\nfile=core.img\nboot=boot.img\n' >>boot.layout
expect_exit 0 disk --layout boot.layout --slot-a two.artifact --json
python3 - <<'E' || fail "GRUB's block lists"
import struct
d = open("place/d.img", "rb").read(2 << 20)
assert d[0x5c:0x64] == struct.pack("<Q", 2048) and d[0x66:0x68] == b"\x90\x90" and d[:0x5c] == b"\x11" * 0x5c
assert d[0x1b8:0x1be] != b"\x11" * 6 and d[510:512] == b"\x55\xaa"
assert struct.unpack("<QHH", d[(1 << 20) + 0x1f4:][:12]) == (2049, 4, 0x820)
E
rm place/*
cp v1.artifact core.img
expect_error 2 usage disk --layout boot.layout --slot-a two.artifact
expect_err "is not a core.img"
nothing_left

step "the installer finds a device that knows what it runs, and updates it"
if [ -x "$top_build/artifact-install" ]; then
	. "$top_src/tests/e2e/device.sh"
	make_device $((16 * M)) "compatible"
	sed -i '/^compatible/d; s/^type = .*/type = board/' dev/install.conf
	printf '[boot]\nbackend = script\nscript = %s/dev/boot.sh\n' "$tmp" >>dev/install.conf
	expect_exit 0 disk --layout gpt.layout --slot-a v1.artifact --slot-b v2.artifact --data 40M --json
	cp out disk.json
	for name in rootfs-a rootfs-b data; do
		cut place/d.img $name
	done
	rm place/*
	mv rootfs-a.part dev/a.img
	mv rootfs-b.part dev/b.img
	mkdir dev/state
	chmod 700 dev/state
	for file in state slot-a/manifest.json slot-a/manifest.sig slot-a/rootfs.0000.index slot-b/manifest.json slot-b/manifest.sig \
		slot-b/rootfs.0000.index; do
		mkdir -p "dev/state/${file%/*}" 2>/dev/null || :
		[ "${file%/*}" != state ] || rmdir dev/state/state 2>/dev/null || :
		debugfs -R "dump /twinroot/$file dev/state/$file" data.part 2>/dev/null
	done
	expect_exit 0 inst status --json
	[ "$(json '[d[k] for k in ("phase", "target", "state-record", "transaction", "security-floor", "running")]')" = \
		'["committed", "none", "ok", 0, 3, "a"]' ] || fail "state: $(cat out)"
	digest1=$(tar -xOf v1.artifact manifest.json | sha256sum)
	[ "$(json '[d["slots"]["a"][k] for k in ("content", "name", "version", "digest", "security-counter", "time")]')" = \
		"[\"good\", \"test\", \"1.0\", \"${digest1%% *}\", 3, 1767323045]" ] || fail "slot a: $(cat out)"
	[ "$(json '[d["slots"]["b"][k] for k in ("content", "version")]')" = '["good", "2.0"]' ] || fail "slot b: $(cat out)"
	# Slot b is good: going there is allowed. What it holds already is not written again.
	expect_exit 0 inst rollback
	boot_says trial=b
	boot_slot b
	expect_exit 0 inst commit
	artifact v3 3.0 --compatible board --security-counter 4
	expect_exit 0 inst install --json v3.artifact
	boot_says trial=a
	expect_exit 0 inst status --json
	[ "$(json 'd["security-floor"]')" = 4 ] || fail "the floor did not rise"
fi

step "refused: the command line"
usage() { # TEXT ARGUMENT...
	usage_text=$1
	shift
	expect_exit 2 "$mkartifact" disk "$@"
	expect_err "$usage_text"
	nothing_left
}
usage "no output" --layout gpt.layout --slot-a v1.artifact --keys k.keys
usage "standard output" -o - --layout gpt.layout --slot-a v1.artifact --keys k.keys
usage "no layout" -o place/d --slot-a v1.artifact --keys k.keys
usage "nothing to boot" -o place/d --layout gpt.layout --keys k.keys
usage "exclude" -o place/d --layout gpt.layout --slot-a v1.artifact --keys k.keys --unsigned
usage "exclude" -o place/d --layout gpt.layout --slot-a v1.artifact --keys k.keys --bmap x --no-bmap
usage "is not a size" -o place/d --layout gpt.layout --slot-a v1.artifact --keys k.keys --data many
usage "is not an option" -o place/d --layout gpt.layout --slot-a v1.artifact --keys k.keys more
usage "not a regular file" -o /dev/null --layout gpt.layout --slot-a v1.artifact --keys k.keys --data 16M
usage "is an input" -o v1.artifact --layout gpt.layout --slot-a v1.artifact --keys k.keys --data 16M
usage "is an input" -o place/d --bmap gpt.layout --layout gpt.layout --slot-a v1.artifact --keys k.keys --data 16M
usage "both the disk and its block map" -o place/d --bmap place/d --layout gpt.layout --slot-a v1.artifact --keys k.keys --data 16M
usage "is an input" -o "$(find boot -type f | head -n 1)" --layout gpt.layout --slot-a v1.artifact --keys k.keys --data 16M
usage "is an input" -o "$(find files -type f | head -n 1)" --layout gpt.layout --slot-a v1.artifact --keys k.keys --data 16M
usage "is an input" -o k.keys/k.pub.pem --layout gpt.layout --slot-a v1.artifact --keys k.keys --data 16M
usage "is an input" -o env.bin --layout gpt.layout --slot-a v1.artifact --keys k.keys --data 16M

step "refused: artifacts"
refused() { # STATUS NAME TEXT OPTION...
	refused_status=$1 refused_name=$2 refused_text=$3
	shift 3
	expect_error "$refused_status" "$refused_name" disk --layout gpt.layout --data 16M "$@"
	expect_err "$refused_text"
	nothing_left
}
expect_error 4 key-none "$mkartifact" disk -o place/d --layout gpt.layout --slot-a v1.artifact --data 16M
expect_err "--unsigned"
nothing_left
refused 4 key-none "" --slot-a v1.artifact --keys place
refused 4 sig-untrusted v1.artifact --slot-a v1.artifact --keys other.keys
refused 4 sig-untrusted alien.artifact --slot-a v1.artifact --slot-b alien.artifact
refused 6 io missing.artifact --slot-a missing.artifact
refused 5 compat-type "'box.artifact' is for 'box', this disk is for 'board'" --slot-a box.artifact
refused 5 compat-counter "no device would go back" --slot-a v1.artifact --slot-b old.artifact
refused 5 compat-payload "payload 'boot'" --slot-a two.artifact
sed '/^compatible/d' gpt.layout >any.layout
expect_error 5 compat-type disk --layout any.layout --data 16M --slot-a v1.artifact --slot-b box.artifact
expect_err "'v1.artifact' is for 'board', 'box.artifact' for 'box'"
expect_exit 0 disk --layout any.layout --data 16M --slot-a box.artifact --slot-b v2.artifact # both are for 'box'
rm place/*
expect_error 5 compat-payload disk --layout boot.layout --slot-a v1.artifact
expect_err "wants payload 'boot'"
sed '/^\[part.rootfs-b/,$s/16M/8M/' gpt.layout >tight.layout
expect_error 5 compat-size disk --layout tight.layout --data 16M --slot-a v1.artifact --slot-b v2.artifact
expect_err "has 12582912 bytes, [part.rootfs-b] has 8388608"
nothing_left
# Found while it is decoded: the image was under way.
cp v1.artifact bad.artifact
flip bad.artifact $(($(wc -c <bad.artifact) - 20000))
refused 3 chunk-stored bad.artifact --slot-a bad.artifact
head -c 40000 v1.artifact >short.artifact
refused 3 tar-truncated short.artifact --slot-a short.artifact
# Where nothing is decoded: the end, and a document.
cp v1.artifact bad.artifact
flip bad.artifact $(($(wc -c <bad.artifact) - 5))
refused 3 tar-end bad.artifact --slot-a bad.artifact
artifact doc 1.0 --compatible board --security-counter 3 --doc code.bin
cp doc.artifact bad.artifact
flip bad.artifact $(($(wc -c <bad.artifact) - 1500))
refused 3 doc-digest bad.artifact --slot-a bad.artifact

step "refused: layouts"
layout() { # TEXT SED-SCRIPT [FILE]: of a layout changed by it
	sed -e "$2" "${3:-gpt.layout}" >bad.layout
	! cmp -s bad.layout "${3:-gpt.layout}" || fail "nothing changed by '$2'"
	expect_exit 2 disk --layout bad.layout --slot-a v1.artifact --data 16M
	expect_err "$1"
	expect_err "bad.layout"
	nothing_left
}
layout "there is no section [dsk]" 's/^\[disk\]/[dsk]/'
layout "is not [SECTION]" 's/^\[disk\]/[disk/'
layout "is not [SECTION]" 's/^\[disk\]/[disk] x/'
layout "[disk] is there twice" '$a [disk]'
layout "[part.boot] is there twice" '$a [part.boot]'
layout "no name of a partition" '$a [part.Boot]'
layout "'content' of [part.x] is missing" '$a [part.x]'
layout "knows no key 'sise'" 's/^size = 8M/sise = 8M/'
layout "is given twice" 's/^volume = BOOT/&\n&/'
layout "'content' of [part.boot] is given twice" 's/^content = fat/&\n&/'
layout "is indented" 's/^file = env.bin@4M/ &/'
layout "longer than 198" "s|^directory = boot|directory = $(printf '%0200d' 0)|"
layout "has no value" 's/^volume = BOOT/volume =/'
layout "is not 'key = value'" 's/^volume = BOOT/volume/'
layout "before the first section" '1i x = y'
layout "'table' of [disk] is missing" '/^table/d'
layout "'id' of [disk] is missing" '/^id/d'
layout "a UUID is due" 's/^id = .*/id = 0x12345678/'
layout "8 hexadecimal digits" 's/^id = .*/id = 0x1234567/' mbr.layout
layout "gpt|mbr" 's/^table.*/table = dos/'
layout "'entries' of [disk]" 's/^table.*/&\nentries = 4/'
layout "is for table = gpt" 's/^table.*/&\nentries = 8/' mbr.layout
layout "an MBR has none" 's/^volume = BOOT/label = x/' mbr.layout
layout "which an MBR does not know" 's/^type = esp/type = bios-boot/' mbr.layout
layout "which an MBR does not know" 's/^type = esp/type = 05/' mbr.layout
layout "which a GPT does not know" 's/^type = esp/type = ef/'
layout "longer than 36" "s/^label.*/label = $(printf '%037d' 0)/"
layout "which is none" 's/^uuid = 1/uuid = g/'
layout "have the same PARTUUID" 's/^directory = files/uuid = 11111111-2222-3333-4444-555555555555\n&/'
layout "have the same label" 's/^directory = files/label = EFI System\n&/'
layout "a size" 's/^size = 8M/size = 8X/'
layout "a size" 's/^size = 8M/size = 0/'
layout "'size' of [part.env] is missing" '/^size = 8M/d'
layout "is a multiple of" 's/^size = 8M/size = 8000000/'
layout "is a multiple of" 's/^start = 1M/start = 1000000/'
layout "multiples of 4096" 's/^table.*/&\nalign = 1000/'
layout "'size' of [disk] is" 's/^table.*/&\nsize = 64M/'
layout "does not go with its content" 's/^volume = BOOT/state = x/'
layout "'file' of [part.boot] does not go" 's/^volume = BOOT/file = raw.bin/'
layout "'file' of [part.env] is missing" '/^file = env/d'
layout "slot-a:PAYLOAD" 's/^content = slot-b:rootfs/content = slot-b:Root/'
layout "slot-a:PAYLOAD" 's/^content = slot-b:rootfs/content = slot-c:rootfs/'
layout "wants what [part.rootfs-a] wants" 's/^content = slot-b:rootfs/content = slot-a:rootfs/'
layout "second data partition" 's/^content = zero/content = data/; s/^size = 4M/size = 16M/'
expect_exit 2 disk --layout gpt.layout --slot-a v1.artifact --data 8M
expect_err "16M at least"
layout "a path inside" 's/^volume = data/state = a\/..\/b/'
layout "12, 16 or 32" 's/^volume = BOOT/fat = 24/'
layout "begins at 64M" 's/^volume = BOOT/fat = 32/'
layout "'volume' of [part.boot]" 's/^volume = BOOT/volume = boot/'
layout "PATH@OFFSET" 's/^file = raw.bin/file = @5/'
layout "overlap in [part.env]" 's/^file = env.bin@4M/file = env.bin@4K/'
layout "overlaps the partition table" '$a [raw]\nfile = raw.bin@8K'
layout "overlaps the partition table" '$a [raw]\nfile = raw.bin'
layout "overlaps partition bios" '$a [raw]\nfile = raw.bin@1000K'
layout "overlaps partition boot" 's/^size = 8M/&\nstart = 20M/'
layout "overlaps the partition table" 's/^start = 1M/start = 512/'
layout "needs 1M before it" '/^\[part.spare/,$s/^size = 4M/&\nstart = 2M/' mbr.layout
layout "second boot code" 's/^content = file/content = grub\nboot = code.bin/; /^file = env.bin@4M/d'
# A byte order mark hides the section from us, and not from inih.
printf '\357\273\277[part.x]\nsize = 4M\n' >bad.layout
expect_exit 2 disk --layout bad.layout --slot-a v1.artifact --data 16M
expect_exit 2 disk --layout boot.layout --slot-a two.artifact --data 16M
expect_err "no partition with content = data"
nothing_left

step "refused: what goes in"
inside() { # STATUS NAME TEXT SED-SCRIPT
	sed -e "$4" gpt.layout >bad.layout
	expect_error "$1" "$2" disk --layout bad.layout --slot-a v1.artifact --data 16M
	expect_err "$3"
	nothing_left
}
mkdir link colon twins full
ln -s ../raw.bin link/x
: >"colon/a:b"
: >twins/Config.txt
: >twins/config.TXT
head -c 40000000 /dev/zero >full/x
inside 2 usage "cp -rL" 's/^directory = boot/directory = link/'
inside 2 usage "cannot hold this name" 's/^directory = boot/directory = colon/'
inside 2 usage "are one name" 's/^directory = boot/directory = twins/'
inside 6 space "[part.boot]" 's/^directory = boot/directory = full/'
inside 6 space "does not fit" 's/^directory = files/directory = full/'
inside 6 io "cannot read" 's/^directory = boot/directory = missing/'
inside 6 io "cannot read" 's/^file = raw.bin/file = missing/'
inside 6 io "not a regular file" 's/^file = raw.bin/file = boot/'
inside 6 space "does not fit into [part.env]" 's/^file = env.bin@4M/file = env.bin@8M/'
inside 6 io "larger than 512" 's/^boot-code = .*/boot-code = env.bin/'
head -c 500 env.bin >500.bin
inside 2 usage "boot code has up to 440" 's/^boot-code = .*/boot-code = 500.bin/'
expect_exit 6 disk --layout missing.layout --slot-a v1.artifact

step "refused: no room, no programs"
sh -c 'ulimit -f 100000; shift; exec "$@"' - - "$mkartifact" disk -o place/d --layout gpt.layout --keys k.keys --slot-a v1.artifact \
	--data 40M 2>err && fail "a disk larger than a file may be"
nothing_left
mkdir empty
expect_exit 1 env PATH="$tmp/empty" "$mkartifact" disk -o place/d --layout gpt.layout --keys k.keys --slot-a v1.artifact --data 16M
expect_err "(of Debian's package "
nothing_left
