#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The order of what artifact-install asks of the kernel, which no result shows until the power fails: what is written is
# synced before anything else relies on it, and the running slot is never opened for writing.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires strace
strace -o /dev/null true 2>/dev/null || skip "strace may not trace here"
# The leak checker cannot work in a traced program.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
cd "$tmp"
make_device 8388608
make_versions

strace -f -y -s 200 -e trace=openat,open,pwrite64,pwritev,write,fdatasync,fsync,fallocate,rename,renameat2,execve -o calls \
	"$top_build/artifact-install" -c dev/install.conf install -q v1.artifact
boot_says trial=b
python3 - calls <<'END'
import re, sys

events = []  # (what, which)
for line in open(sys.argv[1]):
    call = line.split(None, 1)[1]
    if call.startswith("execve(") and "boot.sh" in call:
        events.append(("boot", re.search(r'boot\.sh", \["[^"]*", "(\w+)"', call).group(1)))
    elif call.startswith("open") and "a.img" in call:
        assert not re.search(r"O_RDWR|O_WRONLY|O_TRUNC", call), "the running slot is opened for writing: " + call
    elif m := re.match(r"(pwrite64|pwritev|write|fallocate|fdatasync|fsync)\(\d+<([^>]*)>", call):
        kind = "sync" if m[1].endswith("sync") else "write"
        name = m[2].rsplit("/", 1)[1] if "/" in m[2] else m[2]
        if name in ("a.img", "b.img", "state"):
            events.append((kind, name if m[2].endswith(".img") or "/state/state" in m[2] else "directory"))
    elif call.startswith("rename") and "slot-b" in call:
        events.append(("rename", "kept"))

def first(event, after=-1):
    for i, e in enumerate(events):
        if i > after and e == event:
            return i
    sys.exit(f"{event} is not there after {after}: {events}")

def last(event, before=None):
    for i in range((len(events) if before is None else before) - 1, -1, -1):
        if events[i] == event:
            return i
    sys.exit(f"{event} is not there before {before}: {events}")

assert ("write", "a.img") not in events, "the running slot was written"
bad, arm = first(("boot", "bad")), first(("boot", "arm"))
begun, ended = first(("write", "b.img")), last(("write", "b.img"))
recorded = first(("write", "state"), bad)
assert bad < recorded < first(("sync", "state"), recorded) < begun, "the target was written before it was bad and recorded so"
assert ended < first(("sync", "b.img"), ended) < arm, "armed before the target was synced"
kept = last(("rename", "kept"), arm)
final = last(("write", "state"), arm)
assert first(("sync", "b.img"), ended) < kept < first(("sync", "directory"), kept) < final, "the record is ahead of what was kept"
assert final < first(("sync", "state"), final) < arm, "armed before the record was durable"
END
