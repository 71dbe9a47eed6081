#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# artifact-inspect show, ls, cat, extract, packages and diff on an ext4 image.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires artifact-inspect python3 openssl zstd mke2fs
inspect=$top_build/artifact-inspect
cd "$tmp"

make_key good
make_key other
umask 022
mkdir -p root/etc root/bin root/deep/er root/var/lib/dpkg
printf 'ID=test\nPRETTY_NAME="Test"\n' >root/etc/os-release
echo hello >root/etc/hello
ln root/etc/hello root/etc/hard
ln -s hello root/etc/link
ln -s /etc root/out
ln -s ../../../../../../../../etc root/climb
head -c 300000 /dev/urandom >root/bin/noise
truncate -s 200000 root/deep/er/hole
mkfifo root/fifo
chmod 750 root/deep
chmod 4755 root/bin/noise
cat >root/var/lib/dpkg/status <<'END'
Package: alpha
Status: install ok installed
Architecture: amd64
Version: 1.0-1

Package: beta
Status: install ok installed
Architecture: all
Version: 2.0

END
image() {
	truncate -s 4M "$1"
	mke2fs -q -t ext4 -d root "$1"
}
image old.img
make_artifact old.artifact good --image old.img --filesystem ext4 --description "$(printf 'line\n\033[31mred')"
k="--keys good.keys"

step show
expect_exit 0 "$inspect" show old.artifact
expect_out "signatures:       not checked (give --keys DIR)"
expect_out "not-checked"
expect_out '\x1b[31mred'
expect_out "rootfs-image, ext4"
# shellcheck disable=SC2086
expect_exit 0 "$inspect" show $k old.artifact
expect_out "signatures:       checked, trusted"
expect_exit 4 "$inspect" show --keys other.keys old.artifact
expect_out "NOT TRUSTED"
refuse_out "rootfs-image"
expect_exit 0 sh -c 'cat old.artifact | "$0" show -' "$inspect"
# shellcheck disable=SC2086
expect_exit 0 "$inspect" show $k --json old.artifact
[ "$(json 'd["manifest"]["payloads"][0]["size"]')" = 4194304 ] || fail "size"
[ "$(json 'd["signatures"]["lines"][0]["state"]')" = valid ] || fail "state"
[ "$(json 'd["size"]')" = "$(wc -c <old.artifact)" ] || fail "file size"
[ "$(json 'd["digest"]')" = "$(tar -xOf old.artifact manifest.json | sha256sum | cut -d' ' -f1)" ] || fail "digest"

step "no keys: no filesystem"
for c in "ls old.artifact" "cat old.artifact /etc/hello" "extract old.artifact" "packages old.artifact" \
	"diff old.artifact old.artifact"; do
	# shellcheck disable=SC2086
	expect_error 4 key-none "$inspect" $c
	expect_err "--insecure"
done
expect_error 4 sig-untrusted "$inspect" ls --keys other.keys --insecure old.artifact
expect_exit 0 "$inspect" ls --insecure old.artifact
expect_out /etc

step "ls and cat"
# shellcheck disable=SC2086
{
	expect_exit 0 "$inspect" ls $k old.artifact
	expect_out /fifo
	refuse_out /etc/hello
	expect_exit 0 "$inspect" ls $k -lR old.artifact
	expect_out "/etc/link -> hello"
	expect_out "-rwsr-xr-x"
	expect_out "drwxr-x---"
	expect_exit 0 "$inspect" ls $k --json old.artifact /etc
	[ "$(json '[e["path"] for e in d["entries"]]')" = '["/etc/hard", "/etc/hello", "/etc/link", "/etc/os-release"]' ] ||
		fail "ls --json"
	expect_exit 0 "$inspect" cat $k old.artifact /bin/noise
	cmp out root/bin/noise
	expect_exit 0 "$inspect" cat $k old.artifact /etc/link /deep/er/hole
	{ cat root/etc/hello root/deep/er/hole; } | cmp - out
	expect_exit 0 sh -c 'cat old.artifact | "$0" cat --keys good.keys - /etc/hello' "$inspect"
	expect_out hello
	expect_exit 1 "$inspect" cat $k old.artifact /nothing
	expect_err "/nothing"
	expect_exit 1 "$inspect" cat $k old.artifact /etc
	expect_exit 1 "$inspect" ls $k --payload boot old.artifact
}

step image
expect_exit 0 "$inspect" image $k -o again.img old.artifact
step "a pipe is judged before it is kept, and no longer than its manifest says"
cp old.artifact changed.artifact
flip changed.artifact 600
expect_exit 4 sh -c '{ cat changed.artifact; cat /dev/zero; } | "$0" ls -v --keys good.keys - /' "$inspect"
refuse_err "temporary file"
expect_exit 3 sh -c '{ cat old.artifact; cat /dev/zero; } | "$0" ls -v --keys good.keys - /' "$inspect"
expect_err "into a temporary file"
expect_err "too many"
head -c 60000 old.artifact >short.artifact
expect_exit 3 sh -c 'cat short.artifact | "$0" ls --keys good.keys - /' "$inspect"
assert_no_litter
expect_exit 0 sh -c 'cat old.artifact | "$0" image $2 -o piped.img -' "$inspect" x "$k"
cmp again.img piped.img || fail "image from a pipe differs"
size=$(sha256sum <again.img | cut -c 1-64)
expect_exit 0 "$inspect" show --json $k old.artifact
[ "$(json "d['manifest']['payloads'][0]['sha256']")" = "$size" ] || fail "the image is not the one that was signed"
expect_exit 2 "$inspect" image $k old.artifact
expect_exit 4 "$inspect" image -o none.img old.artifact
cp old.artifact hurt.artifact
flip hurt.artifact $(($(stat -c %s hurt.artifact) - 2000)) 3
expect_exit 3 "$inspect" image $k -o none.img hurt.artifact
[ ! -e none.img ] || fail "a damaged artifact left an image"
step "places that an image cannot have"
cp old.artifact kept.artifact
mkdir place
mkfifo pipe
ln -s again.img image.link
ln -s nothing dangling
ln -s old.artifact input.link
for out in place pipe image.link dangling input.link; do
	expect_error 2 usage "$inspect" image $k -o "$out" old.artifact
	expect_err "'$out' is there and is not a regular file: give the output another name"
done
[ -p pipe ] && [ -L image.link ] && [ -L dangling ] || fail "what is no regular file was replaced"
expect_error 2 usage "$inspect" image $k -o old.artifact old.artifact
expect_err "'old.artifact' is an input, and would be lost"
expect_error 2 usage "$inspect" image $k -o old.artifact input.link
# shellcheck disable=SC2016
expect_exit 2 sh -c '"$0" image --keys good.keys -o old.artifact - <old.artifact' "$inspect"
expect_error 2 usage "$inspect" image --keys good.keys/good.pub.pem -o good.keys/good.pub.pem old.artifact
expect_error 2 usage "$inspect" image $k -o - old.artifact
expect_err "not written to standard output"
[ ! -e ./- ] || fail "a file '-'"
cmp old.artifact kept.artifact || fail "the input was overwritten"
# A regular file is replaced.
echo x >there.img
expect_exit 0 "$inspect" image $k -o there.img old.artifact
cmp again.img there.img

step extract
mkdir all
# shellcheck disable=SC2086
expect_exit 0 "$inspect" extract $k -C all old.artifact
rmdir all/lost+found
# Modes of set-id files are root's matter; contents, links, types and times are everybody's.
diff -r --no-dereference -x fifo -x noise root all || fail "extracted tree differs"
cmp root/bin/noise all/bin/noise
[ -p all/fifo ] || fail "fifo"
[ "$(stat -c %i all/etc/hello)" = "$(stat -c %i all/etc/hard)" ] || fail "hard link"
[ "$(stat -c %a:%Y all/deep)" = "$(stat -c %a:%Y root/deep)" ] || fail "directory mode and time"
[ "$(stat -c %Y all/etc/hello)" = "$(stat -c %Y root/etc/hello)" ] || fail "time"
[ "$(stat -c %b all/deep/er/hole)" -lt 16 ] || fail "a hole was filled"
# shellcheck disable=SC2086
expect_exit 6 "$inspect" extract $k -C all old.artifact /etc/hello
expect_err "'/etc/hello' is there already, and nothing is overwritten: remove it, or name another directory with -C"
mkdir some
# shellcheck disable=SC2086
expect_exit 0 "$inspect" extract $k -C some old.artifact /deep /etc/hello
cmp some/etc/hello root/etc/hello
[ -e some/deep/er/hole ] && [ ! -e some/bin ] || fail "extract of two paths"

step "extract does not follow links out"
mkdir trap outside
ln -s ../outside trap/etc
# shellcheck disable=SC2086
expect_exit 6 "$inspect" extract $k -C trap old.artifact
[ -z "$(ls outside)" ] || fail "written through a link"

step "hostile names: a step upwards, a link and a directory of one name"
mkdir -p evil/dupB sub
echo out >evil/QQQescape
echo out >evil/dupB/escape
ln -s ../outside evil/dupA
hostile() {
	truncate -s 1M evil.img
	mke2fs -q -F -t ext4 -O ^metadata_csum -d evil evil.img
	python3 - "$1" "$2" <<'END'
import sys
data = open("evil.img", "rb").read()
old, new = (a.encode() for a in sys.argv[1:])
assert data.count(old) == 1 and len(old) == len(new)
open("evil.img", "wb").write(data.replace(old, new))
END
	make_artifact evil.artifact good --image evil.img --filesystem ext4
	rm -rf sub/x
	mkdir sub/x
	# shellcheck disable=SC2086
	expect_exit "$3" "$inspect" extract $k -C sub/x evil.artifact
	[ -z "$(ls outside)" ] && [ -z "$(find . -name escape -not -path './evil/*' -not -path './sub/x/dupB/*')" ] ||
		fail "an image wrote outside"
}
hostile QQQescape ../escape 1
expect_err "a name that is not allowed"
hostile dupB dupA 1
expect_err twice
assert_no_litter

step packages
# shellcheck disable=SC2086
expect_exit 0 "$inspect" packages $k old.artifact
expect_out "$(printf 'alpha\t1.0-1\tamd64')"
# shellcheck disable=SC2086
expect_exit 0 "$inspect" packages $k --json old.artifact
[ "$(json 'd["manager"], [p["name"] for p in d["packages"]]')" = '["dpkg", ["alpha", "beta"]]' ] || fail "packages --json"

step diff
echo changed >root/etc/os-release
rm root/etc/link
echo new >root/new
chmod 700 root/deep
sed -i 's/1.0-1/1.0-2/; s/beta/gamma/' root/var/lib/dpkg/status
image new.img
make_artifact new.artifact good --image new.img --filesystem ext4 --version 1.1
# shellcheck disable=SC2086
expect_exit 0 "$inspect" diff $k old.artifact new.artifact
expect_out "version: 1.0 -> 1.1"
expect_out "* alpha 1.0-1 -> 1.0-2"
expect_out "+ gamma 2.0"
expect_out "- beta 2.0"
expect_out "- /etc/link"
expect_out "+ /new"
expect_out "* /deep (mode)"
expect_out "* /etc/os-release (content)"
refuse_out /bin/noise
# shellcheck disable=SC2086
expect_exit 0 "$inspect" diff $k --json old.artifact new.artifact
cp out diff.json
# Against a count by the other reader of the indexes: a few lines of Python.
python3 - <<'END' || fail "download sums"
import json, tarfile
def rows(path):
    t = tarfile.open(path)
    m = json.load(t.extractfile("manifest.json"))
    raw = t.extractfile("payload/rootfs/0000.index").read()
    n = -(-len(raw) // 16416)
    body = raw[32 * n:]
    for p in range(0, len(body), 16384):
        page = body[p + 24:p + 16384]
        for r in range(0, len(page), 40):
            row = page[r:r + 40]
            word = int.from_bytes(row[:4], "little")
            if word >> 28 & 3 in (0, 1):
                yield (row[24:40], word & 0xfffffff), int.from_bytes(row[4:8], "little")
    rows.index = len(raw)
have = {key for key, _ in rows("old.artifact")}
new = list(rows("new.artifact"))
missing = [key not in have for key, _ in new]
d = json.load(open("diff.json"))["download"]
assert d["chunks"] == sum(missing) and d["of-chunks"] == len(new)
assert d["chunk-bytes"] == sum(n for (_, n), gone in zip(new, missing) if gone)
assert d["ranges"] == sum(a and not b for a, b in zip(missing, [False] + missing))
assert d["index"] == rows.index and d["headers"] == 4 * 512
assert d["total"] == d["chunk-bytes"] + d["index"] + d["headers"] + d["manifest"] + d["signatures"]
assert 0 < d["chunks"] < d["of-chunks"]
END
# shellcheck disable=SC2086
expect_exit 0 "$inspect" diff $k --json old.artifact old.artifact
[ "$(json '[d["manifest"], d["files"]["changed"], d["download"]["chunks"]]')" = '[{}, [], 0]' ] || fail "no difference"
assert_no_litter

step "a reader that goes away: status 6, without a word"
# shellcheck disable=SC2086
{
	for c in "cat $k old.artifact /bin/noise" "ls -R $k old.artifact" "packages $k old.artifact" "show $k --json old.artifact" \
		"diff $k old.artifact new.artifact"; do
		{ sleep 0.2; "$inspect" $c 2>err && echo 0 >status || echo $? >status; } | :
		[ "$(cat status)" = 6 ] && [ ! -s err ] || fail "$c: $(cat status err)"
	done
	{ "$inspect" cat $k old.artifact /bin/noise /bin/noise 2>err || :; } | head -c 5 >/dev/null
	[ ! -s err ] || fail "$(cat err)"
	expect_exit 6 sh -c '"$@" >/dev/full' sh "$inspect" cat $k old.artifact /bin/noise
	expect_err "cannot write standard output: No space"
}

step "no room for temporary files: it says where"
small() { # COMMAND...: files may have 512 bytes
	expect_exit 6 sh -c 'ulimit -f 1; exec "$@" >/dev/null' sh "$@"
	expect_err "cannot write 'a temporary file in $TMPDIR (TMPDIR)': File too large"
}
make_artifact copies.artifact good
# shellcheck disable=SC2086
{
	small "$inspect" verify --deep $k copies.artifact
	small "$inspect" diff $k old.artifact new.artifact
	small sh -c 'cat old.artifact | "$@"' sh "$inspect" ls $k -
}
assert_no_litter

step "an option that the command does not take is named"
expect_exit 2 "$inspect" show --payload boot old.artifact
expect_err "'show' does not take --payload"
expect_exit 2 "$inspect" show -C /tmp old.artifact
expect_err "'show' does not take --directory"
expect_exit 2 "$inspect" verify -lR --keys good.keys old.artifact
expect_err "'verify' does not take --long"

step "--json of what gives files"
# shellcheck disable=SC2086
{
	expect_exit 0 "$inspect" image --json $k -o json.img old.artifact
	[ ! -s out ] || fail "$(cat out)"
	mkdir json
	expect_exit 0 "$inspect" extract --json $k -C json old.artifact /etc
	[ ! -s out ] || fail "$(cat out)"
	expect_exit 6 "$inspect" extract --json $k -C json old.artifact /etc
	[ "$(json 'd["error"]["exit"]')" = 6 ] || fail "$(cat out)"
}

step "diff prints names as ls does"
mkdir odd
cp -r odd even
python3 - <<'END'
for name in (b"\xff", b"back\\slash", b"\\xff", b"gr\xc3\xbcn", b"new\nline", b"both\\\xfe"):
    open(b"even/" + name, "w").close()
END
for n in odd even; do
	truncate -s 1M $n.img
	mke2fs -q -t ext4 -O ^has_journal -d $n $n.img
	make_artifact $n.artifact good --image $n.img --filesystem ext4
done
# shellcheck disable=SC2086
{
	expect_exit 0 "$inspect" ls $k even.artifact
	grep -v lost+found out | sort >listed
	[ "$(grep -cF -e '/\xff' -e '/back\\slash' -e '/\\xff' -e '/new\x0aline' -e '/both\\\xfe' listed)" = 5 ] || fail "ls: $(cat listed)"
	expect_exit 0 "$inspect" diff $k odd.artifact even.artifact
	sed -n 's/^  + //p' out | sort | diff listed - || fail "names of files that were added"
	expect_exit 0 "$inspect" diff $k even.artifact odd.artifact
	sed -n 's/^  - //p' out | sort | diff listed - || fail "names of files that were removed"
	expect_exit 0 "$inspect" diff --json $k odd.artifact even.artifact
	json '"\n".join(sorted(map(ascii, d["files"]["added"])))' >diffed
	expect_exit 0 "$inspect" ls --json $k even.artifact
	json '"\n".join(sorted(ascii(e["path"]) for e in d["entries"] if "lost" not in e["path"]))' | diff - diffed || fail "names in JSON"
}

step "an image whose bytes were changed"
cp old.artifact bad.artifact
flip bad.artifact $(($(wc -c <bad.artifact) - 2048)) 3
# shellcheck disable=SC2086
expect_error 3 chunk-stored "$inspect" extract $k -C "$(mkdir -p bad && echo bad)" bad.artifact
assert_no_litter

if command -v mksquashfs >/dev/null; then
	step "a squashfs image"
	mkdir -p sq/etc sq.out
	echo hello >sq/etc/hello
	ln -s hello sq/etc/link
	cp root/bin/noise sq/noise
	mksquashfs sq sq.img -quiet -no-progress >/dev/null
	truncate -s %4096 sq.img
	make_artifact sq.artifact good --image sq.img --filesystem squashfs
	# shellcheck disable=SC2086
	{
		expect_exit 0 "$inspect" ls $k -lR sq.artifact
		expect_out "/etc/link -> hello"
		expect_exit 0 "$inspect" cat $k sq.artifact /etc/link
		cmp out sq/etc/hello
		expect_exit 0 "$inspect" extract $k -C sq.out sq.artifact
	}
	diff -r --no-dereference -x noise sq sq.out || fail "extracted squashfs differs"
	cmp sq/noise sq.out/noise
	assert_no_litter
fi
