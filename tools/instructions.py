#!/usr/bin/env python3
"""Compares what `guard_work` executed under callgrind with what is recorded.

usage: instructions.py DUMPS PROGRAM RECORD CIRCUMSTANCES [--record]

DUMPS is the folder of callgrind's dumps, each described by "KIND OPERATIONS"; PROGRAM the file that
ran, whose own instructions are not counted, but of callers and handlers nothing else is; RECORD the file with the figures, by CIRCUMSTANCES, what
they depend on beside this project's code; --record puts those of the dumps there.

Ends with `N passed, N failed`. Under circumstances that nothing was recorded for, nothing is
compared.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass

# A dearer one fails. A cheaper one should be recorded, and is said.
TOLERANCE = 0.05

Figures = dict[str, float]

TRIGGER = re.compile(r"desc: Trigger: Client Request: (.+) (\d+)")
COMPRESSED = re.compile(r"\((\d+)\)(?: (.*))?")
COST = re.compile(r"[+*-]?\d* ?(\d+)$")


@dataclass
class Dump:
    kind: str
    operations: int
    by_object: dict[str, int]


def read_dump(path: str) -> Dump | None:
    """Returns what is counted in a dump, by the object whose code it is; None without a trigger."""
    names: dict[str, str] = {}
    by_object: dict[str, int] = {}
    current = ""
    dump = None
    inclusive = False  # the line after calls= repeats what the callee has cost
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            line = line.rstrip("\n")
            if found := TRIGGER.match(line):
                dump = Dump(found[1], int(found[2]), by_object)
            elif line.startswith(("ob=", "cob=")):
                number, name = COMPRESSED.fullmatch(line.split("=", 1)[1]).groups()
                if name is not None:
                    names[number] = name
                if line.startswith("ob="):
                    current = names[number]
            elif line.startswith("calls="):
                inclusive = True
            elif line[:1] in "+-*0123456789" and (cost := COST.search(line)):
                if not inclusive:
                    by_object[current] = by_object.get(current, 0) + int(cost[1])
                inclusive = False
    return dump


def read_dumps(folder: str, program: str) -> Figures:
    """Returns the instructions per operation, by kind: of everything but the program itself, or of
    what the program does around the library's calls."""
    figures: Figures = {}
    for name in sorted(os.listdir(folder)):
        dump = read_dump(os.path.join(folder, name))
        if dump is None:
            continue
        own = dump.kind.startswith(("caller", "handler"))
        counted = {
            path: cost
            for path, cost in dump.by_object.items()
            if (os.path.basename(path) == os.path.basename(program)) == own and path != "???"
        }
        figures[dump.kind] = round(sum(counted.values()) / dump.operations, 1)
    return figures


def compare(figures: Figures, recorded: Figures) -> list[str]:
    """Prints a table; returns the kinds that cost more than they may."""
    failed = []
    print(f"{'instructions of a':26} {'now':>8} {'recorded':>9} {'ratio':>7}")
    for kind, now in figures.items():
        before = recorded.get(kind)
        if before is None:
            print(f"{kind:26} {now:8.1f} {'':>9} {'':>7}  not recorded")
            continue
        remark = ""
        if now > before * (1 + TOLERANCE):
            failed.append(kind)
            remark = f"  more than {TOLERANCE:.0%} above"
        elif now < before * (1 - TOLERANCE):
            remark = "  cheaper: tools/dev guard --record"
        print(f"{kind:26} {now:8.1f} {before:9.1f} {now / before:7.3f}{remark}")
    return failed


def main() -> int:
    arguments = [argument for argument in sys.argv[1:] if argument != "--record"]
    folder, program, record_path, circumstances = arguments
    with open(record_path, encoding="utf-8") as file:
        record: dict[str, Figures] = json.load(file)
    figures = read_dumps(folder, program)
    if not figures:
        print("guard_work has left no figures")
        print("0 passed, 1 failed")
        return 1
    if "--record" in sys.argv:
        record[circumstances] = figures
        with open(record_path, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=2, sort_keys=True)
            file.write("\n")
    recorded = record.get(circumstances, {})
    failed = compare(figures, recorded)
    failed += [f"{kind} (is not measured any more)" for kind in recorded if kind not in figures]
    for kind in failed:
        print(f"FAILED  {kind}")
    if not recorded:
        print(f"not compared: nothing is recorded for {circumstances}, only for:")
        for known in record:
            print(f"  {known}")
    passed = sum(kind in recorded for kind in figures) - sum(kind in figures for kind in failed)
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
