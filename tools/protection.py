#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu bench --protection: what it costs that arenas are protected.

Counts instructions of single operations and of whole programs, with arenas
protected by keys, by pages (a CPU without keys), and not at all (boot option
protection=none), each in a machine of its own under the instruction counter.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tomllib

import figures
import tree
from bench import PROGRAM
from machine import BENCH_CPU
from mkarchive import ROOT

PROGRAMS = os.path.join(ROOT, "tests", "bench", "programs.toml")
FIGURES = os.path.join(ROOT, "docs", "performance-protection.json")
PAGE = os.path.join(ROOT, "docs", "performance.md")
BEGIN = "<!-- begin: ./bennu bench --protection --write-docs -->\n"
END = "<!-- end of protection -->\n"
# Calls that reach a service; others never see an arena.
ROWS = ("stat", "open_close", "create_close_unlink", "pwrite_4k",
        "fork_exit_wait", "vfork_exec_wait", "fork_exec_wait")
# (name, CPU, protected)
BUILDS = (("keys", BENCH_CPU + ",+pku", True),
          ("pages", BENCH_CPU + ",-pku", True),
          ("none", BENCH_CPU + ",-pku", False))
PROGRAMS_MEAN_MAX = 1.05    # geometric mean over whole programs
ROW_MAX = 1.20              # any row


class Failed(Exception):
    """A machine did not measure what it was asked to."""


def load_programs():
    with open(PROGRAMS, "rb") as file:
        return tomllib.load(file)["program"]


def load_misses():
    """{name: what may be beyond ROW_MAX, how far, why, until when}."""
    with open(PROGRAMS, "rb") as file:
        misses = {miss["name"]: miss for miss in tomllib.load(file)["miss"]}
    for miss in misses.values():
        if not (miss.get("reason") and miss.get("plan")):
            raise Failed(f"{miss['name']}: a miss needs reason and plan")
    return misses


def script(programs):
    """Each program twice: the first run fills what is filled once."""
    lines = []
    for program in programs:
        body = program["run"].strip()
        lines.append(f"run() {{ {body}; }}; run; t=$EPOCHREALTIME; run; "
                     f"u=$EPOCHREALTIME; echo \"program {program['name']} "
                     "$((${u/./} - ${t/./}))\"")
    return "\n".join(lines)


def boot(build, command, timeout):
    _, cpu, protected = build
    argv = [sys.executable, os.path.join(ROOT, "tools", "run.py"), "--icount",
            "--cpu", cpu, "--timeout", str(timeout)]
    if not protected:
        argv += ["--option", "protection=none"]
    done = subprocess.run(argv + ["--", *command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise Failed(f"exit code {done.returncode}: {done.stderr[-500:]}")
    return done.stdout.splitlines()


def measure_build(build, programs, timeout):
    """{name: instructions}; a nanosecond of that machine is one."""
    counts = {}
    for line in boot(build, [PROGRAM, *ROWS], timeout):
        if figures.is_row(line):
            row = figures.parse_row(line)
            counts[row["name"]] = row["median"]
    for line in boot(build, ["/bin/bash", "-c", script(programs)], timeout):
        word, name, microseconds = (line.split() + ["", "", ""])[:3]
        if word == "program":
            counts[name] = int(microseconds) * 1000
    wanted = set(ROWS) | {program["name"] for program in programs}
    if set(counts) != wanted:
        raise Failed(f"not measured: {sorted(wanted ^ set(counts))}")
    return counts


def measure(programs, timeout):
    out = {}
    for build in BUILDS:
        print(f"measuring {build[0]}", file=sys.stderr)
        out[build[0]] = measure_build(build, programs, timeout)
    return out


def ratio(measured, build, name):
    return measured[build][name] / measured["none"][name]


def mean(measured, build, names):
    return math.exp(sum(math.log(ratio(measured, build, name))
                        for name in names) / len(names))


def limit_problems(measured, programs):
    names = [program["name"] for program in programs]
    misses = load_misses()
    for build in ("keys", "pages"):
        value = mean(measured, build, names)
        if value > PROGRAMS_MEAN_MAX:
            yield f"{build}: programs take {value:.3f} times as many " \
                  f"instructions, {PROGRAMS_MEAN_MAX} allowed"
        for name in list(ROWS) + names:
            limit = misses[name]["at_most"] if name in misses else ROW_MAX
            if ratio(measured, build, name) > limit:
                yield f"{build}: {name} takes " \
                      f"{ratio(measured, build, name):.3f} times as many " \
                      f"instructions, {limit} allowed"


def page_part(measured, programs):
    names = [program["name"] for program in programs]
    texts = {program["name"]: program["text"] for program in programs}
    texts |= {name: row["text"] for name, row in figures.load_rows().items()
              if name in ROWS}
    lines = ["| what | unprotected | keys | ratio | pages | ratio |\n",
             "|---|--:|--:|--:|--:|--:|\n"]
    for name in list(ROWS) + names:
        cells = [f"`{name}` {texts[name]}",
                 figures.number(measured["none"][name])]
        for build in ("keys", "pages"):
            cells += [figures.number(measured[build][name]),
                      f"{ratio(measured, build, name):.3f}"]
        lines.append("| " + " | ".join(cells) + " |\n")
    for text, group in (("operations", ROWS), ("programs", names)):
        lines.append(f"| geometric mean of the {text} | | | "
                     f"{mean(measured, 'keys', group):.3f} | | "
                     f"{mean(measured, 'pages', group):.3f} |\n")
    lines += ["\nWhere a row misses 1.20, and why:\n\n"]
    lines += [f"- `{miss['name']}`: {miss['reason']}. *Plan:* "
              f"{miss['plan']}.\n" for miss in load_misses().values()]
    return BEGIN + "".join(lines) + END


def split_page(text):
    """Returns what is before, inside and behind the marks."""
    start = text.index(BEGIN)
    end = text.index(END, start) + len(END)
    return text[:start], text[start:end], text[end:]


def read_figures():
    with open(FIGURES, encoding="utf-8") as file:
        return json.load(file)


def problems(measured, programs, page):
    """Of what is stored, for check/figures."""
    yield from limit_problems(measured, programs)
    if split_page(page)[1] != page_part(measured, programs):
        yield "docs/performance.md is not what the figures of protection " \
              "say: run ./bennu bench --protection --write-docs"


def write_docs(measured, programs):
    with open(FIGURES, "w", encoding="utf-8") as file:
        json.dump(measured, file, indent=1, sort_keys=True)
        file.write("\n")
    before, _, after = split_page(tree.read_text("docs/performance.md"))
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(before + page_part(measured, programs) + after)


def parse(argv):
    parser = argparse.ArgumentParser(prog="./bennu bench --protection",
                                     description=__doc__.split("\n\n")[1])
    parser.add_argument("--write-docs", action="store_true",
                        help="store the figures and write "
                        "docs/performance.md")
    parser.add_argument("--timeout", type=int, default=300, metavar="S",
                        help="for each machine (default %(default)s)")
    return parser.parse_args(argv)


def main(argv):
    arguments = parse([word for word in argv if word != "--protection"])
    programs = load_programs()
    try:
        measured = measure(programs, arguments.timeout)
    except Failed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    sys.stdout.write(page_part(measured, programs))
    if arguments.write_docs:
        write_docs(measured, programs)
    failed = list(limit_problems(measured, programs))
    for problem in failed:
        print(f"bench: {problem}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
