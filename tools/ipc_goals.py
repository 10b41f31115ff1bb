#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/bench/ipc.toml as a table in C: ipc_goals.py TOML OUTPUT."""

import json
import os
import sys
import tomllib

from mkarchive import ROOT

GOALS = os.path.join(ROOT, "tests", "bench", "ipc.toml")
TEXTS = {"name", "text", "figure", "against"}
NUMBERS = {"at_most", "at_least", "plus_cycles", "below_ns"}
OTHERS = {"speed", "reason", "plan"}
NEEDED = {"name", "text", "figure"}


class BadGoal(Exception):
    """The file of goals is wrong."""


def is_sound(goal):
    """One limit, and keys that fit each other."""
    keys = set(goal)
    return (NEEDED <= keys <= TEXTS | NUMBERS | OTHERS
            and len(keys & {"at_most", "at_least"}) == 1
            and ("plus_cycles" in keys) == ("below_ns" in keys)
            and ("plus_cycles" not in keys or "against" in keys)
            and not ("speed" in keys and "against" in keys)
            and all(goal[key] > 0 for key in keys & NUMBERS))


def load_goals(path=GOALS):
    """Returns {name: goal} in the order of the file."""
    with open(path, "rb") as file:
        goals = tomllib.load(file)["goal"]
    out = {}
    for goal in goals:
        name = goal.get("name", "?")
        if not is_sound(goal) or name in out:
            raise BadGoal(f"{path}: goal {name}")
        out[name] = goal
    return out


def literal(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value)    # its strings are those of C for ASCII


def c_table(goals):
    yield '#include "goals.h"'
    yield ""
    yield "const struct goal bench_goals[] = {"
    for goal in goals.values():
        fields = ", ".join(f".{key} = {literal(value)}"
                           for key, value in goal.items()
                           if key not in ("reason", "plan"))
        yield f"\t{{ {fields} }},"
    yield "\t{ 0 },"
    yield "};"


def main(argv):
    try:
        text = "\n".join(c_table(load_goals(argv[0]))) + "\n"
    except (BadGoal, KeyError, tomllib.TOMLDecodeError) as error:
        print(f"ipc_goals: {error}", file=sys.stderr)
        return 1
    with open(argv[1], "w", encoding="utf-8") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
