#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The second reader's part for patches, written from format-spec/format.md section 16 alone.

It judges a patch whole, with the old artifact at hand: the new image is made of both and compared.
"""

import argparse
import hashlib
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import twinroot_reader as reader  # noqa: E402
from twinroot_manifest import (DIGEST, FILE_NAME, GIB, KIB, MIB, Fault, index_rows, integer, is_time, judge_object,  # noqa: E402
			       listed, matches, named, need, objects, parse_manifest, version_rule)
from twinroot_reader import COPY, RAW, ZERO, ZSTD, Artifact  # noqa: E402
from twinroot_trust import Trust, judge_signatures, run  # noqa: E402

BLOCK = 4096
COLUMNS = ((0, 4), (4, 4), (8, 4), (12, 12), (24, 16))


# Section 16.2

def room(limit):
	return lambda v: integer(4096, limit)(v) and v % 4096 == 0


def one(rules, where):
	return lambda v: isinstance(v, dict) and judge_object(v, rules, where)


OLD = {"name": (True, FILE_NAME), "version": (True, version_rule), "digest": (True, DIGEST)}
NEW = dict(OLD, **{"manifest-size": (True, room(256 * KIB)), "signatures-size": (True, room(64 * KIB)),
		   "stored-size": (True, integer(1, MIB)), "stored-sha256": (True, DIGEST)})
SEGMENT = {
	"index-size": (True, integer(1, 4 * MIB)),
	"index-sha256": (True, DIGEST),
	"old-index-sha256": (False, DIGEST),
	"records-size": (True, integer(0, 4 * MIB)),
	"records-sha256": (True, DIGEST),
	"data-size": (True, integer(0, GIB)),
}
IMAGE_SIZE = lambda v: integer(1, 1 << 46)(v) and v % 512 == 0  # noqa: E731
PAYLOAD = {
	"name": (True, matches(r"[a-z][a-z0-9-]{0,31}")),
	"size": (True, IMAGE_SIZE),
	"sha256": (True, DIGEST),
	"old-size": (True, IMAGE_SIZE),
	"old-sha256": (True, DIGEST),
	"segments": (True, objects(SEGMENT, 1, 10000, "a segment")),
}
TOP = {
	"type": (True, lambda v: v == "patch"),
	"format": (True, integer(0, 1 << 53)),
	"features": (False, listed(matches(r"[a-z0-9-]{1,32}"), 0, 32)),
	"created": (True, is_time),
	"artifact": (True, one(NEW, "the artifact")),
	"old": (True, one(OLD, "the old artifact")),
	"payloads": (True, named(PAYLOAD, 1, 8, "a payload",
				 lambda p: len(p["segments"]) == -(-p["size"] // GIB))),
}


def unframe(frame, prefix, length):
	try:
		return reader.decode_frame(frame, prefix, length)
	except Fault as fault:
		raise Fault("patch-decode", str(fault)) from None


# Section 16.3

def columns(index):
	pages, rows = index_rows(len(index))
	where = [32 * pages + 16384 * (i // 409) + 24 + 40 * (i % 409) for i in range(rows)]
	return b"".join(index[at + first:at + first + length]
			for first, length in COLUMNS for at in where)


def from_columns(data):
	count = len(data) // 40
	rows = [b""] * count
	at = 0
	for _, length in COLUMNS:
		for i in range(count):
			rows[i] += data[at:at + length]
			at += length
	pages, plain, stored = [], 0, 0
	for first in range(0, count, 409):
		part = rows[first:first + 409]
		head = plain.to_bytes(8, "little") + stored.to_bytes(8, "little") + \
			first.to_bytes(4, "little") + len(part).to_bytes(2, "little") + b"\0\0"
		for data in part:
			row = reader.Row(data)
			plain += row.length
			stored += row.stored
		pages.append(head + b"".join(part))
	return b"".join(hashlib.sha256(page).digest() for page in pages) + b"".join(pages)


def unpack_index(packed, old, length):
	out = b""
	while len(out) < length:
		need(len(packed) >= 4, "patch-table", "the index ends early")
		stored = int.from_bytes(packed[:4], "little")
		need(stored <= len(packed) - 4 and stored <= MIB, "patch-table", "a piece of an index")
		out += unframe(packed[4:4 + stored], old, min(MIB, length - len(out)))
		packed = packed[4 + stored:]
	need(not packed, "patch-table", "bytes behind the index")
	return out


# Sections 16.4 and 16.5

class Numbers:
	def __init__(self, data, fault):
		self.data, self.at, self.fault = data, 0, fault

	def more(self):
		return self.at < len(self.data)

	def next(self, low=0, high=(1 << 63) - 1):
		value = shift = 0
		while True:
			need(self.more() and shift < 63, self.fault, "a number that does not end")
			byte = self.data[self.at]
			self.at += 1
			value |= (byte & 127) << shift
			if byte < 128:
				break
			shift += 7
		need(byte or not shift, self.fault, "a number longer than need be")
		need(low <= value <= high, self.fault, "%d is not in %d .. %d" % (value, low, high))
		return value

	def bytes(self, length):
		need(len(self.data) - self.at >= length, self.fault, "it ends early")
		self.at += length
		return self.data[self.at - length:self.at]


class Record:
	pass


def parse_records(data, rows, starts, base, old_size, data_size):
	numbers = Numbers(data, "patch-table")
	row = block = total = 0
	records = []
	while numbers.more():
		r = Record()
		r.codec = numbers.next(0, 2)
		r.rows, r.extents = [], []
		for part in range(numbers.next(1, 256)):
			row += numbers.next(1 if part else 0)
			count = numbers.next(1)
			need(row + count <= len(rows), "patch-table", "rows that are not there")
			r.rows += range(row, row + count)
			row += count
			need(all(rows[i].type in (ZSTD, RAW) for i in r.rows), "patch-table",
			     "a row that stores nothing")
			r.length = sum(rows[i].length for i in r.rows)
			need(r.length <= MIB, "patch-table", "above 1 MiB")
		window = 0
		for _ in range(numbers.next(0, 64)):
			word = numbers.next()
			length = numbers.next(1, 1024)
			block += -(word >> 2) - 1 if word & 2 else word >> 2
			end = base + starts[r.rows[0]] if word & 1 else old_size
			need(0 <= block * BLOCK < end and (block + length - 1) * BLOCK < end, "patch-table",
			     "an extent outside of its image")
			size = min(length * BLOCK, end - block * BLOCK)
			r.extents.append((word & 1, block * BLOCK, size))
			block += length
			window += size
			need(window <= 4 * MIB, "patch-table", "a window above 4 MiB")
		r.stored = numbers.next(1, MIB)
		total += r.stored
		need(total <= data_size, "patch-table", "more data than there is")
		r.digest = numbers.bytes(16)
		records.append(r)
	need(total == data_size, "patch-table", "records do not add up to the data")
	return records


def run_program(program, window, length):
	def check(condition, text):
		need(condition, "patch-decode", text)

	check(len(program) >= 12, "no header")
	at, streams = 12, []
	for i in range(3):
		size = int.from_bytes(program[4 * i:4 * i + 4], "little")
		check(at + size <= len(program), "streams longer than the program")
		streams.append(program[at:at + size])
		at += size
	control, gaps = (Numbers(s, "patch-decode") for s in streams[:2])
	values, extra = streams[2], program[at:]
	position, used, done, out = 0, 0, 0, bytearray()
	# Offsets in all that is copied where a value is added.
	copied = 0
	due = gaps.next() if gaps.more() else None
	while control.more():
		copy, insert, jump = control.next(), control.next(), control.next()
		position += -(jump + 1) // 2 if jump & 1 else jump // 2
		check(0 <= position and position + copy <= len(window) and len(out) + copy + insert <= length
		      and used + insert <= len(extra), "out of bounds")
		part = bytearray(window[position:position + copy])
		while due is not None and due < copied + copy:
			check(done < len(values), "too few values")
			part[due - copied] = (part[due - copied] + values[done]) % 256
			done += 1
			due = due + 1 + gaps.next() if gaps.more() else None
		copied += copy
		position += copy
		out += part + extra[used:used + insert]
		used += insert
	check(len(out) == length and due is None and done == len(values) and used == len(extra),
	      "it does not give what is due")
	return bytes(out)


def frame_size(stored):
	"""The content size that a frame's header states; 0: none."""
	if stored[:4] != b"\x28\xb5\x2f\xfd":
		return 0
	stored += bytes(18)
	single = stored[4] >> 5 & 1
	length = (single, 2, 4, 8)[stored[4] >> 6]
	at = 5 + (not single) + (0, 1, 2, 4)[stored[4] & 3]
	return int.from_bytes(stored[at:at + length], "little") + (256 if length == 2 else 0)


def decode_plain(codec, stored, window, length):
	if codec == 0:
		return unframe(stored, window, length)
	size = frame_size(stored)
	need(0 < size <= MIB, "patch-decode", "a program of an impossible length")
	return run_program(unframe(stored, b"", size), window, length)


def compress(plain, level):
	"""What libzstd makes of PLAIN in one call."""
	with tempfile.TemporaryDirectory() as directory:
		path = os.path.join(directory, "plain")
		with open(path, "wb") as file:
			file.write(plain)
		result = run(["zstd", "-c", "-q", "--no-progress", "--no-check", "--single-thread",
				     "--ultra", "-%d" % level, path])
	need(result.returncode == 0, "patch-decode", "zstd cannot compress")
	return result.stdout


def run_recipe(stored, window, length):
	numbers = Numbers(stored, "patch-decode")
	codec, level = numbers.next(0, 1), numbers.next(1, 22)
	inner, at = b"", 0
	for _ in range(numbers.next(0, 256)):
		at += numbers.next(0, len(window) - at)
		word = numbers.next(2, 2 * (len(window) - at) + 1)
		block = window[at:at + (word >> 1)]
		at += word >> 1
		if not word & 1:
			size = frame_size(block)
			need(0 < size <= 4 * MIB - len(inner), "patch-decode", "a block of an impossible length")
			block = unframe(block, b"", size)
		inner += block
		need(len(inner) <= 4 * MIB, "patch-decode", "an inner window above 4 MiB")
	pieces, total = [], 0
	for _ in range(numbers.next(1, 256)):
		pieces.append(numbers.next(2, 2 * (MIB - total) + 1))
		total += pieces[-1] >> 1
	plain = decode_plain(codec, stored[numbers.at:], inner, total)
	out, at = b"", 0
	for word in pieces:
		part = plain[at:at + (word >> 1)]
		out += part if word & 1 else compress(part, level)
		at += word >> 1
	need(len(out) == length, "patch-decode", "pieces that do not give what is due")
	return out


# The old artifact, as far as a patch needs it.

class Old:
	def __init__(self, path):
		self.artifact = Artifact(path)
		a = self.artifact
		self.manifest = parse_manifest(a.member("manifest.json", lambda size: True))
		a.member("manifest.sig", lambda size: True)
		self.index, self.image, self.rows = {}, {}, {}
		for payload in self.manifest["payloads"]:
			self.payload(payload)

	def payload(self, payload):
		name, known = payload["name"], {}
		image = reader.Image()
		indexes = []
		for number, segment in enumerate(payload["segments"]):
			at = self.artifact.file.tell()
			if number:
				self.artifact.padding()
				at = self.artifact.file.tell()
			stem = "payload/%s/%04d" % (name, number)
			self.artifact.segment(payload, segment, stem, image)
			behind = self.artifact.file.tell()
			self.artifact.file.seek(at + 512)
			index = self.artifact.file.read(segment["index-size"])
			self.artifact.file.seek(behind)
			indexes.append(index)
			start = segment["offset"]
			for row in reader.parse_index(index, segment):
				if row.type in (ZSTD, RAW):
					known.setdefault((row.length, row.digest), start)
				start += row.length
		self.artifact.padding()
		self.index[name], self.image[name], self.rows[name] = indexes, image, known


class Patch(Artifact):
	"""One file, judged in the order of section 16.6."""

	def verify(self, trust, old):
		manifest_bytes = self.member("patch.json", room(256 * KIB))
		signatures = self.member("patch.sig", room(64 * KIB))
		judge_signatures(trust, manifest_bytes, signatures, "patch")
		patch = parse_manifest(manifest_bytes, TOP)
		self.judge_patch_size(patch)
		manifest = self.artifact(patch["artifact"], trust)
		payloads = self.match(patch, manifest)
		for mine in patch["payloads"]:
			theirs = [p for p in old.manifest["payloads"] if p["name"] == mine["name"]]
			need(theirs and theirs[0]["size"] == mine["old-size"] and
			     theirs[0]["sha256"] == mine["old-sha256"], "patch-old", mine["name"])
		for mine, payload in zip(patch["payloads"], payloads):
			self.patch_payload(mine, payload, old)
		need(not any(self.read(1024)), "tar-end", "not two zero blocks")
		need(not self.file.read(1), "tar-trailing", "bytes after the end")

	def judge_patch_size(self, patch):
		sizes = [patch["artifact"]["stored-size"]]
		for payload in patch["payloads"]:
			for segment in payload["segments"]:
				sizes += [segment["index-size"], segment["records-size"], segment["data-size"]]
		due = self.offset + sum(512 + size + -size % 512 for size in sizes) + 1024
		have = os.fstat(self.file.fileno()).st_size
		need(have >= due, "tar-truncated", "file has %d bytes of %d" % (have, due))
		need(have <= due, "tar-trailing", "%d bytes after the end" % (have - due))

	def digested(self, name, size, digest):
		data = self.read(self.header(name, size))
		need(hashlib.sha256(data).hexdigest() == digest, "patch-table", name)
		self.padding()
		return data

	def artifact(self, new, trust):
		stored = self.digested("artifact.zst", new["stored-size"], new["stored-sha256"])
		both = unframe(stored, b"", new["manifest-size"] + new["signatures-size"])
		manifest, signatures = both[:new["manifest-size"]], both[new["manifest-size"]:]
		need(hashlib.sha256(manifest).hexdigest() == new["digest"], "patch-artifact", "its digest")
		judge_signatures(trust, manifest, signatures)
		return parse_manifest(manifest)

	@staticmethod
	def match(patch, manifest):
		found, at = [], 0
		for mine in patch["payloads"]:
			names = [p["name"] for p in manifest["payloads"]]
			need(mine["name"] in names[at:], "patch-artifact", "no payload '%s'" % mine["name"])
			at = names.index(mine["name"], at)
			payload = manifest["payloads"][at]
			need(payload["size"] == mine["size"] and payload["sha256"] == mine["sha256"],
			     "patch-artifact", "the image of '%s'" % mine["name"])
			found.append(payload)
			at += 1
		return found

	def patch_payload(self, mine, payload, old):
		with tempfile.TemporaryFile() as image:
			missing = 0
			for number in range(len(mine["segments"])):
				if number:
					self.padding()
				missing += self.patch_segment(mine, payload, number, old, image)
			if not missing:
				image.truncate(mine["size"])
				image.seek(0)
				digest = hashlib.sha256()
				while True:
					data = image.read(MIB)
					if not data:
						break
					digest.update(data)
				need(digest.hexdigest() == payload["sha256"], "image-digest", mine["name"])
		self.padding()

	def patch_segment(self, mine, payload, number, old, image):
		segment, due = mine["segments"][number], payload["segments"][number]
		name, base = mine["name"], due["offset"]
		stem = "payload/%s/%04d" % (name, number)
		before = b""
		if "old-index-sha256" in segment:
			theirs = [p for p in old.manifest["payloads"] if p["name"] == name][0]["segments"]
			need(number < len(theirs) and
			     theirs[number]["index-sha256"] == segment["old-index-sha256"], "patch-old",
			     "another old index")
			before = columns(old.index[name][number])
		packed = self.digested(stem + ".index", segment["index-size"], segment["index-sha256"])
		rows = reader.parse_index(from_columns(unpack_index(
			packed, before, 40 * index_rows(due["index-size"])[1])), due)
		table = self.digested(stem + ".records", segment["records-size"],
				      segment["records-sha256"])
		starts = [sum(r.length for r in rows[:i]) for i in range(len(rows))]
		records = parse_records(table, rows, starts, base, mine["old-size"], segment["data-size"])
		self.header(stem + ".data", segment["data-size"])
		return Segment(self, name, rows, starts, base, old, image).make(records)


class Segment:
	def __init__(self, patch, name, rows, starts, base, old, image):
		self.patch, self.name, self.rows, self.starts, self.base = patch, name, rows, starts, base
		self.old, self.image, self.missing = old, image, 0

	def get(self, start, length):
		self.image.seek(start)
		return self.image.read(length).ljust(length, b"\0")

	def put(self, i, plain):
		need(hashlib.sha256(plain).digest()[:16] == self.rows[i].digest, "chunk-plain", "row %d" % i)
		self.image.seek(self.base + self.starts[i])
		self.image.write(plain)

	def copy(self, i):
		"""A row that no record makes."""
		row = self.rows[i]
		if row.type == ZERO:
			return
		if row.type == COPY:
			plain = self.get(self.base + self.starts[row.second], row.length)
			if hashlib.sha256(plain).digest()[:16] == row.digest:
				self.put(i, plain)
			else:
				self.missing += row.length
			return
		start = self.old.rows[self.name].get((row.length, row.digest))
		if start is None:
			self.missing += row.length
		else:
			self.put(i, self.old.image[self.name].read(start, row.length))

	def make(self, records):
		done = 0
		for r in records:
			stored = self.patch.read(r.stored)
			need(hashlib.sha256(stored).digest()[:16] == r.digest, "patch-record", "a record")
			for i in range(done, r.rows[0]):
				self.copy(i)
			window = b"".join(self.get(start, size) if new else
					  self.old.image[self.name].read(start, size)
					  for new, start, size in r.extents)
			plain = self.decode(r, stored, window)
			for i in range(r.rows[0], r.rows[-1] + 1):
				if i in r.rows:
					self.put(i, plain[:self.rows[i].length])
					plain = plain[self.rows[i].length:]
				else:
					self.copy(i)
			done = r.rows[-1] + 1
		for i in range(done, len(self.rows)):
			self.copy(i)
		return self.missing

	@staticmethod
	def decode(r, stored, window):
		if r.codec == 2:
			return run_recipe(stored, window, r.length)
		return decode_plain(r.codec, stored, window, r.length)


def judge(path, old_path, keys):
	"""(error name, text): 'ok' when nothing is wrong."""
	try:
		trust = Trust(keys)
		old = Old(old_path)
		patch = Patch(path)
		with patch.file:
			patch.verify(trust, old)
	except Fault as fault:
		return fault.name, str(fault)
	except OSError as error:
		return "io", str(error)
	return "ok", ""


def main():
	parser = argparse.ArgumentParser(description="judge a patch of format 1")
	parser.add_argument("patch")
	parser.add_argument("--old", required=True, metavar="ARTIFACT")
	parser.add_argument("--keys", required=True, metavar="DIR")
	args = parser.parse_args()
	name, text = judge(args.patch, args.old, args.keys)
	print(name)
	if text:
		print("twinroot_patch: " + text, file=sys.stderr)
	return 0 if name == "ok" else reader.exit_codes()[name]


if __name__ == "__main__":
	sys.exit(main())
