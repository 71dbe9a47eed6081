#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ask readers about every patch vector: `run_patch.py VECTORS [--inspect I] [--reader]`."""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "reader"))

import twinroot_patch  # noqa: E402
import twinroot_reader  # noqa: E402

CODES = dict(twinroot_reader.exit_codes(), ok=0)


def ask_reader(old, path, keys):
	name, text = twinroot_patch.judge(path, old, keys)
	return CODES[name], name, text


def ask_inspect(program, old, path, keys, piped):
	with open(path, "rb") as file:
		result = subprocess.run([program, "verify", "--json", "--keys", keys, "--old", old,
					 "-" if piped else path], stdin=file if piped else None,
					stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
	try:
		name = "ok" if result.returncode == 0 else json.loads(result.stdout)["error"]["name"]
	except (ValueError, KeyError, TypeError):
		name = "no JSON: " + result.stdout.decode(errors="replace")[:200]
	return result.returncode, name, result.stderr.decode().strip()


# What the schema cannot say: it is about more than one value.
JOINT = {"manifest-segments.patch", "manifest-twice.patch"}


def judge_schema(directory, lines):
	"""patch.schema.json says of every patch.json what the readers say of its form."""
	try:
		import jsonschema
	except ImportError:
		print("python3-jsonschema is not installed: patch.schema.json is not compared")
		return 0
	with open(os.path.join(HERE, "..", "..", "format-spec", "patch.schema.json"), encoding="utf-8") as file:
		schema = jsonschema.Draft202012Validator(json.load(file))
	faults = 0
	for line in lines:
		name, error = line.split("\t")[0], line.split("\t")[3]
		with open(os.path.join(directory, name), "rb") as file:
			head = file.read(512)
			valid = schema.is_valid(json.loads(file.read(int(head[124:135], 8))))
		if valid != (error != "format-version" and not error.startswith("manifest-") or name in JOINT):
			faults += 1
			print("FAIL schema: %s is %svalid, and %s" % (name, "" if valid else "not ", error))
	return faults


def main():
	parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
	parser.add_argument("vectors")
	parser.add_argument("--inspect")
	parser.add_argument("--reader", action="store_true")
	args = parser.parse_args()
	old = os.path.join(args.vectors, "old.artifact")
	readers = []
	if args.reader:
		readers.append(("reader", ask_reader))
	if args.inspect:
		readers.append(("artifact-inspect", lambda *v: ask_inspect(args.inspect, *v, False)))
		readers.append(("artifact-inspect, from a pipe", lambda *v: ask_inspect(args.inspect, *v, True)))

	def ask(line):
		name, keys, code, error, what = line.rstrip("\n").split("\t")
		faults = 0
		for reader, question in readers:
			got = question(old, os.path.join(args.vectors, name), os.path.join(args.vectors, keys))
			piped = "pipe" in reader and error in ("tar-truncated", "tar-trailing")
			if got[0] != int(code) or got[1] != error and not piped:
				faults += 1
				print("FAIL %s: %s (%s)\n  due %s %s, got %d %s: %s" % (reader, name, what, code, error,
										    *got))
		return faults

	with open(os.path.join(args.vectors, "patches.tsv"), encoding="utf-8") as file:
		lines = file.readlines()
	if not readers or not lines:
		sys.exit("run_patch.py: no reader or no vector")
	with ThreadPoolExecutor(2) as pool:
		faults = sum(pool.map(ask, lines)) + judge_schema(args.vectors, lines)
	errors = [line.split("\t")[3] for line in lines]
	print("%d patches, %d good and %d hostile with %d error names, %d readers, %d faults" % (
		len(lines), errors.count("ok"), len(lines) - errors.count("ok"), len(set(errors) - {"ok"}),
		len(readers), faults))
	return 1 if faults else 0


if __name__ == "__main__":
	sys.exit(main())
