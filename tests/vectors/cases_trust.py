# SPDX-License-Identifier: Apache-2.0
"""Keys and policies: most use the same few artifacts with other trust directories."""

import base64
import json

from kit import openssl, sha256

EC_OID = bytes.fromhex("06072a8648ce3d0201")
P256_OID = bytes.fromhex("06082a8648ce3d030107")


def der(tag, body):
	length = len(body)
	if length < 128:
		return bytes([tag, length]) + body
	size = (length.bit_length() + 7) // 8
	return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + body


def rsa_spki(bits, null=True, leading=b"", tail=b""):
	"""An RSA public key of no known private key: the rules are about its encoding and size."""
	modulus = (1 << bits - 1) | int.from_bytes(sha256(b"modulus"), "big") | 1
	body = b"\0" + leading + modulus.to_bytes((bits + 7) // 8, "big")
	if bits % 8:
		body = body[1:]
	numbers = der(0x30, der(2, body) + der(2, b"\1\0\1"))
	oid = bytes.fromhex("06092a864886f70d010101") + (b"\x05\0" if null else b"")
	return der(0x30, der(0x30, oid) + der(3, b"\0" + numbers)) + tail


def pem(spki, label="PUBLIC KEY"):
	text = base64.encodebytes(spki).decode().replace("\n", "")
	lines = [text[i:i + 64] for i in range(0, len(text), 64)]
	return "\n".join(["-----BEGIN %s-----" % label] + lines + ["-----END %s-----" % label, ""]).encode()


def from_openssl(*options):
	return openssl("pkey", "-pubout", data=openssl("genpkey", *options))


def bad_keys(v):
	a, ec = v.a.pem, v.p256.spki
	x, y = ec[-64:-32], ec[-32:]
	point = lambda data: pem(der(0x30, der(0x30, EC_OID + P256_OID) + der(3, b"\0" + data)))
	odd = bytes([2 + (y[-1] & 1)])
	cases = (
		("ec-compressed", point(odd + x), "a compressed EC point"),
		("ec-hybrid", point(bytes([6 + (y[-1] & 1)]) + x + y), "a hybrid EC point"),
		("ec-not-on-curve", point(b"\4" + x + y[:-1] + bytes([y[-1] ^ 1])),
		 "an EC point that is not on the curve"),
		("ec-explicit", from_openssl("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
					     "-pkeyopt", "ec_param_enc:explicit"),
		 "EC parameters written out"),
		("ec-p521", from_openssl("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"),
		 "a curve that is not registered"),
		("ec-secp256k1", from_openssl("-algorithm", "EC", "-pkeyopt",
					      "ec_paramgen_curve:secp256k1"),
		 "another curve that is not registered"),
		("ed448", from_openssl("-algorithm", "ED448"), "Ed448"),
		("x25519", from_openssl("-algorithm", "X25519"), "a key that cannot sign"),
		("rsa-2048", pem(rsa_spki(2048)), "RSA of 2048 bits"),
		("rsa-3071", pem(rsa_spki(3071)), "RSA of 3071 bits"),
		("rsa-8193", pem(rsa_spki(8193)), "RSA of 8193 bits"),
		("rsa-no-null", pem(rsa_spki(3072, null=False)), "RSA without the NULL parameters"),
		("rsa-long-integer", pem(rsa_spki(3072, leading=b"\0")), "a modulus with a zero too many"),
		("rsa-pss-key", from_openssl("-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:3072"),
		 "the key type id-RSASSA-PSS"),
		("trailing-der", pem(v.a.spki + b"\0"), "a byte after the key inside the PEM"),
		("truncated", pem(v.a.spki[:-1]), "a key with a byte missing"),
		("two-in-one-file", a + v.b.pem, "two keys in one file"),
		("text-before", b"my key\n" + a, "text before the key"),
		("text-after", a + b"my key\n", "text after the key"),
		("certificate", pem(v.a.spki, "CERTIFICATE"), "another kind of PEM block"),
		("der", v.a.spki, "DER, not PEM"), ("empty-file", b"", "an empty file"),
		("no-end-line", a[:a.index(b"-----END")], "a PEM block without its end"))
	for name, data, what in cases:
		v.write("keys/bad-%s/k.pub.pem" % name, data)
		v.add("good-smallest", "key-bad", what, keys="bad-" + name)
	v.put_keys("bad-beside-good", [v.a])
	v.write("keys/bad-beside-good/z.pem", b"")
	v.add("good-smallest", "key-bad", "a bad key beside the good one", keys="bad-beside-good")
	v.write("keys/none/README", b"A trust directory without a key.\n")
	v.add("good-smallest", "key-none", "no key at all", keys="none")
	v.put_keys("twice", [v.a])
	v.write("keys/twice/again.pem", b"\n" + a + b"\n\n")
	v.add("good-smallest", "ok", "the same key in two files, white space around it", keys="twice")
	v.put_keys("stranger", [v.stranger])
	v.add("good-smallest", "sig-untrusted", "signed, but not by a key of the device", keys="stranger")
	v.add("good-four-signatures", "sig-untrusted", "four signatures, none by a key of the device",
	      keys="stranger")


def group(threshold, *signers, name="release"):
	return {"group": name, "threshold": threshold, "keys": [s if isinstance(s, str) else s.id
								for s in signers]}


def policy(artifact, **more):
	out = {"format": 1, "roles": {"artifact": artifact}}
	roles = more.pop("roles", {})
	out["roles"].update(roles)
	out.update({key.replace("_", "-"): value for key, value in more.items()})
	return json.dumps(out, indent=2).encode() + b"\n"


def thresholds(v):
	art = v.base()
	manifest = art.members()[0][1]
	lines = {s.name: s.line(manifest) for s in (v.a, v.b, v.c, v.p256, v.stranger)}
	build = lambda *names: art.build(lines=[lines[name] for name in names])
	v.add("signed-a-b", "ok", "two signatures, either key is enough", build("a", "b"))
	v.put_keys("two-of-three", [v.a, v.b, v.c], policy([group(2, v.a, v.b, v.c)]))
	v.add("signed-a-b", "ok", "2 of 3", keys="two-of-three")
	v.add("good-smallest", "sig-threshold", "1 of 2", keys="two-of-three")
	v.add("signed-a-twice", "sig-threshold", "the same key twice is one of 2", build("a", "a"),
	      keys="two-of-three")
	v.add("signed-a-stranger", "sig-threshold", "a stranger does not count", build("a", "stranger"),
	      keys="two-of-three")
	v.add("signed-a-b-invalid", "sig-threshold", "an invalid signature does not count",
	      art.build(lines=[lines["a"], v.b.line(manifest, bytes(64))]), keys="two-of-three")
	v.put_keys("two-groups", [v.a, v.b, v.p256],
		   policy([group(1, v.a, v.b), group(1, v.p256, name="second")]))
	v.add("signed-a-p256", "ok", "both groups met", build("a", "p256"), keys="two-groups")
	v.add("signed-a-b", "sig-threshold", "the second group is not met", keys="two-groups")
	v.put_keys("key-in-two-groups", [v.a], policy([group(1, v.a), group(1, v.a, name="second")]))
	v.add("good-smallest", "ok", "one key counts in each group that lists it",
	      keys="key-in-two-groups")
	v.put_keys("other-role", [v.a, v.b], policy([group(1, v.b)], roles={"patch": [group(1, v.a)]}))
	v.add("good-smallest", "sig-threshold", "a key for patches signs no artifact", keys="other-role")
	v.put_keys("empty-role", [v.a], policy([]))
	v.add("good-smallest", "sig-threshold", "an artifact role without groups is never met",
	      keys="empty-role")
	v.put_keys("test-role", [v.a, v.b], policy([group(1, v.b)], roles={"test": [group(1, v.a)]}))
	v.add("good-smallest", "key-test", "signed by a test key only", keys="test-role")
	v.add("signed-a-b", "ok", "signed by a test key and an artifact key", keys="test-role")
	v.put_keys("test-role-two", [v.a, v.b, v.c],
		   policy([group(1, v.b)], roles={"test": [group(2, v.a, v.c)]}))
	v.add("good-smallest", "sig-threshold", "one test key of two", keys="test-role-two")


def revoked(v):
	v.put_keys("revoked-key", [v.a, v.b], policy([group(1, v.a, v.b)], revoked_keys=[v.a.id]))
	v.add("good-smallest", "sig-untrusted", "signed by a revoked key", keys="revoked-key")
	v.add("signed-a-b", "ok", "signed by a revoked key and another", keys="revoked-key")
	v.put_keys("revoked-absent", [v.b], policy([group(1, v.a, v.b)], revoked_keys=[v.a.id]))
	v.add("signed-a-b", "ok", "the file of a revoked key may be gone", keys="revoked-absent")
	v.put_keys("revoked-two-of-two", [v.a, v.b], policy([group(2, v.a, v.b)], revoked_keys=[v.a.id]))
	v.add("signed-a-b", "sig-threshold", "a revoked key does not count", keys="revoked-two-of-two")
	digest = sha256(v.base().members()[0][1]).hex()
	v.put_keys("revoked-artifact", [v.a], policy([group(1, v.a)], revoked_artifacts=[digest]))
	v.add("good-smallest", "artifact-revoked", "a revoked artifact", keys="revoked-artifact")
	v.add("good-raw", "ok", "another artifact than the revoked one", keys="revoked-artifact")
	v.put_keys("revoked-stranger", [v.b], policy([group(1, v.b)], revoked_artifacts=[digest]))
	v.add("good-smallest", "artifact-revoked", "revoked, whoever signed it", keys="revoked-stranger")
	v.add("sig-none", "sig-none", "unsigned comes before revoked", keys="revoked-artifact")


def bad_policies(v):
	one = group(1, v.a)
	right = policy([one])
	text = lambda old, new: right.replace(old, new)
	cases = (
		("not-json", b"artifact = a\n", "not JSON"), ("empty", b"", "an empty file"),
		("array", b"[]", "an array"), ("bytes-after", right + b"{}", "bytes after the object"),
		("duplicate-key", text(b'"format": 1', b'"format": 1, "format": 1'), "a key twice"),
		("bom", b"\xef\xbb\xbf" + right, "a byte-order mark"),
		("format-2", text(b'"format": 1', b'"format": 2'), "another format"),
		("no-format", text(b'"format": 1,', b""), "no format"),
		("no-roles", b'{"format": 1}', "no roles"),
		("no-artifact-role", b'{"format": 1, "roles": {"patch": []}}', "no artifact role"),
		("unknown-key", policy([one], more=1), "an unknown key"),
		("unknown-role", policy([one], roles={"root": [one]}), "an unknown role"),
		("unknown-group-key", policy([dict(one, note="x")]), "an unknown key in a group"),
		("threshold-0", policy([group(0, v.a)]), "threshold 0"),
		("threshold-2-of-1", policy([group(2, v.a)]), "threshold above the number of keys"),
		("threshold-text", policy([dict(one, threshold="1")]), "threshold as text"),
		("threshold-float", text(b'"threshold": 1', b'"threshold": 1.0'), "threshold as a fraction"),
		("no-threshold", policy([{"group": "g", "keys": [v.a.id]}]), "no threshold"),
		("key-twice", policy([group(2, v.a, v.a)]), "a key twice in a group"),
		("key-absent", policy([group(1, v.a, v.b)]), "a key id without a key file"),
		("key-uppercase", policy([group(1, v.a.id.upper())]), "a key id in upper case"),
		("key-short", policy([group(1, v.a.id[:-2])]), "a short key id"),
		("no-keys", policy([group(1)]), "a group without keys"),
		("revoked-not-list", policy([one], revoked_keys=v.b.id), "revoked-keys is no list"),
		("revoked-short", policy([one], revoked_artifacts=["00"]), "a short artifact digest"))
	for name, data, what in cases:
		v.put_keys("policy-" + name, [v.a], data)
		v.add("good-smallest", "policy-bad", what, keys="policy-" + name)


def add_all(v):
	bad_keys(v)
	thresholds(v)
	revoked(v)
	bad_policies(v)
