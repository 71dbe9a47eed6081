#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# create --earlier: an artifact that is cut where it and an earlier release part, so that devices fetch the pages that changed and not
# the chunks they lie in.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires artifact-fetch artifact-inspect sha256sum zstd

TWINROOT_FETCH=$top_build/artifact-fetch
export TWINROOT_FETCH
make_device 8388608
cd "$tmp"

# A file of 3 MiB of noise that does not compress, and small ones side by side.
mkdir -p root/small
make_noise 5 3145728 >root/program
for n in $(seq 100 160); do make_noise "$n" 3000 >root/small/$n; done
create v1 1.0
step "the next release: one page in eight of the program has changed, and every fourth small file"
python3 -c 'import os
with open("root/program", "r+b") as f:
    for off in range(5 * 4096, 3 << 20, 8 * 4096):
        f.seek(off + 100)
        f.write(b"changed")'
for n in $(seq 100 4 160); do make_noise "$n$n" 3000 >root/small/$n; done
create v2 2.0
create e2 2.0 --earlier v1.artifact
same_image() { # ARTIFACT ARTIFACT
	for artifact; do tar -xOf "$artifact" manifest.json | python3 -c 'import json, sys
print(json.loads(sys.stdin.read())["payloads"][0]["sha256"])'; done | uniq | wc -l
}
[ "$(same_image v2.artifact e2.artifact)" = 1 ] || fail "another image"
[ "$(verdict k.keys e2.artifact)" = ok ] || fail "the readers say $(verdict k.keys e2.artifact)"
expect_exit 0 "$top_build/artifact-inspect" verify --keys k.keys e2.artifact

step "the same at any number of threads, and of an artifact whatever its signatures"
create e2-1 2.0 --earlier v1.artifact --jobs 1
create e2-4 2.0 --earlier v1.artifact --jobs 4
cmp e2-1.artifact e2.artifact
cmp e2-4.artifact e2.artifact

start_with v1.artifact

get() { # ARTIFACT [OPTION...]: install it over http on the device as it was then; the download in $bytes
	rm -rf dev
	cp -a start dev
	rm -f port
	background python3 "$top_src/tests/e2e/bad_server.py" "$1" port 2>log
	artifact=$1
	shift
	expect_exit 0 inst install --json "$@" "http://127.0.0.1:$(port_of port)/good/1/0"
	bytes=$(json "d['download']")
	kill "$pid"
	[ "$*" != "" ] || slot_is a "$artifact"
}

step "a device that runs that release fetches less than half"
get v2.artifact
whole=$bytes
get e2.artifact --dry-run
planned=$bytes
cp out dry
get e2.artifact
[ "$bytes" = "$planned" ] || fail "planned $planned, done $bytes"
echo "$whole bytes without --earlier, $bytes with it"
# 96 pages of the program, and what else is there, against nearly all of it.
[ "$bytes" -lt $((whole / 2)) ] || fail "$bytes bytes; $whole without --earlier"
[ "$(json "d['copied'] > 2000000")" = true ] || fail "$(cat out)"

step "artifact-inspect diff says so before"
expect_exit 0 "$top_build/artifact-inspect" diff --json --keys k.keys v1.artifact e2.artifact
counted=$(json "d['download']['chunk-bytes']")
cp dry out
[ "$(json "d['fetched']")" = "$counted" ] || fail "diff counts $counted bytes of chunks, the device: $(cat dry)"

step "where pages of the running slot are no longer what its index says, they are fetched"
python3 -c 'import os
f = open("start/b.img", "r+b")
for off in range(1 << 20, 3 << 20, 1 << 18):
    f.seek(off)
    f.write(os.urandom(512))'
get e2.artifact
[ "$bytes" -gt "$planned" ] || fail "$bytes, and $planned of a slot that had not changed"
[ "$bytes" -lt "$whole" ] || fail "$bytes of a slot that changed a little"

step "two earlier releases: what either has"
mv root new
mkdir root
make_noise 77 3145728 >root/program
create v0 0.9
rm -r root
mv new root
create both 2.0 --earlier v0.artifact --earlier v1.artifact
cmp both.artifact e2.artifact
step "what changes nothing: an artifact without such a payload, and a squashfs, whose blocks stay whole"
head -c 1048576 root/program >boot.img
"$mkartifact" create -q -o boot.artifact --name test --version 1 --compatible test-board --arch any --boot boot.img --key k.pem
create n2 2.0
create n2-boot 2.0 --earlier boot.artifact
cmp n2.artifact n2-boot.artifact
sq() { # NAME OPTION...
	name=$1
	shift
	SOURCE_DATE_EPOCH=1700000000 "$mkartifact" create -q -o "$name.artifact" --name test --version 1 --compatible test-board --arch any \
		--no-sbom --rootfs root --fs squashfs --key k.pem "$@"
}
if command -v mksquashfs >/dev/null; then
	sq s1
	printf 'changed' | dd of=root/program bs=1 seek=400000 conv=notrunc 2>dd.err
	sq s2
	sq s2-earlier --earlier s1.artifact
	# Blocks that lie on pages by chance may be cut, and nothing else.
	[ "$(verdict k.keys s2-earlier.artifact)" = ok ] || fail "the readers say $(verdict k.keys s2-earlier.artifact)"
	[ "$(same_image s2.artifact s2-earlier.artifact)" = 1 ] || fail "another image"
fi

step "an image that ends in zeros, within a page"
truncate -s 3146240 boot.img
for n in 1 2; do
	timeout 60 "$mkartifact" create -q -o "boot$n.artifact" --name test --version 1 --compatible test-board --arch any --boot boot.img \
		--key k.pem --created 2026-01-02T03:04:05Z ${earlier:-}
	earlier="--earlier boot1.artifact"
done
cmp boot1.artifact boot2.artifact

step "bad input: no output is left"
bad() { # STATUS TEXT OPTION...
	status=$1 text=$2
	shift 2
	expect_exit "$status" "$mkartifact" create -o bad.artifact --name test --version 1 --compatible test-board --arch any --no-sbom \
		--rootfs root --key k.pem "$@"
	expect_err "$text"
	[ ! -e bad.artifact ] || fail "an output is left"
}
bad 6 "nothing.artifact" --earlier nothing.artifact
bad 3 "root/program" --earlier root/program
head -c 100000 v1.artifact >short.artifact
bad 3 "short.artifact" --earlier short.artifact
cp v1.artifact flipped.artifact
flip flipped.artifact $(($(stat -c %s v1.artifact) - 100000))
bad 3 "flipped.artifact" --earlier flipped.artifact
mkfifo pipe
cat v1.artifact >pipe &
bad 2 "give a file, not a pipe" --earlier pipe
cp v1.artifact in.artifact
expect_exit 2 "$mkartifact" create -o in.artifact --name test --version 1 --compatible test-board --arch any --rootfs root --key k.pem \
	--earlier in.artifact
expect_err "is an input"
cmp in.artifact v1.artifact

assert_no_litter
