#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second reader of artifact format 1, written from format-spec/format.md alone.

It shares no code with libartifact, so that the two can be compared: whatever one accepts and
the other refuses is a fault in one of them or in the text. Python's standard library judges
everything but signatures (`openssl`) and zstd frames (`zstd`). It is made to be read beside the
text, section by section, and not to be fast.
"""

import argparse
import base64
import binascii
import calendar
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

ERRORS_TSV = os.path.join(os.path.dirname(os.path.abspath(__file__)),
			  "..", "..", "format-spec", "errors.tsv")
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SIG_ALGORITHMS = ("ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha256",
		  "ml-dsa-65", "ml-dsa-87")
ARCHS = ("x86_64 i386 aarch64 armhf armel riscv64 riscv32 ppc64le ppc64 mips mipsel mips64 "
	 "mips64el s390x loongarch64 any").split()
FEATURES = ()  # section 12.2: none yet


class Fault(Exception):
	"""The first fault found: a stable name of errors.tsv, and a text for people."""

	def __init__(self, name, text):
		super().__init__(text)
		self.name = name


def need(condition, name, text):
	if not condition:
		raise Fault(name, text)


# Section 3: the JSON rules, which the trust policy shares.

def json_depth(text):
	"""Deepest nesting of a JSON text; the parser has not seen it yet."""
	depth = deepest = 0
	in_string = escaped = False
	for char in text:
		if in_string:
			if escaped:
				escaped = False
			elif char == "\\":
				escaped = True
			elif char == '"':
				in_string = False
		elif char == '"':
			in_string = True
		elif char in "[{":
			depth += 1
			deepest = max(deepest, depth)
		elif char in "]}":
			depth -= 1
	return deepest


def json_object(data, fault):
	"""The object at the start of DATA, and the characters that follow it."""
	def pairs(items):
		keys = [key for key, _ in items]
		need(len(keys) == len(set(keys)), fault, "duplicate key")
		for key in keys:
			string(key)
		return dict(items)

	def string(value):
		need("\0" not in value, fault, "NUL in a string")
		need(not any("\ud800" <= c <= "\udfff" for c in value), fault, "lone surrogate")

	def number(digits):
		need(digits.isdigit() and len(digits) <= 16 and int(digits) < 1 << 53, fault,
		     "number is not an integer in 0 .. 2^53-1")
		return int(digits)

	def refuse(text):
		raise Fault(fault, "number is not an integer: '%s'" % text)

	def strings(value):
		if isinstance(value, str):
			string(value)
		elif isinstance(value, list):
			for item in value:
				strings(item)
		elif isinstance(value, dict):
			for item in value.values():
				strings(item)

	try:
		text = data.decode("utf-8")
	except UnicodeDecodeError:
		raise Fault(fault, "not UTF-8") from None
	need(text.startswith("{"), fault, "does not begin with an object")
	need(json_depth(text) <= 16, fault, "nesting deeper than 16")
	decoder = json.JSONDecoder(object_pairs_hook=pairs, parse_int=number,
				   parse_float=refuse, parse_constant=refuse)
	try:
		value, end = decoder.raw_decode(text)
	except (ValueError, RecursionError) as error:
		raise Fault(fault, "not JSON: %s" % error) from None
	strings(value)
	return value, text[end:]


# Section 13: versions and ranges.

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~-]{0,63}")


def is_version(text):
	return bool(VERSION.fullmatch(text)) and ".." not in text and not text.endswith(".")


def compare_part(a, b):
	def order(char):
		if char == "~":
			return -1
		if char == "" or char.isdigit():
			return 0
		return ord(char) if char.isalpha() else ord(char) + 256

	i = j = 0
	while i < len(a) or j < len(b):
		while (i < len(a) and not a[i].isdigit()) or (j < len(b) and not b[j].isdigit()):
			left, right = order(a[i:i + 1]), order(b[j:j + 1])
			if left != right:
				return -1 if left < right else 1
			i, j = i + 1, j + 1
		left, right = (re.match(r"\d*", s).group() for s in (a[i:], b[j:]))
		i, j = i + len(left), j + len(right)
		if int(left or 0) != int(right or 0):
			return -1 if int(left or 0) < int(right or 0) else 1
	return 0


def compare_versions(a, b):
	def parts(version):
		upstream, dash, revision = version.rpartition("-")
		return (upstream, revision) if dash else (version, "")

	(a_up, a_rev), (b_up, b_rev) = parts(a), parts(b)
	return compare_part(a_up, b_up) or compare_part(a_rev, b_rev)


def parse_range(text):
	"""(low, high), either None where it is open; None when TEXT is no range."""
	low, dots, high = text.partition("..")
	if not dots:
		high = low
	if (low == "" and high == "") or (low and not is_version(low)) or \
	   (high and not is_version(high)) or (not dots and not low):
		return None
	if low and high and compare_versions(low, high) > 0:
		return None
	return low or None, high or None


def in_range(version, text):
	low, high = parse_range(text)
	return (low is None or compare_versions(version, low) >= 0) and \
		(high is None or compare_versions(version, high) <= 0)


# Section 3: what each key may hold. A rule takes a value and says whether it is allowed.

def matches(pattern):
	compiled = re.compile(pattern)
	return lambda v: isinstance(v, str) and bool(compiled.fullmatch(v))


def integer(low, high):
	return lambda v: type(v) is int and low <= v <= high


def listed(rule, low, high):
	return lambda v: isinstance(v, list) and low <= len(v) <= high and all(map(rule, v))


def mapping(key_pattern, rule):
	key_rule = matches(key_pattern)
	return lambda v: isinstance(v, dict) and len(v) <= 64 and \
		all(key_rule(k) and rule(x) for k, x in v.items())


def text_of(low, high):
	return lambda v: isinstance(v, str) and low <= len(v.encode()) <= high


def is_date(value):
	match = isinstance(value, str) and re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", value)
	if not match:
		return False
	year, month, day = map(int, match.groups())
	return year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def is_time(value):
	match = isinstance(value, str) and \
		re.fullmatch(r"(.{10})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z", value)
	return bool(match) and is_date(match[1]) and int(match[2]) < 24 and \
		int(match[3]) < 60 and int(match[4]) < 60


def is_ext(value):
	if not isinstance(value, dict):
		return False
	compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
	return len(compact.encode()) <= 16 * KIB


def is_kind(value):
	need(not isinstance(value, str) or value in ("rootfs-image", "boot-image"),
	     "kind-unknown", "payload kind '%s'" % value)
	return isinstance(value, str)


def version_rule(value):
	return isinstance(value, str) and is_version(value)


def range_rule(value):
	return isinstance(value, str) and parse_range(value) is not None


def judge_object(obj, rules, where):
	for key in obj:
		need(key in rules, "manifest-key", "unknown key '%s' in %s" % (key, where))
	for key, (required, _) in rules.items():
		need(key in obj or not required, "manifest-missing", "no '%s' in %s" % (key, where))
	for key, (_, rule) in rules.items():
		need(key not in obj or rule(obj[key]), "manifest-value",
		     "bad '%s' in %s" % (key, where))
	return True


DIGEST = matches(r"[0-9a-f]{64}")
FILE_NAME = matches(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def objects(rules, low, high, where, whole=lambda item: True):
	"""A list of objects, each judged key by key and then as a WHOLE."""
	def judge(value):
		if not isinstance(value, list) or not low <= len(value) <= high:
			return False
		return all(isinstance(v, dict) and judge_object(v, rules, where) and whole(v)
			   for v in value)
	return judge


def named(rules, low, high, where, whole=lambda item: True):
	"""The same, and no two of one name."""
	judge = objects(rules, low, high, where, whole)
	return lambda v: judge(v) and len({item["name"] for item in v}) == len(v)


def is_index_size(value):
	return integer(0, 1 << 53)(value) and bool(index_rows(value))


def judge_segments(payload):
	offset = 0
	last = len(payload["segments"]) - 1
	for number, segment in enumerate(payload["segments"]):
		need(segment["offset"] == offset and (number == last or segment["size"] == GIB),
		     "manifest-value", "segment %d does not follow the one before" % number)
		offset += segment["size"]
	return offset == payload["size"]


SEGMENT = {  # key: (required, rule)
	"offset": (True, integer(0, 1 << 46)),
	"size": (True, integer(1, GIB)),
	"index-size": (True, is_index_size),
	"index-sha256": (True, DIGEST),
	"data-size": (True, integer(0, GIB)),
}
PAYLOAD = {
	"name": (True, matches(r"[a-z][a-z0-9-]{0,31}")),
	"kind": (True, is_kind),
	"filesystem": (True, lambda v: v in ("ext4", "squashfs", "erofs", "vfat", "raw")),
	"size": (True, lambda v: integer(1, 1 << 46)(v) and v % 512 == 0),
	"sha256": (True, DIGEST),
	"prefix": (True, integer(0, MIB)),
	"segments": (True, objects(SEGMENT, 1, 10000, "a segment")),
	"ext": (False, is_ext),
}
DOC = {
	"name": (True, FILE_NAME),
	"size": (True, integer(0, 64 * MIB)),
	"sha256": (True, DIGEST),
}
ADVISORY = {
	"url": (True, text_of(0, 512)),
	"ids": (False, listed(text_of(1, 64), 0, 64)),
}
TOP = {
	"type": (True, lambda v: v == "artifact"),
	"format": (True, integer(0, 1 << 53)),
	"name": (True, FILE_NAME),
	"version": (True, version_rule),
	"created": (True, is_time),
	"security-counter": (True, integer(0, (1 << 32) - 1)),
	"compatible": (True, listed(matches(r"[A-Za-z0-9._,+-]{1,64}"), 1, 64)),
	"hardware": (False, listed(range_rule, 1, 64)),
	"arch": (True, lambda v: v in ARCHS),
	"requires": (False, mapping(r"[a-z0-9._-]{1,64}", range_rule)),
	"provides": (False, mapping(r"[a-z0-9._-]{1,64}", version_rule)),
	"features": (False, listed(matches(r"[a-z0-9-]{1,32}"), 0, 32)),
	"payloads": (True, named(PAYLOAD, 1, 8, "a payload", judge_segments)),
	"docs": (False, named(DOC, 0, 16, "a document")),
	"description": (False, text_of(0, 4096)),
	"security": (False, lambda v: isinstance(v, bool)),
	"advisory": (False, lambda v: isinstance(v, dict) and
		     judge_object(v, ADVISORY, "the advisory")),
	"support-until": (False, is_date),
	"ext": (False, is_ext),
}


def parse_manifest(data, top=None):
	rules = top or TOP
	manifest, rest = json_object(data, "manifest-syntax")
	need(rest.startswith("\n") and not rest[1:].strip(" "), "manifest-syntax",
	     "not one LF and then spaces after the object")
	# These say whether the rest can be understood at all.
	for key in ("type", "format", "features"):
		if key in manifest:
			need(rules[key][1](manifest[key]), "manifest-value", "bad '%s'" % key)
		else:
			need(not rules[key][0], "manifest-missing", "no '%s'" % key)
		if key == "format":
			need(manifest[key] == 1, "format-version", "format %d" % manifest[key])
	for feature in manifest.get("features", []):
		need(feature in FEATURES, "feature-unknown", "feature '%s'" % feature)
	judge_object(manifest, rules, "the manifest")
	return manifest


# Section 4: keys and signatures.

EC_KEYS = {
	"ecdsa-p256-sha256": ("3059301306072a8648ce3d020106082a8648ce3d030107034200" "04", 64),
	"ecdsa-p384-sha384": ("3076301006072a8648ce3d020106052b81040022036200" "04", 96),
	"ed25519": ("302a300506032b6570032100", 32),
	"ml-dsa-65": ("308207b2300b0609608648016503040312038207a100", 1952),
	"ml-dsa-87": ("30820a32300b060960864801650304031303820a2100", 2592),
}


def der_item(data, tag):
	"""The content of the DER item that DATA begins with, and what follows it."""
	if len(data) < 2 or data[0] != tag:
		raise ValueError
	length, at = data[1], 2
	if length & 0x80:
		count = length & 0x7f
		length, at = int.from_bytes(data[2:2 + count], "big"), 2 + count
		if count == 0 or len(data) < at or length < 128 or data[2] == 0:
			raise ValueError
	if at + length > len(data):
		raise ValueError
	return data[at:at + length], data[at + length:]


def rsa_modulus_bits(spki):
	"""Bits of the modulus of a canonical rsaEncryption key; ValueError for anything else."""
	def integer_item(data):
		value, rest = der_item(data, 0x02)
		if not value or value[0] & 0x80 or (len(value) > 1 and value[0] == 0 and value[1] < 128):
			raise ValueError
		return int.from_bytes(value, "big"), rest

	body, rest = der_item(spki, 0x30)
	prefix = bytes.fromhex("300d06092a864886f70d0101010500")
	if rest or not body.startswith(prefix):
		raise ValueError
	bits, rest = der_item(body[len(prefix):], 0x03)
	if rest or bits[:1] != b"\0":
		raise ValueError
	numbers, rest = der_item(bits[1:], 0x30)
	modulus, tail = integer_item(numbers)
	_, tail = integer_item(tail)
	if rest or tail:
		raise ValueError
	return modulus.bit_length()


def key_algorithm(spki):
	for name, (prefix, length) in EC_KEYS.items():
		prefix = bytes.fromhex(prefix)
		if spki.startswith(prefix) and len(spki) == len(prefix) + length:
			return name
	try:
		bits = rsa_modulus_bits(spki)
	except ValueError:
		return None
	return "rsa-pss-sha256" if 3072 <= bits <= 8192 else None


PEM = re.compile(rb"\s*-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]+)"
		 rb"-----END PUBLIC KEY-----\s*")


def run(args, data=None):
	return subprocess.run(args, input=data, stdout=subprocess.PIPE,
			      stderr=subprocess.DEVNULL, check=False)


def load_key(path):
	"""(key id, algorithm, path)"""
	with open(path, "rb") as file:
		match = PEM.fullmatch(file.read())
	need(match, "key-bad", "'%s' is not one PEM public key" % path)
	try:
		spki = base64.b64decode(b"".join(match[1].split()), validate=True)
	except binascii.Error:
		raise Fault("key-bad", "'%s' is not base64" % path) from None
	algorithm = key_algorithm(spki)
	need(algorithm, "key-bad", "'%s' has a key that is not allowed" % path)
	# The library may still find that the point is not on the curve.
	again = run(["openssl", "pkey", "-pubin", "-in", path, "-outform", "DER"])
	need(again.returncode == 0 and again.stdout == spki, "key-bad", "cannot use '%s'" % path)
	return hashlib.sha256(spki).hexdigest(), algorithm, path


ROLES = ("artifact", "patch", "downgrade-permit", "test")


class Trust:
	"""Section 5: the keys, and for each role its groups as (threshold, key ids)."""

	def __init__(self, directory):
		self.keys = {}
		names = sorted(name for name in os.listdir(directory) if name.endswith(".pem"))
		for name in names:
			key = load_key(os.path.join(directory, name))
			self.keys[key[0]] = key
		need(self.keys, "key-none", "no key in '%s'" % directory)
		self.roles = {role: [(1, list(self.keys))] for role in ("artifact", "patch")}
		self.revoked_keys = []
		self.revoked_artifacts = []
		try:
			with open(os.path.join(directory, "policy.json"), "rb") as file:
				self.load_policy(file.read())
		except FileNotFoundError:
			pass

	def load_policy(self, data):
		def check(condition, text):
			need(condition, "policy-bad", text)

		policy, rest = json_object(data.lstrip(b" \t\r\n"), "policy-bad")
		check(not rest.strip(" \t\r\n"), "bytes after the object")
		check(set(policy) <= {"format", "roles", "revoked-keys", "revoked-artifacts"},
		      "unknown key")
		check(policy.get("format") == 1 and type(policy["format"]) is int, "format")
		for key in ("revoked-keys", "revoked-artifacts"):
			check(listed(DIGEST, 0, sys.maxsize)(policy.get(key, [])), key)
		self.revoked_keys = policy.get("revoked-keys", [])
		self.revoked_artifacts = policy.get("revoked-artifacts", [])
		roles = policy.get("roles")
		check(isinstance(roles, dict) and set(roles) <= set(ROLES), "roles")
		check("artifact" in roles, "no artifact role")
		self.roles = {}
		for role, groups in roles.items():
			check(isinstance(groups, list), "groups of '%s'" % role)
			self.roles[role] = [self.load_group(group, check) for group in groups]

	def load_group(self, group, check):
		check(isinstance(group, dict) and set(group) == {"group", "threshold", "keys"},
		      "group")
		keys = group["keys"]
		check(text_of(1, 64)(group["group"]), "group name")
		check(listed(DIGEST, 0, sys.maxsize)(keys), "keys of a group")
		check(len(keys) == len(set(keys)), "a key twice in a group")
		check(integer(1, len(keys))(group["threshold"]), "threshold")
		for key in keys:
			check(key in self.keys or key in self.revoked_keys, "key id without a key")
		return group["threshold"], keys

	def met(self, role, valid):
		groups = self.roles.get(role, [])
		return bool(groups) and all(sum(key in valid for key in keys) >= threshold
					    for threshold, keys in groups)


def parse_signatures(data):
	lines = data.split(b"\n")
	need(lines.pop() == b"", "sig-syntax", "does not end with LF")
	while lines and lines[-1] == b"":
		lines.pop()
	need(len(lines) <= 32, "sig-syntax", "more than 32 lines")
	signatures = []
	for line in lines:
		match = re.fullmatch(rb"([a-z0-9-]{1,32}) ([0-9a-f]{64}) ([A-Za-z0-9+/]+={0,2})", line)
		need(match, "sig-syntax", "bad line")
		try:
			signature = base64.b64decode(match[3], validate=True)
		except binascii.Error:
			raise Fault("sig-syntax", "bad base64") from None
		need(base64.b64encode(signature) == match[3] and 1 <= len(signature) <= 8192,
		     "sig-syntax", "base64 is not canonical, or its length is not allowed")
		signatures.append((match[1].decode(), match[2].decode(), signature))
	return signatures


def signed_text(role, algorithm, key_id, manifest):
	return ("twinroot-%s-v1\n%s\n%s\n%s\n" %
		(role, algorithm, key_id, hashlib.sha512(manifest).hexdigest())).encode()


def signature_verifies(key, text, signature):
	_, algorithm, path = key
	with tempfile.TemporaryDirectory() as directory:
		text_path, sig_path = (os.path.join(directory, name) for name in ("t", "s"))
		for file_path, data in ((text_path, text), (sig_path, signature)):
			with open(file_path, "wb") as file:
				file.write(data)
		if algorithm == "ed25519" or algorithm.startswith("ml-dsa"):
			args = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", path, "-rawin",
				"-in", text_path, "-sigfile", sig_path]
		else:
			args = ["openssl", "dgst", "-" + algorithm.rsplit("-", 1)[1], "-verify", path]
			if algorithm.startswith("rsa"):
				args += ["-sigopt", "rsa_padding_mode:pss", "-sigopt",
					 "rsa_pss_saltlen:32", "-sigopt", "rsa_mgf1_md:sha256"]
			args += ["-signature", sig_path, text_path]
		return run(args).returncode == 0


def judge_signatures(trust, manifest, sig_member, role="artifact"):
	signatures = parse_signatures(sig_member)
	need(signatures, "sig-none", "unsigned")
	digest = hashlib.sha256(manifest).hexdigest()
	need(digest not in trust.revoked_artifacts, "artifact-revoked", "revoked: %s" % digest)
	known, valid = False, set()
	for algorithm, key_id, signature in signatures:
		if key_id not in trust.keys or key_id in trust.revoked_keys:
			continue
		known = True
		key = trust.keys[key_id]
		if algorithm == key[1] and signature_verifies(
				key, signed_text(role, algorithm, key_id, manifest), signature):
			valid.add(key_id)
	if trust.met(role, valid):
		return
	need(not trust.met("test", valid), "key-test", "only test keys signed")
	need(known, "sig-untrusted", "no line is of a known key")
	need(valid, "sig-invalid", "no line of a known key verifies")
	raise Fault("sig-threshold", "too few valid signatures")


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

PAGE, ROWS, HEADER, ROW = 16384, 409, 24, 40
ZSTD, RAW, ZERO, COPY = range(4)


def index_rows(size):
	"""(pages, rows) of an index member of SIZE bytes."""
	pages = max(1, -(-size // (32 + PAGE)))
	last = size - 32 * pages - PAGE * (pages - 1)
	need(pages <= 127 and last >= HEADER + ROW and (last - HEADER) % ROW == 0, "index-size",
	     "index size %d" % size)
	return pages, (pages - 1) * ROWS + (last - HEADER) // ROW


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
