#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mkartifact create: from a real ext4 image to an artifact that the second reader takes; every refusal; nothing left behind.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires mkartifact artifact-inspect mke2fs python3 openssl zstd
cd "$tmp"
make_key k
mkdir place

reader() {
	python3 "$top_src/tests/reader/twinroot_reader.py" verify --keys k.keys "$1"
}

# Everything but the place, the key and the image.
create() {
	"$mkartifact" -v create --name demo --compatible box --level 1 "$@"
}

nothing_left() {
	[ -z "$(ls -A place)" ] || fail "left behind: $(ls -A place)"
	assert_no_litter
}

# refused STATUS NAME TEXT OPTION...: with all that is needed, and then these options.
refused() {
	refused_status=$1 refused_name=$2 refused_text=$3
	shift 3
	expect_error "$refused_status" "$refused_name" create -o place/a.artifact --rootfs image --key k.pem "$@"
	expect_err "$refused_text"
	nothing_left
}

# usage TEXT ARGUMENT...: the whole command line.
usage() {
	usage_text=$1
	shift
	expect_exit 2 "$mkartifact" create "$@"
	expect_err "$usage_text"
	nothing_left
}

mkdir -p root/etc root/bin root/var/lib/dpkg root/data
printf 'ID=demo\nIMAGE_VERSION="2.5"\n' >root/etc/os-release
cp "$(command -v zstd)" root/bin/sh
printf 'Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.2\n\n' >root/var/lib/dpkg/status
head -c 3000000 /dev/urandom >root/data/noise
cp root/data/noise root/data/again
seq 1 200000 >root/data/numbers
truncate -s 24M image
mke2fs -q -t ext4 -b 4096 -d root image

step "what nobody has to type comes from the image; the second reader takes all of it"
expect_exit 0 create -o place/a.artifact --rootfs image --key k.pem --json
[ "$(json 'd["version"]')" = 2.5 ] || fail "not the image's own version"
[ "$(json 'd["image-size"]')" = 25165824 ] || fail "wrong image size"
[ "$(json 'd["signatures"]')" = 1 ] || fail "not one signature"
[ "$(json 'd["size"]')" = "$(wc -c <place/a.artifact)" ] || fail "wrong size"
[ "$(reader place/a.artifact)" = ok ] || fail "the second reader refuses it"
expect_exit 0 "$top_build/artifact-inspect" verify --deep --keys k.keys place/a.artifact
tar -xOf place/a.artifact doc/sbom.spdx.json | grep -q zlib1g || fail "no package list"
# The file that is there twice is stored once.
[ "$(wc -c <place/a.artifact)" -lt 5000000 ] || fail "equal chunks are stored twice: $(wc -c <place/a.artifact)"
expect_exit 0 "$top_build/artifact-inspect" cat --keys k.keys place/a.artifact /data/numbers
cmp "$tmp/out" root/data/numbers || fail "a file came out changed"

step "same input, same bytes: any number of threads, any time of day, sparse or not"
SOURCE_DATE_EPOCH=1700000000
export SOURCE_DATE_EPOCH
expect_exit 0 create -o one --rootfs image --key k.pem --jobs 1
expect_exit 0 create -o four --rootfs image --key k.pem --jobs 4
cmp one four || fail "the number of threads shows"
cp --sparse=never image full-image
cp --sparse=always image sparse-image
expect_exit 0 create -o three --rootfs full-image --key k.pem --jobs 3
cmp one three || fail "holes show"
expect_exit 0 create -o three --rootfs sparse-image --key k.pem --jobs 3
cmp one three || fail "holes show"
tar -xOf one manifest.json | grep -q '"created": "2023-11-14T22:13:20Z"' || fail "not SOURCE_DATE_EPOCH"
for jobs in 1 3; do
	expect_exit 0 create -o "max.$jobs" --rootfs image --key k.pem --level max --jobs "$jobs"
done
cmp max.1 max.3 || fail "the number of threads shows with --level max"
expect_exit 0 create -o max.9 --rootfs image --key k.pem --level 9 --level max
cmp max.1 max.9 || fail "max takes something of another level"
expect_exit 0 "$top_build/artifact-inspect" verify --deep --keys k.keys max.1
expect_exit 0 create -o twelve --rootfs image --key k.pem --level 12
[ "$(wc -c <max.1)" -lt "$(wc -c <twelve)" ] || fail "max is $(wc -c <max.1) bytes, level 12 $(wc -c <twelve)"
rm -f place/a.artifact
SOURCE_DATE_EPOCH=never
refused 2 usage "SOURCE_DATE_EPOCH"
unset SOURCE_DATE_EPOCH

step "blocks that the filesystem does not use do not count"
cp image dirty
python3 - <<'END'
import os, re, subprocess
free = subprocess.run(["dumpe2fs", "dirty"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True).stdout
first, last = re.findall(r"Free blocks: .*?(\d+)-(\d+)$", free, re.M)[-1]
with open("dirty", "r+b") as f:
    f.seek(4096 * int(first))
    f.write(os.urandom(4096 * (int(last) - int(first) + 1)))
END
expect_exit 0 create -o clean.artifact --rootfs image --key k.pem --created 2026-01-01T00:00:00Z
expect_exit 0 create -o dirty.artifact --rootfs dirty --key k.pem --created 2026-01-01T00:00:00Z
cmp clean.artifact dirty.artifact || fail "free blocks show"

step "all that can be said about it"
printf 'news\n' >NOTES.txt
expect_exit 0 create -o place/a.artifact --rootfs image --key k.pem --version 3.0 --arch aarch64 --compatible crate \
	--hardware 1-3 --hardware 7.. --requires boot=2.. --provides app=1.0 --security-counter 7 --description 'a box' \
	--security --advisory-url https://example.org/1 --advisory-id CVE-1 --advisory-id CVE-2 \
	--support-until 2030-12-31 --created 2026-01-02T03:04:05Z --ext '{"x": [1, "y"]}' --doc NOTES.txt --no-sbom
tar -xOf place/a.artifact manifest.json >"$tmp/out"
[ "$(json '[d[k] for k in ("version", "arch", "compatible", "hardware", "requires", "provides", "security-counter",
	"description", "security", "advisory", "support-until", "created", "ext")]')" = \
	'["3.0", "aarch64", ["box", "crate"], ["1..3", "7.."], {"boot": "2.."}, {"app": "1.0"}, 7, "a box", true, '\
'{"url": "https://example.org/1", "ids": ["CVE-1", "CVE-2"]}, "2030-12-31", "2026-01-02T03:04:05Z", {"x": [1, "y"]}]' ] ||
	fail "the manifest says otherwise: $(cat "$tmp/out")"
[ "$(json '[x["name"] for x in d["docs"]]')" = '["NOTES.txt"]' ] || fail "documents"
[ "$(reader place/a.artifact)" = ok ] || fail "the second reader refuses it"

step "the same from a file of options; the command line wins"
cat >options.json <<'END'
{ "version": "9.9", "arch": "aarch64", "compatible": ["crate"], "hardware": ["1..3", "7.."], "requires": ["boot=2.."],
  "provides": "app=1.0", "security-counter": 7, "description": "a box", "security": true,
  "advisory-url": "https://example.org/1", "advisory-id": ["CVE-1", "CVE-2"], "support-until": "2030-12-31",
  "created": "2026-01-02T03:04:05Z", "ext": {"x": [1, "y"]}, "doc": "NOTES.txt", "no-sbom": true, "rootfs": "image",
  "key": "k.pem", "unsigned": false, "jobs": 2 }
END
expect_exit 0 create -o from.artifact --from options.json --version 3.0
cmp from.artifact place/a.artifact || fail "--from gives another artifact"
rm -f place/a.artifact

step "unsigned, and said so"
expect_exit 0 create -o u.artifact --rootfs image --unsigned
expect_err "UNSIGNED"
[ "$(reader u.artifact || :)" = sig-none ] || fail "not sig-none"
expect_exit 0 "$mkartifact" sign --key k.pem u.artifact
[ "$(reader u.artifact)" = ok ] || fail "not ok once signed"

step "wrong usage"
usage "no output" --name demo --compatible box --rootfs image --key k.pem
usage "standard output" -o - --name demo --compatible box --rootfs image --key k.pem
usage "nothing to put in" -o place/a --name demo --compatible box --key k.pem
usage "no name" -o place/a --compatible box --rootfs image --key k.pem
usage "no device type" -o place/a --name demo --rootfs image --key k.pem
usage "no key" -o place/a --name demo --compatible box --rootfs image
usage "exclude each other" -o place/a --name demo --compatible box --rootfs image --key k.pem --unsigned
usage "'extra' is not an option" -o place/a --name demo --compatible box --rootfs image --key k.pem extra
usage "try:" --no-such-option
for level in 0 20 -1 fast ''; do refused 2 usage "level" --level "$level"; done
for jobs in 0 257 x; do refused 2 usage "jobs" --jobs "$jobs"; done
for size in 0 x 1X 1MM 99999999999T; do refused 2 usage "size" --size "$size"; done
refused 2 usage "is an image already" --size 64M
refused 2 usage "is an image already" --fs squashfs
expect_exit 2 create -o place/a --rootfs image --key k.pem --fs btrfs
expect_exit 2 create -o place/a --rootfs image --key k.pem --version 'a b'
expect_exit 2 create -o place/a --rootfs image --key k.pem --advisory-id X
refused 2 usage "security-counter" --security-counter 4294967296
refused 2 usage "security-counter" --security-counter -1
refused 2 usage "requires" --requires boot
refused 2 usage "created" --created yesterday
nothing_left

step "values that the format refuses are the caller's mistake"
for bad in "--name a/b" "--compatible a/b" "--hardware 3..1" "--hardware 3-1" "--arch vax" "--requires A=1" "--provides a=1.." \
	"--support-until 2030-02-30" "--created 2026-13-01T00:00:00Z" "--ext []" "--ext {"; do
	refused 2 usage "" "${bad%% *}" "${bad#* }"
done
mkdir twice
cp NOTES.txt twice
refused 2 usage "" --doc NOTES.txt --doc twice/NOTES.txt
cp NOTES.txt 'a name with spaces'
refused 2 usage "" --doc 'a name with spaces'

step "files of options that are none"
for bad in '' '[]' '{' '{"name": "x", "name": "y"}' '{"no-such": 1}' '{"from": "options.json"}' '{"name": ["x", "y"]}' '{"level": []}' '{"help": true}' '{"json": true}' \
	'{"security": "yes"}' '{"security": 1}' '{"name": true}' '{"name": null}' '{"name": {}}' '{"name": 1.5}' \
	'{"compatible": [["x"]]}' '{"jobs": 0}' '{"output": "x"} x'; do
	printf '%s' "$bad" >bad.json
	refused 2 usage "bad.json" --from bad.json
done
refused 6 io "absent.json" --from absent.json

step "sources that cannot be"
expect_error 6 io create -o place/a.artifact --rootfs absent --key k.pem
expect_err "absent"
head -c 1000000 image >odd
expect_error 2 usage create -o place/a.artifact --rootfs odd --key k.pem
expect_err "multiple of 512"
head -c 10M image >short
expect_error 2 usage create -o place/a.artifact --rootfs short --key k.pem
expect_err "cut off"
: >empty
head -c 5000 /dev/urandom >garbage
for source in empty garbage; do
	expect_exit 1 create -o place/a.artifact --rootfs $source --key k.pem
	expect_err "'$source'"
done
refused 6 io "absent.txt" --doc absent.txt
expect_error 2 usage create -o place/a.artifact --rootfs image --boot root --key k.pem
rm root/etc/os-release
truncate -s 24M anonymous
mke2fs -q -t ext4 -d root anonymous
expect_error 2 usage create -o place/a.artifact --rootfs anonymous --key k.pem
expect_err "--version is needed"
nothing_left

step "keys that are none, found before anything is read"
refused 6 io "absent.pem" --key absent.pem
refused 4 key-bad "public key" --key k.keys/k.pub.pem
openssl pkey -in k.pem -aes256 -passout pass:x -out sealed.pem
echo y >pass
refused 4 key-bad "wrong passphrase" --key sealed.pem --passphrase-file pass
echo x >pass
expect_exit 0 create -o s.artifact --rootfs image --key sealed.pem --passphrase-file pass --key k.pem
[ "$(tar -xOf s.artifact manifest.sig | grep -c .)" = 1 ] || fail "one key, more than one line"

step "places that an artifact cannot have"
cp image kept
cp k.pem kept.pem
echo secret >pass
echo '{"level": 1}' >some.json
mkdir -p source/etc
echo content >source/etc/file
for input in image k.pem NOTES.txt pass some.json; do
	expect_error 2 usage create -o "$input" --rootfs image --key k.pem --doc NOTES.txt --passphrase-file pass --from some.json
	expect_err "is an input"
done
cmp image kept && cmp k.pem kept.pem || fail "an input was overwritten"
expect_error 2 usage create -o source/etc/file --rootfs source --key k.pem
[ "$(cat pass source/etc/file)" = "secret
content" ] || fail "an input was overwritten"
expect_error 2 usage create -o '' --rootfs image --key k.pem
expect_error 2 usage create -o place/s --rootfs source --fs squashfs --size 10M --key k.pem
expect_exit 0 create --json -o place/once --rootfs image --key k.pem --key k.pem
[ "$(json "d['signatures']")" = 1 ] || fail "$(cat out)"
rm place/once

step "an image that was not unmounted; one in which a list cannot be read"
cp --sparse=always image dirty
debugfs -w -R 'feature needs_recovery' dirty >out 2>err
expect_exit 0 create -o place/dirty --rootfs dirty --key k.pem
expect_err "was not unmounted"
rm place/dirty
cp --sparse=always image torn
debugfs -R 'imap /var/lib/dpkg/status' torn >place.txt 2>err
# Its time of change, which the checksum does not fit then.
flip torn "$(sed -n 's/.*block \([0-9]*\), offset \(0x[0-9a-f]*\)$/\1 \2/p' place.txt | { read -r block offset; echo $((block * 4096 + offset + 12)); })"
expect_exit 1 create -o place/torn --rootfs torn --key k.pem
expect_err "/var/lib/dpkg/status"
nothing_left
expect_error 2 usage create -o place --rootfs image --key k.pem
mkfifo pipe
expect_error 2 usage create -o pipe --rootfs image --key k.pem
ln -s nothing link
expect_error 2 usage create -o link --rootfs image --key k.pem
expect_err "'link' is there and is not a regular file: give the output another name"
[ -p pipe ] || fail "a pipe was replaced"
expect_error 6 io create -o absent/a.artifact --rootfs image --key k.pem
nothing_left
if [ "$(id -u)" = 0 ]; then
	requires setpriv
	plain="setpriv --inh-caps=-all --bounding-set=-all"
else
	plain=
fi
chmod 555 place
expect_error 6 io $plain "$mkartifact" create --name demo --compatible box -o place/a.artifact --rootfs image --key k.pem
chmod 755 place
nothing_left

step "no room: what was there stays, nothing else does"
echo old >place/a.artifact
expect_exit 6 sh -c 'trap "" XFSZ; ulimit -f 2000; exec "$@"' sh "$mkartifact" create --name demo --compatible box --level 1 \
	-o place/a.artifact --rootfs image --key k.pem
[ "$(ls -A place)" = a.artifact ] && [ "$(cat place/a.artifact)" = old ] || fail "changed: $(ls -lA place)"

step "killed: nothing is left"
rm place/a.artifact
"$mkartifact" create --name demo --compatible box --level max --jobs 1 -o place/a.artifact --rootfs image --key k.pem 2>killed.err &
pid=$!
i=0
# It has begun when it has a file open there, which has no name yet.
while ! ls -l "/proc/$pid/fd" 2>/dev/null | grep -q "/place/"; do
	i=$((i + 1))
	[ $i -lt 600 ] || fail "it never began: $(cat killed.err)"
	sleep 0.05
done
kill -9 $pid
wait $pid 2>/dev/null || :
[ -z "$(ls -A place)" ] || fail "left by a killed program: $(ls -A place)"
expect_exit 0 create -o place/a.artifact --rootfs image --key k.pem
[ "$(reader place/a.artifact)" = ok ] || fail "not ok after a killed run"
rm place/a.artifact

step "a source that changes while it is read"
cp image live
python3 - live <<'END' &
import os, sys
while True:
    os.utime(sys.argv[1])
END
pid=$!
cleanup "kill $pid 2>/dev/null"
before=$(stat -c %y live)
while [ "$(stat -c %y live)" = "$before" ]; do
	sleep 0.05
done
expect_error 6 source-changed "$mkartifact" create --name demo --compatible box --level 9 --jobs 1 -o place/a.artifact --rootfs live --key k.pem
kill $pid
nothing_left

step "more than a segment, sparse"
truncate -s 1100M sparse
mke2fs -q -t ext4 -d root sparse
expect_exit 0 create -o big.artifact --rootfs sparse --key k.pem --version 1 --no-sbom
tar -tf big.artifact | grep -q 'payload/rootfs/0001.data' || fail "no second segment"
expect_exit 0 "$top_build/artifact-inspect" verify --keys k.keys big.artifact
