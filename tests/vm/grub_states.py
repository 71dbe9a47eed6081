#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every state of the boot store that a device can come into, judged by twinroot.cfg in a real GRUB: which slots it starts, in which
order, and what it leaves in the store. One run of GRUB goes through all of them: this image lacks the modules `boot`, `reboot` and
`sleep`, and functions of these names tell what would have happened. Usage: grub_states.py [bios|uefi]..."""
import itertools
import os
import random
import shutil
import sys
import tempfile

import grub_kit
from grub_kit import MIB, archive, current, encode

NOISE = random.Random(7).randbytes(1024)
# How often each state is booted in a row: once more than the longest trial, so that the end of the count is seen.
ROUNDS = 10


def settle(state, kernels, counts=True):
    """The rule in words of its own: what GRUB does with STATE (values of the store, or None), as (acts, values left)."""
    def committed(slot, bad):
        acts = []
        for s in (slot, "ab".replace(slot, "")):
            if s == slot or s not in bad:
                acts += ["boot twinroot.slot=%s  panic=5" % s] if s in kernels else []
        return acts + ["reboot"]

    if state is None:
        return committed("a", ""), None
    bad = state["bad"].replace("none", "")
    trial, left = state["trial"], state["left"]
    if trial in ("a", "b") and trial not in bad and left in list("123456789") and counts:
        after = dict(state, left=str(int(left) - 1))
        return (["boot twinroot.slot=%s twinroot.trial=1 panic=5" % trial] if trial in kernels else []) + ["reboot"], after
    return committed(state["default"], bad), state


class Case:
    def __init__(self, name, first, second, kernels="ab", rounds=1, countable=True, one_copy=False):
        self.name = name
        self.copies = [first, second]  # None: there is no such file
        self.kernels = kernels
        self.rounds = rounds
        # The copy that the next write goes to can be written: yes, no, or None: that depends on where it was torn. (Inside a sector; the
        # storage would have to do that. Then the trial waits until the installer has mended the copy.)
        self.countable = countable
        self.one_copy = one_copy


def every_state():
    """default x trial x left x bad, in the first copy, in the second, and as the newer and the older of two."""
    for default, trial, left, bad in itertools.product("ab", ("none", "a", "b"), "0129", ("none", "a", "b", "ab")):
        values = (default, trial, left, bad, 17)
        name = "-".join(values[:4])
        other = (("b" if default == "a" else "a"), "none", "0", "none", 16)
        old, new = encode(1000000009, *other), encode(1000000010, *values)
        # The end of each count, which is where a loop without end would be.
        rounds = ROUNDS if left == "9" and trial != "none" and bad == "none" else 1
        yield Case(name + " newer first", new, old, rounds=rounds)
        yield Case(name + " newer second", old, new, rounds=rounds)
        yield Case(name + " beside garbage", new, NOISE, countable=False)
        yield Case(name + " after garbage", NOISE, new, countable=False)
        yield Case(name + " beside a half", new, old[:60] + new[60:180] + old[180:])
        yield Case(name + " without the other", new, None, countable=False)
        yield Case(name + " alone", new, None, one_copy=True)


def missing_kernels():
    for default, trial, bad, kernels in itertools.product("ab", ("none", "a", "b"), ("none", "a", "b", "ab"),
                                                          ("", "a", "b")):
        new = encode(1000000010, default, trial, 2, bad, 17)
        old = encode(1000000009, default, "none", 0, bad, 16)
        yield Case("%s-%s-%s kernels '%s'" % (default, trial, bad, kernels), new, old, kernels, rounds=4 if trial == "b" else 1)
    for kernels in ("ab", "a", "b", ""):
        yield Case("lost, kernels '%s'" % kernels, NOISE, bytes(1024), kernels)
        yield Case("lost alone, kernels '%s'" % kernels, NOISE, None, kernels, one_copy=True)


def torn_writes():
    """The installer's write, and GRUB's own, cut after each byte, over the older copy: old or new, nothing between."""
    for before, after, kind in (
            ((1000000009, "a", "none", 0, "b", 16), (1000000011, "a", "b", 3, "none", 18), "arm"),
            ((1000000009, "a", "b", 2, "none", 16), (1000000011, "b", "none", 0, "none", 18), "commit"),
            ((1000000010, "a", "b", 3, "none", 17), (1000000010, "a", "b", 1, "none", 17), "count")):
        old, new = encode(*before), encode(*after)
        base = encode(1000000010, "a", "b", 2, "none", 17)
        for cut in range(0, 260):
            yield Case("%s cut after %d" % (kind, cut), base, new[:cut] + old[cut:], countable=None)
            yield Case("%s lost before %d" % (kind, cut), old[:cut] + new[cut:], base, countable=None)


def odd_copies():
    good = encode(1000000010, "a", "b", 2, "none", 17)
    old = encode(1000000009, "a", "none", 0, "none", 16)
    for name, block in (("default c", encode(1000000011, "c", "b", 2, "none", 18)),
                        ("zeros", bytes(1024)), ("ones", b"\xff" * 1024), ("empty block", b"# GRUB Environment Block\n".ljust(1024, b"#")),
                        ("no check", encode(1000000011, "b", "none", 0, "none", 18).replace(b"twinroot_check", b"twinroot_chekc"))):
        yield Case("odd: " + name, good, block, countable=name in ("default c", "empty block", "no check"))
    for left in ("", "x", "10", "-1"):
        yield Case("odd: left '%s'" % left, old, encode(1000000010, "a", "b", left, "none", 17))


CONFIG = """serial --unit=0 --speed=115200
terminal_output serial
terminal_input serial
function reboot { echo "@reboot"; }
function sleep { echo "pause $1"; }
set twinroot_settings=$prefix/case.cfg
set twinroot_fallback=
source $prefix/twinroot.cfg
source $prefix/cases.cfg
echo "@end"
"""
# Only the choice is GRUB's here; grub_boot.py starts kernels.
SETTINGS = """set twinroot_fallback=a
function twinroot_load {
	if regexp "$twinroot_slot" "$kernels"; then
		echo "@boot $twinroot_arguments"
		set twinroot_loaded=yes
	fi
}
"""


# A disk of stores: GRUB looks an archive through from its beginning, so many partitions with few members each.
GROUPS = 60
PART = MIB // 8


def make_stores(path, cases):
    """The second disk, with the two copies of case N as members N of two archives; where on the disk they lie."""
    with open(path, "wb") as f:
        f.truncate((2 * GROUPS + 16) * PART)
    table = "label: gpt\n" + "".join("start=%d, size=%d\n" % ((8 + i) * PART // 512, PART // 512)
                                     for i in range(2 * GROUPS))
    grub_kit.run("sfdisk", "-q", path, input=table.encode())
    places = {}
    for group in range(GROUPS):
        for copy in (0, 1):
            part = 2 * group + copy
            data, inside = archive({str(i): cases[i].copies[copy] for i in range(group, len(cases), GROUPS)
                                    if cases[i].copies[copy] is not None})
            assert len(data) <= PART
            grub_kit.write_at(path, (8 + part) * PART, data)
            places.update({(int(i), copy): (8 + part) * PART + at for i, at in inside.items()})
    return places


def script_for(cases):
    lines = []
    for i, case in enumerate(cases):
        names = ["(hd1,gpt%d)/%d" % (2 * (i % GROUPS) + copy + 1, i) for copy in (0, 1)]
        if case.one_copy:
            names[1] = ""
        lines.append('set twinroot_store="%s"\nset twinroot_store_copy="%s"\nset kernels="%s"\n' %
                     (*names, case.kernels))
        lines += ['echo "@case %d"\ntwinroot_main\n' % i] * case.rounds
    return "".join(lines)


def acts_of(text):
    """Console lines with an @, by case and round."""
    runs = {}
    for line in text.split("\n"):
        if line.startswith("@case "):
            runs.setdefault(int(line[6:]), []).append([])
            here = runs[int(line[6:])]
        elif runs and line.startswith("@") and line != "@end":
            here[-1].append(line[1:])
    return runs


def judge(case, runs, after):
    if case.countable is not None:
        return judge_as(case, runs, after, case.countable)
    try:
        return judge_as(case, runs, after, True)
    except AssertionError:
        return judge_as(case, runs, after, False)


def judge_as(case, runs, after, countable):
    before, index = current(*case.copies)
    state = before
    assert len(runs) == case.rounds, "%s: %d rounds seen" % (case.name, len(runs))
    for acts in runs:
        want, state = settle(state, case.kernels, counts=countable)
        assert acts == want, "%s: GRUB did %s, not %s" % (case.name, acts, want)
    assert current(*after)[0] == state, "%s: the store says %s, not %s" % (case.name, current(*after)[0], state)
    if countable and state == before:
        assert after == [c or b"" for c in case.copies], case.name + ": written for nothing"
    # The copy that counts is not touched by a count.
    if before and case.rounds == 1 and not case.one_copy:
        assert after[index] == case.copies[index], case.name + ": wrote over the copy that counts"


def states(firmware, work):
    cases = list(every_state()) + list(missing_kernels()) + list(odd_copies()) + list(torn_writes())
    # The rule is the same on every firmware; what differs is the way to the disk.
    step = 1 if os.environ.get("FULL") else 3 if firmware == "bios" else 11
    cases = cases[::step]
    with open(os.path.join(grub_kit.SCRIPTS, "twinroot.cfg"), encoding="ascii") as f:
        script = f.read()
    stores = os.path.join(work, "stores.img")
    places = make_stores(stores, cases)
    disk = grub_kit.make_disk(work, firmware, [], {"grub.cfg": CONFIG, "twinroot.cfg": script, "case.cfg": SETTINGS,
                                                   "cases.cfg": script_for(cases)})
    text = grub_kit.boot(disk, firmware, until="@end", limit=4 * grub_kit.LIMIT, more=[stores])
    runs = acts_of(text)
    wrong = []
    for i, case in enumerate(cases):
        after = [grub_kit.read_at(stores, places[i, copy], 1024) if (i, copy) in places else b"" for copy in (0, 1)]
        try:
            judge(case, runs.get(i, []), after)
        except AssertionError as e:
            wrong.append(str(e))
    total = sum(c.rounds for c in cases)
    print("# %s: %d states, %d starts of the boot script, %d wrong" % (firmware, len(cases), total, len(wrong)), file=sys.stderr)
    assert not wrong, "\n".join(wrong[:10])


def main():
    report = grub_kit.Report()
    for firmware in sys.argv[1:] or ("bios", "uefi"):
        work = tempfile.mkdtemp(prefix="grub-states.")
        try:
            report.case("grub-states-" + firmware, states, firmware, work)
        finally:
            if os.environ.get("KEEP") == "1":
                print("kept: " + work, file=sys.stderr)
            else:
                shutil.rmtree(work)
    report.exit()


if __name__ == "__main__":
    main()
