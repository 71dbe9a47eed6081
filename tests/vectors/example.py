#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""example.py FORMAT.md VECTORS: what section 17 prints is what the file holds.

The dump must give the whole file again, each digest and each row of the table must be right, and
the commands that verify the signature by hand must do so.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

DUMP = re.compile(r"([0-9a-f]{8})  ((?:[0-9a-f]{2} {1,2}){16}) ?\|(.{16})\|")


def rebuild(section):
	"""The bytes that a dump of hexdump -C stands for."""
	data, repeat = b"", False
	for line in section.splitlines():
		match = DUMP.fullmatch(line)
		end = re.fullmatch(r"[0-9a-f]{8}", line)
		if line == "*":
			repeat = True
		elif match or end:
			offset = int(match[1] if match else line, 16)
			if repeat:
				data += data[-16:] * ((offset - len(data)) // 16)
			repeat = False
			if offset != len(data):
				sys.exit("example.py: a gap before " + line)
			if match:
				row = bytes.fromhex(match[2])
				shown = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
				if shown != match[3]:
					sys.exit("example.py: wrong characters: " + line)
				data += row
	return data


def check_values(section, data):
	manifest = data[512:512 + 4096]
	line = data[0x1400:].split(b"\n", 1)[0].decode().split(" ")
	text = "twinroot-artifact-v1\n%s\n%s\n%s\n" % (line[0], line[1],
						       hashlib.sha512(manifest).hexdigest())
	for due in ("```\n" + text + "```\n", "`%s`" % hashlib.sha256(manifest).hexdigest()):
		if due not in section:
			sys.exit("example.py: section 17 lacks " + due)
	rows = re.findall(r"^\| ([0-9a-f]{4}) \| `([0-9a-f]+)` \|", section, re.M)
	at = 0x2600
	for offset, digits in rows:
		if int(offset, 16) != at or data[at:at + len(digits) // 2].hex() != digits:
			sys.exit("example.py: wrong row of the table: " + offset)
		at += len(digits) // 2
	if at != 0x2600 + 96:
		sys.exit("example.py: the table does not cover the index")


def check_commands(section, vectors):
	commands = re.search(r"^```sh\n(.*?)^```$", section, re.M | re.S)[1]
	with tempfile.TemporaryDirectory() as scratch:
		shutil.copy(os.path.join(vectors, "good-smallest.artifact"), scratch)
		shutil.copytree(os.path.join(vectors, "keys", "one"), os.path.join(scratch, "keys", "one"))
		result = subprocess.run(["sh", "-eu", "-c", commands], cwd=scratch, text=True,
					stdout=subprocess.PIPE, check=False)
	if result.returncode != 0 or result.stdout != "Signature Verified Successfully\n":
		sys.exit("example.py: the commands of section 17 fail")


def main():
	with open(sys.argv[1], encoding="utf-8") as file:
		section = file.read().split("\n## 17. ", 1)[1]
	with open(os.path.join(sys.argv[2], "good-smallest.artifact"), "rb") as file:
		data = file.read()
	if rebuild(section) != data:
		sys.exit("example.py: the dump of section 17 is not the file")
	check_values(section, data)
	check_commands(section, sys.argv[2])
	print("section 17 holds the %d bytes of the file" % len(data))


if __name__ == "__main__":
	main()
