# SPDX-License-Identifier: Apache-2.0
"""Does the JSON Schema say what art_manifest_parse says?

schema.py SCHEMA PROBE: manifests are made from a good one by one change each, judged by both, and must
get the same verdict. What a schema cannot say is a list of its own: valid there, refused by the parser.
"""
import copy
import json
import os
import subprocess
import sys
import tempfile

import jsonschema

SHA = "%064x"
GIB = 1 << 30


def segment(offset, size):
    return {"offset": offset, "size": size, "index-size": 96, "index-sha256": SHA % offset,
            "data-size": 100}


GOOD = {
    "type": "artifact", "format": 1, "name": "demo", "version": "1.0-1",
    "created": "2026-01-02T03:04:05Z", "security-counter": 1, "compatible": ["a", "b,c+d"],
    "hardware": ["1..2", "3.."], "arch": "aarch64", "requires": {"bootloader": "1.."},
    "provides": {"data": "2"}, "features": [],
    "payloads": [
        {"name": "rootfs", "kind": "rootfs-image", "filesystem": "ext4", "size": GIB + 4096,
         "sha256": SHA % 1, "prefix": 262144,
         "segments": [segment(0, GIB), segment(GIB, 4096)], "ext": {"x": 1}},
        {"name": "boot", "kind": "boot-image", "filesystem": "vfat", "size": 512,
         "sha256": SHA % 2, "prefix": 0, "segments": [segment(0, 512)]}],
    "docs": [{"name": "sbom.spdx.json", "size": 5, "sha256": SHA % 3}],
    "description": "text", "security": True,
    "advisory": {"url": "https://example.com", "ids": ["CVE-1"]},
    "support-until": "2030-01-01", "ext": {"any": [None, 1.0 and 1]}}

# What is judged by the reader's knowledge and not by form: not the schema's.
BEYOND_FORM = {"feature-unknown"}

# Path, value: the schema must take these and the parser must not.
BEYOND_SCHEMA = [
    (("created",), "2025-02-29T00:00:00Z"),
    (("support-until",), "1900-02-29"),
    (("hardware", 0), "2..1"),
    (("requires", "bootloader"), "1..1~"),
    (("payloads", 1, "name"), "rootfs"),
    (("payloads", 1, "size"), 1024),
    (("payloads", 0, "segments", 0, "size"), GIB - 512),
    (("payloads", 0, "segments", 1, "offset"), 2 * GIB),
    (("payloads", 0, "segments", 1, "index-size"), 104),
    (("ext",), {"t": "x" * 16384}),
    (("payloads", 0, "ext"), {"t": "x" * 16384}),
    (("description",), "\u00e4" * 4096),
    (("advisory", "ids", 0), "\u00e4" * 64),
]

WORDS = ["", "a", "A", "0", "-", ".", "~", "+", "_", ",", "a" * 16, "a" * 17, "a" * 32, "a" * 33,
         "a" * 64, "a" * 65, "a b", "a/b", "..", "a.", ".a", "1.", "1..", "..1", "1..1", "1...1",
         "1..2..3", "...", "1" * 64 + "..", "1" * 65 + "..", ".." + "1" * 64, ".." + "1" * 65,
         "1" * 64 + ".." + "1" * 64, "1" * 64 + ".." + "1" * 65, "1" * 65 + ".." + "1" * 65,
         "1.2-3", "1:2", "1..-2", "2026-01-01", "2026-02-30", "2026-12-31",
         "2026-1-1", "0000-01-01", "0001-01-01", "2026-04-31", "2026-13-01", "2026-00-10",
         "2026-01-00", "2026-01-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T23:60:00Z",
         "2026-01-01T23:59:60Z", "2026-01-01T23:59:59Z", "2026-01-01T23:59:59+00:00", "\u00e4",
         "any", "i386", "arm64", "rootfs-image", "boot-image", "file", "ext4", "ext2", "raw", "f" * 64,
         "F" * 64, "f" * 63, "g" * 64, "artifact", "x" * 512, "x" * 513, "x" * 4096, "x" * 4097]
NUMBERS = [0, 1, 2, 95, 96, 97, 511, 512, 513, 4095, 4096, 1048575, 1048576, 1048577, 67108864,
           67108865, GIB - 1, GIB, GIB + 1, 2084832, 2084833, 2 ** 32 - 1, 2 ** 32, 2 ** 46, 2 ** 46 + 512,
           2 ** 53 - 1]
OTHERS = [None, True, False, [], {}, [[]], [1], ["a"], {"a": 1}, {"a": "1"}, {"A": "1"}, {"": "1"},
          ["a"] * 16, ["a"] * 17, ["a"] * 32, ["a"] * 33, ["1"] * 64, ["1"] * 65,
          {"k%d" % i: "1" for i in range(64)}, {"k%d" % i: "1" for i in range(65)}]
# A change of these is about more than one value; the parser sees what the schema cannot.
JOINT = {"size", "offset", "segments", "index-size"}


def paths(value, at=()):
    """Every place in a tree, outside of what ext holds."""
    yield at
    if at and at[-1] == "ext":
        return
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], at + (key,))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from paths(item, at + (i,))


def changed(path, value):
    tree = copy.deepcopy(GOOD)
    at = tree
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return tree


def removed(path):
    tree = copy.deepcopy(GOOD)
    at = tree
    for key in path[:-1]:
        at = at[key]
    del at[path[-1]]
    return tree


def get(path):
    at = GOOD
    for key in path:
        at = at[key]
    return at


def cases():
    """Pairs of a label and a tree."""
    yield "good", GOOD
    for path in paths(GOOD):
        label = "/".join(map(str, path))
        if isinstance(get(path), dict):
            for key in ("colour", "verity", "Name", ""):
                yield label + "+" + key, changed(path + (key,), "1")
        if not path:
            continue
        yield label + " removed", removed(path)
        for value in WORDS + NUMBERS + OTHERS:
            yield "%s = %.60s" % (label, json.dumps(value)), changed(path, value)
    for count in (7, 8, 9):
        tree = copy.deepcopy(GOOD)
        tree["payloads"] = [dict(GOOD["payloads"][1], name="p%d" % i) for i in range(count)]
        yield "%d payloads" % count, tree
    for count in (15, 16, 17):
        tree = copy.deepcopy(GOOD)
        tree["docs"] = [dict(GOOD["docs"][0], name="d%d" % i) for i in range(count)]
        yield "%d docs" % count, tree


def file_bytes(tree):
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    return text + b" " * (-len(text) % 4096)


def probe(program, trees):
    """The names of the parser's verdicts."""
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for i, tree in enumerate(trees):
            names.append(os.path.join(folder, str(i)))
            with open(names[-1], "wb") as out:
                out.write(file_bytes(tree))
        lines = []
        for i in range(0, len(names), 1000):
            done = subprocess.run([program] + names[i:i + 1000], stdout=subprocess.PIPE,
                                  text=True, errors="replace", check=False)
            lines += done.stdout.splitlines()
    assert len(lines) == len(trees), "the probe gave %d lines for %d files" % (len(lines), len(trees))
    return [line.split("\t")[0] for line in lines]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    labels, trees = zip(*cases())
    wrong = accepted = 0
    for label, tree, verdict in zip(labels, trees, probe(sys.argv[2], trees)):
        by_schema = validator.is_valid(tree)
        accepted += by_schema
        joint = by_schema and JOINT & set(label.replace(" ", "/").split("/"))
        if by_schema != (verdict == "ok" or verdict in BEYOND_FORM) and not joint:
            wrong += 1
            print("schema: %s, parser: %s: %s" % (by_schema, verdict, label))
    beyond = [changed(path, value) for path, value in BEYOND_SCHEMA]
    for (path, _), tree, verdict in zip(BEYOND_SCHEMA, beyond, probe(sys.argv[2], beyond)):
        if not validator.is_valid(tree) or verdict == "ok":
            wrong += 1
            print("not beyond the schema: %s, parser: %s" % (path, verdict))
    print("%d manifests, %d valid by the schema, %d beyond it, %d disagreements"
          % (len(trees), accepted, len(beyond), wrong))
    assert accepted > 100 and len(trees) - accepted > 1000
    sys.exit(1 if wrong else 0)


main()
