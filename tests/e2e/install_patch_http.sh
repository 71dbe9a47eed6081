#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Patches on servers that misbehave: what came is not asked for again; what is wrong with the patch costs bytes, and never the image.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires artifact-fetch sha256sum

TWINROOT_FETCH=$top_build/artifact-fetch
export TWINROOT_FETCH
cd "$tmp"
make_device 8388608
# Every chunk of the program is another one in v2, and a patch is small where it is the same code; what is new in `within` it has to carry.
mkdir root
make_noise 5 2500000 >root/program
seq 1 2000 >root/text
create v1 1.0
python3 -c 'import random
r = random.Random(8)
f = open("root/program", "r+b")
b = bytearray(f.read())
for at in range(100, len(b), 20):
    b[at] = r.randrange(256)
f.seek(0)
f.write(b)'
make_noise 6 400000 >root/within
create v2 2.0
"$mkartifact" delta -q --key k.pem -o patch v1.artifact v2.artifact
expect_exit 0 inst install -q v1.artifact
boot_slot b
expect_exit 0 inst commit
cp -a dev empty
# As after an install that was cut: parts of slot a are v2 already, so the patch is read in several ranges.
expect_exit 0 inst install -q v2.artifact
cp -a empty start
python3 -c 'old, new = open("empty/a.img", "rb").read(), open("dev/a.img", "rb").read()
step = 524288
open("start/a.img", "wb").write(b"".join((old, new)[i % 2][i * step:(i + 1) * step] for i in range(len(old) // step)))'

PATCH=$tmp/patch
export PATCH
background python3 "$top_src/tests/e2e/bad_server.py" v2.artifact port 2>log
url=http://127.0.0.1:$(port_of port)/good/0
count=0

fresh() { # FROM [LINE of [download]]...
	rm -rf dev
	cp -a "$1" dev
	shift
	[ $# = 0 ] || printf '[download]\n%s\n' "$@" >>dev/install.conf
}

try() { # KIND/ARGUMENT of the patch: install; the image is right and the running slot as it was
	count=$((count + 1))
	expect_exit 0 inst install -v --json "$url/$1/$count"
	slot_is a v2.artifact
	cmp dev/b.img start/b.img || fail "the running slot was written"
	boot_says default=b trial=a
}

get() { # WAY KIND/ARGUMENT
	fresh start
	try "$2"
	[ "$(json "d['way']")" = "$1" ] || fail "not by $1: $(cat out err)"
}

aside() { # WAY KIND/ARGUMENT BYTES TEXT: so many bytes at most are lost to the patch
	get "$1" "$2"
	expect_err "$4"
	[ "$(json "d['received'] < $chunks + $3")" = true ] || fail "more than $3 bytes lost, chunks take $chunks: $(cat out)"
}

asked() { # how often for the patch, in the last install
	grep -c "/$count\.patches/" log
}

step "no patch: refused at once, or after one more try where that may help"
get chunks status/404
chunks=$(json "d['received']")
expect_err "no patch: "
[ "$(asked)" = 1 ] || fail "$(asked) requests"
aside chunks status/403 1000 "the server answered 403 (forbidden)"
[ "$(asked)" = 1 ] || fail "$(asked) requests"
aside chunks status/503 1000 "the server answered 503; gave up after 1 retries"
[ "$(asked)" = 2 ] || fail "$(asked) requests"

step "a good server"
get patch good/0
good=$(json "d['received']")
requests=$(json "d['requests']")
cost=$(json "d['patch']['read']")
[ "$(json "d['ranges'] >= 3 and $good < $chunks / 2")" = true ] || fail "a poor example: $(cat out)"

step "a connection that breaks in the middle of the patch: what came is not asked for again"
for n in 2 4; do
	get patch once/$n
	[ "$(json "d['patch']['failed-records']")" = 0 ] || fail "$(cat out)"
	[ "$(json "d['requests'] == $requests + 1 and d['received'] < $good + 8192")" = true ] || fail "$good without: $(cat out)"
	expect_err "retry 1 of "
done
grep "/$count\.patches/" log | tail -n 1 | grep -q ' "one"$' || fail "resumed without If-Range"

step "... again and again: three answers in a row that give little, and it is left aside"
aside patch-and-chunks drop/30000 200000 "the patch is left aside: "
expect_err "gave up after 2 retries"

step "no ranges: the patch is read once from front to back, or left aside where whole files are forbidden"
get patch norange/0
[ "$(asked)" = 1 ] || fail "$(asked) requests"
[ "$(json "d['received'] < $(stat -c %s patch) + 45000")" = true ] || fail "$(cat out)"
fresh start "full = never"
try norange/0
expect_err "no patch: "
expect_err "a full download is not allowed"
[ "$(json "d['way'] == 'chunks' and d['received'] < $chunks + 1000")" = true ] || fail "$(cat out)"

step "other ranges than were asked for"
aside chunks lie/5 30000 "the server answered a request for bytes from"

step "other bytes: in what is signed, and in records"
aside chunks other/1000 20000 "is left aside"
aside patch-and-chunks other/60000 "$cost" "the bytes of a record of the patch do not match their digest"
[ "$(json "d['patch']['failed-records'] > 0")" = true ] || fail "$(cat out)"

step "another file in the middle"
aside chunks turn/2 30000 "the patch is left aside: "
expect_err "was changed on the server"
aside patch-and-chunks turn/5 "$cost" "the patch is left aside: "
expect_err "was changed on the server"

step "cut short, with a length to match"
for at in 5000 $(($(stat -c %s patch) - 1)); do
	aside chunks "short/$at" 20000 "is left aside"
done

step "where nearly all would be downloaded then, and that is forbidden: 8, and no more than what is allowed"
fresh empty "full = never"
try good/0
stored=$(stat -c %s v2.artifact)
for kind in turn/3 other/15500; do
	fresh empty "full = never"
	count=$((count + 1))
	expect_exit 8 inst install -v "$url/$kind/$count"
	expect_err "[download] full = never"
	boot_says default=b trial=none bad=a
	cmp dev/b.img start/b.img || fail "the running slot was written"
	sum=$(awk -v at="/$count(\\.patches/.*)?$" -v size="$stored" '$2 ~ at {
		split($3, r, /[=-]/); n += (r[3] == "" ? size - 1 : r[3]) - r[2] + 1 } END { print n + 0 }' log)
	if [ "$sum" -eq 0 ] || [ "$sum" -gt $((stored / 10 * 9 + 45000)) ]; then fail "$sum bytes of $stored asked for"; fi
done
expect_exit 8 inst install -v "$url/status/404/x"
expect_err "a full download is refused"
fresh empty
try turn/3
assert_no_litter
