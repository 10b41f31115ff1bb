#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu bench: instructions per operation, counted by the emulator.

The bench service (kernel log) and the linux-bench program (standard output)
print one line for each operation:

    row NAME MEDIAN P99 GOAL [KEY=COUNT ...]

GOAL 0 means none; KEY=COUNT is the ledger of expensive events of one
operation. Everything else it prints is passed on.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from machine import BENCH_CPU
from mkarchive import ROOT

PROGRAM = "/bin/tests/linux-bench"
# Limits that the tests enforce; everything else is a goal.
GATES = {"ipc_call_reply": 489, "null": 80}
NATIVE_PREFIX = "bench: row "
UNIT = "instructions"


class BadRow(Exception):
    """The guest printed a row that is none."""


def parse_row(line):
    words = line.split()
    try:
        name, numbers = words[1], [int(word) for word in words[2:5]]
        median, p99, goal = numbers
        ledger = {}
        for word in words[5:]:
            key, value = word.split("=", 1)
            ledger[key] = int(value)
    except (IndexError, ValueError) as error:
        raise BadRow(f"bad row from the guest: {line!r}") from error
    return {"name": name, "unit": UNIT, "median": median, "p99": p99,
            "goal": goal, "ledger": ledger}


def verdict(row):
    if not row["goal"]:
        return "-"
    ratio = row["median"] / row["goal"]
    return "met" if ratio <= 1 else f"{ratio:.2f} x"


def table(rows):
    cells = [("operation", "median", "p99", "goal", "verdict", "ledger")]
    for row in rows:
        ledger = " ".join(f"{key}={count}"
                          for key, count in row["ledger"].items())
        cells.append((row["name"], str(row["median"]), str(row["p99"]),
                      str(row["goal"] or "-"), verdict(row), ledger))
    widths = [max(len(line[i]) for line in cells) for i in range(5)]
    for line in cells:
        left = line[0].ljust(widths[0])
        right = "  ".join(line[i].rjust(widths[i]) for i in range(1, 5))
        yield f"{left}  {right}  {line[5]}".rstrip()


def native_rows(log):
    """Rows that the bench service wrote to the kernel log."""
    with open(log, encoding="utf-8", errors="replace") as file:
        return [parse_row(line[len("bench: "):]) for line in file
                if line.startswith(NATIVE_PREFIX)]


def measure(arguments):
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        code, rows = run_guest(arguments, log)
        if os.path.exists(log):
            rows = native_rows(log) + rows
    return code, rows


def run_guest(arguments, log):
    """Returns (exit code, rows)."""
    argv = [sys.executable, os.path.join(ROOT, "tools", "run.py"),
            "--icount", "--cpu", arguments.cpu,
            "--machine", arguments.machine, "--memory", arguments.memory,
            "--timeout", str(arguments.timeout), "--option", "bench=1",
            "--kernel-log", log, "--", arguments.program, *arguments.names]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True,
                               errors="replace")
    rows = []
    try:
        for line in process.stdout:
            if line.startswith("row "):
                rows.append(parse_row(line))
            else:
                sys.stderr.write(line)
        return process.wait(), rows
    finally:
        process.terminate()
        process.wait()


def gate_problems(rows):
    medians = {row["name"]: row["median"] for row in rows}
    for name, limit in GATES.items():
        if name not in medians:
            yield f"{name} was not measured"
        elif medians[name] > limit:
            yield f"{name} takes {medians[name]} instructions, " \
                  f"{limit} allowed"


def main(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu bench",
        description="Counts instructions of single operations under the "
        "emulator's instruction counter. The table goes to standard output.")
    parser.add_argument("--json", metavar="FILE",
                        help="also write the rows as JSON")
    parser.add_argument("--gate", action="store_true",
                        help="fail if a limit of the tests is exceeded")
    parser.add_argument("--cpu", default=BENCH_CPU, metavar="MODEL")
    parser.add_argument("--machine", default="microvm")
    parser.add_argument("--memory", default="256M")
    parser.add_argument("--timeout", type=float, default=600, metavar="S")
    parser.add_argument("--program", default=PROGRAM, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="only these operations")
    arguments = parser.parse_args(argv)
    try:
        code, rows = measure(arguments)
    except BadRow as error:
        print(f"bennu bench: {error}", file=sys.stderr)
        return 1
    print("\n".join(table(rows)))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"rows": rows}, file, indent=1)
            file.write("\n")
    if not rows:
        print("bennu bench: the guest measured nothing", file=sys.stderr)
    problems = list(gate_problems(rows)) if arguments.gate else []
    for problem in problems:
        print(f"bennu bench: {problem}", file=sys.stderr)
    return code or (1 if problems or not rows else 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
