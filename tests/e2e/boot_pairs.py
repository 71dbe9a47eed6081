#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every pair of boot store and state record through the real boot-check, boot after boot, until the device is at rest.

usage: boot_pairs.py ARTIFACT_INSTALL DEVICE    DEVICE: a directory of device.sh's make_device, with v1 on slot b committed

A simulated bootloader follows the rules of the boot scripts. Of each pair the course must end at rest, within bounds, and
no slot that is known to be incomplete or given up may be started on the way.
"""
import itertools
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import state_record as record  # noqa: E402

BOOTS_MAX = 60 # a one-shot slot that was healthy is started 20 times
PROGRAM, DEVICE = sys.argv[1:3]
STORE = f"{DEVICE}/boot"
STATE = f"{DEVICE}/state/state"


def read_store():
    with open(STORE, encoding="ascii") as f:
        return dict(line.rstrip("\n").split("=", 1) for line in f)


def write_store(words):
    with open(STORE, "w", encoding="ascii") as f:
        f.write("".join(f"{k}={v}\n" for k, v in words.items()))


def change_state(**pairs):
    with open(STATE, "rb") as f:
        data = bytearray(f.read())
    index, block = record.newest(data)
    block = bytearray(block)
    for key, value in pairs.items():
        record.change(block, key.replace("_", "."), str(value))
    block[-32:] = record.hashlib.sha256(block[:-32]).digest()
    data[index * record.STRIDE:index * record.STRIDE + record.BLOCK] = block
    with open(STATE, "wb") as f:
        f.write(data)


def read_state():
    with open(STATE, "rb") as f:
        return record.decode(record.newest(f.read())[1])


def bootloader():
    """What a boot script does: count a trial down and start it, or start the default."""
    w = read_store()
    if w["trial"] in ("a", "b") and w["bad"] not in (w["trial"], "ab") and int(w["left"]) > 0:
        w["left"] = str(int(w["left"]) - 1)
        w["booted"] = w["trial"]
    else:
        w["booted"] = w["default"]
    write_store(w)
    return w["booted"]


def boot_check():
    p = subprocess.run([PROGRAM, "-c", f"{DEVICE}/install.conf", "boot-check", "--no-reboot", "-v"],
                       capture_output=True, text=True, timeout=120, check=False)
    if p.returncode not in (0, 1):
        raise AssertionError(f"exit status {p.returncode}: {p.stderr}")
    return p


def at_rest(running):
    w, s = read_store(), read_state()
    return (w["default"] == running and (w["trial"] == "none" or w["trial"] in w["bad"])
            and s["phase"] in ("idle", "committed", "rolled-back", "failed")
            and (s["phase"] != "committed" or s["active"] == running)
            and (s["phase"] in ("idle", "committed") or s["target"] != running))


def course(store, state, dead=None):
    """Boot until at rest. Returns how many boots it took. DEAD: a slot that never comes as far as boot-check."""
    write_store(store)
    change_state(**state)
    running, last = store["booted"], None
    for n in range(BOOTS_MAX):
        if n:
            running = bootloader()
            if running == dead:
                if read_store()["default"] == dead:
                    raise AssertionError("a slot that never came to life is the default")
                continue
            content = read_state()[running]["content"]
            other = read_state()["b" if running == "a" else "a"]["content"]
            if content in ("partial", "bad") and other in ("good", "complete"):
                raise AssertionError(f"boot {n} started slot {running}, which is {content}; the other is {other}")
        change_state(boot="other")
        last = boot_check()
        if at_rest(running) and "reboot is due" not in last.stderr:
            # Once more: at rest nothing happens.
            before = read_store(), read_state()
            boot_check()
            if (read_store(), {**read_state(), "sequence": 0}) != (before[0], {**before[1], "sequence": 0}):
                raise AssertionError("at rest, and boot-check changed something")
            return n + 1
    raise AssertionError(f"not at rest after {BOOTS_MAX} boots: {read_store()} {read_state()} {last.stderr}")


def stores(one_shot):
    """Seen from slot a, which runs."""
    arming = "one-shot" if one_shot else "durable"
    base = {"booted": "a", "left": "0", "bad": "none", "arming": arming}
    full = "1" if one_shot else "3"
    yield "rest", {**base, "default": "a", "trial": "none"}
    yield "rest, bad", {**base, "default": "a", "trial": "none", "bad": "b"}
    yield "armed", {**base, "default": "a", "trial": "b", "left": full}
    if not one_shot:
        yield "begun", {**base, "default": "a", "trial": "b", "left": "2"}
    yield "spent", {**base, "default": "a", "trial": "b", "left": "0"}
    yield "trial", {**base, "default": "b", "trial": "a", "left": "0" if one_shot else "2"}
    yield "foreign", {**base, "default": "b", "trial": "none"}
    yield "foreign, bad", {**base, "default": "b", "trial": "none", "bad": "a"}


def states():
    content = {"installing": "partial", "failed": "partial", "installed": "complete", "trying": "complete",
               "healthy": "complete", "rolled-back": "bad"}
    yield "idle", {"phase": "idle", "target": "none", "active": "a", "a_content": "good", "b_content": "good"}
    for phase, target in itertools.product(content, "ab"):
        other = "b" if target == "a" else "a"
        yield f"{phase} {target}", {"phase": phase, "target": target, "active": other,
                                    f"{target}_content": content[phase], f"{other}_content": "good"}
    for active in "ab":
        yield f"committed {active}", {"phase": "committed", "target": "none", "active": active, "a_content": "good",
                                      "b_content": "good"}


def main():
    count = failed = longest = 0
    for one_shot in (False, True):
        for (where, store), (what, state) in itertools.product(stores(one_shot), states()):
            # A record that has committed slot b is proof that it came to life.
            alive = [None] if what == "committed b" or store["default"] == "b" else [None, "b"]
            transactions = (9, 10, 11) if where == "rest" else (10,)
            for transaction, dead in itertools.product(transactions, alive):
                count += 1
                try:
                    longest = max(longest, course({**store, "transaction": str(transaction)},
                                                  {**state, "transaction": 10, "tries": 3, "used": 0, "reason": ""},
                                                  dead))
                except (AssertionError, subprocess.TimeoutExpired) as e:
                    failed += 1
                    print(f"FAIL: {'one-shot' if one_shot else 'durable'}, store {where}, transaction {transaction}, "
                          f"record {what}, dead {dead}: {e}", flush=True)
    print(f"{count} pairs of store and record, {failed} wrong; the longest took {longest} boots to come to rest")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
