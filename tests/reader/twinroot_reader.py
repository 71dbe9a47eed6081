#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second reader of artifact format 1, written from format-spec/format.md alone.

It shares no code with libartifact, so that the two can be compared: whatever one accepts and
the other refuses is a fault in one of them or in the text. Python's standard library judges
everything but signatures (`openssl`) and zstd frames (`zstd`). It is made to be read beside the
text, section by section, and not to be fast.
"""

import argparse
import hashlib
import json
import os
import re
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from twinroot_manifest import (HEADER, KIB, MIB, PAGE, ROW, ROWS, Fault, compare_versions, in_range,  # noqa: E402
			       index_rows, need, parse_manifest)
from twinroot_trust import Trust, judge_signatures, run  # noqa: E402

ERRORS_TSV = os.path.join(os.path.dirname(os.path.abspath(__file__)),
			  "..", "..", "format-spec", "errors.tsv")


# Section 10: compatibility, with a device described in a JSON file.

def judge_compat(manifest, device):
	need(device["type"] in manifest["compatible"], "compat-type", "device type")
	if "hardware" in manifest:
		revision = device.get("hardware")
		need(revision is not None and
		     any(in_range(revision, r) for r in manifest["hardware"]),
		     "compat-hardware", "hardware revision")
	need(manifest["arch"] == "any" or manifest["arch"] in device["archs"],
	     "compat-arch", "architecture")
	for key, wanted in manifest.get("requires", {}).items():
		have = device.get("provides", {}).get(key)
		need(have is not None and in_range(have, wanted), "compat-requires",
		     "requirement '%s'" % key)
	for payload in manifest["payloads"]:
		need(payload["name"] in device["parts"], "compat-payload", "no place for payload")
	for payload in manifest["payloads"]:
		need(payload["size"] <= device["parts"][payload["name"]], "compat-size",
		     "image is larger than its partition")
	for payload in manifest["payloads"]:
		need(payload["filesystem"] == "raw" or "filesystems" not in device or
		     payload["filesystem"] in device["filesystems"], "compat-filesystem",
		     "filesystem")
	need(manifest["security-counter"] >= device.get("counter-floor", 0), "compat-counter",
	     "security counter")
	running = device.get("running-version")
	need(not device.get("deny-downgrade") or running is None or
	     compare_versions(manifest["version"], running) >= 0, "compat-downgrade", "version")


# Section 7: the index.

ZSTD, RAW, ZERO, COPY = range(4)


class Row:
	def __init__(self, data):
		word = int.from_bytes(data[0:4], "little")
		self.length = word & 0xfffffff
		self.type = word >> 28 & 3
		self.group = bool(word >> 30 & 1)
		self.reserved = word >> 31
		self.second = int.from_bytes(data[4:8], "little")
		self.head, self.stored_digest, self.digest = data[8:12], data[12:24], data[24:40]
		self.stored = self.second if self.type in (ZSTD, RAW) else 0


def judge_row(row, rows, first_stored):
	need(row.reserved == 0 and row.length >= 1, "index-row", "reserved bit or empty row")
	if row.type == ZERO:
		need(not row.group and row.second == 0 and
		     not any(row.head + row.stored_digest + row.digest), "index-row", "zero row")
		return
	need(row.length <= MIB, "index-row", "row above 1 MiB")
	if row.type != COPY:
		need(row.group or not first_stored, "index-row", "first stored row without flag")
	if row.type == RAW:
		need(row.second == row.length, "index-row", "raw row's stored length")
	elif row.type == ZSTD:
		need(1 <= row.second < row.length, "index-row", "zstd row's stored length")
	else:
		need(not row.group and row.second < len(rows), "index-row",
		     "copy row with a group flag, or of a later row")
		source = rows[row.second]
		need(source.type in (ZSTD, RAW) and source.length == row.length and
		     source.head == row.head and source.digest == row.digest and
		     not any(row.stored_digest), "index-row", "copy row")


def parse_index(data, segment):
	pages, total = index_rows(len(data))
	table = data[:32 * pages]
	need(hashlib.sha256(table).hexdigest() == segment["index-sha256"], "index-table",
	     "page table")
	rows = []
	plain = stored = group = 0
	first_stored = True
	for number in range(pages):
		page = data[32 * pages + PAGE * number:32 * pages + PAGE * (number + 1)]
		need(hashlib.sha256(page).digest() == table[32 * number:32 * number + 32],
		     "index-page", "page %d" % number)
		count = min(ROWS, total - ROWS * number)
		expected = plain.to_bytes(8, "little") + stored.to_bytes(8, "little") + \
			(ROWS * number).to_bytes(4, "little") + count.to_bytes(2, "little") + b"\0\0"
		need(page[:HEADER] == expected, "index-row", "header of page %d" % number)
		for i in range(count):
			row = Row(page[HEADER + ROW * i:HEADER + ROW * (i + 1)])
			judge_row(row, rows, first_stored)
			if row.type in (ZSTD, RAW):
				first_stored = False
				group = row.length if row.group else group + row.length
				need(group <= 4 * MIB, "index-row", "group above 4 MiB")
			rows.append(row)
			plain += row.length
			stored += row.stored
	need(plain == segment["size"] and stored == segment["data-size"], "index-row", "sums")
	return rows


# Section 8: chunks.

def frame_header(frame, plain_length):
	"""Offset of the first block of a frame whose header keeps the rules."""
	def check(condition, text):
		need(condition, "chunk-decode", text)

	check(frame[:4] == b"\x28\xb5\x2f\xfd" and len(frame) >= 6, "not a zstd frame")
	descriptor = frame[4]
	single = descriptor >> 5 & 1
	size_bytes = (single, 2, 4, 8)[descriptor >> 6]
	check(descriptor & 0x0f == 0, "reserved bit, checksum or dictionary id")
	check(size_bytes, "no content size")
	at = 5
	if not single:
		base = 1 << 10 + (frame[at] >> 3)
		check(base + base // 8 * (frame[at] & 7) <= 8 * MIB, "window above 8 MiB")
		at += 1
	check(len(frame) >= at + size_bytes, "short frame")
	content = int.from_bytes(frame[at:at + size_bytes], "little") + (256 if size_bytes == 2 else 0)
	check(content == plain_length, "content size")
	return at + size_bytes


def judge_frame(frame, plain_length):
	at = frame_header(frame, plain_length)
	last = False
	while not last:
		need(at + 3 <= len(frame), "chunk-decode", "short frame")
		block = int.from_bytes(frame[at:at + 3], "little")
		last = block & 1
		at += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
	need(at == len(frame), "chunk-decode", "stored bytes are not exactly one frame")


def decode_frame(frame, prefix, plain_length):
	judge_frame(frame, plain_length)
	with tempfile.TemporaryDirectory() as directory:
		args = ["zstd", "-d", "-c", "-q", "--no-progress"]
		if prefix:
			# The program takes a prefix that begins so for a trained dictionary. Matches
			# count back from the end of the prefix, so a byte more in front is harmless.
			if prefix.startswith(b"\x37\xa4\x30\xec"):
				prefix = b"\0" + prefix
			path = os.path.join(directory, "prefix")
			with open(path, "wb") as file:
				file.write(prefix)
			args.append("--patch-from=" + path)
		frame_path = os.path.join(directory, "frame.zst")
		with open(frame_path, "wb") as file:
			file.write(frame)
		result = run(args + [frame_path])
	need(result.returncode == 0 and len(result.stdout) == plain_length, "chunk-decode",
	     "frame does not decode")
	return result.stdout


class Artifact:
	"""One file, judged in the order of section 10."""

	def __init__(self, path):
		self.file = open(path, "rb")
		self.offset = 0

	def read(self, length):
		data = self.file.read(length)
		need(len(data) == length, "tar-truncated", "file ends at %d" % (self.offset + len(data)))
		self.offset += length
		return data

	def header(self, name, size):
		"""Judge a header block. SIZE is the due size, or a function that judges one."""
		block = self.read(512)
		need(any(block), "tar-end", "zero block where '%s' is due" % name)
		total = sum(block) - sum(block[148:156]) + 8 * 32
		need(block[148:156] == b"%06o\0 " % total, "tar-checksum", "header of '%s'" % name)
		fixed = b"0000644\0" + b"0000000\0" * 2 + block[124:136] + b"0" * 11 + b"\0" + \
			block[148:156] + b"0" + bytes(100) + b"ustar\0" + b"00" + bytes(64) + \
			b"0000000\0" * 2 + bytes(155 + 12)
		need(block[100:] == fixed, "tar-header", "header of '%s'" % name)
		need(block[:100] == name.encode().ljust(100, b"\0"), "tar-name",
		     "'%s' is due" % name)
		field = block[124:136]
		need(re.fullmatch(rb"[0-7]{11}\0", field), "tar-size", "size of '%s'" % name)
		found = int(field[:11], 8)
		need(size(found) if callable(size) else found == size, "tar-size",
		     "size of '%s' is %d" % (name, found))
		return found

	def padding(self):
		need(not any(self.read(-self.offset % 512)), "tar-padding", "padding")

	def member(self, name, size):
		data = self.read(self.header(name, size))
		self.padding()
		return data

	def judge_size(self, manifest):
		"""The file's size follows from the manifest."""
		sizes = [size for payload in manifest["payloads"] for segment in payload["segments"]
			 for size in (segment["index-size"], segment["data-size"])]
		sizes += [doc["size"] for doc in manifest.get("docs", [])]
		due = self.offset + sum(512 + size + -size % 512 for size in sizes) + 1024
		have = os.fstat(self.file.fileno()).st_size
		need(have >= due, "tar-truncated", "file has %d bytes of %d" % (have, due))
		need(have <= due, "tar-trailing", "%d bytes after the end" % (have - due))

	def segment(self, payload, segment, name, image):
		rows = parse_index(self.read(self.header(name + ".index", segment["index-size"])),
				   segment)
		self.padding()
		self.header(name + ".data", segment["data-size"])
		starts, start = [], segment["offset"]
		history = b""
		for row in rows:
			starts.append(start)
			start += row.length
			if row.type == ZERO:
				image.zero(row.length)
				continue
			if row.type == COPY:
				image.write(image.read(starts[row.second], row.length))
				continue
			if row.group:
				history = b""
			prefix = history[-payload["prefix"]:] if payload["prefix"] else b""
			plain = self.chunk(row, prefix)
			image.write(plain)
			history = (history + plain)[-MIB:]

	def chunk(self, row, prefix):
		stored = self.read(row.stored)
		need(hashlib.sha256(stored).digest()[:12] == row.stored_digest, "chunk-stored",
		     "stored bytes")
		plain = stored if row.type == RAW else decode_frame(stored, prefix, row.length)
		need(hashlib.sha256(plain).digest()[:16] == row.digest, "chunk-plain", "plain bytes")
		return plain

	def payload(self, payload):
		with Image() as image:
			for number, segment in enumerate(payload["segments"]):
				if number:
					self.padding()
				self.segment(payload, segment,
					     "payload/%s/%04d" % (payload["name"], number), image)
			need(image.digest() == payload["sha256"], "image-digest", payload["name"])
		self.padding()

	def verify(self, trust, device=None):
		def multiple(limit):
			return lambda size: 4096 <= size <= limit and size % 4096 == 0

		manifest_bytes = self.member("manifest.json", multiple(256 * KIB))
		signatures = self.member("manifest.sig", multiple(64 * KIB))
		judge_signatures(trust, manifest_bytes, signatures)
		manifest = parse_manifest(manifest_bytes)
		self.judge_size(manifest)
		if device is not None:
			judge_compat(manifest, device)
		for payload in manifest["payloads"]:
			self.payload(payload)
		for doc in manifest.get("docs", []):
			self.header("doc/" + doc["name"], doc["size"])
			data = self.read(doc["size"])
			need(hashlib.sha256(data).hexdigest() == doc["sha256"], "doc-digest", doc["name"])
			self.padding()
		need(not any(self.read(1024)), "tar-end", "not two zero blocks")
		need(not self.file.read(1), "tar-trailing", "bytes after the end")


class Image:
	"""The plain bytes of a payload, in a sparse temporary file: copy rows look back."""

	def __init__(self):
		self.file = tempfile.TemporaryFile()
		self.sha256 = hashlib.sha256()
		self.size = 0

	def __enter__(self):
		return self

	def __exit__(self, *unused):
		self.file.close()

	def write(self, data):
		self.file.seek(self.size)
		self.file.write(data)
		self.sha256.update(data)
		self.size += len(data)

	def zero(self, length):
		self.size += length
		zeros = bytes(MIB)
		while length:
			self.sha256.update(zeros[:length] if length < MIB else zeros)
			length -= min(length, MIB)

	def read(self, offset, length):
		self.file.seek(offset)
		return self.file.read(length)

	def digest(self):
		return self.sha256.hexdigest()


def exit_codes():
	with open(ERRORS_TSV, encoding="ascii") as file:
		return {name: int(code) for name, code, _ in (line.split("\t") for line in file)}


def judge(path, keys, device_path=None):
	"""(error name, text): 'ok' when nothing is wrong."""
	try:
		device = None
		if device_path:
			with open(device_path, encoding="utf-8") as file:
				device = json.load(file)
		trust = Trust(keys)
		artifact = Artifact(path)
		with artifact.file:
			artifact.verify(trust, device)
	except Fault as fault:
		return fault.name, str(fault)
	except OSError as error:
		return "io", str(error)
	return "ok", ""


def main():
	parser = argparse.ArgumentParser(description="judge an artifact of format 1")
	commands = parser.add_subparsers(dest="command", required=True)
	verify = commands.add_parser("verify", help="judge one artifact, every byte of it")
	verify.add_argument("file")
	verify.add_argument("--keys", required=True, metavar="DIR", help="trust policy")
	verify.add_argument("--compat", metavar="FILE", help="description of a device (JSON)")
	verify.add_argument("-v", "--verbose", action="store_true", help="say why, on stderr")
	args = parser.parse_args()
	name, text = judge(args.file, args.keys, args.compat)
	print(name)
	if args.verbose and text:
		print("twinroot_reader: " + text, file=sys.stderr)
	return 0 if name == "ok" else exit_codes()[name]


if __name__ == "__main__":
	sys.exit(main())
