#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py [--full] [--list] [--keep] [-j N] [PATTERN...]: scenarios on virtual devices, those whose names match a shell pattern.

Prints one line for each: PASS|FAIL|SKIP NAME SECONDS [REASON], of a PASS (N s of processor); its console and what else it says is in out/vm/log/NAME.log. Without
--full the long ones are skipped. Exit status: 0, or 1 where one failed."""
import argparse
import concurrent.futures
import fnmatch
import importlib
import multiprocessing
import os
import pathlib
import resource
import sys
import time
import traceback

import chains
import guest
from device import Device
from lab import BUILD, DEB, LOGS, OUT, TOP, Failure, Skip, prune_images, run
from scenario import Context, SCENARIOS

for module in sorted(pathlib.Path(__file__).parent.glob("scenarios_*.py")):
    importlib.import_module(module.stem)


def prepare(selected):
    """What all scenarios share, made before they run beside each other."""
    prune_images()
    boards = {chains.CHAINS[s.chain].board for s in selected}
    run(TOP / "tests/vm/fetch.sh", DEB)
    lacking = chains.missing()
    if lacking:
        raise Skip("missing: " + ", ".join(lacking))
    if not (BUILD / "config.status").exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        run(TOP / "configure", "-q", cwd=BUILD)
    run("make", "-s", "-j2", "-C", BUILD, "mkartifact/mkartifact", "artifact-inspect")
    for board in sorted(boards):
        guest.artifact(guest.Release(board, "1"))


def processor():
    """Processor seconds of the children that have ended: virtual machines above all."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def one(name, keep):
    """Run a scenario in a process of its own: (verdict, seconds, reason); that of a PASS are its processor seconds."""
    s = SCENARIOS[name]
    began, used = time.monotonic(), processor()
    log = LOGS / f"{s.file}.log"
    log.unlink(missing_ok=True)
    device = Device(s.file, s.chain)
    context = Context(device)
    verdict, reason = "PASS", ""
    try:
        s.function(context)
    except Skip as e:
        verdict, reason = "SKIP", str(e)
    except Exception as e:  # pylint: disable=broad-except
        verdict, reason = "FAIL", str(e) if isinstance(e, Failure) else repr(e)
        with open(log, "a", encoding="utf-8") as f:
            traceback.print_exc(file=f)
    reason = " ".join([reason or f"({processor() - used:.0f} s of processor)", *context.warned])
    with open(log, "a", encoding="utf-8") as f:
        f.write("".join(f"== {line}\n" for line in context.said) + f"== {verdict} {name} {reason}\n")
    if not keep:
        device.remove()
    return verdict, time.monotonic() - began, reason


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--full", action="store_true", help="the long ones too")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--keep", action="store_true", help="keep disks, in out/vm/run")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="so many at once")
    parser.add_argument("patterns", nargs="*", metavar="PATTERN")
    args = parser.parse_args()
    selected = [s for s in SCENARIOS.values()
                if not args.patterns or any(fnmatch.fnmatch(s.name, p) for p in args.patterns)]
    if not selected:
        parser.error("no scenario has such a name; --list prints all")
    if args.list:
        print("\n".join(s.name + (" (--full)" if s.full else "") for s in selected))
        return 0
    for s in selected:
        if s.full and not args.full:
            print(f"SKIP {s.name} 0 only with --full", flush=True)
    selected = [s for s in selected if args.full or not s.full]
    for folder in (OUT, LOGS):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        prepare(selected)
    except (Skip, Failure) as e:
        verdict = "SKIP" if isinstance(e, Skip) else "FAIL"
        for s in selected:
            print(f"{verdict} {s.name} 0 {str(e).splitlines()[0]}")
        print(e, file=sys.stderr)
        return verdict == "FAIL"
    failed = False
    # Processes, not threads: a machine dies with the thread that started it.
    with concurrent.futures.ProcessPoolExecutor(args.jobs, multiprocessing.get_context("fork")) as pool:
        futures = {pool.submit(one, s.name, args.keep): s for s in selected}
        for future in concurrent.futures.as_completed(futures):
            verdict, seconds, reason = future.result()
            failed |= verdict == "FAIL"
            print(f"{verdict} {futures[future].name} {seconds:.1f} {reason}".rstrip(), flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
