#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What an install costs the flash, by what it asks of the kernel and not by what it reports: only chunks that differ are written, and
# once; zeros are made only where there are none, as holes where the file can have them; the running slot is never opened for writing;
# what is noted of seeds needs room for what they hold, and not for their size.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires strace sha256sum fallocate
strace -o /dev/null true 2>/dev/null || skip "strace may not trace here"
# The leak checker cannot work in a traced program.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
cd "$tmp"
blocks() { # FILE
	stat -c %b "$1"
}
make_noise 3 1048576 >probe
if [ "$(blocks probe)" -lt 2048 ] || ! fallocate -p -o 0 -l 1048576 probe || [ "$(blocks probe)" -gt 1024 ]; then
	skip "files can have no holes here"
fi
make_device 8388608
make_versions
rm root/*
seq 1 50000 >root/text
create v3 3.0
cp -a dev start

# A file for each process, so that no call is cut in two by another's.
inject=
traced() { # ARGUMENT...: `install --json`; its calls in calls.PID
	rm -f calls.*
	expect_exit 0 timeout 60 strace -ff -y -s 0 -o calls ${inject:+-e "$inject"} \
		-e 'trace=?open,?creat,openat,?openat2,/write,/fallocate,/truncate,?copy_file_range,/sendfile,?splice' \
		"$top_build/artifact-install" -c dev/install.conf install --json "$@"
}

cat >flash.py <<'END'
import glob, json, os, re, sys, tarfile

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import twinroot_reader as reader

PAGE, MIB = 4096, 1 << 20


def lines(path):
    for name in glob.glob("calls.*"):
        with open(name) as file:
            yield from (line for line in file if path in line)


def touched(path):
    """Bytes that were written and that holes were asked for, as (offset, length), of a slot."""
    slot, written, holes = "<" + os.path.realpath(path) + ">", [], []
    for line in lines(slot):
        call = line.split("(", 1)[0]
        if call.startswith("open"):
            continue
        if m := re.match(r'pwrite64\(\d+<[^>]*>, ""\.\.\., \d+, (\d+)\) += (\d+)$', line):
            written.append((int(m[1]), int(m[2])))
        elif m := re.match(r"fallocate\(\d+<[^>]*>, ([A-Z_|]+), (\d+), (\d+)\) += (0|-1 EOPNOTSUPP)", line):
            assert set(m[1].split("|")) == {"FALLOC_FL_KEEP_SIZE", "FALLOC_FL_PUNCH_HOLE"}, line
            if m[4] == "0":
                holes.append((int(m[2]), int(m[3])))
        else:
            sys.exit("a way to write that this test does not know: " + line)
    return written, holes


def total(areas):
    return sum(length for _, length in areas)


def mark(areas, size):
    """Of each byte of SIZE: does it lie in an area? Areas that overlap are a fault."""
    seen = bytearray(size)
    for off, length in areas:
        if any(seen[off:off + length]):
            sys.exit("%d bytes at %d are written twice" % (length, off))
        seen[off:off + length] = b"\1" * length
    return seen


def rows(artifact):
    """(offset, length, is it zero) of each."""
    with tarfile.open(artifact) as tar:
        segments = json.loads(tar.extractfile("manifest.json").read())["payloads"][0]["segments"]
        at = 0
        for n, segment in enumerate(segments):
            for row in reader.parse_index(tar.extractfile("payload/rootfs/%04d.index" % n).read(), segment):
                yield at, row.length, row.type == reader.ZERO
                at += row.length


def content(path):
    with open(path, "rb") as file:
        return file.read()


def report():
    with open("out") as file:
        return json.load(file)


def equal(what, have, want):
    if have != want:
        sys.exit("%s: %r, not %r" % (what, have, want))
END
judge() { # a program on stdin, after flash.py
	cat flash.py - >judge.py
	python3 judge.py "$top_src/tests/reader" || { cat out; fail "see above"; }
}

step "the same once more: not one write"
traced v1.artifact
judge <<'END'
written, holes = touched("dev/b.img")
assert total(written) > 2 * MIB and total(written) == report()["written"], total(written)
END
cp dev/b.img before.img
traced v1.artifact
slot_is b v1.artifact
judge <<'END'
equal("calls that change the slot", touched("dev/b.img"), ([], []))
equal("the report", (report()["written"], report()["zeroed"], report()["fetched"]), (0, 0, 0))
END
cmp before.img dev/b.img

step "over another release: what differs, once"
traced v2.artifact
slot_is b v2.artifact
judge <<'END'
written, holes = touched("dev/b.img")
before, after = content("before.img"), content("dev/b.img")
equal("bytes written", total(written), report()["written"])
equal("bytes in holes", total(holes), report()["zeroed"])
seen, kept, new = mark(written + holes, len(after)), 0, 0
for off, length, zero in rows("v2.artifact"):
    end = off + length
    if before[off:end] == after[off:end]:
        assert not any(seen[off:end]), "%d bytes at %d were right and are written" % (length, off)
        kept += length
    elif not zero:
        assert all(seen[off:end]), "%d bytes at %d were wrong and not written" % (length, off)
        new += length
equal("bytes of chunks that differ", total(written), new)
equal("bytes right already", report()["same"], sum(length for _, length, _ in rows("v2.artifact")) - new - total(holes))
assert kept > 4 * MIB and new > 100000, (kept, new)
# Nothing was changed in a way that is not traced.
for off in range(0, len(after), PAGE):
    assert any(seen[off:off + PAGE]) or before[off:off + PAGE] == after[off:off + PAGE], "changed and not traced: %d" % off
END

step "zeros over noise: holes"
fresh
full=$(blocks dev/b.img)
traced v3.artifact
slot_is b v3.artifact
judge <<'END'
written, holes = touched("dev/b.img")
zeros = [(off, length) for off, length, zero in rows("v3.artifact") if zero]
size = sum(length for _, length, _ in rows("v3.artifact"))
assert total(zeros) > 4 * MIB, total(zeros)
# Noise is nowhere zero for as long as a row is: all of them are to be made.
equal("the report of zeros", report()["zeroed"], total(zeros))
equal("the report of bytes written", report()["written"], size - total(zeros))
mark(written + holes, 8 * MIB)
assert all(off % PAGE == length % PAGE == 0 for off, length in zeros), zeros
equal("bytes written", total(written), size - total(zeros))
equal("bytes in holes", total(holes), total(zeros))
END
zeroed=$(json "d['zeroed']")
# 64 KiB for what the filesystem itself needs to tell of holes.
[ "$(blocks dev/b.img)" -lt $((full - zeroed / 512 + 128)) ] || fail "$(blocks dev/b.img) blocks, $full before, and $zeroed bytes of zeros"

step "zeros that are there already, written or a hole, are left alone"
# What is not zero begins 1 MiB after the row of zeros does, and is looked at in pieces of 1 MiB.
judge <<'END'
off, length = max(((off, length) for off, length, zero in rows("v3.artifact") if zero), key=lambda row: row[1])
assert length > 3 * MIB, length
with open("dev/b.img", "r+b") as file:
    file.seek(off)
    file.write(bytes(MIB) + b"x" * 65536)
print(off, file=open("off", "w"))
END
traced v3.artifact
slot_is b v3.artifact
judge <<'END'
written, holes = touched("dev/b.img")
off = int(content("off"))
equal("the report", (report()["written"], report()["zeroed"]), (0, MIB))
equal("what was touched", (written, holes), ([], [(off + MIB, MIB)]))
END

step "where no holes can be made: zeros are written"
fresh
inject=inject=fallocate:error=EOPNOTSUPP
traced v3.artifact
inject=
slot_is b v3.artifact
judge <<'END'
written, holes = touched("dev/b.img")
equal("holes", holes, [])
equal("bytes written", total(written), report()["written"] + report()["zeroed"])
mark(written, 8 * MIB)
END
[ "$(json "d['zeroed']")" = "$zeroed" ] || fail "with holes $zeroed bytes, without: $(cat out)"

step "over http, from the running slot and with a patch: that slot is opened to be read, and no more"
[ -x "$top_build/artifact-fetch" ] || skip "artifact-fetch is not built"
TWINROOT_FETCH=$top_build/artifact-fetch
export TWINROOT_FETCH
fresh
expect_exit 0 inst install -q v1.artifact
boot_slot b
expect_exit 0 inst commit
rm -rf start
cp -a dev start
mkdir web
cp v2.artifact web/
background python3 "$top_src/tests/e2e/range_server.py" web port 2>log
url=http://127.0.0.1:$(port_of port)/v2.artifact
for way in chunks patch; do
	fresh
	[ $way = chunks ] || "$mkartifact" delta -q --key k.pem v1.artifact web/v2.artifact
	traced "$url"
	slot_is a v2.artifact
	cmp start/b.img dev/b.img || fail "the running slot was written"
	judge <<'END'
equal("calls that change the running slot", touched("dev/b.img"), ([], []))
opened = [line for line in lines("b.img") if line.startswith(("open", "creat"))]
assert opened, "the running slot was not even read"
for line in opened:
    assert not re.search(r"O_RDWR|O_WRONLY|O_TRUNC|O_CREAT|^creat", line), "the running slot is opened for writing: " + line
# The target is, or this would not see it.
assert any("O_RDWR" in line for line in lines("a.img")), "the target is not opened"
assert report()["copied"] > MIB, report()
END
	[ "$(json "d['way']")" = $way ] || fail "not by $way: $(cat out err)"
done

step "seeds that are read through: not their holes, and no file with a name is made for it"
truncate -s 1T seed || skip "files cannot have 1 TiB here"
dd if=start/b.img of=seed bs=1M seek=524288 conv=notrunc 2>/dev/null
rm -r web/v2.artifact.patches
unknown() { # all that is known of v1 is that file
	fresh
	rm -r dev/state/slot-b
	make_noise 9 8388608 >dev/b.img
	printf '[download]\nseeds = %s\n' "$tmp/seed" >>dev/install.conf
}
for dry in --dry-run ''; do
	unknown
	traced ${dry:+"$dry"} "$url"
	judge <<'END'
noted = 0
named = [line for line in lines("/state") if "O_CREAT" in line and re.search(r"/heads|/\.twinroot-", line.split(",")[1])]
assert not named or any("O_TMPFILE" in line and "= -1 E" in line for line in lines("/state")), named
for line in lines("("):
    if m := re.match(r"p?write(?:64)?\(\d+<[^>]*(?:/state/#\d+|memfd:heads|/state/\.twinroot-\w+)\b.* = (\d+)$", line):
        noted += int(m[1])
# Four bytes for each 4 KiB of two slots.
assert 2 * MIB // 1024 < noted <= 16 * MIB // 1024, noted
assert report()["copied"] > 2 * MIB, report()
END
done
slot_is a v2.artifact
# And where files without a name are not known.
when=
for _ in first again; do
	unknown
	expect_exit 0 strace -f -o calls.state -P "$tmp/dev/state" -e trace=openat \
		${when:+-e inject=openat:error=EOPNOTSUPP:when=$when} "$top_build/artifact-install" -c dev/install.conf install --json "$url"
	slot_is a v2.artifact
	[ "$(json "d['copied'] > 2000000")" = true ] || fail "$(cat out err)"
	# The running slot's comes first.
	when=$(awk '/resumed/ { next } /openat/ { n++ } /O_TMPFILE/ { last = n } END { print last }' calls.state)
done
grep -q 'O_TMPFILE.*INJECTED' calls.state || fail "it was not asked for: $(cat calls.state)"
expect_exit 0 find dev/state -name '*twinroot*'
[ ! -s out ] || fail "left: $(cat out)"
assert_no_litter
