#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the test vectors of the format: `make.py DIRECTORY`.

All inputs are fixed, but the keys are made anew and thrown away, so every run gives other
signatures and key ids (and, with another zstd, other stored bytes). The set in
format-spec/vectors was made once; making it again is only needed when the format changes.
Each vector breaks one rule; checksums, digests and signatures around the fault are right.
"""

import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cases_data  # noqa: E402
import cases_envelope  # noqa: E402
import cases_good  # noqa: E402
import cases_manifest  # noqa: E402
import cases_trust  # noqa: E402
from kit import Artifact, Payload, Segment, Signer, openssl, raw, prose  # noqa: E402

ERRORS_TSV = os.path.join(os.path.dirname(os.path.abspath(__file__)),
			  "..", "..", "format-spec", "errors.tsv")


class Set:
	"""The directory being filled, and the list of what is in it."""

	def __init__(self, directory, scratch):
		self.directory, self.scratch = directory, scratch
		self.rows, self.known = [], set()
		self.exits = {"ok": 0}
		with open(ERRORS_TSV, encoding="ascii") as file:
			for line in file:
				name, code, _ = line.split("\t")
				self.exits[name] = int(code)
		ec = lambda curve: ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve,
				    "-pkeyopt", "ec_param_enc:named_curve")
		rsa = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072")
		make = lambda name, algorithm, *options: Signer(scratch, name, algorithm, *options)
		self.a = make("a", "ed25519", "-algorithm", "ED25519")
		self.b = make("b", "ed25519", "-algorithm", "ED25519")
		self.c = make("c", "ed25519", "-algorithm", "ED25519")
		self.stranger = make("stranger", "ed25519", "-algorithm", "ED25519")
		self.p256 = make("p256", "ecdsa-p256-sha256", *ec("P-256"))
		self.p384 = make("p384", "ecdsa-p384-sha384", *ec("P-384"))
		self.rsa = make("rsa", "rsa-pss-sha256", *rsa)
		self.put_keys("one", [self.a])
		self.put_keys("four", [self.a, self.p256, self.p384, self.rsa])

	def write(self, name, data):
		path = os.path.join(self.directory, name)
		os.makedirs(os.path.dirname(path), exist_ok=True)
		with open(path, "wb") as file:
			file.write(data)

	def put_keys(self, directory, signers, policy=None):
		for signer in signers:
			self.write("keys/%s/%s.pub.pem" % (directory, signer.name), signer.pem)
		if policy is not None:
			self.write("keys/%s/policy.json" % directory, policy)

	def add(self, name, error, what, data=None, keys="one", device="-"):
		"""A vector. Without DATA it uses an artifact that is there already."""
		if data is not None:
			assert name not in self.known, name
			self.known.add(name)
			self.write(name + ".artifact", data)
		assert name in self.known, name
		self.rows.append("\t".join((name + ".artifact", "keys/" + keys,
					    device if device == "-" else "devices/%s.json" % device,
					    str(self.exits[error]), error, what)))

	def base(self, **extra):
		"""The smallest artifact: one raw row of 512 bytes."""
		return Artifact([Payload([Segment([raw(prose("smallest", 512), group=True)])])],
				[self.a], **extra)

	def finish(self):
		assert len(self.rows) == len(set(self.rows))
		self.write("vectors.tsv", ("\n".join(self.rows) + "\n").encode())


def main():
	if len(sys.argv) != 2:
		sys.exit("usage: make.py DIRECTORY")
	with tempfile.TemporaryDirectory() as scratch:
		vectors = Set(sys.argv[1], scratch)
		for cases in (cases_good, cases_envelope, cases_trust, cases_manifest, cases_data):
			cases.add_all(vectors)
		vectors.finish()
	print("%d vectors" % len(vectors.rows))


if __name__ == "__main__":
	main()
