#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu bench: instructions per operation, counted by the emulator.

The bench service (kernel log) and the linux-bench program (standard output)
print one line for each operation:

    row NAME MEDIAN P99 GOAL [KEY=COUNT ...]
    skip NAME WHY

GOAL 0 means that tests/bench/rows.toml has it, or nobody; KEY=COUNT is the
ledger of expensive events of one operation. Everything else is passed on.

With --peers the same binary also runs on Linux in the same machine.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import figures
import peers
from figures import BadRow, is_row, parse_row
from machine import BENCH_CPU, command_line
from mkarchive import GUEST, ROOT
from peers import PeerFailed

PROGRAM = "/bin/tests/linux-bench"
HANDOVER = os.path.join(GUEST, "handover.elf")
# Limits that the tests enforce; everything else is a goal.
GATES = {"ipc_call_reply": 489, "null": 80, "recovery_cold": 300000,
         "recovery_spare": 100000, "recovery_parked": 100000,
         "recovery_released": 100000}
NATIVE_PREFIX = "bench: "
NOTHING = "-"               # names no row
# Parts that are boots of their own, and what the program is told.
MODES = {"main": [], "many": ["--many"], "boot": ["--boot"]}
MEMORY = {"many": "6G"}


def native_rows(log):
    """Rows that the bench service wrote to the kernel log."""
    with open(log, encoding="utf-8", errors="replace") as file:
        return [parse_row(line[len(NATIVE_PREFIX):]) for line in file
                if line.startswith(NATIVE_PREFIX + "row ")]


def wanted_parts(arguments, known):
    """Returns {part: names}; no names are all of them."""
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        raise BadRow(f"tests/bench/rows.toml has no {unknown[0]}")
    if arguments.names:
        parts = {}
        for name in arguments.names:
            parts.setdefault(known[name]["part"], []).append(name)
        return parts
    names = figures.PARTS if arguments.peers else ("main", "native")
    return {part: [] for part in names}


def boots(parts):
    """Yields (part, words for the program, whether the service measures too).
    """
    native = "native" in parts
    if native and "main" not in parts:
        yield "main", [NOTHING], True
    for part, words in MODES.items():
        if part in parts:
            yield part, words + ([] if part == "boot" else parts[part]), \
                native and part == "main"


def run_guest(arguments, part, words, native):
    """Boots Bennu once. Returns (exit code, rows)."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        argv = [sys.executable, os.path.join(ROOT, "tools", "run.py"),
                "--icount", "--cpu", arguments.cpu,
                "--machine", arguments.machine,
                "--memory", MEMORY.get(part, arguments.memory),
                "--timeout", str(arguments.timeout), "--kernel-log", log]
        if native:
            argv += ["--option", "bench=1"]
        code, rows = read_rows(argv + ["--", arguments.program, *words])
        if native and os.path.exists(log):
            rows = native_rows(log) + rows
    return code, rows


def read_rows(argv):
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True,
                               errors="replace")
    rows = []
    try:
        for line in process.stdout:
            if is_row(line):
                rows.append(parse_row(line))
            else:
                sys.stderr.write(line)
        return process.wait(), rows
    finally:
        process.terminate()
        process.wait()


def machine_of(arguments, part):
    return SimpleNamespace(
        cpus=1, memory=MEMORY.get(part, arguments.memory), cpu=arguments.cpu,
        machine=arguments.machine, icount=True, append="", debug=False,
        image=None, firmware="bios", kernel=None, timeout=arguments.timeout)


def firmware_rows(arguments):
    """The time stamp counter at the first instruction of a kernel.
    The size of the boot module, here any file, makes no difference.
    """
    machine = machine_of(arguments, "firmware")
    machine.kernel = HANDOVER
    argv = command_line(machine, HANDOVER, "null,id=com2", "stdio,id=com1")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=60)
    try:
        count = int(done.stdout, 16)
    except ValueError as error:
        raise BadRow(f"the firmware's time: {done.stdout!r} "
                     f"{done.stderr}") from error
    return [parse_row(f"row boot_firmware {count} {count} 0")]


def linux_rows(arguments, parts):
    rows = []
    for part, words, _ in boots(parts):
        lines = peers.run(machine_of(arguments, part), words)
        rows += [parse_row(line) for line in lines if is_row(line)]
    return rows


def measure(arguments, known):
    """Returns (exit code, rows in the order of the file)."""
    parts, code, rows = wanted_parts(arguments, known), 0, []
    for part, words, native in boots(parts):
        status, more = run_guest(arguments, part, words, native)
        code, rows = code or status, rows + more
    if "firmware" in parts:
        rows += firmware_rows(arguments)
    figures.set_goals(rows, known)
    if arguments.peers:
        figures.add_linux(rows, linux_rows(arguments, parts))
    order = list(known)
    return code, sorted(rows, key=lambda row: order.index(row["name"]))


def all_figures(arguments, rows):
    out = {"rows": rows}
    if arguments.peers:
        machine = machine_of(arguments, "main")
        argv = command_line(machine, "MODULE", "COM2", "COM1")
        skip = argv.index("-nodefaults")
        out["linux"] = peers.kernel()[1]
        out["linux_options"] = peers.OPTIONS
        out["machine"] = " ".join(["qemu-system-x86_64", *argv[1:skip],
                                   *argv[-2:]])
    return out


def limit_problems(rows, known):
    """Counts of a ledger that have a limit of their own."""
    ledgers = {row["name"]: row["ledger"] for row in rows}
    for name, row in known.items():
        for key, limit in row.get("limits", {}).items():
            count = ledgers.get(name, {}).get(key)
            if count is None:
                yield f"{name} {key} was not measured"
            elif count > limit:
                yield f"{name} {key} is {count}, {limit} allowed"


def gate_problems(rows):
    medians = {row["name"]: row["median"] for row in rows}
    for name, limit in GATES.items():
        if name not in medians:
            yield f"{name} was not measured"
        elif medians[name] > limit:
            yield f"{name} takes {medians[name]} instructions, " \
                  f"{limit} allowed"


def rewrite_page(known):
    """The page anew from the stored figures, for a changed rows.toml."""
    stored = figures.read_figures()
    for row in stored["rows"]:
        row["goal"] = known.get(row["name"], row).get("goal", 0)
    write_docs(stored, known)


def write_docs(measured, known):
    figures.write_page(measured, known)
    figures.write_json(figures.FIGURES, measured)


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu bench",
        description="Counts instructions of single operations under the "
        "emulator's instruction counter. The table goes to standard output.")
    parser.add_argument("--json", metavar="FILE",
                        help="also write the rows as JSON")
    parser.add_argument("--gate", action="store_true",
                        help="fail if a limit of the tests is exceeded")
    parser.add_argument("--peers", action="store_true",
                        help="measure all there is, on Linux as well: fetches "
                        "Debian's kernel into build/peers")
    parser.add_argument("--write-docs", action="store_true",
                        help="with --peers, store the figures in docs; alone, "
                        "write docs/performance.md from those stored")
    parser.add_argument("--cpu", default=BENCH_CPU, metavar="MODEL")
    parser.add_argument("--machine", default="microvm")
    parser.add_argument("--memory", default="256M")
    parser.add_argument("--timeout", type=float, default=600, metavar="S")
    parser.add_argument("--program", default=PROGRAM, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="only these operations")
    arguments = parser.parse_args(argv)
    if arguments.write_docs and arguments.names:
        parser.error("--write-docs: takes all operations")
    return arguments


def bench(arguments):
    known = figures.load_rows()
    if arguments.write_docs and not arguments.peers:
        rewrite_page(known)
        return 0
    code, rows = measure(arguments, known)
    measured = all_figures(arguments, rows)
    print("\n".join(figures.table(rows)))
    if arguments.json:
        figures.write_json(arguments.json, measured)
    if arguments.write_docs:
        write_docs(measured, known)
    if not rows:
        print("bennu bench: the guest measured nothing", file=sys.stderr)
    problems = [*gate_problems(rows), *limit_problems(rows, known)] \
        if arguments.gate else []
    for problem in problems:
        print(f"bennu bench: {problem}", file=sys.stderr)
    return code or (1 if problems or not rows else 0)


def main(argv):
    try:
        return bench(parse(argv))
    except (BadRow, PeerFailed) as error:
        print(f"bennu bench: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
