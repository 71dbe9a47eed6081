# SPDX-License-Identifier: Apache-2.0
"""Patches, right ones and wrong ones (format-spec/format.md section 16), byte by byte."""

import copy

from blocks import CODE
from kit import (Artifact, Payload, Segment, compress, copy_of, dump, frame, noise, pad_manifest,
		 pad_to, prose, raw, raw_block, sha256, sig_line, tar, zero, zstd)

COLUMNS = ((0, 4), (4, 4), (8, 4), (12, 12), (24, 16))
OLD, NEW = 0, 1


def number(n):
	out = b""
	while n >= 128:
		out += bytes([n & 127 | 128])
		n >>= 7
	return out + bytes([n])


def columns(rows):
	packed = [row.pack() for row in rows]
	return b"".join(row[first:first + length] for first, length in COLUMNS for row in packed)


def program(ops, new, window, changes=None):
	"""A diff program: OPS are (position, copy, insert); the differences are found."""
	control = gaps = values = extra = b""
	at = position = gap = 0
	for start, length, insert in ops:
		jump = start - position
		control += number(length) + number(insert) + number(2 * jump if jump >= 0 else -2 * jump - 1)
		for i in range(length):
			by = (new[at + i] - window[start + i]) % 256
			if by:
				gaps += number(gap)
				values += bytes([by])
				gap = 0
			else:
				gap += 1
		position = start + length
		extra += new[at + length:at + length + insert]
		at += length + insert
	streams = {"control": control, "gaps": gaps, "values": values, "extra": extra}
	if changes:
		changes(streams)
	return b"".join(len(streams[s]).to_bytes(4, "little") for s in ("control", "gaps", "values")) + \
		b"".join(streams.values())


def recipe(codec, level, blocks, pieces):
	"""BLOCKS are (bytes left out, bytes, raw), PIECES (bytes, raw)."""
	return number(codec) + number(level) + number(len(blocks)) + \
		b"".join(number(gap) + number(2 * length + raw) for gap, length, raw in blocks) + \
		number(len(pieces)) + b"".join(number(2 * length + raw) for length, raw in pieces)


class Record:
	"""Fields may be changed before packing; RUNS are (rows left out, rows), EXTENTS (source, block, blocks)."""

	def __init__(self, codec, runs, extents, stored):
		self.codec, self.runs, self.extents, self.stored = codec, runs, extents, stored
		self.length = len(stored)
		self.digest = sha256(stored)[:16]
		self.words = None

	def pack(self, block):
		out = number(self.codec) + number(len(self.runs))
		out += b"".join(number(skip) + number(count) for skip, count in self.runs)
		out += number(len(self.extents))
		for source, first, count in self.extents:
			word = (first - block) << 2 if first >= block else (block - first - 1) << 2 | 2
			out += number(word | source) + number(count)
			block = first + count
		return out + number(self.length) + self.digest, block


class Pair:
	"""An old and a new artifact and a patch between them, changed at will and then built."""

	def __init__(self, v, new_code=None):
		"""NEW_CODE: what the first record makes of its window, CODE; the record is the caller's then."""
		self.v = v
		self.code = CODE
		self.text = prose("text", 6000)
		rows = [raw(self.code, True), zstd(self.text, self.code), zero(100), raw(noise("same", 888), True)]
		rows.append(copy_of(rows, 3))
		rows.append(raw(noise("pad", -sum(r.length for r in rows) % 512), True))
		self.old = Artifact([Payload([Segment(rows)], prefix=65536)], [v.a], version="1.0")
		changed = bytearray(self.code)
		for at in range(50, len(changed), 100):
			changed[at] = (changed[at] + 7) % 256
		self.new_code = new_code or bytes(changed[:9000]) + b"put in " * 20 + bytes(changed[9000:])
		self.new_text = self.text[:3000] + b" and more " + self.text[3000:]
		now = [zero(512), raw(self.new_code, True), rows[3], zstd(self.new_text, self.new_code[-1:])]
		now[2] = raw(noise("same", 888))
		now[3] = zstd(self.new_text, (self.new_code + noise("same", 888))[-65536:])
		now.append(copy_of(now, 1))
		now.append(raw(noise("pad 2", -sum(r.length for r in now) % 512), True))
		self.rows, self.old_rows = now, rows
		self.new = Artifact([Payload([Segment(now)], prefix=65536)], [v.a], version="2.0")
		self.new_manifest = pad_manifest(dump(self.new.manifest))
		self.new_lines = [v.a.line(self.new_manifest)]
		self.old_image = self.code + self.text + bytes(100) + noise("same", 888) * 2 + rows[5].plain
		window = self.old_image[:20480]
		self.code_program = lambda changes=None: program(
			[(0, 9000, 140), (9000, 11480, 0)], self.new_code, window, changes)
		self.records = [
			None if new_code else Record(1, [(1, 1)], [(OLD, 0, 5)], compress(self.code_program())),
			Record(0, [(1, 1), (1, 1)], [(OLD, 5, 2)],
			       compress(self.new_text + now[5].plain, self.old_image[20480:28672]))]
		self.index = compress(columns(now), columns(rows))
		self.index_member = len(self.index).to_bytes(4, "little") + self.index
		self.old_index = True
		self.edit = lambda manifest: None
		self.table = None
		self.data = None

	def members(self):
		carried = compress(self.new_manifest + pad_to(b"".join(self.new_lines), 4096, b"\n"))
		if callable(getattr(self, "carried", None)):
			carried = self.carried(carried)
		table, block = b"", 0
		for record in self.records:
			packed, block = record.pack(block)
			table += packed
		table = table if self.table is None else self.table
		data = b"".join(r.stored for r in self.records) if self.data is None else self.data
		old, new = self.old.manifest["payloads"][0], self.new.manifest["payloads"][0]
		segment = {"index-size": len(self.index_member), "index-sha256": sha256(self.index_member).hex()}
		if self.old_index:
			segment["old-index-sha256"] = old["segments"][0]["index-sha256"]
		segment.update({"records-size": len(table), "records-sha256": sha256(table).hex(),
				"data-size": len(data)})
		digest = lambda artifact: sha256(pad_manifest(dump(artifact.manifest))).hex()
		self.manifest = {
			"type": "patch", "format": 1, "created": "2026-01-01T00:00:00Z",
			"artifact": {"name": "demo", "version": "2.0", "digest": sha256(self.new_manifest).hex(),
				     "manifest-size": len(self.new_manifest), "signatures-size": 4096,
				     "stored-size": len(carried), "stored-sha256": sha256(carried).hex()},
			"old": {"name": "demo", "version": "1.0", "digest": digest(self.old)},
			"payloads": [{"name": "rootfs", "size": new["size"], "sha256": new["sha256"],
				      "old-size": old["size"], "old-sha256": old["sha256"],
				      "segments": [segment]}]}
		self.edit(self.manifest)
		return [("artifact.zst", carried), ("payload/rootfs/0000.index", self.index_member),
			("payload/rootfs/0000.records", table), ("payload/rootfs/0000.data", data)]

	def build(self, signers=None, preamble="twinroot-patch-v1", change=None, **kw):
		body = self.members()
		manifest = pad_manifest(dump(self.manifest))
		lines = []
		for signer in [self.v.a] if signers is None else signers:
			signature = signer.sign_text(signer.text(manifest, preamble))
			lines.append(sig_line(signer.algorithm, signer.id, signature))
		members = [("patch.json", manifest), ("patch.sig", pad_to(b"".join(lines), 4096, b"\n"))] + body
		if change:
			change(members)
		return tar(members, **kw)


def flip(data, at=0):
	return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def add_all(v):
	v.old(Pair(v).old)
	good(v)
	envelope(v)
	manifest(v)
	carried(v)
	tables(v)
	records(v)
	programs(v)


def good(v):
	p = Pair(v)
	v.add("good-both", "ok", "a diff program and a zstd frame with a window; the last extent is cut", p.build())
	p = Pair(v)
	p.records[1] = Record(0, [(1, 1), (1, 1)], [], compress(p.new_text + p.rows[5].plain))
	v.add("good-no-window", "ok", "a record without a window", p.build())
	p = Pair(v)
	window = bytes(512) + p.new_code[:3584] + p.old_image[20480:24576]
	p.records[1] = Record(0, [(1, 1), (1, 1)], [(NEW, 0, 1), (OLD, 5, 1)],
			      compress(p.new_text + p.rows[5].plain, window))
	v.add("good-new-extent", "ok", "a window of the new image, which must be there already", p.build())
	p = Pair(v)
	p.records.pop()
	v.add("good-short", "ok", "rows that neither the patch nor the old image has: chunks are left to fetch",
	      p.build())
	p = Pair(v)
	p.records = []
	v.add("good-empty", "ok", "no record: empty members", p.build())
	p = Pair(v)
	p.old_index = False
	p.index = compress(columns(p.rows))
	p.index_member = len(p.index).to_bytes(4, "little") + p.index
	v.add("good-no-old-index", "ok", "an index packed without the old one", p.build())
	p = Pair(v)
	empty = lambda s: s.update(gaps=b"", values=b"", control=number(0) + number(len(p.new_code)) + number(0),
				   extra=p.new_code)
	p.records[0] = Record(1, [(1, 1)], [], compress(p.code_program(empty)))
	v.add("good-insert-only", "ok", "a diff program without a window", p.build())


def envelope(v):
	p = Pair(v)
	v.add("sig-artifact-preamble", "sig-invalid", "signed as an artifact is",
	      p.build(preamble="twinroot-artifact-v1"))
	v.add("sig-none", "sig-none", "unsigned", p.build(signers=[]))
	v.add("sig-stranger", "sig-untrusted", "signed by an unknown key", p.build(signers=[v.stranger]))
	v.add("sig-role", "sig-threshold", "signed by a key without the role of patches", p.build(), keys="role")
	v.add("tar-trailing", "tar-trailing", "a byte behind the end", p.build() + b"\0")
	v.add("tar-truncated", "tar-truncated", "the last byte is missing", p.build()[:-1])
	v.add("tar-end", "tar-end", "the end is not zero", p.build(end=bytes(1023) + b"\1"))
	ones = lambda padding: b"\1" * len(padding)
	for at, name in enumerate(("artifact", "index", "records", "data"), 2):
		v.add("tar-padding-" + name, "tar-padding", "padding behind " + name,
		      p.build(paddings={at: ones}))

	def swap(members):
		members[3], members[4] = members[4], members[3]

	v.add("tar-order", "tar-name", "the records before the index", p.build(change=swap))


def manifest(v):
	def case(name, error, what, edit):
		p = Pair(v)
		p.edit = edit
		v.add("manifest-" + name, error, what, p.build())

	case("type", "manifest-value", "an artifact's type", lambda m: m.update(type="artifact"))
	case("format", "format-version", "format 2", lambda m: m.update(format=2))
	case("feature", "feature-unknown", "a feature", lambda m: m.update(features=["recompress"]))
	case("key", "manifest-key", "an unknown key", lambda m: m.update(more=1))
	case("ext", "manifest-key", "patches have no ext", lambda m: m.update(ext={}))
	for key in ("created", "artifact", "old", "payloads"):
		case("missing-" + key, "manifest-missing", "no " + key, lambda m, key=key: m.pop(key))
	for key in ("digest", "manifest-size", "signatures-size", "stored-size", "stored-sha256"):
		case("missing-artifact-" + key, "manifest-missing", "no %s of the artifact" % key,
		     lambda m, key=key: m["artifact"].pop(key))
	case("old-size", "manifest-key", "the old artifact is not carried",
	     lambda m: m["old"].update({"stored-size": 1}))
	case("stored-size", "manifest-value", "more than 1 MiB carried",
	     lambda m: m["artifact"].update({"stored-size": (1 << 20) + 1}))
	case("manifest-size", "manifest-value", "a manifest of 4097 bytes",
	     lambda m: m["artifact"].update({"manifest-size": 4097}))
	payload = lambda m: m["payloads"][0]
	for key in ("old-size", "old-sha256", "segments"):
		case("missing-payload-" + key, "manifest-missing", "no %s of a payload" % key,
		     lambda m, key=key: payload(m).pop(key))
	case("segments", "manifest-value", "a segment too many",
	     lambda m: payload(m)["segments"].append(payload(m)["segments"][0]))
	case("twice", "manifest-value", "two payloads of one name",
	     lambda m: m["payloads"].append(copy.deepcopy(payload(m))))
	case("records-size", "manifest-value", "a record table of more than 4 MiB",
	     lambda m: payload(m)["segments"][0].update({"records-size": (4 << 20) + 1}))
	case("index-size", "manifest-value", "no index",
	     lambda m: payload(m)["segments"][0].update({"index-size": 0}))
	case("old-image", "patch-old", "for another old image", lambda m: payload(m).update({"old-sha256": "0" * 64}))
	case("old-length", "patch-old", "for a longer old image",
	     lambda m: payload(m).update({"old-size": payload(m)["old-size"] + 512}))
	case("old-index", "patch-old", "against another old index",
	     lambda m: payload(m)["segments"][0].update({"old-index-sha256": "0" * 64}))
	case("artifact-digest", "patch-artifact", "for another artifact than it carries",
	     lambda m: m["artifact"].update(digest="0" * 64))
	case("image", "patch-artifact", "another image than the artifact's",
	     lambda m: payload(m).update(sha256="0" * 64))
	case("payload-name", "patch-artifact", "a payload that the artifact has not",
	     lambda m: payload(m).update(name="boot"))


def carried(v):
	p = Pair(v)
	p.new_lines = [v.stranger.line(p.new_manifest)]
	v.add("carried-stranger", "sig-untrusted", "a patch does not vouch for the artifact in it", p.build())
	p = Pair(v)
	p.new_lines = []
	v.add("carried-unsigned", "sig-none", "an unsigned artifact in a signed patch", p.build())
	p = Pair(v)
	p.carried = lambda data: data[:-1]
	v.add("carried-short", "patch-decode", "half a frame", p.build())
	p = Pair(v)
	p.carried = lambda data: data + b"\0"
	v.add("carried-trailing", "patch-decode", "a byte behind the frame", p.build())
	p = Pair(v)

	def change(members):
		members[2] = (members[2][0], flip(members[2][1], 20))

	v.add("carried-bit", "patch-table", "a bit of artifact.zst", p.build(change=change))


def tables(v):
	p = Pair(v)

	def bit(at):
		def change(members):
			members[at] = (members[at][0], flip(members[at][1], 6))
		return change

	v.add("index-bit", "patch-table", "a bit of the packed index", p.build(change=bit(3)))
	v.add("records-bit", "patch-table", "a bit of the record table", p.build(change=bit(4)))
	v.add("data-bit", "patch-record", "a bit of a record", p.build(change=bit(5)))
	p = Pair(v)
	p.index_member += b"\0"
	v.add("index-trailing", "patch-table", "a byte behind the packed index", p.build())
	p = Pair(v)
	p.index_member = (len(p.index) + 1).to_bytes(4, "little") + p.index
	v.add("index-piece", "patch-table", "a piece longer than the member", p.build())
	p = Pair(v)
	p.index_member = p.index_member[:3]
	v.add("index-short", "patch-table", "no whole length of a piece", p.build())
	p = Pair(v)
	other = copy.deepcopy(p.rows)
	other[1].digest = bytes(16)
	index = compress(columns(other), columns(p.old_rows))
	p.index_member = len(index).to_bytes(4, "little") + index
	v.add("index-other", "index-table", "an index that is not the artifact's", p.build())
	p = Pair(v)
	index = compress(columns(p.rows)[:-1], columns(p.old_rows))
	p.index_member = len(index).to_bytes(4, "little") + index
	v.add("index-length", "patch-decode", "a byte less than the rows take", p.build())


def records(v):
	def case(name, what, edit, error="patch-table"):
		p = Pair(v)
		edit(p, p.records)
		v.add("record-" + name, error, what, p.build())

	def field(i, **fields):
		return lambda p, r: r[i].__dict__.update(fields)

	case("codec", "an unknown codec", field(0, codec=3))
	case("no-runs", "no rows", field(0, runs=[]))
	case("many-runs", "257 runs", field(0, runs=[(1, 1)] * 257))
	case("runs-touch", "two runs that touch", field(1, runs=[(0, 1), (0, 1)]))
	case("empty-run", "a run of no rows", field(0, runs=[(1, 0)]))
	case("beyond", "a row behind the last", field(1, runs=[(1, 1), (1, 2)]))
	case("far-beyond", "2^62 rows left out", field(0, runs=[(1 << 62, 1)]))
	case("zero-row", "a zero row", field(0, runs=[(0, 1)]))
	case("copy-row", "a copy row", field(1, runs=[(1, 2)]))
	case("many-extents", "65 extents", field(0, extents=[(OLD, 0, 1)] * 65))
	case("empty-extent", "an extent of no blocks", field(0, extents=[(OLD, 0, 0)]))
	case("long-extent", "an extent of more than 4 MiB", field(0, extents=[(OLD, 0, 1025)]))
	case("extent-behind", "an extent that begins where the old image ends", field(1, extents=[(OLD, 7, 1)]))
	case("extent-far-behind", "an extent that ends a block behind the old image",
	     field(1, extents=[(OLD, 5, 3)]))
	case("extent-far", "an extent at block 2^50", field(1, extents=[(OLD, 1 << 50, 1)]))
	case("new-not-there", "a window of the new image that is not there yet",
	     field(1, extents=[(NEW, 6, 1)]))
	case("long-window", "a window above 4 MiB", field(0, extents=[(OLD, 0, 7)] * 64 * 4))
	case("stored-0", "no stored bytes", field(0, length=0))
	case("stored-more", "more stored bytes than the data has", field(1, length=1 << 19))
	case("stored-above-1-mib", "more than 1 MiB stored", field(0, length=(1 << 20) + 1))

	def less(p, r):
		p.data = b"".join(x.stored for x in r) + b"\0"

	case("data-left", "data that no record has", less)

	def cut(p, r):
		p.table = r[0].pack(0)[0][:-1]

	case("digest-cut", "a table that ends within a digest", cut)

	def long_number(p, r):
		packed, block = r[0].pack(0)
		p.table = b"\x81\0" + packed[1:] + r[1].pack(block)[0]

	case("long-number", "a number longer than need be", long_number)

	def endless(p, r):
		p.table = b"\xff" * 9 + b"\1"

	case("endless-number", "a number of ten bytes", endless)

	def before(p, r):
		packed = r[0].pack(0)[0]
		at = packed.index(number(0) + number(5), 4)
		p.table = packed[:at] + number(2) + packed[at + 1:] + r[1].pack(5)[0]

	case("extent-before", "an extent before block 0", before)

	def stored(i, codec, data):
		def edit(p, r):
			r[i] = Record(codec, r[i].runs, r[i].extents, data(p))
		return edit

	case("frame-cut", "half a frame", stored(1, 0, lambda p: p.records[1].stored[:-1]), "patch-decode")
	case("frame-length", "a frame of another length",
	     stored(1, 0, lambda p: compress(p.new_text, p.old_image[20480:28672])), "patch-decode")
	case("frame-checksum", "a frame with a checksum", stored(1, 0, lambda p: frame(
		len(p.new_text + p.rows[5].plain), [raw_block(p.new_text + p.rows[5].plain)], flags=4,
		tail=bytes(4))), "patch-decode")
	case("other-bytes", "bytes that are not the rows'", stored(1, 0, lambda p: compress(
		bytes(len(p.new_text + p.rows[5].plain)))), "chunk-plain")

	def other_window(p, r):
		r[0].extents = [(OLD, 1, 5)]

	case("other-window", "a diff program with another window", other_window, "chunk-plain")


def programs(v):
	def case(name, what, edit, error="patch-decode"):
		p = Pair(v)

		def change(streams):
			edit(streams)

		p.records[0] = Record(1, [(1, 1)], [(OLD, 0, 5)], compress(p.code_program(change)))
		v.add("program-" + name, error, what, p.build())

	def ops(*triples):
		return lambda s: s.update(control=b"".join(map(number, triples)))

	case("copy-beyond", "a copy behind the window", ops(9000, 140, 0, 11480, 0, 2))
	case("before-window", "a position before the window", ops(9000, 140, 1, 11480, 0, 0))
	case("copy-long", "a copy of 2^40 bytes", ops(1 << 40, 0, 0))
	case("too-long", "more bytes than the rows have", ops(9000, 140, 0, 11480, 0, 0, 1, 0, 1))
	case("too-short", "fewer bytes than the rows have", ops(9000, 140, 0, 11479, 0, 0))
	case("insert-beyond", "more bytes of its own than there are", ops(9000, 141, 0, 11479, 0, 0))
	case("extra-left", "bytes of its own that are left", lambda s: s.update(extra=s["extra"] + b"x"))
	case("values-left", "values that are left", lambda s: s.update(values=s["values"] + b"\1"))
	case("values-less", "values that are missing", lambda s: s.update(values=s["values"][:-1]))
	case("gaps-left", "a difference behind the last copied byte",
	     lambda s: s.update(gaps=s["gaps"] + number(1 << 20), values=s["values"] + b"\1"))
	case("control-cut", "two numbers of three", lambda s: s.update(control=s["control"][:-1]))
	case("long-number", "a gap longer than need be",
	     lambda s: s.update(gaps=b"\xb2\0" + s["gaps"][1:]))
	case("other-value", "another difference",
	     lambda s: s.update(values=b"\5" + s["values"][1:]), "chunk-plain")
	for name, what, data in (("no-header", "eleven bytes", bytes(11)),
				 ("long-stream", "a stream longer than the program",
				  (1 << 30).to_bytes(4, "little") + bytes(20))):
		p = Pair(v)
		p.records[0] = Record(1, [(1, 1)], [(OLD, 0, 5)], frame(len(data), [raw_block(data)]))
		v.add("program-" + name, "patch-decode", what, p.build())
	p = Pair(v)
	p.records[0] = Record(1, [(1, 1)], [(OLD, 0, 5)], frame((1 << 20) + 1, [raw_block(b"x")]))
	v.add("program-above-1-mib", "patch-decode", "a program of more than 1 MiB", p.build())
	p = Pair(v)
	p.records[0] = Record(1, [(1, 1)], [(OLD, 0, 5)], b"no frame")
	v.add("program-no-frame", "patch-decode", "a program that is no frame", p.build())
