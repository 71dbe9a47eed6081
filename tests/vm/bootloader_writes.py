#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The bootloader's own writes, recorded while a real one counts a trial down, and every power cut in them.

usage: bootloader_writes.py uboot|bios|uefi DIRECTORY [INSTALLER]    (for images; made, and removed again)

A life is a store with a trial and three tries, booted four times: every write that reaches the disk is logged (QEMU's
blklogwrites). What the store says afterwards must be what stores.py, the rule by which power cuts are replayed in
../crash, says it does; nothing but the store may have been written. Then every prefix of the writes, each write torn
after every sector, and each with noise in one sector: what a bootloader reads must be what it read before that write
or after it. Last, the real bootloader is started from those states: of those that differ in what it reads, all, and
some that differ only in bytes; it must do what stores.py says. From the same states the installer, a program of this
machine, has to read what the bootloader reads.

A judge that finds nothing may be one that cannot: recordings and rules that are wrong on purpose go through it too, and each must
be found out.
"""
import collections
import copy
import json
import os
import random
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "crash"))
sys.dont_write_bytecode = True

import blklog  # noqa: E402
import grub_kit  # noqa: E402
import grub_states  # noqa: E402
import uboot_states  # noqa: E402
from stores import SIZE, STORES, UNIT, plan, start  # noqa: E402

SECTOR = 512
BOOTS = 4        # of a life: three tries, and the boot after them
SAMPLE = 8       # states to start that differ from others only in bytes that do not count
NOISE = random.Random(11).randbytes(SECTOR)
Write = collections.namedtuple("Write", "copy offset data")  # offset: in the copy


class Wrong(Exception):
    pass


class Store:
    """Two copies as the bytes of a boot partition that stores.py reads; immutable."""

    def __init__(self, rule, copies):
        self.rule, self.copies = rule, tuple(bytes(c) for c in copies)

    def bytes(self):
        boot = bytearray(2 * UNIT)
        for at, data in self.rule.make():
            boot[at:at + len(data)] = data
        for (at, _), copy in zip(self.rule.parts, self.copies):
            boot[at + self.inset():at + self.inset() + len(copy)] = copy
        return boot

    def inset(self):
        """Where a copy's block begins in its part: behind the archive's header, for GRUB."""
        return SECTOR if self.rule.name == "grub" else 0

    def after(self, write):
        copies = [bytearray(c) for c in self.copies]
        copies[write.copy][write.offset:write.offset + len(write.data)] = write.data
        return Store(self.rule, copies)

    def plan(self):
        return plan(self.rule.read(self.bytes()))

    def view(self):
        """What tells states apart for a bootloader."""
        return repr([sorted(v.items()) if v else v for v in self.rule.view(self.bytes())])

    def next(self):
        """(slot, trial, Store) of a boot, by the rule."""
        boot = self.bytes()
        slot, trial, save = start(self.rule, boot)
        if save:
            boot[save[0]:save[0] + len(save[1])] = save[1]
        copies = [boot[at + self.inset():at + self.inset() + len(c)] for (at, _), c in zip(self.rule.parts, self.copies)]
        return slot, trial, Store(self.rule, copies)

    def same(self, other):
        return self.view() == other.view()


# --- the bootloaders


class UBoot:
    rule = STORES["uboot-pair"]
    name = "U-Boot"
    config = "backend = uboot\nenvironment = {0}/env-1\nenvironment-copy = {0}/env-2\n"

    def __init__(self, folder):
        self.folder, self.disk = folder, os.path.join(folder, "disk.img")
        uboot_states.make_disk(self.disk, folder)

    def lives(self):
        words, env = uboot_states.words, uboot_states.environment
        older = env(words(sequence="f", transaction=6))
        for slot, other in (("b", "a"), ("a", "b")):
            newer = env(words(default=other, trial=slot, left=BOOTS - 1))
            yield f"trial of {slot}, newer first", (newer, older)
            yield f"trial of {slot}, newer second", (older, newer)
        yield "the other copy blank", (newer, bytes(SIZE))
        yield "the other copy torn", (uboot_states.torn(older, SIZE - SECTOR), newer)

    def live(self, copies):
        """[(slot, trial, writes, copies afterwards)] of each boot of a life."""
        for _ in range(BOOTS):
            uboot_states.store(self.disk, copies)
            log = os.path.join(self.folder, "log")
            slot, trial = uboot_states.Board(self.disk, log).boot()
            writes = []
            for w in blklog.read(log):
                if not w.length:
                    continue
                where = [n for n, at in enumerate(uboot_states.COPIES) if at <= w.offset and w.offset + w.length <= at + SIZE]
                if not where:
                    raise Wrong(f"U-Boot wrote {w.length} bytes at {w.offset}, outside of the store")
                writes.append(Write(where[0], w.offset - uboot_states.COPIES[where[0]], w.data))
            copies = uboot_states.fetch(self.disk)
            yield slot, trial == "1", writes, copies

    def record(self):
        """{name: (copies, [(slot, trial)], writes, copies at the end)}"""
        found = {}
        for name, copies in self.lives():
            boots = list(self.live(copies))
            found[name] = (copies, [b[:2] for b in boots], [w for b in boots for w in b[2]], boots[-1][3])
        return found

    def start(self, states):
        """[(slot, trial, copies afterwards)]"""
        for state in states:
            uboot_states.store(self.disk, state.copies)
            slot, trial = uboot_states.Board(self.disk).boot()
            yield slot, trial == "1", uboot_states.fetch(self.disk)


class Grub:
    rule = STORES["grub"]
    config = "backend = grub\nstore = {0}/copy-1\nstore-copy = {0}/copy-2\n"

    def __init__(self, folder, firmware):
        self.folder, self.firmware = folder, firmware
        self.name = "GRUB, " + firmware
        self.stores, self.log = os.path.join(folder, "stores.img"), os.path.join(folder, "log")

    def lives(self):
        encode = grub_kit.encode
        older = encode(1000000009, "a", "none", 0, "none", 16)
        for slot, other in (("b", "a"), ("a", "b")):
            newer = encode(1000000010, other, slot, BOOTS - 1, "none", 17)
            yield f"trial of {slot}, newer first", (newer, older)
            yield f"trial of {slot}, newer second", (older, newer)
        yield "the other copy half written", (newer, older[:60] + newer[60:180] + older[180:])

    def go(self, cases, record=None):
        """One run of GRUB through CASES: (what it did in each round, where each copy lies)."""
        places = grub_states.make_stores(self.stores, cases)
        with open(os.path.join(grub_kit.SCRIPTS, "twinroot.cfg"), encoding="ascii") as f:
            files = {"grub.cfg": grub_states.CONFIG, "twinroot.cfg": f.read(), "case.cfg": grub_states.SETTINGS,
                     "cases.cfg": grub_states.script_for(cases)}
        text = grub_kit.boot(grub_kit.make_disk(self.folder, self.firmware, [], files), self.firmware, until="@end",
                             limit=4 * grub_kit.LIMIT, more=[self.stores], record=record)
        runs = grub_states.acts_of(text)
        return [[self.act(acts) for acts in runs.get(n, [])] for n in range(len(cases))], places

    @staticmethod
    def act(acts):
        """(slot, trial) of "boot twinroot.slot=b twinroot.trial=1 ..." """
        first = acts[0].split() if acts else []
        if first[:1] != ["boot"]:
            raise Wrong(f"GRUB did {acts}")
        return first[1].removeprefix("twinroot.slot="), "twinroot.trial=1" in first

    def left(self, places, n):
        return [grub_kit.read_at(self.stores, places[n, copy], 1024) for copy in (0, 1)]

    def record(self):
        lives = list(self.lives())
        boots, places = self.go([grub_states.Case(name, *copies, rounds=BOOTS) for name, copies in lives], self.log)
        writes = [[] for _ in lives]
        for w in blklog.read(self.log):
            if not w.length:
                continue
            where = [key for key, at in places.items() if at <= w.offset and w.offset + w.length <= at + 1024]
            if not where:
                raise Wrong(f"GRUB wrote {w.length} bytes at {w.offset}, outside of the store")
            n, copy = where[0]
            writes[n].append(Write(copy, w.offset - places[n, copy], w.data))
        return {name: (copies, boots[n], writes[n], self.left(places, n)) for n, (name, copies) in enumerate(lives)}

    def start(self, states):
        boots, places = self.go([grub_states.Case(str(n), *s.copies) for n, s in enumerate(states)])
        for n in range(len(states)):
            yield *boots[n][0], self.left(places, n)


# --- the judges


class Installer:
    """artifact-install on copies that are files, told by /proc/cmdline which slot runs."""

    def __init__(self, program, folder, bootloader):
        self.program, self.folder = program, folder
        space = ["unshare", "-m", "--propagation", "private"] if os.geteuid() == 0 else ["unshare", "-rm"]
        self.argv = [*space, "sh", "-c", 'mount --bind cmdline /proc/cmdline && exec "$@"', "sh", program]
        os.makedirs(os.path.join(folder, "keys"))
        texts = {"conf": "[device]\ntype = lab\n[slot.a]\nrootfs = {0}/a\n[slot.b]\nrootfs = {0}/b\n[boot]\n" + bootloader.config
                 + "[trust]\nkeys = {0}/keys\n[state]\ndirectory = {0}/state\n",
                 "env-1": "{0}/copy-1 0x0 0x4000\n", "env-2": "{0}/copy-2 0x0 0x4000\n", "a": "a", "b": "b"}
        for name, text in texts.items():
            self.put(name, text.format(os.path.abspath(folder)).encode())

    def put(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as f:
            f.write(data)

    def missing(self):
        """Why it cannot be asked, or None."""
        if not self.program or not os.access(self.program, os.X_OK):
            return "no installer"
        self.put("cmdline", b"")
        done = subprocess.run([*self.argv[:-1], "true"], cwd=self.folder, check=False, capture_output=True)
        return "no mount namespaces" if done.returncode else None

    def read(self, state):
        """What it says of a Store, as `plan` of stores.py does, or why it does not."""
        boot, inset = state.bytes(), state.inset()
        for name, (at, _), block in zip(("copy-1", "copy-2"), state.rule.parts, state.copies):
            self.put(name, boot[at:at + inset] + block + bytes(inset and 1024))
        self.put("cmdline", f"twinroot.slot={state.next()[0]} panic=5\n".encode())
        done = subprocess.run([*self.argv, "-c", "conf", "status", "--json"], cwd=self.folder, check=False, capture_output=True)
        if done.returncode:
            return f"status {done.returncode}: {done.stderr.decode(errors='replace').strip()}"
        said = json.loads(done.stdout)
        boot, bad = said["boot"], [s for s in "ab" if said["slots"][s]["bad"]]
        tried = boot["trial"] in ("a", "b") and boot["tries-left"] > 0 and boot["trial"] not in bad
        return (boot["trial"], boot["tries-left"], boot["default"]) if tried else (None, 0, boot["default"])


class Judge:
    """rule: of stores.py, unless it is to be a wrong one."""

    def __init__(self, rule):
        self.rule = rule
        self.cuts = self.writes = self.boots = 0
        self.faults = []
        self.states = {}   # view: [Store], the first of which is started
        self.others = []

    def fault(self, text):
        self.faults.append(text)

    def life(self, name, copies, boots, writes, end):
        """What was recorded against the rule: every boot, every write, the end."""
        due = Store(self.rule, copies)
        chain = [due.plan()]
        for n, (slot, trial) in enumerate(boots):
            want, on_trial, due = due.next()
            chain.append(due.plan())
            if (slot, trial) != (want, on_trial):
                self.fault(f"{name}, boot {n + 1}: started {slot}, trial {trial}, and not {want}, {on_trial}")
        if len(boots) != BOOTS or not writes:
            self.fault(f"{name}: {len(boots)} boots and {len(writes)} writes were recorded")
        if not due.same(Store(self.rule, end)):
            self.fault(f"{name}: the store says {Store(self.rule, end).view()}, and not {due.view()}")
        self.boots += len(boots)
        self.writes += len(writes)
        self.cut(name, Store(self.rule, copies), writes, chain)

    def cut(self, name, state, writes, chain):
        for n, write in enumerate(writes):
            then = state.after(write)
            allowed = (state.plan(), then.plan())
            if not set(allowed) <= set(chain):
                self.fault(f"{name}: write {n + 1} makes {allowed} of it, and a life is {chain}")
            for at in range(0, len(write.data), SECTOR):
                self.judge(f"{name}, write {n + 1}, cut after {at}", state.after(write._replace(data=write.data[:at])), allowed)
                self.judge(f"{name}, write {n + 1}, noise at {at}",
                           then.after(Write(write.copy, write.offset + at, NOISE[:len(write.data) - at])), allowed)
            state = then
            self.judge(f"{name}, write {n + 1}, whole", state, allowed[1:])

    def judge(self, where, state, allowed):
        self.cuts += 1
        said = state.plan()
        if said is None or said not in allowed:
            self.fault(f"{where}: the store says {said}, and neither of {allowed}")
        known = self.states.setdefault(state.view(), state)
        if known is not state and known.copies != state.copies:
            self.others.append(state)

    def chosen(self, seed):
        """The states that differ to a bootloader, and a sample of the others."""
        return list(self.states.values()) + random.Random(seed).sample(self.others, min(SAMPLE, len(self.others)))

    def started(self, state, slot, trial, copies):
        """The real bootloader from one of them."""
        state = Store(self.rule, state.copies)
        want, on_trial, due = state.next()
        if (slot, trial) != (want, on_trial) or not due.same(Store(self.rule, copies)):
            self.fault(f"from {state.view()}: started {slot}, trial {trial}, and left {Store(self.rule, copies).view()}")

    def read(self, state, said):
        """The installer from one of them."""
        if said != state.plan():
            self.fault(f"from {state.view()}: the installer says {said}, and not {state.plan()}")


def uncounted(rule):
    """A rule by which a try is not counted."""
    wrong = copy.copy(rule)
    wrong.update = lambda boot, v: rule.update(boot, dict(v, twinroot_left="%x" % (int(v["twinroot_left"], 16) + 1)))
    return wrong


def mistakes(rule, lives, started, read):
    """(what is wrong on purpose, the Judge that has to have found it)"""
    def lived(what, alter, rule=rule):
        judge = Judge(rule)
        for name, life in lives.items():
            judge.life(name, *alter(*life))
        return what, judge

    def swap(slot):
        return "b" if slot == "a" else "a"

    yield lived("a rule that does not count", lambda *life: life, uncounted(rule))
    yield lived("the other slot is started", lambda copies, boots, *more: (copies, [(swap(s), t) for s, t in boots], *more))
    yield lived("the copy that counts is written over",
                lambda copies, boots, writes, end: (copies, boots, [w._replace(copy=1 - w.copy) for w in writes], end))
    yield lived("a write is lost", lambda copies, boots, writes, end: (copies, boots, writes, copies))
    yield lived("nothing is recorded", lambda copies, boots, writes, end: (copies, boots, [], end))
    for what, wrong, alter in (("started by a rule that does not count", uncounted(rule), lambda s, t, c: (s, t, c)),
                               ("started the other slot", rule, lambda s, t, c: (swap(s), t, c)),
                               ("started without leaving a trace", rule, None)):
        judge = Judge(wrong)
        for state, *got in started:
            judge.started(state, *(alter(*got) if alter else (*got[:2], state.copies)))
        yield what, judge
    if read:
        judge = Judge(rule)
        for state, said in read:
            judge.read(state, (*said[:2], swap(said[2])))
        yield "the installer reads another default", judge


def examine(bootloader, program):
    begun, judge = time.monotonic(), Judge(bootloader.rule)
    lives = bootloader.record()
    for name, recorded in lives.items():
        judge.life(name, *recorded)
    chosen = judge.chosen(1)
    started = [(state, *got) for state, got in zip(chosen, bootloader.start(chosen), strict=True)]
    for one in started:
        judge.started(*one)
    installer = Installer(program, os.path.join(bootloader.folder, "installer"), bootloader)
    missing = installer.missing()
    read = [] if missing else [(state, installer.read(state)) for state in chosen]
    for one in read:
        judge.read(*one)
    found = [(what, bool(wrong.faults)) for what, wrong in mistakes(bootloader.rule, lives, started, read)]
    for what, noticed in found:
        if not noticed:
            judge.fault(f"not found out: {what}")
    for text in judge.faults[:20]:
        print("FAIL: " + text)
    print("%s: %d boots of %d lives recorded, %d writes; %d power cuts in them, %d distinct to the bootloader, "
          "%d really booted, %d read by the installer%s; failures: %d; mistakes on purpose found out: %d of %d; %.0f s"
          % (bootloader.name, judge.boots, len(lives), judge.writes, judge.cuts, len(judge.states), len(started), len(read),
             f" ({missing})" if missing else "", len(judge.faults), sum(noticed for _, noticed in found), len(found),
             time.monotonic() - begun))
    return 1 if judge.faults else 0


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in ("uboot", "bios", "uefi"):
        sys.exit(__doc__)
    kind, folder, *program = sys.argv[1:]
    os.makedirs(folder)
    try:
        return examine(UBoot(folder) if kind == "uboot" else Grub(folder, kind), program and os.path.abspath(program[0]))
    except grub_kit.Missing as why:
        print(f"SKIP: {why}")
        return 77
    except Wrong as why:
        print(f"FAIL: {why}")
        return 1
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
