# SPDX-License-Identifier: Apache-2.0
"""Parts for building artifacts, right ones and wrong ones, byte by byte.

A writer of format 1 that does what it is told: every field can be set to what no sane writer
would put there, and the checksums and digests around it are then made to agree, so that a
vector breaks one rule and no other.
"""

import base64
import copy
import hashlib
import json
import os
import subprocess
import tempfile

ZSTD, RAW, ZERO, COPY = range(4)
GROUP = 1 << 30


def sha256(data):
	return hashlib.sha256(data).digest()


def noise(seed, length):
	"""Bytes that do not compress, the same at every run."""
	return hashlib.shake_256(seed.encode()).digest(length)


def prose(seed, length):
	"""Bytes that compress, and that have matches further back."""
	words = [noise("word %d" % i, 3 + i % 6).hex() for i in range(40)]
	picks = noise(seed, length)
	return " ".join(words[p % 40] for p in picks).encode()[:length]


def openssl(*args, data=None):
	return subprocess.run(("openssl",) + args, input=data, stdout=subprocess.PIPE,
			      stderr=subprocess.PIPE, check=True).stdout


# Tar

def tar_header(name, size):
	block = bytearray(512)
	block[0:len(name)] = name.encode()
	block[100:124] = b"0000644\0" + b"0000000\0" * 2
	block[124:136] = b"%011o\0" % size
	block[136:148] = b"0" * 11 + b"\0"
	block[156:157] = b"0"
	block[257:265] = b"ustar\0" + b"00"
	block[329:345] = b"0000000\0" * 2
	return fix_checksum(block)


def fix_checksum(block):
	block = bytearray(block)
	block[148:156] = b" " * 8
	block[148:156] = b"%06o\0 " % sum(block)
	return bytes(block)


def set_field(offset, data):
	"""An edit of a header: DATA at OFFSET, checksum made right."""
	def edit(block):
		block = bytearray(block)
		block[offset:offset + len(data)] = data
		return fix_checksum(block)
	return edit


def tar(members, edits=None, paddings=None, end=bytes(1024)):
	"""An archive; EDITS changes headers and PADDINGS gives paddings, by member number."""
	out = b""
	for number, (name, data) in enumerate(members):
		block = tar_header(name, len(data))
		if edits and number in edits:
			block = edits[number](block)
		padding = bytes(-len(data) % 512)
		if paddings and number in paddings:
			padding = paddings[number](padding)
		out += block + data + padding
	return out + end


# Frames of RFC 8878, block by block

def raw_block(data):
	return len(data) << 3, data


def rle_block(byte, length):
	return length << 3 | 2, byte


def frame(content_size, blocks, single=True, window=None, flags=0, dict_id=b"",
	  size_bytes=4, tail=b""):
	"""FLAGS is put into the descriptor (4: checksum, 8: reserved, 1 .. 3: dictionary id)."""
	code = {0: 0, 1: 0, 2: 1, 4: 2, 8: 3}[size_bytes]
	out = b"\x28\xb5\x2f\xfd" + bytes([code << 6 | (32 if single else 0) | flags])
	if not single:
		out += bytes([window])
	out += dict_id
	if size_bytes:
		out += (content_size - (256 if size_bytes == 2 else 0)).to_bytes(size_bytes, "little")
	for number, (word, data) in enumerate(blocks):
		out += (word | (number == len(blocks) - 1)).to_bytes(3, "little") + data
	return out + tail


def compress(plain, prefix=b""):
	with tempfile.TemporaryDirectory() as directory:
		paths = [os.path.join(directory, name) for name in ("prefix", "plain")]
		# A prefix that looks like a trained dictionary would be taken for one.
		guard = b"\0" if prefix.startswith(b"\x37\xa4\x30\xec") else b""
		for path, data in zip(paths, (guard + prefix, plain)):
			with open(path, "wb") as file:
				file.write(data)
		args = ["zstd", "-qq", "-12", "--no-check", "-c"]
		if prefix:
			args.append("--patch-from=" + paths[0])
		return subprocess.run(args + [paths[1]], stdout=subprocess.PIPE, check=True).stdout


# Rows and indexes

class Row:
	"""A row with its stored and plain bytes; fields may be changed before packing."""

	def __init__(self, kind, plain, stored=b"", second=0, group=False):
		self.kind, self.plain, self.stored, self.group = kind, plain, stored, group
		self.length = len(plain)
		self.second = len(stored) if kind in (ZSTD, RAW) else second
		self.head = sha256(plain[:4096])[:4] if kind != ZERO else bytes(4)
		self.stored_digest = sha256(stored)[:12] if kind in (ZSTD, RAW) else bytes(12)
		self.digest = sha256(plain)[:16] if kind != ZERO else bytes(16)
		self.reserved = 0

	def pack(self):
		word = self.length | self.kind << 28 | (GROUP if self.group else 0) | self.reserved << 31
		return word.to_bytes(4, "little") + self.second.to_bytes(4, "little") + self.head + \
			self.stored_digest + self.digest


def raw(plain, group=False):
	return Row(RAW, plain, plain, group=group)


def zero(length):
	row = Row(ZERO, b"")
	row.length = length
	return row


def copy_of(rows, number):
	return Row(COPY, rows[number].plain, second=number)


def zstd(plain, prefix=b"", group=False, stored=None):
	return Row(ZSTD, plain, compress(plain, prefix) if stored is None else stored, group=group)


def pack_index(rows, edit_pages=None, edit_table=None):
	pages = []
	plain = stored = 0
	for first in range(0, len(rows), 409):
		part = rows[first:first + 409]
		page = plain.to_bytes(8, "little") + stored.to_bytes(8, "little") + \
			first.to_bytes(4, "little") + len(part).to_bytes(2, "little") + bytes(2)
		pages.append(bytearray(page + b"".join(row.pack() for row in part)))
		plain += sum(row.length for row in part)
		stored += sum(row.second for row in part if row.kind in (ZSTD, RAW))
	if edit_pages:
		edit_pages(pages)
	table = bytearray(b"".join(map(sha256, pages)))
	signed = sha256(table)
	if edit_table:
		edit_table(table, pages)
	return bytes(table) + b"".join(pages), signed.hex()


class Segment:
	def __init__(self, rows, edit_pages=None, edit_table=None):
		self.index, self.index_sha256 = pack_index(rows, edit_pages, edit_table)
		self.data = b"".join(row.stored for row in rows)
		self.rows = rows
		self.size = sum(row.length for row in rows)

	def hash(self, digest):
		for row in self.rows:
			digest.update(row.plain if row.kind != ZERO else bytes(row.length))


class Payload:
	def __init__(self, segments, name="rootfs", kind="rootfs-image", filesystem="raw", prefix=0):
		self.segments = segments
		self.name = name
		digest = hashlib.sha256()
		offset = 0
		listed = []
		for segment in segments:
			segment.hash(digest)
			listed.append({"offset": offset, "size": segment.size,
				       "index-size": len(segment.index),
				       "index-sha256": segment.index_sha256,
				       "data-size": len(segment.data)})
			offset += segment.size
		self.manifest = {"name": name, "kind": kind, "filesystem": filesystem, "size": offset,
				 "sha256": digest.hexdigest(), "prefix": prefix, "segments": listed}

	def members(self):
		for number, segment in enumerate(self.segments):
			stem = "payload/%s/%04d" % (self.name, number)
			yield stem + ".index", segment.index
			yield stem + ".data", segment.data


# Signatures

class Signer:
	def __init__(self, directory, name, algorithm, *options):
		self.path = os.path.join(directory, name)
		self.name, self.algorithm = name, algorithm
		openssl("genpkey", "-out", self.path, *options)
		self.spki = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")
		self.pem = openssl("pkey", "-in", self.path, "-pubout")
		self.id = sha256(self.spki).hex()

	def text(self, manifest, preamble="twinroot-artifact-v1", algorithm=None, key_id=None):
		return ("%s\n%s\n%s\n%s\n" % (preamble, algorithm or self.algorithm, key_id or self.id,
					      hashlib.sha512(manifest).hexdigest())).encode()

	def sign_text(self, text, *options):
		with tempfile.NamedTemporaryFile() as file:
			file.write(text)
			file.flush()
			if self.algorithm == "ed25519":
				return openssl("pkeyutl", "-sign", "-inkey", self.path, "-rawin", "-in",
					       file.name)
			if not options and self.algorithm.startswith("rsa"):
				options = pss_options(32)
			return openssl("dgst", "-" + self.algorithm.rsplit("-", 1)[1], "-sign",
				       self.path, *options, file.name)

	def line(self, manifest, signature=None):
		if signature is None:
			signature = self.sign_text(self.text(manifest))
		return sig_line(self.algorithm, self.id, signature)


def pss_options(salt):
	return ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:%d" % salt,
		"-sigopt", "rsa_mgf1_md:sha256")


def sig_line(algorithm, key_id, signature):
	return b"%s %s %s\n" % (algorithm.encode(), key_id.encode(), base64.b64encode(signature))


def pad_to(data, unit, byte):
	return data + byte * (-len(data) % unit or (unit if not data else 0))


# Whole artifacts

def dump(manifest):
	return json.dumps(manifest, ensure_ascii=False, separators=(",", ":")).encode()


def pad_manifest(text):
	return pad_to(text + b"\n", 4096, b" ")


class Artifact:
	"""A description, changed at will and then built."""

	def __init__(self, payloads, signers, docs=(), **extra):
		self.signers = list(signers)
		self.docs = list(docs)
		self.payloads = payloads
		self.manifest = {"type": "artifact", "format": 1, "name": "demo", "version": "1.0",
				 "created": "2026-01-01T00:00:00Z", "security-counter": 1,
				 "compatible": ["board-a"], "arch": "any"}
		self.manifest.update(extra)
		self.manifest["payloads"] = [copy.deepcopy(p.manifest) for p in payloads]
		if self.docs:
			self.manifest["docs"] = [{"name": name, "size": len(data),
						  "sha256": sha256(data).hex()} for name, data in docs]

	def payload_members(self):
		members = [member for payload in self.payloads for member in payload.members()]
		return members + [("doc/" + name, data) for name, data in self.docs]

	def members(self, manifest=None, lines=None, sig=None):
		if manifest is None:
			manifest = pad_manifest(dump(self.manifest))
		if sig is None:
			if lines is None:
				lines = [signer.line(manifest) for signer in self.signers]
			sig = pad_to(b"".join(lines), 4096, b"\n")
		return [("manifest.json", manifest), ("manifest.sig", sig)] + self.payload_members()

	def build(self, **kw):
		return tar(self.members(**kw))
