# SPDX-License-Identifier: Apache-2.0
"""Validly signed manifests that are wrong, and devices that an artifact does not fit."""

import copy
import json

from kit import Artifact, Payload, Segment, dump, noise, pad_manifest, pad_to, raw, tar


def full(v):
	"""An artifact that uses every key, to be spoiled at one place."""
	return Artifact([Payload([Segment([raw(noise("full", 512), True)])])], [v.a],
			docs=[("NOTES", b"notes\n")], hardware=["2..4"],
			requires={"bootloader": "2.0..3.0"}, provides={"os": "1.0"}, features=[],
			description="d", security=False, advisory={"url": "https://example.org", "ids": []},
			ext={}, **{"support-until": "2030-01-01"})


def syntax(v):
	art = v.base(ext={"k": 1})
	text = dump(art.manifest)
	change = lambda old, new: pad_manifest(text.replace(old, new, 1))
	value = lambda new: change(b'"k":1', b'"k":' + new)
	nested = lambda levels: value(b"[" * levels + b"]" * levels)
	cases = (
		("duplicate-key", change(b'"name"', b'"name":"demo","name"'), "a key twice"),
		("duplicate-escaped", change(b'"name"', b'"n\\u0061me":"demo","name"'),
		 "a key twice, once with an escape"),
		("duplicate-in-ext", change(b'"k":1', b'"k":1,"k":1'), "a key twice inside ext"),
		("nul-escape", value(b'"a\\u0000b"'), "NUL in a string"),
		("nul-in-key", change(b'"k"', b'"k\\u0000"'), "NUL in a key"),
		("nul-after-number", value(b"1\0"), "a NUL byte between two tokens"),
		("nul-before-colon", change(b'"k":1', b'"k"\0:1'), "a NUL byte before a colon"),
		("control-character", value(b'"a\tb"'), "a raw control character in a string"),
		("depth-17", nested(15), "nesting of 17 levels"),
		("depth-1000", nested(1000), "nesting of 1002 levels"),
		("float", value(b"1.0"), "a number with a fraction"),
		("exponent", value(b"1e3"), "a number with an exponent"),
		("negative", value(b"-1"), "a number below zero"),
		("negative-zero", value(b"-0"), "a number with a sign"),
		("leading-zero", value(b"01"), "a leading zero"), ("plus", value(b"+1"), "a plus sign"),
		("2-53", value(b"9007199254740992"), "2^53"),
		("2-63", value(b"9223372036854775808"), "2^63"),
		("2-64", value(b"18446744073709551617"), "2^64 + 1"),
		("1000-digits", value(b"1" * 1000), "a number of 1000 digits"),
		("float-counter", change(b'"security-counter":1', b'"security-counter":1.0'),
		 "a fraction where an integer is due"),
		("nan", value(b"NaN"), "NaN"), ("true-uppercase", value(b"True"), "True"),
		("single-quotes", value(b"'a'"), "single quotes"),
		("trailing-comma", value(b"[1,]"), "a trailing comma"),
		("comment", change(b'"k":1', b'"k":1/* */'), "a comment"),
		("lone-surrogate", value(b'"\\ud800"'), "a lone surrogate"),
		("low-surrogate-first", value(b'"\\udc00\\ud800"'), "surrogates in the wrong order"),
		("not-utf-8", value(b'"\xff"'), "a byte that is not UTF-8"),
		("overlong", value(b'"\xc0\xaf"'), "an overlong UTF-8 sequence"),
		("utf-8-surrogate", value(b'"\xed\xa0\x80"'), "a surrogate in UTF-8"),
		("bom", pad_manifest(b"\xef\xbb\xbf" + text), "a byte-order mark"),
		("leading-space", pad_manifest(b" " + text), "a space before the object"),
		("array", pad_manifest(b"[" + text + b"]"), "an array around the object"),
		("two-objects", pad_manifest(text + b"{}"), "two objects"),
		("bytes-after-lf", pad_manifest(text + b"\n{}"), "bytes after the LF"),
		("truncated", pad_manifest(text[:-1]), "the last brace is missing"),
		("no-lf", pad_to(text, 4096, b" "), "no LF after the object"),
		("space-before-lf", pad_manifest(text + b" "), "a space before the LF"),
		("two-lf", pad_manifest(text + b"\n"), "two LFs"),
		("crlf", pad_manifest(text + b"\r"), "CR LF"),
		("tab-padding", pad_to(text + b"\n", 4096, b"\t"), "padded with tabs"),
		("lf-padding", pad_to(text + b"\n", 4096, b"\n"), "padded with LF"),
		("nul-padding", pad_to(text + b"\n", 4096, b"\0"), "padded with NUL"),
		("last-byte", pad_manifest(text)[:-1] + b"\n", "LF as the last byte"),
		("empty", b" " * 4096, "nothing but spaces"), ("zeros", bytes(4096), "nothing but NUL"))
	for name, manifest, what in cases:
		v.add("manifest-syntax-" + name, "manifest-syntax", what, art.build(manifest=manifest))


def spoil(v, error, name, what, path, value=None, delete=False):
	"""Change what PATH leads to in a full manifest; everything else stays right."""
	art = full(v)
	place = art.manifest
	for step in path[:-1]:
		place = place[step]
	if delete:
		del place[path[-1]]
	else:
		place[path[-1]] = value
	v.add("%s-%s" % (error, name), error, what, art.build())


PAYLOAD = ("payloads", 0)
SEGMENT = PAYLOAD + ("segments", 0)
DOC = ("docs", 0)


def keys(v):
	for name, path in (("top", ()), ("payload", PAYLOAD), ("segment", SEGMENT), ("doc", DOC),
			   ("advisory", ("advisory",))):
		spoil(v, "manifest-key", name, "an unknown key: " + name, path + ("x",), 1)
	for key in ("verity", "encryption", "data-schema", "min-partition-size"):
		spoil(v, "manifest-key", key, "a reserved key", (key,), {})
	spoil(v, "manifest-key", "case", "keys are compared by case", ("Description",), "x")
	for key in ("type", "format", "name", "version", "created", "security-counter", "compatible",
		    "arch", "payloads"):
		spoil(v, "manifest-missing", key, "no " + key, (key,), delete=True)
	for key in ("name", "kind", "filesystem", "size", "sha256", "prefix", "segments"):
		spoil(v, "manifest-missing", "payload-" + key, "no %s of a payload" % key,
		      PAYLOAD + (key,), delete=True)
	for key in ("offset", "size", "index-size", "index-sha256", "data-size"):
		spoil(v, "manifest-missing", "segment-" + key, "no %s of a segment" % key,
		      SEGMENT + (key,), delete=True)
	for key in ("name", "size", "sha256"):
		spoil(v, "manifest-missing", "doc-" + key, "no %s of a document" % key, DOC + (key,),
		      delete=True)
	spoil(v, "manifest-missing", "advisory-url", "no url of an advisory", ("advisory", "url"),
	      delete=True)


VALUES = (
	("type-other", ("type",), "patch"), ("type-number", ("type",), 1),
	("format-text", ("format",), "1"), ("format-true", ("format",), True),
	("name-empty", ("name",), ""), ("name-65", ("name",), "n" * 65),
	("name-dot", ("name",), ".demo"), ("name-slash", ("name",), "a/b"), ("name-null", ("name",), None),
	("version-empty", ("version",), ""), ("version-epoch", ("version",), "1:2.0"),
	("version-dots", ("version",), "1..2"), ("version-last-dot", ("version",), "1."),
	("version-first", ("version",), "-1"), ("version-65", ("version",), "1" * 65),
	("version-number", ("version",), 1), ("created-date", ("created",), "2026-02-29T00:00:00Z"),
	("created-offset", ("created",), "2026-01-01T00:00:00+00:00"),
	("created-hour", ("created",), "2026-01-01T24:00:00Z"),
	("created-leap-second", ("created",), "2016-12-31T23:59:60Z"),
	("created-space", ("created",), "2026-01-01 00:00:00Z"),
	("created-fraction", ("created",), "2026-01-01T00:00:00.0Z"),
	("created-month-0", ("created",), "2026-00-01T00:00:00Z"),
	("counter-2-32", ("security-counter",), 1 << 32), ("counter-text", ("security-counter",), "1"),
	("compatible-none", ("compatible",), []), ("compatible-text", ("compatible",), "board-a"),
	("compatible-65", ("compatible",), ["b%d" % i for i in range(65)]),
	("compatible-space", ("compatible",), ["board a"]), ("compatible-empty", ("compatible",), [""]),
	("compatible-number", ("compatible",), [1]), ("hardware-none", ("hardware",), []),
	("hardware-reversed", ("hardware",), ["3..2"]), ("hardware-dots", ("hardware",), [".."]),
	("hardware-three-dots", ("hardware",), ["1...2"]), ("hardware-two-ranges", ("hardware",), ["1..2..3"]),
	("hardware-empty", ("hardware",), [""]), ("arch-unknown", ("arch",), "vax"),
	("arch-uppercase", ("arch",), "X86_64"), ("requires-range", ("requires", "bootloader"), "2..1"),
	("requires-key", ("requires", "Boot Loader"), "1"), ("requires-empty-key", ("requires", ""), "1"),
	("requires-list", ("requires",), []), ("provides-range", ("provides", "os"), "1.0.."),
	("provides-65", ("provides",), {"k%d" % i: "1" for i in range(65)}),
	("features-text", ("features",), "verity"), ("features-case", ("features",), ["Verity"]),
	("features-33", ("features",), ["f%d" % i for i in range(33)]),
	("features-long", ("features",), ["f" * 33]), ("payloads-none", ("payloads",), []),
	("payloads-object", ("payloads",), {}), ("payloads-number", ("payloads",), [1]),
	("docs-null", ("docs",), None), ("description-4097", ("description",), "é" * 2048 + "x"),
	("description-list", ("description",), []), ("security-number", ("security",), 0),
	("advisory-text", ("advisory",), "https://example.org"),
	("advisory-url-513", ("advisory", "url"), "u" * 513),
	("advisory-ids-65", ("advisory", "ids"), ["i"] * 65),
	("advisory-id-empty", ("advisory", "ids"), [""]), ("advisory-id-65", ("advisory", "ids"), ["i" * 65]),
	("support-until", ("support-until",), "2030-02-30"), ("support-until-time", ("support-until",),
							      "2030-01-01T00:00:00Z"),
	("ext-array", ("ext",), []), ("ext-16-kib", ("ext",), {"k": "e" * (16384 - 7)}),
	("payload-ext", PAYLOAD + ("ext",), 1), ("payload-name-case", PAYLOAD + ("name",), "Rootfs"),
	("payload-name-digit", PAYLOAD + ("name",), "0rootfs"), ("payload-name-33", PAYLOAD + ("name",), "r" * 33),
	("payload-name-path", PAYLOAD + ("name",), "../x"), ("payload-kind", PAYLOAD + ("kind",), 1),
	("filesystem", PAYLOAD + ("filesystem",), "EXT4"), ("filesystem-other", PAYLOAD + ("filesystem",),
							    "btrfs"),
	("size-0", PAYLOAD + ("size",), 0), ("size-513", PAYLOAD + ("size",), 513),
	("size-2-46", PAYLOAD + ("size",), (1 << 46) + 512), ("size-more", PAYLOAD + ("size",), 1024),
	("sha256-case", PAYLOAD + ("sha256",), "A" * 64), ("sha256-short", PAYLOAD + ("sha256",), "a" * 62),
	("prefix-more", PAYLOAD + ("prefix",), (1 << 20) + 1), ("segments-none", PAYLOAD + ("segments",), []),
	("segment-offset", SEGMENT + ("offset",), 512), ("segment-size-0", SEGMENT + ("size",), 0),
	("segment-size-more", SEGMENT + ("size",), (1 << 30) + 512),
	("segment-sha256", SEGMENT + ("index-sha256",), "g" * 64),
	("data-size-more", SEGMENT + ("data-size",), (1 << 30) + 1),
	("index-size-text", SEGMENT + ("index-size",), "96"), ("doc-name", DOC + ("name",), "a/b"),
	("doc-name-dots", DOC + ("name",), ".."), ("doc-name-65", DOC + ("name",), "d" * 65),
	("doc-size", DOC + ("size",), (64 << 20) + 1), ("doc-sha256", DOC + ("sha256",), ""))


def values(v):
	for name, path, value in VALUES:
		spoil(v, "manifest-value", name, "a value that is not allowed: " + name, path, value)
	for count, key, limit in ((9, "payloads", 8), (17, "docs", 16)):
		art = full(v)
		first = art.manifest[key][0]
		art.manifest[key] = [dict(copy.deepcopy(first), name="n%d" % i) for i in range(count)]
		v.add("manifest-value-%s-%d" % (key, count), "manifest-value",
		      "%d %s, %d are allowed" % (count, key, limit), art.build())
	for key in ("payloads", "docs"):
		art = full(v)
		art.manifest[key] = [art.manifest[key][0]] * 2
		art.payloads = art.payloads * (2 if key == "payloads" else 1)
		art.docs = art.docs * (2 if key == "docs" else 1)
		v.add("manifest-value-%s-same-name" % key, "manifest-value", "two %s of one name" % key,
		      art.build())
	art = full(v)
	segment = art.manifest["payloads"][0]["segments"][0]
	art.manifest["payloads"][0]["segments"] = [segment, dict(segment, offset=512)]
	art.manifest["payloads"][0]["size"] = 1024
	v.add("manifest-value-short-segment", "manifest-value", "a segment of 512 bytes before the last",
	      art.build())
	art = full(v)
	art.manifest["payloads"][0]["size"] = (1 << 30) + 512
	art.manifest["payloads"][0]["segments"] = [dict(segment, size=1 << 30),
						   dict(segment, offset=(1 << 30) + 512)]
	v.add("manifest-value-segment-gap", "manifest-value", "a gap between segments", art.build())


def unknown(v):
	spoil(v, "format-version", "2", "format 2", ("format",), 2)
	spoil(v, "format-version", "0", "format 0", ("format",), 0)
	spoil(v, "format-version", "highest", "format 2^53-1", ("format",), (1 << 53) - 1)
	art = full(v)
	art.manifest = {"type": "artifact", "format": 2, "other": [], "features": ["verity"]}
	v.add("format-version-other-keys", "format-version", "format 2 with other keys", art.build())
	spoil(v, "feature-unknown", "verity", "a reserved feature", ("features",), ["verity"])
	spoil(v, "feature-unknown", "new", "a feature yet to come", ("features",), ["x-1"])
	art = full(v)
	art.manifest.update(features=["encryption"], encryption={"cipher": "x"})
	v.add("feature-unknown-with-key", "feature-unknown", "a feature with its key", art.build())
	for kind in ("file", "Rootfs-image", ""):
		spoil(v, "kind-unknown", kind.lower() or "empty", "a payload of kind '%s'" % kind,
		      PAYLOAD + ("kind",), kind)
	for name, size in (("0", 0), ("95", 95), ("no-row", 56), ("half-row", 76 + 40), ("page-and-table", 16416 + 40),
			   ("page-and-header", 16416 + 56), ("page-and-half-row", 16416 + 56 + 20),
			   ("128-pages", 127 * 16416 + 96), ("2-32", 1 << 32), ("2-53-1", (1 << 53) - 1)):
		spoil(v, "index-size", name, "an index of %d bytes" % size, SEGMENT + ("index-size",), size)
	spoil(v, "tar-truncated", "data-1-gib", "the manifest says 1 GiB of data",
	      SEGMENT + ("data-size",), 1 << 30)
	spoil(v, "tar-truncated", "index-127-pages", "the manifest says 127 index pages",
	      SEGMENT + ("index-size",), 127 * 16416)
	spoil(v, "tar-truncated", "doc-64-mib", "the manifest says 64 MiB of document", DOC + ("size",),
	      64 << 20)
	spoil(v, "tar-trailing", "data-0", "the manifest says no data", SEGMENT + ("data-size",), 0)
	art = full(v)
	del art.manifest["docs"]
	v.add("tar-trailing-doc", "tar-trailing", "a document that the manifest does not know", art.build())
	art = full(v)
	art.docs[0] = ("NOTES", b"notes, other\n")
	v.add("tar-size-doc", "tar-size", "a document of another size", tar(art.members()))


DEVICE = {"type": "board-a", "hardware": "3", "archs": ["aarch64", "armhf"],
	  "provides": {"bootloader": "2.5", "data": "3"}, "parts": {"rootfs": 1024, "boot": 512},
	  "filesystems": ["ext4", "vfat"], "counter-floor": 5, "running-version": "1.2-3",
	  "deny-downgrade": True}
DEVICES = (  # name, error, changes (None removes), what
	("fits", "ok", {}, "a device that it fits"),
	("exact", "ok", {"parts": {"rootfs": 1024, "boot": 512}, "hardware": "4.0", "type": "b,c+d"},
	 "partitions of exactly the size, the end of a range"),
	("other-range", "ok", {"hardware": "7"}, "the second hardware range"),
	("older-allowed", "ok", {"running-version": "2.0", "deny-downgrade": False},
	 "a lower version where that is allowed"),
	("nothing-running", "ok", {"running-version": None}, "a device that knows no running version"),
	("filesystems-unknown", "ok", {"filesystems": None}, "a device that cannot list filesystems"),
	("type", "compat-type", {"type": "board-b"}, "another type"),
	("type-case", "compat-type", {"type": "Board-a"}, "types are compared by case"),
	("type-part", "compat-type", {"type": "board"}, "a part of a type's name"),
	("hardware", "compat-hardware", {"hardware": "5"}, "a revision between the ranges"),
	("hardware-below", "compat-hardware", {"hardware": "2~1"}, "a tilde sorts before the end"),
	("hardware-none", "compat-hardware", {"hardware": None}, "a device without a revision"),
	("arch", "compat-arch", {"archs": ["x86_64", "i386"]}, "another architecture"),
	("arch-none", "compat-arch", {"archs": []}, "a device that names no architecture"),
	("requires-low", "compat-requires", {"provides": {"bootloader": "1.9", "data": "3"}},
	 "a version below the range"),
	("requires-high", "compat-requires", {"provides": {"bootloader": "3.0-1", "data": "3"}},
	 "a version above the range: a revision counts"),
	("requires-none", "compat-requires", {"provides": {"bootloader": "2.5"}}, "nothing provided"),
	("payload", "compat-payload", {"parts": {"rootfs": 4096}}, "no partition for a payload"),
	("size", "compat-size", {"parts": {"rootfs": 1023, "boot": 512}}, "one byte too small"),
	("size-second", "compat-size", {"parts": {"rootfs": 1024, "boot": 511}}, "the second payload"),
	("filesystem", "compat-filesystem", {"filesystems": ["ext4"]}, "a filesystem is not known"),
	("counter", "compat-counter", {"counter-floor": 6}, "a counter below the floor"),
	("downgrade", "compat-downgrade", {"running-version": "1.2-4"}, "a lower revision"),
	("downgrade-number", "compat-downgrade", {"running-version": "1.10"}, "1.2 is lower than 1.10"),
	("order-hardware", "compat-hardware", {"hardware": "9", "archs": [], "provides": {}},
	 "the revision before the architecture"),
	("order-arch", "compat-arch", {"archs": [], "provides": {}, "parts": {}},
	 "the architecture before requirements"),
	("order-requires", "compat-requires", {"provides": {}, "parts": {}},
	 "requirements before payloads"),
	("order-payload", "compat-payload", {"parts": {"rootfs": 1}}, "every payload before any size"),
	("order-size", "compat-size", {"parts": {"rootfs": 1024, "boot": 1}, "filesystems": []},
	 "every size before any filesystem"),
	("order-filesystem", "compat-filesystem", {"filesystems": [], "counter-floor": 9},
	 "filesystems before the counter"),
	("order-counter", "compat-counter", {"counter-floor": 9, "running-version": "9"},
	 "the counter before the version"),
	("order-type", "compat-type", {"type": "x", "archs": [], "parts": {}, "counter-floor": 9},
	 "the type is judged first"))


def compat(v):
	art = Artifact([Payload([Segment([raw(noise("c0", 1024), True)])], filesystem="ext4"),
			Payload([Segment([raw(noise("c1", 512), True)])], name="boot",
				kind="boot-image", filesystem="vfat")], [v.a],
		       version="1.2-3", compatible=["b,c+d", "board-a"], hardware=["2..4.0", "7"],
		       arch="aarch64", requires={"bootloader": "2.0..3.0", "data": "3"},
		       **{"security-counter": 5})
	v.add("compat", "ok", "for boards board-a of revision 2 to 4.0 and 7; no device asked", art.build())
	for name, error, changes, what in DEVICES:
		device = dict(DEVICE, **changes)
		device = {key: value for key, value in device.items() if value is not None}
		v.write("devices/%s.json" % name, json.dumps(device, indent=2).encode() + b"\n")
		v.add("compat", error, what, device=name)
	plain = {"type": "board-a", "archs": [], "parts": {"rootfs": 512}, "filesystems": []}
	v.write("devices/plain.json", json.dumps(plain, indent=2).encode() + b"\n")
	v.add("good-smallest", "ok", "any architecture, any hardware, a raw image", device="plain")
	v.add("sig-none", "sig-none", "trust is judged before compatibility", device="type")


def add_all(v):
	syntax(v)
	keys(v)
	values(v)
	unknown(v)
	compat(v)
