# SPDX-License-Identifier: Apache-2.0
"""The second reader (see twinroot_reader.py): sections 4 and 5, keys, signatures and the trust policy of a device."""

import base64
import binascii
import hashlib
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from twinroot_manifest import DIGEST, Fault, integer, json_object, listed, need, text_of  # noqa: E402

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
