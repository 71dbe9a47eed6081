# SPDX-License-Identifier: Apache-2.0
"""The second reader (see twinroot_reader.py): sections 3 and 13, JSON, manifest, versions and ranges."""

import calendar
import json
import re

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
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


# Section 7: how many rows an index of a size has, which the manifest must agree with.

PAGE, ROWS, HEADER, ROW = 16384, 409, 24, 40


def index_rows(size):
	"""(pages, rows) of an index member of SIZE bytes."""
	pages = max(1, -(-size // (32 + PAGE)))
	last = size - 32 * pages - PAGE * (pages - 1)
	need(pages <= 127 and last >= HEADER + ROW and (last - HEADER) % ROW == 0, "index-size",
	     "index size %d" % size)
	return pages, (pages - 1) * ROWS + (last - HEADER) // ROW


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
