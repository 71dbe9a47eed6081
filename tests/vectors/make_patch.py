#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the test vectors of patches: `make_patch.py DIRECTORY`; as make.py, a set of their own."""

import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cases_blocks  # noqa: E402
import cases_patch  # noqa: E402
from kit import Signer  # noqa: E402
from make import ERRORS_TSV  # noqa: E402


class Set:
	"""The directory being filled, and the list of what is in it."""

	def __init__(self, directory, scratch):
		self.directory, self.rows = directory, []
		with open(ERRORS_TSV, encoding="ascii") as file:
			self.exits = {line.split("\t")[0]: int(line.split("\t")[1]) for line in file}
		self.exits["ok"] = 0
		make = lambda name: Signer(scratch, name, "ed25519", "-algorithm", "ED25519")
		self.a, self.b, self.stranger = make("a"), make("b"), make("stranger")
		self.write("keys/one/a.pub.pem", self.a.pem)
		for signer in (self.a, self.b):
			self.write("keys/role/%s.pub.pem" % signer.name, signer.pem)
		group = lambda key: [{"group": "g", "threshold": 1, "keys": [key.id]}]
		self.write("keys/role/policy.json", json.dumps({
			"format": 1, "roles": {"artifact": group(self.a), "patch": group(self.b)}}).encode())

	def write(self, name, data):
		path = os.path.join(self.directory, name)
		os.makedirs(os.path.dirname(path), exist_ok=True)
		with open(path, "wb") as file:
			file.write(data)

	def old(self, artifact):
		self.write("old.artifact", artifact.build())

	def add(self, name, error, what, data, keys="one"):
		self.write(name + ".patch", data)
		self.rows.append("\t".join((name + ".patch", "keys/" + keys, str(self.exits[error]), error, what)))

	def finish(self):
		assert len(self.rows) == len({row.split("\t")[0] for row in self.rows})
		self.write("patches.tsv", ("\n".join(self.rows) + "\n").encode())


def main():
	if len(sys.argv) != 2:
		sys.exit("usage: make_patch.py DIRECTORY")
	with tempfile.TemporaryDirectory() as scratch:
		vectors = Set(sys.argv[1], scratch)
		cases_patch.add_all(vectors)
		cases_blocks.add_all(vectors)
		vectors.finish()
	print("%d vectors" % len(vectors.rows))


if __name__ == "__main__":
	main()
