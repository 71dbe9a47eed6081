# SPDX-License-Identifier: Apache-2.0
"""Artifacts that a reader must accept."""

import json

from kit import (Artifact, Payload, Segment, copy_of, dump, frame, noise, pad_to, prose, raw,
		 rle_block, raw_block, sig_line, zero, zstd)

ORDER_P256 = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551


def chain(seed, count, length, limit, start=b""):
	"""COUNT zstd rows of one group, each with the plain bytes before it as its prefix."""
	rows, history = [], start
	for number in range(count):
		plain = prose("%s %d" % (seed, number % 2), length)[:length - number] + \
			noise("%s tail %d" % (seed, number), number)
		rows.append(zstd(plain, history[-limit:] if limit else b"", group=number == 0 and not start))
		history += plain
	return rows


def fill(rows):
	"""A raw row that makes the segment's size a multiple of 512."""
	size = sum(row.length for row in rows)
	if size % 512:
		rows.append(raw(noise("fill", -size % 512), group=True))
	return rows


def mixed_rows():
	rows = [zero(1000)] + chain("mixed", 3, 1500, 2048)
	rows += [zero(5000), copy_of(rows, 2), raw(noise("mixed", 700)), zero(1)]
	rows += chain("second", 2, 900, 2048)
	return fill(rows + [copy_of(rows, 1), copy_of(rows, 6)])


def other_s(signature):
	"""The other valid form of an ECDSA signature: (r, n - s)."""
	def integer(data):
		length = data[1]
		return int.from_bytes(data[2:2 + length], "big"), data[2 + length:]

	def encode(value):
		body = value.to_bytes(value.bit_length() // 8 + 1, "big")
		return bytes([2, len(body)]) + body

	r, rest = integer(signature[2:])
	s, _ = integer(rest)
	body = encode(r) + encode(ORDER_P256 - s)
	return bytes([0x30, len(body)]) + body


def payloads(v):
	one = lambda rows, **kw: Artifact([Payload([Segment(rows)], **kw)], [v.a]).build()
	v.add("good-smallest", "ok", "one raw row of 512 bytes; section 17 prints it",
	      v.base().build())
	v.add("good-raw", "ok", "raw rows only, two groups",
	      one([raw(noise("r0", 300), True), raw(noise("r1", 512)), raw(noise("r2", 212), True)]))
	v.add("good-chain", "ok", "zstd rows, each with the ones before it as prefix",
	      one(fill(chain("chain", 5, 2000, 4096)), prefix=4096))
	v.add("good-chain-short-prefix", "ok", "a prefix shorter than one chunk",
	      one(fill(chain("short", 4, 2000, 100)), prefix=100))
	v.add("good-chain-prefix-1-mib", "ok", "the longest prefix that the format allows",
	      one(fill(chain("long", 3, 2000, 1 << 20)), prefix=1 << 20))
	v.add("good-prefix-0", "ok", "zstd rows without any prefix",
	      one(fill(chain("none", 3, 2000, 0)), prefix=0))
	v.add("good-groups", "ok", "a group start forgets the history",
	      one(fill(chain("g0", 2, 1800, 4096) + chain("g1", 2, 1800, 4096)), prefix=4096))
	v.add("good-mixed", "ok", "zero and copy rows inside and between groups, before the first too",
	      one(mixed_rows(), prefix=2048))
	magic = b"\x37\xa4\x30\xec" + prose("magic", 996)
	v.add("good-prefix-like-dictionary", "ok",
	      "a prefix that begins like a trained zstd dictionary is still plain bytes",
	      one(fill([raw(magic, True), zstd(magic[500:] + b"end", magic)]), prefix=2000))
	v.add("good-all-zero", "ok", "an image of zero bytes: an empty data member",
	      one([zero(1 << 20)]))
	v.add("good-zero-longest", "ok", "a zero row of the greatest length",
	      one([zero((1 << 28) - 1), zero(1)]))
	v.add("good-two-segments", "ok", "1 GiB of zero bytes, then a second segment",
	      Artifact([Payload([Segment([zero(1 << 27)] * 8), Segment(fill(
		      chain("seg", 2, 900, 4096)))], prefix=4096)], [v.a]).build())
	v.add("good-two-payloads", "ok", "rootfs and boot",
	      Artifact([Payload([Segment([raw(noise("p0", 512), True)])]),
			Payload([Segment([raw(noise("p1", 1024), True)])], name="boot",
				kind="boot-image", filesystem="vfat")], [v.a]).build())
	v.add("good-409-rows", "ok", "one full index page",
	      one([raw(b"%02x" % (i % 256), i == 0) for i in range(408)] + [zero(208)]))
	v.add("good-410-rows", "ok", "a second index page with one row",
	      one([raw(b"%02x" % (i % 256), i == 0) for i in range(409)] + [zero(206)]))
	v.add("good-frame-unused-bit", "ok", "the bit of a frame header that RFC 8878 leaves unused",
	      one([zstd(b"u" * 512, group=True, stored=frame(512, [rle_block(b"u", 512)], flags=16))]))
	row = raw(prose("head", 512), True)
	row.head = b"\0\0\0\0"
	v.add("good-head-differs", "ok", "the head is a hint that no reader judges", one([row]))
	v.add("good-rle-frame", "ok", "the smallest frame: 1 MiB in one row",
	      one([zstd(b"x" * (1 << 20), group=True, stored=frame(
		      1 << 20, [rle_block(b"x", 1 << 17)] * 8))]))
	v.add("good-frame-with-window", "ok", "a frame with a window of exactly 8 MiB",
	      one([zstd(b"y" * 512, group=True, stored=frame(
		      512, [raw_block(b"y" * 100), rle_block(b"y", 412)], single=False, window=13 << 3))]))


def manifests(v):
	v.add("good-everything", "ok", "every optional key of the manifest, and documents", Artifact(
		[Payload([Segment([raw(noise("ev", 512), True)])])], [v.a],
		docs=[("sbom.spdx.json", b'{"spdxVersion":"SPDX-2.3"}\n'), ("empty.txt", b""),
		      ("NOTES", b"Full block.\n".ljust(512, b"."))],
		hardware=["2..4", "7", "..1", "9.."], requires={"bootloader": "2.0.."},
		provides={"os": "1.0"}, features=[], description="Grüße, \u4e16\u754c, \U0001f600",
		security=True, advisory={"url": "https://example.org/a", "ids": ["CVE-2026-0001"]},
		ext={"org.example": {"any": [None, True, "text", 9007199254740991]}},
		**{"support-until": "2030-02-28"}).build())
	art = v.base(description="x")
	art.payloads[0].manifest["ext"] = {"k": []}
	art.manifest["payloads"][0]["ext"] = {"k": []}
	deep = {"n": 16}
	for _ in range(14):
		deep = {"n": deep}
	art.manifest["ext"] = deep
	v.add("good-depth-16", "ok", "nesting of 16 levels, and ext in a payload", art.build())
	art = v.base(ext={"k": "e" * (16384 - 8)})
	v.add("good-ext-16-kib", "ok", "ext of exactly 16 KiB", art.build())
	spaced = json.dumps(v.base().manifest, indent=4).encode() + b"\n"
	v.add("good-spaced-manifest", "ok", "white space inside the manifest, and a longer padding",
	      v.base().build(manifest=pad_to(spaced, 4096, b" ") + b" " * 4096))
	v.add("good-date-leap-day", "ok", "29 February of a leap year",
	      v.base(created="2024-02-29T23:59:59Z").build())
	v.add("good-counter-highest", "ok", "security counter 2^32-1",
	      v.base(**{"security-counter": (1 << 32) - 1}).build())


def limits(v):
	payload = lambda i: Payload([Segment([raw(noise("limit %d" % i, 512), True)])],
				    name="p%d" % i + "x" * 30)
	many = lambda prefix, value: {prefix + "%02d" % i + "k" * 61: value for i in range(64)}
	v.add("good-limits", "ok", "as many payloads, documents, types, ranges and keys as are allowed",
	      Artifact([payload(i) for i in range(8)], [v.a],
		       docs=[("%02d" % i + "d" * 62, b"%d" % i) for i in range(16)],
		       name="n" * 64, version="1" * 64, hardware=["1..2"] * 64,
		       compatible=["%02d,+" % i + "b" * 60 for i in range(64)],
		       requires=many("r", "1.."), provides=many("p", "1"), description="é" * 2048,
		       advisory={"url": "u" * 512, "ids": ["%02d" % i + "i" * 62 for i in range(64)]}
		       ).build())
	manifest = pad_to(dump(v.base().manifest) + b"\n", 256 << 10, b" ")
	v.add("good-manifest-256-kib", "ok", "the longest manifest", v.base().build(manifest=manifest))


def signatures(v):
	art = v.base()
	art.signers = [v.a, v.p256, v.p384, v.rsa]
	data = art.build()
	v.add("good-four-signatures", "ok", "one signature of each algorithm", data, keys="four")
	for signer in art.signers:
		v.put_keys("only-" + signer.name, [signer])
		v.add("good-four-signatures", "ok", "the key of " + signer.algorithm + " alone",
		      keys="only-" + signer.name)
	members = v.base().members()
	line = v.a.line(members[0][1])
	build = lambda *lines: v.base().build(lines=lines)
	v.add("good-unknown-algorithm", "ok", "a line of an algorithm yet to come, then a valid one",
	      build(sig_line("future-1", "0" * 64, b"s"), line))
	v.add("good-unknown-key", "ok", "a line of an unknown key, then a valid one",
	      build(v.stranger.line(members[0][1]), line))
	v.add("good-invalid-then-valid", "ok", "an invalid and then a valid line of the same key",
	      build(v.a.line(members[0][1], bytes(64)), line))
	v.add("good-32-lines", "ok", "32 lines, the last one valid",
	      build(*[sig_line("x", "%064x" % i, b"s") for i in range(31)], line))
	short = sig_line("x", "0" * 64, b"") + line
	rest = 4096 - len(short)
	filler = sig_line("x", "0" * 64, b"\0" * (rest // 4 * 3))
	filler = b"x" * (4096 - len(line) - len(filler)) + filler
	v.add("good-no-padding", "ok", "lines that fill manifest.sig to the last byte",
	      build(filler, line))
	manifest = members[0][1]
	v.add("good-ecdsa-other-s", "ok", "the other valid form of an ECDSA signature, (r, n-s)",
	      v.base().build(lines=[v.p256.line(manifest, other_s(
		      v.p256.sign_text(v.p256.text(manifest))))]), keys="only-p256")


def add_all(v):
	payloads(v)
	manifests(v)
	limits(v)
	signatures(v)
