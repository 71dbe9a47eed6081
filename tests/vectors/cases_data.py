# SPDX-License-Identifier: Apache-2.0
"""Faults behind the signed manifest: index, chunks, image and documents."""

import hashlib

from kit import (COPY, ZSTD, Artifact, Payload, Segment, compress, copy_of, frame, noise, prose,
		 raw, raw_block, rle_block, sha256, tar, zero, zstd)


def flip(data, at, mask=1):
	return data[:at] + bytes([data[at] ^ mask]) + data[at + 1:]


def one(v, rows, edit_pages=None, edit_table=None, **kw):
	return Artifact([Payload([Segment(rows, edit_pages, edit_table)], **kw)], [v.a])


def five_rows():
	rows = [raw(noise("five 0", 200), True), raw(noise("five 1", 100)), zero(100),
		raw(noise("five 2", 12), True)]
	return rows + [copy_of(rows, 1)]


def many_rows(count=410):
	return [raw(b"%02x" % (i % 256), i == 0) for i in range(count - 1)] + [zero(1024 - 2 * (count - 1))]


def digests(v):
	art = v.base()
	members = art.members()
	index = members[2][1]

	def with_index(data):
		return tar(members[:2] + [(members[2][0], data)] + members[3:])

	v.add("index-table-first-byte", "index-table", "a bit of the page table", with_index(flip(index, 0)))
	v.add("index-table-last-byte", "index-table", "the last bit of the page table",
	      with_index(flip(index, 31, 128)))
	v.add("index-page-header", "index-page", "a bit of a page's header", with_index(flip(index, 40)))
	v.add("index-page-row", "index-page", "a bit of a row", with_index(flip(index, 60)))
	v.add("index-page-last-byte", "index-page", "the last bit of an index",
	      with_index(flip(index, len(index) - 1, 128)))
	data = one(v, many_rows()).members()
	v.add("index-page-second", "index-page", "a bit of the second page",
	      tar(data[:2] + [(data[2][0], flip(data[2][1], -30 + len(data[2][1])))] + data[3:]))
	table = data[2][1]
	v.add("index-table-swapped", "index-table", "digests of two pages swapped",
	      tar(data[:2] + [(data[2][0], table[32:64] + table[:32] + table[64:])] + data[3:]))

	def second_wrong(table, pages):
		table[32:64] = sha256(bytes(pages[0]))

	art = one(v, many_rows(), edit_table=second_wrong)
	index = art.payloads[0].segments[0].index
	art.manifest["payloads"][0]["segments"][0]["index-sha256"] = sha256(index[:64]).hex()
	v.add("index-page-signed-wrong", "index-page", "a signed table that does not fit the pages",
	      art.build())
	v.add("index-table-first-byte", "compat-type", "compatibility is judged before the index",
	      device="type")


def page_headers(v):
	def add(name, what, page, offset, value):
		def edit(pages):
			pages[page][offset:offset + len(value)] = value
		v.add("index-row-" + name, "index-row", what, one(v, many_rows(), edit_pages=edit).build())

	add("page-plain-offset", "plain offset of the first page", 0, 0, b"\1")
	add("page-plain-offset-second", "plain offset of the second page", 1, 0, b"\0\0")
	add("page-plain-offset-high", "plain offset plus 2^63", 1, 7, b"\x80")
	add("page-data-offset", "data offset of the first page", 0, 8, b"\1")
	add("page-data-offset-second", "data offset of the second page", 1, 8, b"\0\0")
	add("page-number", "row number of the second page", 1, 16, b"\1\0\0\0")
	add("page-number-zero", "row number of the second page is 0", 1, 16, bytes(4))
	add("page-count-less", "rows in the first page: 408", 0, 20, (408).to_bytes(2, "little"))
	add("page-count-more", "rows in the second page: 2", 1, 20, b"\2\0")
	add("page-count-zero", "rows in the second page: 0", 1, 20, b"\0\0")
	add("page-zero-bytes", "the last bytes of the header", 0, 22, b"\0\1")


def rows(v):
	def add(name, what, change, make=five_rows, **kw):
		spoiled = make()
		change(spoiled)
		v.add("index-row-" + name, "index-row", what, one(v, spoiled, **kw).build())

	def put(number, **fields):
		return lambda rows: [setattr(rows[number], key, value) for key, value in fields.items()]

	add("reserved-bit", "the reserved bit of a row", put(1, reserved=1))
	add("first-without-group", "the first stored row starts no group", put(0, group=False))
	add("group-on-zero", "group flag on a zero row", put(2, group=True))
	add("group-on-copy", "group flag on a copy row", put(4, group=True))
	add("zero-second", "a zero row with a stored length", put(2, second=1))
	add("zero-head", "a zero row with a head", put(2, head=b"\0\0\0\1"))
	add("zero-stored-digest", "a zero row with a stored digest", put(2, stored_digest=bytes(11) + b"\1"))
	add("zero-digest", "a zero row with a plain digest", put(2, digest=bytes(15) + b"\x80"))
	add("copy-stored-digest", "a copy row with a stored digest", put(4, stored_digest=b"\1" + bytes(11)))
	add("copy-head", "a copy row with another head", put(4, head=b"abcd"))
	add("copy-digest", "a copy row with another plain digest", put(4, digest=noise("d", 16)))
	add("copy-length", "a copy row of another length", put(4, length=99),
	    make=lambda: five_rows() + [zero(1)])
	add("copy-of-itself", "a copy row that names itself", put(4, second=4))
	add("copy-of-later", "a copy row that names a later row", put(1, second=3),
	    make=copy_first)
	add("copy-beyond-end", "a copy row that names no row", put(4, second=5))
	add("copy-of-2-32-1", "a copy row that names row 2^32-1", put(4, second=(1 << 32) - 1))
	add("copy-of-zero", "a copy row that names a zero row", put(4, second=2))
	add("copy-of-copy", "a copy row that names a copy row", put(0), make=copy_twice)
	add("first-is-copy", "a copy row as the first row",
	    put(0, kind=COPY, second=0, stored=b"", stored_digest=bytes(12), group=False),
	    make=lambda: [raw(noise("five", 512), True)])
	add("zero-length", "a zero row without bytes", lambda rows: rows.insert(2, zero(0)))
	add("raw-length-0", "a raw row without bytes", lambda rows: rows.insert(1, raw(b"")))
	add("raw-stored-less", "a raw row whose stored length is less", put(1, second=99))
	add("raw-stored-more", "a raw row whose stored length is more", put(1, second=101))
	add("raw-stored-0", "a raw row whose stored length is 0", put(1, second=0))
	packed = lambda: [zstd(prose("packed", 512), group=True)]
	add("zstd-stored-equal", "a zstd row as long as its plain bytes", put(0, second=512), make=packed)
	add("zstd-stored-more", "a zstd row longer than its plain bytes", put(0, second=513), make=packed)
	add("zstd-stored-0", "a zstd row without stored bytes", put(0, second=0, stored=b""), make=packed)
	add("zstd-stored-2-31", "a zstd row of 2^31 stored bytes", put(0, second=1 << 31), make=packed)
	add("type-swapped", "a raw row called zstd", put(0, kind=ZSTD))
	add("chunk-above-1-mib", "a chunk of 1 MiB and a byte",
	    put(0), make=lambda: big_chunk((1 << 20) + 1, 511))
	add("copy-above-1-mib", "a copy row of more than 1 MiB", put(1, length=(1 << 20) + 1),
	    make=lambda: big_copy() + [zero(511)])
	sums(v)
	groups(v)


def copy_first():
	late = raw(noise("late", 56), True)
	return [raw(noise("early", 200), True), copy_of([late], 0), zero(200), late]


def copy_twice():
	out = [raw(noise("five 0", 200), True), raw(noise("five 1", 100)), zero(12)]
	out.append(copy_of(out, 1))
	return out + [copy_of(out, 3)]


def sums(v):
	for name, length in (("sum-plain-less", 99), ("sum-plain-more", 101)):
		spoiled = five_rows()
		spoiled[2].length = length
		art = one(v, spoiled)
		payload = art.manifest["payloads"][0]
		payload["size"] = payload["segments"][0]["size"] = 512
		v.add("index-row-" + name, "index-row", "plain lengths are not the segment's size",
		      art.build())
	art = one(v, five_rows())
	segment = art.manifest["payloads"][0]["segments"][0]
	data = art.payloads[0].segments[0].data
	for name, change in (("sum-data-more", 1), ("sum-data-less", -1)):
		art.payloads[0].segments[0].data = data + b"\0" if change > 0 else data[:-1]
		segment["data-size"] = len(data) + change
		v.add("index-row-" + name, "index-row", "stored lengths are not the data member's size",
		      art.build())


def groups(v):
	def rle(length, group):
		return zstd(b"x" * length, group=group, stored=frame(length, [rle_block(b"x", 1 << 17)] *
								     (length >> 17) + [raw_block(b"")]))
	mib = 1 << 20
	v.add("good-group-4-mib", "ok", "a group of exactly 4 MiB, zero and copy rows not counted",
	      one(v, [rle(mib, True)] + [rle(mib, False) for _ in range(3)] + [zero(mib)] +
		  [copy_of([rle(mib, True)], 0), rle(mib, True)]).build())
	v.add("index-row-group-above-4-mib", "index-row", "a group of 4 MiB and 512 bytes",
	      one(v, [rle(mib, True)] + [rle(mib, False) for _ in range(3)] +
		  [zero(mib), raw(noise("last", 512))]).build())


def big_chunk(length, rest):
	return [zstd(b"x" * length, group=True, stored=frame(length, [rle_block(b"x", 1 << 17)] * 8 +
							     [raw_block(b"x" * (length - (1 << 20)))])),
		zero(rest)]


def big_copy():
	length = 1 << 20
	first = zstd(b"x" * length, group=True, stored=frame(length, [rle_block(b"x", 1 << 17)] * 8))
	return [first, copy_of([first], 0)]


def chunks(v):
	packed = lambda: [zstd(prose("packed", 1024), group=True)]
	for name, make in (("raw", five_rows), ("zstd", packed)):
		for where, at in (("first", 0), ("last", -1)):
			art = one(v, make())
			segment = art.payloads[0].segments[0]
			segment.data = flip(segment.data, at % len(segment.data), 16)
			v.add("chunk-stored-%s-%s-bit" % (name, where), "chunk-stored",
			      "the %s byte of the data of %s rows" % (where, name), art.build())
	swapped = five_rows()
	art = one(v, swapped)
	data = art.payloads[0].segments[0].data
	art.payloads[0].segments[0].data = data[200:300] + data[:200] + data[300:]
	v.add("chunk-stored-swapped", "chunk-stored", "chunks in another order", art.build())
	wrong = packed()
	wrong[0].stored_digest = sha256(wrong[0].plain)[:12]
	v.add("chunk-stored-of-plain", "chunk-stored", "a stored digest of the plain bytes",
	      one(v, wrong).build())
	for name, make in (("raw", five_rows), ("zstd", packed)):
		spoiled = make()
		spoiled[0].digest = flip(spoiled[0].digest, 15)
		v.add("chunk-plain-" + name, "chunk-plain", "a wrong plain digest of a %s row" % name,
		      one(v, spoiled).build())
	frames(v)
	prefixes(v)


def frames(v):
	plain = b"y" * 400 + noise("frame", 112)
	body = [rle_block(b"y", 400), raw_block(plain[400:])]
	good = frame(512, body)

	def add(name, what, stored):
		row = zstd(plain, group=True, stored=stored)
		v.add("chunk-decode-" + name, "chunk-decode", what, one(v, [row]).build())

	v.add("good-frame", "ok", "the frame that the next vectors spoil",
	      one(v, [zstd(plain, group=True, stored=good)]).build())
	add("checksum", "a frame with a content checksum", frame(512, body, flags=4, tail=b"\0" * 4))
	add("dictionary-id", "a frame with a dictionary id", frame(512, body, flags=1, dict_id=b"\7"))
	add("dictionary-id-zero", "a frame with a dictionary id field of zero",
	    frame(512, body, flags=1, dict_id=b"\0"))
	add("dictionary-id-long", "a frame with a dictionary id of four bytes",
	    frame(512, body, flags=3, dict_id=b"\7\0\0\0"))
	add("reserved-bit", "the reserved bit of the frame header", frame(512, body, flags=8))
	add("no-content-size", "a frame without content size",
	    frame(0, body, single=False, window=0, size_bytes=0))
	add("content-size-less", "a content size one less", frame(511, body))
	add("content-size-more", "a content size one more", frame(513, body))
	add("content-size-2-63", "a content size of 2^63", frame(1 << 63, body, size_bytes=8))
	add("window-above-8-mib", "a window of 9 MiB", frame(512, body, single=False, window=13 << 3 | 1))
	add("window-2-41", "the greatest window", frame(512, body, single=False, window=0xff))
	add("two-frames", "the frame twice", good + good)
	add("two-half-frames", "two frames that together give the plain bytes",
	    frame(400, body[:1]) + frame(112, body[1:]))
	add("frame-and-empty-frame", "a frame of no bytes behind the frame", good + frame(0, [raw_block(b"")]))
	add("empty-frame-first", "a frame of no bytes before the frame", frame(0, [raw_block(b"")]) + good)
	add("skippable-behind", "a skippable frame behind the frame", good + b"\x50\x2a\x4d\x18" + bytes(4))
	add("skippable-first", "a skippable frame before the frame", b"\x50\x2a\x4d\x18" + bytes(4) + good)
	add("skippable-only", "nothing but a skippable frame", b"\x50\x2a\x4d\x18\4\0\0\0abcd")
	add("trailing-byte", "a byte behind the frame", good + b"\0")
	add("truncated", "the last byte of the frame is missing", good[:-1])
	add("header-only", "a frame header without blocks", good[:9])
	add("no-last-block", "no block is the last", frame(512, body + [raw_block(b"")])[:-3])
	add("magic", "another magic number", b"\x27" + good[1:])
	add("legacy", "a frame of zstd 0.7", b"\x27\xb5\x2f\xfd" + good[4:])
	add("not-zstd", "bytes that are no frame", noise("junk", 100))
	add("one-byte", "one stored byte", b"\x28")
	add("reserved-block", "a block of the reserved type",
	    frame(512, [rle_block(b"y", 400), (112 << 3 | 6, plain[400:])]))
	add("block-above-128-kib", "a raw block of 2^21-1 bytes", frame(512, [((1 << 21) - 1 << 3, plain[:64])]))
	add("decodes-shorter", "blocks of one byte less", frame(512, [rle_block(b"y", 399), body[1]]))
	add("decodes-longer", "blocks of one byte more", frame(512, [rle_block(b"y", 401), body[1]]))
	add("gzip", "a gzip stream", b"\x1f\x8b\x08\0\0\0\0\0\0\3" + noise("gz", 50))


def prefixes(v):
	first, second = prose("pre", 1000), prose("pre", 1000)[200:] + noise("pre", 336)
	rows = lambda prefix, group=False: [raw(first, True), zstd(second, prefix, group)]
	packed = compress(second, first)
	assert len(packed) < len(compress(second)), "the prefix is not used"
	v.add("good-prefix-used", "ok", "a chunk that needs its prefix",
	      one(v, fill512(rows(first)), prefix=4096).build())
	for name, what, made, declared in (
			("prefix-missing", "a group start where the chunk needs the prefix",
			 rows(first, True), 4096),
			("prefix-0", "a chunk that needs a prefix where the payload says 0", rows(first), 0),
			("prefix-short", "a chunk that needs more prefix than the payload says", rows(first), 16)):
		v.add("chunk-decode-" + name, "chunk-decode", what,
		      one(v, fill512(made), prefix=declared).build())


def fill512(rows):
	size = sum(row.length for row in rows)
	return rows + ([raw(noise("fill", -size % 512), True)] if size % 512 else [])


def images(v):
	for name, change in (("zero", lambda d: "0" * 64), ("one-digit", lambda d: d[:-1] + "0123456789abcdef"[
			int(d[-1], 16) ^ 1]), ("empty", lambda d: hashlib.sha256().hexdigest())):
		art = one(v, five_rows())
		payload = art.manifest["payloads"][0]
		payload["sha256"] = change(payload["sha256"])
		v.add("image-digest-" + name, "image-digest", "only the image's digest is wrong: " + name,
		      art.build())
	art = one(v, [zero(1024)])
	art.manifest["payloads"][0]["sha256"] = sha256(bytes(512)).hex()
	v.add("image-digest-all-zero", "image-digest", "an image of zero bytes, of another length",
	      art.build())
	art = Artifact([Payload([Segment([raw(noise("i0", 512), True)])]),
			Payload([Segment([raw(noise("i1", 512), True)])], name="boot",
				kind="boot-image")], [v.a])
	first, second = art.manifest["payloads"]
	first["sha256"], second["sha256"] = second["sha256"], first["sha256"]
	v.add("image-digest-swapped", "image-digest", "digests of two payloads swapped", art.build())


def documents(v):
	def build(data, signed, **kw):
		art = Artifact([Payload([Segment([raw(noise("doc", 512), True)])])], [v.a],
			       docs=[("sbom.spdx.json", signed)])
		art.docs = [("sbom.spdx.json", data)]
		return art.build(**kw)

	v.add("doc-digest-bit", "doc-digest", "a bit of a document", build(b"{}\n", b"{|\n"))
	v.add("doc-digest-last-bit", "doc-digest", "the last byte of a document of two blocks",
	      build(bytes(1024), bytes(1023) + b"\1"))
	art = Artifact([Payload([Segment([raw(noise("doc", 512), True)])])], [v.a], docs=[("a", b"")])
	art.manifest["docs"][0]["sha256"] = "0" * 64
	v.add("doc-digest-empty", "doc-digest", "a wrong digest of an empty document", art.build())


def orders(v):
	"""Two faults each: the one that is judged first must be named."""
	art = one(v, [zstd(prose("packed", 1024), group=True)], name="rootfs")
	members = art.members()
	late = {2: lambda p: b"\1" + p[1:], 3: lambda p: b"\1" + p[1:]}
	index = members[2][1]
	v.add("order-index-before-padding", "index-table", "a page table, and the padding behind it",
	      tar(members[:2] + [(members[2][0], flip(index, 0))] + members[3:], paddings=late))
	v.add("order-padding-before-data", "tar-padding", "padding of an index, and its data member",
	      tar(members[:3] + [(members[3][0], flip(members[3][1], 0))], paddings=late))
	del late[2]
	v.add("order-chunk-before-padding", "chunk-stored", "a chunk, and the padding behind it",
	      tar(members[:3] + [(members[3][0], flip(members[3][1], 0))], paddings=late))
	art.manifest["payloads"][0]["sha256"] = "0" * 64
	v.add("order-image-before-padding", "image-digest", "an image, and the padding behind its data",
	      tar(art.members(), paddings=late))
	v.add("order-data-before-end", "tar-padding", "padding of a data member, and the end blocks",
	      tar(members, paddings=late, end=b"x" * 1024))
	spoiled = five_rows()
	spoiled[0].digest = flip(spoiled[0].digest, 0)
	art = Artifact([Payload([Segment(spoiled)])], [v.a], docs=[("a", b"a")])
	art.docs = [("a", b"b")]
	v.add("order-chunk-before-doc", "chunk-plain", "a chunk, and a document", art.build())
	v.add("order-size-before-index", "tar-truncated", "a page table, and the last byte missing",
	      tar(members[:2] + [(members[2][0], flip(index, 0))] + members[3:])[:-1])
	v.add("tar-truncated-9216", "tar-truncated", "the size of the file before compatibility",
	      device="type")


def add_all(v):
	digests(v)
	page_headers(v)
	rows(v)
	chunks(v)
	images(v)
	documents(v)
	orders(v)
