# SPDX-License-Identifier: Apache-2.0
"""Run a command again and again, failing its first, second, third ... call of some kind.

fault.py make DIRECTORY
	write small artifacts, good and tampered, and the key that they are signed with
fault.py run SHIM [--how HOW] [--mode once|from] [--own | --of LIBRARY] [--runs N] [--reset CMD] [--after CMD] -- COMMAND...
	what COMMAND gives without faults is the reference. Then, for each N until a run has no Nth call: it must not
	end by a signal or hang, nor blame a good artifact (3, 4, 5); status 0 only if the reference has it, and then with the same output. --runs takes a
	sample of that many, the same each time (SEED in the environment: another; FULL=1: all). EINTR and short counts
	must not change the status. --may-abort WORD: an abort with WORD in what is said is the assertion of a library that cannot go
	on without memory; what --after asks holds for it as well. --own: only calls by the program itself, not by shared libraries; --of: only by the one with that in its name. --reset runs before each, --after
	after each and must succeed ($STATUS: what COMMAND gave; $FAULT: which call).
"""
import argparse
import collections
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def make(folder):
    sys.path.insert(0, os.path.join(HERE, "..", "vectors"))
    import kit

    os.makedirs(os.path.join(folder, "keys"))
    signer = kit.Signer(folder, "key", "ed25519", "-algorithm", "ED25519")
    with open(os.path.join(folder, "keys", "key.pem"), "wb") as file:
        file.write(signer.pem)
    group = {"group": "release", "threshold": 1, "keys": [signer.id]}
    os.makedirs(os.path.join(folder, "policy"))
    with open(os.path.join(folder, "policy", "key.pem"), "wb") as file:
        file.write(signer.pem)
    with open(os.path.join(folder, "policy", "policy.json"), "w", encoding="utf-8") as file:
        json.dump({"format": 1, "roles": {"artifact": [group], "patch": [group], "test": [group]},
                   "revoked-keys": ["0" * 64], "revoked-artifacts": ["1" * 64]}, file)
    first = kit.prose("first", 20000)
    second = kit.prose("second", 9000) + first[:500]
    rows = [kit.zstd(first, group=True), kit.zstd(second, first), kit.zero(4096)]
    rows += [kit.copy_of(rows, 0), kit.raw(kit.noise("raw", 3000), group=True)]
    rows.append(kit.raw(kit.noise("tail", -sum(row.length for row in rows) % 512 or 512)))
    artifact = kit.Artifact([kit.Payload([kit.Segment(rows)], prefix=65536)], [signer],
                            docs=[("notes", b"text\n")], description="fault test", ext={"a": [1, "b"]})
    good = artifact.build()
    data = good.index(rows[4].stored)
    flips = {"good": None, "manifest": 512 + 30, "signature": good.index(b"ed25519 ") + 90,
             "index": good.index(rows[0].digest) + 3, "data": data + 1500,
             "doc": good.index(b"text\n") + 1}
    for name, at in flips.items():
        data = bytearray(good)
        if at is not None:
            data[at] ^= 1
        with open(os.path.join(folder, name + ".artifact"), "wb") as file:
            file.write(data)
    with open(os.path.join(folder, "manifest.json"), "wb") as file:
        file.write(dict(artifact.members())["manifest.json"])


class Run:
    def __init__(self, options):
        self.options = options
        self.counter = tempfile.NamedTemporaryFile()

    def once(self, number):
        """(status, output, calls made, whether the fault came)"""
        if self.options.reset:
            subprocess.run(self.options.reset, shell=True, check=True)
        with open(self.counter.name, "wb") as file:
            file.write(bytes(16))
        env = dict(os.environ, LD_PRELOAD=os.path.abspath(self.options.shim), FAULT_FILE=self.counter.name,
                   FAULT_AT=str(number), FAULT_MODE=self.options.mode, FAULT_HOW=self.options.how)
        if self.options.own or self.options.of:
            env["FAULT_OWN"] = "1"
        if self.options.of:
            env["FAULT_OF"] = self.options.of
        try:
            done = subprocess.run(self.options.command, env=env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            sys.exit("FAIL: hangs when call %d fails: %s" % (number, self.options.command))
        with open(self.counter.name, "rb") as file:
            calls, hits = struct.unpack("=QQ", file.read(16))
        if self.options.after:
            after = dict(os.environ, STATUS=str(done.returncode), FAULT=str(number))
            if subprocess.run(self.options.after, shell=True, env=after, check=False).returncode:
                self.fail(number, done, "the check after it failed")
        return done, calls, hits

    def fail(self, number, done, why):
        sys.stderr.write(done.stderr.decode(errors="replace")[-3000:])
        sys.exit("FAIL: call %d %s (%s): %s: %s" % (number, self.options.how, self.options.mode, why,
                                                   self.options.command))

    def judge(self, number, done, reference):
        word = self.options.may_abort
        if done.returncode == -signal.SIGABRT and word and word.encode() in done.stderr:
            return
        if done.returncode < 0 or done.returncode >= 128:
            self.fail(number, done, "ended by signal, status %d" % done.returncode)
        if done.returncode in (3, 4, 5) and reference.returncode == 0:
            self.fail(number, done, "blames a good artifact, status %d" % done.returncode)
        if self.options.how in ("eintr", "short") and done.returncode != reference.returncode:
            self.fail(number, done, "status %d, not %d" % (done.returncode, reference.returncode))
        if done.returncode == 0:
            if reference.returncode != 0:
                self.fail(number, done, "accepted what must be refused")
            if done.stdout != reference.stdout:
                self.fail(number, done, "status 0 with another output")
        elif not done.stderr and not self.options.quiet:
            self.fail(number, done, "failed without a word")

    def whose(self):
        return self.options.of + "'s " if self.options.of else "own " if self.options.own else ""

    def all(self):
        reference, calls, _ = self.once(0)
        if calls == 0:
            sys.exit("FAIL: the shim saw no call of %s" % self.options.command)
        numbers = list(range(1, calls + 1))
        sample = ""
        if len(numbers) > self.options.runs and os.environ.get("FULL") != "1":
            seed = int(os.environ.get("SEED", "1"))
            numbers = sorted(random.Random(seed).sample(numbers, self.options.runs))
            sample = ", a sample (SEED=%d)" % seed
        codes = collections.Counter()
        tried = 0
        for number in numbers:
            done, _, hits = self.once(number)
            self.judge(number, done, reference)
            tried += hits > 0
            codes[done.returncode] += 1
        # Past the last one: until a run has no such call any more.
        for number in range(calls + 1, calls + 20):
            done, _, hits = self.once(number)
            self.judge(number, done, reference)
            if not hits:
                break
        print("%s %s (%s): %d of %d %scalls failed one by one%s; status 0 without faults: %s; with: %s"
              % (self.options.label, self.options.how, self.options.mode, tried, calls, self.whose(), sample,
                 reference.returncode, " ".join("%d x%d" % pair for pair in sorted(codes.items()))))
        if tried < len(numbers) * 9 // 10:
            sys.exit("FAIL: only %d of %d faults came" % (tried, len(numbers)))


def main():
    if sys.argv[1:2] == ["make"]:
        return make(sys.argv[2])
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["run"])
    parser.add_argument("shim")
    parser.add_argument("--label", default="")
    parser.add_argument("--how", default="enomem")
    parser.add_argument("--mode", default="once")
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--of", metavar="LIBRARY")
    parser.add_argument("--runs", type=int, default=10 ** 9)
    parser.add_argument("--reset")
    parser.add_argument("--after")
    parser.add_argument("--may-abort", metavar="WORD")
    parser.add_argument("--quiet", action="store_true", help="the command reports on stdout")
    parser.add_argument("command", nargs="+")
    Run(parser.parse_args()).all()
    return 0


sys.exit(main())
