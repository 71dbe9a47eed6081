#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# artifact-inspect verify: accepts what is right, from a file and from a pipe, and names what is wrong.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires artifact-inspect python3 openssl zstd
inspect=$top_build/artifact-inspect
cd "$tmp"

make_key good
make_key other
echo "what is new" >notes.txt
make_artifact a.artifact good --doc notes.txt --chunk 32768
make_artifact unsigned.artifact ""
size=$(wc -c <a.artifact)

step "a good artifact"
for deep in "" --deep; do
	# shellcheck disable=SC2086
	expect_exit 0 "$inspect" verify --keys good.keys $deep a.artifact
	expect_out "ok  signature  ed25519"
	expect_out "ok  document   notes.txt"
	expect_out "ok  end"
	! grep -q "^bad" "$tmp/out" || fail "a good artifact has a bad line"
	# shellcheck disable=SC2086
	expect_exit 0 sh -c 'cat a.artifact | "$0" verify --keys good.keys "$@" -' "$inspect" $deep
	expect_out "ok  end"
	# A pipe that hands out a few bytes at a time.
	# shellcheck disable=SC2086
	expect_exit 0 sh -c 'dd if=a.artifact bs=777 status=none | "$0" verify --keys good.keys "$@" -' "$inspect" $deep
	expect_out "ok  end"
done
expect_out "ok  image      rootfs"
assert_no_litter
expect_exit 0 "$inspect" verify --keys good.keys/good.pub.pem a.artifact
expect_exit 0 "$inspect" verify -q --keys good.keys a.artifact
[ ! -s out ] || fail "-q prints"
expect_exit 0 "$inspect" verify --keys good.keys --deep --json a.artifact
[ "$(json 'd["verified"] and d["deep"] and all(c["result"] == "ok" for c in d["checks"])')" = true ] || fail "json"
expect_exit 0 "$inspect" verify --keys good.keys --progress=json a.artifact
expect_err '"event":"progress","phase":"verifying","done":0,"total":'"$size"


step "the bar is for terminals"
cat >bar.py <<'END'
import os, pty, sys
def on_terminal(*args, **env):
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(env)
        os.execv(args[0], args)
    out = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    assert os.waitpid(pid, 0)[1] == 0, out
    return out
verify = [sys.argv[1], "verify", "--keys", "good.keys", "a.artifact"]
out = on_terminal(*verify, TERM="xterm")
assert b"\rverifying [" in out and b"% " in out and b"left" in out, out
# Taken away again before each line and at the end.
assert out.count(b"\r\033[K") >= 1 and out.rstrip().endswith(b"nothing more"), out
for args, env in ((["-q"], "xterm"), (["--progress=none"], "xterm"), ([], "dumb")):
    assert b"verifying" not in on_terminal(*verify, *args, TERM=env), (args, env)
END
python3 bar.py "$inspect" || fail "progress bar"

step "not trusted"
expect_error 4 key-none "$inspect" verify a.artifact
expect_err "try: artifact-inspect verify --keys DIR a.artifact"
expect_error 4 sig-untrusted "$inspect" verify --keys other.keys a.artifact
expect_out "--  signature  ed25519"
expect_error 4 sig-none "$inspect" verify --keys good.keys unsigned.artifact
mkdir empty.keys
expect_error 4 key-none "$inspect" verify --keys empty.keys a.artifact
expect_exit 4 "$inspect" verify --keys other.keys --json a.artifact
[ "$(json 'd["error"]["name"]')" = sig-untrusted ] || fail "json error name"
[ "$(json 'd["verified"]')" = false ] || fail "json verified"

step "not there, not an artifact"
expect_error 6 io "$inspect" verify --keys good.keys nowhere.artifact
expect_error 6 io "$inspect" verify --keys good.keys .
expect_error 3 tar-truncated "$inspect" verify --keys good.keys /dev/null
head -c 100000 /dev/zero >zero
expect_error 3 tar-end "$inspect" verify --keys good.keys zero
expect_error 3 tar-checksum "$inspect" verify --keys good.keys /bin/sh
expect_exit 2 "$inspect" verify --keys good.keys
expect_exit 2 "$inspect" verify --keys good.keys a.artifact a.artifact
expect_exit 2 "$inspect" verify --no-such-option a.artifact
expect_exit 2 "$inspect" show --deep a.artifact
expect_exit 2 "$inspect" look a.artifact

# The rest judges hundreds of variants: one Python process drives them, from a file and from a pipe.
cat >many.py <<'END'
import json, random, subprocess, sys

inspect, whole, size = sys.argv[1], open("a.artifact", "rb").read(), int(sys.argv[2])
seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
print("seed", seed)
rng = random.Random(seed)
assert len(whole) == size

def run(data, pipe, *options):
    if not pipe:
        open("variant", "wb").write(data)
    p = subprocess.run([inspect, "verify", "--json", "--keys", "good.keys", *options,
                        "-" if pipe else "variant"], input=data if pipe else b"",
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    name = json.loads(p.stdout).get("error", {}).get("name", "ok")
    return p.returncode, name, p.stderr

def want(got, allowed, what):
    assert (got[0], got[1]) in allowed, "%s: %r, not one of %r" % (what, got, allowed)

# Where the members are, by the system's own tar reader.
import tarfile
members = [(m.name, m.offset, m.offset_data, m.size) for m in tarfile.open("a.artifact")]
edges = {0, 1, 511, 512, size - 1, size - 512, size - 1024, size - 1025}
for name, header, data, length in members:
    edges |= {header, header + 1, data - 1, data, data + 1, data + length - 1, data + length}
cuts = sorted(e for e in edges if 0 <= e < size) + [rng.randrange(size) for _ in range(40)]
for cut in cuts:
    for pipe in (False, True):
        want(run(whole[:cut], pipe), {(3, "tar-truncated")}, "cut at %d, pipe %s" % (cut, pipe))

for tail in (b"\0", b"x", bytes(512), bytes(10240), whole):
    for pipe in (False, True):
        want(run(whole + tail, pipe), {(3, "tar-trailing")}, "%d bytes more" % len(tail))

def region(at):
    for name, header, data, length in members:
        if at < data:
            return "header", name
        if at < data + length:
            return "data", name
        if at < data + (length + 511) // 512 * 512:
            return "padding", name
    return "end", ""

HEADER = {(3, n) for n in ("tar-checksum", "tar-header", "tar-name", "tar-size", "tar-end")}
def due(at):
    where, name = region(at)
    if where == "header":
        return HEADER
    if where == "padding":
        return {(3, "tar-padding")}
    if where == "end":
        return {(3, "tar-end")}
    if name == "manifest.json":
        return {(4, "sig-invalid")}
    if name == "manifest.sig":
        return {(4, n) for n in ("sig-syntax", "sig-none", "sig-untrusted", "sig-invalid")}
    if name.endswith(".index"):
        return {(3, "index-table"), (3, "index-page")}
    if name.endswith(".data"):
        return {(3, "chunk-stored")}
    return {(3, "doc-digest")}

spots = [rng.randrange(size) for _ in range(60)]
for name, header, data, length in members:
    spots += [header + rng.randrange(512), data + rng.randrange(length), data + length - 1]
    if length % 512:
        spots.append(data + length)
spots += [size - 1, size - 1024]
for n, at in enumerate(spots):
    changed = bytearray(whole)
    changed[at] ^= 1 << rng.randrange(8)
    want(run(bytes(changed), n % 2 == 0, *(["--deep"] if n % 3 == 0 else [])), due(at),
         "bit at %d (%s)" % (at, region(at)))
print(len(cuts), "truncations,", len(spots), "flipped bits")
END
step "truncations, trailing bytes, flipped bits"
python3 many.py "$inspect" "$size" || fail "a variant was judged wrongly"

step "an output that cannot be written"
if [ -w /dev/full ]; then
	expect_exit 6 sh -c '"$0" verify --keys good.keys a.artifact >/dev/full' "$inspect"
fi
assert_no_litter
