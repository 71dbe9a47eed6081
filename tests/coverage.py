# SPDX-License-Identifier: Apache-2.0
"""coverage.py GCOVR-JSON SOURCE-DIRECTORY EXCLUSIONS: print branch coverage, file by file.

An exclusion is a line "FILE<tab>TEXT<tab>REASON": branches that were not taken on lines of FILE that
contain TEXT do not count. One that excuses nothing any more is reported, so that the list stays true.
With MISSING=1 in the environment every line with a branch not taken is printed.
"""
import json
import os
import sys

CORE = ["tar.c", "sig.c", "base64.c", "key.c", "trust.c", "policy.c", "json.c", "word.c", "version.c", "manifest.c",
        "manifest_parse.c", "index.c", "chunk.c", "reader.c", "digest.c", "crypto.c"]


def read_exclusions(path):
    found = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, text, reason = line.rstrip("\n").split("\t")
                assert reason.strip(), "no reason: " + line
                found.append((name, text))
    return found


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    exclusions = read_exclusions(sys.argv[3])
    used = set()
    totals = {}
    missing = []
    for entry in report["files"]:
        name = entry["file"]
        if not name.endswith(".c"):
            continue
        with open(os.path.join(sys.argv[2], name), encoding="utf-8") as file:
            source = file.read().split("\n")
        short = name[len("libartifact/"):]
        sums = totals.setdefault(short, [0, 0, 0])
        for line in entry["lines"]:
            if not line["branches"]:
                continue
            text = source[line["line_number"] - 1]
            for branch in line["branches"]:
                taken = branch["count"] > 0
                if not taken:
                    excuse = [e for e in exclusions if e[0] == short and e[1] in text]
                    if excuse:
                        used.update(excuse)
                        sums[2] += 1
                        continue
                    missing.append("%s:%d: %s" % (name, line["line_number"], text.strip()))
                sums[0] += taken
                sums[1] += 1
    if os.environ.get("MISSING") == "1":
        print("\n".join(dict.fromkeys(missing)))
    for short in sorted(totals):
        taken, known, excluded = totals[short]
        print("%-24s %5d of %5d branches %6.1f %%  (%d excluded)%s"
              % (short, taken, known, 100.0 * taken / max(known, 1), excluded,
                 "  core" if short in CORE else ""))
    failed = False
    for label, names, limit in (("verification core", CORE, "COVERAGE_CORE"),
                                ("libartifact", list(totals), "COVERAGE_ALL")):
        rows = [totals[n] for n in names if n in totals]
        taken, known, excluded = (sum(row[i] for row in rows) for i in range(3))
        percent = 100.0 * taken / max(known, 1)
        print("branch coverage of %s: %d of %d, %.1f %% (%d excluded)"
              % (label, taken, known, percent, excluded))
        failed |= percent < float(os.environ.get(limit, "0"))
    for exclusion in exclusions:
        if exclusion not in used:
            print("exclusion without use: %s: %s" % exclusion)
    sys.exit(1 if failed else 0)


main()
