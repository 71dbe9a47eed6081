#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make a valid artifact for a test, without mkartifact: artifact.py OUT [--key PEM]... [--image FILE] ..."""

import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors"))
import kit


class FileSigner(kit.Signer):
	"""An Ed25519 key that is there already."""

	def __init__(self, path):
		self.path, self.algorithm = path, "ed25519"
		self.id = kit.sha256(kit.openssl("pkey", "-in", path, "-pubout", "-outform", "DER")).hex()


def rows_of(image, chunk):
	"""Zero, copy, raw and zstd rows; four chunks to a group, each with the ones before it as its prefix."""
	rows, seen, in_group, history = [], {}, 0, b""
	for at in range(0, len(image), chunk):
		plain = image[at:at + chunk]
		if not any(plain):
			if rows and rows[-1].kind == kit.ZERO:
				rows[-1].length += len(plain)
			else:
				rows.append(kit.zero(len(plain)))
			continue
		if plain in seen:
			rows.append(kit.copy_of(rows, seen[plain]))
			continue
		start = in_group % 4 == 0
		history = b"" if start else history
		row = kit.zstd(plain, history, group=start)
		if len(row.stored) >= len(plain):
			row = kit.raw(plain, group=start)
		in_group += 1
		history += plain
		seen[plain] = len(rows)
		rows.append(row)
	return rows


def test_image(size):
	text = kit.prose("text", size // 2)
	noise = kit.noise("noise", min(size // 8, 262144))
	body = text[:size // 4] + noise + bytes(size // 4) + noise + text
	return body[:size] + bytes(max(0, size - len(body)))


def main():
	p = argparse.ArgumentParser()
	p.add_argument("out")
	p.add_argument("--key", action="append", default=[])
	p.add_argument("--image")
	p.add_argument("--size", type=int, default=1 << 20)
	p.add_argument("--filesystem", default="raw")
	p.add_argument("--chunk", type=int, default=65536)
	p.add_argument("--version", default="1.0")
	p.add_argument("--description")
	p.add_argument("--doc", action="append", default=[])
	a = p.parse_args()
	image = open(a.image, "rb").read() if a.image else test_image(a.size)
	more = {"description": a.description} if a.description else {}
	docs = [(os.path.basename(d), open(d, "rb").read()) for d in a.doc]
	payload = kit.Payload([kit.Segment(rows_of(image, a.chunk))], filesystem=a.filesystem,
			      prefix=4 * a.chunk)
	built = kit.Artifact([payload], [FileSigner(k) for k in a.key], docs, version=a.version, **more)
	with open(a.out, "wb") as f:
		f.write(built.build())


main()
