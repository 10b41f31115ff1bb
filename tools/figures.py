# SPDX-License-Identifier: MIT
"""The figures of ./bennu bench: what the guests print, tests/bench/rows.toml,
and docs/performance.md between its two marks.

A row of tests/bench/rows.toml has

    name    as the guest prints it
    text    what is counted, for people
    part    the program's mode that measures it: main (default), many, boot; or
            native (the bench service) or firmware
    goal    instructions at most, if there is one
    peers   what others publish or was measured elsewhere
    reason  why the goal is missed
    plan    what will be done about it
    limits  counts of the ledger that must not be exceeded: a gate of the tests

A row that misses its goal, or cannot be measured yet, needs the last two.
"""

import json
import os
import re
import tomllib

from mkarchive import ROOT

ROWS = os.path.join(ROOT, "tests", "bench", "rows.toml")
FIGURES = os.path.join(ROOT, "docs", "performance.json")
PAGE = os.path.join(ROOT, "docs", "performance.md")
UNIT = "instructions"
KEYS = {"name", "text", "part", "goal", "peers", "reason", "plan", "limits"}
PARTS = ("main", "native", "many", "boot", "firmware")
BEGIN = "<!-- begin: ./bennu bench --peers --write-docs -->\n"
END = "<!-- end -->\n"
SKIP = re.compile(r"skip (\S+) (.+)")


class BadRow(Exception):
    """A guest printed a row that is none, or the file of rows is wrong."""


def load_rows(path=ROWS):
    """Returns {name: row} in the order of the file."""
    with open(path, "rb") as file:
        rows = tomllib.load(file)["row"]
    out = {}
    for row in rows:
        name = row.get("name", "?")
        if set(row) - KEYS or "text" not in row or name in out \
                or row.setdefault("part", "main") not in PARTS:
            raise BadRow(f"{path}: row {name}")
        out[name] = row
    return out


def parse_row(line):
    """A line `row ...` or `skip ...` of a guest."""
    skip = SKIP.fullmatch(line.rstrip())
    if skip:
        return {"name": skip.group(1), "unit": UNIT, "median": None,
                "p99": None, "goal": 0, "ledger": {},
                "skipped": skip.group(2)}
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


def is_row(line):
    return line.startswith(("row ", "skip "))


def set_goals(rows, known):
    """Goals come from the file; a guest that has its own must agree."""
    for row in rows:
        if row["name"] not in known:
            raise BadRow(f"{row['name']} is not in tests/bench/rows.toml")
        goal = known[row["name"]].get("goal", 0)
        if row["goal"] not in (0, goal):
            raise BadRow(f"the goal of {row['name']} is {row['goal']} in the "
                         f"guest and {goal} in tests/bench/rows.toml")
        row["goal"] = goal


def add_linux(rows, others):
    """Puts the medians of Linux beside ours."""
    medians = {row["name"]: row["median"] for row in others}
    for row in rows:
        row["linux"] = medians.get(row["name"])


def verdict(row):
    if row["median"] is None:
        return "not yet"
    if not row["goal"]:
        return "-"
    ratio = row["median"] / row["goal"]
    return "met" if ratio <= 1 else f"{ratio:.2f} x"


def against(row):
    """How many times more than Linux's."""
    if row["median"] is None or not row.get("linux"):
        return "-"
    return f"{row['median'] / row['linux']:.2f}"


def ledger_text(row):
    return row.get("skipped") or " ".join(
        f"{key}={count}" for key, count in row["ledger"].items())


def table(rows):
    """Lines for a terminal; Linux's columns only if it was measured."""
    head = ["operation", "median", "p99", "goal", "verdict"]
    peers = any("linux" in row for row in rows)
    cells = [head + (["linux", "ratio"] if peers else []) + ["ledger"]]
    for row in rows:
        line = [row["name"], str(row["median"] or "-"), str(row["p99"] or "-"),
                str(row["goal"] or "-"), verdict(row)]
        if peers:
            line += [str(row.get("linux") or "-"), against(row)]
        cells.append(line + [ledger_text(row)])
    widths = [max(len(line[i]) for line in cells)
              for i in range(len(cells[0]) - 1)]
    for line in cells:
        left = line[0].ljust(widths[0])
        right = "  ".join(line[i].rjust(widths[i])
                          for i in range(1, len(widths)))
        yield f"{left}  {right}  {line[-1]}".rstrip()


def missed(row):
    return bool(row["goal"]) and (row["median"] is None
                                  or row["median"] > row["goal"])


def number(value):
    return f"{value:,}".replace(",", " ") if value else "-"


def page_table(rows, known):
    yield "| operation | median | p99 | goal | Linux | ratio | verdict " \
        "| others, ledger |"
    yield "|---|--:|--:|--:|--:|--:|---|---|"
    for row in rows:
        text = known[row["name"]]
        notes = "; ".join(note for note in (text.get("peers"),
                                            ledger_text(row)) if note)
        cells = (f"`{row['name']}` {text['text']}", number(row["median"]),
                 number(row["p99"]), number(row["goal"]),
                 number(row.get("linux")), against(row), verdict(row),
                 notes or "-")
        yield "| " + " | ".join(cells) + " |"


def page_misses(rows, known):
    for row in rows:
        if missed(row):
            text = known[row["name"]]
            yield f"- `{row['name']}` ({verdict(row)}): " \
                f"{text.get('reason')}. *Plan:* {text.get('plan')}."


def page_part(figures, known):
    """The generated part of the page, marks included."""
    rows = figures["rows"]
    lines = [f"Peer: {figures['linux']}, booted with "
             f"`{figures['linux_options']}`.", "",
             f"Both: `{figures['machine']}`.", "",
             *page_table(rows, known), "", "### Where it misses, and why", "",
             *page_misses(rows, known)]
    return BEGIN + "\n".join(lines) + "\n" + END


def split_page(text):
    """Returns what is before, inside and behind the marks."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise BadRow("docs/performance.md: not exactly one generated part")
    before, rest = text.split(BEGIN)
    if END not in rest:
        raise BadRow("docs/performance.md: the generated part has no end")
    inside, behind = rest.split(END)
    return before, BEGIN + inside + END, behind


def problems(figures, known, page):
    """What is wrong with the stored figures, the rows and the page."""
    rows = figures["rows"]
    measured = [row["name"] for row in rows]
    if measured != list(known):
        odd = set(measured) ^ set(known) or {"their order"}
        yield "docs/performance.json and tests/bench/rows.toml differ in " \
            + ", ".join(sorted(odd)) + ": run ./bennu bench --peers " \
            "--write-docs"
        return
    for row in rows:
        text = known[row["name"]]
        if row["goal"] != text.get("goal", 0):
            yield f"{row['name']}: measured against another goal"
        if missed(row) and not (text.get("reason") and text.get("plan")):
            yield f"{row['name']} misses its goal: tests/bench/rows.toml " \
                "needs a reason and a plan"
    try:
        inside = split_page(page)[1]
    except BadRow as error:
        yield str(error)
        return
    if inside != page_part(figures, known):
        yield "docs/performance.md is not what the figures say: run " \
            "./bennu bench --write-docs"


def read_figures():
    with open(FIGURES, encoding="utf-8") as file:
        return json.load(file)


def write_json(path, figures):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=1)
        file.write("\n")


def write_page(figures, known):
    with open(PAGE, encoding="utf-8") as file:
        before, _, behind = split_page(file.read())
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(before + page_part(figures, known) + behind)
