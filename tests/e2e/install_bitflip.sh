#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Single bits of a small artifact flipped, and the installer asked to install it: never a success, and never a write to a slot before the
# signature is known to be good. Of what is signed and the signature, every 97th bit here, with FULL=1 every one; of the rest, a sample.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"

cd "$tmp"
make_device 1048576
mkdir root
seq 1 2000 >root/text
SOURCE_DATE_EPOCH=1700000000 "$mkartifact" create -q -o v1.artifact --name test --version 1 --compatible test-board --arch any --no-sbom \
	--rootfs root --size 512K --key k.pem
step=97
[ "${FULL:-}" != 1 ] || step=1
python3 - "$top_build/artifact-install" v1.artifact "$step" <<'END' || fail "see above"
import hashlib
import os
import subprocess
import sys

program, path, step = sys.argv[1], sys.argv[2], int(sys.argv[3])
whole = bytearray(open(path, "rb").read())
# manifest.json and manifest.sig with their headers; sizes as in the headers.
signed = 512 + int(whole[124:135], 8)
signed += 512 + int(whole[signed + 124:signed + 135], 8)
slots = ("dev/a.img", "dev/b.img")


def hashes():
    return [hashlib.sha256(open(s, "rb").read()).hexdigest() for s in slots]


def stamps():
    return [os.stat(s).st_mtime_ns for s in slots] + [open("dev/boot", "rb").read()]


def install(data):
    with open("flipped", "wb") as file:
        file.write(data)
    return subprocess.run([program, "-c", "dev/install.conf", "install", "-q", "flipped"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)


def flipped(bit):
    whole[bit // 8] ^= 1 << bit % 8
    done = install(whole)
    whole[bit // 8] ^= 1 << bit % 8
    return done


before, faults, codes = (hashes(), stamps()), [], {}
bits = range(0, 8 * signed, step)
for bit in bits:
    done = flipped(bit)
    codes[done.returncode] = codes.get(done.returncode, 0) + 1
    if done.returncode not in (3, 4, 5) or stamps() != before[1] or not done.stdout:
        faults.append("bit %d: exit %d: %s" % (bit, done.returncode, done.stdout.decode()))
if hashes() != before[0]:
    faults.append("a slot has been written")
print("%d bits of what is signed and the signatures: refused with %s, nothing written" % (len(bits), codes))
# Behind it what is authenticated is compared with digests; the target may have been written, and is not armed.
rest = range(8 * signed + 3, 8 * len(whole), 8 * 613 + 1 if step > 1 else 1009)
for bit in rest:
    done = flipped(bit)
    if done.returncode not in (3, 4, 5, 6) or open("dev/boot", "rb").read() != before[1][2] and b"trial=none" not in open("dev/boot", "rb").read():
        faults.append("bit %d behind: exit %d: %s" % (bit, done.returncode, done.stdout.decode()))
if hashes()[0] != before[0][0]:
    faults.append("the running slot has been written")
print("%d bits behind them refused" % len(rest))
done = install(whole)
if done.returncode:
    faults.append("the artifact itself is refused: " + done.stdout.decode())
print("\n".join(faults[:20]))
sys.exit(bool(faults))
END
slot_is b v1.artifact
