#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""relevel.py PATCH KEY.pem: change PATCH so that its records of compressed blocks name another level, and sign it again: what a device
makes of them are then other bytes, as if its libzstd were another one. Prints how many records that were."""
import base64
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reader"))
from twinroot_patch import Numbers  # noqa: E402


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, stdout=subprocess.PIPE, check=True).stdout


def relevel(table, data):
    """Both in place; the number of records."""
    numbers, at, changed = Numbers(table, "patch-table"), 0, 0
    while numbers.more():
        codec = numbers.next()
        for _ in range(2 * numbers.next()):
            numbers.next()
        for _ in range(2 * numbers.next()):
            numbers.next()
        length = numbers.next()
        digest = numbers.at
        numbers.bytes(16)
        if codec == 2:
            data[at + 1] = 3 if data[at + 1] != 3 else 9
            table[digest:digest + 16] = hashlib.sha256(data[at:at + length]).digest()[:16]
            changed += 1
        at += length
    return changed


def sign(manifest, lines, key):
    name, key_id, signature = lines.split(b"\n")[0].split(b" ")
    text = b"twinroot-patch-v1\n%s\n%s\n%s\n" % (name, key_id, hashlib.sha512(manifest).hexdigest().encode())
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        new = base64.b64encode(openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file.name))
    assert len(new) == len(signature)
    return lines.replace(signature, new, 1)


def main():
    path, key = sys.argv[1:]
    with tarfile.open(path) as tar:
        places = {m.name: (m.offset_data, m.size) for m in tar.getmembers()}
    with open(path, "rb") as file:
        whole = bytearray(file.read())
    get = lambda name: whole[places[name][0]:sum(places[name])]  # noqa: E731
    parts, changed = {}, 0
    manifest = bytes(get("patch.json"))
    for name in places:
        if name.endswith(".records"):
            stem = name.removesuffix(".records")
            table, data = get(name), get(stem + ".data")
            changed += relevel(table, data)
            manifest = manifest.replace(hashlib.sha256(get(name)).hexdigest().encode(), hashlib.sha256(table).hexdigest().encode())
            parts.update({name: table, stem + ".data": data})
    parts["patch.json"] = manifest
    parts["patch.sig"] = sign(manifest, bytes(get("patch.sig")), key)
    for name, part in parts.items():
        whole[places[name][0]:sum(places[name])] = part
    with open(path, "wb") as file:
        file.write(whole)
    print(changed)


if __name__ == "__main__":
    main()
