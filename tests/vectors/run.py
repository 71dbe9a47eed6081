#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ask readers about every vector: `run.py VECTORS [--probe P] [--inspect I] [--reader]`.

Each reader must give the exit code and the error name that vectors.tsv lists. The probe is
libartifact alone; artifact-inspect cannot judge compatibility and is not asked about it.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
READER = os.path.join(HERE, "..", "reader", "twinroot_reader.py")
sys.path.insert(0, os.path.dirname(READER))

import twinroot_reader  # noqa: E402


def load(directory):
	vectors = []
	with open(os.path.join(directory, "vectors.tsv"), encoding="utf-8") as file:
		for line in file:
			name, keys, device, code, error, what = line.rstrip("\n").split("\t")
			path = lambda relative: os.path.join(directory, relative)
			vectors.append((path(name), path(keys), None if device == "-" else path(device),
					int(code), error, what))
	return vectors


def ask_reader(vector):
	path, keys, device = vector[:3]
	name, text = twinroot_reader.judge(path, keys, device)
	return (0 if name == "ok" else CODES[name]), name, text


def ask_probe(program, vector):
	path, keys, device = vector[:3]
	args = [program] + (["--compat", device] if device else []) + [path, keys]
	result = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
	return result.returncode, result.stdout.decode().strip(), result.stderr.decode().strip()


def ask_inspect(program, vector, piped=False):
	path, keys, device = vector[:3]
	if device:
		return None
	data = None
	if piped:
		with open(path, "rb") as file:
			data = file.read()
	result = subprocess.run([program, "verify", "--deep", "--json", "--keys", keys,
				 "-" if piped else path], input=data, stdout=subprocess.PIPE,
				stderr=subprocess.PIPE, check=False)
	try:
		name = json.loads(result.stdout)
		name = "ok" if result.returncode == 0 else name["error"]["name"]
	except (ValueError, KeyError, TypeError):
		name = "no JSON: " + result.stdout.decode(errors="replace")[:200]
	if piped and vector[4] in ("tar-truncated", "tar-trailing") and result.returncode == vector[3]:
		name = vector[4]  # the size of a pipe is not known: another fault may come first
	return result.returncode, name, result.stderr.decode().strip()


def ask(readers, vector):
	faults = 0
	for reader, question in readers:
		answer = question(vector)
		if answer is None:
			continue
		code, name, text = answer
		if (code, name) != vector[3:5]:
			faults += 1
			print("FAIL %s: %s (%s)\n  %s %s\n  due %d %s, got %d %s: %s" % (
				reader, os.path.basename(vector[0]), vector[5], vector[1],
				vector[2] or "", *vector[3:5], code, name, text))
	return faults


CODES = twinroot_reader.exit_codes()


def main():
	parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
	parser.add_argument("vectors")
	parser.add_argument("--probe")
	parser.add_argument("--inspect")
	parser.add_argument("--reader", action="store_true")
	args = parser.parse_args()
	readers = []
	if args.reader:
		readers.append(("reader", ask_reader))
	if args.probe:
		readers.append(("libartifact", lambda vector: ask_probe(args.probe, vector)))
	if args.inspect:
		readers.append(("artifact-inspect", lambda vector: ask_inspect(args.inspect, vector)))
		readers.append(("artifact-inspect, from a pipe",
				lambda vector: ask_inspect(args.inspect, vector, True)))
	vectors = load(args.vectors)
	if not readers or not vectors:
		sys.exit("run.py: no reader or no vector")
	with ThreadPoolExecutor(2) as pool:
		faults = sum(pool.map(lambda vector: ask(readers, vector), vectors))
	good = sum(vector[4] == "ok" for vector in vectors)
	print("%d vectors, %d good and %d hostile with %d error names, %d readers, %d faults" % (
		len(vectors), good, len(vectors) - good,
		len({vector[4] for vector in vectors} - {"ok"}), len(readers), faults))
	return 1 if faults else 0


if __name__ == "__main__":
	sys.exit(main())
