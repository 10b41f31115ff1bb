#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu bench --ipc: runs benchmark-ipc, and keeps its figures in docs.

docs/performance-ipc.json holds what it wrote; the part of docs/performance.md
between the second pair of marks is made from it and from tests/bench/ipc.toml.
A goal that is missed or not measured needs a reason and a plan there.
"""

import argparse
import json
import os
import subprocess
import sys

from figures import PAGE, BadRow
from ipc_goals import BadGoal, load_goals
from mkarchive import ROOT

PROGRAM = os.path.join(ROOT, "build", "host", "bin", "benchmark-ipc")
FIGURES = os.path.join(ROOT, "docs", "performance-ipc.json")
BEGIN = "<!-- begin: ./bennu bench --ipc --write-docs -->\n"
END = "<!-- end of messages -->\n"
MATRIX = "channel-matrix."
SECTIONS = (
    ("round_trip_32", "Round trip, 32 bytes"),
    ("round_trip_64", "Round trip, 64 bytes"),
    ("stream_64", "Stream of 64 bytes"),
    ("stream_4096", "Stream of 4 KiB"),
    ("stream_65536", "Stream of 64 KiB"),
)


def what(row):
    return row["name"].split(".", 1)[1]


def number(value):
    """Three digits at least, no more than the figure deserves."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def speed(row):
    """GB/s of a stream."""
    if row["unit"] != "ns" or not what(row).startswith("stream_"):
        return "-"
    return number(row["size"] / row["median"])


def spread(row):
    if not row["median"]:
        return "-"
    return f"{100 * (row['high'] - row['low']) / row['median']:.0f}"


def row_lines(rows):
    yield "| figure | median | best | ±% | unit | × floor | GB/s | |"
    yield "|---|--:|--:|--:|---|--:|--:|---|"
    for row in rows:
        ratio = number(row["ratio"]) if "ratio" in row else "-"
        cells = (f"`{row['name']}`", number(row["median"]),
                 number(row["best"]), spread(row), row["unit"], ratio,
                 speed(row), row["text"])
        yield "| " + " | ".join(cells) + " |"


def matrix_lines(rows):
    """Senders down, receivers across."""
    cells = {tuple(int(word) for word in what(row).split("x")):
             row["median"] for row in rows if row["name"].startswith(MATRIX)}
    if not cells:
        return
    across = sorted({receivers for _, receivers in cells})
    yield "### Many senders and receivers on one channel, ns of a message"
    yield ""
    yield "| senders | " + " | ".join(
        f"{receivers} receivers" for receivers in across) + " |"
    yield "|--:|" + "--:|" * len(across)
    for senders in sorted({senders for senders, _ in cells}):
        yield f"| {senders} | " + " | ".join(
            number(cells[senders, receivers]) for receivers in across) + " |"
    yield ""


def limit(goal):
    if "at_least" in goal:
        return f"≥ {goal['at_least']:g}"
    return f"≤ {goal['at_most']:g}"


def goal_lines(results, goals):
    yield "| goal | value | limit | verdict | |"
    yield "|---|--:|--:|---|---|"
    for goal in results["goals"]:
        value = "-" if goal["value"] is None else number(goal["value"])
        yield f"| `{goal['name']}` | {value} | {limit(goal)} | " \
            f"{goal['verdict']} | {goals[goal['name']]['text']} |"


def miss_lines(results, goals):
    for goal in results["goals"]:
        if goal["verdict"] != "met":
            text = goals[goal["name"]]
            yield f"- `{goal['name']}` ({goal['verdict']}): " \
                f"{text.get('reason')}. *Plan:* {text.get('plan')}."


def page_part(results, goals):
    """The generated part of the page, marks included."""
    machine, rows = results["machine"], results["rows"]
    lines = [f"{machine['processor']}, Linux {machine['kernel']}, "
             f"{machine['cycles_per_ns']:.3g} cycles in a ns; median of "
             f"{results['rounds']} rounds of {results['batch_ms']} ms.", ""]
    for name, title in SECTIONS:
        lines += [f"### {title}", "",
                  *row_lines([row for row in rows if what(row) == name]), ""]
    names = {name for name, _ in SECTIONS}
    lines += ["### Single operations and totals", "",
              *row_lines([row for row in rows if what(row) not in names
                          and not row["name"].startswith(MATRIX)]), ""]
    lines += matrix_lines(rows)
    for absent in results["absent"]:
        lines += [f"Not measured: `{absent['name']}` ({absent['why']}).", ""]
    lines += ["### Goals of messages", "", *goal_lines(results, goals), "",
              *miss_lines(results, goals)]
    return BEGIN + "\n".join(lines) + "\n" + END


def split_page(text):
    """Returns what is before, inside and behind the marks."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 \
            or text.index(BEGIN) > text.index(END):
        raise BadRow("docs/performance.md: not exactly one part on messages")
    before, rest = text.split(BEGIN)
    inside, behind = rest.split(END)
    return before, BEGIN + inside + END, behind


def problems(results, goals, page):
    """What is wrong with the stored figures, the goals and the page."""
    measured = {goal["name"]: goal for goal in results["goals"]}
    if list(measured) != list(goals):
        yield "docs/performance-ipc.json and tests/bench/ipc.toml differ: " \
            "run ./bennu bench --ipc --write-docs"
        return
    for name, goal in goals.items():
        if limit(goal) != limit(measured[name]):
            yield f"{name}: measured against another goal"
        if measured[name]["verdict"] != "met" \
                and not (goal.get("reason") and goal.get("plan")):
            yield f"the goal {name} is {measured[name]['verdict']}: " \
                "tests/bench/ipc.toml needs a reason and a plan"
    try:
        inside = split_page(page)[1]
    except BadRow as error:
        yield str(error)
        return
    if inside != page_part(results, goals):
        yield "docs/performance.md is not what the figures of messages say: " \
            "run ./bennu bench --ipc --rewrite-docs"


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write_page(results, goals):
    with open(PAGE, encoding="utf-8") as file:
        before, _, behind = split_page(file.read())
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(before + page_part(results, goals) + behind)


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu bench --ipc",
        description="What messages cost on this machine, by many ways: "
        "benchmark-ipc(1), built for speed. Other options are its own.")
    parser.add_argument("--ipc", action="store_true", required=True)
    parser.add_argument("--write-docs", action="store_true",
                        help="store the figures in docs")
    parser.add_argument("--rewrite-docs", action="store_true",
                        help="write docs/performance.md from those stored, "
                        "measure nothing")
    return parser.parse_known_args(argv)


def bench(argv):
    arguments, rest = parse(argv)
    if arguments.rewrite_docs:
        write_page(read_json(FIGURES), load_goals())
        return 0
    if arguments.write_docs:
        rest += ["--json", FIGURES]
    code = subprocess.run([PROGRAM, *rest], check=False,
                          stdin=subprocess.DEVNULL).returncode
    if arguments.write_docs and code == 0:
        write_page(read_json(FIGURES), load_goals())
    return code


def main(argv):
    try:
        return bench(argv)
    except (BadRow, BadGoal, OSError) as error:
        print(f"bennu bench: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
